"""The foot's own axes, read from bone masks: which way is up, forward, medial; where the floor is; which side it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.domain import Notice, Side
from footcli.errors import InferenceError
from footcli.geometry import Array, apply, unit
from footcli.names import BONE_ID, BONES

PATCH_MM = 1.2  # points this close to the lowest count as the lowest patch
END_SHARE = 0.15  # share of a metatarsal's length that is its head
CUT_REACH_MM = 1.6  # a mask this close to the end of the data ends there, not at the bone's own surface
CUT_SHARE = 0.004  # share of a bone's voxels at the end of the data from which it counts as cut
HEEL = "Calcaneus"
Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class FootFrame:
    """to_foot: float64 (4, 4), voxel (x, y, z, 1) -> foot frame mm: x medial, y forward, z up, floor z = 0, origin at the heel.

    side: None where masks alone cannot tell. floor: "bones", the plane through heel and metatarsal heads; "horizontal", the image's own.
    """

    to_foot: Array
    side: Side | None
    floor: Literal["bones", "horizontal"]
    notices: tuple[Notice, ...] = ()


def bone_points(labels: Labels, limit: int = 60_000) -> dict[str, Array]:
    """Bone name -> (N, 3) voxel (x, y, z) of its largest piece, thinned to about `limit` points; absent bones are left out."""
    found: dict[str, Array] = {}
    for bone, box in zip(BONES, ndimage.find_objects(labels, max_label=len(BONES)), strict=False):
        if box is None:
            continue
        mask = labels[box] == BONE_ID[bone.name]
        if bone.name != "MidFoot":
            pieces, count = ndimage.label(mask)
            if count > 1:
                mask = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
        step = max(1, int((mask.sum() / limit) ** (1 / 3)))
        at = np.argwhere(mask[::step, ::step, ::step]) * step + np.array([s.start for s in box])
        if len(at):
            found[bone.name] = at[:, ::-1].astype(np.float64)
    return found


def low_point(points: Array, patch_mm: float = PATCH_MM) -> Array:
    """Middle of the points within `patch_mm` of the lowest, at the lowest height. (N, 3), z up -> (3,)."""
    lowest = points[:, 2].min()
    patch = points[points[:, 2] < lowest + patch_mm].mean(0)
    return np.array([patch[0], patch[1], lowest])


def foot_frame(
    labels: Labels, affine: Array, *, orientation_known: bool, weight_bearing: bool | None, inside: NDArray[np.bool_] | None = None,
) -> FootFrame:  # fmt: skip
    """Find the frame. labels: uint8 (z, y, x); affine: voxel -> LPS mm; inside: bool (z, y, x), voxels that hold data.

    Raises InferenceError "no_bone_found" where heel bone, or both talus and tibia, are missing.
    """
    voxels = bone_points(labels)
    points = {name: apply(affine, at) for name, at in voxels.items()}
    if HEEL not in points or not {"Talus", "Tibia"} & points.keys():
        raise InferenceError("no_bone_found", "heel bone and talus or tibia were not found: nothing can be measured without them")
    middle = {name: p.mean(0) for name, p in points.items()}
    up = np.array([0.0, 0.0, 1.0])
    if not orientation_known:
        above = middle.get("Talus", middle.get("Tibia", middle[HEEL]))
        up = unit(affine[:3, 2]) * np.sign((above - middle[HEEL]) @ affine[:3, 2] or 1.0)
    cut = {name: bool(_end_voxels(labels, BONE_ID[name], affine, inside).size) for name in ("1st Metatarsal", "2nd Metatarsal", "5th Metatarsal")}
    forward = _forward(points, middle, up, cut)
    medial = _medial(middle, forward, up)
    heel = low_point(points[HEEL] @ np.stack([medial, forward, up]).T)
    floor: Literal["bones", "horizontal"] = "horizontal"
    notices: list[Notice] = []
    heads = [_head(points[n], forward) for n in ("1st Metatarsal", "5th Metatarsal") if n in points and not cut[n]]
    if len(heads) == 2:
        axes = np.stack([medial, forward, up])
        a, b, c = heel @ axes, low_point(heads[0] @ axes.T) @ axes, low_point(heads[1] @ axes.T) @ axes
        normal = unit(np.cross(b - a, c - a))
        up, floor = normal * np.sign(normal @ up), "bones"
        forward = unit(forward - (forward @ up) * up)
        medial = np.cross(forward, up) * np.sign(np.cross(forward, up) @ medial)
        heel = low_point(points[HEEL] @ np.stack([medial, forward, up]).T)
    elif weight_bearing is None:
        notices.append(Notice("floor_assumed", "the image's horizontal is taken as the floor, but the files do not say that the patient stood"))
    axes = np.stack([medial, forward, up])
    to_foot = np.eye(4)
    to_foot[:3, :3] = axes @ affine[:3, :3]
    to_foot[:3, 3] = axes @ affine[:3, 3] - heel
    side: Side | None = None
    if orientation_known:
        side = "L" if np.cross(forward, up) @ medial > 0 else "R"
    return FootFrame(to_foot, side, floor, tuple(notices))


def _head(points: Array, forward: Array) -> Array:
    along = points @ forward
    return points[along > along.max() - END_SHARE * np.ptp(along)]


def _forward(points: Mapping[str, Array], middle: Mapping[str, Array], up: Array, cut: Mapping[str, bool]) -> Array:
    """From the back of the heel to the 2nd metatarsal's head, or what of that ray is in view; level."""
    ray, fallback = "2nd Metatarsal", next((n for n in ("MidFoot", "Talus", "Tibia") if n in middle), HEEL)
    rough = _level(middle.get(ray, middle[fallback]) - middle[HEEL], up)
    back = points[HEEL][points[HEEL] @ rough < np.quantile(points[HEEL] @ rough, 0.15)].mean(0)
    if ray in points and not cut[ray]:
        target = _head(points[ray], rough).mean(0)
    elif ray in points:  # bases of 2nd and 3rd lie beside the line to the head, one on each side
        ends = [points[n] for n in (ray, "3rd Metatarsal") if n in points]
        target = np.mean([p[p @ rough < np.quantile(p @ rough, 0.3)].mean(0) for p in ends], axis=0)
    else:
        target = middle[fallback]
    return _level(target - back, up)


