"""One entry of models/manifest.toml: ModelSpec, and the check of every key and of the keys
together.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from footcli.domain import Plane
from footcli.errors import SetupError
from footcli.kinds import ARCH, BONES, LESION, LESIONS, MEASURES, landmark_names
from footcli.levels import REPORTED, SUSPICIOUS
from footcli.names import bone_name, lesion_name

DECODERS = {"bones": ("softmax", "logits"), "landmarks": ("gu2net",), "lesions": ("yolo",)}
"""Task -> how a model's output may be read; there are no others."""
TASKS = tuple(DECODERS)
_WITH_POINTS = tuple(term.name for term in MEASURES if term.unit == "deg")
_POINTS = frozenset(chain.from_iterable(map(landmark_names, _WITH_POINTS)))
_POINT_WORDS = (
    "lists of names <ANGLE>_Line<1|2>_Pt<1|2>, none empty, <ANGLE> one of "
    f"{', '.join(_WITH_POINTS)}"
)


VIEW_MM = 1.0  # pixel of the views along the foot
VIEW_IMAGES = 3  # pictures of a view along the foot that a landmarks model can be given


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


def _need(ok: bool, allowed: str) -> None:
    if not ok:
        raise ValueError(allowed)


def _number(value: Any, low: float, high: float) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    _need(
        number and math.isfinite(value) and low <= value <= high,
        f"a number from {low:g} to {high:g}",
    )
    return float(value)


def _text(value: Any) -> str:
    _need(isinstance(value, str) and bool(value.strip()), "a text that is not empty")
    return str(value)


def _match(pattern: str, allowed: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        _need(isinstance(value, str) and re.fullmatch(pattern, value) is not None, allowed)
        return str(value)

    return check


def _one_of(*allowed: str) -> Callable[[Any], str]:
    return _match("|".join(map(re.escape, allowed)), f"one of {', '.join(allowed)}")


def _items(value: Any, allowed: str) -> list[Any]:
    _need(isinstance(value, list), f"a list of {allowed}")
    return list(value)


def _planes(value: Any) -> tuple[Plane, ...]:
    allowed = f"one or more of {', '.join(Plane)}, each once"
    found = _items(value, "planes")
    _need(
        bool(found)
        and all(isinstance(x, str) and x in list(Plane) for x in found)
        and len(set(found)) == len(found),
        allowed,
    )
    return tuple(Plane(x) for x in found)


def _window(value: Any) -> tuple[float, float]:
    ends = [_number(x, -32768, 65535) for x in _items(value, "two numbers")]
    _need(len(ends) == 2 and ends[0] < ends[1], "two numbers [low, high] in HU, low first")
    return ends[0], ends[1]


def _channels(value: Any) -> int:
    _need(
        isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 64,
        "a whole number from 1 to 64",
    )
    return int(value)


def _points(value: Any) -> tuple[tuple[str, ...], ...]:
    channels = [_items(x, "landmark names") for x in _items(value, "lists of landmark names")]
    flat: list[Any] = []
    for channel in channels:
        flat += channel
    _need(all(channels) and all(isinstance(x, str) and x in _POINTS for x in flat), _POINT_WORDS)
    _need(len(set(flat)) == len(flat), "landmark names, each in one channel only")
    return tuple(tuple(channel) for channel in channels)


def _free(value: Any) -> Any:
    """Numbers, texts, lists and tables of them; what write_entry can write."""
    if isinstance(value, dict):
        return {str(key): _free(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_free(inner) for inner in value]
    _need(
        isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)),
        "finite numbers, texts, lists and tables",
    )
    return value


def _quality(value: Any) -> dict[str, Any]:
    _need(isinstance(value, dict), "a table")
    return dict(_free(value))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(x) for x in _items(value, "names"))


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "file": _match(
        r"(?!\.)[\w.+ -]+", "a plain file name in this folder, without / \\ or a leading dot"
    ),
    "sha256": lambda value: _match("[0-9a-f]{64}", "64 hex digits")(
        value.lower() if isinstance(value, str) else value
    ),
    "task": _one_of(*TASKS),
    "planes": _planes,
    "pixel_mm": lambda value: _number(value, 0.05, 10),
    "window": _window,
    "decoder": _one_of(*chain.from_iterable(DECODERS.values())),
    "input_channels": _channels,
    "licence": _text,
    "trained_on": _text,
    "exported_by": _text,
    "classes": _texts,
    "points": _points,
    "offsets_mm": lambda value: tuple(_number(x, -200, 200) for x in _items(value, "numbers")),
    "thresholds": lambda value: tuple(_number(x, 0.01, 0.99) for x in _items(value, "numbers")),
    "suspicious": lambda value: tuple(_number(x, 0.01, 0.99) for x in _items(value, "numbers")),
    "by_angles": _texts,
    "quality": _quality,
}
_OPTIONAL = ("classes", "points", "offsets_mm", "thresholds", "suspicious", "by_angles", "quality")


def parse_spec(where: str, entry: Any) -> ModelSpec:
    """The checked entry; `where` begins the message.

    Raises SetupError naming the key and what is allowed.
    """
    if not isinstance(entry, dict):
        raise SetupError(f"{where}: must be a [[model]] table")
    if isinstance(entry.get("file"), str):
        where += f" ({entry['file'][:60]!r})"
    if strange := set(entry) - set(_CHECKS):
        raise SetupError(
            f"{where}: unknown key {sorted(strange)[0]!r}: allowed are {', '.join(_CHECKS)}"
        )
    if missing := [key for key in _CHECKS if key not in entry and key not in _OPTIONAL]:
        raise SetupError(f"{where}: key {missing[0]} is missing")
    values: dict[str, Any] = {}
    for key, value in entry.items():
        try:
            values[key] = _CHECKS[key](value)
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
