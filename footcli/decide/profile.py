"""Load profiles: named sets of cut-offs with their sources, from the TOML files in this folder.

A file holds `version`, `basis`, [sources] code -> citation, [guard_band] angle -> width in its
unit, [cutoff.ANGLE] name -> {op, value, source}, [[grade.FINDING]] worst first, [range.ANGLE] for
the report and [caveat] finding -> {line, source}. `extends = "NAME"` takes what the file does not
define from another profile. `source` is a list of codes, or UNSOURCED.
"""

from __future__ import annotations

import hashlib
import json
import operator
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from footcli.errors import SetupError
from footcli.provenance import ProfileFacts, Range
from footcli.text.lines import Line

UNSOURCED = "general knowledge, unsourced"
_FOLDER = Path(__file__).resolve().parent
_OPERATORS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "<": (operator.lt, "below"),
    ">": (operator.gt, "above"),
    ">=": (operator.ge, "at_least"),
    "<=": (operator.le, "at_most"),
}


@dataclass(frozen=True, slots=True)
class CutOff:
    """A limit, in its angle's unit, with its citation and the name of the profile file it is in.

    op is one of < > >= <=.
    """

    op: str
    value: float
    source: str
    profile: str

    def reached(self, value: float) -> bool:
        """Whether the value lies on the side of the finding."""
        return _OPERATORS[self.op][0](value, self.value)

    @property
    def word(self) -> str:
        """Name of its side in `text/words.toml`, without `op.`: `below`."""
        return _OPERATORS[self.op][1]

    @property
    def origin(self) -> str:
        """Citation for display: "general; S4 pacs.de, ..."."""
        return f"{self.profile}; {self.source}"


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade of a finding that an angle's value reaches."""

    name: str
    angle: str
    cutoff: CutOff


@dataclass(frozen=True, slots=True)
class Profile:
    """A set of cut-offs. cutoffs: angle -> name -> CutOff. grades: finding -> worst first.

    guard_band: angle -> width in its unit. shown: angle -> the report's range. caveats: finding ->
    one line. sources: code -> citation.
    """

    name: str
    version: str
    basis: str
    cutoffs: Mapping[str, Mapping[str, CutOff]]
    grades: Mapping[str, tuple[Grade, ...]]
    guard_band: Mapping[str, float]
    shown: Mapping[str, Range]
    caveats: Mapping[str, Line]
    sources: Mapping[str, str]

    def facts(self) -> ProfileFacts:
        """What a result records of the profile."""
        content = {**asdict(self), "caveats": {k: repr(line) for k, line in self.caveats.items()}}
        text = json.dumps(content, sort_keys=True, ensure_ascii=True, default=repr)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return ProfileFacts(
            self.name, self.version, digest, dict(self.shown), dict(self.guard_band)
        )


def profile_names() -> tuple[str, ...]:
    """Names of the available profiles, in alphabetical order."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.toml")))


def load_profile(name: str) -> Profile:
    """Load a profile. Raises SetupError for an unknown name or a file that cannot be used."""
    if name not in profile_names():
        raise SetupError(f"no profile {name!r}: choose one of {', '.join(profile_names())}")
    try:
        return _build(name, _read(name))
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise SetupError(
            f"profile {name} cannot be used ({type(error).__name__}: {error}): reinstall footcli"
        ) from error


def _read(name: str) -> dict[str, Any]:
    """The file's tables merged over those of the profile it extends.

    Each cut-off is given the name of the profile file that it comes from.
    """
    own = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    rules: list[dict[str, Any]] = []
    for table in own.get("cutoff", {}).values():
        rules += table.values()
    for grades in own.get("grade", {}).values():
        rules += [grade["cutoff"] for grade in grades]
    for rule in rules:
        rule["profile"] = name
    return _overlay(_read(own.pop("extends")), own) if "extends" in own else own


def _overlay(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Merge `own` over `base`, table by table.

    A cut-off or caveat ({.., source}) is replaced as a whole, so that its source always matches it.
    """
    merged = dict(base)
    for key, value in own.items():
        below = base.get(key)
        merged[key] = (
            _overlay(below, value)
            if isinstance(value, dict) and isinstance(below, dict) and "source" not in value
            else value
        )
    return merged


def _build(name: str, tables: Mapping[str, Any]) -> Profile:
    sources: dict[str, str] = tables["sources"]

    def cutoff(rule: Mapping[str, Any]) -> CutOff:
        if rule["op"] not in _OPERATORS:
            raise ValueError(f"op {rule['op']!r} is none of {' '.join(_OPERATORS)}")
        return CutOff(
            rule["op"], float(rule["value"]), _cite(rule["source"], sources), rule["profile"]
        )

    cutoffs: dict[str, dict[str, CutOff]] = {}
    for angle, table in tables["cutoff"].items():
        cutoffs[angle] = {key: cutoff(rule) for key, rule in table.items()}
    grades: dict[str, tuple[Grade, ...]] = {}
    for finding, own in tables["grade"].items():
        grades[finding] = tuple(Grade(g["name"], g["angle"], cutoff(g["cutoff"])) for g in own)
    return Profile(
        name=name,
        version=tables["version"],
        basis=tables["basis"],
        cutoffs=cutoffs,
        grades=grades,
        guard_band={angle: float(band) for angle, band in tables["guard_band"].items()},
        shown={
            angle: _range(table, cutoffs.get(angle, {}), sources)
            for angle, table in tables["range"].items()
        },
        caveats={
            finding: Line(
                "caveat", caveat=Line(note["line"]), origin=_cite(note["source"], sources)
            )
            for finding, note in tables["caveat"].items()
        },
        sources=dict(sources),
    )


def _cite(source: str | list[str], sources: Mapping[str, str]) -> str:
    """Citations of a list of codes: "S4 pacs.de, S16 ..."; UNSOURCED stays as it is.

    Raises ValueError for any other source, KeyError for an unknown code.
    """
    if source == UNSOURCED:
        return UNSOURCED
    if isinstance(source, str) or not source:
        raise ValueError(f"source must be a list of codes or {UNSOURCED!r}, got {source!r}")
    return ", ".join(f"{code} {sources[code]}" for code in source)


def _range(
    table: Mapping[str, Any], cutoffs: Mapping[str, CutOff], sources: Mapping[str, str]
) -> Range:
    """A range. Each end is the name of one of the angle's cut-offs, or a number with `source`."""
    ends: dict[str, float | None] = {"low": None, "high": None}
    origins = []
    if "source" in table:
        origins.append(Line("origin", origin=_cite(table["source"], sources)))
    for end in ends:
        limit = table.get(end)
        if isinstance(limit, str):
            ends[end] = cutoffs[limit].value
            origins.append(Line(f"origin_{end}", origin=cutoffs[limit].origin))
        elif limit is not None:
            ends[end] = float(limit)
    if "note" in table:
        origins.append(Line("origin", origin=str(table["note"])))
    return Range(ends["low"], ends["high"], tuple(origins))
