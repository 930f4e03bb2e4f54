"""Rows of the report's tables: angles against their ranges, findings, what a reader said of them,
what was not measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from footcli import names
from footcli.domain import Finding, Level, Measurement, Source, mapping
from footcli.store.signoff import SignOff
from footcli.text import korean, messages
from footcli.web import svg
from footcli.web.page import LEVEL_STATE, term_title

Strings = Mapping[str, str]


def angle_state(
    value: float | None, low: float | None, high: float | None, band: float = 0.0
) -> str:
    """within, borderline (nearer than `band` to a limit), outside, no_range (no limit known) or
    missing (no value).
    """
    if value is None:
        return "missing"
    limits = [limit for limit in (low, high) if limit is not None]
    if not limits:
        return "no_range"
    if any(abs(value - limit) < band for limit in limits):
        return "borderline"
    return (
        "outside"
        if (low is not None and value < low) or (high is not None and value > high)
        else "within"
    )


def finding_row(f: Finding, t: Strings, lang: str) -> dict[str, Any]:
    """Title, state, word of its level, grade and evidence of a finding."""
    state = LEVEL_STATE[f.level]
    word = t[f"level.{f.level.value}"]
    if f.name == "normal":  # "present" is the good news here
        state = "within" if f.level is Level.PRESENT else "missing"
        word = t["yes"] if f.level is Level.PRESENT else t["no"]
    grade = t.get(f"grade.{f.grade}", f.grade)
    evidence = [korean.line(text, lang) for text in f.evidence]
    return {
        "title": term_title(names.FINDINGS, f.name, lang),
        "state": state,
        "word": word,
        "grade": grade,
        "evidence": evidence,
    }


def said(signed: SignOff | None, line: str, unit: str, t: Strings) -> str:
    """What a reader said of a line, as the report shows it; empty where nothing was said."""
    verdict = None if signed is None else signed.lines.get(line)
    if verdict is None:
        return ""
    to = verdict.to
    shown = (
        ""
        if to is None
        else f" {t[f'level.{to.value}'] if isinstance(to, Level) else messages.number(to, unit)}"
    )
    return f"{t[f'verdict.{verdict.word}']}{shown}" + (
        f": {verdict.comment}" if verdict.comment else ""
    )


def angle_rows(
    measurements: Sequence[Measurement],
    profile: Mapping[str, Any],
    t: Strings,
    lang: str,
    signed: SignOff | None,
) -> list[dict[str, Any]]:
    """A row for each angle: both ways of measuring, its range as text and as a bar, notes, what a
    reader said.
    """
    rows = []
    for name in dict.fromkeys(m.name for m in measurements):
        both = {m.source: m for m in measurements if m.name == name}
        bounds = mapping(mapping(profile.get("ranges")).get(name))
        low, high = bounds.get("low"), bounds.get("high")
        band = float(mapping(profile.get("guard_band")).get(name) or 0.0)
        unit = next(iter(both.values())).unit
        values = [m.value for m in both.values() if m.value is not None]
        notes = list(dict.fromkeys(korean.line(m.note, lang) for m in both.values() if m.note))
        if unit == "deg" and len(values) == 2 and abs(values[0] - values[1]) > names.AGREE_DEG:
            notes.insert(0, t["differ"].format(messages.number(abs(values[0] - values[1]))))
        about = (_other(term_title(names.MEASURES, name, lang), name), t.get(f"define.{name}", ""))
        rows.append(
            {
                "name": name,
                "about": ". ".join(filter(None, about)),
                "cells": [
                    _angle_cell(both.get(way), low, high, band, t, lang)
                    for way in ("landmarks", "masks")
                ],
                "range": _range_text(low, high, unit, t),
                "bar": _bar(name, both, low, high, band, t),
                "source": korean.line(str(bounds.get("source") or ""), lang),
                "band": f"{t['band']} ±{messages.number(band, unit)}" if band and bounds else "",
                "notes": notes,
                "line": f"angle:{name}",
                "said": said(signed, f"angle:{name}", unit, t),
            }
        )
    return rows


def missing_row(m: Measurement, t: Strings, lang: str) -> tuple[str, str, str]:
    """What was not measured, in which way, and why."""
    what = ": ".join(
        filter(None, (m.name, _other(term_title(names.MEASURES, m.name, lang), m.name)))
    )
    return what, t[f"source.{m.source}"], korean.line(m.why_missing or "", lang)


def _other(text: str, than: str) -> str:
    return "" if text == than else text


def _angle_cell(
    m: Measurement | None, low: float | None, high: float | None, band: float, t: Strings, lang: str
) -> dict[str, str]:
    if m is None:
        return {"value": "", "state": "missing", "word": t["not_taken"], "detail": ""}
    state = angle_state(m.value, low, high, band)
    if m.value is None:
        return {
            "value": "",
            "state": state,
            "word": t[f"state.{state}"],
            "detail": korean.line(m.why_missing or "", lang),
        }
    detail = [f"{t['slice']} {m.slice}"] if m.slice is not None else []
    detail += [f"{t['confidence']} {m.confidence:.2f}"] if m.confidence is not None else []
    return {
        "value": messages.number(m.value, m.unit),
        "state": state,
        "word": t[f"state.{state}"],
        "detail": ", ".join(detail),
    }


def _bar(
    name: str,
    both: Mapping[Source, Measurement],
    low: float | None,
    high: float | None,
    band: float,
    t: Strings,
) -> Markup:
    values = {way: m.value for way, m in both.items() if m.value is not None}
    said = ", ".join(
        f"{t[f'source.{way}']} {messages.number(value, both[way].unit)}"
        for way, value in values.items()
    )
    unit = next(iter(both.values())).unit
    return svg.range_bar(
        values, low, high, band, f"{name}: {said}; {t['range']}: {_range_text(low, high, unit, t)}"
    )


def _range_text(low: float | None, high: float | None, unit: str, t: Strings) -> str:
    ends = [messages.number(limit, unit) for limit in (low, high) if limit is not None]
    if len(ends) == 2:
        return f"{ends[0]} … {ends[1]}"
    return t["state.no_range"] if not ends else ("≥ " if high is None else "≤ ") + ends[0]
