"""Whether a lesion's box lies where its kind of lesion can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from footcli.domain import Lesion
from footcli.frame.axes import FootFrame
from footcli.geometry import Array, apply
from footcli.measure.bone_points import Found
from footcli.text.lines import Line

# Largest distances (mm) of a box's centre, beyond half of its shorter edge
DOME_MM = 3.0  # osteochondral lesion: from the surface of the talar dome
DOME_BELOW_MM = 6.0  # the dome's surface reaches this far below its edges
TUBEROSITY_MM = 15.0  # accessory navicular: from the tuberosity of the navicular
BETWEEN_MM = 4.0  # coalition: from each of two bones
JOINT_MM = 8.0  # arthritis: from tibia and from talus
TOE_JOINT_MM = 15.0  # hallux valgus: from the head of the 1st metatarsal
BACK_SHARE = 0.35  # of the midfoot's length that is the navicular
FUSABLE = (("Talus", "Calcaneus"), ("Calcaneus", "MidFoot"), ("Talus", "MidFoot"))

Place = Callable[["Site", Array], float | None]


class Site:
    """Distances (mm, foot frame) from a point to the bones of one foot.

    frame: with its bones; found: landmarks from the masks.
    """

    def __init__(self, frame: FootFrame, found: Found) -> None:
        self.found = found
        self._frame = frame
        self._trees: dict[str, cKDTree] = {}

    def surface(self, bone: str) -> Array | None:
        """(N, 3) surface of a bone, foot mm; None if it is not there."""
        mask = self._frame.bones.get(bone)
        return None if mask is None else apply(self._frame.to_foot, mask.surface)

    def to_bone(self, bone: str, at: Array) -> float | None:
        """Distance to a bone's surface; None without the bone."""
        if bone not in self._trees:
            skin = self.surface(bone)
            if skin is None:
                return None
            self._trees[bone] = cKDTree(skin)
        return float(self._trees[bone].query(at)[0])

    def point(self, name: str) -> Array | None:
        """A landmark (3,), foot mm; None if it is missing."""
        at = self.found.get(name)
        return None if at is None or isinstance(at, Line) else at


def _dome(site: Site, at: Array) -> float | None:
    """From the upper surface of the talus between the edges of its dome."""
    medial, lateral = site.point("MTASA_Line2_Pt1"), site.point("MTASA_Line2_Pt2")
    skin = site.surface("Talus")
    if medial is None or lateral is None or skin is None:
        return None
    dome = skin[skin[:, 2] >= min(medial[2], lateral[2]) - DOME_BELOW_MM]
    return float(cKDTree(dome).query(at)[0]) if len(dome) else None


def _tuberosity(site: Site, at: Array) -> float | None:
    """From the most medial point of the midfoot's back part, the navicular."""
    skin = site.surface("MidFoot")
    if skin is None:
        return None
    back = skin[skin[:, 1] <= skin[:, 1].min() + BACK_SHARE * np.ptp(skin[:, 1])]
    return float(np.linalg.norm(back[back[:, 0].argmax()] - at))


def _between(site: Site, at: Array) -> float | None:
    """From the farther one of two bones that can be joined, for the pair that lies nearest."""
    nearest = []
    for pair in FUSABLE:
        apart = [site.to_bone(bone, at) for bone in pair]
        known = [value for value in apart if value is not None]
        if len(known) == len(pair):
            nearest.append(max(known))
    return min(nearest, default=None)


def _ankle(site: Site, at: Array) -> float | None:
    """From the farther one of tibia and talus."""
    tibia, talus = site.to_bone("Tibia", at), site.to_bone("Talus", at)
    return None if tibia is None or talus is None else max(tibia, talus)


def _toe_joint(site: Site, at: Array) -> float | None:
    """From the centre of the 1st metatarsal's head."""
    head = site.point("TMA_Line2_Pt2")
    return None if head is None else float(np.linalg.norm(head - at))


# Lesion -> its distance from where it can be, and the largest one
PLACES: Mapping[str, tuple[Place, float]] = {
    "OLT": (_dome, DOME_MM),
    "Accessory Navicular": (_tuberosity, TUBEROSITY_MM),
    "Tarsal Coalition": (_between, BETWEEN_MM),
    "Ankle Arthritis": (_ankle, JOINT_MM),
    "Hallux Valgus": (_toe_joint, TOE_JOINT_MM),
}


def distance_mm(lesion: Lesion, site: Site, to_foot: Array) -> float | None:
    """How far a box lies beyond the place of its kind; minus within it, None if nobody can tell.

    to_foot: (4, 4) voxel (x, y, z) -> foot frame mm.
    """
    if lesion.label not in PLACES:
        return None
    low, high = np.array(lesion.box_vox[:3]), np.array(lesion.box_vox[3:])
    edges = np.sort(np.abs(to_foot[:3, :3] @ np.diag(high - low)).max(axis=1))
    place, most = PLACES[lesion.label]
    apart = place(site, apply(to_foot, (low + high) / 2 - 0.5))
    return None if apart is None else apart - edges[0] / 2 - most


@dataclass(frozen=True, slots=True)
class Sorted:
    """Boxes by their place.

    kept: those where their kind can be, or of which nobody can tell; elsewhere: the others.
    unchecked: kinds of which a kept box could not be checked.
    """

    kept: tuple[Lesion, ...]
    elsewhere: tuple[Lesion, ...]
    unchecked: frozenset[str]


def sort_boxes(lesions: Sequence[Lesion], frame: FootFrame, found: Found) -> Sorted:
    """Sort the boxes of a foot by whether they lie where their kind of lesion can be.

    found: landmarks from the masks, foot mm.
    """
    site = Site(frame, found)
    kept: list[Lesion] = []
    elsewhere: list[Lesion] = []
    unchecked = set()
    for lesion in lesions:
        beyond = distance_mm(lesion, site, frame.to_foot)
        if beyond is None and lesion.label in PLACES:
            unchecked.add(lesion.label)
        (elsewhere if beyond is not None and beyond > 0 else kept).append(lesion)
    return Sorted(tuple(kept), tuple(elsewhere), frozenset(unchecked))
