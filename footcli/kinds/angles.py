"""Table of the measured angles and widths, one row each."""

from __future__ import annotations

from dataclasses import dataclass

from footcli.domain import Plane
from footcli.kinds.terms import Term


@dataclass(frozen=True, slots=True, kw_only=True)
class AngleKind(Term):
    """A measure of one foot. bones: those needed to measure it. unit: deg, percent or mm.

    plane: of the slice that shows it. colour: of its lines; each angle of a view has its own hue,
    light enough on black (contrast at least 6:1). shown: its lines are drawn by default.
    """

    plane: Plane
    bones: tuple[str, ...]
    unit: str = "deg"
    colour: str = "#ffffff"
    shown: bool = True
    family = "angle"


_HINDFOOT = ("Talus", "Calcaneus")
_ANKLE = ("Tibia", "Talus")
# Measured twice: from the landmarks of the network and from the masks.
ANGLES: tuple[AngleKind, ...] = (
    AngleKind(name="CPA", plane=Plane.SAG, bones=("Calcaneus",), colour="#7fdbff"),
    AngleKind(name="TMA", plane=Plane.SAG, bones=("Talus", "1st Metatarsal"), colour="#ffd166"),
    AngleKind(name="TCA", plane=Plane.SAG, bones=_HINDFOOT, colour="#ff9de2"),
    AngleKind(name="HAA", plane=Plane.COR, bones=(*_ANKLE, "Calcaneus"), colour="#8ef58e"),
    AngleKind(name="MTASA", plane=Plane.COR, bones=_ANKLE, colour="#ffb27a"),
)
# Measured from the masks alone. Rows with shown=False share lines with MTASA.
FURTHER: tuple[AngleKind, ...] = (
    AngleKind(name="MTASA_B", plane=Plane.COR, bones=_ANKLE, colour="#d6b3ff", shown=False),
    AngleKind(name="TT", plane=Plane.COR, bones=_ANKLE, shown=False),
    AngleKind(name="TCA_AP", plane=Plane.AXL, bones=_HINDFOOT, colour="#ff9de2"),
    AngleKind(name="HVA", plane=Plane.AXL, bones=("1st Metatarsal",), colour="#ffd166"),
    AngleKind(
        name="IMA",
        plane=Plane.AXL,
        bones=("1st Metatarsal", "2nd Metatarsal"),
        colour="#7fdbff",
    ),
    AngleKind(
        name="FAO",
        plane=Plane.AXL,
        bones=(*_HINDFOOT, "1st Metatarsal", "5th Metatarsal"),
        unit="percent",
        colour="#8ef58e",
    ),
    AngleKind(name="JSW_M", plane=Plane.COR, bones=_ANKLE, unit="mm", shown=False),
    AngleKind(name="JSW_C", plane=Plane.COR, bones=_ANKLE, unit="mm", shown=False),
    AngleKind(name="JSW_L", plane=Plane.COR, bones=_ANKLE, unit="mm", shown=False),
)
MEASURES: tuple[AngleKind, ...] = (*ANGLES, *FURTHER)
ANGLE: dict[str, AngleKind] = {kind.name: kind for kind in MEASURES}
AGREE_DEG = 3.0  # landmarks and masks that differ by more than this disagree


def landmark_names(angle: str) -> tuple[str, str, str, str]:
    """The landmark names of an angle's points P1..P4."""
    first, second = f"{angle}_Line1", f"{angle}_Line2"
    return (f"{first}_Pt1", f"{first}_Pt2", f"{second}_Pt1", f"{second}_Pt2")


LANDMARKS: tuple[str, ...] = sum((landmark_names(kind.name) for kind in ANGLES), ())
