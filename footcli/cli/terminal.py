"""Terminal output: lines and progress on stderr, tables on stdout, exit codes for errors."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import typer

from footcli.errors import FootcliError

FAILED_SOME, COULD_NOT, TOO_LOW, INTERRUPTED, TERMINATED = 3, 1, 4, 130, 143
_FILE_COLUMNS = 160  # width of a table in a file or a pipe, which have no terminal width


class Terminated(BaseException):
    """SIGTERM arrived."""


def say(text: str) -> None:
    """Print one line on stderr, without control characters."""
    from footcli.text.clean import clean

    typer.echo(clean(text), err=True)


@contextmanager
def exits() -> Iterator[None]:
    """Turn an error in a with-block into one line and an exit code."""

    def stop(signum: int, stack: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except FootcliError as error:
        say(f"footcli: {error}")
        raise typer.Exit(COULD_NOT) from None
    except BrokenPipeError:
        raise  # the reader of stdout has gone; click ends quietly
    except OSError as error:
        say(
            f"footcli: {error.filename or 'a file'}: "
            f"{error.strerror or 'cannot be read or written'}"
        )
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
    """Counts finished cases; does nothing without a terminal."""

    def __init__(self, bar: Any = None, task: Any = None) -> None:
        self._bar, self._task = bar, task

    def advance(self) -> None:
        """Count one more finished case."""
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
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True, markup=False),
    ) as bar:
        yield Bar(bar, bar.add_task("cases", total=total))


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str | int | float | None]]
) -> None:
    """Print a table to stdout, cells as plain text: no markup, no controls.

    None is shown as a dash; numbers are right-aligned. An integer is printed as it is, a float with
    three decimals at most; for any other form give text.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    width = None if sys.stdout.isatty() else _FILE_COLUMNS
    console = Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)
    drawn = Table(
        title=_cell(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        safe_box=True,
    )
    for number, name in enumerate(columns):
        values = [row[number] for row in rows if number < len(row) and row[number] is not None]
        right = bool(values) and all(isinstance(value, int | float) for value in values)
        drawn.add_column(_cell(name), justify="right" if right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*map(_cell, row))
    console.print(drawn)


def _cell(value: str | float | None) -> Any:
    from rich.text import Text

    from footcli.text.clean import clean

    if value is None:
        return Text("-")
    if isinstance(value, float):
        return Text(f"{value:.3f}".rstrip("0").rstrip(".") or "0")
    return Text(clean(str(value)))
