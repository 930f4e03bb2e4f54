"""The scores from which a lesion counts are chosen by a rate that is stated."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch (extra train) is not installed")

from footcli.domain import Plane
from footcli.infer.spec import ModelSpec
from footcli.kinds import LESIONS
from footcli.train.calibrate import FALSE_RATE, POSSIBLE_RATE, chosen

pytestmark = pytest.mark.training
CLASSES = tuple(term.name for term in LESIONS)
SPEC = ModelSpec(
    "lesions.onnx",
    "0" * 64,
    "lesions",
    tuple(Plane),
    1.0,
    (-500.0, 1500.0),
    "yolo",
    3,
    "x",
    "x",
    "x",
    classes=CLASSES,
    offsets_mm=(-1.0, 0.0, 1.0),
)


def test_thresholds_are_chosen_by_the_share_of_false_finds() -> None:
    false = [i / 100 for i in range(100)]
    scores = {name: ([0.5, 0.962], false) for name in CLASSES}
    scores[CLASSES[0]] = ([0.3], [0.1, 0.2, 0.4])
    spec = chosen(SPEC, scores)
    assert spec.thresholds[0] == pytest.approx(0.401)  # just above the highest
    assert all(
        np.mean(np.array(false) >= t) == pytest.approx(FALSE_RATE, abs=0.011)
        for t in spec.thresholds[1:]
    )
    assert all(
        np.mean(np.array(false) >= s) == pytest.approx(POSSIBLE_RATE, abs=0.011)
        for s in spec.suspicious[1:]
    )


def test_a_threshold_lies_half_way_to_the_least_true_score_above_the_false_ones() -> None:
    false = [0.1, 0.2, 0.4]
    scores = {name: ([0.3, 0.8, 0.9], false) for name in CLASSES} | {CLASSES[1]: ([0.4001], false)}
    assert chosen(SPEC, scores).thresholds[:2] == pytest.approx(
        (0.6, 0.401)
    )  # never so low that another false one reaches it
