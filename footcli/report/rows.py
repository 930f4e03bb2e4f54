"""Rows of the report's tables: findings, what a reader said of them, what was not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from footcli.domain import Finding, Lesion, Level, Measurement
from footcli.report import overlay
from footcli.store.pictures import View
from footcli.store.signoff import SignOff
from footcli.text.wording import number, text
from footcli.web.page import LEVEL_STATE, term_title

Strings = Mapping[str, str]


def finding_row(f: Finding, t: Strings, lang: str) -> dict[str, Any]:
    """Title, state, word of its level, grade and evidence of a finding."""
    state = LEVEL_STATE[f.level]
    word = t[f"level.{f.level.value}"]
    if f.name == "normal":  # "present" is the good news here
        good = f.level is Level.PRESENT
        state, word = ("within", t["yes"]) if good else ("missing", t["no"])
    return {
        "title": term_title("finding", f.name, lang),
        "state": state,
        "word": word,
        "grade": t.get(f"grade.{f.grade}", f.grade),
        "evidence": [text(line, lang) for line in f.evidence],
    }


def lesion_row(lesion: Lesion, views: Sequence[View], t: Strings, lang: str) -> dict[str, Any]:
    """Title, score, place and size of a lesion, and the number of the picture that shows it."""
    first, last = lesion.slices
    size = t["unknown"]
    if lesion.size_mm is not None:
        size = " × ".join(f"{v:.1f}" for v in lesion.size_mm)
    return {
        "title": term_title("lesion", lesion.label, lang),
        "score": f"{lesion.score:.2f}",
        "plane": t[f"plane.{lesion.plane.value}"],
        "slices": f"{first}–{last}",
        "size": size,
        "view": view_of_lesion(lesion, views),
        "label": lesion.label,
    }


def view_of_lesion(lesion: Lesion, views: Sequence[View]) -> int | None:
    """The number of the first picture that holds a lesion's box, from 1; None where none does."""
    for number_, view in enumerate(views, start=1):
        if overlay.shows_box(view, lesion):
            return number_
    return None


def missing_row(m: Measurement, t: Strings, lang: str) -> tuple[str, str, str]:
    """What was not measured, in which way, and why."""
    title = term_title("angle", m.name, lang)
    what = m.name if title == m.name else f"{m.name}: {title}"
    why = "" if m.why_missing is None else text(m.why_missing, lang)
    return what, t[f"source.{m.source}"], why


def said(signed: SignOff | None, line: str, unit: str, t: Strings) -> str:
    """What a reader said of a line, as the report shows it; empty where nothing was said."""
    verdict = None if signed is None else signed.lines.get(line)
    if verdict is None:
        return ""
    shown = t[f"verdict.{verdict.word}"]
    if isinstance(verdict.to, Level):
        shown += f" {t[f'level.{verdict.to.value}']}"
    elif verdict.to is not None:
        shown += f" {number(verdict.to, unit)}"
    return f"{shown}: {verdict.comment}" if verdict.comment else shown
