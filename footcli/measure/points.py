"""Key points from bone masks: axes, extreme points and those of the mean bone, after the
definitions in footcli/phantom/truth.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from footcli.angles import PLACES, SHAFT_RIM_MM, SHAFT_TOP_MM
from footcli.frame.axes import FootFrame, long_axis, low_point
from footcli.geometry import Array, apply
from footcli.kinds import BONE, landmark_names
from footcli.measure.joint_space import joint_spaces
from footcli.measure.mean_bone import TIBIA_END_MM, Laid, lay
from footcli.text.lines import Line

PLAFOND_MM = 5.0  # radius about the dome's middle in which the plafond's height is read
SHAFT_LOW_SHARE, SHAFT_LOW_MM = (
    0.4,
    10.0,
)  # height of the lower level, as a share of the upper one's, at least: above the malleolus' root
LEAST_SHAFT_MM = 22.0  # a shorter piece of shaft has no axis
LEAST_SURFACE = 100  # points of the tibia's lower end from which its plafond can be told
# half thickness of the section in which a shaft's middle is taken; points count less towards its
# faces
LEVEL_MM = 3.0
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
GAP_MM = 3.0  # from the talar dome up to the plafond, roughly
_MEAN = {
    "Talus": "talus",
    "1st Metatarsal": "metatarsal1",
    "2nd Metatarsal": "metatarsal2",
    "Calcaneus": "calcaneus",
}  # bone -> its name in the mean foot's table
_OFF_FLOOR = np.array([1.0, 1.0, 0.0])

Toe = Callable[[Array, Array], "tuple[Array, Array] | Line"]
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
    return {
        name: BonePoints(
            apply(frame.to_foot, b.inner),
            apply(frame.to_foot, b.surface),
            b.cut(frame.to_foot),
            b.volume_mm3 / 1000,
            b.share,
            float(b.size_mm.mean()),
        )
        for name, b in frame.bones.items()
        if name in LEAST_ML
    }


def key_points(bones: Mapping[str, BonePoints], toe: Toe | None = None) -> Found:
    """LANDMARKS names, and those of the further angles, -> foot frame point, or the reason why
    there is none.

    toe: from base and head of the 1st metatarsal to those of the big toe's first phalanx, which has
    no mask.
    """
    laid = cache(lambda name: lay(_MEAN[name], bones[name].surface))
    talus = _of(
        bones,
        "Talus",
        ("front", "back"),
        ("body", "head", "centre"),
        lambda b: _talus(b, laid("Talus")),
    )
    dome = _of(
        bones,
        "Talus",
        ("top", "front", "back"),
        ("medial", "lateral"),
        lambda b: _dome(laid("Talus")),
    )
    heel = _of(
        bones,
        "Calcaneus",
        ("back", "bottom", "front"),
        ("tuberosity", "anterior", "contact"),
        _calcaneus,
    )
    body = _of(
        bones,
        "Calcaneus",
        ("back", "front"),
        ("rear", "fore"),
        lambda b: _heel_axis(laid("Calcaneus")),
    )
    ray = _of(
        bones,
        "1st Metatarsal",
        ("front", "back"),
        ("base", "head", "low"),
        lambda b: _ray(b, laid("1st Metatarsal")),
    )
    second = _of(
        bones,
        "2nd Metatarsal",
        ("front", "back"),
        ("base", "head"),
        lambda b: _axis(laid("2nd Metatarsal")),
    )
    last = _of(bones, "5th Metatarsal", ("front",), ("low",), _ball)
    shaft = _of(bones, "Tibia", ("bottom",), ("upper", "lower"), lambda tibia: _shaft(tibia, dome))
    roof = _of(
        bones, "Tibia", ("bottom",), ("medial", "lateral"), lambda tibia: _plafond(tibia, dome)
    )
    space = _of(
        bones,
        "Tibia",
        ("bottom",),
        tuple(PLACES),
        lambda tibia: _spaces(tibia, bones.get("Talus"), dome),
    )
    hallux = _hallux(ray, toe)
    lines = {
        "CPA": (
            heel["tuberosity"],
            heel["anterior"],
            *_floor(heel["contact"], ray["low"], last["low"]),
        ),
        "TMA": (talus["body"], talus["head"], ray["base"], ray["head"]),
        "TCA": (talus["body"], talus["head"], heel["tuberosity"], heel["anterior"]),
        "HAA": (shaft["upper"], shaft["lower"], talus["centre"], heel["contact"]),
        "MTASA": (shaft["upper"], shaft["lower"], dome["medial"], dome["lateral"]),
        "MTASA_B": (shaft["upper"], shaft["lower"], roof["medial"], roof["lateral"]),
        "TT": (roof["medial"], roof["lateral"], dome["medial"], dome["lateral"]),
        "TCA_AP": (talus["body"], talus["head"], body["rear"], body["fore"]),
        "HVA": (ray["base"], ray["head"], *hallux),
        "IMA": (ray["base"], ray["head"], second["base"], second["head"]),
        "FAO": _offset(heel["contact"], ray["low"], last["low"], dome),
    }
    lines |= {
        name: (ends,) * 4 if isinstance(ends, Line) else (*ends, *ends)
        for name, ends in space.items()
    }
    found: Found = {}
    for angle, points in lines.items():
        found |= dict(zip(landmark_names(angle), points, strict=True))
    return found


def _of(
    bones: Mapping[str, BonePoints],
    name: str,
    ends: tuple[str, ...],
    keys: tuple[str, ...],
    make: Callable[[BonePoints], Found],
) -> Found:
    """Points of a bone, or the same reason for all: it is not there, or an end that they need is
    cut off.
    """
    bone = bones.get(name)
    if bone is None:
        return dict.fromkeys(keys, Line("bone_absent", bone=BONE[name].word))
    for end in ends:
        if end in bone.cut:
            return dict.fromkeys(keys, Line("part_outside", part=Line(f"part.{PART[name]}_{end}")))
    short = (
        name in RAYS_NEEDED
        and "Calcaneus" in bones
        and _length(bone) < RAY_SHARE * _length(bones["Calcaneus"])
    )
    if short or bone.volume_ml < LEAST_ML[name]:
        reason = Line("bone_in_part", bone=BONE[name].word, volume=bone.volume_ml)
        return dict.fromkeys(keys, reason)
    return make(bone)


def _length(bone: BonePoints) -> float:
    """Extent along the bone's long axis, mm."""
    return float(np.ptp(bone.surface @ long_axis(bone.solid)))


