"""An unloaded foot, turned in the ankle, its sole not flattened, as in scans of supine patients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from footcli.anatomy.surface import surface_points
from footcli.anatomy.template import Bone, distance
from footcli.geometry import Array, apply, rotation
from footcli.phantom.stance import X, ankle_axis
from footcli.phantom.subject import Spot, Subject

LEG = ("tibia", "fibula")
LEG_POINTS = ("HAA_Line1", "MTASA_Line1")  # landmarks on the tibia; the others move with the foot
PLAFOND_MM = 9.0  # radius about the plafond's centre in which the joint width is measured
MOST_SHIFT_MM = 6.0  # limit of the shift, which follows a joint surface that is no cylinder


def flexed(subject: Subject, plantar_deg: float) -> Subject:
    """The subject, unloaded, its foot turned toes down by plantar_deg about the talar dome's axis.

    Negative plantar_deg turns it up. Tibia and fibula stay; all other bones, landmarks, lesions and
    spots move rigidly. The foot then shifts along the leg until the ankle joint is as wide as
    before. `sole` of the result maps to the frame in which the sole was level.
    """
    turn, centre = rotation(X, -plantar_deg), ankle_axis(subject.bones)
    before = _joint_mm(subject.bones["tibia"], subject.bones["talus"])
    shift = np.zeros(3)
    for _ in range(3):
        width = _joint_mm(subject.bones["tibia"], subject.bones["talus"].moved(turn, centre, shift))
        shift[2] = np.clip(shift[2] + width - before, -MOST_SHIFT_MM, MOST_SHIFT_MM)
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = turn, centre - turn @ centre + shift
    bones = {
        name: bone if name in LEG else bone.moved(turn, centre, shift)
        for name, bone in subject.bones.items()
    }
    points = {
        k: p if k.startswith(LEG_POINTS) else apply(move, p) for k, p in subject.landmarks.items()
    }
    lesions = tuple(
        (k, r if k == "Ankle Arthritis" else r.moved(turn, move[:3, 3])) for k, r in subject.lesions
    )
    return replace(
        subject,
        bones=bones,
        landmarks=points,
        lesions=lesions,
        spots=tuple(_spots(subject.spots, move)),
        sole=subject.sole @ np.linalg.inv(move),
        loaded=False,
    )


def _joint_mm(tibia: Bone, talus: Bone) -> float:
    """Width of the ankle joint (mm) from plafond to talus where it is narrow; negative if overlap.

    The 10th percentile of the distance.
    """
    centre = tibia.point("plafond_centre")
    skin = surface_points(tibia)
    roof = skin[(np.hypot(*(skin - centre)[:, :2].T) < PLAFOND_MM) & (skin[:, 2] < centre[2] + 4.0)]
    local = ((roof if len(roof) else centre[None]) - talus.pos) @ talus.axes.T / talus.scale
    return float(np.quantile(distance(talus, local.T.astype(np.float32)), 0.1) * talus.scale.mean())


def _spots(spots: Iterable[Spot], move: Array) -> Iterable[Spot]:
    """Spots of the leg stay, those of the foot move; a spot in both is split in two.

    "osseous" in a spot's bones is a flag, not a bone.
    """
    for spot in spots:
        leg = tuple(name for name in spot.bones if name in LEG)
        rest = tuple(name for name in spot.bones if name not in LEG)
        if leg:
            yield replace(spot, bones=leg)
        if rest or not leg:
            yield replace(spot, bones=rest, region=spot.region.moved(move[:3, :3], move[:3, 3]))
