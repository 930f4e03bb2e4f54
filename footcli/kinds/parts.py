"""Table of the parts of a foot that the finder tells apart, one row each; ids from 1 in this order.

Each bone of `bones.py` is one part or several.
"""

from __future__ import annotations

from dataclasses import dataclass

from footcli.kinds.bones import BONE_ID


@dataclass(frozen=True, slots=True)
class Part:
    """A part. bone: the one of kinds.BONES that it belongs to, None for a toe. drawn: the bones of
    `anatomy/foot.json` that are this part.
    """

    name: str
    bone: str | None
    drawn: tuple[str, ...]


def _toe(ray: int) -> Part:
    """The phalanges of a lesser toe."""
    drawn = tuple(f"phalanx_{part}{ray}" for part in ("prox", "mid", "dist"))
    return Part(f"phalanges{ray}", None, drawn)


_MIDFOOT = (
    "navicular",
    "cuneiform_medial",
    "cuneiform_intermediate",
    "cuneiform_lateral",
    "cuboid",
)
_RAYS = ("1st", "2nd", "3rd", "4th", "5th")
PARTS: tuple[Part, ...] = (
    Part("tibia", "Tibia", ("tibia",)),
    Part("fibula", "Fibula", ("fibula",)),
    Part("talus", "Talus", ("talus",)),
    Part("calcaneus", "Calcaneus", ("calcaneus",)),
    *(Part(name, "MidFoot", (name,)) for name in _MIDFOOT),
    *(
        Part(f"metatarsal{i}", f"{ordinal} Metatarsal", (f"metatarsal{i}",))
        for i, ordinal in enumerate(_RAYS, start=1)
    ),
    Part("hallux_proximal", None, ("phalanx_prox1",)),
    Part("hallux_distal", None, ("phalanx_dist1",)),
    *map(_toe, (2, 3, 4, 5)),
    Part("sesamoids", None, ("sesamoid_medial", "sesamoid_lateral")),
)
PART_ID: dict[str, int] = {part.name: i for i, part in enumerate(PARTS, start=1)}
PART_OF: dict[str, int] = {
    drawn: i for i, part in enumerate(PARTS, start=1) for drawn in part.drawn
}
"""Bone of `anatomy/foot.json` -> id of its part."""
BONE_OF_PART: tuple[int, ...] = (0, *(BONE_ID[part.bone] if part.bone else 0 for part in PARTS))
"""Part id -> id of its bone in masks.npz, 0 for none."""
