"""Mask of one bone: its largest piece, its surface, and where the field of view cuts it off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.geometry import Array, unit
from footcli.kinds import BONE_ID, BONES

Labels = NDArray[np.uint8]
Inside = NDArray[np.bool_]
# A mask this close to the end of the data, over this area, is cut off there
CUT_REACH_MM, CUT_AREA_MM2 = (
    1.6,
    12.0,
)
THIN_MM = 1.0  # distance between the points sampled inside a bone
SEARCH_MM = 1.6  # step of the coarse first search, which is much faster; finer than any bone
# Pieces of the midfoot's five bones smaller than this fraction of the largest are strays
MIDFOOT_SHARE = 0.05
LEAST_MM3 = 150.0  # smaller pieces are not a bone


@dataclass(frozen=True, eq=False)
class BoneMask:
    """The largest piece of a bone.

    solid: bool (z, y, x), cropped from the volume at `start` (z, y, x), with a margin of one empty
    voxel. size_mm: (3,) voxel edges along z, y, x. open_mm2: (6,) area over which it meets the end
    of the data, towards -x, +x, -y, +y, -z, +z of the voxel grid. volume_mm3: of the piece. share:
    its fraction of all voxels with the bone's label.
    """

    solid: NDArray[np.bool_]
    start: tuple[int, int, int]
    size_mm: Array
    open_mm2: Array
    volume_mm3: float
    share: float

    @cached_property
    def inner(self) -> Array:
        """(N, 3) voxels (x, y, z) of the whole piece, about THIN_MM apart if voxels are finer."""
        step = np.maximum(1, np.round(THIN_MM / self.size_mm)).astype(int)
        return self._at(self.solid[tuple(slice(None, None, int(n)) for n in step)], step)

    @cached_property
    def surface(self) -> Array:
        """(N, 3) voxels (x, y, z) of its surface."""
        s = self.solid
        core = s[1:-1, 1:-1, 1:-1].copy()
        for axis in range(3):
            for part in (slice(None, -2), slice(2, None)):
                core &= s[tuple(part if a == axis else slice(1, -1) for a in range(3))]
        rim = s.copy()
        rim[1:-1, 1:-1, 1:-1] &= ~core
        return self._at(rim, np.ones(3, dtype=int))

    def _at(self, mask: NDArray[np.bool_], step: NDArray[np.int64]) -> Array:
        index = np.unravel_index(np.flatnonzero(mask), mask.shape)
        return np.stack(
            [index[axis] * step[axis] + self.start[axis] for axis in (2, 1, 0)], axis=1
        ).astype(np.float64)

    def holds(self, at: tuple[int, int, int]) -> bool:
        """Whether a voxel (z, y, x) of the volume belongs to the piece."""
        own = tuple(a - s for a, s in zip(at, self.start, strict=True))
        inside = all(0 <= a < n for a, n in zip(own, self.solid.shape, strict=True))
        return inside and bool(self.solid[own])

    def cut(self, to_foot: Array) -> frozenset[str]:
        """The ends (front, back, top, bottom, medial, lateral) at which the field of view cuts it.

        to_foot: (3, 3) or (4, 4), voxel -> foot frame.
        """
        facing = unit(to_foot[:3, :3].T)  # rows: the voxel axes in the foot frame
        words = (("lateral", "medial"), ("back", "front"), ("bottom", "top"))
        found = set()
        for face in np.flatnonzero(self.open_mm2 > CUT_AREA_MM2):
            direction = facing[face // 2] * (1 if face % 2 else -1)
            found |= {words[i][int(direction[i] > 0)] for i in range(3) if abs(direction[i]) > 0.5}
        return frozenset(found)


def find_bones(labels: Labels, affine: Array, inside: Inside | None = None) -> dict[str, BoneMask]:
    """Bone name -> its largest piece (of the midfoot all pieces but strays).

    labels: uint8 (z, y, x); affine: (4, 4) voxel -> mm; inside: bool (z, y, x), voxels that hold
    data. Bones that are absent or smaller than LEAST_MM3 are left out.
    """
    size = np.linalg.norm(affine[:3, :3], axis=0)[::-1]
    found = {}
    coarse = np.maximum(1, (SEARCH_MM / size).astype(int))
    places = ndimage.find_objects(
        labels[tuple(slice(None, None, int(n)) for n in coarse)], max_label=len(BONES)
    )
    for bone, place in zip(BONES, places, strict=True):
        if place is None:
            continue
        box = tuple(
            slice(max(0, (s.start - 2) * int(n)), (s.stop + 2) * int(n))
            for s, n in zip(place, coarse, strict=True)
        )
        mask = labels[box] == BONE_ID[bone.name]
        total = np.count_nonzero(mask)
        start = np.array([s.start for s in box])
        share = MIDFOOT_SHARE if bone.name == "MidFoot" else 1.0
        mask, start = _main_pieces(mask, start, coarse, share)
        volume = np.count_nonzero(mask) * float(np.prod(size))
        if volume >= LEAST_MM3:
            z, y, x = (int(v) - 1 for v in start)
            opened = _open_faces(mask, start, labels.shape, size, inside)
            found[bone.name] = BoneMask(
                np.pad(mask, 1), (z, y, x), size, opened, volume, np.count_nonzero(mask) / total
            )
    return found


def _main_pieces(
    mask: NDArray[np.bool_],
    start: NDArray[np.int64],
    coarse: NDArray[np.int64],
    share: float,
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """The largest piece and all of at least `share` of its size, cropped; and where it starts.

    A coarse search comes first, because distant stray voxels make the box large and slow to search.
    """
    for step in (coarse, np.ones(3, dtype=int)):
        pieces, count = ndimage.label(mask[tuple(slice(None, None, int(n)) for n in step)])
        if count == 0:
            continue
        counts = np.bincount(pieces.ravel())
        counts[0] = 0
        good = counts >= share * counts.max()
        low, high = _corners(pieces, good)
        if step.max() == 1:
            box = _between(low, high)
            return good[pieces[box]], start + low
        low, high = np.maximum(0, (low - 2) * step), (high + 2) * step
        mask, start = mask[_between(low, high)], start + low
    return mask, start


def _corners(
    pieces: NDArray[np.int32], good: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(3,) first and past-the-end indices of the box around the pieces marked good."""
    lows, highs = [], []
    for box, chosen in zip(ndimage.find_objects(pieces), good[1:], strict=True):
        if chosen:
            lows.append([s.start for s in box])
            highs.append([s.stop for s in box])
    return np.array(lows).min(0), np.array(highs).max(0)


