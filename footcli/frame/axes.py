"""Find the foot frame from bone masks: medial, forward, up, the floor and the side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from footcli.domain import Side
from footcli.frame.masks import BoneMask, Inside, Labels, find_bones
from footcli.frame.register import HEEL, MIDDLE_MM, RAY1, RAY2, RAY5, heel_ends, rough
from footcli.geometry import Array, apply, unit
from footcli.text.lines import Line

# Base and head (medial, forward; mm) of each metatarsal in the mean foot of register.py. They give
# the forefoot's direction if the 2nd head is out of the field of view.
ENDS_MM: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    RAY1: ((16.0, 106.4), (26.8, 157.7)),
    RAY2: ((0.7, 100.0), (0.3, 159.3)),
    "3rd Metatarsal": ((-10.1, 96.1), (-14.0, 154.4)),
    "4th Metatarsal": ((-19.3, 87.6), (-28.3, 146.0)),
    RAY5: ((-30.7, 71.9), (-44.0, 131.3)),
}
# Fraction of a metatarsal's length that is its head; length of its base (a scan may show no more)
HEAD_SHARE, BASE_MM = (
    0.15,
    9.0,
)
LOW_SHARE = 0.35  # front fraction of a metatarsal searched for the lowest point of its head
PATCH_MM = 0.8  # points this close to the lowest make the lowest patch
RAY_SHARE = 0.55  # a metatarsal shorter than this fraction of the calcaneus is a fragment
FLOOR_TILT_DEG = 15.0  # a steeper plane through heel and heads is an error of the masks


@dataclass(frozen=True, slots=True, eq=False)
class FootFrame:
    """The foot frame, mm: x medial, y forward, z up, floor z = 0, origin at the heel contact.

    to_foot: float64 (4, 4), voxel (x, y, z, 1) -> foot frame mm. side: None if the masks cannot
    determine it. floor: "bones", the plane through heel and metatarsal heads; "horizontal", the
    horizontal plane of the image. bones: name -> the mask that the frame was computed from.
    """

    to_foot: Array
    side: Side | None
    floor: Literal["bones", "horizontal"]
    notices: tuple[Line, ...] = ()
    bones: Mapping[str, BoneMask] = field(default_factory=dict)


def foot_frame(
    labels: Labels,
    affine: Array,
    *,
    orientation_known: bool,
    weight_bearing: bool | None,
    inside: Inside | None = None,
) -> FootFrame:
    """Find the foot frame.

    labels: uint8 (z, y, x); affine: (4, 4) voxel -> LPS mm; inside: bool (z, y, x), voxels that
    hold data. If the orientation is unknown, up and down, front and back come from the bones, and
    the side is None. Raises InferenceError "no_bone_found" if too few bones are visible to
    distinguish front from back and medial from lateral.
    """
    bones = find_bones(labels, affine, inside)
    return frame_of(
        bones, affine, orientation_known=orientation_known, weight_bearing=weight_bearing
    )


def frame_of(
    bones: Mapping[str, BoneMask],
    affine: Array,
    *,
    orientation_known: bool,
    weight_bearing: bool | None,
) -> FootFrame:
    """As foot_frame, from the bones of `find_bones`."""
    points = {name: apply(affine, bone.surface) for name, bone in bones.items()}
    middles = {name: apply(affine, bone.inner).mean(0) for name, bone in bones.items()}
    axes, turned, notices = rough(middles, heel_ends(points, middles), orientation_known)
    axes, floor, floor_notices = _stand(axes, affine, bones, points)
    notices += floor_notices
    axes = _turn_forward(axes, affine, bones, points)
    if floor == "horizontal" and not weight_bearing:
        notices.append(Line("floor_assumed" if weight_bearing is None else "not_weight_bearing"))
    to_foot = np.eye(4)
    to_foot[:3] = axes @ affine[:3]
    to_foot[:3, 3] -= low_point(points.get(HEEL, np.concatenate(list(points.values()))) @ axes.T)
    side: Side | None = None
    if orientation_known and not turned and Line("side_uncertain") not in notices:
        side = "L" if np.linalg.det(axes) > 0 else "R"
    return FootFrame(to_foot, side, floor, tuple(notices), bones)


def low_point(points: Array, patch_mm: float = PATCH_MM) -> Array:
    """Centre of the points within `patch_mm` of the lowest, at the lowest height.

    points: (N, 3) mm, z up. Returns (3,).
    """
    lowest = points[:, 2].min()
    patch = points[points[:, 2] < lowest + patch_mm].mean(0)
    return np.array([patch[0], patch[1], lowest])


def _square(forward: Array, up: Array, like: Array) -> Array:
    """Orthonormal rows medial, forward, up: `up` is kept, `forward` made perpendicular to it, and
    medial is on the side that `like` has.
    """
    up = unit(up)
    forward = unit(forward - (forward @ up) * up)
    medial = np.cross(forward, up)
    return np.array([medial * np.sign(medial @ like[0]), forward, up])


def _stand(
    axes: Array,
    affine: Array,
    bones: Mapping[str, BoneMask],
    points: Mapping[str, Array],
) -> tuple[Array, Literal["bones", "horizontal"], list[Line]]:
    """Take as floor the plane through the lowest points of heel, 1st and 5th metatarsal heads.

    Needs all three in the field of view; otherwise the axes are unchanged.
    """
    if not _has_sole_in_view(axes, affine, bones, points):
        return axes, "horizontal", []
    upright = axes[2]
    for _ in range(3):
        parts = [points[HEEL], *(_end(points[n], axes[1], LOW_SHARE) for n in (RAY1, RAY5))]
        heel, first, last = (low_point(p @ axes.T) @ axes for p in parts)
        normal = np.cross(first - heel, last - heel)
        axes = _square(axes[1], normal * np.sign(normal @ axes[2]), axes)
        if axes[2] @ upright < np.cos(np.radians(FLOOR_TILT_DEG)):
            return _square(axes[1], upright, axes), "horizontal", [Line("floor_tilted")]
    return axes, "bones", []


def _has_sole_in_view(
    axes: Array, affine: Array, bones: Mapping[str, BoneMask], points: Mapping[str, Array]
) -> bool:
    """Whether heel, 1st and 5th metatarsal heads are in view and neither ray is a fragment."""
    to_foot = axes @ affine[:3, :3]
    if HEEL not in bones or "bottom" in bones[HEEL].cut(to_foot):
        return False
    least = RAY_SHARE * np.ptp(points[HEEL] @ axes[1])
    for name in (RAY1, RAY5):
        if name not in bones or np.ptp(points[name] @ axes[1]) <= least:
            return False
        if bones[name].cut(to_foot) & {"front", "bottom"}:
            return False
    return True


def _end(points: Array, direction: Array, share: float) -> Array:
    """The points in the last `share` of their extent along a direction."""
    along = points @ direction
    return np.asarray(points[along > along.max() - share * np.ptp(along)])


def _turn_forward(
    axes: Array, affine: Array, bones: Mapping[str, BoneMask], points: Mapping[str, Array]
) -> Array:
    """Rotate the axes about up so that forward runs from heel contact to 2nd metatarsal head.

    If that head is out of view, its position is estimated from the visible ends of the metatarsals.
    """
    to_foot = axes @ affine[:3, :3]
    if HEEL not in bones or "bottom" in bones[HEEL].cut(to_foot):
        return axes
    # position in the mean foot -> position in this foot, both (medial, forward)
    seen: dict[tuple[float, float], Array] = {}
    for name, (base, head) in ENDS_MM.items():
        cut = bones[name].cut(to_foot) if name in bones else frozenset({"front", "back"})
        if "front" not in cut:
            seen[head] = _end(points[name], axes[1], HEAD_SHARE).mean(0) @ axes[:2].T
        if "back" not in cut:
            along = points[name] @ axes[1]
            seen[base] = points[name][along < along.min() + BASE_MM].mean(0) @ axes[:2].T
    if "MidFoot" in bones and "front" not in bones["MidFoot"].cut(to_foot):
        seen[MIDDLE_MM["MidFoot"][:2]] = apply(affine, bones["MidFoot"].inner).mean(0) @ axes[:2].T
    target = seen.get(ENDS_MM[RAY2][1])
    if target is None and len(seen) >= 3:
        mean, here = np.array(list(seen)), np.array(list(seen.values()))
        target = _carry(mean, here, np.array(ENDS_MM[RAY2][1]))
    if target is None:
        return axes
    aim = target - (low_point(points[HEEL] @ axes.T))[:2]
    return _square(aim @ axes[:2], axes[2], axes)


def _carry(mean: Array, here: Array, wanted: Array) -> Array:
    """The position in this foot of a point of the mean foot.

    By the least-squares similarity transform (no reflection) between (N, 2) points of both.
    """
    a, b = (p - p.mean(0) for p in (mean, here))
    za, zb = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    turn = complex(za.conj() @ zb) / float(np.abs(za) @ np.abs(za))
    moved = complex(*(wanted - mean.mean(0))) * turn
    return np.asarray(here.mean(0) + np.array([moved.real, moved.imag]))
