"""Lesions of one case: boxes in each slice, and whole lesions linked over slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Box, Lesion, Plane
from footcli.kinds import LESION, LESIONS

LESION_ID = {term.name: i for i, term in enumerate(LESIONS, start=1)}
SAME_LESION_IOU = 0.1
"""3D IoU from which a found lesion matches a true one: detection counts, not the outline.

Source: nnDetection (MICCAI 2021).
"""
NEXT_SLICES = 2  # true boxes this many slices apart may be one lesion
Box3D = tuple[float, ...]
"""(x0, y0, z0, x1, y1, z1) voxels, half-open."""


@dataclass(frozen=True, slots=True)
class SliceBox:
    """A box in slice `index` of `plane`; the score is 1 for truth."""

    label: str
    plane: Plane
    index: int
    box: Box
    score: float = 1.0

    @property
    def in_own_plane(self) -> bool:
        """Whether it lies in the plane in which its lesion is labelled."""
        return self.plane is LESION[self.label].plane


@dataclass(frozen=True, slots=True)
class Hit:
    """A found lesion. truth: index of the matching true lesion among the case's lesions of its
    class; None for a false positive.
    """

    label: str
    score: float
    truth: int | None


@dataclass(slots=True)
class _Track:
    label: str
    plane: Plane
    boxes: list[tuple[int, Box]] = field(default_factory=list)

    def whole(self) -> Box3D:
        flat = np.array([b for _, b in self.boxes])
        low, high = [0.0] * 3, [0.0] * 3
        x, y = (a for a in range(3) if a != self.plane.axis)
        low[x], low[y], high[x], high[y] = (
            flat[:, 0].min(),
            flat[:, 1].min(),
            flat[:, 2].max(),
            flat[:, 3].max(),
        )
        low[self.plane.axis], high[self.plane.axis] = self.boxes[0][0], self.boxes[-1][0] + 1
        return (*map(float, low), *map(float, high))


def found_boxes(
    lesions: Sequence[Lesion], labelled: Mapping[Plane, Mapping[int, frozenset[str]]]
) -> list[SliceBox]:
    """Boxes of a result in each labelled slice, from every lesion whose range includes it.

    labelled: plane -> slice -> lesions with a true box left out there; found boxes of these are
    skipped, since they cannot be judged.
    """
    out = []
    for lesion in lesions:
        for index, void in sorted(labelled.get(lesion.plane, {}).items()):
            box = lesion.box_in(index)
            if box is not None and lesion.label not in void:
                out.append(SliceBox(lesion.label, lesion.plane, index, box, lesion.score_in(index)))
    return out


def link(boxes: Sequence[SliceBox]) -> dict[str, list[Box3D]]:
    """True boxes of slices -> label -> true lesions in 3D.

    Overlapping boxes of neighbouring slices are one lesion.
    """
    tracks: list[_Track] = []
    for item in sorted(boxes, key=lambda b: (b.label, b.index)):
        for track in tracks:
            index, last = track.boxes[-1]
            if (
                track.label == item.label
                and 0 < item.index - index <= NEXT_SLICES
                and overlap_2d(item.box, last) > 0
            ):
                track.boxes.append((item.index, item.box))
                break
        else:
            tracks.append(_Track(item.label, item.plane, [(item.index, item.box)]))
    out: dict[str, list[Box3D]] = {}
    for track in tracks:
        out.setdefault(track.label, []).append(track.whole())
    return out


def hits(lesions: Sequence[Lesion], truth: Mapping[str, Sequence[Box3D]]) -> list[Hit]:
    """Found lesions matched to true ones, highest score first; each true lesion matches once, and
    further finds of it are left out.
    """
    out: list[Hit] = []
    taken: set[tuple[str, int]] = set()
    for lesion in sorted(lesions, key=lambda x: -x.score):
        shares = [_overlap(lesion.box_vox, box) for box in truth.get(lesion.label, ())]
        best = int(np.argmax(shares)) if shares else 0
        if not shares or shares[best] < SAME_LESION_IOU:
            out.append(Hit(lesion.label, lesion.score, None))
        elif (lesion.label, best) not in taken:
            taken.add((lesion.label, best))
            out.append(Hit(lesion.label, lesion.score, best))
    return out


def overlap_2d(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1)."""
    return _overlap((a[0], a[1], 0, a[2], a[3], 1), (b[0], b[1], 0, b[2], b[3], 1))


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    p, q = np.asarray(a, np.float64).reshape(2, 3), np.asarray(b, np.float64).reshape(2, 3)
    common = float(np.prod(np.clip(np.minimum(p[1], q[1]) - np.maximum(p[0], q[0]), 0, None)))
    union = _size(p) + _size(q) - common
    return common / union if union > 0 else 0.0


def _size(box: NDArray[np.float64]) -> float:
    return float(np.prod(box[1] - box[0]))
