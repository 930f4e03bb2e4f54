"""The lesion detector on slices of each kind's plane; boxes of adjacent slices form lesions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Lesion, Plane, Volume
from footcli.geometry import Array, apply
from footcli.infer.boxes import F32, detect, iou
from footcli.infer.prepare import Canonical, neighbours, pad_to, window
from footcli.infer.search_region import searched, shown
from footcli.infer.session import Runner
from footcli.infer.spec import ModelSpec
from footcli.kinds import ARCH, LESION
from footcli.levels import FAINT

STRIDE = 32
LINK_IOU = 0.3  # boxes of two slices that overlap more belong to one lesion
LINK_GAP_MM = 2.5  # the largest gap between linked boxes, along the normal
SLICE_MM = 1.2  # largest step between the slices searched, unless the grid is coarser
LEAST_THICK_MM = 1.5  # a thinner track of boxes is noise


@dataclass(slots=True)
class _Track:
    """Boxes of one lesion, slice by slice (canonical slice number, x0 y0 x1 y1 px, score)."""

    label: str
    boxes: list[tuple[int, F32, float]] = field(default_factory=list)

    def score(self, step_mm: float) -> float:
        """Mean score of the best slices over the kind's scored_mm; missing slices count as 0.

        step_mm: distance between the slices searched.
        """
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
    """Detect lesions near their bones. labels: uint8 (z, y, x) on `grid`, of one foot.

    unseen: kinds that cannot be assessed in this scan (see not_assessable) and are not searched.
    Best first; scores of at least FAINT, or any score for the kinds of spec.by_angles.
    """
    lesions: list[Lesion] = []
    step = max(1, int(SLICE_MM / grid.pixel_mm + 1e-6))
    step_mm = step * grid.pixel_mm
    least = max(2, int(np.ceil(LEAST_THICK_MM / step_mm)))
    for plane in [plane for plane in Plane if plane in spec.planes]:
        search = _Search(volume, grid, plane, step)
        for track in _tracks(search, labels, session, spec, unseen):
            score = spec.reported(track.score(step_mm), spec.classes.index(track.label))
            judged = track.label in spec.by_angles
            if (score >= FAINT or judged) and len(track.boxes) >= least:
                over = shown(labels) if judged else None
                lesions.append(_lesion(track, score, search, over))
    return _distinct(sorted(lesions, key=lambda x: -x.score))


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """The search in one plane. step: canonical slices between the slices searched."""

    volume: Volume
    grid: Canonical
    plane: Plane
    step: int


def _tracks(
    search: _Search,
    labels: NDArray[np.uint8],
    session: Runner,
    spec: ModelSpec,
    unseen: Iterable[str],
) -> list[_Track]:
    """The boxes of a plane's slices, linked."""
    plane, grid = search.plane, search.grid
    hidden = set(unseen)
    own = [name for name in spec.classes if LESION[name].plane is plane]
    classes = [name for name in own if name not in hidden]
    box = searched(labels, classes, grid.pixel_mm, plane.array_axis)
    tracks: list[_Track] = []
    if box is not None:
        along = box[plane.array_axis]
        for index in range(along.start, along.stop, search.step):
            out, shift = _answer(search, index, box, session, spec)
            for name in classes:
                scores = out[:, 4 + spec.classes.index(name)]
                for xyxy, score in detect(out[:, :4], scores):
                    _link(tracks, name, index, xyxy + shift, score, LINK_GAP_MM / grid.pixel_mm)
    return tracks


def _distinct(lesions: Iterable[Lesion]) -> tuple[Lesion, ...]:
    """Drop a lesion that touches a better one of its kind. lesions: best first."""
    kept: list[Lesion] = []
    for lesion in lesions:
        same = [other for other in kept if other.label == lesion.label]
        if not any(_touch(lesion, other) for other in same):
            kept.append(lesion)
    return tuple(kept)


def _touch(one: Lesion, two: Lesion) -> bool:
    low, high = np.array(one.box_vox[:3]), np.array(one.box_vox[3:])
    return bool(np.all(low < two.box_vox[3:]) and np.all(high > two.box_vox[:3]))


def _answer(
    search: _Search, index: int, box: tuple[slice, slice, slice], session: Runner, spec: ModelSpec
) -> tuple[F32, F32]:
    """The output (boxes, 4 + classes) for a slice, and the (4,) shift to canonical pixels."""
    rows, columns = (s for a, s in enumerate(box) if a != search.plane.array_axis)
    grid = search.grid
    stack = neighbours(grid.hu, search.plane, index, spec.offsets_mm, grid.pixel_mm)
    picture = window(np, pad_to(stack[:, rows, columns], STRIDE), *spec.window)[None]
    out = np.asarray(session.run(picture)[0][0], np.float32)
    return out, np.array([columns.start, rows.start] * 2, np.float32)


