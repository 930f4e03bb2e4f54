"""Compares left and right: finds the other foot of a case and lists the differences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from footcli.domain import CaseResult, Source
from footcli.errors import CaseError
from footcli.kinds import MEASURES
from footcli.store.result import RESULT, load_result
from footcli.text.wording import number
from footcli.web.page import strings, term_title

# The side in a case's name is the last such separate letter
SIDE_WORD = re.compile(r"(?<=[-_+])[LR](?=[-_]|$)")
SOURCES: tuple[Source, ...] = ("landmarks", "masks")
OTHER = {"L": "R", "R": "L"}


def partner(folder: Path) -> Path | None:
    """The other foot's folder: the same name but for the side, with a result; None if missing."""
    found = list(SIDE_WORD.finditer(folder.name))
    if not found:
        return None
    at = found[-1].start()
    beside = folder.with_name(folder.name[:at] + OTHER[folder.name[at]] + folder.name[at + 1 :])
    return beside if (beside / RESULT).is_file() else None


def other_foot(folder: Path, result: CaseResult) -> CaseResult | None:
    """The result of the other foot; None if it is missing, unreadable or not comparable.

    An unreadable result is an error of its own case.
    """
    beside = partner(folder)
    try:
        other = None if beside is None else load_result(beside)
    except CaseError:
        return None
    return other if other is not None and comparable(result, other) else None


def comparable(one: CaseResult, two: CaseResult) -> bool:
    """Whether two results have the same models, options and profile, and no different age bands."""
    if one.provenance.settings != two.provenance.settings:
        return False
    ages = {result.provenance.input.age_band for result in (one, two)} - {None}
    return len(ages) < 2


def side_rows(one: CaseResult, two: CaseResult, lang: str) -> list[dict[str, str]]:
    """A row for each measure that both feet have from the same source: left, right, difference.

    Empty unless the sides are L and R. A difference above twice the guard band is marked "outside",
    a smaller one "within", and "no_range" without a guard band.
    """
    feet = {one.side: one, two.side: two}
    if set(feet) != {"L", "R"}:
        return []
    t = strings(lang)
    bands = one.provenance.profile.guard_band
    left, right = (_values(feet[side]) for side in ("L", "R"))
    rows = []
    for term in MEASURES:
        source = next(
            (
                source_
                for source_ in SOURCES
                if (term.name, source_) in left and (term.name, source_) in right
            ),
            None,
        )
        if source is None:
            continue
        (a, unit), (b, _) = left[term.name, source], right[term.name, source]
        band = bands.get(term.name)
        state = "no_range"
        if band is not None:
            state = "outside" if abs(a - b) > 2 * band else "within"
        rows.append(
            {
                "name": term.name,
                "about": term_title("angle", term.name, lang),
                "source": t[f"source.{source}"],
                "left": number(a, unit),
                "right": number(b, unit),
                "apart": number(abs(a - b), unit),
                "state": state,
                "word": t[f"sides.{state}"],
            }
        )
    return rows


def _values(result: CaseResult) -> Mapping[tuple[str, Source], tuple[float, str]]:
    return {
        (m.name, m.source): (m.value, m.unit) for m in result.measurements if m.value is not None
    }
