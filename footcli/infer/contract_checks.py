"""Checks of one model output for each task; each raises ValueError with wanted and found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.infer.spec import ModelSpec

Shape = tuple[int, ...]
Answer = Callable[[NDArray[np.float32]], Sequence[NDArray[Any]]]
SUM_OFF = 0.02  # tolerance of a pixel's sum of probabilities, for rounding or int8
HEAT_OUTSIDE = 0.5  # how far a heat map may exceed 0..1: its peak is read as a score
# A dense detector's boxes extend over at least this share of the image, whatever it shows
REACH = 0.75
OUTSIDE = 1e-3  # how far a score or probability may exceed 0..1, for rounding
BOXES_AT_LEAST = 0.98  # share of boxes with ordered corners: an untrained box may be empty


def _wanted(shape: Sequence[Any], found: NDArray[Any], shown: Shape) -> ValueError:
    words = ", ".join(map(str, shape))
    return ValueError(
        f"its output for a picture of {' x '.join(map(str, shown))} must have shape ({words}), "
        "it has "
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
    """A guess at the export that gives an output of this shape; empty for none."""
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


CHECKS: dict[str, Callable[[ModelSpec, NDArray[Any], Shape], None]] = {
    "bones": _check_bones,
    "finder": _check_bones,
    "landmarks": _check_landmarks,
    "lesions": _check_lesions,
}
