"""The statistics' JSON object -> stats.html: one self-contained page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from footcli.kinds import FINDINGS
from footcli.stats.codes import SOURCE, TOPICS
from footcli.stats.summary import percent, points
from footcli.system.files import write_atomic
from footcli.web.page import page
from footcli.web.svg import tag

_WIDE, _HIGH = 200.0, 14.0  # of a bar, in SVG units; 0 to 100 %


def render(content: dict[str, Any]) -> str:
    """The page of the output of `summary.to_json`. Raises SetupError if a template is missing."""
    return page(
        "stats.html.j2",
        "en",
        s=content,
        topics=TOPICS,
        source=SOURCE,
        percent=percent,
        points=points,
        bar=bar,
        count=lambda number: f"{number:,}",
        images=sum(plane["images"] for plane in content["planes"]),
        labels=sum(plane["labels"] for plane in content["planes"]),
        matrix=_matrix(content),
        groups=[pair for pair in content["overlap"] if pair["names"][0].isupper()],
    )


def write_page(path: Path, content: dict[str, Any]) -> None:
    """Write stats.html, whole or not at all.

    Raises OSError, SetupError if a template is missing.
    """
    write_atomic(path, render(content).encode("utf-8"))


def bar(share: float | None, target: float | None = None) -> Markup:
    """A share of 0..1 as a bar with a mark at the target; hidden from screen readers, since the
    numbers stand beside it.
    """
    parts = [tag("rect", x=0.0, y=3.0, width=_WIDE, height=8.0, class_="track")]
    if share is not None:
        parts.append(
            tag("rect", x=0.0, y=3.0, width=_WIDE * min(1.0, share), height=8.0, class_="found")
        )
    if target is not None:
        parts.append(
            tag("rect", x=_WIDE * target - 1.5, y=0.0, width=3.0, height=_HIGH, class_="target")
        )
    kind = "share" if target is None else "share alone"
    return tag(
        "svg",
        *parts,
        class_=kind,
        viewBox=f"0 0 {_WIDE:g} {_HIGH:g}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _matrix(content: dict[str, Any]) -> list[tuple[str, list[int | None]]]:
    """(disease, cases shared with each disease, None for itself), of those that occur.

    Normal is left out: it shares no case.
    """
    title = {rule.name: rule.en for rule in FINDINGS}
    pairs = {frozenset(pair["names"]): pair["cases"] for pair in content["overlap"]}
    found = [item["name"] for item in content["diseases"] if item["found"]]
    seen = [name for name in found if name != "normal"]
    rows: list[tuple[str, list[int | None]]] = []
    for name in seen:
        shared = [None if name == b else pairs.get(frozenset((name, b)), 0) for b in seen]
        rows.append((title[name], shared))
    return rows
