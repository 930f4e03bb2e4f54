"""The landmark network on slab views: heat maps -> points in the input's voxels, each with a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.domain import Landmark, Plane, Volume
from footcli.frame import FootFrame
from footcli.geometry import Array, apply
from footcli.infer.prepare import Canonical
from footcli.infer.session import Runner
from footcli.infer.spec import ModelSpec
from footcli.infer.views import DEPTH, Slab, slab, third

PATCH_PX = 4  # half side of the window in which a peak's centre of mass is taken
# (turn in degrees, size) of the view each time that it is looked at: a network's errors differ, and their mean is smaller
LOOKS = ((0.0, 1.0), (4.0, 1.05), (4.0, 0.95), (-4.0, 1.05), (-4.0, 0.95))
STRAY_PX = 3.0  # a peak farther from the others' median does not count
OUT_OF_VIEW = "its bone was not found where the point should lie"


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """landmarks: what was found, whatever its score. missing: point name -> why there is none. slabs: the views that were looked at."""

    landmarks: tuple[Landmark, ...]
    missing: Mapping[str, str]
    slabs: tuple[Slab, ...]


def locate(
    volume: Volume, grid: Canonical, labels: NDArray[np.uint8], frame: FootFrame, models: Mapping[Plane, tuple[Runner, ModelSpec]],
) -> Located:  # fmt: skip
    """Find the key points. labels: uint8 (z, y, x) on `grid`; frame.to_foot starts from the input's voxels."""
    foot_to_grid = np.linalg.inv(frame.to_foot @ grid.to_input)
    found: list[Landmark] = []
    missing: dict[str, str] = {}
    slabs = []
    for plane, (session, spec) in models.items():
        view = slab(grid.hu, labels, foot_to_grid, plane, spec.window)
        slabs.append(view)
        pixels, tops = looked(view.image[: spec.input_channels], session)
        for i, (names, pixel, top) in enumerate(zip(spec.points, pixels, tops.tolist(), strict=True)):
            depth = third(view, names[0], pixel)
            if depth is None:
                missing.update(dict.fromkeys(names, OUT_OF_VIEW))
                continue
            foot = _to_foot(view, pixel, depth)
            vox = apply(np.linalg.inv(frame.to_foot), foot)
            mm = volume.to_mm(vox)
            xyz = (float(vox[0]), float(vox[1]), float(vox[2]))
            lps = (float(mm[0]), float(mm[1]), float(mm[2])) if volume.spacing_known else None
            found += [Landmark(name, xyz, lps, spec.reported(top, i)) for name in names]
    return Located(tuple(found), missing, tuple(slabs))


def turning(look: tuple[float, float], shape: tuple[int, ...]) -> Array:
    """(2, 3) map of a view's pixels (column, row, 1), rows and columns as in `shape`, to those of the turned view."""
    turn, size = np.radians(look[0]), look[1]
    matrix = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = (np.array(shape[:-3:-1]) - 1) / 2
    return np.column_stack([matrix, middle - matrix @ middle])


def looked(image: NDArray[np.float32], session: Runner) -> tuple[Array, Array]:
    """(K, 2) column, row of each channel's point in a view (C, rows, columns), and (K,) heights of their peaks, over all LOOKS."""
    found, tops = [], []
    for look in LOOKS:
        move = turning(look, image.shape)
        back = np.linalg.inv(np.vstack([move, [0, 0, 1]]))[:2]
        seen = image
        if look != (0.0, 1.0):
            seen = np.stack([ndimage.affine_transform(channel, back[::-1, 1::-1], back[::-1, 2], order=1) for channel in image])
        peaks = [peak(channel) for channel in session.run(seen[None])[0][0]]
        found.append(np.array([at for at, _ in peaks]) @ back[:, :2].T + back[:, 2])
        tops.append([top for _, top in peaks])
    at = np.array(found)
    near = np.linalg.norm(at - np.median(at, axis=0), axis=2) <= STRAY_PX
    near |= ~near.any(0)  # all stray: all count
    return (at * near[..., None]).sum(0) / near.sum(0)[:, None], np.asarray(np.mean(tops, axis=0))


def peak(heat: NDArray[np.float32]) -> tuple[Array, float]:
    """(column, row) of a heat map's peak, to a part of a pixel, and its height. The centre of mass of what stands above half."""
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    top = float(heat[row, column])
    r0, c0 = max(0, int(row) - PATCH_PX), max(0, int(column) - PATCH_PX)
    part = heat[r0 : int(row) + PATCH_PX + 1, c0 : int(column) + PATCH_PX + 1]
    weight = np.where(part > 0.5 * top, part, 0.0) + 1e-12
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]]
    return np.array([c0 + (columns * weight).sum() / weight.sum(), r0 + (rows * weight).sum() / weight.sum()]), min(1.0, max(0.0, top))


def _to_foot(view: Slab, pixel: Array, depth: float) -> Array:
    """Foot mm of a view pixel (column, row) at a depth along the view."""
    axis = DEPTH[view.plane]
    in_view = [i for i in range(3) if i != axis]
    foot = np.zeros(3)
    foot[in_view] = np.linalg.solve(view.to_px[:, in_view], pixel - view.to_px[:, 3])
    foot[axis] = depth
    return foot
