"""The lesion detector on the slices of each lesion's own plane; boxes of neighbouring slices linked
into lesions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Lesion, Plane, Volume
from footcli.geometry import Array, apply
from footcli.infer.prepare import Canonical, neighbours, pad_to, window
from footcli.infer.session import Runner
from footcli.infer.spec import ModelSpec
from footcli.kinds import ARCH, BONE_ID, LESION, LESIONS
from footcli.levels import FAINT
from footcli.text.lines import Line

F32 = NDArray[np.float32]
STRIDE = 32
LEAST_SCORE = 0.15  # a fainter box is not looked at
SAME_BOX_IOU = 0.5  # within a slice: boxes that overlap more are one
MEAN_IOU = 0.6  # the box that stays is the mean, weighted by score, of those that overlap it more
LINK_IOU = 0.3  # between slices: boxes that overlap more belong to one lesion
LINK_GAP_MM = 2.5  # a lesion may be missed in slices this far apart and is still one
SLICE_MM = (
    1.2  # slices are looked at in steps of so much at most, or of the grid where that is coarser
)
LEAST_THICK_MM = 1.5  # seen in less than this, a box is noise


@dataclass(slots=True)
class _Track:
    """Boxes of one lesion, slice by slice (canonical slice number, x0 y0 x1 y1 px, score)."""

    label: str
    boxes: list[tuple[int, F32, float]] = field(default_factory=list)

    def score(self, step_mm: float) -> float:
        """step_mm: from one slice that is looked at to the next."""
        count = max(1, round(LESION[self.label].scored_mm / step_mm))
        return sum(sorted((s for _, _, s in self.boxes), reverse=True)[:count]) / count


def find_lesions(
    volume: Volume,
    grid: Canonical,
    labels: NDArray[np.uint8],
    session: Runner,
    spec: ModelSpec,
    unseen: Iterable[str] = (),
) -> tuple[Lesion, ...]:
    """Search the slices near the bones concerned. labels: uint8 (z, y, x) on `grid`, of one foot.

    unseen: lesions that cannot be judged in this scan (see not_assessable) and are not looked for.
    Best first, from FAINT on; those of spec.by_angles whatever their score.
    """
    lesions: list[Lesion] = []
    for plane in Plane:
        classes = [
            name for name in spec.classes if LESION[name].plane is plane and name not in unseen
        ]
        box = searched(labels, classes, grid.pixel_mm, plane.array_axis)
        if plane not in spec.planes or box is None:
            continue
        tracks: list[_Track] = []
        step = max(1, int(SLICE_MM / grid.pixel_mm + 1e-6))
        for index in range(box[plane.array_axis].start, box[plane.array_axis].stop, step):
            for label, xyxy, score in _detect(grid, plane, index, box, session, spec, classes):
                _link(tracks, label, index, xyxy, score, LINK_GAP_MM / grid.pixel_mm)
        step_mm = step * grid.pixel_mm
        least = max(2, int(np.ceil(LEAST_THICK_MM / step_mm)))
        for track in tracks:
            score = spec.reported(track.score(step_mm), spec.classes.index(track.label))
            judged = track.label in spec.by_angles
            if (score >= FAINT or judged) and len(track.boxes) >= least:
                lesions.append(
                    _lesion(
                        track, score, plane, volume, grid, step, _shown(labels) if judged else None
                    )
                )
    return _distinct(sorted(lesions, key=lambda x: -x.score))


def _distinct(lesions: Iterable[Lesion]) -> tuple[Lesion, ...]:
    """Best first; a lesion that touches a better one of its own kind is the same lesion, followed a
    second time.
    """
    kept: list[Lesion] = []
    for lesion in lesions:
        low, high = np.array(lesion.box_vox[:3]), np.array(lesion.box_vox[3:])
        if not any(
            k.label == lesion.label and np.all(low < k.box_vox[3:]) and np.all(high > k.box_vox[:3])
            for k in kept
        ):
            kept.append(lesion)
    return tuple(kept)


def not_assessable(present: Mapping[str, bool]) -> dict[str, Line]:
    """Lesion name -> why it cannot be judged, from which bones are there (whole enough to be looked
    at).
    """
    return {kind.name: kind.why_not for kind in LESIONS if not present.get(kind.needs, False)}


def searched(
    labels: NDArray[np.uint8], classes: Sequence[str], pixel_mm: float, axis: int
) -> tuple[slice, slice, slice] | None:
    """The part of the grid in which these lesions are looked for, in slices along `axis`; None
    where none of their bones is there.
    """
    lows, highs = [], []
    for name in classes:
        kind = LESION[name]
        near = np.isin(labels, [BONE_ID[bone] for bone in kind.searched])
        if near.any():
            ends = [
                np.flatnonzero(near.any(tuple(i for i in range(3) if i != a)))[[0, -1]]
                for a in range(3)
            ]
            grow = [round(kind.beside_mm / pixel_mm)] * 3
            grow[axis] = round(kind.before_mm / pixel_mm)
            lows.append([int(low) - more for (low, _), more in zip(ends, grow, strict=True)])
            highs.append([int(high) + 1 + more for (_, high), more in zip(ends, grow, strict=True)])
    if not lows:
        return None
    z, y, x = (
        slice(max(0, a), min(n, b))
        for a, b, n in zip(np.min(lows, 0), np.max(highs, 0), labels.shape, strict=True)
    )
    return z, y, x


def _detect(
    grid: Canonical,
    plane: Plane,
    index: int,
    box: tuple[slice, slice, slice],
    session: Runner,
    spec: ModelSpec,
    classes: list[str],
) -> list[tuple[str, F32, float]]:
    """Boxes of one slice in canonical pixels (x0, y0, x1, y1), after suppressing doubles."""
    rows, columns = (s for a, s in enumerate(box) if a != plane.array_axis)
    stack = neighbours(grid.hu, plane, index, spec.offsets_mm, grid.pixel_mm)[:, rows, columns]
    out = session.run(window(np, pad_to(stack, STRIDE), *spec.window)[None])[0][0]
    shift = np.array([columns.start, rows.start] * 2, np.float32)
    found = []
    for name in classes:
        scores = out[:, 4 + spec.classes.index(name)]
        keep = np.flatnonzero(scores >= LEAST_SCORE)
        boxes, scores = out[keep, :4], scores[keep]
        for i in suppress(boxes, scores):
            same = iou(boxes[i], boxes) >= MEAN_IOU
            same[i] = True  # an empty box does not overlap even itself
            found.append(
                (
                    name,
                    np.average(boxes[same], axis=0, weights=scores[same]).astype(np.float32)
                    + shift,
                    float(scores[i]),
                )
            )
    return found


def iou(box: F32, boxes: F32) -> F32:
    """Overlap of one box (4,) with (n, 4), intersection over union."""
    inner = np.clip(
        np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None
    ).prod(1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
    return np.asarray(inner / np.maximum(area - inner, 1e-6), dtype=np.float32)


def suppress(boxes: F32, scores: F32) -> list[int]:
    """Indices of the boxes that stay, best first: each drops the weaker ones it overlaps."""
    order, keep = list(np.argsort(-scores)), []
    while order:
        best = order.pop(0)
        keep.append(int(best))
        if order:
            overlap = iou(boxes[best], boxes[order])
            order = [o for o, v in zip(order, overlap, strict=True) if v < SAME_BOX_IOU]
    return keep


def _link(
    tracks: list[_Track], label: str, index: int, xyxy: F32, score: float, gap: float
) -> None:
    fitting = [t for t in tracks if t.label == label and 0 < index - t.boxes[-1][0] <= gap]
    overlaps = [float(iou(xyxy, t.boxes[-1][1][None])[0]) for t in fitting]
    if overlaps and max(overlaps) >= LINK_IOU:
        fitting[int(np.argmax(overlaps))].boxes.append((index, xyxy, score))
    else:
        tracks.append(_Track(label, [(index, xyxy, score)]))


def _shown(labels: NDArray[np.uint8]) -> tuple[int, int]:
    """The first and last sagittal slice with a bone of the arch's ends, where it is labelled: the
    network hardly sees its ends.
    """
    shown = np.flatnonzero(
        np.isin(labels, [BONE_ID[bone] for bone in LESION[ARCH].searched]).any((0, 1))
    )
    return int(shown[0]), int(shown[-1])


def _lesion(
    track: _Track,
    score: float,
    plane: Plane,
    volume: Volume,
    grid: Canonical,
    step: int,
    over: tuple[int, int] | None = None,
) -> Lesion:
    """step: canonical slices from one that was looked at to the next; a lesion reaches half way to
    the ones it was not seen in.

    over: the first and last slice that it is shown in, however far it was seen, and as surely in
    all of them.
    """
    best = max(s for _, _, s in track.boxes)
    strong = [b for b in track.boxes if b[2] >= LESION[track.label].edge * best]
    at, flat = (
        np.array([index for index, _, _ in strong], float),
        np.stack([box for _, box, _ in strong]).astype(float),
    )
    share = np.array(
        [s / best for _, _, s in strong]
    )  # of the lesion's score: where it fades its box may be one too many
    if track.label == ARCH:  # the same box in all slices
        flat[:] = np.median(flat, axis=0)
    half = (step - 1) / 2
    start, stop = over or (at[0] - half, at[-1] + half)
    low, high = _ends(
        start, stop, np.concatenate([flat[:, :2].min(0), flat[:, 2:].max(0)]), plane, volume, grid
    )
    size = (
        tuple(float(v) for v in (high - low) * volume.spacing_mm) if volume.spacing_known else None
    )
    normal = _input_axis(grid, plane.array_axis)
    source = Plane.SAG if normal == 0 else Plane.COR if normal == 1 else Plane.AXL
    first = int(np.floor(low[normal]))
    last = max(first, int(np.ceil(high[normal])) - 1)
    x, y = (axis for axis in range(3) if axis != normal)
    scale, shift = grid.to_input[normal, plane.axis], grid.to_input[normal, 3]
    boxes, scores = [], []
    for index in range(
        first, last + 1
    ):  # between the slices that were looked at, what lies between their boxes
        there = (index - shift) / scale
        box = np.array([np.interp(there, at, edge) for edge in flat.T])
        a, b = _ends(there, there, box, plane, volume, grid)
        boxes.append((float(a[x]), float(a[y]), float(b[x]), float(b[y])))
        scores.append(score * float(np.interp(there, at, share)))
    return Lesion(
        track.label,
        score,
        source,
        (first, last),
        (*low.tolist(), *high.tolist()),
        None if size is None else (size[0], size[1], size[2]),
        tuple(boxes),
        () if over else tuple(scores),
    )


def _ends(
    first: float, last: float, box: Array, plane: Plane, volume: Volume, grid: Canonical
) -> tuple[Array, Array]:
    """Lower and upper corner (3,) in the input's voxels, half-open, of a box (x0, y0, x1, y1) in
    the slices first..last of the grid.
    """
    rows, columns = (axis for axis in range(3) if axis != plane.array_axis)
    corners = np.empty((2, 3))
    corners[:, plane.axis] = first, last + 1
    corners[:, 2 - rows], corners[:, 2 - columns] = box[1::2], box[::2]
    ends = apply(grid.to_input, corners - 0.5)
    shape = np.array(volume.hu.shape[::-1])
    return np.clip(ends.min(0) + 0.5, 0, shape), np.clip(ends.max(0) + 0.5, 0, shape)


def _input_axis(grid: Canonical, array_axis: int) -> int:
    """Input voxel axis (0 x, 1 y, 2 z) along which a canonical array axis runs."""
    return 2 - grid.order[array_axis]