def _between(low: NDArray[np.int64], high: NDArray[np.int64]) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def _open_faces(
    mask: NDArray[np.bool_],
    start: NDArray[np.int64],
    shape: tuple[int, ...],
    size: Array,
    inside: Inside | None,
) -> Array:
    """(6,) area in mm2 over which the mask is within CUT_REACH_MM of the end of the data.

    By voxel direction -x, +x, -y, +y, -z, +z.
    """
    areas = []
    for axis in (2, 1, 0):
        reach = max(1, int(np.ceil(CUT_REACH_MM / size[axis])))
        face = float(np.prod(size) / size[axis])
        for sign in (-1, 1):
            moved = np.array(start)
            moved[axis] += sign * reach
            there = _with_data(mask.shape, moved, shape, inside)
            areas.append(np.count_nonzero((mask & ~there).any(axis)) * face)
    return np.array(areas)


def _with_data(
    extent: tuple[int, ...],
    start: NDArray[np.int64],
    shape: tuple[int, ...],
    inside: Inside | None,
) -> NDArray[np.bool_]:
    """Which voxels of a box that begins at `start` hold data; none do outside the volume."""
    there = np.zeros(extent, dtype=bool)
    low = np.maximum(0, -start)
    high = np.minimum(extent, np.array(shape) - start)
    if (low < high).all():
        held = True if inside is None else inside[_between(start + low, start + high)]
        there[_between(low, high)] = held
    return there
