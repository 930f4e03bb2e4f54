"""Average precision by COCO's definitions. The only file that imports hotcoco.

Why hotcoco and not faster-coco-eval: equal to pycocotools to 1e-6 on randomised cases
(tests/test_coco.py), faster, takes columns, MIT licence, depends on numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.evaluate.agree import mean_known
from footcli.evaluate.coco_matches import Array

OKS_SIGMA = 0.025
"""Sigma of every landmark in COCO's sense, as a share of the root of the foot's area (COCO's
smallest, that of the eyes).
"""
_AT = {"ap50": 0, "ap75": 5}


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Truth or detections as columns, one row per object; image and class ids start at 1.

    boxes: float64 (n, 4), x, y, width, height, px; or points: float64 (n, k, 2), column and row,
    px, NaN where a point is missing. areas: float64 (n,), px, for truth. scores: float64 (n,), for
    detections.
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
    """AP of groups of images; slice_by rejects unknown images, which have no truth or detection."""
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
    """COCO's dicts of keypoints.

    A missing point of the truth is unlabelled; one that was not found lies far outside the image.
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


def _valid(value: float | None) -> float | None:
    return None if value is None or value < 0 else float(value)
