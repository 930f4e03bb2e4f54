"""The landmark network on slab views: heat maps -> points in input voxels, each with a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.domain import Landmark, Plane, Volume
from footcli.frame.axes import FootFrame
from footcli.geometry import Array, apply, rotation
from footcli.infer.prepare import Canonical
from footcli.infer.session import Runner
from footcli.infer.spec import ModelSpec
from footcli.infer.views import DEPTH, OWNER, Slab, point_depth, slab
from footcli.text.lines import Line

PATCH_PX = 4  # half side of the window in which a peak's centre of mass is taken
# Test-time augmentation: a network's errors differ between variants, and the error of their mean is
# smaller (measured: models/trials.md). The sagittal view is rotated (degrees) and scaled. The
# coronal view is projected again from the foot frame rotated about the leg and about the transverse
# axis (degrees), which shows the edges of the talar dome on other rays.
ONCE = (0.0, 1.0)
AUGMENTATIONS = {
    Plane.SAG: (ONCE, (4.0, 1.05), (4.0, 0.95), (-4.0, 1.05), (-4.0, 0.95)),
    Plane.COR: (ONCE,),
}
TURNS = {
    Plane.SAG: ((0.0, 0.0),),
    Plane.COR: ((0.0, 0.0), (12.0, 0.0), (-12.0, 0.0), (0.0, 8.0), (0.0, -8.0)),
}
STRAY = 3.0  # a variant's point farther (pixels, mm) than this from the median is an outlier
OUT_OF_VIEW = Line("landmark_off_bone")


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """Landmarks of one foot.

    landmarks: all that were found, at any score. missing: point name -> the reason. slabs: the
    unrotated view of each plane.
    """

    landmarks: tuple[Landmark, ...]
    missing: Mapping[str, Line]
    slabs: tuple[Slab, ...]


def locate(
    volume: Volume,
    grid: Canonical,
    labels: NDArray[np.uint8],
    frame: FootFrame,
    models: Mapping[Plane, tuple[Runner, ModelSpec]],
) -> Located:
    """Find the landmarks of one foot, in input voxels and LPS mm.

    labels: uint8 (z, y, x) on `grid`. frame.to_foot: input voxel -> foot mm.
    """
    foot_to_grid = np.linalg.inv(frame.to_foot @ grid.to_input)
    found: list[Landmark] = []
    missing: dict[str, Line] = {}
    slabs = []
    for plane, (session, spec) in models.items():
        turns = [turned(turn) for turn in TURNS[plane]]
        to_grid = [foot_to_grid @ turn.T for turn in turns]
        with ThreadPoolExecutor(2) as pool:  # two at once: each needs some 50 MB
            views = list(
                pool.map(
                    slab,
                    repeat(grid.hu),
                    repeat(labels),
                    to_grid,
                    repeat(plane),
                    repeat(spec.window),
                )
            )
        slabs.append(views[0])
        pixels, tops = zip(
            *(
                augmented(view.image[: spec.input_channels], session, AUGMENTATIONS[plane])
                for view in views
            ),
            strict=True,
        )
        for i, (names, top) in enumerate(
            zip(spec.points, np.mean(tops, axis=0).tolist(), strict=True)
        ):
            depth = point_depth(
                views[0], next(name for name in names if name in OWNER), pixels[0][i]
            )
            if depth is None:
                missing.update(dict.fromkeys(names, OUT_OF_VIEW))
                continue
            foot = robust_mean(
                np.array(
                    [
                        _to_foot(view, turn, at[i], depth)
                        for view, turn, at in zip(views, turns, pixels, strict=True)
                    ]
                )
            )
            vox = apply(np.linalg.inv(frame.to_foot), foot)
            mm = volume.to_mm(vox)
            xyz = (float(vox[0]), float(vox[1]), float(vox[2]))
            lps = (float(mm[0]), float(mm[1]), float(mm[2])) if volume.spacing_known else None
            found += [Landmark(name, xyz, lps, spec.reported(top, i)) for name in names]
    return Located(tuple(found), missing, tuple(slabs))


def turned(turn: tuple[float, float]) -> Array:
    """(4, 4) rotation of the foot frame about the leg (z) and then about the transverse axis (x).

    turn: degrees.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = rotation([0, 0, 1], turn[0]) @ rotation([1, 0, 0], turn[1])
    return matrix


def turning(variant: tuple[float, float], shape: tuple[int, ...]) -> Array:
    """(2, 3) map of a view's pixel (column, row, 1) -> pixel of the rotated and scaled view.

    variant: degrees, scale. shape: (..., rows, columns).
    """
    turn, size = np.radians(variant[0]), variant[1]
    matrix = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = (np.array(shape[:-3:-1]) - 1) / 2
    return np.column_stack([matrix, middle - matrix @ middle])


def augmented(
    image: NDArray[np.float32], session: Runner, variants: Sequence[tuple[float, float]]
) -> tuple[Array, Array]:
    """Test-time augmentation of one view: (K, 2) points (column, row), (K,) peak heights 0..1.

    image: (C, rows, columns). variants: degrees, scale.
    """
    found, tops = [], []
    for variant in variants:
        move = turning(variant, image.shape)
        back = np.linalg.inv(np.vstack([move, [0, 0, 1]]))[:2]
        seen = image
        if variant != ONCE:
            seen = np.stack(
                [
                    ndimage.affine_transform(channel, back[::-1, 1::-1], back[::-1, 2], order=1)
                    for channel in image
                ]
            )
        peaks = [peak(channel) for channel in session.run(seen[None])[0][0]]
        found.append(np.array([at for at, _ in peaks]) @ back[:, :2].T + back[:, 2])
        tops.append([top for _, top in peaks])
    return robust_mean(np.array(found)), np.asarray(np.mean(tops, axis=0))


def robust_mean(at: Array) -> Array:
    """(..., D) mean over variants (variants, ..., D) without outliers (see STRAY)."""
    near = np.linalg.norm(at - np.median(at, axis=0), axis=-1) <= STRAY
    near |= ~near.any(0)  # if all are outliers, all count
    return np.asarray((at * near[..., None]).sum(0) / near.sum(0)[..., None])


def peak(heat: NDArray[np.float32]) -> tuple[Array, float]:
    """Subpixel (column, row) of a heat map's peak, and its height clipped to 0..1.

    The centre of mass of the values above half the peak, in a window of PATCH_PX about it.
    """
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    top = float(heat[row, column])
    r0, c0 = max(0, int(row) - PATCH_PX), max(0, int(column) - PATCH_PX)
    part = heat[r0 : int(row) + PATCH_PX + 1, c0 : int(column) + PATCH_PX + 1]
    weight = np.where(part > 0.5 * top, part, 0.0) + 1e-12
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]]
    return np.array(
        [c0 + (columns * weight).sum() / weight.sum(), r0 + (rows * weight).sum() / weight.sum()]
    ), min(1.0, max(0.0, top))


def _to_foot(view: Slab, turn: Array, pixel: Array, depth: float) -> Array:
    """Foot mm (3,) of a pixel (column, row) in a view of the rotated frame.

    depth: foot mm along the unrotated view. Its error cancels between opposite rotations.
    """
    axis = DEPTH[view.plane]
    in_view = [i for i in range(3) if i != axis]
    at = np.zeros(3)
    at[in_view] = np.linalg.solve(view.to_px[:, in_view], pixel - view.to_px[:, 3])
    at, along = apply(turn.T, at), turn.T[:3, axis]
    return np.asarray(at + along * (depth - at[axis]) / along[axis])
