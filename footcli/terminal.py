"""Talk with whoever sits at the terminal: lines and progress on stderr, exit codes for what went wrong."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import typer

from footcli.errors import FootcliError

FAILED_SOME, COULD_NOT, INTERRUPTED, TERMINATED = 3, 1, 130, 143


class Terminated(BaseException):
    """SIGTERM arrived."""


def say(text: str) -> None:
    """One line to people, on stderr; control characters are taken out."""
    from footcli.messages import clean

    typer.echo(clean(text), err=True)


@contextmanager
def exits() -> Iterator[None]:
    """Turn what goes wrong in a with-block into one line and an exit code."""

    def stop(signum: int, stack: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except FootcliError as error:
        say(f"footcli: {error}")
        raise typer.Exit(COULD_NOT) from None
    except BrokenPipeError:
        raise  # who reads stdout has gone; click ends quietly
    except OSError as error:
        say(f"footcli: {error.filename or 'a file'}: {error.strerror or 'cannot be read or written'}")
        raise typer.Exit(COULD_NOT) from None
    except KeyboardInterrupt:
        say("footcli: interrupted; finished cases are kept, run the same command again to go on")
        raise typer.Exit(INTERRUPTED) from None
    except Terminated:
        say("footcli: terminated; finished cases are kept, run the same command again to go on")
        raise typer.Exit(TERMINATED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


class Bar:
    """Counts finished cases; does nothing where nobody looks."""

    def __init__(self, bar: Any = None, task: Any = None) -> None:
        self._bar, self._task = bar, task

    def advance(self) -> None:
        """One case more is finished."""
        if self._bar is not None:
            self._bar.advance(self._task)


@contextmanager
def progress(total: int, shown: bool) -> Iterator[Bar]:
    """A bar over `total` cases for the length of a with-block."""
    if not shown or not sys.stderr.isatty():
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    with Progress(
        *Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn(), console=Console(stderr=True, markup=False)
    ) as bar:
        yield Bar(bar, bar.add_task("cases", total=total))
