"""The report's table of angles: the values from both sources and the normal range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from footcli.decide.position import position
from footcli.domain import Measurement, Source
from footcli.kinds import AGREE_DEG
from footcli.provenance import ProfileFacts, Range
from footcli.report.rows import Strings, said
from footcli.store.signoff import SignOff
from footcli.text.wording import number, text
from footcli.web import svg
from footcli.web.page import term_title

SOURCES: tuple[Source, ...] = ("landmarks", "masks")
NO_RANGE = Range(None, None)


@dataclass(frozen=True, slots=True)
class _Scale:
    """An angle's normal range and guard band, in its unit."""

    name: str
    unit: str
    limits: Range
    band: float

    def state(self, value: float | None) -> str:
        """The value's position in the range, by the same rule as the findings' evidence."""
        return position(value, self.limits.low, self.limits.high, self.band).value

    def words(self, t: Strings) -> str:
        """The range as text."""
        low, high = self.limits.low, self.limits.high
        if low is None and high is None:
            return t["state.no_range"]
        if high is None:
            return f"≥ {number(low or 0.0, self.unit)}"
        if low is None:
            return f"≤ {number(high, self.unit)}"
        return f"{number(low, self.unit)} … {number(high, self.unit)}"


def angle_rows(
    measurements: Sequence[Measurement],
    profile: ProfileFacts,
    t: Strings,
    lang: str,
    signed: SignOff | None,
) -> list[dict[str, Any]]:
    """A row for each angle: both values, range as text and bar, notes, the reader's verdict."""
    rows = []
    for name in dict.fromkeys(m.name for m in measurements):
        both = {m.source: m for m in measurements if m.name == name}
        unit = next(iter(both.values())).unit
        limits = profile.ranges.get(name, NO_RANGE)
        scale = _Scale(name, unit, limits, profile.guard_band.get(name, 0.0))
        band = f"{t['band']} ±{number(scale.band, unit)}"
        rows.append(
            {
                "name": name,
                "about": _about(name, t, lang),
                "cells": [_cell(both.get(source), scale, t, lang) for source in SOURCES],
                "range": scale.words(t),
                "bar": _bar(both, scale, t),
                "source": _origins(limits, lang),
                "band": band if scale.band and name in profile.ranges else "",
                "notes": _notes(both, t, lang),
                "line": f"angle:{name}",
                "said": said(signed, f"angle:{name}", unit, t),
            }
        )
    return rows


def _about(name: str, t: Strings, lang: str) -> str:
    """An angle's title and definition."""
    title = term_title("angle", name, lang)
    parts = ["" if title == name else title, t.get(f"define.{name}", "")]
    return ". ".join(part for part in parts if part)


def _origins(limits: Range, lang: str) -> str:
    """Where the limits come from."""
    return "; ".join(text(origin, lang) for origin in limits.origins)


def _notes(both: Mapping[Source, Measurement], t: Strings, lang: str) -> list[str]:
    """Notes on how the values were taken, after one on their difference above AGREE_DEG."""
    notes = list(dict.fromkeys(text(m.note, lang) for m in both.values() if m.note is not None))
    values = [m.value for m in both.values() if m.value is not None]
    in_degrees = all(m.unit == "deg" for m in both.values())
    if in_degrees and len(values) == 2 and abs(values[0] - values[1]) > AGREE_DEG:
        notes.insert(0, t["differ"].format(number(abs(values[0] - values[1]))))
    return notes


def _cell(m: Measurement | None, scale: _Scale, t: Strings, lang: str) -> dict[str, str]:
    """One source's value with its state, or why it is missing."""
    if m is None:
        return {"value": "", "state": "missing", "word": t["not_taken"], "detail": ""}
    state = scale.state(m.value)
    cell = {"value": "", "state": state, "word": t[f"state.{state}"], "detail": ""}
    if m.value is None:
        why = "" if m.why_missing is None else text(m.why_missing, lang)
        return {**cell, "detail": why}
    detail = [] if m.slice is None else [f"{t['slice']} {m.slice}"]
    detail += [] if m.confidence is None else [f"{t['confidence']} {m.confidence:.2f}"]
    return {**cell, "value": number(m.value, m.unit), "detail": ", ".join(detail)}


def _bar(both: Mapping[Source, Measurement], scale: _Scale, t: Strings) -> Markup:
    """The values and their range as a bar."""
    values = {source: m.value for source, m in both.items() if m.value is not None}
    shown = ", ".join(
        f"{t[f'source.{source}']} {number(value, scale.unit)}" for source, value in values.items()
    )
    words = f"{scale.name}: {shown}; {t['range']}: {scale.words(t)}"
    return svg.range_bar(values, scale.limits.low, scale.limits.high, scale.band, words)
