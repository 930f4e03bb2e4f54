"""Two runs on the same truth: differences of each number, case by case, with intervals over
patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from footcli.errors import TruthError
from footcli.evaluate.agree import interval, mean_interval, resamples
from footcli.evaluate.coco import average_precision
from footcli.evaluate.gather import CaseScores
from footcli.evaluate.points import SOURCES
from footcli.evaluate.summary import ap_rounds
from footcli.evaluate.tables import PROBLEMS
from footcli.evaluate.volumes import Draws, case_volumes, point_errors
from footcli.kinds import ANGLES

Json = dict[str, Any]


def case_details(case: CaseScores) -> dict[str, dict[Any, float]]:
    """metric -> what it is made of (bone, key point, the angle itself) -> value of one case."""
    volumes = case_volumes(case)
    out: dict[str, dict[Any, float]] = {
        f"bones.{key}": dict(volumes[key]) for key in ("dice", "hd95_mm")
    }
    out["landmarks.mre_mm"] = dict(point_errors(case))
    for angle in ANGLES:
        for source in SOURCES:
            pair = case.angles.get((angle.name, source))
            if pair is not None and pair[1] is not None:
                out[f"angles.{angle.name}.{source}.error_deg"] = {
                    angle.name: abs(pair[1] - pair[0])
                }
    return {key: found for key, found in out.items() if found}


def case_numbers(case: CaseScores) -> dict[str, float]:
    """What one case scores by itself; numbers that it has not are left out."""
    return {key: float(np.mean(list(found.values()))) for key, found in case_details(case).items()}


def compare(first: Sequence[CaseScores], second: Sequence[CaseScores]) -> Json:
    """metric -> a, b, difference (a - b), ci95, n, and how many bones, points or values only one of
    the two has.

    Over the cases that both runs have; of a case only over what both found, so that a run gains
    nothing by finding less. Raises TruthError without a common case.
    """
    other = {c.case_id: c for c in second}
    pairs = [(c, other[c.case_id]) for c in first if c.case_id in other]
    if not pairs:
        raise TruthError(
            "the two runs have no case in common: name two results folders of the same cases"
        )
    draws = resamples([a.patient for a, _ in pairs])
    details = [(case_details(a), case_details(b)) for a, b in pairs]
    out: Json = {}
    for key in sorted({k for a, b in details for k in (*a, *b)}):
        out[key] = _paired([(a.get(key, {}), b.get(key, {})) for a, b in details], draws)
    for name in PROBLEMS:
        out |= _maps(name, [a for a, _ in pairs], [b for _, b in pairs], draws)
    return out


def _paired(cases: Sequence[tuple[dict[Any, float], dict[Any, float]]], draws: Draws) -> Json:
    common = [sorted(a.keys() & b.keys(), key=str) for a, b in cases]
    p, q = (
        np.array(
            [
                np.mean([pair[i][k] for k in keys]) if keys else np.nan
                for pair, keys in zip(cases, common, strict=True)
            ]
        )
        for i in (0, 1)
    )
    both = np.isfinite(p)
    a, b = (float(v[both].mean()) if both.any() else None for v in (p, q))
    return {
        "a": a,
        "b": b,
        "difference": None if a is None or b is None else a - b,
        "n": int(both.sum()),
        "ci95": mean_interval(np.where(both, p - q, 0.0), both.astype(float), draws),
        "only_a": sum(len(x.keys() - y.keys()) for x, y in cases),
        "only_b": sum(len(y.keys() - x.keys()) for x, y in cases),
    }


def _maps(
    name: str, first: Sequence[CaseScores], second: Sequence[CaseScores], draws: Draws
) -> Json:
    """map and map50 of both runs; resamples draw the same patients for both."""
    means, rounds = [], []
    for cases in (first, second):
        problem = PROBLEMS[name](cases)
        if not len(problem.truth.image):
            return {}
        precision, run = average_precision(problem.truth, problem.found, problem.classes)
        means.append(precision.mean())
        rounds.append(ap_rounds(name, problem, run, cases, draws))
    classes = [n for n in rounds[0] if n in rounds[1]]
    count = min((len(r[n]) for r in rounds for n in classes), default=0)
    out: Json = {}
    for key, column in (("map", slice(None)), ("map50", slice(0, 1))):
        a, b = means[0][key], means[1][key]
        if a is not None and b is not None:
            values = [
                np.stack([r[n][:count, column].mean(1) for n in classes]).mean(0)
                if classes
                else np.zeros(0)
                for r in rounds
            ]
            ci95 = interval(values[0] - values[1]) if count and len(classes) else None
            out[f"{name}.{key}"] = {
                "a": a,
                "b": b,
                "difference": a - b,
                "ci95": ci95,
                "n": len(first),
                "only_a": 0,
                "only_b": 0,
            }
    return out
