"""What the page draws beyond the numbers: precision over recall, differences over means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from footcli.evaluate.coco import RECALL, Precision
from footcli.evaluate.gather import CaseScores
from footcli.evaluate.points import SOURCES
from footcli.kinds import ANGLES

Json = dict[str, Any]
AT = {"0.50": 0, "0.75": 5}


def curves(cases: Sequence[CaseScores], found: Mapping[str, Precision | None]) -> Json:
    """precision: task -> class -> IoU or OKS -> precision at 101 recalls; agreement: angle ->
    source -> [case id, true, found].
    """
    precision: Json = {"recall": RECALL.round(2).tolist()}
    for task, own in found.items():
        precision[task] = {}
        for k, name in enumerate(own.classes if own is not None else ()):
            if own is not None and not np.isnan(own.precision[:, :, k]).all():
                precision[task][name] = {
                    at: own.precision[t, :, k].round(4).tolist() for at, t in AT.items()
                }
    agreement = {
        a.name: {
            s: [
                [c.case_id, *p]
                for c in cases
                if (p := c.angles.get((a.name, s))) is not None and p[1] is not None
            ]
            for s in SOURCES
        }
        for a in ANGLES
    }
    return {"precision": precision, "agreement": agreement}
