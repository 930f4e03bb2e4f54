"""The labels of one case, each assigned to its slice of the result's grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from footcli.dataset.angle_labels import read_angle_points
from footcli.dataset.annotations import BEYOND, SliceLabel, inside_image, read_slice_label
from footcli.dataset.clinical import Clinical, says_something
from footcli.domain import CaseRef, Plane, Point
from footcli.errors import ReadError, TruthError
from footcli.evaluate.boxes import SliceBox
from footcli.evaluate.slice_index import slice_indices
from footcli.kinds import BONE_ID, LANDMARKS
from footcli.read.headers import read_header
from footcli.read.source import Skip

OTHER_GRID = 0.05
"""Share of labelled slices with outlines beyond the result's image above which the grids are taken
to differ.
"""


@dataclass(slots=True, eq=False)
class Truth:
    """Labels of one case. slices: plane -> slice index -> label, of what could be read.

    shape: the grid's (z, y, x). points: landmark -> voxel (x, y, z). unknown: what was not
    understood or not read -> how often. clinical: the first clinical statement of the labels.
    """

    shape: tuple[int, ...]
    slices: dict[Plane, dict[int, SliceLabel]] = field(default_factory=dict)
    points: dict[str, Point] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    clinical: Clinical | None = None

    @property
    def outlined(self) -> tuple[Plane, ...]:
        """The planes that hold any outline; boxes alone say nothing about bones."""
        found = []
        for plane in Plane:
            labels = self.slices.get(plane, {}).values()
            if any(label.polygons for label in labels):
                found.append(plane)
        return tuple(found)

    @property
    def whole(self) -> Plane | None:
        """The first outlined plane whose readable slices leave no gap."""
        for plane in self.outlined:
            slices = self.slices[plane]
            if len(slices) == max(slices) - min(slices) + 1 > 1:
                return plane
        return None

    @property
    def complete(self) -> bool:
        """Whether the gap-free plane holds every bone from end to end, with no outline left out."""
        return self.whole is not None and not self.cut_bones() and not self.void_bones()

    def cut_bones(self) -> set[int]:
        """Bones (ids) that the first or last labelled slice of the gap-free plane still shows,
        except at the grid's ends.
        """
        if self.whole is None:
            return set()
        slices, count = self.slices[self.whole], self.shape[self.whole.array_axis]
        found: set[int] = set()
        for index in (min(slices), max(slices)):
            if 0 < index < count - 1:
                found.update(BONE_ID[name] for name in slices[index].polygons)
        return found

    def void_bones(self) -> set[int]:
        """Bones (ids) of the gap-free plane with an outline left out.

        Their distances are unknown.
        """
        found: set[int] = set()
        if self.whole is not None:
            for label in self.slices[self.whole].values():
                found.update(BONE_ID[name] for name in label.void if name in BONE_ID)
        return found

    def boxes(self) -> Iterator[SliceBox]:
        """Every box of every slice."""
        for plane, slices in self.slices.items():
            for index, label in slices.items():
                for name, found in label.boxes.items():
                    yield from (SliceBox(name, plane, index, box) for box in found)


def read_truth(
    ref: CaseRef, names: Mapping[Plane, tuple[str, ...]], shape: tuple[int, ...]
) -> Truth:
    """All labels of a case. names: source names of the result's slices, where known.

    Raises TruthError where labels have no slice of the grid or exceed its image, or where images
    exist and have another size.
    """
    truth = Truth(shape)
    _check_sizes(ref, shape)
    copies = sum(path.suffix.lower() == ".json" for path in ref.copies)
    truth.unknown["label file that is a copy of another"] = copies
    for plane, places in slice_indices(ref, names, shape).items():
        truth.unknown["label file that names no slice"] += len(ref.labels[plane]) - len(places)
        _read_slices(truth, ref, plane, places)
    _refuse_other_grid(truth)
    _read_points(truth, ref)
    truth.unknown = +truth.unknown
    return truth


def _read_slices(truth: Truth, ref: CaseRef, plane: Plane, places: Mapping[str, int]) -> None:
    """Read the labels of a plane into the truth. places: label stem -> slice index."""
    size = _picture_size(truth.shape, plane)
    for stem, index in places.items():
        try:
            label = inside_image(read_slice_label(*ref.labels[plane][stem]), size)
        except TruthError:
            truth.unknown["unreadable label file"] += 1
            continue
        truth.slices.setdefault(plane, {})[index] = label
        truth.unknown.update(label.unknown)
        clinical = label.clinical
        if truth.clinical is None and clinical is not None and says_something(clinical):
            truth.clinical = clinical


def _read_points(truth: Truth, ref: CaseRef) -> None:
    """Read the key points of a case into the truth."""
    for path in ref.angle_files:
        try:
            points, left_out = read_angle_points(path)
        except TruthError:
            truth.unknown["unreadable angle file"] += 1
            continue
        known = {name: at for name, at in points.items() if name in LANDMARKS}
        truth.points |= known
        truth.unknown["key point of an unknown name"] += len(points) - len(known)
        truth.unknown["key point without numbers"] += left_out


def _picture_size(shape: tuple[int, ...], plane: Plane) -> tuple[int, int]:
    """(rows, columns) of a plane's slices in a grid (z, y, x)."""
    rows, columns = (n for axis, n in enumerate(shape) if axis != plane.array_axis)
    return rows, columns


def _refuse_other_grid(truth: Truth) -> None:
    """Raise TruthError where too many slices of a plane have outlines beyond the result's image."""
    for plane, slices in truth.slices.items():
        beyond = sum(BEYOND in label.unknown for label in slices.values())
        if beyond > max(1, OTHER_GRID * len(slices)):
            raise TruthError(
                f"{plane} labels reach beyond the result's image: they belong to another grid"
            )


def _check_sizes(ref: CaseRef, shape: tuple[int, ...]) -> None:
    """Raise TruthError where the header of a plane's middle image does not fit the grid."""
    for plane, images in ref.images.items():
        if plane is None or not images:
            continue
        rows, columns = _picture_size(shape, plane)
        size = _size(images[len(images) // 2])
        if size is not None and size != (rows, columns):
            raise TruthError(
                f"{plane} images are {size[0]} x {size[1]}, the result's are {rows} x {columns}: "
                "they show different grids"
            )


def _size(path: Path) -> tuple[int, int] | None:
    """(rows, columns) from an image's header; None if it cannot be read."""
    try:
        header = read_header(path, any_modality=True)
    except (Skip, ReadError, OSError):
        return None
    return (header.rows, header.columns) if header.rows > 0 and header.columns > 0 else None
