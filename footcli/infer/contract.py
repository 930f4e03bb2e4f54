"""What a model's answers must look like for its task, tried on small pictures before the first
case.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from footcli.domain import Plane
from footcli.infer.spec import ModelSpec
from footcli.infer.views import CHANNELS, OWNER, view_geometry
from footcli.names import bone_name, lesion_name

Shape = tuple[int, int]
Answer = Callable[[NDArray[np.float32]], Sequence[NDArray[Any]]]
# Rows and columns of the pictures that models of slices are tried on: multiples of what pictures
# are padded to (bones 16, lesions 32) and of no more, no two numbers alike, so that swapped axes
# and answers of one size for all pictures are seen.
TRIALS: dict[str, tuple[Shape, Shape]] = {
    "bones": ((48, 80), (112, 144)),
    "lesions": ((96, 160), (224, 288)),
}
SUM_OFF = 0.02  # how far from 1 the probabilities of a pixel may add up, by rounding or int8
HEAT_OUTSIDE = 0.5  # how far a heat map may swing beyond 0..1: its peak is read as a score
# boxes of a detector that looks everywhere reach so far across the picture, whatever they hold
REACH = 0.75
UNEVEN = 0.05  # how far the number of boxes may be from growing as the area does
OUTSIDE = 1e-3  # how far a score or probability may lie outside of 0..1, by rounding
BOXES_AT_LEAST = (
    0.98  # share of boxes whose corners must be in order: an untrained one may be empty
)


def pictures_of(spec: ModelSpec) -> tuple[Shape, ...]:
    """(rows, columns) of the pictures that a model of this entry must be able to take."""
    if spec.task in TRIALS:
        return TRIALS[spec.task]
    return tuple(
        view_geometry(plane)[0] for plane in spec.planes if plane in (Plane.SAG, Plane.COR)
    )


def check_answers(spec: ModelSpec, answer: Answer, metadata: Mapping[str, str]) -> None:
    """Run the model on a picture of each size and hold what it answers against the entry.

    answer: float32 (1, channels, rows, columns), values 0..1 -> outputs. Raises ValueError with
    wanted and found, in words that follow the model's name; whatever `answer` raises passes
    through.
    """
    counts = []
    for rows, columns in pictures_of(spec):
        outputs = answer(_picture(spec.input_channels, rows, columns))
        _check_finite(outputs)
        _CHECKS[spec.task](spec, outputs[0], (rows, columns))
        counts.append(outputs[0].shape[1])
    if spec.task == "lesions":
        _check_counts(counts, pictures_of(spec))
    if spec.task == "bones":
        rows, columns = pictures_of(spec)[0]
        _check_background(
            spec, answer(np.zeros((1, spec.input_channels, rows, columns), np.float32))[0]
        )
    if spec.task == "landmarks":
        _check_points(spec)
    _check_names(spec, metadata)


def _check_points(spec: ModelSpec) -> None:
    """Each output must be a point that the entry's view shows.

    Under one of the names by which its depth is found.
    """
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
    """A detector without a choice of its own has as many boxes as cells: they grow with the
    picture's area.
    """
    small, large = (rows * columns for rows, columns in shown)
    if abs(counts[1] / counts[0] * small / large - 1) > UNEVEN:
        sizes = " and ".join(f"{rows} x {columns}" for rows, columns in shown)
        raise ValueError(
            f"it gives {counts[0]} and {counts[1]} boxes for pictures of {sizes}, a number that "
            "grows with their area is wanted: "
            "export it without choosing boxes inside (NMS, end to end) and with an open image size"
        )


def _check_background(spec: ModelSpec, out: NDArray[Any]) -> None:
    """In a picture of air no bone may be sure."""
    probability = special.softmax(out[0], axis=0) if spec.decoder == "logits" else out[0]
    mean = probability.reshape(len(probability), -1).mean(1)
    most = int(mean.argmax())
    if most > 0 and mean[most] > 0.5:
        raise ValueError(
            f"its output {most + 1} of {len(mean)} is the surest in a picture of air "
            f"({mean[most]:.2f}), the first one must be: "
            "the background comes first"
        )


def _picture(channels: int, rows: int, columns: int) -> NDArray[np.float32]:
    """Something like a foot: smooth blobs between air (0.25) and bone (1), the same every time."""
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    layers = [
        0.25
        + 0.75
        * np.clip(np.sin(x / (7 + k)) * np.cos(y / (11 + k)) + 0.4 * np.sin((x + y) / 23), 0, 1)
        for k in range(channels)
    ]
    return np.stack(layers)[None].astype(np.float32)


def _wanted(shape: Sequence[Any], found: NDArray[Any], shown: Shape) -> ValueError:
    words = ", ".join(map(str, shape))
    return ValueError(
        f"its output for a picture of {shown[0]} x {shown[1]} must have shape ({words}), it has "
        f"{found.shape}"
    )


def _check_bones(spec: ModelSpec, out: NDArray[Any], shown: Shape) -> None:
    wanted = (1, len(spec.classes) + 1, *shown)
    if out.shape != wanted:
        raise _wanted(wanted, out, shown)
    sums = out.sum(1)
    is_softmax = (
        out.min() >= -OUTSIDE and out.max() <= 1 + OUTSIDE and np.abs(sums - 1).max() <= SUM_OFF
    )
    found = (
        f"values of {out.min():.3g} to {out.max():.3g}, sums of {sums.min():.3g} to "
        f"{sums.max():.3g}"
    )
    if spec.decoder == "softmax" and not is_softmax:
        raise ValueError(
            f"its output must be probabilities that add up to 1 a pixel, it has {found}: are these "
            "logits (decoder)?"
        )
    if spec.decoder == "logits" and is_softmax:
        raise ValueError(
            f"its output must be logits, it has {found}: are these probabilities (decoder softmax)?"
        )


def _check_landmarks(spec: ModelSpec, out: NDArray[Any], shown: Shape) -> None:
    wanted = (1, len(spec.points), *shown)
    if out.shape != wanted:
        raise _wanted(wanted, out, shown)
    if out.min() < -HEAT_OUTSIDE or out.max() > 1 + HEAT_OUTSIDE:
        raise ValueError(
            f"its heat maps must run from 0 to 1, they run from {out.min():.3g} to "
            f"{out.max():.3g}: are these logits?"
        )


def _check_lesions(spec: ModelSpec, out: NDArray[Any], shown: Shape) -> None:
    width = 4 + len(spec.classes)
    if out.ndim != 3 or out.shape[0] != 1 or out.shape[2] != width or out.shape[1] < 1:
        error = _wanted((1, "boxes", width), out, shown)
        raise ValueError(f"{error}{_known_export(out.shape, len(spec.classes))}")
    boxes, scores = out[0, :, :4], out[0, :, 4:]
    if scores.min() < -OUTSIDE or scores.max() > 1 + OUTSIDE:
        raise ValueError(
            f"its scores must lie within 0 and 1, they run from {scores.min():.3g} to "
            f"{scores.max():.3g}"
        )
    ordered = (boxes[:, 2] >= boxes[:, 0]) & (boxes[:, 3] >= boxes[:, 1])
    if ordered.mean() < BOXES_AT_LEAST:
        raise ValueError(
            f"its boxes must be corners (x0, y0, x1, y1), {1 - ordered.mean():.0%} of them have "
            "the second corner before the first: "
            "these may be centres and sizes"
        )
    reach = float(boxes[:, 2].max()), float(boxes[:, 3].max())
    if any(far < REACH * size for far, size in zip(reach, shown[::-1], strict=True)):
        raise ValueError(
            "its boxes must be in pixels, x before y, and lie all over the picture: in one of "
            f"{shown[0]} x {shown[1]} they reach "
            f"x {reach[0]:.3g} and y {reach[1]:.3g}; are these shares of the picture, cells, or y "
            "before x?"
        )


def _known_export(shape: Sequence[int], classes: int) -> str:
    """What an output of another shape may be."""
    if len(shape) == 3 and shape[1] == 4 + classes:
        return (
            ": this looks like an Ultralytics v8 or v11 export, boxes last and as centres and sizes"
        )
    if len(shape) == 3 and shape[2] == 5 + classes:
        return (
            ": this looks like a YOLOX or Ultralytics v5 export, with a score of its own for there "
            "being anything"
        )
    if len(shape) in (2, 3) and shape[-1] in (6, 7):
        return ": this looks like an export that chooses its boxes itself (NMS inside)"
    return ""


def _check_names(spec: ModelSpec, metadata: Mapping[str, str]) -> None:
    """The class names that the file itself carries must be those of the entry, in the same order.

    As Ultralytics writes them.
    """
    said = _names_in(metadata)
    if spec.task == "landmarks" or said is None:
        return
    known = bone_name if spec.task == "bones" else lesion_name
    if spec.task == "bones" and len(said) == len(spec.classes) + 1 and known(said[0]) is None:
        said = said[1:]  # the background
    # None: a word of its own, which says nothing against the manifest
    names = [known(name) for name in said]
    if len(names) == len(spec.classes):
        pairs = zip(names, spec.classes, strict=True)
        if all(name in (None, wanted) for name, wanted in pairs):
            return
    found = ", ".join(name[:40] for name in said[:12])
    raise ValueError(
        f"its own class names are {found}, the manifest says {', '.join(spec.classes)}: write "
        "them in the file's order"
    )


def _names_in(metadata: Mapping[str, str]) -> list[str] | None:
    """The names of a file's metadata, in order; None where it carries none that can be read."""
    try:
        said = ast.literal_eval(metadata.get("names", ""))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None  # text that nobody promised anything about
    if isinstance(said, dict):
        numbered = all(isinstance(key, int) for key in said)
        said = [said[key] for key in sorted(said, key=None if numbered else str)]
    if not isinstance(said, list | tuple) or not all(isinstance(name, str) for name in said):
        return None
    return list(said)


_CHECKS: dict[str, Callable[[ModelSpec, NDArray[Any], Shape], None]] = {
    "bones": _check_bones,
    "landmarks": _check_landmarks,
    "lesions": _check_lesions,
}
