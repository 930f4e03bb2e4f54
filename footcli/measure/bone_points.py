"""Bones as points in the foot frame, and why one of them cannot give a point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from footcli.frame.axes import FootFrame
from footcli.frame.register import long_axis
from footcli.geometry import Array, apply
from footcli.kinds import BONE
from footcli.text.lines import Line

# The bones that the angles need: less than this (mL) is a fragment. About a third of a small
# adult's.
LEAST_ML = {
    "Talus": 10.0,
    "Calcaneus": 18.0,
    "Tibia": 12.0,
    "1st Metatarsal": 3.5,
    "2nd Metatarsal": 2.0,
    "5th Metatarsal": 1.5,
}
# Bone -> the part of `text/words.toml` that one of its ends is: `part.talus_front`.
PART = {
    "Talus": "talus",
    "Calcaneus": "calcaneus",
    "Tibia": "tibia",
    "1st Metatarsal": "ray1",
    "2nd Metatarsal": "ray2",
    "5th Metatarsal": "ray5",
}
UNUSABLE = ("part_outside", "bone_in_part", "bone_absent")
"""Codes of reasons after which nobody can tell where a point lies."""
RAYS_NEEDED = ("1st Metatarsal", "2nd Metatarsal", "5th Metatarsal")
# a metatarsal shorter than this part of the calcaneus is a fragment; in the mean foot it is 0.8 and
# more
RAY_SHARE = 0.55
Found = dict[str, Array | Line]  # point name -> foot frame (3,), or why it is missing


@dataclass(frozen=True, slots=True, eq=False)
class BonePoints:
    """A bone in the foot frame (mm): points all through it (N, 3) and on its surface (M, 3), where
    it is cut off.

    volume_ml: of its largest piece. share: that piece's part of all voxels with the bone's label.
    edge_mm: of a voxel.
    """

    solid: Array
    surface: Array
    cut: frozenset[str]
    volume_ml: float
    share: float
    edge_mm: float


def bones_in_frame(frame: FootFrame) -> dict[str, BonePoints]:
    """The bones that the angles need, by name; absent ones are left out."""
    found = {}
    for name, bone in frame.bones.items():
        if name in LEAST_ML:
            found[name] = BonePoints(
                solid=apply(frame.to_foot, bone.inner),
                surface=apply(frame.to_foot, bone.surface),
                cut=bone.cut(frame.to_foot),
                volume_ml=bone.volume_mm3 / 1000,
                share=bone.share,
                edge_mm=float(bone.size_mm.mean()),
            )
    return found


@dataclass(frozen=True, slots=True)
class Need:
    """What some points need: a bone, and the ends of it that must be in view; their names."""

    bone: str
    ends: tuple[str, ...]
    points: tuple[str, ...]


def points_of(
    bones: Mapping[str, BonePoints], need: Need, make: Callable[[BonePoints], Found]
) -> Found:
    """Points of a bone, or the same reason for all: it is not there, or an end that they need is
    cut off.
    """
    bone = bones.get(need.bone)
    if bone is None:
        return dict.fromkeys(need.points, Line("bone_absent", bone=BONE[need.bone].word))
    reason = _why_unusable(bones, need)
    return make(bone) if reason is None else dict.fromkeys(need.points, reason)


def _why_unusable(bones: Mapping[str, BonePoints], need: Need) -> Line | None:
    """Why a bone that is there cannot give these points; None if it can."""
    name, bone = need.bone, bones[need.bone]
    for end in need.ends:
        if end in bone.cut:
            return Line("part_outside", part=Line(f"part.{PART[name]}_{end}"))
    short = (
        name in RAYS_NEEDED
        and "Calcaneus" in bones
        and _length(bone) < RAY_SHARE * _length(bones["Calcaneus"])
    )
    if short or bone.volume_ml < LEAST_ML[name]:
        return Line("bone_in_part", bone=BONE[name].word, volume=bone.volume_ml)
    return None


def _length(bone: BonePoints) -> float:
    """Extent along the bone's long axis, mm."""
    return float(np.ptp(bone.surface @ long_axis(bone.solid)))


def length_shares(bone: BonePoints) -> Array:
    """(M,) place of each surface point along the bone's long axis, 0 at its back end, 1 at its
    front end.
    """
    axis = long_axis(bone.solid)
    along = bone.surface @ (axis * np.sign(axis[1] or 1.0))
    return np.asarray((along - along.min()) / np.ptp(along))


def first_reason(*points: Array | Line) -> Line:
    """The first of some points' reasons; at least one of them has none but a reason."""
    return next(point for point in points if isinstance(point, Line))
