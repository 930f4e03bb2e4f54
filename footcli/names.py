"""The vocabulary: bones, landmarks, lesions, diseases; aliases, Korean and English.

Knowledge as tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from footcli.domain import Plane


@dataclass(frozen=True, slots=True)
class Term:
    """A thing with the name that results use, its titles for people, and other spellings met in
    data.
    """

    name: str
    en: str
    ko: str
    aliases: tuple[str, ...] = ()


def _ray(number: int, ordinal: str) -> Term:
    wrong = tuple(
        f"{number}{suffix} Meta{t}arsal" for suffix in ("st", ordinal[1:]) for t in ("t", "r")
    )
    return Term(
        f"{ordinal} Metatarsal",
        f"{ordinal} metatarsal",
        f"제{number}중족골",
        (*wrong, f"MT{number}", f"metatarsal{number}"),
    )


# Order is the model's and masks.npz's: label 1 is the first. MidFoot = navicular, cuboid, three
# cuneiforms.
BONES: tuple[Term, ...] = (
    Term("Tibia", "tibia", "경골"),
    Term("Fibula", "fibula", "비골"),
    Term("Talus", "talus", "거골"),
    Term("Calcaneus", "calcaneus", "종골", ("calcaneum",)),
    Term("MidFoot", "midfoot", "중족부", ("mid foot", "midfoot bones")),
    *(_ray(n, o) for n, o in ((1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (5, "5th"))),
)
BONE_ID: dict[str, int] = {bone.name: i for i, bone in enumerate(BONES, start=1)}
RAYS: tuple[int, ...] = (6, 7, 8, 9, 10)

LESIONS: tuple[Term, ...] = (
    Term("Hallux Valgus", "hallux valgus", "무지 외반증", ("HV", "hallux abducto valgus")),
    Term(
        "OLT",
        "osteochondral lesion of the talus",
        "거골 골연골병변",
        ("osteochondral lesion of talus", "거골 연골 병변"),
    ),
    Term(
        "Accessory Navicular",
        "accessory navicular",
        "부주상골",
        ("Prehallux", "Prehallux syndrome", "accessory navicular syndrome", "부주상골 증후군"),
    ),
    Term("Tarsal Coalition", "tarsal coalition", "족근골 유합", ("coalition",)),
    Term("Ankle Arthritis", "ankle arthritis", "발목 관절염", ("ankle osteoarthritis", "ankle OA")),
    Term(
        "Flatfoot or Cavus",
        "flat foot or cavus foot",
        "평발 또는 요족",
        ("flatfoot", "cavus", "flat foot", "pes planus", "pes cavus"),
    ),
)
ARCH = "Flatfoot or Cavus"  # the lesion that is the shape of the whole foot
LESION_PLANE: dict[str, Plane] = {
    "Hallux Valgus": Plane.AXL,
    "OLT": Plane.COR,
    "Accessory Navicular": Plane.AXL,
    "Tarsal Coalition": Plane.COR,
    "Ankle Arthritis": Plane.COR,
    "Flatfoot or Cavus": Plane.SAG,
}

ANGLES: tuple[Term, ...] = (
    Term("CPA", "calcaneal pitch", "종골 피치각"),
    Term("TMA", "talo-1st-metatarsal angle (Meary)", "거골-제1중족골각"),
    Term("TCA", "talocalcaneal angle, lateral", "거종각 (측면)"),
    Term("HAA", "hindfoot alignment angle", "후족부 정렬각"),
    Term("MTASA", "tibial axis to talar dome angle", "경골축-거골 천장각"),
)
# Measured beside the five, from the masks alone
FURTHER: tuple[Term, ...] = (
    Term("MTASA_B", "tibial axis to plafond angle", "경골축-경골 천장각"),
    Term("TT", "talar tilt", "거골 경사"),
    Term("TCA_AP", "talocalcaneal angle, axial", "거종각 (축상면)"),
    Term("HVA", "hallux valgus angle", "무지 외반각"),
    Term("IMA", "1st to 2nd intermetatarsal angle", "제1·제2중족골간 각"),
    Term("FAO", "foot ankle offset", "족부-족관절 편위"),
    Term("JSW_M", "ankle joint space, medial", "발목 관절 간격 (내측)"),
    Term("JSW_C", "ankle joint space, central", "발목 관절 간격 (중앙)"),
    Term("JSW_L", "ankle joint space, lateral", "발목 관절 간격 (외측)"),
)
MEASURES: tuple[Term, ...] = (*ANGLES, *FURTHER)
UNIT: dict[str, str] = {
    "FAO": "percent",
    "JSW_M": "mm",
    "JSW_C": "mm",
    "JSW_L": "mm",
}  # the others are in degrees
AGREE_DEG = 3.0  # landmarks and masks further apart than this do not support each other
ANGLE_PLANE: dict[str, Plane] = {
    "CPA": Plane.SAG,
    "TMA": Plane.SAG,
    "TCA": Plane.SAG,
    "HAA": Plane.COR,
    "MTASA": Plane.COR,
    "MTASA_B": Plane.COR,
    "TT": Plane.COR,
    "TCA_AP": Plane.AXL,
    "HVA": Plane.AXL,
    "IMA": Plane.AXL,
    "FAO": Plane.AXL,
    "JSW_M": Plane.COR,
    "JSW_C": Plane.COR,
    "JSW_L": Plane.COR,
}

# The seven findings are the data set's diseases; the aliases are how clinical files write them.
FINDINGS: tuple[Term, ...] = (
    Term("flat_foot", "flat foot", "평발", ("flatfoot", "pes planus", "pes planovalgus", "편평족")),
    Term("cavus_foot", "cavus foot", "요족", ("cavus", "pes cavus", "cavovarus")),
    Term("hallux_valgus", "hallux valgus", "무지 외반증", ("HV", "무지외반증")),
    Term("ankle_arthritis", "ankle arthritis", "발목 관절염", ("ankle osteoarthritis", "ankle OA")),
    Term(
        "olt",
        "osteochondral lesion of the talus",
        "거골 골연골병변",
        ("osteochondral lesion of talus", "거골 연골 병변"),
    ),
    Term(
        "accessory_navicular",
        "accessory navicular",
        "부주상골",
        ("accessory navicular syndrome", "prehallux", "prehallux syndrome", "부주상골 증후군"),
    ),
    Term("tarsal_coalition", "tarsal coalition", "족근골 유합", ("coalition",)),
    Term("normal", "no abnormality detected", "이상 소견 없음", ("healthy", "정상", "N")),
)


def landmark_names(angle: str) -> tuple[str, str, str, str]:
    """The four point names of an angle, P1..P4."""
    return (f"{angle}_Line1_Pt1", f"{angle}_Line1_Pt2", f"{angle}_Line2_Pt1", f"{angle}_Line2_Pt2")


LANDMARKS: tuple[str, ...] = tuple(name for angle in ANGLES for name in landmark_names(angle.name))


def _fold(text: str) -> str:
    return re.sub(r"[\s_\-]+", "", text).casefold()


def _lookup(terms: tuple[Term, ...]) -> dict[str, str]:
    return {
        _fold(spelling): term.name
        for term in terms
        for spelling in (term.name, term.en, term.ko, *term.aliases)
    }


_BONE_LOOKUP = _lookup(BONES)
_LESION_LOOKUP = _lookup(LESIONS)
_FINDING_LOOKUP = _lookup(FINDINGS)
_SERIES = re.compile(
    r"^A_(?P<institution>[^_]+)_(?P<group>[^_]+)_(?P<case>[^_]+)_(?P<study>[^_]+)_(?P<side>[LR])(?:_|$)"
)


def bone_name(text: str) -> str | None:
    """The bone's own name for any known spelling, case and spaces ignored; None if unknown."""
    return _BONE_LOOKUP.get(_fold(text))


def lesion_name(comment: str) -> str | None:
    """The lesion class of a rectangle's comment: the text before `(`, cut at the first `)`; None if
    unknown.
    """
    return _LESION_LOOKUP.get(_fold(comment.split("(")[0].split(")")[0]))


def finding_name(text: str) -> str | None:
    """The finding that a line of DiseaseDetail, or a disease group, stands for: the text before `(`
    or `;`; None if unknown.
    """
    return _FINDING_LOOKUP.get(_fold(re.split(r"[(;)]", text, maxsplit=1)[0]))


@dataclass(frozen=True, slots=True)
class SeriesName:
    """What a file name of the data set says, as written."""

    institution: str
    group: str
    number: str
    side: str


def series_name(stem: str) -> SeriesName | None:
    """Read `A_H07_N_9999999999_ST01_L_AXL_0295` and its like; None for any other name."""
    match = _SERIES.match(stem)
    return (
        SeriesName(match["institution"], match["group"], match["case"], match["side"])
        if match
        else None
    )