def _shares(bone: BonePoints) -> Array:
    """(M,) place of each surface point along the bone's long axis, 0 at its back end, 1 at its
    front end.
    """
    axis = long_axis(bone.solid)
    along = bone.surface @ (axis * np.sign(axis[1] or 1.0))
    return np.asarray((along - along.min()) / np.ptp(along))


def _talus(bone: BonePoints, laid: Laid) -> Found:
    return {
        "body": laid.point("body_centre"),
        "head": laid.point("head_centre"),
        "centre": bone.solid.mean(0),
    }


def _calcaneus(bone: BonePoints) -> Found:
    share = _shares(bone)
    back, front = bone.surface[share < 0.45], bone.surface[share > 0.72]
    return {
        "tuberosity": low_point(back),
        "anterior": low_point(front),
        "contact": low_point(bone.surface),
    }


def _heel_axis(laid: Laid) -> Found:
    return {"rear": laid.point("tuberosity_centre"), "fore": laid.point("cuboid_facet_centre")}


def _axis(laid: Laid) -> Found:
    return {"base": laid.point("base_centre"), "head": laid.point("head_centre")}


def _ray(bone: BonePoints, laid: Laid) -> Found:
    return {**_axis(laid), **_ball(bone)}


def _ball(bone: BonePoints) -> Found:
    """The lowest point of a metatarsal's head."""
    return {"low": low_point(bone.surface[_shares(bone) > 0.65])}


def _dome(laid: Laid) -> Found:
    """Medial and lateral edge of the talar dome."""
    return {"medial": laid.point("dome_medial_edge"), "lateral": laid.point("dome_lateral_edge")}


