"""Table of the measured angles and widths, one row each."""

from __future__ import annotations

from dataclasses import dataclass

from footcli.domain import Plane
from footcli.kinds.terms import Term


@dataclass(frozen=True, slots=True, kw_only=True)
class AngleKind(Term):
    """A measure of one foot. bones: those needed to measure it. unit: deg, percent or mm.

    plausible: a value outside this range is none of a foot, but of a failed segmentation.
    to_floor: it means something only in a foot that carries load.

    plane: of the slice that shows it. colour: of its lines; each angle of a view has its own hue,
    light enough on black (contrast at least 6:1). shown: its lines are drawn by default.
    """

    plane: Plane
    bones: tuple[str, ...]
    plausible: tuple[float, float]
    unit: str = "deg"
    colour: str = "#ffffff"
    shown: bool = True
    to_floor: bool = False
    family = "angle"


_HINDFOOT = ("Talus", "Calcaneus")
_ANKLE = ("Tibia", "Talus")
# Measured twice: from the landmarks of the network and from the masks.
ANGLES: tuple[AngleKind, ...] = (
    AngleKind(
        name="CPA",
        to_floor=True,
        plausible=(-10.0, 45.0),
        plane=Plane.SAG,
        bones=("Calcaneus",),
        colour="#7fdbff",
    ),
    AngleKind(
        name="TMA",
        plausible=(-45.0, 60.0),
        plane=Plane.SAG,
        bones=("Talus", "1st Metatarsal"),
        colour="#ffd166",
    ),
    AngleKind(
        name="TCA", plausible=(10.0, 75.0), plane=Plane.SAG, bones=_HINDFOOT, colour="#ff9de2"
    ),
    AngleKind(
        name="HAA",
        to_floor=True,
        plausible=(-35.0, 45.0),
        plane=Plane.COR,
        bones=(*_ANKLE, "Calcaneus"),
        colour="#8ef58e",
    ),
    AngleKind(
        name="MTASA", plausible=(70.0, 115.0), plane=Plane.COR, bones=_ANKLE, colour="#ffb27a"
    ),
)
# Measured from the masks alone. Rows with shown=False share lines with MTASA.
FURTHER: tuple[AngleKind, ...] = (
    AngleKind(
        name="MTASA_B",
        plausible=(70.0, 115.0),
        plane=Plane.COR,
        bones=_ANKLE,
        colour="#d6b3ff",
        shown=False,
    ),
    AngleKind(name="TT", plausible=(-25.0, 25.0), plane=Plane.COR, bones=_ANKLE, shown=False),
    AngleKind(
        name="TCA_AP", plausible=(0.0, 65.0), plane=Plane.AXL, bones=_HINDFOOT, colour="#ff9de2"
    ),
    AngleKind(
        name="HVA",
        plausible=(-15.0, 75.0),
        plane=Plane.AXL,
        bones=("1st Metatarsal",),
        colour="#ffd166",
    ),
    AngleKind(
        name="IMA",
        plausible=(0.0, 35.0),
        plane=Plane.AXL,
        bones=("1st Metatarsal", "2nd Metatarsal"),
        colour="#7fdbff",
    ),
    AngleKind(
        name="FAO",
        to_floor=True,
        plausible=(-35.0, 35.0),
        plane=Plane.AXL,
        bones=(*_HINDFOOT, "1st Metatarsal", "5th Metatarsal"),
        unit="percent",
        colour="#8ef58e",
    ),
    AngleKind(
        name="JSW_M", plausible=(0.0, 7.0), plane=Plane.COR, bones=_ANKLE, unit="mm", shown=False
    ),
    AngleKind(
        name="JSW_C", plausible=(0.0, 7.0), plane=Plane.COR, bones=_ANKLE, unit="mm", shown=False
    ),
    AngleKind(
        name="JSW_L", plausible=(0.0, 7.0), plane=Plane.COR, bones=_ANKLE, unit="mm", shown=False
    ),
)
MEASURES: tuple[AngleKind, ...] = (*ANGLES, *FURTHER)
ANGLE: dict[str, AngleKind] = {kind.name: kind for kind in MEASURES}
APART_DEG = 5.0  # above this difference landmarks and masks have no mean
BONE_ON_BONE_MM = 0.3  # a narrower joint space is contact
AGREE_DEG = 3.0  # landmarks and masks that differ by more than this disagree


def landmark_names(angle: str) -> tuple[str, str, str, str]:
    """The landmark names of an angle's points P1..P4."""
    first, second = f"{angle}_Line1", f"{angle}_Line2"
    return (f"{first}_Pt1", f"{first}_Pt2", f"{second}_Pt1", f"{second}_Pt2")


LANDMARKS: tuple[str, ...] = sum((landmark_names(kind.name) for kind in ANGLES), ())
