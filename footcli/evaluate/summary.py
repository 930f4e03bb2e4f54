"""All cases' scores -> the evaluation: bones, landmarks, angles, lesions, findings, groups, each
number with its interval or the reason for its absence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.evaluate.agree import (
    FEWEST,
    any_interval,
    icc21,
    interval,
    limits_of_agreement,
    mean_known,
    resamples,
)
from footcli.evaluate.case_scores import CaseScores
from footcli.evaluate.coco import Precision, average_precision
from footcli.evaluate.coco_matches import Ranked, matched, weighted_ap
from footcli.evaluate.curves import curves
from footcli.evaluate.patients import add_patients, findings
from footcli.evaluate.points import SOURCES
from footcli.evaluate.tables import PROBLEMS, Problem, case_of, ranked_bones
from footcli.evaluate.volumes import (
    Draws,
    add_radial,
    add_volumes,
    bone_table,
    case_volumes,
    macro_mean,
    mean_json,
    point_errors,
)
from footcli.kinds import ANGLES

AP_ROUNDS, AP_WORK = 200, 2e7
"""Bootstrap rounds of AP: each visits all detections, so large sets, whose intervals are narrow,
get fewer, at least 40.
"""
WHY = {
    "bones": "the truth holds no bones",
    "landmarks": "the truth holds no key points",
    "lesions": "the truth holds no lesion boxes",
}
Array = NDArray[np.float64]
Json = dict[str, Any]


def summarise(cases: Sequence[CaseScores]) -> Json:
    """Every section of evaluation.json except `cases` and what was left out."""
    draws = resamples([c.patient for c in cases])
    out: Json = {"n_cases": len(cases), "n_patients": len({c.patient for c in cases})}
    if draws is None:
        out["ci95_why"] = f"fewer than {FEWEST} patients"
    precision: dict[str, Precision | None] = {}
    for name, build in PROBLEMS.items():
        problem = build(cases)
        precision[name], run = None, None
        if len(problem.truth.image):
            precision[name], run = average_precision(
                problem.truth, problem.found, problem.classes, problem.groups
            )
        out[name] = _precision_json(
            name, precision[name], problem, ap_rounds(name, problem, run, cases, draws)
        )
    add_volumes(out["bones"], cases, draws)
    add_radial(out["landmarks"], cases, draws)
    add_patients(out["lesions"], cases)
    out["angles"] = {a.name: _angle(a.name, cases, draws) for a in ANGLES}
    out["findings"] = findings(cases)
    out["groups"] = _groups(cases, precision)
    out["curves"] = curves(cases, precision)
    return out


def unknown_labels(cases: Sequence[CaseScores]) -> dict[str, int]:
    """What was left out of the labels -> how often."""
    return dict(sum((Counter(c.unknown) for c in cases), Counter()))


def ap_rounds(
    name: str, problem: Problem, run: Any, cases: Sequence[CaseScores], draws: Draws
) -> dict[str, Array]:
    """Class -> (rounds, 10) AP of each resample, NaN where it drew no truth.

    Classes with truth in fewer than FEWEST cases are left out.
    """
    if draws is None or run is None:
        return {}
    ids = [k for k in range(1, len(problem.classes) + 1) if (problem.truth.label == k).any()]
    if name == "bones":
        ranked: Mapping[int, Ranked] = {k: ranked_bones(problem, k, len(cases)) for k in ids}
    else:
        ranked = matched(run, ids, case_of, len(cases))
    rounds = int(np.clip(AP_WORK / max(1, len(problem.found.image)), 40, AP_ROUNDS))
    out = {}
    for k, own in ranked.items():
        if np.count_nonzero(own.positives) >= FEWEST:
            out[problem.classes[k - 1]] = _resampled_ap(own, draws[:rounds])
    return out


def _resampled_ap(ranked: Ranked, rounds: NDArray[np.int64]) -> Array:
    """(rounds, 10) AP of each resample, NaN where it drew no truth."""
    found = [weighted_ap(ranked, weights) for weights in rounds]
    return np.array([np.full(10, np.nan) if ap is None else ap for ap in found])


def _precision_json(
    name: str, precision: Precision | None, problem: Problem, rounds: Mapping[str, Array]
) -> Json:
    empty: Json = dict.fromkeys(("ap", "ap50", "ap75"))
    if precision is None:
        per: Json = {n: {**empty, "why": WHY[name]} for n in problem.classes}
        return {"map": None, "map50": None, "map75": None, "why": WHY[name], "per_class": per}
    out: Json = {**precision.mean(), "per_class": {}}
    for n in problem.classes:
        own: Json = {**precision.of(n)}
        if own["ap"] is None:
            own["why"] = "the truth holds none"
        if n in rounds:
            own |= {"ap_ci95": interval(rounds[n].mean(1)), "ap50_ci95": interval(rounds[n][:, 0])}
        out["per_class"][n] = own
    if rounds and len(rounds) == sum(v["ap"] is not None for v in out["per_class"].values()):
        whole = np.stack(list(rounds.values())).mean(0)
        out |= {"map_ci95": interval(whole.mean(1)), "map50_ci95": interval(whole[:, 0])}
    return out


def _angle(name: str, cases: Sequence[CaseScores], draws: Draws) -> Json:
    """Agreement of an angle with the truth, that of the landmarks, and of each source."""
    by_source = {source: _agreement(name, source, cases, draws) for source in SOURCES}
    return {**by_source["landmarks"], "by_source": by_source}


def _agreement(name: str, source: str, cases: Sequence[CaseScores], draws: Draws) -> Json:
    """Agreement of an angle from one source with the truth."""
    pairs = [c.angles.get((name, source), (np.nan, None)) for c in cases]
    real = np.array([true for true, _ in pairs], np.float64)
    seen = np.array([np.nan if found is None else found for _, found in pairs], np.float64)
    both = np.isfinite(real) & np.isfinite(seen)
    gap = np.where(both, seen - real, np.nan)
    out: Json = {
        **mean_json("mae_deg", np.abs(gap), draws),
        "bias_deg": float(gap[both].mean()) if both.any() else None,
        "limits_deg": limits_of_agreement(gap[both]),
        "icc21": icc21(real[both], seen[both]),
        "n": int(both.sum()),
        "n_not_measured": int((np.isfinite(real) & ~both).sum()),
    }
    if draws is not None and both.sum() >= FEWEST:
        resampled = partial(_resampled_icc, real, seen, both)
        out["icc21_ci95"] = any_interval(resampled, draws[:AP_ROUNDS])
    if out["icc21"] is None:
        out["why"] = _why_no_icc(cases, bool(both.any()))
    return out


def _why_no_icc(cases: Sequence[CaseScores], some: bool) -> str:
    reasons = [c.why["angles"] for c in cases if "angles" in c.why]
    if reasons:
        return reasons[0]
    if some:
        return "fewer than 3 cases, or all alike"
    return "no case has this angle in truth and result"


def _resampled_icc(
    real: Array, seen: Array, both: NDArray[np.bool_], weights: NDArray[np.int64]
) -> float | None:
    chosen = np.repeat(np.flatnonzero(both), weights[both])
    return icc21(real[chosen], seen[chosen])


def _groups(cases: Sequence[CaseScores], precision: Mapping[str, Precision | None]) -> Json:
    """dimension -> value -> key numbers of the cases in that group, defined as for all cases.

    The groups of `plane` are slices.
    """
    known = {task: p for task, p in precision.items() if p is not None}
    out: Json = {}
    for key in sorted(_group_keys(cases, known.values())):
        dimension, value = key.split("=", 1)
        by_plane = dimension == "plane"
        own = [c for c in cases if by_plane or value in c.groups.get(dimension, ())]
        line: Json = {"n_cases": len(own)}
        for task, p in known.items():
            found = p.groups.get(key, {})
            line |= {f"{task}.{name}": number for name, number in found.items()}
        if not by_plane:
            line |= _group_numbers(own)
        out.setdefault(dimension, {})[value] = line
    return out


def _group_keys(cases: Sequence[CaseScores], precision: Iterable[Precision]) -> set[str]:
    """`dimension=value` of every group that any case or score has."""
    keys: set[str] = set()
    for p in precision:
        keys |= p.groups.keys()
    for case in cases:
        for dimension, values in case.groups.items():
            keys |= {f"{dimension}={value}" for value in values}
    return keys


def _group_numbers(cases: Sequence[CaseScores]) -> Json:
    """Numbers of a group of cases besides its AP."""
    volumes = [case_volumes(c) for c in cases]
    out: Json = {}
    for name in ("dice", "hd95_mm"):
        out[f"bones.{name}"] = macro_mean(bone_table([v[name] for v in volumes]))
    errors: list[float] = []
    for case in cases:
        errors += point_errors(case).values()
    out["landmarks.mre_mm"] = mean_known(errors)
    for kind in ANGLES:
        pairs = [c.angles.get((kind.name, "landmarks"), (0.0, None)) for c in cases]
        gaps = [abs(found - true) for true, found in pairs if found is not None]
        out[f"angles.{kind.name}.mae_deg"] = mean_known(gaps)
    return out
