"""Tables of bones, lesions, angles and findings, one row each."""

from footcli.kinds.angles import (
    AGREE_DEG,
    ANGLE,
    ANGLES,
    APART_DEG,
    BONE_ON_BONE_MM,
    FURTHER,
    LANDMARKS,
    MEASURES,
    AngleKind,
    landmark_names,
)
from footcli.kinds.bones import BONE, BONE_ID, BONES, OTHER_BONE, OTHER_ID, RAYS
from footcli.kinds.findings import FINDING, FINDINGS, FindingRule
from footcli.kinds.lesions import ARCH, LESION, LESIONS, LesionKind
from footcli.kinds.terms import Term

__all__ = [
    "AGREE_DEG",
    "ANGLE",
    "ANGLES",
    "APART_DEG",
    "ARCH",
    "BONE",
    "BONES",
    "BONE_ID",
    "BONE_ON_BONE_MM",
    "FINDING",
    "FINDINGS",
    "FURTHER",
    "LANDMARKS",
    "LESION",
    "LESIONS",
    "MEASURES",
    "OTHER_BONE",
    "OTHER_ID",
    "RAYS",
    "AngleKind",
    "FindingRule",
    "LesionKind",
    "Term",
    "landmark_names",
]
