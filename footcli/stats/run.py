"""A tree -> Stats: case folders one by one, over several processes, nothing kept but counters."""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from footcli.errors import SetupError
from footcli.files import safe_text
from footcli.infer.session import cpu_count
from footcli.stats.case import tally_case
from footcli.stats.slices import below
from footcli.stats.tally import Tally
from footcli.walk import CaseHome, find_homes

_AHEAD = 4  # cases a process may be ahead of the one whose counts are added next


def collect(
    tree: Path,
    jobs: int | None = None,
    *,
    max_pixels: int | None = None,
    homes: Sequence[CaseHome] | None = None,
    tell: Callable[[], None] = lambda: None,
) -> Tally:
    """Count a data set's tree. The same tree gives the same tally, whatever the number of jobs.

    jobs: processes; None for one a core. max_pixels: edge of images whose size no header tells, None for unlimited.
    homes: the tree's case folders where they are known already. tell: called after each of them.
    Raises SetupError if the tree cannot be listed or holds no case folder, or if a process dies.
    """
    root = tree.resolve()
    homes = find_homes(tree) if homes is None else homes
    if not homes:
        raise SetupError(f"{safe_text(str(tree))}: no case in it; name the data set's folder")
    tally = _duplicates(homes, root)
    for found in _tallies(homes, root, cpu_count() if jobs is None else jobs, max_pixels):
        tally.merge(found)
        tell()
    return tally


def _duplicates(homes: Sequence[CaseHome], root: Path) -> Tally:
    tally = Tally()
    often = Counter(home.name.casefold() for home in homes if home.layout == "dataset")
    for home in homes:
        if home.layout == "dataset" and often[home.name.casefold()] > 1:
            tally.note("quality", "duplicate_case_id", home.name, below(Path(home.owner), root))
    return tally


def _tallies(homes: Sequence[CaseHome], root: Path, jobs: int, max_pixels: int | None) -> Iterator[Tally]:
    """The tally of each home, in their order."""
    if jobs <= 1 or len(homes) <= 1:
        yield from (tally_case(home, root, max_pixels) for home in homes)
        return
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[Tally]] = deque()
    with ProcessPoolExecutor(min(jobs, len(homes)), context, initializer=_start_worker) as pool:
        try:
            for home in homes:
                waiting.append(pool.submit(tally_case, home, root, max_pixels))
                if len(waiting) >= _AHEAD * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise SetupError("a worker process died, out of memory perhaps: try again with --jobs 1") from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker() -> None:
    """An interrupt at the keyboard reaches every process; the first one alone answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
