"""The report's impression: at most five ranked lines, each with its picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from footcli.domain import CaseResult, Finding, Lesion, Level
from footcli.kinds import FINDING, LESION
from footcli.report.rows import finding_row, view_of_lesion
from footcli.store.pictures import View
from footcli.web.page import term_title

Strings = Mapping[str, str]
MOST_LINES = 5


def impression(result: CaseResult, views: Sequence[View], t: Strings, lang: str) -> dict[str, Any]:
    """Findings that are present, then possible, each group in the order of the result."""
    diseases = [f for f in result.findings if f.name != "normal"]
    ranked = [f for f in diseases if f.level is Level.PRESENT]
    ranked += [f for f in diseases if f.level is Level.POSSIBLE]
    lead = {Level.PRESENT: t["consistent"], Level.POSSIBLE: t["possible_for"]}
    lines = []
    for f in ranked[:MOST_LINES]:
        row = finding_row(f, t, lang)
        view = view_of(f, result.lesions, views)
        lines.append({"lead": _capital(lead[f.level]), "view": view, **row})
    texts = [t["more_findings"]] if len(ranked) > MOST_LINES else []
    if not ranked:
        texts.append(_nothing_found(result, t, lang))
    if unjudged := _listed(diseases, Level.NOT_MEASURABLE, lang):
        texts.append(f"{_capital(t['not_judged'])}: {unjudged}.")
    return {"lines": lines, "texts": texts}


def view_of(f: Finding, lesions: Sequence[Lesion], views: Sequence[View]) -> int | None:
    """The number, from 1, of the picture that shows a finding best; None without one.

    It is the picture of its lesion, else the slab of its plane, else the first of its plane.
    """
    rule = FINDING.get(f.name)
    if rule is None or rule.shown_lesion is None:
        return None
    for lesion in lesions:
        if lesion.label == rule.shown_lesion:
            number = view_of_lesion(lesion, views)
            if number is not None:
                return number
    plane = LESION[rule.shown_lesion].plane
    same = [(v.index is not None, n) for n, v in enumerate(views, start=1) if v.plane is plane]
    return min(same)[1] if same else None


def _nothing_found(result: CaseResult, t: Strings, lang: str) -> str:
    diseases = [f for f in result.findings if f.name != "normal"]
    normal = [f for f in result.findings if f.name == "normal" and f.level is Level.PRESENT]
    if not normal:
        return t["nothing_text"]
    return f"{t['normal_text']}: {_listed(diseases, Level.NOT_SEEN, lang)}."


def _listed(findings: Sequence[Finding], level: Level, lang: str) -> str:
    return ", ".join(term_title("finding", f.name, lang) for f in findings if f.level is level)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
