"""Matches of COCO's evaluator, image by image, and AP with weighted cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
IOU = np.linspace(0.5, 0.95, 10)
RECALL = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Detections of one class after matching, highest score first.

    hit: bool (n, 10), at each threshold; owner: (n,) case index of each. positives: (cases,) number
    of true objects.
    """

    hit: NDArray[np.bool_]
    owner: NDArray[np.int64]
    positives: NDArray[np.int64]


def matched(
    run: Any, classes: Sequence[int], case_of: Callable[[int], int], cases: int
) -> dict[int, Ranked]:
    """Matches of each class (ids), over all sizes.

    case_of: image id -> case index. For small sets only: it makes Python objects of every image.
    """
    found = {k: _Matches(np.zeros(cases, np.int64)) for k in classes}
    for entry in run.eval_imgs:
        if entry is not None and entry["category_id"] in found and _all_sizes(entry):
            found[entry["category_id"]].take(entry, case_of(entry["image_id"]))
    return {k: own.ranked() for k, own in found.items()}


def _all_sizes(entry: Mapping[str, Any]) -> bool:
    """Whether an entry covers objects of every size, not small or large ones alone."""
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
        """All matches, highest score first."""
        order = np.argsort(-np.array(self.scores), kind="stable")
        hit = np.concatenate(self.hits) if self.hits else np.zeros((0, len(IOU)), bool)
        return Ranked(hit[order], np.array(self.owners, np.int64)[order], self.positives)


def weighted_ap(ranked: Ranked, weights: NDArray[np.int64]) -> Array | None:
    """(10,) AP at each threshold with cases counted by their weights; None without truth.

    With unit weights this is COCO's AP (tested): monotone precision, read at 101 recalls.
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
