"""One function over many items in several processes: memory bounded, one line if a process dies."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from footcli.errors import SetupError

AHEAD = 4
"""Items a process may be ahead of the one whose result is taken next."""
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_processes(
    function: Callable[[_Item], _Result],
    items: Sequence[_Item],
    jobs: int,
    *,
    start: Callable[[], None] | None = None,
    ordered: bool = True,
) -> Iterator[_Result]:
    """function(item) of each item, in their order, or with ordered=False as they are done.

    jobs: processes; up to 1, or with one item, all is done in this one. start: what a process does
    first; without it a process ignores an interrupt at the keyboard, which its parent answers.

    function, items, results and start must be picklable; what function raises is raised here. If
    the caller stops early, what waits is never begun. Raises SetupError if a process dies.
    """
    if jobs <= 1 or len(items) <= 1:
        yield from map(function, items)
        return
    waiting: deque[Future[_Result]] = deque()
    # spawn: a fork would take over locks and threads of the libraries in whatever state they are
    with ProcessPoolExecutor(
        min(jobs, len(items)),
        multiprocessing.get_context("spawn"),
        initializer=start or _ignore_interrupts,
    ) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= AHEAD * jobs:
                    yield _take(waiting, ordered)
            while waiting:
                yield _take(waiting, ordered)
        except BrokenProcessPool:
            raise SetupError(
                "a worker process died, out of memory perhaps: what was finished is kept, go on "
                "with fewer --jobs"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _take(waiting: deque[Future[_Result]], ordered: bool) -> _Result:
    """The next result: that of the first item, or of any that is done."""
    if ordered:
        return waiting.popleft().result()
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    first = next(iter(done))
    waiting.remove(first)
    return first.result()


def _ignore_interrupts() -> None:
    """An interrupt at the keyboard reaches every process; the first one alone answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
