"""Two runs on the same truth: differences of each number, case by case, with intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.evaluate.agree import interval, mean_interval, resamples
from footcli.evaluate.coco import Ranked, average_precision, matched, weighted_ap
from footcli.evaluate.gather import CaseScores
from footcli.evaluate.points import SOURCES
from footcli.evaluate.summary import AP_ROUNDS, case_dice
from footcli.evaluate.tables import Problem, bone_problem, box_problem, case_of, pose_problem, ranked_bones
from footcli.names import ANGLES

Array = NDArray[np.float64]
Json = dict[str, Any]


def case_numbers(case: CaseScores) -> dict[str, float]:
    """What one case scores by itself; numbers that it has not are left out."""
    out: dict[str, float] = {}
    dice = case_dice(case) if case.has_bones else {}
    if dice:
        out["bones.dice"] = float(np.mean(list(dice.values())))
    if case.volumes:
        out["bones.hd95_mm"] = float(np.mean([v[0] for v in case.volumes.values()]))
    errors = [e for pose in case.poses for e in pose.errors_mm.tolist() if np.isfinite(e)]
    if errors:
        out["landmarks.mre_mm"] = float(np.mean(errors))
    for angle in ANGLES:
        for source in SOURCES:
            pair = case.angles.get((angle.name, source))
            if pair is not None and pair[1] is not None:
                out[f"angles.{angle.name}.{source}.error_deg"] = abs(pair[1] - pair[0])
    return out


def compare(first: Sequence[CaseScores], second: Sequence[CaseScores]) -> Json:
    """metric -> a, b, difference (a - b), ci95, n: over the cases that both runs have, and, of numbers of a case, only those with both."""
    other = {c.case_id: c for c in second}
    pairs = [(c, other[c.case_id]) for c in first if c.case_id in other]
    draws = resamples([a.patient for a, _ in pairs]) if pairs else None
    out: Json = {}
    numbers = [(case_numbers(a), case_numbers(b)) for a, b in pairs]
    for key in sorted({k for a, b in numbers for k in a.keys() & b.keys()}):
        both = np.array([key in a and key in b for a, b in numbers])
        p, q = (np.array([pair[i].get(key, 0.0) for pair in numbers]) for i in (0, 1))
        ci95 = mean_interval(np.where(both, p - q, 0.0), both.astype(float), draws)
        a, b = float(p[both].mean()), float(q[both].mean())
        out[key] = {"a": a, "b": b, "difference": a - b, "ci95": ci95, "n": int(both.sum())}
    for name, build in (("bones", bone_problem), ("landmarks", pose_problem), ("lesions", box_problem)):
        out |= _maps(name, [build(side) for side in ([a for a, _ in pairs], [b for _, b in pairs])], len(pairs), draws)
    return out


def _maps(name: str, problems: Sequence[Problem], cases: int, draws: NDArray[np.int64] | None) -> Json:
    if not all(len(p.truth.image) for p in problems):
        return {}
    means: list[Mapping[str, float | None]] = []
    rounds: list[Array] = []
    for problem in problems:
        precision, run = average_precision(problem.truth, problem.found, problem.classes)
        means.append(precision.mean())
        ids = [k for k, n in enumerate(problem.classes, start=1) if precision.of(n)["ap"] is not None]
        ranked: list[Ranked] = [
            ranked_bones(problem, k, cases) if name == "bones" else matched(run, k, case_of, cases) for k in ids
        ]  # fmt: skip
        rounds.append(np.array([_mean_ap(ranked, w) for w in (() if draws is None else draws[:AP_ROUNDS])]).reshape(-1, 2))
    out: Json = {}
    for column, key in enumerate(("map", "map50")):
        a, b = means[0][key], means[1][key]
        if a is not None and b is not None:
            ci95 = interval((rounds[0] - rounds[1])[:, column]) if len(rounds[0]) else None
            out[f"{name}.{key}"] = {"a": a, "b": b, "difference": a - b, "ci95": ci95, "n": cases}
    return out


def _mean_ap(ranked: Sequence[Ranked], weights: NDArray[np.int64]) -> tuple[float, float]:
    """map and map50 of one resample, over the classes that have truth in it."""
    found = [v for r in ranked if (v := weighted_ap(r, weights)) is not None]
    return (float(np.mean([v.mean() for v in found])), float(np.mean([v[0] for v in found]))) if found else (np.nan, np.nan)
