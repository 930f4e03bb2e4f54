"""Slab views: projections along the axes of the foot frame, shared with training.

All points of an angle lie in one view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.domain import Plane
from footcli.geometry import AnyFloat, Array, apply
from footcli.infer.prepare import AIR_HU, window
from footcli.infer.spec_checks import VIEW_MM
from footcli.kinds import BONE_ID, BONES, RAYS

F32 = NDArray[np.float32]
# Foot frame (x medial, y anterior, z up, mm). Rows run downwards; columns from the toes backwards,
# or from lateral to medial.
TOP, BOTTOM, FRONT, BACK, WIDE = 156.0, -20.0, 228.0, -44.0, 72.0
ALONE_MM = 25.0  # bone thickness that is white in the image of the ALONE bones
BONES_SHOWN = {
    Plane.SAG: ("Tibia", "Talus", "Calcaneus", "1st Metatarsal", "5th Metatarsal"),
    Plane.COR: ("Tibia", "Talus", "Calcaneus"),
    Plane.AXL: (
        "Talus",
        "Calcaneus",
        "MidFoot",
        *(BONES[k - 1].name for k in RAYS),
    ),  # for the report; no network uses the axial view
}
# Bones whose axes and edges are hidden by others in a projection of all
ALONE = {Plane.SAG: ("Talus", "1st Metatarsal"), Plane.COR: ("Talus",), Plane.AXL: ()}
DEPTH = {Plane.SAG: 0, Plane.COR: 1, Plane.AXL: 2}  # foot axis of a view's direction
OWNER = {
    "CPA_Line1_Pt1": ("Calcaneus",),
    "CPA_Line1_Pt2": ("Calcaneus",),
    "CPA_Line2_Pt1": ("Calcaneus",),
    "CPA_Line2_Pt2": ("1st Metatarsal", "5th Metatarsal"),
    "TMA_Line1_Pt1": ("Talus",),
    "TMA_Line1_Pt2": ("Talus",),
    "TMA_Line2_Pt1": ("1st Metatarsal",),
    "TMA_Line2_Pt2": ("1st Metatarsal",),
    "HAA_Line1_Pt1": ("Tibia",),
    "HAA_Line1_Pt2": ("Tibia",),
    "HAA_Line2_Pt1": ("Talus",),
    "HAA_Line2_Pt2": ("Calcaneus",),
    "MTASA_Line2_Pt1": ("Talus",),
    "MTASA_Line2_Pt2": ("Talus",),
}
# Network channels: each point once, with all its names
CHANNELS: dict[Plane, tuple[tuple[str, ...], ...]] = {
    Plane.SAG: (
        ("CPA_Line1_Pt1", "TCA_Line2_Pt1"),
        ("CPA_Line1_Pt2", "TCA_Line2_Pt2"),
        ("CPA_Line2_Pt1",),
        ("CPA_Line2_Pt2",),
        ("TMA_Line1_Pt1", "TCA_Line1_Pt1"),
        ("TMA_Line1_Pt2", "TCA_Line1_Pt2"),
        ("TMA_Line2_Pt1",),
        ("TMA_Line2_Pt2",),
    ),
    Plane.COR: (
        ("HAA_Line1_Pt1", "MTASA_Line1_Pt1"),
        ("HAA_Line1_Pt2", "MTASA_Line1_Pt2"),
        ("HAA_Line2_Pt1",),
        ("HAA_Line2_Pt2",),
        ("MTASA_Line2_Pt1",),
        ("MTASA_Line2_Pt2",),
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Slab:
    """One projection of a foot.

    image: float32 (VIEW_IMAGES, rows, columns), windowed HU 0..1: its mean along the view, its
    maximum in the bones, and its sum over ALONE_MM in the bones of ALONE.

    owners: bone name -> float32 (rows, columns), the bone's mean depth (foot mm along the view) on
    each ray, NaN where the ray misses it; empty for a view without landmarks. labels: uint8 (rows,
    columns), the first bone seen from lateral, behind or above; far_labels: from the opposite end.
    to_px: (2, 4), foot mm -> (column, row).
    """

    plane: Plane
    image: F32
    owners: dict[str, F32]
    labels: NDArray[np.uint8]
    far_labels: NDArray[np.uint8]
    to_px: Array


def view_geometry(plane: Plane) -> tuple[tuple[int, int], Array]:
    """(rows, columns) and the (2, 4) map foot mm -> (column, row) of a plane's view."""
    rows = int((TOP - BOTTOM) / VIEW_MM)
    if plane is Plane.SAG:
        return (rows, int((FRONT - BACK) / VIEW_MM)), np.array(
            [[0, -1, 0, FRONT], [0, 0, -1, TOP]]
        ) / VIEW_MM
    if plane is Plane.AXL:
        return (int((FRONT - BACK) / VIEW_MM), int(2 * WIDE / VIEW_MM)), np.array(
            [[1, 0, 0, WIDE], [0, -1, 0, FRONT]]
        ) / VIEW_MM
    return (rows, int(2 * WIDE / VIEW_MM)), np.array([[1, 0, 0, WIDE], [0, 0, -1, TOP]]) / VIEW_MM


