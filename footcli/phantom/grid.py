"""A voxel grid around a foot, and its subgrids and local coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from footcli.geometry import Array, apply
from footcli.phantom.subject import Subject

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A voxel grid in LPS, shape (z, y, x): LPS mm = origin + (x, y, z) * spacing_mm.

    to_foot: (4, 4) LPS mm -> foot frame of the (left) subject, mirrored for a right foot.
    """

    shape: tuple[int, int, int]
    spacing_mm: float
    origin: Array
    to_foot: Array

    @property
    def affine(self) -> Array:
        """(4, 4) voxel (x, y, z) -> LPS mm."""
        matrix = np.diag([self.spacing_mm] * 3 + [1.0])
        matrix[:3, 3] = self.origin
        return matrix

    def voxels(self, foot_points: Array) -> Array:
        """(..., 3) foot frame mm -> voxel (x, y, z)."""
        return (apply(np.linalg.inv(self.to_foot), foot_points) - self.origin) / self.spacing_mm


def make_grid(subject: Subject, spacing_mm: float, low: Array, high: Array, turn: Array) -> Grid:
    """A grid that covers the foot-frame box low..high (mm) of the foot, rotated by `turn` in LPS.

    turn: (3, 3).
    """
    mirror = np.diag([-1.0, -1.0, 1.0]) if subject.side == "L" else np.diag([1.0, -1.0, 1.0])
    to_lps = turn @ mirror
    size = np.asarray(high) - np.asarray(low)
    to_foot = np.eye(4)
    to_foot[:3, :3] = np.linalg.inv(to_lps)
    middle = to_lps @ ((np.asarray(low) + np.asarray(high)) / 2)
    shape = tuple(int(np.ceil(s / spacing_mm)) for s in size[::-1])
    origin = middle - (np.array(shape[::-1]) - 1) / 2 * spacing_mm
    return Grid((shape[0], shape[1], shape[2]), spacing_mm, origin, to_foot)


def box_around(grid: Grid, corners: Array) -> tuple[slice, slice, slice] | None:
    """Slices (z, y, x) of the subgrid that holds foot-frame points (N, 3), mm; None if outside."""
    v = grid.voxels(corners)
    low = np.maximum(np.floor(v.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(v.max(0)).astype(int) + 1, grid.shape[::-1])
    if np.any(low >= high):
        return None
    x, y, z = map(slice, low, high)
    return z, y, x


def local_points(grid: Grid, box: tuple[slice, slice, slice], to_local: Array) -> F32:
    """(3, z, y, x) local (x, y, z) of the box's voxels; to_local: (4, 4) LPS mm -> local."""
    m = (to_local @ grid.affine).astype(np.float32)
    z, y, x = (np.arange(s.start, s.stop, s.step, dtype=np.float32) for s in box)
    out = np.empty((3, len(z), len(y), len(x)), np.float32)
    for row, own in zip(m[:3], out, strict=True):
        np.add(row[0] * x + (row[1] * y)[:, None], (row[2] * z)[:, None, None], out=own)
        own += row[3]
    return out


def local_transform(grid: Grid, pos: Array, axes: Array, scale: Array) -> Array:
    """(4, 4) LPS mm -> local frame at `pos` (foot mm) with axes (3, 3), each divided by scale."""
    inner = np.eye(4)
    inner[:3, :3] = axes / scale[:, None]
    inner[:3, 3] = -inner[:3, :3] @ pos
    return inner @ grid.to_foot


def box_corners(low: Array, high: Array) -> Array:
    """(8, 3) corners of a box."""
    return np.array(list(product(*zip(low, high, strict=True))))
