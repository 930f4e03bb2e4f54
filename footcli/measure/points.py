"""Landmarks from bone masks: axes, extreme points and points of the registered mean bone.

Definitions: footcli/measure/ANGLES.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from footcli.angles import PLACES
from footcli.frame.axes import low_point
from footcli.geometry import Array
from footcli.kinds import landmark_names
from footcli.measure.ankle import joint_space_ends, plafond_edges, shaft_points
from footcli.measure.bone_points import (
    BonePoints,
    Found,
    Need,
    first_reason,
    length_shares,
    points_of,
)
from footcli.measure.mean_bone import Registered, register_bone
from footcli.text.lines import Line

_MEAN = {
    "Talus": "talus",
    "1st Metatarsal": "metatarsal1",
    "2nd Metatarsal": "metatarsal2",
    "Calcaneus": "calcaneus",
}  # bone -> its name in the mean foot's table
_OFF_FLOOR = np.array([1.0, 1.0, 0.0])
# Part of the foot -> its bone, the ends of it that must be in view, and the names of its points
_PARTS = {
    "talus": Need("Talus", ("front", "back"), ("body", "head", "centre")),
    "dome": Need("Talus", ("top", "front", "back"), ("medial", "lateral")),
    "heel": Need("Calcaneus", ("back", "bottom", "front"), ("tuberosity", "anterior", "contact")),
    "body": Need("Calcaneus", ("back", "front"), ("rear", "fore")),
    "ray": Need("1st Metatarsal", ("front", "back"), ("base", "head", "low")),
    "second": Need("2nd Metatarsal", ("front", "back"), ("base", "head")),
    "last": Need("5th Metatarsal", ("front",), ("low",)),
    "shaft": Need("Tibia", ("bottom",), ("upper", "lower")),
    "roof": Need("Tibia", ("bottom",), ("medial", "lateral")),
    "space": Need("Tibia", ("bottom",), tuple(PLACES)),
}

Toe = Callable[[Array, Array], "tuple[Array, Array] | Line"]


def key_points(bones: Mapping[str, BonePoints], toe: Toe | None = None) -> Found:
    """Landmark name, also of the further angles -> foot frame mm (3,), or why it is missing.

    toe: maps base and head of the 1st metatarsal to those of the big toe's first phalanx, which has
    no mask.
    """
    parts = _parts(bones)
    lines = {**_lines(parts), **_joint_spaces(parts["space"])}
    lines["HVA"] = (parts["ray"]["base"], parts["ray"]["head"], *_hallux(parts["ray"], toe))
    found: Found = {}
    for angle, points in lines.items():
        found |= dict(zip(landmark_names(angle), points, strict=True))
    return found


def _parts(bones: Mapping[str, BonePoints]) -> dict[str, Found]:
    """Part of the foot -> its points by name."""
    registered = cache(lambda name: register_bone(_MEAN[name], bones[name].surface))

    def take(part: str, make: Callable[[BonePoints], Found]) -> Found:
        return points_of(bones, _PARTS[part], make)

    dome = take("dome", lambda _: _dome(registered("Talus")))
    talus = bones.get("Talus")
    return {
        "talus": take("talus", lambda bone: _talus(bone, registered("Talus"))),
        "dome": dome,
        "heel": take("heel", _calcaneus),
        "body": take("body", lambda _: _heel_axis(registered("Calcaneus"))),
        "ray": take("ray", lambda bone: _ray(bone, registered("1st Metatarsal"))),
        "second": take("second", lambda _: _axis(registered("2nd Metatarsal"))),
        "last": take("last", _ball),
        "shaft": take("shaft", lambda tibia: shaft_points(tibia, dome)),
        "roof": take("roof", lambda tibia: plafond_edges(tibia, dome)),
        "space": take("space", lambda tibia: joint_space_ends(tibia, talus, dome)),
    }


def _lines(parts: Mapping[str, Found]) -> dict[str, tuple[Array | Line, ...]]:
    """Angle -> the four points of its two lines."""
    talus, dome, heel, body = (parts[name] for name in ("talus", "dome", "heel", "body"))
    ray, second, last = (parts[name] for name in ("ray", "second", "last"))
    talar = (talus["body"], talus["head"])
    pitch = (heel["tuberosity"], heel["anterior"])
    first = (ray["base"], ray["head"])
    tibial = (parts["shaft"]["upper"], parts["shaft"]["lower"])
    across = (dome["medial"], dome["lateral"])
    roof = (parts["roof"]["medial"], parts["roof"]["lateral"])
    return {
        "CPA": (*pitch, *_floor(heel["contact"], ray["low"], last["low"])),
        "TMA": (*talar, *first),
        "TCA": (*talar, *pitch),
        "HAA": (*tibial, talus["centre"], heel["contact"]),
        "MTASA": (*tibial, *across),
        "MTASA_B": (*tibial, *roof),
        "TT": (*roof, *across),
        "TCA_AP": (*talar, body["rear"], body["fore"]),
        "IMA": (*first, second["base"], second["head"]),
        "FAO": _offset(heel["contact"], ray["low"], last["low"], dome),
    }


def _joint_spaces(space: Found) -> dict[str, tuple[Array | Line, ...]]:
    """Joint space -> its two ends twice, as both lines, or the reason four times."""
    lines: dict[str, tuple[Array | Line, ...]] = {}
    for name, ends in space.items():
        lines[name] = (ends,) * 4 if isinstance(ends, Line) else (*ends, *ends)
    return lines


def _talus(bone: BonePoints, registered: Registered) -> Found:
    return {
        "body": registered.point("body_centre"),
        "head": registered.point("head_centre"),
        "centre": bone.solid.mean(0),
    }


def _calcaneus(bone: BonePoints) -> Found:
    share = length_shares(bone)
    back, front = bone.surface[share < 0.45], bone.surface[share > 0.72]
    return {
        "tuberosity": low_point(back),
        "anterior": low_point(front),
        "contact": low_point(bone.surface),
    }


def _heel_axis(registered: Registered) -> Found:
    return {
        "rear": registered.point("tuberosity_centre"),
        "fore": registered.point("cuboid_facet_centre"),
    }


def _axis(registered: Registered) -> Found:
    return {"base": registered.point("base_centre"), "head": registered.point("head_centre")}


def _ray(bone: BonePoints, registered: Registered) -> Found:
    return {**_axis(registered), **_ball(bone)}


def _ball(bone: BonePoints) -> Found:
    """The lowest point of a metatarsal's head."""
    return {"low": low_point(bone.surface[length_shares(bone) > 0.65])}


