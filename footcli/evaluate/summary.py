"""All cases' scores -> the evaluation: bones, landmarks, angles, lesions, findings, groups, each number with its interval or its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Level
from footcli.evaluate.agree import any_interval, icc21, interval, limits_of_agreement, mean_interval, resamples
from footcli.evaluate.coco import Precision, Ranked, average_precision, matched, weighted_ap
from footcli.evaluate.curves import curves
from footcli.evaluate.gather import CaseScores
from footcli.evaluate.points import SOURCES
from footcli.evaluate.tables import PLANES, Problem, bone_problem, box_problem, case_of, pose_problem, ranked_bones
from footcli.names import ANGLES, BONES, FINDINGS, LESIONS, landmark_names

SUCCESS_MM = (2.0, 2.5, 3.0, 4.0)
FALSE_PER_FOOT = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False finds a case at which FROC sensitivity is read: those of the LUNA16 challenge (Medical Image Analysis 2017;42:1-13)."""
AP_ROUNDS = 200  # each round walks through all detections; the ends of an interval move little beyond
Draws = NDArray[np.int64] | None
Array = NDArray[np.float64]
Json = dict[str, Any]


def summarise(cases: Sequence[CaseScores]) -> Json:
    """Every section of evaluation.json but `cases` and what was left out."""
    draws = resamples([c.patient for c in cases])
    problems = {"bones": bone_problem(cases), "landmarks": pose_problem(cases), "lesions": box_problem(cases)}
    precision: dict[str, Precision | None] = {}
    runs: dict[str, Any] = {}
    for name, problem in problems.items():
        precision[name], runs[name] = None, None
        if len(problem.truth.image):
            precision[name], runs[name] = average_precision(problem.truth, problem.found, problem.classes, problem.groups)
    rankings: dict[str, Callable[[int], Ranked]] = {
        "bones": lambda k: ranked_bones(problems["bones"], k, len(cases)),
        "landmarks": lambda k: matched(runs["landmarks"], k, case_of, len(cases)),
        "lesions": lambda k: matched(runs["lesions"], k, case_of, len(cases)),
    }
    short = None if draws is None else draws[:AP_ROUNDS]
    out: Json = {"n_cases": len(cases), "n_patients": len({c.patient for c in cases})}
    why = {
        "bones": "the truth holds no bones", "landmarks": "the truth holds no key points", "lesions": "the truth holds no lesion boxes",
    }  # fmt: skip
    for name, problem in problems.items():
        out[name] = _precision_json(precision[name], problem, why[name], rankings[name], short)
    _add_volumes(out["bones"], cases, draws)
    _add_radial(out["landmarks"], cases, draws)
    _add_patients(out["lesions"], cases, draws)
    out["angles"] = {a.name: _angle(a.name, cases, draws) for a in ANGLES}
    out["findings"] = _findings(cases, draws)
    out["groups"] = _groups(cases, precision)
    out["curves"] = curves(cases, precision)
    out["unknown_labels"] = dict(sum((Counter(c.unknown) for c in cases), Counter()))
    return out


def _precision_json(precision: Precision | None, problem: Problem, why: str, ranking: Callable[[int], Ranked], draws: Draws) -> Json:
    if precision is None:
        empty = dict.fromkeys(("ap", "ap50", "ap75"))
        return {"map": None, "map50": None, "map75": None, "why": why, "per_class": {name: dict(empty) for name in problem.classes}}
    out: Json = {**precision.mean(), "per_class": {name: precision.of(name) for name in problem.classes}}
    names = [n for n in problem.classes if out["per_class"][n]["ap"] is not None]
    ranked = {n: ranking(problem.classes.index(n) + 1) for n in names}
    if draws is not None:
        values = {n: np.array([_or_nan(weighted_ap(r, w)) for w in draws]) for n, r in ranked.items()}
        for n in names:
            out["per_class"][n] |= {"ap_ci95": interval(values[n].mean(1)), "ap50_ci95": interval(values[n][:, 0])}
        with np.errstate(invalid="ignore"):
            whole = np.nanmean(np.stack(list(values.values())), axis=0)
        out |= {"map_ci95": interval(whole.mean(1)), "map50_ci95": interval(whole[:, 0])}
    return out