def _level(vector: Array, up: Array) -> Array:
    return unit(vector - (vector @ up) * up)


def _medial(middle: Mapping[str, Array], forward: Array, up: Array) -> Array:
    """Sideways, towards the other foot: fibula to tibia, 5th to 1st metatarsal, both where both are there."""
    across = np.cross(forward, up)
    votes = 0.0
    for lateral, medial in (("Fibula", "Tibia"), ("5th Metatarsal", "1st Metatarsal"), ("4th Metatarsal", "2nd Metatarsal")):
        if lateral in middle and medial in middle:
            votes += float((middle[medial] - middle[lateral]) @ across)
    if votes == 0.0:
        raise InferenceError("side_unknown", "neither fibula nor metatarsals were found, so medial and lateral cannot be told apart")
    return across * np.sign(votes)


def _end_voxels(labels: Labels, bone: int, affine: Array, inside: NDArray[np.bool_] | None) -> Array:
    """(N, 3) voxels (x, y, z) of a bone that lie where the data end; empty if too few to matter."""
    boxes = ndimage.find_objects(labels, max_label=bone)
    box = boxes[bone - 1] if len(boxes) >= bone else None
    if box is None:
        return np.empty((0, 3))
    reach = np.maximum(1, np.ceil(CUT_REACH_MM / np.linalg.norm(affine[:3, :3], axis=0)[::-1]).astype(int))
    grown = tuple(slice(max(0, s.start - r), min(n, s.stop + r)) for s, r, n in zip(box, reach, labels.shape, strict=True))
    mask = labels[grown] == bone
    at_end = np.zeros_like(mask)
    for axis, (s, r, n) in enumerate(zip(grown, reach, labels.shape, strict=True)):
        index = np.arange(s.start, s.stop)
        edge = (index < r) | (index >= n - r)
        at_end |= mask & edge.reshape([-1 if a == axis else 1 for a in range(3)])
    if inside is not None:
        at_end |= mask & ndimage.binary_dilation(~inside[grown], iterations=int(reach.max()))
    at = np.argwhere(at_end)
    if len(at) < max(10, CUT_SHARE * mask.sum()):
        return np.empty((0, 3))
    return (at + np.array([s.start for s in grown]))[:, ::-1].astype(np.float64)


def cut_sides(labels: Labels, bone: int, frame: FootFrame, affine: Array, inside: NDArray[np.bool_] | None = None) -> frozenset[str]:
    """At which of its ends (front, back, top, bottom, medial, lateral) a bone leaves the data; empty if it is whole."""
    ends = _end_voxels(labels, bone, affine, inside)
    if not len(ends):
        return frozenset()
    name = BONES[bone - 1].name
    points = apply(frame.to_foot, bone_points(labels)[name])
    middle, half = (points.min(0) + points.max(0)) / 2, np.ptp(points, axis=0) / 2 + 1e-6
    offset = (apply(frame.to_foot, ends) - middle) / half
    words = (("lateral", "medial"), ("back", "front"), ("bottom", "top"))
    main = np.abs(offset).argmax(1)
    found = set()
    for axis in range(3):
        for sign in (0, 1):
            if ((main == axis) & ((offset[:, axis] > 0) == bool(sign))).mean() > 0.2:
                found.add(words[axis][sign])
    return frozenset(found)
