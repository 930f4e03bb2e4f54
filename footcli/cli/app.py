"""Shared by the commands: the application, and options with a fixed set of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def checked(allowed: Callable[[], Sequence[str]]) -> Callable[[str | None], str | None]:
    """A callback for an option whose allowed values a module defines; it imports the module only
    once a value is given, not for --help.
    """

    def check(value: str | None) -> str | None:
        if value is not None and value not in allowed():
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed())}")
        return value

    return check


def profiles() -> Sequence[str]:
    """The names of the profiles of cut-offs."""
    from footcli.decide.profile import profile_names

    return profile_names()


def diseases() -> Sequence[str]:
    """The diseases that a subject can be drawn with."""
    from footcli.phantom.disease import DISEASES

    return DISEASES


def fields() -> Sequence[str]:
    """The fields of view that a subject can be drawn in."""
    from footcli.phantom.scanner import FIELDS

    return tuple(FIELDS)


class Device(StrEnum):
    """Where the models run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Quality(StrEnum):
    """fast: bones from one plane; standard: from three; best: also test-time augmentation."""

    fast = "fast"
    standard = "standard"
    best = "best"


class Lang(StrEnum):
    """Language of the report."""

    en = "en"
    ko = "ko"


class YesNo(StrEnum):
    """yes or no."""

    yes = "yes"
    no = "no"


class Protocol(StrEnum):
    """coco: the standard definitions; validators: those of the data set's own validators."""

    coco = "coco"
    validators = "validators"


class Task(StrEnum):
    """The networks; dome and hindfoot are detectors of some lesions only."""

    bones = "bones"
    finder = "finder"
    landmarks = "landmarks"
    lesions = "lesions"
    dome = "dome"
    hindfoot = "hindfoot"


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Assisted diagnosis of foot and ankle disease from weight-bearing cone-beam CT.

    Research use only; not a medical device.
    """
    if version:
        from footcli import __version__

        typer.echo(f"footcli {__version__}")
        raise typer.Exit
