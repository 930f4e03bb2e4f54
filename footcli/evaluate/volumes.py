"""Bones in 3D and landmarks in millimetres: means over cases, with their intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.evaluate.agree import macro_interval, mean_interval
from footcli.evaluate.case_scores import CaseScores
from footcli.evaluate.points import Pose
from footcli.evaluate.tables import PLANES
from footcli.kinds import ANGLES, BONES, landmark_names

SUCCESS_MM = (2.0, 2.5, 3.0, 4.0)
Draws = NDArray[np.int64] | None
Array = NDArray[np.float64]
Json = dict[str, Any]
VOLUME_KEYS = ("dice", "hd95_mm", "surface_mm")


def case_dice(case: CaseScores) -> dict[int, float]:
    """Bone id -> Dice of one case, over the plane labelled without gaps, else over all outlined
    slices of all planes.
    """
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


def case_volumes(case: CaseScores) -> dict[str, dict[int, float]]:
    """Each of VOLUME_KEYS -> bone id -> value of one case."""
    far = case.volumes
    return {
        "dice": case_dice(case),
        "hd95_mm": {k: v[0] for k, v in far.items()},
        "surface_mm": {k: v[1] for k, v in far.items()},
    }


def add_volumes(out: Json, cases: Sequence[CaseScores], draws: Draws) -> None:
    """Add each bone's mean over cases, and the mean of these over bones.

    A bone that was not found has Dice 0 and no distance.
    """
    found = [case_volumes(c) for c in cases]
    for key in VOLUME_KEYS:
        table = bone_table([f[key] for f in found])
        for k, bone in enumerate(BONES):
            out["per_class"][bone.name] |= mean_json(key, table[:, k], draws)
        out[key], out[f"{key}_ci95"] = macro_mean(table), macro_interval(table, draws)
        if out[key] is None:
            out[f"{key}_why"] = _why_no_distance(cases)
    dice = [f["dice"] for f in found]
    for k, bone in enumerate(BONES, start=1):
        out["per_class"][bone.name] |= {
            "n_cases": sum(k in own for own in dice),
            "n_not_found": sum(own.get(k) == 0.0 for own in dice),
            "n_slices": sum(_labelled_slices(case, k) for case in cases),
        }


def _why_no_distance(cases: Sequence[CaseScores]) -> str:
    for case in cases:
        if "distances" in case.why:
            return case.why["distances"]
    return "no bone is in truth and result"


def _labelled_slices(case: CaseScores, bone: int) -> int:
    """Slices of a case whose labels hold the bone."""
    of_bone = (case.rows["bone"] == bone) & (case.rows["truth"] > 0)
    return int(np.count_nonzero(of_bone))


def bone_table(found: Sequence[Mapping[int, float]]) -> Array:
    """(cases, bones) table of each case's bone id -> value; NaN where a case has none."""
    ids = range(1, len(BONES) + 1)
    rows = []
    for own in found:
        rows.append([own.get(k, np.nan) for k in ids])
    return np.array(rows)


def macro_mean(table: Array) -> float | None:
    """Mean over columns of the means over rows (cases, columns), without empty columns; None
    without any value.
    """
    used = np.isfinite(table).any(0)
    return float(np.nanmean(table[:, used], axis=0).mean()) if used.any() else None


def mean_json(key: str, values: Array, draws: Draws) -> Json:
    """Mean over cases of values (cases,), NaN where a case has none, with its interval."""
    good = np.isfinite(values)
    if not good.any():
        return {key: None, f"{key}_ci95": None}
    return {
        key: float(values[good].mean()),
        f"{key}_ci95": mean_interval(np.where(good, values, 0.0), good.astype(float), draws),
    }


@dataclass(slots=True)
class _Radial:
    """Radial errors collected over cases. errors: infinite for a point that was not found."""

    errors: dict[str, list[float]]
    points: dict[str, list[float]] = field(default_factory=dict)
    missing: Counter[str] = field(default_factory=Counter)
    deep: list[float] = field(default_factory=list)

    def take_case(self, case: CaseScores) -> list[float]:
        """Add the true points of a case; returns the errors of those that were found."""
        errors: list[float] = []
        for pose in case.poses:
            errors += self.take(pose, "radial" not in case.why)
        return errors

    def take(self, pose: Pose, known: bool) -> list[float]:
        """Add the true points of a pose; returns the errors of those that were found.

        known: whether the scan has a spacing.
        """
        out = []
        for j, name in enumerate(landmark_names(pose.angle)):
            if not np.isfinite(pose.truth[j]).all():
                continue
            lost = not np.isfinite(pose.found[j]).all()
            self.missing[pose.angle] += lost
            self.missing[name] += lost
            if not known:
                continue
            error = float(np.inf) if lost else float(pose.errors_mm[j])
            self.errors[pose.angle].append(error)
            self.points.setdefault(name, []).append(error)
            if not lost:
                out.append(error)
                self.deep.append(float(pose.deep_mm[j]))
        return out


def add_radial(out: Json, cases: Sequence[CaseScores], draws: Draws) -> None:
    """Add radial errors in the plane of the angle and in space.

    Adds the share of points within each of SUCCESS_MM, where a missing point fails.
    """
    found = _Radial({kind.name: [] for kind in ANGLES})
    per_case = [found.take_case(case) for case in cases]
    whole = list(chain.from_iterable(found.errors.values()))
    out |= _radial(whole, sum(found.missing[kind.name] for kind in ANGLES))
    sums = np.array([sum(errors, start=0.0) for errors in per_case])
    counts = np.array([float(len(errors)) for errors in per_case])
    out["mre_mm_ci95"] = mean_interval(sums, counts, draws)
    out["mre_3d_mm"] = float(np.mean(found.deep)) if found.deep else None
    if out["mre_mm"] is None:
        out["mre_mm_why"] = _why_no_radial(cases)
    for name, own in found.errors.items():
        out["per_class"][name] |= _radial(own, found.missing[name])
    out["per_point"] = {
        name: _radial(own, found.missing[name]) for name, own in found.points.items()
    }


def _why_no_radial(cases: Sequence[CaseScores]) -> str:
    if cases and all("radial" in case.why for case in cases):
        return "the scan has no millimetres"
    return "no key point is in truth and result"


def _radial(errors: Sequence[float], missing: int) -> Json:
    good = [e for e in errors if np.isfinite(e)]
    return {
        "mre_mm": float(np.mean(good)) if good else None,
        "n_points": len(errors),
        "n_missing": missing,
        "success": {
            f"{mm:g}": float(np.mean(np.array(errors) <= mm)) if len(errors) else None
            for mm in SUCCESS_MM
        },
    }


def point_errors(case: CaseScores) -> Mapping[str, float]:
    """Landmark -> radial error, mm, of those in truth and result."""
    out = {}
    for pose in case.poses:
        for name, error in zip(landmark_names(pose.angle), pose.errors_mm.tolist(), strict=True):
            if np.isfinite(error):
                out[name] = error
    return out
