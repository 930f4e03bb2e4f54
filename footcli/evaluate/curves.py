"""Data of the page's curves: precision over recall, pairs of true and found angles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from footcli.evaluate.case_scores import CaseScores
from footcli.evaluate.coco import Precision
from footcli.evaluate.coco_matches import RECALL
from footcli.evaluate.points import SOURCES
from footcli.kinds import ANGLES

Json = dict[str, Any]
AT = {"0.50": 0, "0.75": 5}


def curves(cases: Sequence[CaseScores], found: Mapping[str, Precision | None]) -> Json:
    """Data of the page's curves.

    precision: task -> class -> IoU or OKS -> precision at 101 recalls. agreement: angle -> source
    -> [case id, true, found], degrees.
    """
    precision: Json = {"recall": RECALL.round(2).tolist()}
    for task, own in found.items():
        precision[task] = {} if own is None else _precision(own)
    agreement: Json = {}
    for kind in ANGLES:
        agreement[kind.name] = {source: _pairs(cases, kind.name, source) for source in SOURCES}
    return {"precision": precision, "agreement": agreement}


def _precision(found: Precision) -> Json:
    """Class -> IoU or OKS -> precision, of the classes with truth."""
    out: Json = {}
    for k, name in enumerate(found.classes):
        own = found.precision[:, :, k]
        if not np.isnan(own).all():
            out[name] = {at: own[t].round(4).tolist() for at, t in AT.items()}
    return out


def _pairs(cases: Sequence[CaseScores], angle: str, source: str) -> list[list[Any]]:
    """[case id, true, found] of the cases that have both."""
    out: list[list[Any]] = []
    for case in cases:
        true, found = case.angles.get((angle, source), (0.0, None))
        if found is not None:
            out.append([case.case_id, true, found])
    return out
