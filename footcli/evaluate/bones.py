"""Bones of one case: areas and overlap in each slice, surface distances in millimetres."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from footcli.dataset.annotations import SliceLabel
from footcli.dataset.outlines import Polygon, mask_of_polygons
from footcli.domain import Plane
from footcli.geometry import slice_of
from footcli.kinds import BONE_ID, BONES

Labels = NDArray[np.uint8]
ROW = np.dtype(
    [
        ("plane", "u1"),
        ("slice", "i4"),
        ("bone", "u1"),
        ("truth", "i4"),
        ("found", "i4"),
        ("common", "i4"),
    ]
)
"""One bone of one labelled slice: pixels of the truth, of the result, of both.

plane: index in `Plane`; bone: id.
"""
N = len(BONES)


@dataclass(slots=True)
class SliceCounter:
    """Counts the slices of a case one by one, and keeps only the numbers.

    found: uint8 (z, y, x) bone labels of the result.
    """

    found: Labels
    rows: list[tuple[int, ...]] = field(default_factory=list)
    _areas: dict[Plane, NDArray[np.int64]] = field(default_factory=dict)

    def take(self, plane: Plane, index: int, label: SliceLabel, volume: Labels | None) -> None:
        """Count one slice, except bones with an outline left out of its label.

        volume: uint8 (z, y, x) or None; the slice's true bones are drawn in it.
        """
        areas = self._found_areas(plane)[index]
        number = tuple(Plane).index(plane)
        picture = slice_of(self.found, plane.array_axis, index) if label.polygons else None
        into = None if volume is None else np.moveaxis(volume, plane.array_axis, 0)[index]
        for name, pieces in label.polygons.items():
            if name in label.void or picture is None:
                continue
            bone = BONE_ID[name]
            counts = _overlap(pieces, bone, picture, into)
            if counts is not None:
                true, common = counts
                self.rows.append((number, index, bone, true, int(areas[bone]), common))
        labelled = label.polygons.keys() | label.void
        for name, bone in BONE_ID.items():
            if areas[bone] and name not in labelled:
                self.rows.append((number, index, bone, 0, int(areas[bone]), 0))

    def _found_areas(self, plane: Plane) -> NDArray[np.int64]:
        """(slices, 11) pixels of each label in each slice of the result."""
        if plane not in self._areas:
            stack = np.moveaxis(self.found, plane.array_axis, 0)
            self._areas[plane] = np.stack(
                [np.bincount(np.ravel(picture), minlength=N + 1)[: N + 1] for picture in stack]
            )
        return self._areas[plane]

    def table(self) -> NDArray[np.void]:
        """All rows as an array of ROW."""
        return np.array(self.rows, dtype=ROW)


def _overlap(
    pieces: tuple[Polygon, ...], bone: int, picture: Labels, into: Labels | None
) -> tuple[int, int] | None:
    """Pixels of a bone's outlines, and how many of them the picture has too.

    None where the outlines lie outside the image. into: a picture in which the bone is drawn.
    """
    box = _box(pieces, picture.shape)
    if box is None:
        return None
    rows, columns = box
    size = rows.stop - rows.start, columns.stop - columns.start
    mask = mask_of_polygons([p - (columns.start, rows.start) for p in pieces], size)
    if into is not None:
        into[box][mask] = bone
    common = int(np.count_nonzero(mask & (picture[box] == bone)))
    return int(np.count_nonzero(mask)), common


def _box(pieces: tuple[Polygon, ...], shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """The part of the image that polygons cover, None if they lie outside."""
    points = np.concatenate(pieces)
    (x0, y0), (x1, y1) = points.min(0), points.max(0)
    rows = slice(max(0, floor(y0)), min(shape[0], ceil(y1) + 1))
    columns = slice(max(0, floor(x0)), min(shape[1], ceil(x1) + 1))
    return None if rows.start >= rows.stop or columns.start >= columns.stop else (rows, columns)


def surface_distances(
    truth: Labels, found: Labels, spacing_mm: NDArray[np.float64]
) -> dict[int, tuple[float, float]]:
    """Bone id -> (HD95, mean surface distance), mm, of each bone that both label volumes hold.

    truth, found: (z, y, x). spacing_mm: (3,) x, y, z. Surfaces are the outermost voxels (6
    neighbours). HD95 is the larger of the two directed 95th percentiles; the mean pools the
    distances of both directions. Source: Maier-Hein et al., Nature Methods 2024;21:195-212 (Metrics
    Reloaded).
    """
    true_boxes = ndimage.find_objects(truth, max_label=N)
    found_boxes = ndimage.find_objects(found, max_label=N)
    out: dict[int, tuple[float, float]] = {}
    for bone, (one, two) in enumerate(zip(true_boxes, found_boxes, strict=True), 1):
        if one is None or two is None:
            continue
        a = _surface(truth[one] == bone, one, spacing_mm)
        b = _surface(found[two] == bone, two, spacing_mm)
        there, back = cKDTree(b).query(a, workers=1)[0], cKDTree(a).query(b, workers=1)[0]
        hd95 = float(max(np.percentile(there, 95), np.percentile(back, 95)))
        out[bone] = (hd95, float(np.concatenate([there, back]).mean()))
    return out


def _surface(
    mask: NDArray[np.bool_], box: tuple[slice, ...], spacing_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, 3) mm positions (z, y, x) of a mask's outermost voxels.

    The edge of the grid counts as outside.
    """
    inner = ndimage.binary_erosion(mask)
    places = np.argwhere(mask & ~inner) + [s.start for s in box]
    return np.asarray(places * spacing_mm[::-1])
