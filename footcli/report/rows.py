"""Rows of the report's tables: findings, lesions, the reader's verdicts, missing measurements."""

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
    if f.name == "normal":  # here "present" is the healthy state
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
    """Title, score, plane, slices and size of a lesion, and the number of its picture."""
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
    """The number, from 1, of the first picture with a lesion's box; None if none has it."""
    for number_, view in enumerate(views, start=1):
        if overlay.shows_box(view, lesion):
            return number_
    return None


def missing_row(m: Measurement, t: Strings, lang: str) -> tuple[str, str, str]:
    """Name, source and reason of a missing measurement."""
    title = term_title("angle", m.name, lang)
    what = m.name if title == m.name else f"{m.name}: {title}"
    why = "" if m.why_missing is None else text(m.why_missing, lang)
    return what, t[f"source.{m.source}"], why


def said(signed: SignOff | None, line: str, unit: str, t: Strings) -> str:
    """The reader's verdict on a line as the report's text; empty without one."""
    verdict = None if signed is None else signed.lines.get(line)
    if verdict is None:
        return ""
    shown = t[f"verdict.{verdict.word}"]
    if isinstance(verdict.to, Level):
        shown += f" {t[f'level.{verdict.to.value}']}"
    elif verdict.to is not None:
        shown += f" {number(verdict.to, unit)}"
    return f"{shown}: {verdict.comment}" if verdict.comment else shown