def _or_nan(values: Array | None) -> Array:
    return np.full(10, np.nan) if values is None else values


def case_dice(case: CaseScores) -> dict[int, float]:
    """Bone id -> Dice of one case, over the voxels of the plane that is labelled throughout, else of all labelled slices of all planes."""
    rows = case.rows
    if case.volume_plane is not None:
        rows = rows[rows["plane"] == PLANES.index(case.volume_plane)]
    out = {}
    for k in range(1, len(BONES) + 1):
        own = rows[rows["bone"] == k]
        real, seen, common = (int(own[name].sum()) for name in ("truth", "found", "common"))
        if real:
            out[k] = 2 * common / (real + seen)
    return out


def _add_volumes(out: Json, cases: Sequence[CaseScores], draws: Draws) -> None:
    """Dice and surface distances: of each bone the mean over cases, of all bones the mean of those."""
    dice = [case_dice(c) if c.has_bones else {} for c in cases]
    tables = {
        "dice": dice,
        "hd95_mm": [{k: v[0] for k, v in c.volumes.items()} for c in cases],
        "surface_mm": [{k: v[1] for k, v in c.volumes.items()} for c in cases],
    }
    for key, table in tables.items():
        means = []
        for k, bone in enumerate(BONES, start=1):
            values = np.array([t.get(k, np.nan) for t in table])
            own = out["per_class"][bone.name]
            own |= _mean_json(key, values, draws)
            if own[key] is not None:
                means.append(own[key])
        out[key] = float(np.mean(means)) if means else None
        if not means:
            out[f"{key}_why"] = next((c.why["distances"] for c in cases if "distances" in c.why), "no bone is in truth and result")
        whole = np.array([np.mean(list(t.values())) if t else np.nan for t in table])
        out[f"{key}_ci95"] = _mean_json(key, whole, draws)[f"{key}_ci95"]
    for k, bone in enumerate(BONES, start=1):
        out["per_class"][bone.name] |= {
            "n_cases": sum(k in d for d in dice), "n_not_found": sum(d.get(k) == 0.0 for d in dice),
            "n_slices": int(sum(np.count_nonzero((c.rows["bone"] == k) & (c.rows["truth"] > 0)) for c in cases)),
        }  # fmt: skip


def _mean_json(key: str, values: Array, draws: Draws) -> Json:
    """Mean over cases of values (cases,), NaN where a case has none, with its interval."""
    good = np.isfinite(values)
    if not good.any():
        return {key: None, f"{key}_ci95": None}
    return {key: float(values[good].mean()), f"{key}_ci95": mean_interval(np.where(good, values, 0.0), good.astype(float), draws)}


def _add_radial(out: Json, cases: Sequence[CaseScores], draws: Draws) -> None:
    """Radial errors in the plane of the angle (and in space), and the share of points within some distances, where a missing one fails."""
    per_angle: dict[str, list[Array]] = {a.name: [] for a in ANGLES}
    points: dict[str, list[float]] = {}
    sums, counts = np.zeros(len(cases)), np.zeros(len(cases))
    deep: list[float] = []
    for i, case in enumerate(cases):
        for pose in case.poses:
            labelled = np.asarray(np.isfinite(pose.truth).all(axis=1))
            errors = pose.errors_mm[labelled]
            per_angle[pose.angle].append(errors)
            sums[i] += np.nansum(errors)
            counts[i] += np.count_nonzero(np.isfinite(errors))
            deep += [float(v) for v in pose.deep_mm[labelled] if np.isfinite(v)]
            for name, there, error in zip(landmark_names(pose.angle), labelled.tolist(), pose.errors_mm.tolist(), strict=True):
                if there:
                    points.setdefault(name, []).append(float(error))
    everything = np.concatenate([e for errors in per_angle.values() for e in errors]) if any(per_angle.values()) else np.zeros(0)
    out |= _radial(everything) | {"mre_mm_ci95": mean_interval(sums, counts, draws)}
    out["mre_3d_mm"] = float(np.mean(deep)) if deep else None
    if out["mre_mm"] is None:
        out["mre_mm_why"] = next((c.why["radial"] for c in cases if "radial" in c.why), "no key point is in truth and result")
    for name, found in per_angle.items():
        out["per_class"][name] |= _radial(np.concatenate(found) if found else np.zeros(0))
    out["per_point"] = {name: _radial(np.array(values)) for name, values in points.items()}


