"""Every error that footcli raises on purpose.

FootcliError ├── CaseError         one case cannot be processed; the batch goes on │   ├── ReadError
its images cannot be made into a volume │   └── InferenceError    a model gave no usable answer for
it ├── SetupError        a model, device, option or template is missing or bad: stop before the
first case └── TruthError        ground truth and results do not line up

A message says what is wrong, which value or file, and what to do; it never holds a patient's data.
"""

from __future__ import annotations


class FootcliError(Exception):
    """Root of the tree; the command line prints its text and no traceback."""


class CaseError(FootcliError):
    """One case cannot be processed.

    `code` is a stable word for programs, the message is for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ReadError(CaseError):
    """The images of a case cannot be made into a volume."""


class InferenceError(CaseError):
    """A model gave no usable answer for a case."""


class SetupError(FootcliError):
    """The run cannot start.

    A model, device, option, output folder or template is missing or bad.
    """


class TruthError(FootcliError):
    """Ground truth and results do not line up."""
