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

# Largest distances (mm) of a box's centre
DOME_MM = 3.0  # osteochondral lesion: above the talar dome, or of its upper edge below the dome
DOME_BELOW_MM, DOME_BESIDE_MM = 10.0, 2.0  # what of the talus is its dome, from its edges
TUBEROSITY_MM = 15.0  # accessory navicular: from the tuberosity of the navicular
BEFORE_MM, LATERAL_MM = 5.0, 8.0  # and no more in front of it, or lateral of it
BETWEEN_MM = 4.0  # coalition: from each of two bones
JOINT_MM = 8.0  # arthritis: from tibia and from talus
TOE_JOINT_MM = 15.0  # hallux valgus: from the head of the 1st metatarsal
BACK_SHARE = 0.35  # of the midfoot's length that is the navicular
# Shares of the calcaneus' length: middle and posterior facet lie between these, the calcaneus meets
# the navicular beyond NECK, above the cuboid
FACETS, NECK, NECK_HEIGHT = (0.4, 0.82), 0.75, 0.55

OTHER_BONES = ("Tibia", "Talus", "Calcaneus")  # that no accessory navicular lies within


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """centre: (3,) foot mm, the depth that of its middle slice. edges: (3,) mm along the axes."""

    centre: Array
    edges: Array


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

    def whole(self, bone: str) -> Array | None:
        """(N, 3) surface of a bone, foot mm; None if it is not there or the scan cuts it off."""
        mask = self._frame.bones.get(bone)
        cut = mask is None or mask.cut(self._frame.to_foot)
        return None if cut else self.surface(bone)

    def is_inside(self, bones: Sequence[str], at: Array) -> bool:
        """Whether a point (3,), foot mm, lies in the mask of one of these bones."""
        x, y, z = np.rint(apply(np.linalg.inv(self._frame.to_foot), at)).astype(int)
        found = (self._frame.bones[bone] for bone in bones if bone in self._frame.bones)
        return any(mask.holds((int(z), int(y), int(x))) for mask in found)

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


def _dome(site: Site, box: Box) -> float | None:
    """From the upper surface of the talus between the edges of its dome; below it, from the box's
    upper edge.
    """
    medial, lateral = site.point("MTASA_Line2_Pt1"), site.point("MTASA_Line2_Pt2")
    skin = site.surface("Talus")
    if medial is None or lateral is None or skin is None:
        return None
    low, high = sorted((medial[0], lateral[0]))
    dome = skin[
        (skin[:, 2] >= max(medial[2], lateral[2]) - DOME_BELOW_MM)
        & (skin[:, 0] >= low - DOME_BESIDE_MM)
        & (skin[:, 0] <= high + DOME_BESIDE_MM)
    ]
    if not len(dome):
        return None
    apart, nearest = cKDTree(dome).query(box.centre)
    below = box.centre[2] < dome[nearest, 2]
    return float(apart - (box.edges[2] / 2 if below else 0.0))


def _tuberosity(site: Site, box: Box) -> float | None:
    """From the most medial point of the midfoot's back part, the navicular; inf in front of it,
    lateral of it, and within another bone.
    """
    skin = site.whole("MidFoot")
    if skin is None:
        return None
    back = skin[skin[:, 1] <= skin[:, 1].min() + BACK_SHARE * np.ptp(skin[:, 1])]
    off = box.centre - back[back[:, 0].argmax()]
    if off[0] < -LATERAL_MM or off[1] > BEFORE_MM or site.is_inside(OTHER_BONES, box.centre):
        return np.inf
    return float(np.linalg.norm(off))


def _between(site: Site, box: Box) -> float | None:
    """From the farther one of calcaneus and talus at their middle and posterior facets, or of
    calcaneus and navicular; inf elsewhere. A quarter of the box's shortest edge is allowed for:
    bones that have grown together have no surface between them.
    """
    skin = site.whole("Calcaneus")
    if skin is None:
        return None
    _, along, height = (box.centre - skin.min(0)) / np.ptp(skin, axis=0)
    others = {
        "Talus": FACETS[0] <= along <= FACETS[1],
        "MidFoot": along >= NECK and height >= NECK_HEIGHT,
    }
    nearest = np.inf
    for other, placed in others.items():
        apart = site.to_bone(other, box.centre)
        if apart is None:
            return None
        if placed:
            nearest = min(nearest, apart)
    heel = float(cKDTree(skin).query(box.centre)[0])
    return max(heel, nearest) - float(box.edges.min()) / 4


def _ankle(site: Site, box: Box) -> float | None:
    """From the farther one of tibia and talus."""
    tibia, talus = site.to_bone("Tibia", box.centre), site.to_bone("Talus", box.centre)
    return None if tibia is None or talus is None else max(tibia, talus)


def _toe_joint(site: Site, box: Box) -> float | None:
    """From the centre of the 1st metatarsal's head."""
    head = site.point("TMA_Line2_Pt2")
    return None if head is None else float(np.linalg.norm(head - box.centre))


Place = Callable[[Site, Box], float | None]
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
    edges = np.abs(to_foot[:3, :3] @ np.diag(high - low)).max(axis=1)
    place, most = PLACES[lesion.label]
    apart = place(site, Box(apply(to_foot, (low + high) / 2 - 0.5), edges))
    return None if apart is None else apart - most


@dataclass(frozen=True, slots=True)
class Sorted:
    """Boxes by their place.

    kept: those where their kind can be, or of which nobody can tell; elsewhere: the others.
    unchecked: kinds of which a kept box could not be checked.
    """

    kept: tuple[Lesion, ...]
    elsewhere: tuple[Lesion, ...]
    unchecked: frozenset[str]


def sort_boxes(
    lesions: Sequence[Lesion], frame: FootFrame, found: Found, *, spacing_known: bool = True
) -> Sorted:
    """Sort the boxes of a foot by whether they lie where their kind of lesion can be.

    found: landmarks from the masks, foot mm. spacing_known: False if the frame is in pixels;
    nothing can be checked then.
    """
    site = Site(frame, found)
    kept: list[Lesion] = []
    elsewhere: list[Lesion] = []
    unchecked = set()
    for lesion in lesions:
        beyond = distance_mm(lesion, site, frame.to_foot) if spacing_known else None
        if beyond is None and lesion.label in PLACES:
            unchecked.add(lesion.label)
        (elsewhere if beyond is not None and beyond > 0 else kept).append(lesion)
    return Sorted(tuple(kept), tuple(elsewhere), frozenset(unchecked))
