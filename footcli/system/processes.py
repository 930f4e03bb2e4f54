"""Apply one function to many items in several processes, with bounded memory."""

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
"""Items per process that may be queued before the next result is taken."""
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
    """Yield function(item) of each item, in their order, or as completed with ordered=False.

    jobs: number of processes; if it is at most 1, or with one item, this process does everything.
    start: called first in each process; by default a process ignores keyboard interrupts, which its
    parent handles.

    function, items, results and start must be picklable. Exceptions of function are raised here. If
    the caller stops early, queued items are not started. Raises SetupError if a process dies.
    """
    if jobs <= 1 or len(items) <= 1:
        yield from map(function, items)
        return
    waiting: deque[Future[_Result]] = deque()
    # spawn, because a fork would copy the libraries' locks and threads in an undefined state
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
    """The next result: of the first item if ordered, else of any item that is done."""
    if ordered:
        return waiting.popleft().result()
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    first = next(iter(done))
    waiting.remove(first)
    return first.result()


def _ignore_interrupts() -> None:
    """Ignore keyboard interrupts: they reach every process, but only the parent handles them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