def _radial(errors: Array) -> Json:
    good = errors[np.isfinite(errors)]
    return {
        "mre_mm": float(good.mean()) if len(good) else None, "n_points": len(errors), "n_missing": int(len(errors) - len(good)),
        "success": {f"{mm:g}": float(np.mean(np.nan_to_num(errors, nan=np.inf) <= mm)) if len(errors) else None for mm in SUCCESS_MM},
    }  # fmt: skip


def _angle(name: str, cases: Sequence[CaseScores], draws: Draws) -> Json:
    """Agreement of an angle with the truth, the landmarks' values first, then of each source."""
    by_source: dict[str, Json] = {}
    for source in SOURCES:
        pairs = [c.angles.get((name, source)) for c in cases]
        known = [p for p in pairs if p is not None]
        real = np.array([np.nan if p is None else p[0] for p in pairs])
        seen = np.array([np.nan if p is None or p[1] is None else p[1] for p in pairs], np.float64)
        both = np.isfinite(real) & np.isfinite(seen)
        gap = np.where(both, seen - real, np.nan)
        limits = limits_of_agreement(gap[both])
        by_source[source] = {
            **_mean_json("mae_deg", np.abs(gap), draws), "bias_deg": float(gap[both].mean()) if both.any() else None,
            "limits_deg": limits, "icc21": icc21(real[both], seen[both]),
            "n": int(both.sum()), "n_not_measured": len(known) - int(both.sum()),
        }  # fmt: skip
        if draws is not None and both.any():
            by_source[source]["icc21_ci95"] = any_interval(lambda w: _resampled_icc(real, seen, both, w), draws[:AP_ROUNDS])  # noqa: B023
        if not both.any():
            by_source[source]["why"] = "no case has this angle in truth and result"
    return {**by_source["landmarks"], "by_source": by_source}


def _resampled_icc(real: Array, seen: Array, both: NDArray[np.bool_], weights: NDArray[np.int64]) -> float | None:
    chosen = np.repeat(np.flatnonzero(both), weights[both])
    return icc21(real[chosen], seen[chosen])


def _add_patients(out: Json, cases: Sequence[CaseScores], draws: Draws) -> None:
    """Whole lesions: FROC, and sensitivity and specificity of cases for each class."""
    scored = [c for c in cases if c.labelled]
    for term in LESIONS:
        own = out["per_class"][term.name]
        real = np.array([bool(c.true_lesions.get(term.name)) for c in cases])
        seen = np.array([any(h.label == term.name for h in c.hits) for c in cases])
        used = np.array([bool(c.labelled) for c in cases])
        own["n_lesions"] = sum(len(c.true_lesions.get(term.name, ())) for c in scored)
        own["n_cases"] = int((real & used).sum())
        own |= _rate("sensitivity", seen & real, real & used, draws) | _rate("specificity", ~seen & ~real & used, ~real & used, draws)
        own["froc"] = froc(scored, (term.name,))
    out["froc"] = froc(scored, tuple(t.name for t in LESIONS))


def _rate(key: str, hit: NDArray[np.bool_], of: NDArray[np.bool_], draws: Draws) -> Json:
    values = np.where(of, hit.astype(float), np.nan)
    return _mean_json(key, values, draws)


