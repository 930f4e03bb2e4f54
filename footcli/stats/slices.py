"""The labels of one series -> its tally: what is labelled in each plane, and its faults."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import inf
from pathlib import Path

from footcli.dataset.annotations import (
    BOX_TWICE,
    FEW_POINTS,
    SliceLabel,
    joined_label,
    read_slice_label,
)
from footcli.dataset.clinical import Clinical, says_something
from footcli.dataset.outlines import Polygon
from footcli.domain import Box, CaseRef, Plane
from footcli.errors import ReadError, TruthError
from footcli.kinds import LESION
from footcli.read.headers import read_header
from footcli.read.source import Skip
from footcli.stats import shapes
from footcli.stats.tally import Tally
from footcli.system.names import safe_text


def tally_slices(tally: Tally, ref: CaseRef, root: Path, max_pixels: int | None) -> Clinical | None:
    """Count every slice of a series; returns the first clinical statement of its labels.

    root: the tree, to which the paths of unreadable files are relative. max_pixels: image edge
    where no header gives the size.
    """
    stated: Clinical | None = None
    bones: set[str] = set()
    lesions: set[str] = set()
    for plane in Plane:
        images, labels = ref.images.get(plane, ()), ref.labels.get(plane, {})
        tally.add("images", plane, len(images))
        tally.add("labels", plane, len(labels))
        _pair(tally, ref, images, labels)
        size = _size(tally, ref, plane, max_pixels) if labels else (inf, inf)
        for stem, files in labels.items():
            label = _label(tally, files, root)
            if label is None:
                continue
            if stated is None and label.clinical is not None and says_something(label.clinical):
                stated = label.clinical
            _contents(tally, label, plane)
            bones |= label.polygons.keys()
            lesions |= label.boxes.keys()
            _note_faults(tally, ref, stem, _faults(label, plane, size, safe_text(ref.folder.name)))
    for name in sorted(bones):
        tally.add("bone_series", name)
    for name in sorted(lesions):
        tally.add("lesion_series", name)
    return stated


def _note_faults(tally: Tally, ref: CaseRef, stem: str, faults: Mapping[str, int]) -> None:
    for code, number in faults.items():
        if number:
            tally.note("quality", code, ref.case_id, stem, number)


def _label(tally: Tally, files: Sequence[Path], root: Path) -> SliceLabel | None:
    """The merged labels of one slice's files; unreadable ones are noted, None if none is
    readable.
    """
    found = []
    for path in files:
        try:
            found.append(read_slice_label(path))
        except TruthError:
            tally.note("quality", "unreadable_json", "", below(path, root))
    return joined_label(found) if found else None


def below(path: Path, root: Path) -> str:
    """A path as text, relative to the tree; its last two parts if it lies outside, as for a case
    that was given by a plane alone.
    """
    parts = (
        path.relative_to(root).parts
        if path.is_relative_to(root)
        else [part for part in path.parts if part != path.anchor][-2:]
    )
    return "/".join(map(safe_text, parts)) or "."


def _pair(tally: Tally, ref: CaseRef, images: Sequence[Path], labels: Collection[str]) -> None:
    """Match images and labels of one plane by file stem.

    A plane without images or labels is not noted here, but as a plane.
    """
    if not labels or not images:
        return
    known = set(labels)
    shown = {safe_text(path.stem) for path in images}
    for code, lonely in (
        ("label_without_image", known - shown),
        ("image_without_label", shown - known),
    ):
        for stem in sorted(lonely):
            tally.note("quality", code, ref.case_id, stem)


def _size(tally: Tally, ref: CaseRef, plane: Plane, max_pixels: int | None) -> shapes.Size:
    """(columns, rows) from the header of the plane's middle image; reads no pixels."""
    images = ref.images.get(plane, ())
    if images:
        try:
            header = read_header(images[len(images) // 2], any_modality=True)
        except (Skip, ReadError, OSError):
            pass
        else:
            if header.rows > 0 and header.columns > 0:
                return float(header.columns), float(header.rows)
    tally.note("missing", "size_unknown", ref.case_id, plane)
    return (inf, inf) if max_pixels is None else (float(max_pixels), float(max_pixels))


def _contents(tally: Tally, label: SliceLabel, plane: Plane) -> None:
    for name, pieces in label.polygons.items():
        tally.add("bone_pieces", name, len(pieces))
        tally.add(f"bone_slices_{plane}", name)
    for name, boxes in label.boxes.items():
        tally.add("lesion_pieces", name, len(boxes))
        tally.add(f"lesion_slices_{plane}", name)
    for name, number in label.unknown.items():
        if name not in (FEW_POINTS, BOX_TWICE):  # faults with a code of their own
            tally.add("unknown", name, number)


def _faults(label: SliceLabel, plane: Plane, size: shapes.Size, folder: str) -> dict[str, int]:
    """Quality code -> how often in this label."""
    stated = label.clinical.case_id if label.clinical else None
    drawn = label.polygons or label.boxes or label.lines or label.unknown
    return {
        "empty_label": int(not drawn),
        **_polygon_faults(label, size),
        **_box_faults(label, plane, size),
        "case_id_differs": int(stated is not None and safe_text(stated) != folder),
    }


def _polygon_faults(label: SliceLabel, size: shapes.Size) -> dict[str, int]:
    polygons: list[Polygon] = []
    for pieces in label.polygons.values():
        polygons += pieces
    short = [polygon for polygon in polygons if len(polygon) <= shapes.MOST_POINTS]
    known = (FEW_POINTS, BOX_TWICE)
    return {
        "polygon_outside_image": shapes.outside(polygons, size),
        "polygon_crosses_itself": sum(map(shapes.crosses_itself, short)),
        "polygon_too_few_points": label.unknown.get(FEW_POINTS, 0),
        "polygon_too_many_points": len(polygons) - len(short),
        "not_understood": sum(n for name, n in label.unknown.items() if name not in known),
    }


def _box_faults(label: SliceLabel, plane: Plane, size: shapes.Size) -> dict[str, int]:
    boxes: list[Box] = []
    strange = 0
    for name, found in label.boxes.items():
        boxes += found
        strange += len(found) if LESION[name].plane is not plane else 0
    return {
        "box_outside_image": sum(shapes.box_outside(box, size) for box in boxes),
        "box_without_area": sum(map(shapes.box_without_area, boxes)),
        "lesion_in_other_plane": strange,
        "box_given_twice": label.unknown.get(BOX_TWICE, 0),
    }
