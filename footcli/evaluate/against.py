"""Comparison of two runs on the same truth: paired differences of each number, with intervals over
patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from footcli.errors import TruthError
from footcli.evaluate.agree import interval, mean_interval, resamples
from footcli.evaluate.case_scores import CaseScores
from footcli.evaluate.coco import average_precision
from footcli.evaluate.points import SOURCES
from footcli.evaluate.summary import ap_rounds
from footcli.evaluate.tables import PROBLEMS
from footcli.evaluate.volumes import Array, Draws, case_volumes, point_errors
from footcli.kinds import ANGLES

Json = dict[str, Any]


def case_details(case: CaseScores) -> dict[str, dict[Any, float]]:
    """metric -> component (bone, landmark, the angle itself) -> value of one case."""
    volumes = case_volumes(case)
    out: dict[str, dict[Any, float]] = {}
    for key in ("dice", "hd95_mm"):
        out[f"bones.{key}"] = dict(volumes[key])
    out["landmarks.mre_mm"] = dict(point_errors(case))
    for kind in ANGLES:
        for source in SOURCES:
            true, found = case.angles.get((kind.name, source), (0.0, None))
            if found is not None:
                error = {kind.name: abs(found - true)}
                out[f"angles.{kind.name}.{source}.error_deg"] = error
    return {key: found for key, found in out.items() if found}


def case_numbers(case: CaseScores) -> dict[str, float]:
    """metric -> mean over its components in one case; absent metrics are left out."""
    return {key: float(np.mean(list(found.values()))) for key, found in case_details(case).items()}


def compare(first: Sequence[CaseScores], second: Sequence[CaseScores]) -> Json:
    """metric -> a, b, difference (a - b), ci95, n, only_a, only_b: the number of bones, points or
    values that only one run has.

    Over the cases of both runs, and in a case over what both found, so that a run gains nothing by
    finding less. Raises TruthError without a common case.
    """
    other = {c.case_id: c for c in second}
    ours = [c for c in first if c.case_id in other]
    if not ours:
        raise TruthError(
            "the two runs have no case in common: name two results folders of the same cases"
        )
    theirs = [other[c.case_id] for c in ours]
    draws = resamples([c.patient for c in ours])
    out = _details(ours, theirs, draws)
    for name in PROBLEMS:
        out |= _maps(name, ours, theirs, draws)
    return out


def _details(ours: Sequence[CaseScores], theirs: Sequence[CaseScores], draws: Draws) -> Json:
    """Compare the metrics of single cases, metric by metric."""
    one, two = [case_details(c) for c in ours], [case_details(c) for c in theirs]
    metrics: set[str] = set()
    for details in (*one, *two):
        metrics |= details.keys()
    out: Json = {}
    for key in sorted(metrics):
        out[key] = _paired([d.get(key, {}) for d in one], [d.get(key, {}) for d in two], draws)
    return out


def _paired(one: Sequence[dict[Any, float]], two: Sequence[dict[Any, float]], draws: Draws) -> Json:
    """Means of both runs over what both have in each case."""
    common = [sorted(a.keys() & b.keys(), key=str) for a, b in zip(one, two, strict=True)]
    p, q = _means(one, common), _means(two, common)
    both = np.isfinite(p)
    out: Json = {"a": None, "b": None, "difference": None}
    if both.any():
        a, b = float(p[both].mean()), float(q[both].mean())
        out = {"a": a, "b": b, "difference": a - b}
    counts = [len(keys) for keys in common]
    return out | {
        "n": int(both.sum()),
        "ci95": mean_interval(np.where(both, p - q, 0.0), both.astype(float), draws),
        "only_a": sum(map(len, one)) - sum(counts),
        "only_b": sum(map(len, two)) - sum(counts),
    }


def _means(cases: Sequence[dict[Any, float]], keys: Sequence[Sequence[Any]]) -> Array:
    """(cases,) mean of the values at `keys` of each case, NaN where there are none."""
    out = []
    for own, wanted in zip(cases, keys, strict=True):
        out.append(np.mean([own[k] for k in wanted]) if wanted else np.nan)
    return np.array(out)


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
    out: Json = {}
    for key, column in (("map", slice(None)), ("map50", slice(0, 1))):
        a, b = means[0][key], means[1][key]
        if a is not None and b is not None:
            out[f"{name}.{key}"] = {
                "a": a,
                "b": b,
                "difference": a - b,
                "ci95": _map_interval(rounds[0], rounds[1], column),
                "n": len(first),
                "only_a": 0,
                "only_b": 0,
            }
    return out


def _map_interval(
    one: Mapping[str, Array], two: Mapping[str, Array], column: slice
) -> tuple[float, float] | None:
    """Interval of the difference of two mean APs over resamples; None without common classes."""
    classes = [name for name in one if name in two]
    count = min((min(len(one[name]), len(two[name])) for name in classes), default=0)
    if not count:
        return None
    means = []
    for rounds in (one, two):
        own = [rounds[name][:count, column].mean(1) for name in classes]
        means.append(np.stack(own).mean(0))
    return interval(means[0] - means[1])