def _plafond(tibia: BonePoints, dome: Found) -> Found:
    """Medial and lateral edge of the tibial plafond."""
    medial, lateral = dome["medial"], dome["lateral"]
    if isinstance(medial, Line) or isinstance(lateral, Line):
        return dict.fromkeys(("medial", "lateral"), _reason(medial, lateral))
    end = tibia.surface[tibia.surface[:, 2] < (medial[2] + lateral[2]) / 2 + GAP_MM + TIBIA_END_MM]
    if np.ptp(tibia.surface[:, 2]) < TIBIA_END_MM or len(end) < LEAST_SURFACE:
        return dict.fromkeys(
            ("medial", "lateral"),
            Line("plafond_short"),
        )
    laid = lay("tibia", end)
    return {
        "medial": laid.point("plafond_medial_edge"),
        "lateral": laid.point("plafond_lateral_edge"),
    }


def _spaces(tibia: BonePoints, talus: BonePoints | None, dome: Found) -> Found:
    """Ends of the joint space on tibia and talus (2, 3), at its three places."""
    medial, lateral = dome["medial"], dome["lateral"]
    if isinstance(medial, Line) or isinstance(lateral, Line) or talus is None:
        return dict.fromkeys(PLACES, _reason(medial, lateral))
    found = joint_spaces(tibia.surface, talus.surface, tibia.edge_mm, medial, lateral)
    return {name: Line("tibia_off_talus") if ends is None else ends for name, ends in found.items()}


def _reason(*points: Array | Line) -> Line:
    """The first of some points' reasons; at least one of them has none but a reason."""
    return next(point for point in points if isinstance(point, Line))


def _hallux(ray: Found, toe: Toe | None) -> tuple[Array | Line, Array | Line]:
    """Base and head of the big toe's first phalanx."""
    base, head = ray["base"], ray["head"]
    if isinstance(base, Line) or isinstance(head, Line):
        return (_reason(base, head),) * 2
    found = Line("toes_not_sought") if toe is None else toe(base, head)
    return (found, found) if isinstance(found, Line) else found


def _offset(
    heel: Array | Line, first: Array | Line, last: Array | Line, dome: Found
) -> tuple[Array | Line, ...]:
    """From the heel to the middle of the metatarsal heads, on the floor; the dome's middle above,
    and the point of that line beside it.
    """
    medial, lateral = dome["medial"], dome["lateral"]
    back, front = _floor(heel, first, last)
    if (
        isinstance(back, Line)
        or isinstance(front, Line)
        or isinstance(medial, Line)
        or isinstance(lateral, Line)
    ):
        return (_reason(back, front, medial, lateral),) * 4
    centre, line = (medial + lateral) / 2 * _OFF_FLOOR, front - back
    return back, front, centre, back + line * float((centre - back) @ line / (line @ line))


def _shaft(tibia: BonePoints, dome: Found) -> Found:
    """Middles of the tibia's section at two heights above the plafond."""
    keys = ("upper", "lower")
    medial, lateral = dome["medial"], dome["lateral"]
    if isinstance(medial, Line) or isinstance(lateral, Line):
        return dict.fromkeys(keys, _reason(medial, lateral))
    middle = (medial + lateral) / 2
    over = tibia.surface[np.hypot(*(tibia.surface[:, :2] - middle[:2]).T) < PLAFOND_MM]
    if not len(over):
        return dict.fromkeys(keys, Line("tibia_off_talus"))
    roof = float(over[:, 2].min())
    upper = min(SHAFT_TOP_MM, float(tibia.surface[:, 2].max()) - roof - SHAFT_RIM_MM)
    if upper < LEAST_SHAFT_MM:
        return dict.fromkeys(keys, Line("shaft_short"))
    found: Found = {}
    for name, height in zip(keys, (upper, max(SHAFT_LOW_SHARE * upper, SHAFT_LOW_MM)), strict=True):
        weight = np.maximum(0.0, LEVEL_MM - np.abs(tibia.solid[:, 2] - roof - height))
        found[name] = (
            np.average(tibia.solid, axis=0, weights=weight) if weight.any() else Line("shaft_gap")
        )
    return found


def _floor(
    heel: Array | Line, first: Array | Line, last: Array | Line
) -> tuple[Array | Line, Array | Line]:
    """Two points of the floor: under the heel contact, and under the middle between 1st and 5th
    metatarsal heads.
    """
    start = heel if isinstance(heel, Line) else heel * _OFF_FLOOR
    if isinstance(first, Line) or isinstance(last, Line):
        return start, first if isinstance(first, Line) else last
    return start, (first + last) / 2 * _OFF_FLOOR
