"""The tables of nouns: one row for each bone, lesion, angle and finding.

A new kind is a row here, its words in `text/words.toml`, and what draws it (`phantom/`).
"""

from __future__ import annotations

from dataclasses import dataclass

from footcli.domain import Plane
from footcli.text.lines import Line
from footcli.text.wording import wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A thing with the name that results use, and other spellings of it that are met in data."""

    name: str
    aliases: tuple[str, ...] = ()
    family = "bone"

    @property
    def word(self) -> Line:
        """Its title, to be put into a sentence."""
        return Line(f"{self.family}.{self.name}")

    @property
    def en(self) -> str:
        """Its English title."""
        return wording(self.word.code)

    @property
    def ko(self) -> str:
        """Its Korean title."""
        return wording(self.word.code, "ko")


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionKind(Term):
    """A kind of lesion that is labelled and detected as boxes in the slices of one plane.

    finding: the one that its boxes lead to. needs: the bone without which it cannot be judged, and
    why_not the reason that is given then. searched: bones whose surroundings are looked at, so many
    mm around them in the slice (beside_mm) and along its normal (before_mm). scored_mm: a lesion's
    score is the mean of its best slices over so much of its thickness. edge: slices with less than
    this share of the best one's score do not count to its extent (whole joints end sharply, small
    lesions fade). least_slices: consecutive slices that a box must span to count for the finding.
    """

    plane: Plane
    finding: str | None
    needs: str
    why_not: Line
    searched: tuple[str, ...]
    beside_mm: float
    before_mm: float
    scored_mm: float = 9.6
    edge: float = 0.5
    least_slices: int = 1
    family = "lesion"


@dataclass(frozen=True, slots=True, kw_only=True)
class AngleKind(Term):
    """A measure of one foot. bones: without which it cannot be taken.

    plane: of the slice that shows it. colour: of its lines; one hue an angle in each view, light
    enough for black film (contrast at least 6:1). shown: its lines are drawn before anybody asks.
    """

    plane: Plane
    bones: tuple[str, ...]
    unit: str = "deg"
    colour: str = "#ffffff"
    shown: bool = True
    family = "angle"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRule(Term):
    """What makes a finding.

    cutoff: name of its cut-off in the profile, which all_of or any_of these angles must reach;
    opposite: the cut-off that speaks against it. supports: angles that get a line where they lie
    beyond the same cut-off; beside: angles that get one outside their range; neither changes the
    level. lesion: the kind whose boxes lead to it. narrow, tilted: angles that go with the box of a
    joint. angle: the one that its picture shows.
    """

    cutoff: str = ""
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    opposite: str = ""
    supports: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    lesion: str | None = None
    picture: str | None = None
    narrow: tuple[str, ...] = ()
    tilted: tuple[str, ...] = ()
    angle: str | None = None
    family = "finding"


def _outside(part: str) -> Line:
    return Line("part_outside", part=Line(f"part.{part}"))


def _not_found(part: str) -> Line:
    return Line("part_not_found", part=Line(f"part.{part}"))


def _ray(number: int, ordinal: str) -> Term:
    """A metatarsal; the data set's labels misspell it in several ways."""
    wrong = []
    for ending in ("st", ordinal[1:]):
        wrong += [f"{number}{ending} Metatarsal", f"{number}{ending} Metararsal"]
    return Term(
        name=f"{ordinal} Metatarsal",
        aliases=(*wrong, f"MT{number}", f"metatarsal{number}"),
    )


# In the model's order, which is that of masks.npz: label 1 is the first.
# MidFoot is navicular, cuboid and the three cuneiforms together.
BONES: tuple[Term, ...] = (
    Term(name="Tibia"),
    Term(name="Fibula"),
    Term(name="Talus"),
    Term(name="Calcaneus", aliases=("calcaneum",)),
    Term(name="MidFoot", aliases=("mid foot", "midfoot bones")),
    _ray(1, "1st"),
    _ray(2, "2nd"),
    _ray(3, "3rd"),
    _ray(4, "4th"),
    _ray(5, "5th"),
)
BONE: dict[str, Term] = {bone.name: bone for bone in BONES}
BONE_ID: dict[str, int] = {bone.name: i for i, bone in enumerate(BONES, start=1)}
RAYS: tuple[int, ...] = (6, 7, 8, 9, 10)

