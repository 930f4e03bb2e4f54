"""Read and write the clinical information of a case, JSON <-> Clinical."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from footcli.dataset.series import series_name
from footcli.errors import TruthError
from footcli.names import finding_name
from footcli.system.files import read_json, write_json
from footcli.system.names import safe_text

OLDEST_YEARS = 130.0
"""A greater age is a typing error and counts as not given."""
ADULT_YEARS = 18.0
"""Adults are at least this old; the cut-offs and grades were derived from adults."""
AGE_BANDS = ((0, 20), (20, 40), (40, 60), (60, 200))
"""The data set's age bands in years, end excluded. Published target: a quarter of cases each."""


@dataclass(frozen=True, slots=True)
class Clinical:
    """The data set's clinical information on a case. None or empty: not given.

    groups: AD, FD, N; details: free text as written.
    """

    case_id: str | None = None
    age_years: float | None = None
    sex: Literal["F", "M"] | None = None
    groups: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


def parse_clinical(content: Any) -> Clinical | None:
    """Parse a JSON object in either form (`Disease` list or `DiseaseMajorCode`); None if `content`
    is not an object.
    """
    if not isinstance(content, dict):
        return None
    case_id = content.get("Case_ID")
    return Clinical(
        case_id=case_id if isinstance(case_id, str) and case_id else None,
        age_years=_age(content.get("Age")),
        sex=_sex(content.get("Sex")),
        groups=_texts(content.get("Disease")) or _texts(content.get("DiseaseMajorCode")),
        details=_texts(content.get("DiseaseDetail")),
    )


def read_clinical(path: Path) -> Clinical:
    """Read the clinical JSON of a case.

    Raises TruthError if the file cannot be read, is malformed or holds no object.
    """
    content = read_json(path)
    nested = content.get("ClinicalInfo") if isinstance(content, dict) else None
    clinical = parse_clinical(nested if isinstance(nested, dict) else content)
    if clinical is None:
        raise TruthError(
            f"{safe_text(path.name)} holds no clinical information (a JSON object is expected): "
            "export it again"
        )
    return clinical


def says_something(clinical: Clinical) -> bool:
    """Whether it states anything about the person or the disease; an id alone does not count."""
    return replace(clinical, case_id=None) != Clinical()


def of_this_case(paths: Iterable[Path], stems: Iterable[str]) -> tuple[Path, ...]:
    """Drop clinical files whose name has another case number than the slices (`stems`).

    All are kept if the names contain no case numbers.
    """
    numbers = {named.number for stem in stems if (named := series_name(stem))}
    return tuple(
        path
        for path in paths
        if not ((named := series_name(path.stem)) and numbers and named.number not in numbers)
    )


def first_stated(paths: Iterable[Path]) -> tuple[Clinical | None, int]:
    """The content of the first clinical file that states anything, else None; and the number of
    files that cannot be read.
    """
    found: Clinical | None = None
    unreadable = 0
    for path in paths:
        try:
            clinical = read_clinical(path)
        except TruthError:
            unreadable += 1
            continue
        if found is None and says_something(clinical):
            found = clinical
    return found, unreadable


def detail_parts(clinical: Clinical) -> tuple[str, ...]:
    """The single diseases of DiseaseDetail, as written: `;` separates several in one entry."""
    parts: list[str] = []
    for detail in clinical.details:
        parts += [part.strip() for part in detail.split(";")]
    return tuple(part for part in parts if part)


def findings_named(clinical: Clinical) -> frozenset[str]:
    """The findings of kinds.FINDINGS that a case's details name; empty if they name none.

    {"normal"} if the details state it, or if there are no details and every group is normal. Never
    with a disease: one of two feet may be normal, but then the case is not.
    """
    details = detail_parts(clinical)
    if (
        not details
        and clinical.groups
        and all(finding_name(group) == "normal" for group in clinical.groups)
    ):
        return frozenset(("normal",))
    named = frozenset(name for part in details if (name := finding_name(part)))
    return named - {"normal"} or named


def write_clinical(path: Path, clinical: Clinical) -> None:
    """Write the clinical JSON of a case. Raises OSError."""
    write_json(path, clinical_content(clinical) | {"Disease": list(clinical.groups)})


def clinical_content(clinical: Clinical) -> dict[str, Any]:
    """The keys common to the clinical file and the clinical block of every label."""
    age = clinical.age_years
    return {
        "Case_ID": clinical.case_id or "",
        "Age": int(age) if age is not None and age.is_integer() else age,
        "Sex": clinical.sex or "",
        "DiseaseDetail": list(clinical.details),
    }


def _age(value: Any) -> float | None:
    try:
        age = (
            float(str(value).strip().rstrip("Yy"))
            if isinstance(value, (int, float, str)) and not isinstance(value, bool)
            else -1.0
        )
    except ValueError:
        return None
    return age if isfinite(age) and 0 <= age <= OLDEST_YEARS else None


def _sex(value: Any) -> Literal["F", "M"] | None:
    word = value.strip().casefold() if isinstance(value, str) else ""
    if word in ("f", "female", "여", "여성", "여자"):
        return "F"
    return "M" if word in ("m", "male", "남", "남성", "남자") else None


def _texts(value: Any) -> tuple[str, ...]:
    items: Iterable[Any] = value if isinstance(value, list) else (value,)
    return tuple(item.strip() for item in items if isinstance(item, str) and item.strip())


def age_band(years: float | None) -> str | None:
    """The age band of an age: "0-20", "20-40", "40-60", "60 and over"; None if unknown."""
    return next(
        (
            f"{a}-{b}" if b < 200 else f"{a} and over"
            for a, b in AGE_BANDS
            if years is not None and a <= years < b
        ),
        None,
    )