def _link(
    tracks: list[_Track], label: str, index: int, xyxy: F32, score: float, gap: float
) -> None:
    fitting = [t for t in tracks if t.label == label and 0 < index - t.boxes[-1][0] <= gap]
    overlaps = [float(iou(xyxy, t.boxes[-1][1][None])[0]) for t in fitting]
    if overlaps and max(overlaps) >= LINK_IOU:
        fitting[int(np.argmax(overlaps))].boxes.append((index, xyxy, score))
    else:
        tracks.append(_Track(label, [(index, xyxy, score)]))


def _lesion(
    track: _Track, score: float, search: _Search, over: tuple[int, int] | None = None
) -> Lesion:
    """The lesion of a track; it extends halfway to the adjacent slices searched.

    over: first and last canonical slice, instead of the track's own; then no score per slice.
    """
    volume, grid = search.volume, search.grid
    shape = _shape_of(track)
    half = (search.step - 1) / 2
    start, stop = over or (shape.at[0] - half, shape.at[-1] + half)
    whole = np.concatenate([shape.boxes[:, :2].min(0), shape.boxes[:, 2:].max(0)])
    low, high = _ends(start, stop, whole, search)
    normal = _input_axis(grid, search.plane.array_axis)
    first = int(np.floor(low[normal]))
    last = max(first, int(np.ceil(high[normal])) - 1)
    x, y = (axis for axis in range(3) if axis != normal)
    scale, shift = grid.to_input[normal, search.plane.axis], grid.to_input[normal, 3]
    boxes, scores = [], []
    for index in range(first, last + 1):
        there = (index - shift) / scale
        a, b = _ends(there, there, shape.box_at(there), search)
        boxes.append((float(a[x]), float(a[y]), float(b[x]), float(b[y])))
        scores.append(score * float(np.interp(there, shape.at, shape.share)))
    size = (high - low) * volume.spacing_mm
    return Lesion(
        track.label,
        score,
        (Plane.SAG, Plane.COR, Plane.AXL)[normal],
        (first, last),
        (*low.tolist(), *high.tolist()),
        (float(size[0]), float(size[1]), float(size[2])) if volume.spacing_known else None,
        tuple(boxes),
        () if over else tuple(scores),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """A track's strong slices: numbers at (n,), boxes (n, 4), share (n,) of the best score.

    Weak slices are left out: where a lesion fades its box may be a false positive.
    """

    at: Array
    boxes: Array
    share: Array

    def box_at(self, index: float) -> Array:
        """(4,) box at a canonical slice, interpolated between the slices searched."""
        return np.array([np.interp(index, self.at, edge) for edge in self.boxes.T])


def _shape_of(track: _Track) -> _Shape:
    best = max(score for _, _, score in track.boxes)
    strong = [box for box in track.boxes if box[2] >= LESION[track.label].edge * best]
    at = np.array([index for index, _, _ in strong], float)
    flat = np.stack([xyxy for _, xyxy, _ in strong]).astype(float)
    if track.label == ARCH:  # the same box in all slices
        flat[:] = np.median(flat, axis=0)
    return _Shape(at, flat, np.array([score / best for _, _, score in strong]))


def _ends(first: float, last: float, box: Array, search: _Search) -> tuple[Array, Array]:
    """Lower and upper corner (3,) in input voxels, half-open.

    box: (x0, y0, x1, y1) in the canonical slices first..last.
    """
    plane = search.plane
    rows, columns = (axis for axis in range(3) if axis != plane.array_axis)
    corners = np.empty((2, 3))
    corners[:, plane.axis] = first, last + 1
    corners[:, 2 - rows], corners[:, 2 - columns] = box[1::2], box[::2]
    ends = apply(search.grid.to_input, corners - 0.5)
    shape = np.array(search.volume.hu.shape[::-1])
    return np.clip(ends.min(0) + 0.5, 0, shape), np.clip(ends.max(0) + 0.5, 0, shape)


def _input_axis(grid: Canonical, array_axis: int) -> int:
    """Input voxel axis (0 x, 1 y, 2 z) along which a canonical array axis runs."""
    return 2 - grid.order[array_axis]
