"""Provenance of a result: models, profile, options and input, without times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from footcli.text.lines import Line


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model file: its name, its task, the hashes of the file and of its manifest entry."""

    name: str
    task: str = ""
    sha256: str = ""
    entry_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """Normal range of an angle, in its unit; None: no limit at that end.

    origins: citations, and the end that each is for.
    """

    low: float | None
    high: float | None
    origins: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """The profile of cut-offs. sha256: of its content. guard_band: angle -> width in its unit."""

    name: str = ""
    version: str = ""
    sha256: str = ""
    ranges: Mapping[str, Range] = field(default_factory=dict)
    guard_band: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OptionFacts:
    """The options that a result depends on.

    spacing_mm: as text, because stored numbers are rounded and each spacing gives another result.
    """

    quality: str = ""
    spacing_mm: str | None = None
    weight_bearing: bool | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a result depends on, except the input."""

    algorithm: int
    models: tuple[ModelFacts, ...]
    profile: ProfileFacts
    options: OptionFacts


@dataclass(frozen=True, slots=True)
class InputFacts:
    """Facts about the input.

    sha256: of pixels and geometry, pixels_sha256: of the pixels alone, names_sha256: of the names
    of the slices. shape: (z, y, x). spacing_mm: along x, y, z; empty if unknown. skipped: why a
    file was left out -> number of files. warnings: codes of the notices given on reading.
    """

    sha256: str = ""
    pixels_sha256: str = ""
    weight_bearing: bool | None = None
    age_band: str | None = None
    adult: bool | None = None
    side: Literal["L", "R"] | None = None
    warnings: tuple[str, ...] = ()
    names_sha256: str | None = None
    shape: tuple[int, ...] = ()
    slices: int = 0
    spacing_mm: tuple[float, ...] = ()
    orientation_known: bool = True
    skipped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that a result depends on.

    bone_confidence: bone name -> 0..1. drawn_as: the side assumed for drawing the slices.
    """

    version: str = ""
    algorithm: int = 0
    models: tuple[ModelFacts, ...] = ()
    profile: ProfileFacts = ProfileFacts()
    options: OptionFacts = OptionFacts()
    input: InputFacts = InputFacts()
    bone_confidence: Mapping[str, float] = field(default_factory=dict)
    drawn_as: Literal["L", "R"] | None = None

    @property
    def settings(self) -> Settings:
        """What the result depends on, except its input."""
        return Settings(self.algorithm, self.models, self.profile, self.options)