ARCH = "Flatfoot or Cavus"
"""The lesion that is the shape of the whole foot; angles alone tell which of the two it is."""
LESIONS: tuple[LesionKind, ...] = (
    LesionKind(
        name="Hallux Valgus",
        aliases=("HV", "hallux abducto valgus"),
        plane=Plane.AXL,
        finding="hallux_valgus",
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
        finding="olt",
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
        finding="accessory_navicular",
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
        finding="tarsal_coalition",
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
        finding="ankle_arthritis",
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
        finding=None,
        needs="1st Metatarsal",
        why_not=_outside("ray1"),
        searched=("Talus", "1st Metatarsal"),
        beside_mm=30.0,
        before_mm=3.0,
    ),
)
LESION: dict[str, LesionKind] = {kind.name: kind for kind in LESIONS}

_HINDFOOT = ("Talus", "Calcaneus")
_ANKLE = ("Tibia", "Talus")
# Measured twice: from the landmark network's points, and from the masks.
ANGLES: tuple[AngleKind, ...] = (
    AngleKind(name="CPA", plane=Plane.SAG, bones=("Calcaneus",), colour="#7fdbff"),
    AngleKind(name="TMA", plane=Plane.SAG, bones=("Talus", "1st Metatarsal"), colour="#ffd166"),
    AngleKind(name="TCA", plane=Plane.SAG, bones=_HINDFOOT, colour="#ff9de2"),
    AngleKind(name="HAA", plane=Plane.COR, bones=(*_ANKLE, "Calcaneus"), colour="#8ef58e"),
    AngleKind(name="MTASA", plane=Plane.COR, bones=_ANKLE, colour="#ffb27a"),
)
# Measured beside the five, from the masks alone. What is not shown at first lies on lines of MTASA.
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
AGREE_DEG = 3.0  # landmarks and masks further apart than this do not support each other

# The seven findings are the data set's diseases; the aliases are how clinical files write them.
FINDINGS: tuple[FindingRule, ...] = (
    FindingRule(
        name="flat_foot",
        aliases=("flatfoot", "pes planus", "pes planovalgus", "편평족"),
        cutoff="flat",
        all_of=("TMA", "CPA"),
        supports=("TCA", "TCA_AP", "HAA", "FAO"),
        picture=ARCH,
        angle="CPA",
    ),
    FindingRule(
        name="cavus_foot",
        aliases=("cavus", "pes cavus", "cavovarus"),
        cutoff="cavus",
        any_of=("TMA", "CPA"),
        opposite="flat",
        supports=("HAA", "TCA_AP", "TCA"),
        picture=ARCH,
        angle="CPA",
    ),
    FindingRule(
        name="hallux_valgus",
        aliases=("HV", "무지외반증"),
        cutoff="valgus",
        any_of=("HVA",),
        supports=("IMA",),
        lesion="Hallux Valgus",
        picture="Hallux Valgus",
        angle="HVA",
    ),
    FindingRule(
        name="ankle_arthritis",
        aliases=("ankle osteoarthritis", "ankle OA"),
        beside=("JSW_M", "JSW_C", "JSW_L", "TT", "MTASA"),
        lesion="Ankle Arthritis",
        picture="Ankle Arthritis",
        narrow=("JSW_M", "JSW_L"),
        tilted=("TT",),
        angle="TT",
    ),
    FindingRule(
        name="olt",
        aliases=("osteochondral lesion of talus", "거골 연골 병변"),
        lesion="OLT",
        picture="OLT",
    ),
    FindingRule(
        name="accessory_navicular",
        aliases=(
            "accessory navicular syndrome",
            "prehallux",
            "prehallux syndrome",
            "부주상골 증후군",
        ),
        lesion="Accessory Navicular",
        picture="Accessory Navicular",
    ),
    FindingRule(
        name="tarsal_coalition",
        aliases=("coalition",),
        lesion="Tarsal Coalition",
        picture="Tarsal Coalition",
    ),
    # found where all was looked at and nothing stands out
    FindingRule(name="normal", aliases=("healthy", "정상", "N")),
)
FINDING: dict[str, FindingRule] = {rule.name: rule for rule in FINDINGS}


def landmark_names(angle: str) -> tuple[str, str, str, str]:
    """The four point names of an angle, P1..P4."""
    first, second = f"{angle}_Line1", f"{angle}_Line2"
    return (f"{first}_Pt1", f"{first}_Pt2", f"{second}_Pt1", f"{second}_Pt2")


LANDMARKS: tuple[str, ...] = sum((landmark_names(kind.name) for kind in ANGLES), ())
