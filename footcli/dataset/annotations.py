"""Read and write the label of one slice as the data set's annotation JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from footcli.dataset.annotation_items import (
    BOX_TWICE,
    FEW_POINTS,
    Items,
    annotations_of,
    as_list,
    read_object,
)
from footcli.dataset.clinical import Clinical, clinical_content, parse_clinical, says_something
from footcli.dataset.outlines import Polygon, is_beyond, plain_number, with_area
from footcli.domain import Box
from footcli.system.files import write_json

__all__ = [
    "BEYOND",
    "BOX_TWICE",
    "FEW_POINTS",
    "SliceLabel",
    "inside_image",
    "joined_label",
    "read_slice_label",
    "write_slice_label",
]

BEYOND = "outline beyond the image"


@dataclass(frozen=True, slots=True, eq=False)
class SliceLabel:
    """The ground truth of one slice, in pixels.

    polygons: bone name -> its pieces. boxes: lesion name -> boxes. lines: start and end points of
    LabelLine items. unknown: kind of problem -> number of occurrences; keys quote at most 40
    characters of the file, never a comment, which is free text. void: bones and lesions of which an
    outline or box was left out, so that the absence of a label does not mean absence in the slice.
    A bone with a speck left out is void only if it has no other outline.
    """

    polygons: Mapping[str, tuple[Polygon, ...]] = field(default_factory=dict)
    boxes: Mapping[str, tuple[Box, ...]] = field(default_factory=dict)
    lines: tuple[Box, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)
    clinical: Clinical | None = None
    void: frozenset[str] = frozenset()


def read_slice_label(path: Path, *more: Path) -> SliceLabel:
    """The label of one slice, in either export form, merged from all its files.

    Raises TruthError if any file is not an annotation JSON.
    """
    return joined_label([_read(file) for file in (path, *more)])


def joined_label(labels: Sequence[SliceLabel]) -> SliceLabel:
    """Merge the labels of one slice, at least one; a box or line that two of them have counts once.

    clinical: the first that states anything.
    """
    if len(labels) == 1:
        return labels[0]
    polygons: dict[str, list[Polygon]] = {}
    boxes: dict[str, list[Box]] = {}
    lines: list[Box] = []
    unknown: Counter[str] = Counter()
    for label in labels:
        for name, pieces in label.polygons.items():
            unknown["bone outlined in two files of a slice"] += name in polygons
            polygons.setdefault(name, []).extend(pieces)
        for name, found in label.boxes.items():
            boxes.setdefault(name, []).extend(found)
        lines += label.lines
        unknown.update(label.unknown)
    return SliceLabel(
        polygons={name: tuple(pieces) for name, pieces in polygons.items()},
        boxes={name: tuple(dict.fromkeys(found)) for name, found in boxes.items()},
        lines=tuple(dict.fromkeys(lines)),
        unknown=dict(+unknown),
        clinical=_first_clinical(labels),
        void=_joined_void(labels, polygons),
    )


def _first_clinical(labels: Sequence[SliceLabel]) -> Clinical | None:
    stated = [label.clinical for label in labels if label.clinical is not None]
    return next(filter(says_something, stated), stated[0] if stated else None)


def _joined_void(labels: Sequence[SliceLabel], polygons: Mapping[str, object]) -> frozenset[str]:
    """Bones and lesions of which something was left out in a file.

    Bones of which that file had only a speck, and another file an outline, do not count.
    """
    found: set[str] = set()
    for label in labels:
        found |= {name for name in label.void if name in label.polygons or name not in polygons}
    return frozenset(found)


def _read(path: Path) -> SliceLabel:
    content = read_object(path)
    items = annotations_of(content, path)
    found = Items()
    for item in items:
        found.take(item)
    unknown = found.unknown
    unknown["item that is no object"] = len(as_list(content["ArrayOfannotation_info"])) - len(items)
    unknown[BOX_TWICE] = sum(len(boxes) - len(set(boxes)) for boxes in found.boxes.values())
    return SliceLabel(
        polygons={name: tuple(pieces) for name, pieces in found.polygons.items()},
        boxes={name: tuple(dict.fromkeys(boxes)) for name, boxes in found.boxes.items()},
        lines=tuple(found.lines),
        unknown={key: number for key, number in unknown.items() if number},
        clinical=parse_clinical(content.get("ClinicalInfo")),
        void=frozenset(found.void | found.specks - found.polygons.keys()),
    )


def inside_image(label: SliceLabel, size: tuple[int, int]) -> SliceLabel:
    """The label without outlines and boxes that reach more than a pixel beyond the image.

    size: (rows, columns). Boxes without area are left out too. `unknown` counts all of them.
    """
    unknown = Counter(label.unknown)
    polygons: dict[str, tuple[Polygon, ...]] = {}
    for name, pieces in label.polygons.items():
        polygons[name] = tuple(piece for piece in pieces if not is_beyond(piece, size))
        unknown[BEYOND] += len(pieces) - len(polygons[name])
    boxes: dict[str, tuple[Box, ...]] = {}
    for name, found in label.boxes.items():
        within = [box for box in found if not is_beyond(np.reshape(box, (2, 2)), size)]
        boxes[name] = tuple(box for box in within if box[2] > box[0] and box[3] > box[1])
        unknown["lesion box beyond the image"] += len(found) - len(within)
        unknown["lesion box without area"] += len(within) - len(boxes[name])
    return replace(
        label,
        polygons={name: pieces for name, pieces in polygons.items() if pieces},
        boxes={name: found for name, found in boxes.items() if found},
        unknown=dict(+unknown),
        void=label.void | _lessened(label.polygons, polygons) | _lessened(label.boxes, boxes),
    )


def _lessened(before: Mapping[str, Sized], after: Mapping[str, Sized]) -> set[str]:
    """Names that have fewer entries after than before."""
    return {name for name, found in before.items() if len(after[name]) < len(found)}


def write_slice_label(
    path: Path,
    polygons: Mapping[str, Sequence[Polygon]],
    boxes: Mapping[str, Sequence[Box]],
    clinical: Clinical | None = None,
) -> None:
    """Write the label of one slice in the newer export form: one item per bone and per box.

    polygons, boxes: in pixels. A piece that is one pixel or a straight row of pixels gets an
    outline with an area. Raises OSError, ValueError for NaN.
    """
    items = [_outlines(name, pieces) for name, pieces in polygons.items() if pieces]
    for name, boxes_there in boxes.items():
        items += [_rectangle(name, box) for box in boxes_there]
    content: dict[str, Any] = {"ArrayOfannotation_info": items}
    if clinical is not None:
        major = clinical.groups[0] if clinical.groups else ""
        block = clinical_content(clinical) | {"DiseaseMajorCode": major}
        content = {"ClinicalInfo": block} | content
    write_json(path, content)


def _outlines(name: str, pieces: Sequence[Polygon]) -> dict[str, Any]:
    runs = []
    for piece in pieces:
        runs.append({"pos_list": [_location(x, y) for x, y in with_area(piece)]})
    return {
        "object_name": "LabelPolyLine",
        "preset_name": name,
        "comment": "",
        "polyline_list": runs,
    }


def _rectangle(name: str, box: Box) -> dict[str, Any]:
    x0, y0, x1, y1 = box
    corners = {"start_pos": _location(x0, y0), "end_pos": _location(x1, y1)}
    return {"object_name": "LabelRect", "comment": name, **corners}


def _location(x: float, y: float) -> dict[str, int | float]:
    return {"X": plain_number(x), "Y": plain_number(y)}