def froc(cases: Sequence[CaseScores], labels: Sequence[str]) -> Json | None:
    """Sensitivity at some rates of false finds a case, and the curve; None without true lesions."""
    total = sum(len(c.true_lesions.get(name, ())) for c in cases for name in labels)
    if not total:
        return None
    finds = sorted(((h.score, h.truth is not None) for c in cases for h in c.hits if h.label in labels), reverse=True)
    true, false = 0, 0
    curve = [(0.0, 0.0)]
    for _, good in finds:
        true, false = true + good, false + (not good)
        curve.append((false / len(cases), true / total))
    at = {f"{rate:g}": max(s for f, s in curve if f <= rate) for rate in FALSE_PER_FOOT}
    return {"sensitivity_at": at, "score": float(np.mean(list(at.values()))), "curve": curve}


def _findings(cases: Sequence[CaseScores], draws: Draws) -> Json:
    """Levels against what the clinical files name; only PRESENT counts as positive, and what could not be measured is counted apart."""
    told = [c for c in cases if c.findings_truth is not None]
    names = [t.name for t in FINDINGS]
    out: Json = {"n_cases": len(told), "why": None if told else "no clinical file names a disease", "per_class": {}}
    for name in names:
        real = np.array([c.findings_truth is not None and name in c.findings_truth for c in cases])
        level = [c.findings.get(name) for c in cases]
        seen = np.array([v is Level.PRESENT for v in level])
        used = np.array([c.findings_truth is not None and v not in (None, Level.NOT_MEASURABLE) for c, v in zip(cases, level, strict=True)])
        own: Json = {
            "true_positive": int((real & seen & used).sum()), "false_positive": int((~real & seen & used).sum()),
            "false_negative": int((real & ~seen & used).sum()), "true_negative": int((~real & ~seen & used).sum()),
            "borderline": sum(v is Level.BORDERLINE for v, u in zip(level, used, strict=True) if u),
            "not_measurable": sum(v is Level.NOT_MEASURABLE for c, v in zip(cases, level, strict=True) if c.findings_truth is not None),
        }  # fmt: skip
        own |= _rate("sensitivity", seen & real, real & used, draws) | _rate("specificity", ~seen & ~real, ~real & used, draws)
        out["per_class"][name] = own
    # rows: what the clinical file names; columns: findings PRESENT. A case with several counts in several cells.
    out["matrix"] = {
        row: {column: sum(row in (c.findings_truth or ()) and c.findings.get(column) is Level.PRESENT for c in told) for column in names}
        | {"n_cases": sum(row in (c.findings_truth or ()) for c in told)}
        for row in names
    }
    return out


def _groups(cases: Sequence[CaseScores], precision: Mapping[str, Precision | None]) -> Json:
    """dimension -> value -> key numbers of the cases (or, by plane, of the slices) in that group."""
    keys = {key for p in precision.values() if p is not None for key in p.groups}
    keys |= {f"{d}={v}" for c in cases for d, values in c.groups.items() for v in values}
    out: Json = {}
    for key in sorted(keys):
        dimension, value = key.split("=", 1)
        own = [c for c in cases if value in c.groups.get(dimension, ())] if dimension != "plane" else list(cases)
        line: Json = {"n_cases": len(own)}
        for task, p in precision.items():
            line |= {f"{task}.{k}": v for k, v in (p.groups.get(key, {}) if p is not None else {}).items()}
        if dimension != "plane":
            dice = [v for c in own for v in case_dice(c).values() if c.has_bones]
            far = [v[0] for c in own for v in c.volumes.values()]
            apart = [float(e) for c in own for p in c.poses for e in p.errors_mm if np.isfinite(e)]
            line |= {"bones.dice": _mean(dice), "bones.hd95_mm": _mean(far), "landmarks.mre_mm": _mean(apart)}
            for angle in ANGLES:
                pairs = [c.angles.get((angle.name, "landmarks")) for c in own]
                gaps = [abs(pair[1] - pair[0]) for pair in pairs if pair is not None and pair[1] is not None]
                line[f"angles.{angle.name}.mae_deg"] = _mean(gaps)
        out.setdefault(dimension, {})[value] = line
    return out


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
