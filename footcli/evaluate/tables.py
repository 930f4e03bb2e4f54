"""All cases' scores -> columns for AP: numbered images, each with its case, and groups as sets of
images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Plane
from footcli.evaluate.boxes import LESION_ID, SliceBox
from footcli.evaluate.case_scores import CaseScores
from footcli.evaluate.coco import Columns
from footcli.evaluate.coco_matches import IOU, Ranked
from footcli.kinds import ANGLE, ANGLES, BONES

PLANES = tuple(Plane)
T = TypeVar("T", int, NDArray[np.int64])
ANGLE_ID = {term.name: i for i, term in enumerate(ANGLES, start=1)}
SMALLER_LAST = 1e-4
"""A bone has one confidence per case; of its slices the larger sections come first, since a bone's
ends are least certain.
"""
_MOST_SLICES = 1 << 16  # upper bound of the slices in a plane


@dataclass(slots=True, eq=False)
class Problem:
    """Truth and detections of one task. groups: "dimension=value" -> image ids."""

    classes: tuple[str, ...]
    truth: Columns
    found: Columns
    groups: dict[str, list[int]] = field(default_factory=dict)


def image_ids(case: int, plane: NDArray[np.int64], index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ids from 1 that encode case, plane and slice."""
    return np.asarray(((case * len(PLANES) + plane) * _MOST_SLICES + index) + 1)


def case_of(image: T) -> T:
    """Case index of an image id, or of an array of them."""
    return (image - 1) // (_MOST_SLICES * len(PLANES))


def bone_problem(cases: Sequence[CaseScores]) -> Problem:
    """Bones as boxes that score as their masks do.

    A slice holds at most one mask of a bone in truth and result, so AP needs only both areas and
    their overlap. Intervals on a line with the same lengths and overlap give the same IoU: truth
    [0, T], result [T - C, T - C + F]; masks are never kept.
    """
    parts = []
    for number, case in enumerate(cases):
        if not case.has_bones:
            continue
        r = case.rows
        image = image_ids(number, r["plane"].astype(np.int64), r["slice"].astype(np.int64))
        sure = np.array([0.0, *(case.bone_scores.get(k, 1.0) for k in range(1, len(BONES) + 1))])
        score = sure[r["bone"]] + SMALLER_LAST * r["found"] / (1 + r["found"].max(initial=0))
        parts.append(
            np.column_stack([image, r["bone"], r["truth"], r["found"], r["common"], score]).astype(
                np.float64
            )
        )
    rows = np.concatenate(parts) if parts else np.zeros((0, 6))
    real, seen = rows[rows[:, 2] > 0], rows[rows[:, 3] > 0]
    truth = Columns(
        _ints(real, 0),
        _ints(real, 1),
        _intervals(np.zeros(len(real)), real[:, 2]),
        areas=real[:, 2],
    )
    found = Columns(
        _ints(seen, 0),
        _ints(seen, 1),
        _intervals(seen[:, 2] - seen[:, 4], seen[:, 3]),
        scores=seen[:, 5],
    )
    return _grouped(Problem(tuple(b.name for b in BONES), truth, found), cases)


def ranked_bones(problem: Problem, bone: int, cases: int) -> Ranked:
    """As `coco.matched`, straight from the intervals: with one object per class and image there is
    nothing to match.
    """
    truth, found = problem.truth, problem.found
    own_truth, own = truth.label == bone, found.label == bone
    positives = np.bincount(case_of(truth.image[own_truth]), minlength=cases)
    place = {int(i): n for n, i in enumerate(truth.image[own_truth])}
    at = np.array([place.get(int(i), -1) for i in found.image[own]], np.int64)
    real = truth.areas[own_truth] if truth.areas is not None else np.zeros(0)
    boxes = found.boxes[own] if found.boxes is not None else np.zeros((0, 4))
    there = at >= 0
    overlap = np.zeros(len(at))
    t = real[at[there]]
    common = np.clip(np.minimum(t, boxes[there, 0] + boxes[there, 2]) - boxes[there, 0], 0, None)
    overlap[there] = common / (t + boxes[there, 2] - common)
    scores = found.scores[own] if found.scores is not None else np.zeros(0)
    # equal scores keep ascending image order, as in COCO
    order = np.lexsort((found.image[own], -scores))
    return Ranked((overlap[:, None] >= IOU)[order], case_of(found.image[own])[order], positives)


