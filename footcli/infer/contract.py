"""Check a model's outputs against its manifest entry on small trial images, before any case."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from footcli.domain import Plane
from footcli.infer.contract_checks import CHECKS, Answer, Shape
from footcli.infer.spec import KNOWN, ModelSpec
from footcli.infer.views import CHANNELS, OWNER, view_geometry

# Rows and columns of the trial images of slice models: multiples of the padding (bones 16, lesions
# 32) and of nothing larger. All numbers differ, so that swapped axes and a fixed output size show.
TRIALS: dict[str, tuple[Shape, Shape]] = {
    "bones": ((48, 80), (112, 144)),
    "finder": ((24, 40, 56), (40, 24, 72)),
    "lesions": ((96, 160), (224, 288)),
}
UNEVEN = 0.05  # tolerance of the growth of the number of boxes with the image area


def pictures_of(spec: ModelSpec) -> tuple[Shape, ...]:
    """Sizes of the images that a model of this entry must accept: rows and columns, of volumes
    slices before them.
    """
    if spec.task in TRIALS:
        return TRIALS[spec.task]
    return tuple(
        view_geometry(plane)[0] for plane in spec.planes if plane in (Plane.SAG, Plane.COR)
    )


def check_answers(spec: ModelSpec, answer: Answer, metadata: Mapping[str, str]) -> None:
    """Run the model on an image of each size and compare its outputs with the entry.

    answer: float32 (1, channels, rows, columns), values 0..1 -> outputs; its exceptions pass
    through. Raises ValueError with wanted and found; its message follows the model's name.
    """
    counts = []
    for size in pictures_of(spec):
        outputs = answer(_picture(spec.input_channels, size))
        _check_finite(outputs)
        CHECKS[spec.task](spec, outputs[0], size)
        counts.append(outputs[0].shape[1])
    if spec.task == "lesions":
        _check_counts(counts, pictures_of(spec))
    if spec.task in ("bones", "finder"):
        air = np.zeros((1, spec.input_channels, *pictures_of(spec)[0]), np.float32)
        _check_background(spec, answer(air)[0])
    if spec.task == "landmarks":
        _check_points(spec)
    _check_names(spec, metadata)


def _check_points(spec: ModelSpec) -> None:
    """Each output must be a point of the entry's view, with a name that OWNER gives a depth."""
    if len(spec.planes) != 1 or spec.planes[0] not in CHANNELS:
        raise ValueError(
            f"a landmarks model has one plane of {', '.join(CHANNELS)}, its entry says "
            f"{', '.join(spec.planes)}"
        )
    plane = spec.planes[0]
    known: set[str] = set()
    for names in CHANNELS[plane]:
        known.update(names)
    for names in spec.points:
        if not known.issuperset(names) or OWNER.keys().isdisjoint(names):
            raise ValueError(
                f"the {plane} view shows no point {', '.join(names)}: its points are "
                f"{', '.join(sorted(known))}"
            )


def _check_finite(outputs: Sequence[NDArray[Any]]) -> None:
    if not outputs or outputs[0].dtype.kind != "f":
        raise ValueError(
            "its first output must be of floats, it is of "
            f"{outputs[0].dtype if outputs else 'nothing'}"
        )
    if not all(np.isfinite(output).all() for output in outputs if output.dtype.kind == "f"):
        raise ValueError(
            "its outputs must be finite numbers, there are others among them (NaN or infinity)"
        )


def _check_counts(counts: Sequence[int], shown: Sequence[Shape]) -> None:
    """A detector without built-in NMS has one box a cell, so their number grows with the area."""
    small, large = (math.prod(size) for size in shown)
    if abs(counts[1] / counts[0] * small / large - 1) > UNEVEN:
        sizes = " and ".join(" x ".join(map(str, size)) for size in shown)
        raise ValueError(
            f"it gives {counts[0]} and {counts[1]} boxes for pictures of {sizes}, a number that "
            "grows with their area is wanted: "
            "export it without choosing boxes inside (NMS, end to end) and with an open image size"
        )


def _check_background(spec: ModelSpec, out: NDArray[Any]) -> None:
    """In an image of air no bone may have the highest mean probability above 0.5."""
    probability = special.softmax(out[0], axis=0) if spec.decoder == "logits" else out[0]
    mean = probability.reshape(len(probability), -1).mean(1)
    most = int(mean.argmax())
    if most > 0 and mean[most] > 0.5:
        raise ValueError(
            f"its output {most + 1} of {len(mean)} is the surest in a picture of air "
            f"({mean[most]:.2f}), the first one must be: "
            "the background comes first"
        )


def _picture(channels: int, size: Shape) -> NDArray[np.float32]:
    """A foot-like image: smooth blobs between air (0.25) and bone (1), the same every time."""
    *z, y, x = np.mgrid[tuple(slice(n) for n in size)].astype(np.float32)
    y = sum(z, y)  # through a volume the blobs run askew
    layers = [
        0.25
        + 0.75
        * np.clip(np.sin(x / (7 + k)) * np.cos(y / (11 + k)) + 0.4 * np.sin((x + y) / 23), 0, 1)
        for k in range(channels)
    ]
    return np.stack(layers)[None].astype(np.float32)


def _check_names(spec: ModelSpec, metadata: Mapping[str, str]) -> None:
    """The class names in the file's metadata (as Ultralytics writes them) must match the entry.

    Order counts.
    """
    shown = _names_in(metadata)
    if spec.task == "landmarks" or shown is None:
        return
    known, _ = KNOWN[spec.task]
    if spec.task != "lesions" and len(shown) == len(spec.classes) + 1 and known(shown[0]) is None:
        shown = shown[1:]  # the background
    # None: a name unknown to footcli, which does not contradict the manifest
    names = [known(name) for name in shown]
    if len(names) == len(spec.classes):
        pairs = zip(names, spec.classes, strict=True)
        if all(name in (None, wanted) for name, wanted in pairs):
            return
    found = ", ".join(name[:40] for name in shown[:12])
    raise ValueError(
        f"its own class names are {found}, the manifest says {', '.join(spec.classes)}: write "
        "them in the file's order"
    )


def _names_in(metadata: Mapping[str, str]) -> list[str] | None:
    """The class names of a file's metadata, in order; None if there are none that can be read."""
    try:
        shown = ast.literal_eval(metadata.get("names", ""))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None  # the metadata are free text
    if isinstance(shown, dict):
        numbered = all(isinstance(key, int) for key in shown)
        shown = [shown[key] for key in sorted(shown, key=None if numbered else str)]
    if not isinstance(shown, list | tuple) or not all(isinstance(name, str) for name in shown):
        return None
    return list(shown)
