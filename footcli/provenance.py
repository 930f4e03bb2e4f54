"""What a result keeps of where it came from: models, profile, options, input. No times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from footcli.text.lines import Line


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model file: its name, what it does, the hash of the file and of its entry."""

    name: str
    task: str = ""
    sha256: str = ""
    entry_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """What counts as normal; None: no limit on that side.

    origins: citations, and which end they are for.
    """

    low: float | None
    high: float | None
    origins: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """The profile of cut-offs. sha256: over all that it says. guard_band: angle -> its unit."""

    name: str = ""
    version: str = ""
    sha256: str = ""
    ranges: Mapping[str, Range] = field(default_factory=dict)
    guard_band: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OptionFacts:
    """The options that a result depends on.

    spacing_mm: as text, for written numbers are rounded, and another spacing is another result.
    """

    quality: str = ""
    spacing_mm: str | None = None
    weight_bearing: bool | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All but the input that a result depends on."""

    algorithm: int
    models: tuple[ModelFacts, ...]
    profile: ProfileFacts
    options: OptionFacts


@dataclass(frozen=True, slots=True)
class InputFacts:
    """What the input was.

    sha256: over pixels and geometry, pixels_sha256: over the pixels alone, names_sha256: over the
    names of the slices. shape: (z, y, x). spacing_mm: along x, y, z; empty if unknown. skipped: why
    a file was left out -> how many. warnings: codes of what was said about the scan on reading.
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
    """All that a result rests on.

    bone_confidence: bone name -> 0..1. drawn_as: the side as which the slices were drawn.
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
        """What it depends on beside its input."""
        return Settings(self.algorithm, self.models, self.profile, self.options)
