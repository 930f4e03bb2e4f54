"""Annotation JSON of the data set <-> polygons, boxes and points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from footcli.dataset.clinical import (
    Clinical,
    clinical_content,
    parse_clinical,
    read_clinical,
    says_something,
    write_clinical,
)
from footcli.dataset.outlines import Polygon, has_area, is_beyond, with_area
from footcli.domain import Box, Point
from footcli.errors import TruthError
from footcli.kinds import LANDMARKS
from footcli.names import bone_name, lesion_name
from footcli.system.files import read_json, safe_text, write_json

__all__ = [
    "Box",
    "Clinical",
    "SliceLabel",
    "inside_image",
    "joined_label",
    "read_angle_label",
    "read_angle_points",
    "read_clinical",
    "read_slice_label",
    "write_angle_label",
    "write_clinical",
    "write_slice_label",
]

LOST_SHARE = 0.1  # of an outline's points; where more have no numbers it is another outline
BEYOND = "outline beyond the image"
FEW_POINTS, BOX_TWICE = "outline of fewer than three points", "box given twice"
_NUMBER_TYPES = frozenset((int, float))
_LANDMARK_LOOKUP = {name.casefold(): name for name in LANDMARKS}


@dataclass(frozen=True, slots=True, eq=False)
class SliceLabel:
    """The truth of one slice.

    polygons: bone name -> its pieces. boxes: lesion name -> boxes. lines: start and end points of
    LabelLine items. unknown: what was not understood -> how often; keys hold at most 40 characters
    of the file's own words, never a comment, which is free text. void: bones and lesions of which
    an outline or box was left out, so that what is left (of specks: where nothing is left) does not
    say where they are not.
    """

    polygons: Mapping[str, tuple[Polygon, ...]] = field(default_factory=dict)
    boxes: Mapping[str, tuple[Box, ...]] = field(default_factory=dict)
    lines: tuple[Box, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)
    clinical: Clinical | None = None
    void: frozenset[str] = frozenset()


def read_slice_label(path: Path, *more: Path) -> SliceLabel:
    """The label of one slice, in either export form; of all its files together where there are
    several.

    Raises TruthError if any file is no annotation JSON at all.
    """
    return joined_label([_read(file) for file in (path, *more)])


def joined_label(labels: Sequence[SliceLabel]) -> SliceLabel:
    """Several labels of one slice as one; a box or line that two of them hold counts once.

    clinical: the first that says something.
    """
    if len(labels) == 1:
        return labels[0]
    polygons: dict[str, list[Polygon]] = {}
    boxes: dict[str, list[Box]] = {}
    unknown: Counter[str] = Counter()
    for label in labels:
        for name, pieces in label.polygons.items():
            unknown["bone outlined in two files of a slice"] += name in polygons
            polygons.setdefault(name, []).extend(pieces)
        for name, found in label.boxes.items():
            boxes.setdefault(name, []).extend(found)
        unknown.update(label.unknown)
    told = [label.clinical for label in labels if label.clinical is not None]
    return SliceLabel(
        polygons={name: tuple(pieces) for name, pieces in polygons.items()},
        boxes={name: tuple(dict.fromkeys(found)) for name, found in boxes.items()},
        lines=tuple(dict.fromkeys(line for label in labels for line in label.lines)),
        unknown=dict(+unknown),
        clinical=next(filter(says_something, told), told[0] if told else None),
        void=_joined_void(labels, polygons),
    )


def _joined_void(labels: Sequence[SliceLabel], polygons: Mapping[str, object]) -> frozenset[str]:
    """Bones and lesions of which one file left something out, but for bones of which it had a speck
    alone and another an outline.
    """
    return frozenset(
        name
        for label in labels
        for name in label.void
        if name in label.polygons or name not in polygons
    )


def _read(path: Path) -> SliceLabel:
    content = _object(path)
    polygons: dict[str, list[Polygon]] = {}
    boxes: dict[str, list[Box]] = {}
    lines: list[Box] = []
    specks: set[str] = set()
    void: set[str] = set()
    unknown: Counter[str] = Counter()
    for item in _annotations(content, path):
        kind, old = item.get("object_name", item.get("objectname")), _dict(item.get("xyvalue"))
        if kind == "LabelPolyLine":
            _take_polygons(item, old, polygons, specks, void, unknown)
        elif kind == "LabelRect":
            _take_box(item, old, boxes, void, unknown)
        elif kind == "LabelLine":
            ends = _ends(item, old)
            lines += [ends] if ends else []
            unknown["line without points"] += ends is None
        elif "anglePoint_list" not in item:
            unknown[f"object {_word(kind)}"] += 1
    unknown["item that is no object"] = len(_list(content["ArrayOfannotation_info"])) - len(
        _annotations(content, path)
    )
    unknown[BOX_TWICE] = sum(len(found) - len(set(found)) for found in boxes.values())
    return SliceLabel(
        polygons={name: tuple(pieces) for name, pieces in polygons.items()},
        boxes={name: tuple(dict.fromkeys(found)) for name, found in boxes.items()},
        lines=tuple(lines),
        unknown={key: number for key, number in unknown.items() if number},
        clinical=parse_clinical(content.get("ClinicalInfo")),
        void=frozenset(void | specks - polygons.keys()),
    )


def inside_image(label: SliceLabel, size: tuple[int, int]) -> SliceLabel:
    """The label without outlines and boxes that reach more than a pixel beyond an image of (rows,
    columns), or boxes without an area.

    They are counted.
    """
    polygons = {
        name: tuple(piece for piece in pieces if not is_beyond(piece, size))
        for name, pieces in label.polygons.items()
    }
    within = {
        name: [box for box in found if not is_beyond(np.reshape(box, (2, 2)), size)]
        for name, found in label.boxes.items()
    }
    boxes = {
        name: tuple(box for box in found if box[2] > box[0] and box[3] > box[1])
        for name, found in within.items()
    }
    void = {name for name, pieces in polygons.items() if len(pieces) < len(label.polygons[name])}
    void |= {name for name, found in boxes.items() if len(found) < len(label.boxes[name])}
    unknown = Counter(label.unknown)
    unknown["lesion box without area"] = sum(
        len(found) - len(boxes[name]) for name, found in within.items()
    )
    unknown[BEYOND] = sum(
        len(label.polygons[name]) - len(pieces) for name, pieces in polygons.items()
    )
    unknown["lesion box beyond the image"] = sum(
        len(label.boxes[name]) - len(found) for name, found in within.items()
    )
    return replace(
        label,
        polygons={name: pieces for name, pieces in polygons.items() if pieces},
        boxes={name: found for name, found in boxes.items() if found},
        unknown=dict(+unknown),
        void=label.void | void,
    )


def write_slice_label(
    path: Path,
    polygons: Mapping[str, Sequence[Polygon]],
    boxes: Mapping[str, Sequence[Box]],
    clinical: Clinical | None = None,
) -> None:
    """Write the label of one slice in the newer export form: one item a bone, one a box.

    Raises OSError, ValueError for NaN.

    A piece of one pixel, or of a straight row of them, gets an outline with an area.
    """
    drawn = {name: [with_area(piece) for piece in pieces] for name, pieces in polygons.items()}
    found: list[dict[str, Any]] = [
        {
            "object_name": "LabelPolyLine",
            "preset_name": name,
            "comment": "",
            "polyline_list": [
                {"pos_list": [{"X": _plain(x), "Y": _plain(y)} for x, y in piece]}
                for piece in pieces
            ],
        }
        for name, pieces in drawn.items()
        if pieces
    ]
    for name, places in boxes.items():
        for x0, y0, x1, y1 in places:
            corners = {
                "start_pos": {"X": _plain(x0), "Y": _plain(y0)},
                "end_pos": {"X": _plain(x1), "Y": _plain(y1)},
            }
            found.append({"object_name": "LabelRect", "comment": name, **corners})
    content: dict[str, Any] = {"ArrayOfannotation_info": found}
    if clinical is not None:
        block = clinical_content(clinical) | {
            "DiseaseMajorCode": clinical.groups[0] if clinical.groups else ""
        }
        content = {"ClinicalInfo": block} | content
    write_json(path, content)


def read_angle_label(path: Path) -> dict[str, Point]:
    """Key points of a series: name -> (x, y, z) voxels.

    Known names in their usual spelling, others as written.

    Points without three finite numbers are left out. Raises TruthError if the file is no annotation
    JSON, or names a point twice at different places.
    """
    return read_angle_points(path)[0]


def read_angle_points(path: Path) -> tuple[dict[str, Point], int]:
    """What `read_angle_label` gives, and how many entries were left out: no name, or no three
    finite numbers. Raises TruthError.
    """
    points: dict[str, Point] = {}
    left_out = 0
    for item in _annotations(_object(path), path):
        for entry in _list(item.get("anglePoint_list")):
            name, at = (
                _dict(entry).get("pt_name"),
                _numbers(_dict(_dict(entry).get("pt_pos")), "X", "Y", "Z"),
            )
            if not isinstance(name, str) or at is None:
                left_out += 1
                continue
            name = _LANDMARK_LOOKUP.get(name.strip().casefold(), _word(name, 60))
            point = (at[0], at[1], at[2])
            if points.setdefault(name, point) != point:
                raise TruthError(
                    f"{safe_text(path.name)} gives the point {name} twice, at different places: "
                    "remove one"
                )
    return points, left_out


def write_angle_label(path: Path, points: Mapping[str, Point]) -> None:
    """Write the key points of a series. Raises OSError, ValueError for NaN."""
    entries = [
        {"pt_name": name, "pt_pos": {"X": _plain(x), "Y": _plain(y), "Z": _plain(z)}}
        for name, (x, y, z) in points.items()
    ]
    write_json(path, {"ArrayOfannotation_info": [{"anglePoint_list": entries}]})


def _take_polygons(
    item: dict[str, Any],
    old: dict[str, Any],
    polygons: dict[str, list[Polygon]],
    specks: set[str],
    void: set[str],
    unknown: Counter[str],
) -> None:
    """specks, void: get the names of bones with an outline of too few points, or one that has lost
    too many.
    """
    preset = item.get("preset_name") or _dict(old.get("label_val")).get("preset_name")
    name = bone_name(preset) if isinstance(preset, str) else None
    if name is None:
        unknown[f"bone {_word(preset)}"] += 1
        return
    runs = [_dict(run).get("pos_list") for run in _list(item.get("polyline_list"))] + [
        item.get("pos_list"),
        old.get("pos_list"),
    ]
    runs += [_dict(run).get("pos_list") for run in _list(old.get("polyline_list"))]
    for run in runs:
        points = _list(run)
        if points:
            polygon, lost = _polygon(points)
            unknown["point without numbers"] += lost
            if lost > LOST_SHARE * len(points):
                void.add(name)
            elif has_area(polygon):
                polygons.setdefault(name, []).append(polygon)
            else:
                specks.add(name)
                unknown[FEW_POINTS] += 1


def _polygon(points: list[Any]) -> tuple[Polygon, int]:
    """The points that have two numbers, and how many have not."""
    try:  # as nearly every file is written; the careful way takes five times as long
        flat = [number for point in points for number in (point["X"], point["Y"])]
        if set(map(type, flat)) <= _NUMBER_TYPES:
            quick = np.array(flat, np.float64).reshape(-1, 2)
            if np.isfinite(quick).all():
                return quick, 0
    except (KeyError, TypeError, OverflowError):
        pass
    good = [found for point in points if (found := _numbers(_dict(point), "X", "Y")) is not None]
    return np.asarray(good, np.float64).reshape(-1, 2), len(points) - len(good)


def _take_box(
    item: dict[str, Any],
    old: dict[str, Any],
    boxes: dict[str, list[Box]],
    void: set[str],
    unknown: Counter[str],
) -> None:
    label = _dict(old.get("label_val"))
    words = (
        item.get("comment"),
        old.get("comment"),
        label.get("comment"),
        item.get("preset_name"),
        label.get("preset_name"),
    )
    comment = next((word for word in words if isinstance(word, str) and word.strip()), None)
    name, ends = lesion_name(comment) if comment else None, _ends(item, old)
    if name is None or ends is None:
        unknown["lesion of an unknown class" if name is None else "box without corners"] += 1
        void |= {name} if name else set()
        return
    x0, y0, x1, y1 = ends
    boxes.setdefault(name, []).append((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))


def _ends(item: dict[str, Any], old: dict[str, Any]) -> Box | None:
    start = _numbers(_dict(item.get("start_pos") or old.get("start_pos")), "X", "Y")
    end = _numbers(_dict(item.get("end_pos") or old.get("end_pos")), "X", "Y")
    return None if start is None or end is None else (start[0], start[1], end[0], end[1])


def _object(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise TruthError(
            f"{safe_text(path.name)} holds no annotation (a JSON object is expected): export it "
            "again or remove it"
        )
    return content


def _annotations(content: dict[str, Any], path: Path) -> list[dict[str, Any]]:
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


def _numbers(place: dict[str, Any], *keys: str) -> tuple[float, ...] | None:
    values = [place.get(key, place.get(key.lower())) for key in keys]
    try:
        numbers = tuple(
            float(value)
            for value in values
            if isinstance(value, (int, float, str)) and not isinstance(value, bool)
        )
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if len(numbers) == len(keys) and all(map(isfinite, numbers)) else None


def _plain(value: float) -> int | float:
    """Whole numbers without a decimal point, as the data set writes them."""
    return int(value) if float(value).is_integer() else round(float(value), 4)


def _word(value: object, most: int = 40) -> str:
    return safe_text(value.strip())[:most] or "(empty)" if isinstance(value, str) else "(none)"


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
