"""Slab views: the volume seen along the foot's own axes, so that all points of an angle lie in one
picture. Shared with training.
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
# Foot frame (x medial, y anterior, z up, mm). Rows run from top down; columns from the toes back,
# or from lateral to medial.
TOP, BOTTOM, FRONT, BACK, WIDE = 156.0, -20.0, 228.0, -44.0, 72.0
ALONE_MM = 25.0  # thickness of bone that is white in the picture of some bones alone
BONES_SHOWN = {
    Plane.SAG: ("Tibia", "Talus", "Calcaneus", "1st Metatarsal", "5th Metatarsal"),
    Plane.COR: ("Tibia", "Talus", "Calcaneus"),
    Plane.AXL: (
        "Talus",
        "Calcaneus",
        "MidFoot",
        *(BONES[k - 1].name for k in RAYS),
    ),  # for the report: no network looks from above
}
# The bones whose axes and edges others hide, where all are seen at once
ALONE = {Plane.SAG: ("Talus", "1st Metatarsal"), Plane.COR: ("Talus",), Plane.AXL: ()}
DEPTH = {Plane.SAG: 0, Plane.COR: 1, Plane.AXL: 2}  # axis of the foot that a view looks along
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
# Network channels: each point once, with all the names that it has
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
    """image: float32 (VIEW_IMAGES, rows, columns), windowed HU as 0..1: along the view its mean,
    its maximum in the bones, and its sum over
    ALONE_MM in those of ALONE.

    owners: float32 per bone name (rows, columns), mean depth (foot mm along the view) of that bone
    on each ray, NaN where it is not hit; empty for a view that has no key points. labels: uint8
    (rows, columns), the bone that hides the others for an eye at the lateral side, behind, or
    above; far_labels: for an eye at the other end. to_px: (2, 4), foot mm -> (column, row).
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
    """Project a volume along the foot's x (sagittal view), y (coronal) or z (axial) through the
    bones that the view is about.

    hu, labels: (z, y, x) on one grid. foot_to_grid: (4, 4) foot frame mm -> grid voxel (x, y, z).
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
    # from above all is shown: the toes have no mask
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
    """(depth, rows, columns) -> (rows, columns), the first label along the depth that is not 0."""
    hit = (labels > 0).argmax(0)
    return np.asarray(np.take_along_axis(labels, hit[None], 0)[0], np.uint8)


def _view_to_foot(plane: Plane, near: float) -> Array:
    """(4, 4) view voxel (column, row, depth, 1) -> foot mm."""
    along = np.append(np.eye(3)[DEPTH[plane]], -near) / VIEW_MM
    return np.asarray(np.linalg.inv(np.stack([*view_geometry(plane)[1], along, [0, 0, 0, 1]])))


def _reach(
    labels: NDArray[np.uint8], foot_to_grid: AnyFloat, bones: list[int], axis: int
) -> tuple[float, float]:
    """First and last depth (foot mm) at which the bones lie."""
    to_foot = np.linalg.inv(foot_to_grid)
    at = np.argwhere(np.isin(labels[::2, ::2, ::2], bones))[:, ::-1] * 2.0
    if len(at) == 0:
        return -40.0, 40.0
    along = apply(to_foot, at)[:, axis]
    return float(along.min()) - 3.0, float(along.max()) + 3.0


def point_depth(slab_: Slab, name: str, pixel: Array, size: int = 2) -> float | None:
    """Depth (foot mm) of a point of the view from the masks of the bones it belongs to; None where
    one of them is not in view.
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
