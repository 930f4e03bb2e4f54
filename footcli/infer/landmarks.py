"""The landmark network on slab views: heat maps -> points in the input's voxels, each with a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Landmark, Plane, Volume
from footcli.frame import FootFrame
from footcli.geometry import Array, apply
from footcli.infer.prepare import Canonical
from footcli.infer.session import Runner
from footcli.infer.spec import ModelSpec
from footcli.infer.views import DEPTH, Slab, slab, third

PATCH_PX = 4  # half side of the window in which a peak's centre of mass is taken
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
        heat = session.run(view.image[None, : spec.input_channels])[0][0]
        for i, (names, channel) in enumerate(zip(spec.points, heat, strict=True)):
            pixel, top = peak(channel)
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
