"""Thresholds of the lesion classes at a stated false-positive rate, chosen on subjects that no test
uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from footcli.evaluate.boxes import LESION_ID
from footcli.infer.lesions import find_lesions
from footcli.infer.session import open_session
from footcli.infer.spec import ModelSpec
from footcli.train.cases import Labelled, on_canonical_grid

LOWEST, HIGHEST = 0.05, 0.95
# Highest false-positive rate per class on unaffected feet, of boxes that make a finding PRESENT
# (one foot in four over six classes), and of boxes that make it POSSIBLE
FALSE_RATE = 0.04
POSSIBLE_RATE = 0.12


def calibrate(
    spec: ModelSpec, folder: Path, say: Callable[[str], None], cases: Iterable[Labelled]
) -> ModelSpec:
    """The manifest entry with thresholds from labelled scans that no training or test uses."""
    session = open_session(folder / spec.file, "auto", None, spec)
    raw = replace(
        spec, thresholds=(LOWEST,) * len(spec.classes), suspicious=()
    )  # keeps every box that could count
    best: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in spec.classes}
    for number, case in enumerate(cases, start=1):
        grid = case.canonical(spec.pixel_mm)
        found = find_lesions(
            case.volume, grid, on_canonical_grid(case.labels, grid, case.volume), session, raw
        )
        bits = 0 if case.lesions is None else int(np.bitwise_or.reduce(case.lesions, axis=None))
        for name, (true, false) in best.items():
            scores = [_raw(x.score) for x in found if x.label == name]
            (true if bits & 1 << (LESION_ID[name] - 1) else false).append(max(scores, default=0.0))
        say(f"thresholds: scan {number}, {len(found)} boxes")
    return chosen(spec, best)


def chosen(
    spec: ModelSpec, scores: Mapping[str, tuple[Sequence[float], Sequence[float]]]
) -> ModelSpec:
    """The entry with thresholds from each class's scores on feet with and without it."""
    sure = tuple(
        float(np.clip(round(_above(*scores[name]), 3), LOWEST, HIGHEST)) for name in spec.classes
    )
    possible = tuple(
        min(_reached(scores[name][1], POSSIBLE_RATE), t - 0.01)
        for name, t in zip(spec.classes, sure, strict=True)
    )
    return replace(
        spec,
        thresholds=sure,
        suspicious=tuple(round(max(value, LOWEST / 2), 3) for value in possible),
    )


def _above(true: Sequence[float], false: Sequence[float]) -> float:
    """Midpoint of the score that FALSE_RATE of the unaffected feet reach and the next higher score
    of an affected foot: fewer false positives at no loss of sensitivity.
    """
    reached = _reached(false, FALSE_RATE)
    return max(
        (reached + min((score for score in true if score > reached), default=reached)) / 2,
        reached + 1e-3,
    )


def _raw(score: float) -> float:
    """The raw score behind a score that was calibrated with the threshold LOWEST."""
    return score * 2 * LOWEST if score < 0.5 else LOWEST + (score - 0.5) * 2 * (1 - LOWEST)


def _reached(false: Sequence[float], rate: float) -> float:
    """The score that a share `rate` of the scores `false` reach; LOWEST without any."""
    return float(np.quantile(false, 1 - rate, method="higher")) if len(false) else LOWEST
