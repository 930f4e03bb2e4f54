"""A tree -> its tally: case folders over several processes, with only counters kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from footcli.errors import SetupError
from footcli.stats.case import tally_case
from footcli.stats.slices import below
from footcli.stats.tally import Tally
from footcli.system.cores import cpu_count
from footcli.system.names import safe_text
from footcli.system.processes import in_processes
from footcli.walk.tree import CaseHome, find_homes


def collect(
    tree: Path,
    jobs: int | None = None,
    *,
    max_pixels: int | None = None,
    homes: Sequence[CaseHome] | None = None,
    tell: Callable[[], None] = lambda: None,
) -> Tally:
    """Count a data set's tree. The same tree gives the same tally for any number of jobs.

    jobs: processes; None for one per core. max_pixels: edge of images where no header gives the
    size, None for unlimited. homes: the tree's case folders, if already known. tell: called after
    each of them. Raises SetupError if the tree cannot be listed or holds no case folder, or if a
    process dies.
    """
    root = tree.resolve()
    homes = find_homes(tree) if homes is None else homes
    if not homes:
        raise SetupError(f"{safe_text(str(tree))}: no case in it; name the data set's folder")
    tally = _duplicates(homes, root)
    one = partial(tally_case, root=root, max_pixels=max_pixels)
    for found in in_processes(one, homes, cpu_count() if jobs is None else jobs):
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
