"""Every error that footcli raises on purpose.

FootcliError
├── CaseError             one case cannot be processed; the batch goes on
│   ├── ReadError         its images cannot be made into a volume
│   └── InferenceError    a model gave no usable answer for it
├── SetupError            a model, device, option or template is wrong: stop before the first case
└── TruthError            ground truth and results do not line up

A message states what is wrong, which value or file, and what to do. It never holds patient data.
"""

from __future__ import annotations

from typing import Any

from footcli.text.lines import Line, Value
from footcli.text.wording import text


class FootcliError(Exception):
    """Root of the tree; the command line prints its text and no traceback."""


class CaseError(FootcliError):
    """One case cannot be processed: code and values of a line of `text/lines.toml`."""

    def __init__(self, code: str, /, **values: Value) -> None:
        self.line = Line(code, **values)
        super().__init__(text(self.line))

    @property
    def code(self) -> str:
        """Stable error code for programs: the line's family."""
        return self.line.family

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.line.code, dict(self.line.values))


def _restored(kind: type[CaseError], code: str, values: dict[str, Value]) -> CaseError:
    return kind(code, **values)


class ReadError(CaseError):
    """The images of a case cannot be made into a volume."""


class InferenceError(CaseError):
    """A model gave no usable answer for a case."""


class ImplausibleError(CaseError):
    """What was found in a case is not a foot, or not enough of one."""


class SetupError(FootcliError):
    """The run cannot start: a model, device, option, folder or template is missing or bad."""


class TruthError(FootcliError):
    """Ground truth and results do not line up."""