def _dome(registered: Registered) -> Found:
    """Medial and lateral edge of the talar dome."""
    return {
        "medial": registered.point("dome_medial_edge"),
        "lateral": registered.point("dome_lateral_edge"),
    }


def _hallux(ray: Found, toe: Toe | None) -> tuple[Array | Line, Array | Line]:
    """Base and head of the big toe's first phalanx."""
    base, head = ray["base"], ray["head"]
    if isinstance(base, Line) or isinstance(head, Line):
        return (first_reason(base, head),) * 2
    found = Line("toes_not_sought") if toe is None else toe(base, head)
    return (found, found) if isinstance(found, Line) else found


def _offset(
    heel: Array | Line, first: Array | Line, last: Array | Line, dome: Found
) -> tuple[Array | Line, ...]:
    """FAO's points on the floor: heel, middle of the metatarsal heads, dome centre, projection.

    The last is the dome centre projected to the line from the heel to the heads.
    """
    medial, lateral = dome["medial"], dome["lateral"]
    back, front = _floor(heel, first, last)
    if (
        isinstance(back, Line)
        or isinstance(front, Line)
        or isinstance(medial, Line)
        or isinstance(lateral, Line)
    ):
        return (first_reason(back, front, medial, lateral),) * 4
    centre, line = (medial + lateral) / 2 * _OFF_FLOOR, front - back
    return back, front, centre, back + line * float((centre - back) @ line / (line @ line))


def _floor(
    heel: Array | Line, first: Array | Line, last: Array | Line
) -> tuple[Array | Line, Array | Line]:
    """Two floor points: below the heel contact, and below the middle of 1st and 5th head."""
    start = heel if isinstance(heel, Line) else heel * _OFF_FLOOR
    if isinstance(first, Line) or isinstance(last, Line):
        return start, first if isinstance(first, Line) else last
    return start, (first + last) / 2 * _OFF_FLOOR
