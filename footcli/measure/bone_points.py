"""Bones as point sets in the foot frame, and the reasons why a bone cannot give a landmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from footcli.frame.axes import FootFrame
from footcli.frame.register import long_axis
from footcli.geometry import Array, apply
from footcli.kinds import BONE
from footcli.text.lines import Line

SMALL_SIZE = 0.8  # of a small adult's foot, the mean foot's is 1
# The bones that the angles need, and the volume (mL) below which one is a fragment: about a third
# of a small adult's
LEAST_ML = {
    "Talus": 10.0,
    "Calcaneus": 18.0,
    "Tibia": 12.0,
    "1st Metatarsal": 3.5,
    "2nd Metatarsal": 2.0,
    "5th Metatarsal": 1.5,
}
# Bone -> its prefix in the codes of its ends in `text/words.toml`, such as `part.talus_front`
PART = {
    "Talus": "talus",
    "Calcaneus": "calcaneus",
    "Tibia": "tibia",
    "1st Metatarsal": "ray1",
    "2nd Metatarsal": "ray2",
    "5th Metatarsal": "ray5",
}
UNUSABLE = ("part_outside", "bone_in_part", "bone_absent")
"""Codes of reasons that leave a point's position unknown."""
RAYS_NEEDED = ("1st Metatarsal", "2nd Metatarsal", "5th Metatarsal")
# A metatarsal shorter than this share of the calcaneus is a fragment; the mean foot has 0.8 or more
RAY_SHARE = 0.55
Found = dict[str, Array | Line]  # point name -> foot frame (3,), or why it is missing


@dataclass(frozen=True, slots=True, eq=False)
class BonePoints:
    """A bone in the foot frame.

    solid: (N, 3) mm, points throughout the bone. surface: (M, 3) mm. cut: ends outside the scan.
    volume_ml: of its largest piece, a fragment below least_ml. share: that piece's share of the
    voxels with the bone's label. edge_mm: voxel edge.
    """

    solid: Array
    surface: Array
    cut: frozenset[str]
    volume_ml: float
    least_ml: float
    share: float
    edge_mm: float


def bones_in_frame(frame: FootFrame, size: float = 1.0) -> dict[str, BonePoints]:
    """The bones that the angles need, by name, without absent ones.

    size: of the foot, the mean foot's is 1: a child's bones are smaller, and no fragments.
    """
    found = {}
    smaller = min(1.0, size / SMALL_SIZE) ** 3
    for name, bone in frame.bones.items():
        if name in LEAST_ML:
            found[name] = BonePoints(
                solid=apply(frame.to_foot, bone.inner),
                surface=apply(frame.to_foot, bone.surface),
                cut=bone.cut(frame.to_foot),
                volume_ml=bone.volume_mm3 / 1000,
                least_ml=LEAST_ML[name] * smaller,
                share=bone.share,
                edge_mm=float(bone.size_mm.mean()),
            )
    return found


@dataclass(frozen=True, slots=True)
class Need:
    """What some points need: a bone and its ends that must be in view. points: their names."""

    bone: str
    ends: tuple[str, ...]
    points: tuple[str, ...]


def points_of(
    bones: Mapping[str, BonePoints], need: Need, make: Callable[[BonePoints], Found]
) -> Found:
    """Points of a bone, or one reason for all: it is absent, a fragment, or a needed end is cut."""
    bone = bones.get(need.bone)
    if bone is None:
        return dict.fromkeys(need.points, Line("bone_absent", bone=BONE[need.bone].word))
    reason = _why_unusable(bones, need)
    return make(bone) if reason is None else dict.fromkeys(need.points, reason)


def _why_unusable(bones: Mapping[str, BonePoints], need: Need) -> Line | None:
    """Why a bone that is present cannot give these points; None if it can."""
    name, bone = need.bone, bones[need.bone]
    for end in need.ends:
        if end in bone.cut:
            return Line("part_outside", part=Line(f"part.{PART[name]}_{end}"))
    short = (
        name in RAYS_NEEDED
        and "Calcaneus" in bones
        and _length(bone) < RAY_SHARE * _length(bones["Calcaneus"])
    )
    if short or bone.volume_ml < bone.least_ml:
        return Line("bone_in_part", bone=BONE[name].word, volume=bone.volume_ml)
    return None


def _length(bone: BonePoints) -> float:
    """Extent along the bone's long axis, mm."""
    return float(np.ptp(bone.surface @ long_axis(bone.solid)))


def length_shares(bone: BonePoints) -> Array:
    """(M,) position of surface points along the long axis: 0 at the back end, 1 at the front."""
    axis = long_axis(bone.solid)
    along = bone.surface @ (axis * np.sign(axis[1] or 1.0))
    return np.asarray((along - along.min()) / np.ptp(along))


def first_reason(*points: Array | Line) -> Line:
    """The first reason among some points; at least one of them must be a reason."""
    return next(point for point in points if isinstance(point, Line))
