"""One bone's mask: its largest piece, its surface, and where the end of the data cuts it off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.geometry import Array, unit
from footcli.names import BONE_ID, BONES

Labels = NDArray[np.uint8]
Inside = NDArray[np.bool_]
CUT_REACH_MM, CUT_AREA_MM2 = 1.6, 12.0  # a mask this close to the end of the data, over this area, does not end by itself
LEAST_MM3 = 150.0  # smaller pieces are no bone


@dataclass(frozen=True, eq=False)
class BoneMask:
    """The largest piece of a bone. solid: bool (z, y, x), cut out of the volume at `start` (z, y, x), with a rim of one empty voxel.

    open_mm2: (6,) area over which it meets the end of the data, towards -x, +x, -y, +y, -z, +z of the voxel grid.
    volume_mm3: of the piece. share: its part of all voxels with the bone's label.
    """

    solid: NDArray[np.bool_]
    start: tuple[int, int, int]
    open_mm2: Array
    volume_mm3: float
    share: float

    @cached_property
    def inner(self) -> Array:
        """(N, 3) voxel (x, y, z) of all of it, thinned evenly to some 60,000 at most."""
        step = max(1, round((np.count_nonzero(self.solid) / 60_000) ** (1 / 3)))
        return self._at(self.solid[::step, ::step, ::step], step)

    @cached_property
    def surface(self) -> Array:
        """(N, 3) voxel (x, y, z) of its outermost voxels."""
        s = self.solid
        core = s[1:-1, 1:-1, 1:-1].copy()
        for axis in range(3):
            for part in (slice(None, -2), slice(2, None)):
                core &= s[tuple(part if a == axis else slice(1, -1) for a in range(3))]
        rim = s.copy()
        rim[1:-1, 1:-1, 1:-1] &= ~core
        return self._at(rim, 1)

    def _at(self, mask: NDArray[np.bool_], step: int) -> Array:
        where = np.flatnonzero(mask)
        z, y, x = np.unravel_index(where, mask.shape)
        z0, y0, x0 = self.start
        return np.stack([x * step + x0, y * step + y0, z * step + z0], axis=1).astype(np.float64)

    def cut(self, to_foot: Array) -> frozenset[str]:
        """At which of its ends (front, back, top, bottom, medial, lateral) it leaves the data. to_foot: (3, 3) or (4, 4) from voxels."""
        facing = unit(to_foot[:3, :3].T)  # rows: the voxel axes in the foot frame
        words = (("lateral", "medial"), ("back", "front"), ("bottom", "top"))
        found = set()
        for face in np.flatnonzero(self.open_mm2 > CUT_AREA_MM2):
            direction = facing[face // 2] * (1 if face % 2 else -1)
            found |= {words[i][int(direction[i] > 0)] for i in range(3) if abs(direction[i]) > 0.5}
        return frozenset(found)


def find_bones(labels: Labels, affine: Array, inside: Inside | None = None) -> dict[str, BoneMask]:
    """Bone name -> its largest piece (all pieces of the midfoot).

    labels: uint8 (z, y, x); affine: (4, 4) voxel -> mm; inside: bool (z, y, x), voxels that hold data.
    """
    size = np.linalg.norm(affine[:3, :3], axis=0)[::-1]
    found = {}
    for bone, box in zip(BONES, ndimage.find_objects(labels, max_label=len(BONES)), strict=True):
        if box is None:
            continue
        mask = labels[box] == BONE_ID[bone.name]
        total = np.count_nonzero(mask)
        start = np.array([s.start for s in box])
        if bone.name != "MidFoot":
            mask, start = _largest(mask, start)
        volume = np.count_nonzero(mask) * float(np.prod(size))
        if volume >= LEAST_MM3:
            z, y, x = (int(v) - 1 for v in start)
            opened = _open_faces(mask, start, labels.shape, size, inside)
            found[bone.name] = BoneMask(np.pad(mask, 1), (z, y, x), opened, volume, np.count_nonzero(mask) / total)
    return found


def _largest(mask: NDArray[np.bool_], start: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """The largest piece, cut out. Found on every 2nd voxel first: stray voxels far off make boxes that are slow to search."""
    for step in (2, 1):
        pieces, count = ndimage.label(mask[::step, ::step, ::step])
        if count == 0:
            continue
        best = int(np.argmax(np.bincount(pieces.ravel())[1:])) + 1
        box = ndimage.find_objects(pieces, max_label=best)[best - 1]
        if step == 1:
            return pieces[box] == best, start + [s.start for s in box]
        wide = tuple(slice(max(0, (s.start - 2) * step), (s.stop + 2) * step) for s in box)
        mask, start = mask[wide], start + [s.start for s in wide]
    return mask, start


def _open_faces(mask: NDArray[np.bool_], start: NDArray[np.int64], shape: tuple[int, ...], size: Array, inside: Inside | None) -> Array:
    """(6,) mm2 over which the mask comes within CUT_REACH_MM of what holds no data, by voxel direction -x, +x, -y, +y, -z, +z."""
    areas = []
    for axis in (2, 1, 0):
        reach = max(1, int(np.ceil(CUT_REACH_MM / size[axis])))
        face = float(np.prod(size) / size[axis])
        for sign in (-1, 1):
            box = [slice(a, a + n) for a, n in zip(start, mask.shape, strict=True)]
            box[axis] = slice(box[axis].start + sign * reach, box[axis].stop + sign * reach)
            there = np.zeros(mask.shape, dtype=bool)
            low = [max(0, -s.start) for s in box]
            high = [min(n, full - s.start) for s, n, full in zip(box, mask.shape, shape, strict=True)]
            if all(a < b for a, b in zip(low, high, strict=True)):
                part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
                same = tuple(slice(s.start + a, s.start + b) for s, a, b in zip(box, low, high, strict=True))
                there[part] = True if inside is None else inside[same]
            areas.append(np.count_nonzero((mask & ~there).any(axis)) * face)
    return np.array(areas)
