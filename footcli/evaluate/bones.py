"""Bones of one case: areas and overlaps of each slice, and distances of surfaces in millimetres."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any

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

Planes by their place in `Plane`, bones by id.
"""
N = len(BONES)


@dataclass(slots=True)
class SliceCounter:
    """Takes the slices of a case one by one; remembers numbers, and the truth as a volume where a
    plane is labelled throughout.

    shape: (z, y, x) of the result's grid.
    """

    found: Labels
    rows: list[tuple[int, ...]] = field(default_factory=list)
    _areas: dict[Plane, NDArray[np.int64]] = field(default_factory=dict)

    def take(self, plane: Plane, index: int, label: SliceLabel, volume: Labels | None) -> None:
        """Count one slice, but for bones of which an outline was left out; `volume` uint8 (z, y,
        x), if given, gets its bones.
        """
        polygons = {
            name: pieces for name, pieces in label.polygons.items() if name not in label.void
        }
        array_axis = plane.array_axis
        picture: Any = slice_of(self.found, array_axis, index) if polygons else None
        areas: Any = self._found_areas(plane)[index]
        into: Any = None if volume is None else np.moveaxis(volume, array_axis, 0)[index]
        number = tuple(Plane).index(plane)
        for name, pieces in polygons.items():
            if picture is None:
                continue
            box = _box(pieces, picture.shape)
            if box is None:
                continue
            rows, columns = box
            size = rows.stop - rows.start, columns.stop - columns.start
            mask = mask_of_polygons([p - (columns.start, rows.start) for p in pieces], size)
            bone = BONE_ID[name]
            common = int(np.count_nonzero(mask & (picture[box] == bone)))
            self.rows.append(
                (number, index, bone, int(np.count_nonzero(mask)), int(areas[bone]), common)
            )
            if into is not None:
                into[box][mask] = bone
        present = {BONE_ID[name] for name in label.polygons.keys() | label.void if name in BONE_ID}
        self.rows += [
            (number, index, k, 0, int(areas[k]), 0)
            for k in range(1, N + 1)
            if areas[k] and k not in present
        ]

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


def _box(pieces: tuple[Polygon, ...], shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """The part of the image that polygons cover, None if none of it."""
    points = np.concatenate(pieces)
    (x0, y0), (x1, y1) = points.min(0), points.max(0)
    rows = slice(max(0, floor(y0)), min(shape[0], ceil(y1) + 1))
    columns = slice(max(0, floor(x0)), min(shape[1], ceil(x1) + 1))
    return None if rows.start >= rows.stop or columns.start >= columns.stop else (rows, columns)


def surface_distances(
    truth: Labels, found: Labels, spacing_mm: NDArray[np.float64]
) -> dict[int, tuple[float, float]]:
    """Bone id -> (HD95, mean surface distance), mm, of each bone that both label volumes (z, y, x)
    hold. spacing_mm: (3,) x, y, z.

    Surfaces are the outermost voxels (6 neighbours). HD95 is the larger of the two directed 95th
    percentiles, the mean is over both directions' distances together. Source: Maier-Hein et al.,
    Nature Methods 2024;21:195-212 (Metrics Reloaded).
    """
    out: dict[int, tuple[float, float]] = {}
    for bone, boxes in enumerate(
        zip(
            ndimage.find_objects(truth, max_label=N),
            ndimage.find_objects(found, max_label=N),
            strict=True,
        ),
        1,
    ):
        if boxes[0] is None or boxes[1] is None:
            continue
        a, b = (
            _surface(volume[box] == bone, box, spacing_mm)
            for volume, box in zip((truth, found), boxes, strict=True)
        )
        there, back = cKDTree(b).query(a, workers=1)[0], cKDTree(a).query(b, workers=1)[0]
        hd95 = float(max(np.percentile(there, 95), np.percentile(back, 95)))
        out[bone] = (hd95, float(np.concatenate([there, back]).mean()))
    return out


def _surface(
    mask: NDArray[np.bool_], box: tuple[slice, ...], spacing_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, 3) mm places (z, y, x) of a mask's outermost voxels.

    The edge of the grid counts as outside.
    """
    inner = ndimage.binary_erosion(mask)
    places = np.argwhere(mask & ~inner) + [s.start for s in box]
    return np.asarray(places * spacing_mm[::-1])
