"""One table for people, and the format of its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from footcli.kinds import FINDINGS

Json = Mapping[str, Any]
DASH = "–"
TITLES = {rule.name: rule.en for rule in FINDINGS}


@dataclass(frozen=True, slots=True)
class Listing:
    """One table. note: a sentence below it, the reason where numbers are absent."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def number(value: float | None, digits: int = 3, ci95: Sequence[float] | None = None) -> str:
    """A number with its interval, or a dash."""
    if value is None:
        return DASH
    text = f"{value:.{digits}f}"
    if ci95:
        text += f" ({ci95[0]:.{digits}f}, {ci95[1]:.{digits}f})"
    return text.replace("-", "−")


def with_interval(row: Json, key: str, digits: int = 3) -> str:
    """A number with its 95 % interval, where the row has one."""
    return number(row.get(key), digits, row.get(f"{key}_ci95"))
