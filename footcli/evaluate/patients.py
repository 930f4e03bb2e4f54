"""Whole lesions and findings: FROC, sensitivity and specificity over patients, confusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Level
from footcli.evaluate.agree import rate_interval
from footcli.evaluate.case_scores import CaseScores
from footcli.kinds import FINDINGS, LESION, LESIONS
from footcli.levels import SURE

FALSE_PER_FOOT = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per foot at which FROC sensitivity is read: those of the LUNA16 challenge
(Medical Image Analysis 2017;42:1-13).
"""
Json = dict[str, Any]


def add_patients(out: Json, cases: Sequence[CaseScores]) -> None:
    """Add FROC of each class and of all, and each class's sensitivity and specificity over patients
    at the score from which a finding is PRESENT.
    """
    out["score_of_a_finding"] = SURE
    for term in LESIONS:
        own = out["per_class"][term.name]
        labelled = [c for c in cases if LESION[term.name].plane in c.boxed]
        real = _any(labelled, lambda c, name=term.name: bool(c.true_lesions.get(name)))
        seen = _any(
            labelled,
            lambda c, name=term.name: any(h.label == name and h.score >= SURE for h in c.hits),
        )
        own |= {
            "n_lesions": sum(len(c.true_lesions.get(term.name, ())) for c in labelled),
            "n_patients": sum(real.values()),
        }
        own |= _rates(real, seen) | {"froc": froc(labelled, (term.name,))}
    out["froc"] = froc([c for c in cases if c.boxed], tuple(t.name for t in LESIONS))


def _any(cases: Sequence[CaseScores], test: Any) -> dict[str, bool]:
    """Patient -> whether the test holds for any of the patient's cases."""
    out: dict[str, bool] = {}
    for case in cases:
        out[case.patient] = out.get(case.patient, False) or test(case)
    return out


def _rates(real: Mapping[str, bool], seen: Mapping[str, bool]) -> Json:
    """Sensitivity and specificity over patients; None without affected or unaffected ones."""
    out: Json = {}
    for key, ill in (("sensitivity", True), ("specificity", False)):
        of = [p for p, value in real.items() if value is ill]
        right = sum(seen[p] is ill for p in of)
        out |= {key: right / len(of) if of else None, f"{key}_ci95": rate_interval(right, len(of))}
    return out


def froc(cases: Sequence[CaseScores], labels: Sequence[str]) -> Json | None:
    """Sensitivity over false positives per foot: at FALSE_PER_FOOT, their mean, and the curve.

    None without true lesions. Each point of the curve is a score threshold: equal scores cannot be
    separated.
    """
    total, feet = 0, 0
    scores: list[float] = []
    right: list[bool] = []
    for case in cases:
        feet += case.feet
        total += sum(len(case.true_lesions.get(name, ())) for name in labels)
        for hit in case.hits:
            if hit.label in labels:
                scores.append(hit.score)
                right.append(hit.truth is not None)
    if not total:
        return None
    curve = _froc_curve(np.array(scores), np.array(right, bool), feet, total)
    at = {}
    for rate in FALSE_PER_FOOT:
        at[f"{rate:g}"] = max(found for false, found in curve if false <= rate)
    return {"sensitivity_at": at, "score": float(np.mean(list(at.values()))), "curve": curve}


def _froc_curve(
    scores: NDArray[np.float64], right: NDArray[np.bool_], feet: int, total: int
) -> list[tuple[float, float]]:
    """(false positives per foot, sensitivity) at each score, the highest first."""
    curve = [(0.0, 0.0)]
    for score in np.unique(scores)[::-1]:
        passed = scores >= score
        false, true = (passed & ~right).sum(), (passed & right).sum()
        curve.append((float(false / feet), float(true / total)))
    return curve


def findings(cases: Sequence[CaseScores]) -> Json:
    """Levels against the diseases that the clinical files name.

    Only PRESENT counts as positive; NOT_MEASURABLE counts neither as positive nor as negative.
    """
    named = [c for c in cases if c.findings_truth is not None]
    return {
        "n_cases": len(named),
        "why": None if named else "no clinical file names a disease",
        "per_class": {rule.name: _finding(rule.name, named) for rule in FINDINGS},
        "matrix": {rule.name: _matrix_row(rule.name, named) for rule in FINDINGS},
    }


def _finding(name: str, named: Sequence[CaseScores]) -> Json:
    """Confusion counts over patients, sensitivity and specificity."""
    levels = [c.findings.get(name) for c in named]
    used = [c for c in named if c.findings.get(name) not in (None, Level.NOT_MEASURABLE)]
    real = _any(used, lambda c: name in (c.findings_truth or ()))
    seen = _any(used, lambda c: c.findings.get(name) is Level.PRESENT)
    pairs = [(real[p], seen[p]) for p in real]
    return {
        "true_positive": pairs.count((True, True)),
        "false_positive": pairs.count((False, True)),
        "false_negative": pairs.count((True, False)),
        "true_negative": pairs.count((False, False)),
        "possible": levels.count(Level.POSSIBLE),
        "not_measurable": levels.count(Level.NOT_MEASURABLE),
        **_rates(real, seen),
    }


def _matrix_row(row: str, named: Sequence[CaseScores]) -> dict[str, int]:
    """Of the cases whose clinical file names the finding `row`: how many have each one PRESENT.

    A case with several diseases counts in several rows.
    """
    own = [c for c in named if row in (c.findings_truth or ())]
    counts = {}
    for rule in FINDINGS:
        counts[rule.name] = sum(c.findings.get(rule.name) is Level.PRESENT for c in own)
    return {**counts, "n_cases": len(own)}
