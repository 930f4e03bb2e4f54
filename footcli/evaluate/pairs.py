"""A results folder and a tree of truth -> pairs of the same case, and the unpaired cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from footcli.errors import TruthError
from footcli.store.contents import union
from footcli.system.names import safe_text
from footcli.walk.tree import CaseEntry, list_cases

SHOWN = 10  # ids that one message names


@dataclass(frozen=True, slots=True)
class Pair:
    """One case: its truth and its result folders, two where the scan shows two feet."""

    truth: CaseEntry
    folders: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class LineUp:
    """left_out: case id -> why it is not compared."""

    pairs: tuple[Pair, ...]
    left_out: Mapping[str, str]


def line_up(out: Path, truth: Path) -> LineUp:
    """Match results to truth by case id. Raises TruthError if either has nothing to compare."""
    found = results_in(out)
    if not found:
        raise TruthError(
            f"{safe_text(str(out))}: holds no results; name a results folder of footcli analyze"
        )
    labelled = {place.case_id: place for place in list_cases(truth) if place.labelled}
    if not labelled:
        raise TruthError(
            f"{safe_text(str(truth))}: holds no labels of the data set's layout; name the folder "
            "with the ground truth"
        )
    pairs = []
    left_out = {}
    for name, place in labelled.items():
        if found.get(name):
            pairs.append(Pair(place, found[name]))
        elif name in found:
            left_out[name] = "analysis failed"
    left_out |= dict.fromkeys(labelled.keys() - found.keys(), "truth without a result")
    left_out |= dict.fromkeys(found.keys() - labelled.keys(), "result without truth")
    return LineUp(tuple(pairs), dict(sorted(left_out.items())))


def refuse(left_out: Mapping[str, str]) -> None:
    """Raise TruthError that lists cases by id, unless there are none."""
    if left_out:
        shown = ", ".join(
            f"{safe_text(name)} ({why})" for name, why in list(left_out.items())[:SHOWN]
        )
        more = f" and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
        raise TruthError(
            f"{len(left_out)} case(s) do not line up: {shown}{more}; complete them, or leave them "
            "out with --allow-missing"
        )


def results_in(out: Path) -> dict[str, tuple[Path, ...]]:
    """Case id -> its result folders, none where the analysis failed; from the folder's contents and
    its journal.

    An earlier result of a case that failed later has another scan or other options: it is not
    scored.
    """
    found = {}
    for record in union(out):
        names = record.folders if record.outcome != "failed" else ()
        found[record.case_id] = tuple(out / name for name in names)
    return found
