"""The labels of one series -> its tally.

What is drawn in which plane, and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
from footcli.domain import CaseRef, Plane
from footcli.errors import ReadError, TruthError
from footcli.kinds import LESION
from footcli.read.headers import read_header
from footcli.read.source import Skip
from footcli.stats import shapes
from footcli.stats.tally import Tally
from footcli.system.files import safe_text


def tally_slices(tally: Tally, ref: CaseRef, root: Path, max_pixels: int | None) -> Clinical | None:
    """Count every slice of a series; returns what the first label with a clinical block says of the
    person.

    root: the tree, which unreadable files are named relative to. max_pixels: edge of an image whose
    size no header tells.
    """
    said: Clinical | None = None
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
            if said is None and label.clinical is not None and says_something(label.clinical):
                said = label.clinical
            _contents(tally, label, plane, bones, lesions)
            for code, number in _faults(label, plane, size, safe_text(ref.folder.name)).items():
                if number:
                    tally.note("quality", code, ref.case_id, stem, number)
    for name in sorted(bones):
        tally.add("bone_series", name)
    for name in sorted(lesions):
        tally.add("lesion_series", name)
    return said


def _label(tally: Tally, files: Sequence[Path], root: Path) -> SliceLabel | None:
    """What the files of one slice say together; those that cannot be read are noted, None if none
    can be.
    """
    found = []
    for path in files:
        try:
            found.append(read_slice_label(path))
        except TruthError:
            tally.note("quality", "unreadable_json", "", below(path, root))
    return joined_label(found) if found else None


def below(path: Path, root: Path) -> str:
    """A path as text, relative to the tree; the end of it where it lies outside, as a case does
    whose plane alone was named.
    """
    parts = (
        path.relative_to(root).parts
        if path.is_relative_to(root)
        else [part for part in path.parts if part != path.anchor][-2:]
    )
    return "/".join(map(safe_text, parts)) or "."


def _pair(tally: Tally, ref: CaseRef, images: Sequence[Path], labels: Collection[str]) -> None:
    """Images and labels of one plane against each other, by file stem.

    A plane without either is counted as a plane.
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
    """(columns, rows) by the header of one image of the plane, its middle one; its pixels are not
    read.
    """
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


def _contents(
    tally: Tally, label: SliceLabel, plane: Plane, bones: set[str], lesions: set[str]
) -> None:
    for name, pieces in label.polygons.items():
        bones.add(name)
        tally.add("bone_pieces", name, len(pieces))
        tally.add(f"bone_slices_{plane}", name)
    for name, boxes in label.boxes.items():
        lesions.add(name)
        tally.add("lesion_pieces", name, len(boxes))
        tally.add(f"lesion_slices_{plane}", name)
    for name, number in label.unknown.items():
        if name not in (FEW_POINTS, BOX_TWICE):  # faults with a code of their own
            tally.add("unknown", name, number)


def _faults(label: SliceLabel, plane: Plane, size: shapes.Size, folder: str) -> dict[str, int]:
    """Quality code -> how often in this label."""
    polygons = [piece for pieces in label.polygons.values() for piece in pieces]
    boxes = [box for found in label.boxes.values() for box in found]
    lengths = [len(polygon) for polygon in polygons]
    said = label.clinical.case_id if label.clinical else None
    return {
        "empty_label": int(not (polygons or boxes or label.lines or label.unknown)),
        "polygon_outside_image": shapes.outside(polygons, size),
        "polygon_crosses_itself": sum(
            shapes.crosses_itself(p) for p in polygons if len(p) <= shapes.MOST_POINTS
        ),
        "polygon_too_few_points": label.unknown.get(FEW_POINTS, 0),
        "polygon_too_many_points": sum(length > shapes.MOST_POINTS for length in lengths),
        "box_outside_image": sum(shapes.box_outside(box, size) for box in boxes),
        "box_without_area": sum(map(shapes.box_without_area, boxes)),
        "lesion_in_other_plane": sum(
            len(found) for name, found in label.boxes.items() if LESION[name].plane is not plane
        ),
        "not_understood": sum(
            number for name, number in label.unknown.items() if name not in (FEW_POINTS, BOX_TWICE)
        ),
        "box_given_twice": label.unknown.get(BOX_TWICE, 0),
        "case_id_differs": int(said is not None and safe_text(said) != folder),
    }
