"""Parse the items of an annotation JSON, in either export form: outlines, boxes and lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from footcli.dataset.outlines import Polygon, has_area
from footcli.domain import Box
from footcli.errors import TruthError
from footcli.names import bone_name, lesion_name
from footcli.system.files import read_json
from footcli.system.names import safe_text

LOST_SHARE = 0.1  # an outline is dropped if a larger fraction of its points has no numbers
FEW_POINTS, BOX_TWICE = "outline of fewer than three points", "box given twice"
_NUMBER_TYPES = frozenset((int, float))


@dataclass(slots=True, eq=False)
class Items:
    """The content of the items of one file, in pixels.

    lines: (x0, y0, x1, y1), start to end. specks: bones with an outline of too few points. void:
    bones with an outline that lost too many points, and lesions with a box without corners.
    unknown: kind of problem -> number of occurrences.
    """

    polygons: dict[str, list[Polygon]] = field(default_factory=dict)
    boxes: dict[str, list[Box]] = field(default_factory=dict)
    lines: list[Box] = field(default_factory=list)
    specks: set[str] = field(default_factory=set)
    void: set[str] = field(default_factory=set)
    unknown: Counter[str] = field(default_factory=Counter)

    def take(self, item: dict[str, Any]) -> None:
        """Add one item."""
        kind, old = item.get("object_name", item.get("objectname")), as_dict(item.get("xyvalue"))
        if kind == "LabelPolyLine":
            self._take_polygons(item, old)
        elif kind == "LabelRect":
            self._take_box(item, old)
        elif kind == "LabelLine":
            ends = _ends(item, old)
            self.lines += [ends] if ends else []
            self.unknown["line without points"] += ends is None
        elif "anglePoint_list" not in item:
            self.unknown[f"object {word(kind)}"] += 1

    def _take_polygons(self, item: dict[str, Any], old: dict[str, Any]) -> None:
        preset = item.get("preset_name") or as_dict(old.get("label_val")).get("preset_name")
        name = bone_name(preset) if isinstance(preset, str) else None
        if name is None:
            self.unknown[f"bone {word(preset)}"] += 1
            return
        runs = [as_dict(run).get("pos_list") for run in as_list(item.get("polyline_list"))]
        runs += [item.get("pos_list"), old.get("pos_list")]
        runs += [as_dict(run).get("pos_list") for run in as_list(old.get("polyline_list"))]
        for run in runs:
            if points := as_list(run):
                self._take_outline(name, points)

    def _take_outline(self, name: str, points: list[Any]) -> None:
        polygon, lost = _polygon(points)
        self.unknown["point without numbers"] += lost
        if lost > LOST_SHARE * len(points):
            self.void.add(name)
        elif has_area(polygon):
            self.polygons.setdefault(name, []).append(polygon)
        else:
            self.specks.add(name)
            self.unknown[FEW_POINTS] += 1

    def _take_box(self, item: dict[str, Any], old: dict[str, Any]) -> None:
        label = as_dict(old.get("label_val"))
        words = (
            item.get("comment"),
            old.get("comment"),
            label.get("comment"),
            item.get("preset_name"),
            label.get("preset_name"),
        )
        comments = [stated for stated in words if isinstance(stated, str) and stated.strip()]
        name = lesion_name(comments[0]) if comments else None
        ends = _ends(item, old)
        if name is None:
            self.unknown["lesion of an unknown class"] += 1
        elif ends is None:
            self.unknown["box without corners"] += 1
            self.void.add(name)
        else:
            x0, y0, x1, y1 = ends
            box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
            self.boxes.setdefault(name, []).append(box)


def _polygon(points: list[Any]) -> tuple[Polygon, int]:
    """The points that have two numbers, and the number of points that do not."""
    try:  # fast path for nearly every file; the tolerant path below takes five times as long
        xs, ys = [point["X"] for point in points], [point["Y"] for point in points]
        if {*map(type, xs), *map(type, ys)} <= _NUMBER_TYPES:
            whole = np.column_stack([np.array(xs, np.float64), np.array(ys, np.float64)])
            if np.isfinite(whole).all():
                return whole, 0
    except (KeyError, TypeError, OverflowError):
        pass
    found = [numbers(as_dict(point), "X", "Y") for point in points]
    good = [pair for pair in found if pair is not None]
    return np.asarray(good, np.float64).reshape(-1, 2), len(points) - len(good)


def _ends(item: dict[str, Any], old: dict[str, Any]) -> Box | None:
    start = numbers(as_dict(item.get("start_pos") or old.get("start_pos")), "X", "Y")
    end = numbers(as_dict(item.get("end_pos") or old.get("end_pos")), "X", "Y")
    return None if start is None or end is None else (start[0], start[1], end[0], end[1])


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object of a label file. Raises TruthError if it cannot be read or is no object."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise TruthError(
            f"{safe_text(path.name)} holds no annotation (a JSON object is expected): export it "
            "again or remove it"
        )
    return content


def annotations_of(content: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """The objects in a label's list of items. Raises TruthError if the list is missing or no list.

    An empty (null) list is allowed.
    """
    if "ArrayOfannotation_info" not in content:
        raise TruthError(
            f"{safe_text(path.name)} holds no ArrayOfannotation_info: it is of another tool; "
            "export it again or remove it"
        )
    found = content["ArrayOfannotation_info"]
    if found is not None and not isinstance(found, list):
        raise TruthError(
            f"{safe_text(path.name)}: /ArrayOfannotation_info is no list: export it again or "
            "remove it"
        )
    return [item for item in found or [] if isinstance(item, dict)]


def numbers(place: dict[str, Any], *keys: str) -> tuple[float, ...] | None:
    """The values of some keys as finite numbers; None if one is missing or not a number."""
    values = [place.get(key, place.get(key.lower())) for key in keys]
    try:
        found = tuple(float(value) for value in values if _may_be_number(value))
    except (TypeError, ValueError, OverflowError):
        return None
    return found if len(found) == len(keys) and all(map(isfinite, found)) else None


def _may_be_number(value: object) -> TypeGuard[int | float | str]:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


def word(value: object, most: int = 40) -> str:
    """A value of a label as text that is safe to show, at most `most` characters."""
    return safe_text(value.strip())[:most] or "(empty)" if isinstance(value, str) else "(none)"


def as_dict(value: object) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty dict."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value if it is a list, else an empty list."""
    return value if isinstance(value, list) else []
