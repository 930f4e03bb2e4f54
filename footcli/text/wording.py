"""Text of lines and pages in the reader's language, from the TOML files in this folder."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from footcli.text.lines import Line

LANGUAGES = ("en", "ko")
FILES = ("lines.toml", "words.toml", "pages.toml")
"""Sentences by code, names of things, text of pages."""
AS_WRITTEN = "text"
"""Name of the value that holds the English text of a line that an earlier version wrote."""
_FOLDER = Path(__file__).resolve().parent
_UNITS = {"deg": "°", "percent": " %"}


def text(line: Line, lang: str = "en") -> str:
    """A line in a language; a line that has only the English of an earlier version keeps it.

    Raises KeyError for an unknown code, or if the line lacks a value that its wording needs.
    """
    if AS_WRITTEN in line.values:
        return str(line.values[AS_WRITTEN])
    return _Filler(lang).vformat(wording(line.code, lang), (), line.values)


def wording(code: str, lang: str = "en") -> str:
    """The wording of a code in a language, slots unfilled. Raises KeyError for an unknown code."""
    return tables()[code][LANGUAGES.index(lang)]


@cache
def strings(lang: str) -> Mapping[str, str]:
    """Code -> wording in one language. Raises ValueError for a language not in LANGUAGES."""
    column = LANGUAGES.index(lang)
    return {code: pair[column] for code, pair in tables().items()}


def number(value: float, unit: str = "deg") -> str:
    """A measured value for display: one decimal, a typographic minus sign, the unit."""
    shown = f"{value:.1f}".replace("-", "\N{MINUS SIGN}")
    return shown + _UNITS.get(unit, f" {unit}")


@cache
def tables() -> dict[str, tuple[str, str]]:
    """Code -> (English, Korean), from all files."""
    found: dict[str, tuple[str, str]] = {}
    for name in FILES:
        found |= _entries(name)
    return found


def _entries(name: str) -> dict[str, tuple[str, str]]:
    tree = tomllib.loads((_FOLDER / name).read_text("utf-8"))
    return dict(_flat("", tree))


def _flat(path: str, node: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    """The entries below a table; the code of an entry is its keys joined by dots."""
    if "en" in node:
        yield path, (node["en"], node["ko"])
    for key, below in node.items():
        if isinstance(below, dict):
            yield from _flat(f"{path}.{key}" if path else key, below)


class _Filler(string.Formatter):
    """Fills slots: lines in the wanted language, several joined by the word that the slot names."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def format_field(self, value: Any, spec: str) -> str:
        if isinstance(value, Line):
            return text(value, self.lang)
        if isinstance(value, tuple):
            between = wording(f"join.{spec or 'list'}", self.lang)
            return between.join(self.format_field(item, "") for item in value)
        return str(super().format_field(value, spec))
