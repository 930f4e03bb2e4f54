"""A progress bar on stderr, only where stderr is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


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
