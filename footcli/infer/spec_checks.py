"""Checks of single keys of an entry in models/manifest.toml."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import chain
from typing import Any

from footcli.domain import Plane
from footcli.kinds import MEASURES, landmark_names

DECODERS = {
    "bones": ("softmax", "logits"),
    "finder": ("softmax", "logits"),
    "landmarks": ("gu2net",),
    "lesions": ("yolo",),
}
"""Task -> the decoders that can read its output."""
TASKS = tuple(DECODERS)
_WITH_POINTS = tuple(term.name for term in MEASURES if term.unit == "deg")
_POINTS = frozenset(chain.from_iterable(map(landmark_names, _WITH_POINTS)))
_POINT_WORDS = (
    "lists of names <ANGLE>_Line<1|2>_Pt<1|2>, none empty, <ANGLE> one of "
    f"{', '.join(_WITH_POINTS)}"
)
VIEW_MM = 1.0  # pixel edge of the slab views
VIEW_IMAGES = 3  # images of a slab view, the most input channels of a landmarks model


def _need(ok: bool, allowed: str) -> None:
    if not ok:
        raise ValueError(allowed)


def _number(value: Any, low: float, high: float) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    _need(
        number and math.isfinite(value) and low <= value <= high,
        f"a number from {low:g} to {high:g}",
    )
    return float(value)


def _text(value: Any) -> str:
    _need(isinstance(value, str) and bool(value.strip()), "a text that is not empty")
    return str(value)


def _match(pattern: str, allowed: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        _need(isinstance(value, str) and re.fullmatch(pattern, value) is not None, allowed)
        return str(value)

    return check


def _one_of(*allowed: str) -> Callable[[Any], str]:
    return _match("|".join(map(re.escape, allowed)), f"one of {', '.join(allowed)}")


def _items(value: Any, allowed: str) -> list[Any]:
    _need(isinstance(value, list), f"a list of {allowed}")
    return list(value)


def _planes(value: Any) -> tuple[Plane, ...]:
    allowed = f"one or more of {', '.join(Plane)}, each once"
    found = _items(value, "planes")
    _need(
        bool(found)
        and all(isinstance(x, str) and x in list(Plane) for x in found)
        and len(set(found)) == len(found),
        allowed,
    )
    return tuple(Plane(x) for x in found)


def _window(value: Any) -> tuple[float, float]:
    ends = [_number(x, -32768, 65535) for x in _items(value, "two numbers")]
    _need(len(ends) == 2 and ends[0] < ends[1], "two numbers [low, high] in HU, low first")
    return ends[0], ends[1]


def _channels(value: Any) -> int:
    _need(
        isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 64,
        "a whole number from 1 to 64",
    )
    return int(value)


def _points(value: Any) -> tuple[tuple[str, ...], ...]:
    channels = [_items(x, "landmark names") for x in _items(value, "lists of landmark names")]
    flat: list[Any] = []
    for channel in channels:
        flat += channel
    _need(all(channels) and all(isinstance(x, str) and x in _POINTS for x in flat), _POINT_WORDS)
    _need(len(set(flat)) == len(flat), "landmark names, each in one channel only")
    return tuple(tuple(channel) for channel in channels)


def _free(value: Any) -> Any:
    """Numbers, texts, and lists and tables of them, which write_entry can write."""
    if isinstance(value, dict):
        return {str(key): _free(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_free(inner) for inner in value]
    _need(
        isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)),
        "finite numbers, texts, lists and tables",
    )
    return value


def _quality(value: Any) -> dict[str, Any]:
    _need(isinstance(value, dict), "a table")
    return dict(_free(value))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(x) for x in _items(value, "names"))


CHECKS: dict[str, Callable[[Any], Any]] = {
    "file": _match(
        r"(?!\.)[\w.+ -]+", "a plain file name in this folder, without / \\ or a leading dot"
    ),
    "sha256": lambda value: _match("[0-9a-f]{64}", "64 hex digits")(
        value.lower() if isinstance(value, str) else value
    ),
    "task": _one_of(*TASKS),
    "planes": _planes,
    "pixel_mm": lambda value: _number(value, 0.05, 10),
    "window": _window,
    "decoder": _one_of(*dict.fromkeys(chain.from_iterable(DECODERS.values()))),
    "input_channels": _channels,
    "licence": _text,
    "trained_on": _text,
    "exported_by": _text,
    "classes": _texts,
    "points": _points,
    "offsets_mm": lambda value: tuple(_number(x, -200, 200) for x in _items(value, "numbers")),
    "thresholds": lambda value: tuple(_number(x, 0.01, 0.99) for x in _items(value, "numbers")),
    "suspicious": lambda value: tuple(_number(x, 0.01, 0.99) for x in _items(value, "numbers")),
    "by_angles": _texts,
    "quality": _quality,
}
OPTIONAL = ("classes", "points", "offsets_mm", "thresholds", "suspicious", "by_angles", "quality")
