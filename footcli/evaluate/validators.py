"""The protocol of the data set's own validators, quirks included, to compare with their published
numbers.

Bones: share of slices with IoU >= 0.5; a class absent and not predicted counts as right. Landmarks:
share with OKS > 0.5 at sigmas of 0.25, with the extent of the points as area. Lesions: AP at IoU
0.5, confidence from 0.001, NMS at 0.65, precision interpolated linearly at 101 recalls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.evaluate.agree import mean_known
from footcli.evaluate.boxes import SliceBox, overlap_2d
from footcli.evaluate.case_scores import CaseScores
from footcli.evaluate.points import Pose
from footcli.kinds import ANGLES, BONES, LESIONS

IOU, OKS, SIGMA, CONFIDENCE, NMS = 0.5, 0.5, 0.25, 0.001, 0.65
Array = NDArray[np.float64]
Json = dict[str, Any]


def validate(cases: Sequence[CaseScores]) -> Json:
    """bones, landmarks, lesions: the mean over classes as `score`, and `per_class`.

    None for a class without data.
    """
    bones = {bone.name: bone_share(cases, k) for k, bone in enumerate(BONES, start=1)}
    poses: dict[str, list[Pose]] = {kind.name: [] for kind in ANGLES}
    for case in cases:
        for pose in case.poses:
            poses[pose.angle].append(pose)
    angles = {name: pose_share(own) for name, own in poses.items()}
    lesions = {kind.name: lesion_ap(cases, kind.name) for kind in LESIONS}
    tasks = {"bones": bones, "landmarks": angles, "lesions": lesions}
    out: Json = {}
    for name, found in tasks.items():
        out[name] = {"score": mean_known(found.values()), "per_class": found}
    return out


def bone_share(cases: Sequence[CaseScores], bone: int) -> float | None:
    """Share of labelled slices of all planes in which truth and result overlap by half (IoU) or
    both lack the bone.
    """
    slices, wrong = 0, 0
    for case in cases:
        if case.has_bones:
            own = case.rows[case.rows["bone"] == bone]
            union = own["truth"] + own["found"] - own["common"]
            wrong += int(np.count_nonzero(own["common"] < IOU * union))
            slices += sum(case.labelled.values())
    return (slices - wrong) / slices if slices else None


def pose_share(poses: Sequence[Pose]) -> float | None:
    """Share of poses with OKS above 0.5; None without poses.

    Points missing in the truth are left out; points not found count as infinitely far.
    """
    return float(np.mean([_oks(p) > OKS for p in poses])) if poses else None


def _oks(pose: Pose) -> float:
    there = np.isfinite(pose.truth).all(axis=1)
    if not there.any():
        return 0.0
    extent = np.ptp(pose.truth[there], axis=0)
    area = float(extent[0] * extent[1]) + np.spacing(1)
    gaps = ((pose.found[there] - pose.truth[there]) ** 2).sum(1)
    return float(np.exp(-np.nan_to_num(gaps, nan=np.inf) / (2 * area * (2 * SIGMA) ** 2)).mean())


def lesion_ap(cases: Sequence[CaseScores], label: str) -> float | None:
    """AP at IoU 0.5 over slices of the lesion's plane; None without truth."""
    hit: list[bool] = []
    scores: list[float] = []
    total = 0
    for case in cases:
        truth, found = _by_slice(case.true_boxes, label), _by_slice(case.found_boxes, label)
        total += sum(map(len, truth.values()))
        for index, boxes in found.items():
            left = list(truth.get(index, ()))
            for box in _suppressed(boxes):
                best = max(left, key=lambda t: overlap_2d(box.box, t.box), default=None)
                good = best is not None and overlap_2d(box.box, best.box) >= IOU
                if good and best is not None:
                    left.remove(best)
                hit.append(good)
                scores.append(box.score)
    return (
        linear_ap(np.array(hit, bool)[np.argsort(-np.array(scores), kind="stable")], total)
        if total
        else None
    )


def linear_ap(hit: NDArray[np.bool_], total: int) -> float:
    """Area under the precision envelope, read linearly at 101 recalls (trapezoids); 0 without
    detections. hit: (n,), best score first.
    """
    if not len(hit):
        return 0.0
    true = np.cumsum(hit)
    recall = np.concatenate([[0.0], true / total, [1.0]])
    precision = np.concatenate([[1.0], true / np.arange(1, len(hit) + 1), [0.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    read = np.interp(np.linspace(0, 1, 101), recall, envelope)
    return float(((read[1:] + read[:-1]) / 2).sum() / 100)


def _by_slice(boxes: Sequence[SliceBox], label: str) -> dict[int, list[SliceBox]]:
    out: dict[int, list[SliceBox]] = {}
    for box in boxes:
        if box.label == label and box.in_own_plane and box.score >= CONFIDENCE:
            out.setdefault(box.index, []).append(box)
    return out


def _suppressed(boxes: Sequence[SliceBox]) -> list[SliceBox]:
    kept: list[SliceBox] = []
    for box in sorted(boxes, key=lambda b: -b.score):
        if all(overlap_2d(box.box, k.box) <= NMS for k in kept):
            kept.append(box)
    return kept
