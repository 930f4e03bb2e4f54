"""The skin around the bones, and the soft tissue in their hollows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.phantom.grid import F32, Grid, local_points
from footcli.phantom.subject import Subject

FILL_MM = 30.0  # hollows narrower than twice this are filled with soft tissue
SOLE_UNDER_MM = 45.0  # bones up to this height stand on soft tissue
HOLLOW_MM = 12.0  # height of the arch of an unloaded sole


def _closed(solid: NDArray[np.bool_], mm: float) -> NDArray[np.bool_]:
    """The bones with tendons and pads between them: a closing by FILL_MM. mm: voxel edge."""
    pad = round(FILL_MM / mm) + 1
    wide = np.pad(solid, pad)
    grown = ndimage.distance_transform_edt(~wide) * mm < FILL_MM
    shrunk = ndimage.distance_transform_edt(np.pad(grown, 1)) * mm > FILL_MM
    inner = slice(pad + 1, -pad - 1)
    return np.asarray(shrunk[inner, inner, inner] | solid)


def _under(bones: NDArray[np.bool_], sole: F32, mm: float, loaded: bool) -> NDArray[np.bool_]:
    """Muscle and pad between the low bones and the sole, bool (z, y, x).

    sole: (3, z, y, x) coordinates in the frame of the sole (mm). mm: voxel edge. A loaded sole is
    flat; an unloaded one keeps the hollow of its arch.
    """
    low = bones & (sole[2] < SOLE_UNDER_MM)
    if loaded:
        return np.asarray(np.maximum.accumulate(low[::-1], axis=0)[::-1] & (sole[2] > 0))
    # slope of the height above the sole along each array axis
    slope = np.array([np.diff(sole[2], axis=i).mean() / mm for i in range(3)])
    filled, size = low.copy(), np.array(low.shape)
    for k in range(1, int(SOLE_UNDER_MM / mm)):
        step = np.round(-k * slope / np.linalg.norm(slope)).astype(int)
        to = tuple(slice(max(s, 0), n + min(s, 0)) for s, n in zip(step, size, strict=True))
        source = tuple(slice(max(-s, 0), n - max(s, 0)) for s, n in zip(step, size, strict=True))
        filled[to] |= low[source]
    front = float(sole[1][low].max()) if low.any() else 1.0
    return np.asarray(
        filled & (sole[2] > HOLLOW_MM * np.sin(np.pi * np.clip(sole[1] / (0.75 * front), 0, 1)))
    )


def skin_depth(subject: Subject, grid: Grid, bone_mm: F32) -> F32:
    """float32 (z, y, x), depth (mm) below the skin, negative outside; computed on a coarse grid.

    The skin wraps the bones: thin on the dorsum, thick at the leg and under heel and ball. bone_mm:
    distance to the nearest bone, negative inside.
    """
    step = max(1, round(3.0 / grid.spacing_mm))
    mm = step * grid.spacing_mm
    box = (
        slice(0, grid.shape[0], step),
        slice(0, grid.shape[1], step),
        slice(0, grid.shape[2], step),
    )
    leg = local_points(grid, box, grid.to_foot)[2]
    sole = local_points(grid, box, subject.sole @ grid.to_foot)
    bones = bone_mm[box] < 0
    under = _under(bones, sole, mm, subject.loaded)
    away = ndimage.distance_transform_edt(~_closed(bones | under, mm)) * mm
    wrap = (
        6.0
        + 9.0 * np.clip((leg - 45.0) / 50.0, 0, 1)
        + 5.0 * np.clip((14.0 - sole[2]) / 12.0, 0, 1)
    )
    rounded = ndimage.gaussian_filter((wrap - away).astype(np.float32), 4.0 / mm)
    full = ndimage.zoom(
        rounded,
        [n / c for n, c in zip(grid.shape, rounded.shape, strict=True)],
        order=1,
        grid_mode=True,
        mode="nearest",
    )
    return np.asarray(full, dtype=np.float32)
