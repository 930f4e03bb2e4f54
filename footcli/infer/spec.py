"""One entry of models/manifest.toml: ModelSpec, and the checks of single keys and between keys."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from footcli.domain import Plane
from footcli.errors import SetupError
from footcli.infer.spec_checks import CHECKS, DECODERS, OPTIONAL, VIEW_IMAGES, VIEW_MM
from footcli.kinds import ARCH, BONES, LESION, LESIONS
from footcli.kinds.parts import PART_ID
from footcli.levels import REPORTED, SUSPICIOUS
from footcli.names import bone_name, lesion_name


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One [[model]] entry.

    file: plain name beside the manifest. task: bones, finder, landmarks or lesions. decoder:
    how the output is read, one of DECODERS. classes: names of bones or parts without
    background, or of lesions, in the order of the output channels; empty for landmarks. points:
    for landmarks, the names of each output channel's point; empty otherwise. planes: planes of
    the training slices. pixel_mm: edge of the square pixel. window: HU mapped to 0 and 1.
    offsets_mm: offset along the normal of each input channel that is a slice (0 the slice
    itself); empty if the channels are not slices. thresholds: for each output channel the raw
    score reported as REPORTED of its task; empty to report raw scores. suspicious: for lesions,
    each class's raw score reported as SUSPICIOUS, below its threshold; empty for none.
    by_angles: lesions that the model localises and the measured angles score; empty if the
    model scores them all. quality: measured figures, free form. exported_by: footcli version.
    """

    file: str
    sha256: str
    task: str
    planes: tuple[Plane, ...]
    pixel_mm: float
    window: tuple[float, float]
    decoder: str
    input_channels: int
    licence: str
    trained_on: str
    exported_by: str
    classes: tuple[str, ...] = ()
    points: tuple[tuple[str, ...], ...] = ()
    offsets_mm: tuple[float, ...] = ()
    thresholds: tuple[float, ...] = ()
    suspicious: tuple[float, ...] = ()
    by_angles: tuple[str, ...] = ()
    quality: Mapping[str, Any] = field(default_factory=dict)

    @property
    def entry_sha256(self) -> str:
        """Hash of the keys that affect how the model is used.

        Without licence, trained_on, exported_by and quality.
        """
        used = replace(self, licence="", trained_on="", exported_by="", quality={})
        return hashlib.sha256(repr(used).encode()).hexdigest()

    def reported(self, score: float, channel: int) -> float:
        """A channel's raw score on the reported scale: linear between 0, the thresholds and 1."""
        if not self.thresholds:
            return score
        raw, shown = [0.0, self.thresholds[channel], 1.0], [0.0, REPORTED[self.task], 1.0]
        if self.suspicious:
            raw.insert(1, self.suspicious[channel])
            shown.insert(1, SUSPICIOUS)
        i = max(i for i in range(len(raw) - 1) if raw[i] <= max(score, 0.0))
        return shown[i] + (shown[i + 1] - shown[i]) * (score - raw[i]) / (raw[i + 1] - raw[i])


# Each check takes a TOML value and returns the field of ModelSpec, or raises ValueError with what
# is allowed.


def parse_spec(where: str, entry: Any) -> ModelSpec:
    """The checked entry. Raises SetupError with `where`, the key and what is allowed."""
    if not isinstance(entry, dict):
        raise SetupError(f"{where}: must be a [[model]] table")
    if isinstance(entry.get("file"), str):
        where += f" ({entry['file'][:60]!r})"
    if strange := set(entry) - set(CHECKS):
        raise SetupError(
            f"{where}: unknown key {sorted(strange)[0]!r}: allowed are {', '.join(CHECKS)}"
        )
    if missing := [key for key in CHECKS if key not in entry and key not in OPTIONAL]:
        raise SetupError(f"{where}: key {missing[0]} is missing")
    values: dict[str, Any] = {}
    for key, value in entry.items():
        try:
            values[key] = CHECKS[key](value)
        except ValueError as error:
            raise SetupError(f"{where}: {key} must be {error}, got {str(value)[:60]!r}") from error
    return _agree(where, ModelSpec(**values))