def slab(
    hu: F32,
    labels: NDArray[np.uint8],
    foot_to_grid: AnyFloat,
    plane: Plane,
    hu_window: tuple[float, float],
) -> Slab:
    """Project a volume along the foot's x (sagittal), y (coronal) or z (axial) through BONES_SHOWN.

    hu, labels: (z, y, x) on one grid. foot_to_grid: (4, 4) foot frame mm -> grid voxel (x, y, z).
    hu_window: HU mapped to 0 and 1.
    """
    shape, to_px = view_geometry(plane)
    bones = [BONE_ID[name] for name in BONES_SHOWN[plane]]
    depth_axis = DEPTH[plane]
    near, far = _reach(labels, foot_to_grid, bones, depth_axis)
    depth = max(1, int(np.ceil((far - near) / VIEW_MM)))
    to_grid = foot_to_grid @ _view_to_foot(plane, near)
    matrix = to_grid[:3, :3][::-1][:, ::-1]  # to arrays: (z, y, x) from (depth, row, column)
    matrix, offset = matrix[:, [0, 1, 2]], to_grid[:3, 3][::-1]
    full = (depth, *shape)
    cut = ndimage.affine_transform(
        hu, matrix, offset, full, order=1, mode="constant", cval=AIR_HU, output=np.float32
    )
    seen = ndimage.affine_transform(labels, matrix, offset, full, order=0, mode="constant", cval=0)
    bright = window(np, cut, *hu_window)
    # the axial view shows everything: the toes have no mask
    shown = plane is Plane.AXL or ndimage.binary_dilation(np.isin(seen, bones), iterations=2)
    alone = ndimage.binary_dilation(np.isin(seen, [BONE_ID[name] for name in ALONE[plane]]))
    thick = np.where(alone, bright, 0).sum(0) * VIEW_MM / ALONE_MM
    image = np.stack([bright.mean(0), np.where(shown, bright, 0).max(0), np.minimum(thick, 1)])
    first = seen
    if plane is Plane.AXL:  # from above, through the ankle
        first = np.where(np.isin(seen, bones), seen, 0)[::-1]
    along = (near + VIEW_MM * np.arange(depth, dtype=np.float32))[:, None, None]
    owners = {}
    for name in BONES_SHOWN[plane] if plane in CHANNELS else ():
        mask = seen == BONE_ID[name]
        count = mask.sum(0)
        owners[name] = np.where(
            count > 0, (mask * along).sum(0) / np.maximum(count, 1), np.nan
        ).astype(np.float32)
    return Slab(
        plane, image.astype(np.float32), owners, _hit_first(first), _hit_first(first[::-1]), to_px
    )


def _hit_first(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(depth, rows, columns) -> (rows, columns), the first nonzero label along the depth."""
    hit = (labels > 0).argmax(0)
    return np.asarray(np.take_along_axis(labels, hit[None], 0)[0], np.uint8)


def _view_to_foot(plane: Plane, near: float) -> Array:
    """(4, 4) view voxel (column, row, depth, 1) -> foot mm."""
    along = np.append(np.eye(3)[DEPTH[plane]], -near) / VIEW_MM
    return np.asarray(np.linalg.inv(np.stack([*view_geometry(plane)[1], along, [0, 0, 0, 1]])))


def _reach(
    labels: NDArray[np.uint8], foot_to_grid: AnyFloat, bones: list[int], axis: int
) -> tuple[float, float]:
    """First and last depth (foot mm) of the bones, with a margin of 3 mm."""
    to_foot = np.linalg.inv(foot_to_grid)
    at = np.argwhere(np.isin(labels[::2, ::2, ::2], bones))[:, ::-1] * 2.0
    if len(at) == 0:
        return -40.0, 40.0
    along = apply(to_foot, at)[:, axis]
    return float(along.min()) - 3.0, float(along.max()) + 3.0


def point_depth(slab_: Slab, name: str, pixel: Array, size: int = 2) -> float | None:
    """Depth (foot mm) of a view's point from the masks of its bones; None if one is not in view.

    pixel: (column, row). size: radius (px) in which a mask's depth is averaged.
    """
    depths = []
    for bone in OWNER[name]:
        owner = slab_.owners[bone]
        hits = np.argwhere(np.isfinite(owner))
        if len(hits) == 0:
            return None
        distance = ((hits - pixel[::-1]) ** 2).sum(1)
        near = hits[distance <= max(float(size**2), float(distance.min()))]
        depths.append(float(owner[near[:, 0], near[:, 1]].mean()))
    return sum(depths) / len(depths)
