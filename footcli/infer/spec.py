"""One entry of models/manifest.toml: ModelSpec, and the check of every key and of the keys
together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from footcli.domain import Plane
from footcli.errors import SetupError
from footcli.infer.spec_checks import CHECKS, DECODERS, OPTIONAL, VIEW_IMAGES, VIEW_MM
from footcli.kinds import ARCH, BONES, LESION, LESIONS
from footcli.levels import REPORTED, SUSPICIOUS
from footcli.names import bone_name, lesion_name


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One [[model]] entry.

    file: plain name beside the manifest. task: bones, landmarks or lesions. decoder: how the output
    is read, one of DECODERS. classes: bone names without background, or lesion names, in the order
    of the output channels; empty for landmarks. points: for landmarks, the names that each output
    channel stands for; empty otherwise. planes: slices it was trained on. pixel_mm: edge of its
    square pixel. window: HU that become 0 and 1. offsets_mm: distance along the normal of each
    input channel that is a slice (0 the slice itself); empty where channels are no slices.
    thresholds: the raw score of each output channel that is reported as REPORTED of its task; empty
    for scores as they are. suspicious: for lesions, the raw score of each class that is reported as
    SUSPICIOUS, below its threshold; empty for none. by_angles: lesion names whose boxes the model
    places and the measured angles score; empty for a model that can tell them itself. quality: what
    was measured, free words. exported_by: footcli version.
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
        """A hash of all that the entry says of how the model is used: what was measured, and by
        whom it was made, is not in it.
        """
        used = replace(self, licence="", trained_on="", exported_by="", quality={})
        return hashlib.sha256(repr(used).encode()).hexdigest()

    def reported(self, score: float, channel: int) -> float:
        """A raw score of an output channel on the scale that is reported: straight from 0 to each
        threshold, and on to 1.
        """
        if not self.thresholds:
            return score
        raw, shown = [0.0, self.thresholds[channel], 1.0], [0.0, REPORTED[self.task], 1.0]
        if self.suspicious:
            raw.insert(1, self.suspicious[channel])
            shown.insert(1, SUSPICIOUS)
        i = max(i for i in range(len(raw) - 1) if raw[i] <= max(score, 0.0))
        return shown[i] + (shown[i + 1] - shown[i]) * (score - raw[i]) / (raw[i + 1] - raw[i])


# Each check takes what TOML gave and returns what ModelSpec holds, or raises ValueError saying what
# is allowed.


def parse_spec(where: str, entry: Any) -> ModelSpec:
    """The checked entry; `where` begins the message.

    Raises SetupError naming the key and what is allowed.
    """
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
    """Checks between keys; classes get their own names for any known spelling."""
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
    """Raises SetupError where an entry is none of a landmarks model."""
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
    """Raises SetupError where thresholds, or what they go with, do not fit the model."""
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
    """Whether each number of `suspicious` lies below the threshold of its class."""
    if spec.task != "lesions" or len(spec.suspicious) != len(spec.thresholds):
        return False
    return all(a < b for a, b in zip(spec.suspicious, spec.thresholds, strict=True))


def _own_names(where: str, spec: ModelSpec) -> tuple[str, ...]:
    """The classes by their own names. Raises SetupError for one that is unknown or there twice."""
    known, terms = (bone_name, BONES) if spec.task == "bones" else (lesion_name, LESIONS)
    names: list[str] = []
    for text in spec.classes:
        name = known(text)
        if name is None or name in names:
            raise SetupError(
                f"{where}: classes must be {', '.join(t.name for t in terms)}, each once at most, "
                f"got {text[:60]!r}"
            )
        names.append(name)
    return tuple(names)


def _check_planes(where: str, spec: ModelSpec) -> None:
    """Raises SetupError where a class is looked for in a plane that the model does not know."""
    for name in spec.classes:
        plane = LESION[name].plane
        if plane not in spec.planes:
            raise SetupError(f"{where}: planes must hold {plane}, in which {name} is looked for")