def _agree(where: str, spec: ModelSpec) -> ModelSpec:
    """Checks between keys; classes in any known spelling get their standard names."""
    if spec.decoder not in DECODERS[spec.task]:
        raise SetupError(
            f"{where}: the decoder of a {spec.task} model must be "
            f"{' or '.join(DECODERS[spec.task])}, got {spec.decoder}"
        )
    if spec.task == "landmarks":
        _check_landmarks(where, spec)
        _check_thresholds(where, spec)
        return spec
    if not spec.classes or spec.points:
        raise SetupError(f"{where}: a {spec.task} model has classes and no points")
    if not spec.offsets_mm and spec.input_channels == 1:
        spec = replace(spec, offsets_mm=(0.0,))  # the slice itself
    if len(spec.offsets_mm) != spec.input_channels:
        raise SetupError(
            f"{where}: offsets_mm must be {spec.input_channels} numbers, one for each input "
            f"channel, got {len(spec.offsets_mm)}"
        )
    _check_thresholds(where, spec)
    spec = replace(spec, classes=_own_names(where, spec))
    if spec.task == "lesions":
        _check_planes(where, spec)
    return spec


def _check_landmarks(where: str, spec: ModelSpec) -> None:
    """Raises SetupError unless the entry is a valid landmarks model."""
    if not spec.points or spec.classes:
        raise SetupError(
            f"{where}: a landmarks model has points (a list of names for each output channel) and "
            "no classes"
        )
    if spec.offsets_mm:
        raise SetupError(
            f"{where}: offsets_mm must be none, for its channels are no slices, got "
            f"{len(spec.offsets_mm)}"
        )
    if spec.pixel_mm != VIEW_MM:
        raise SetupError(
            f"{where}: pixel_mm of a landmarks model must be {VIEW_MM:g}, that of the views, got "
            f"{spec.pixel_mm:g}"
        )
    if spec.input_channels > VIEW_IMAGES:
        raise SetupError(
            f"{where}: input_channels of a landmarks model must be 1 to {VIEW_IMAGES}, got "
            f"{spec.input_channels}"
        )


def _check_thresholds(where: str, spec: ModelSpec) -> None:
    """Raises SetupError if thresholds, suspicious or by_angles do not fit the model."""
    outputs = len(spec.points or spec.classes)
    if spec.thresholds and (spec.task not in REPORTED or len(spec.thresholds) != outputs):
        raise SetupError(
            f"{where}: thresholds must be one number for each class of a lesions model, or output "
            "of a landmarks model"
        )
    if spec.suspicious and not _is_below(spec):
        raise SetupError(
            f"{where}: suspicious must be one number for each threshold of a lesions model, and "
            "below it"
        )
    if not set(spec.by_angles) <= {ARCH} & set(spec.classes):
        raise SetupError(
            f"{where}: by_angles may hold {ARCH!r} alone, where it is one of the classes"
        )


def _is_below(spec: ModelSpec) -> bool:
    """Whether each number of `suspicious` is below the threshold of its class."""
    if spec.task != "lesions" or len(spec.suspicious) != len(spec.thresholds):
        return False
    return all(a < b for a, b in zip(spec.suspicious, spec.thresholds, strict=True))


def _own_names(where: str, spec: ModelSpec) -> tuple[str, ...]:
    """The classes by their standard names. Raises SetupError for an unknown or repeated one."""
    known, terms = KNOWN[spec.task]
    names: list[str] = []
    for text in spec.classes:
        name = known(text)
        if name is None or name in names:
            raise SetupError(
                f"{where}: classes must be {', '.join(terms)}, each once at most, got {text[:60]!r}"
            )
        names.append(name)
    return tuple(names)


def _part_name(text: str) -> str | None:
    return text if text in PART_ID else None


KNOWN: Mapping[str, tuple[Callable[[str], str | None], tuple[str, ...]]] = {
    "bones": (bone_name, tuple(term.name for term in BONES)),
    "finder": (_part_name, tuple(PART_ID)),
    "lesions": (lesion_name, tuple(term.name for term in LESIONS)),
}
"""Task -> what finds the standard name of a class, and the names."""


def _check_planes(where: str, spec: ModelSpec) -> None:
    """Raises SetupError if a class is searched in a plane that the model lacks."""
    for name in spec.classes:
        plane = LESION[name].plane
        if plane not in spec.planes:
            raise SetupError(f"{where}: planes must hold {plane}, in which {name} is looked for")
