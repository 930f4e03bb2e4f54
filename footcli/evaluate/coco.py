"""Average precision by COCO's definitions. The only file that touches hotcoco.

hotcoco was chosen over faster-coco-eval: equal to pycocotools to 1e-6 on randomised cases
(tests/test_coco.py), faster, columns in, MIT licence, numpy its only dependency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.evaluate.agree import mean_known

Array = NDArray[np.float64]
IOU = np.linspace(0.5, 0.95, 10)
RECALL = np.linspace(0.0, 1.0, 101)
OKS_SIGMA = 0.025
"""Spread of every key point as a share of the root of the foot's area, in COCO's sense (the
smallest of COCO's own: the eyes).
"""
_AT = {"ap50": 0, "ap75": 5}


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Truth or detections as columns, one row an object; image and class ids start at 1.

    boxes: float64 (n, 4), x, y, width, height, px; or points: float64 (n, k, 2), column and row,
    px, NaN where a point is missing. areas: float64 (n,), px; of the truth alone. scores: float64
    (n,), of detections alone.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    boxes: Array | None = None
    points: Array | None = None
    areas: Array | None = None
    scores: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Precision:
    """precision: float64 (10 thresholds, 101 recalls, classes), NaN for a class without truth.

    groups: name -> {"map", "map50"}.
    """

    classes: tuple[str, ...]
    precision: Array
    groups: Mapping[str, Mapping[str, float | None]]

    def of(self, name: str) -> dict[str, float | None]:
        """ap, ap50, ap75 of one class; None where it has no truth."""
        own = self.precision[:, :, self.classes.index(name)]
        if np.isnan(own).all():
            return {"ap": None, "ap50": None, "ap75": None}
        return {"ap": float(own.mean()), **{key: float(own[at].mean()) for key, at in _AT.items()}}

    def mean(self) -> dict[str, float | None]:
        """map, map50, map75 over the classes that have truth."""
        per = [self.of(name) for name in self.classes]
        out = {}
        for key in ("ap", "ap50", "ap75"):
            out[f"m{key}"] = mean_known([own[key] for own in per])
        return out


def average_precision(
    truth: Columns,
    found: Columns,
    classes: Sequence[str],
    groups: Mapping[str, Sequence[int]] | None = None,
) -> tuple[Precision, Any]:
    """AP of each class, of all and of groups of images; and the evaluator, for `matched`."""
    from hotcoco import COCO, COCOeval

    ids = np.unique(np.concatenate([truth.image, found.image]))
    images = [{"id": int(i)} for i in ids]
    categories: list[dict[str, Any]] = [
        {"id": k, "name": name} for k, name in enumerate(classes, start=1)
    ]
    if truth.points is None:
        kind = "bbox"
        boxes, places, scores = (
            np.asarray(x, np.float64) for x in (truth.boxes, found.boxes, found.scores)
        )
        real = COCO.from_arrays(
            images, categories, truth.image, truth.label, boxes, area=truth.areas
        )
        empty = {"images": images, "categories": categories, "annotations": []}
        seen = (
            real.load_res(np.column_stack([found.image, places, scores, found.label]))
            if len(found.image)
            else COCO(empty)
        )
    else:
        kind = "keypoints"
        count = truth.points.shape[1]
        for category in categories:
            category |= {"keypoints": [str(i) for i in range(count)], "skeleton": []}
        base = {"images": images, "categories": categories}
        real = COCO({**base, "annotations": _poses(truth)})
        seen = COCO({**base, "annotations": _poses(found)})
    run = COCOeval(real, seen, kind)
    if truth.points is not None:
        run.params.kpt_oks_sigmas = [OKS_SIGMA] * truth.points.shape[1]
        run.params.max_dets = [20]
    run.evaluate()
    run.accumulate()
    precision = np.array((run.eval or {})["precision"], np.float64)[:, :, :, 0, -1]
    precision[precision < 0] = np.nan
    return Precision(tuple(classes), precision, _groups(run, groups, ids)), run


def _groups(
    run: Any, groups: Mapping[str, Sequence[int]] | None, ids: NDArray[np.int64]
) -> dict[str, dict[str, float | None]]:
    """slice_by refuses images it does not know: those without truth or detection do not matter."""
    known = set(ids.tolist())
    wanted: dict[str, list[int]] = {}
    for name, members in (groups or {}).items():
        wanted[name] = [i for i in members if i in known]
    asked = {name: members for name, members in wanted.items() if members}
    found = run.slice_by(asked) if asked else {}
    out: dict[str, dict[str, float | None]] = {}
    for name in wanted:
        values = found.get(name, {})
        out[name] = {"map": _valid(values.get("AP")), "map50": _valid(values.get("AP50"))}
    return out


def _poses(columns: Columns) -> list[dict[str, Any]]:
    """COCO's dicts of key points.

    A missing point of the truth is not labelled; one that was not found lies far from everywhere.
    """
    out: list[dict[str, Any]] = []
    points = columns.points if columns.points is not None else np.zeros((0, 0, 2))
    for i, pose in enumerate(points):
        there = ~np.isnan(pose).any(1)
        far = 0.0 if columns.scores is None else 1e7
        flat = np.column_stack(
            [
                np.where(there[:, None], pose, far),
                np.where(there, 2, 0 if columns.scores is None else 2),
            ]
        )
        area = float(columns.areas[i]) if columns.areas is not None else 1.0
        entry: dict[str, Any] = {
            "id": i + 1,
            "image_id": int(columns.image[i]),
            "category_id": int(columns.label[i]),
            "keypoints": flat.ravel().tolist(),
            "num_keypoints": int(there.sum()),
            "area": area,
            "bbox": [0.0, 0.0, 1.0, area],
            "iscrowd": 0,
        }
        if columns.scores is not None:
            entry["score"] = float(columns.scores[i])
        out.append(entry)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Detections of one class after matching, best first.

    hit: bool (n, 10), at each threshold; owner: (n,) case of each.

    positives: (cases,) number of true objects.
    """

    hit: NDArray[np.bool_]
    owner: NDArray[np.int64]
    positives: NDArray[np.int64]


def matched(
    run: Any, classes: Sequence[int], case_of: Callable[[int], int], cases: int
) -> dict[int, Ranked]:
    """What the evaluator matched for each class (ids), over all sizes.

    case_of: image id -> place of its case. Small sets only: it makes Python objects of every image.
    """
    found = {k: _Matches(np.zeros(cases, np.int64)) for k in classes}
    for entry in run.eval_imgs:
        if entry is not None and entry["category_id"] in found and _all_sizes(entry):
            found[entry["category_id"]].take(entry, case_of(entry["image_id"]))
    return {k: own.ranked() for k, own in found.items()}


def _all_sizes(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is about objects of every size, and not of small or large ones alone."""
    low, high = entry["aRng"]
    return bool(high >= 1e9 and low <= 0)


@dataclass(slots=True, eq=False)
class _Matches:
    """Matches of one class, image by image. positives: (cases,) number of true objects."""

    positives: NDArray[np.int64]
    hits: list[NDArray[np.bool_]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)

    def take(self, entry: Mapping[str, Any], owner: int) -> None:
        """Add the matches of an image of the case `owner`."""
        self.positives[owner] += sum(1 for ignored in entry["gtIgnore"] if not ignored)
        if entry["dtScores"]:
            self.hits.append(np.array(entry["dtMatched"], bool).T)
            self.scores += entry["dtScores"]
            self.owners += [owner] * len(entry["dtScores"])

    def ranked(self) -> Ranked:
        """All of them, best first."""
        order = np.argsort(-np.array(self.scores), kind="stable")
        hit = np.concatenate(self.hits) if self.hits else np.zeros((0, len(IOU)), bool)
        return Ranked(hit[order], np.array(self.owners, np.int64)[order], self.positives)


def weighted_ap(ranked: Ranked, weights: NDArray[np.int64]) -> Array | None:
    """(10,) AP at each threshold where each case counts as often as its weight says; None without
    truth.

    With weights of one this is COCO's AP (tested): precision made falling from the right, read at
    101 recalls.
    """
    total = float(ranked.positives @ weights)
    if total == 0:
        return None
    w = weights[ranked.owner][:, None].astype(np.float64)
    true, false = np.cumsum(ranked.hit * w, axis=0), np.cumsum(~ranked.hit * w, axis=0)
    recall = true / total
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(true / (true + false))
    precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    out = np.zeros(len(IOU))
    for t in range(len(IOU)):
        at = np.searchsorted(recall[:, t], RECALL, side="left")
        out[t] = (
            np.where(at < len(recall), precision[np.minimum(at, len(recall) - 1), t], 0.0).mean()
            if len(recall)
            else 0.0
        )
    return out


def _valid(value: float | None) -> float | None:
    return None if value is None or value < 0 else float(value)
