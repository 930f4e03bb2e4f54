"""Bounding boxes of one slice: overlap (IoU) and non-maximum suppression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
LEAST_SCORE = 0.15  # boxes with a lower score are dropped
SAME_BOX_IOU = 0.5  # within a slice, boxes that overlap more are one
MEAN_IOU = 0.6  # a kept box is averaged with those that overlap it more


def detect(boxes: F32, scores: F32) -> list[tuple[F32, float]]:
    """Boxes (x0, y0, x1, y1) of one class and their scores after non-maximum suppression.

    boxes: (n, 4), scores: (n,). Each kept box is the score-weighted mean of those that overlap it
    by MEAN_IOU or more.
    """
    keep = np.flatnonzero(scores >= LEAST_SCORE)
    boxes, scores = boxes[keep], scores[keep]
    found = []
    for i in suppress(boxes, scores):
        same = iou(boxes[i], boxes) >= MEAN_IOU
        same[i] = True  # an empty box does not overlap even itself
        mean = np.average(boxes[same], axis=0, weights=scores[same])
        found.append((mean.astype(np.float32), float(scores[i])))
    return found


def iou(box: F32, boxes: F32) -> F32:
    """(n,) intersection over union of one box (4,) with boxes (n, 4)."""
    inner = np.clip(
        np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None
    ).prod(1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
    return np.asarray(inner / np.maximum(area - inner, 1e-6), dtype=np.float32)


def suppress(boxes: F32, scores: F32) -> list[int]:
    """Indices of the kept boxes, best first; each suppresses the weaker ones that it overlaps."""
    order, keep = list(np.argsort(-scores)), []
    while order:
        best = order.pop(0)
        keep.append(int(best))
        if order:
            overlap = iou(boxes[best], boxes[order])
            order = [o for o, v in zip(order, overlap, strict=True) if v < SAME_BOX_IOU]
    return keep
