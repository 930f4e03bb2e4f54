"""The tables of models/figures.md, each written by the bench that measured it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

FIGURES = Path(__file__).resolve().parents[2] / "models" / "figures.md"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    bars = [f"| {' | '.join(cells)} |" for cells in lines]
    bars[1] = f"|{'---|' * len(heads)}"
    return "\n".join(bars)


def write_table(name: str, text: str, path: Path = FIGURES) -> None:
    """Put a table between the marks of its name. Raises ValueError if they are missing."""
    marks = re.compile(rf"(<!-- begin {name}:[^\n]*-->\n).*?(\n<!-- end {name} -->)", re.DOTALL)
    page = path.read_text("utf-8")
    if marks.search(page) is None:
        raise ValueError(f"{path.name} has no place for the table {name}")
    path.write_text(marks.sub(lambda m: m[1] + text + m[2], page), "utf-8")
