"""One function over many items in several processes: results in order, memory bounded, one line if
a process dies.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from footcli.errors import SetupError

AHEAD = 4
"""Items a process may be ahead of the one whose result is taken next."""
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_processes(
    function: Callable[[_Item], _Result], items: Sequence[_Item], jobs: int
) -> Iterator[_Result]:
    """function(item) of each item, in their order.

    jobs: processes; up to 1, or with one item, all is done in this one.

    function, items and results must be picklable; what function raises is raised here. If the
    caller stops early, what waits is never begun. Raises SetupError if a process dies.
    """
    if jobs <= 1 or len(items) <= 1:
        yield from map(function, items)
        return
    waiting: deque[Future[_Result]] = deque()
    # spawn: a fork would take over locks and threads of the libraries in whatever state they are
    with ProcessPoolExecutor(
        min(jobs, len(items)), multiprocessing.get_context("spawn"), initializer=_start_worker
    ) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= AHEAD * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise SetupError(
                "a worker process died, out of memory perhaps: try again with --jobs 1"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker() -> None:
    """An interrupt at the keyboard reaches every process; the first one alone answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
