"""Table of the kinds of lesions, one row each. How to add one: CONTRIBUTING.md."""

from __future__ import annotations

from dataclasses import dataclass

from footcli.domain import Plane
from footcli.kinds.terms import Term
from footcli.text.lines import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionKind(Term):
    """A kind of lesion that is labelled and detected as boxes in the slices of one plane.

    needs: the bone without which it cannot be assessed; why_not: the reason reported then.
    searched: bones around which the network searches, with margins in mm within the slice
    (beside_mm) and along its normal (before_mm). scored_mm: a lesion's score is the mean over its
    best slices up to this thickness. edge: slices that score less than this fraction of the best
    one do not belong to its extent (whole joints end sharply, small lesions fade). least_slices:
    consecutive slices that a box must span to count for the finding.
    """

    plane: Plane
    needs: str
    why_not: Line
    searched: tuple[str, ...]
    beside_mm: float
    before_mm: float
    scored_mm: float = 9.6
    edge: float = 0.5
    least_slices: int = 1
    family = "lesion"


def _outside(part: str) -> Line:
    return Line("part_outside", part=Line(f"part.{part}"))


def _not_found(part: str) -> Line:
    return Line("part_not_found", part=Line(f"part.{part}"))


ARCH = "Flatfoot or Cavus"
"""The lesion that is the shape of the whole foot; only angles distinguish flat from cavus."""
LESIONS: tuple[LesionKind, ...] = (
    LesionKind(
        name="Hallux Valgus",
        aliases=("HV", "hallux abducto valgus"),
        plane=Plane.AXL,
        needs="1st Metatarsal",
        why_not=_outside("ray1"),
        searched=("1st Metatarsal", "MidFoot"),
        beside_mm=30.0,
        before_mm=3.0,
        edge=0.85,
    ),
    LesionKind(
        name="OLT",
        aliases=("osteochondral lesion of talus", "거골 연골 병변"),
        plane=Plane.COR,
        needs="Talus",
        why_not=_not_found("talus"),
        searched=("Talus",),
        beside_mm=12.0,
        before_mm=0.0,
        scored_mm=4.8,
        least_slices=2,
    ),
    LesionKind(
        name="Accessory Navicular",
        aliases=(
            "Prehallux",
            "Prehallux syndrome",
            "accessory navicular syndrome",
            "부주상골 증후군",
        ),
        plane=Plane.AXL,
        needs="MidFoot",
        why_not=_not_found("navicular"),
        searched=("MidFoot", "1st Metatarsal"),
        beside_mm=30.0,
        before_mm=3.0,
    ),
    LesionKind(
        name="Tarsal Coalition",
        aliases=("coalition",),
        plane=Plane.COR,
        needs="Calcaneus",
        why_not=_not_found("calcaneus"),
        searched=("Talus", "Calcaneus"),
        beside_mm=12.0,
        before_mm=6.0,
    ),
    LesionKind(
        name="Ankle Arthritis",
        aliases=("ankle osteoarthritis", "ankle OA"),
        plane=Plane.COR,
        needs="Tibia",
        why_not=_not_found("tibia"),
        searched=("Talus",),
        beside_mm=12.0,
        before_mm=3.0,
        edge=0.6,
    ),
    LesionKind(
        name=ARCH,
        aliases=("flatfoot", "cavus", "flat foot", "pes planus", "pes cavus"),
        plane=Plane.SAG,
        needs="1st Metatarsal",
        why_not=_outside("ray1"),
        searched=("Talus", "1st Metatarsal"),
        beside_mm=30.0,
        before_mm=3.0,
    ),
)
LESION: dict[str, LesionKind] = {kind.name: kind for kind in LESIONS}