def pose_problem(cases: Sequence[CaseScores]) -> Problem:
    """Landmarks: one image per case and angle, with its four points as one object."""
    image, label, real, seen, areas, scores = [], [], [], [], [], []
    for number, case in enumerate(cases):
        for pose in case.poses:
            k = ANGLE_ID[pose.angle]
            image.append(
                int(image_ids(number, np.array(PLANES.index(ANGLE[pose.angle].plane)), np.array(k)))
            )
            label.append(k)
            real.append(pose.truth)
            seen.append(pose.found)
            areas.append(pose.area_px)
            scores.append(pose.score)
    there = [i for i, points in enumerate(seen) if not np.isnan(points).all()]
    images, labels = np.array(image, np.int64), np.array(label, np.int64)
    truth = Columns(
        images, labels, points=np.array(real, np.float64).reshape(-1, 4, 2), areas=np.array(areas)
    )
    found = Columns(
        images[there],
        labels[there],
        points=np.array([seen[i] for i in there]).reshape(-1, 4, 2),
        scores=np.array([scores[i] for i in there]),
    )
    return _grouped(Problem(tuple(a.name for a in ANGLES), truth, found), cases)


def box_problem(cases: Sequence[CaseScores]) -> Problem:
    """Lesion boxes in the labelled slices of each lesion's plane."""
    true, found = (
        box_columns([case.true_boxes for case in cases]),
        box_columns([case.found_boxes for case in cases]),
    )
    return _grouped(Problem(tuple(LESION_ID), true, found), cases)


def box_columns(cases: Sequence[Sequence[SliceBox]]) -> Columns:
    """The boxes of each case that lie in their lesion's plane."""
    image, label, boxes, scores = [], [], [], []
    for number, items in enumerate(cases):
        for item in items:
            if not item.in_own_plane:
                continue
            image.append(
                int(image_ids(number, np.array(PLANES.index(item.plane)), np.array(item.index)))
            )
            label.append(LESION_ID[item.label])
            x0, y0, x1, y1 = item.box
            boxes.append((x0, y0, x1 - x0, y1 - y0))
            scores.append(item.score)
    flat = np.array(boxes, np.float64).reshape(-1, 4)
    images, labels = np.array(image, np.int64), np.array(label, np.int64)
    return Columns(
        images, labels, flat, areas=flat[:, 2] * flat[:, 3], scores=np.array(scores, np.float64)
    )


PROBLEMS: dict[str, Callable[[Sequence[CaseScores]], Problem]] = {
    "bones": bone_problem,
    "landmarks": pose_problem,
    "lesions": box_problem,
}


def _grouped(problem: Problem, cases: Sequence[CaseScores]) -> Problem:
    """Fill in the groups: planes, and the cases' groups."""
    images = np.unique(np.concatenate([problem.truth.image, problem.found.image]))
    number, plane = case_of(images), (images - 1) // _MOST_SLICES % len(PLANES)
    members: dict[str, list[int]] = {}
    for n, case in enumerate(cases):
        for dimension, values in case.groups.items():
            for value in values:
                members.setdefault(f"{dimension}={value}", []).append(n)
    problem.groups = {f"plane={p.value}": images[plane == k].tolist() for k, p in enumerate(PLANES)}
    problem.groups |= {key: images[np.isin(number, own)].tolist() for key, own in members.items()}
    return problem


def _ints(rows: NDArray[np.float64], column: int) -> NDArray[np.int64]:
    return np.asarray(rows[:, column].astype(np.int64))


def _intervals(start: NDArray[np.float64], length: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) boxes one pixel high."""
    return np.column_stack([start, np.zeros(len(start)), length, np.ones(len(start))])
