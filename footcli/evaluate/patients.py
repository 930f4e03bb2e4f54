"""Whole lesions and findings: FROC, sensitivity and specificity of patients, confusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from footcli.domain import Level
from footcli.evaluate.agree import rate_interval
from footcli.evaluate.gather import CaseScores
from footcli.kinds import FINDINGS, LESION, LESIONS
from footcli.levels import SURE

FALSE_PER_FOOT = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False finds a foot at which FROC sensitivity is read: those of the LUNA16 challenge (Medical
Image Analysis 2017;42:1-13).
"""
Json = dict[str, Any]


def add_patients(out: Json, cases: Sequence[CaseScores]) -> None:
    """Of each class: sensitivity and specificity of patients at the score from which a finding is
    PRESENT, and FROC. Of all: FROC.
    """
    out["score_of_a_finding"] = SURE
    for term in LESIONS:
        own = out["per_class"][term.name]
        looked = [c for c in cases if LESION[term.name].plane in c.boxed]
        real = _any(looked, lambda c, name=term.name: bool(c.true_lesions.get(name)))
        seen = _any(
            looked,
            lambda c, name=term.name: any(h.label == name and h.score >= SURE for h in c.hits),
        )
        own |= {
            "n_lesions": sum(len(c.true_lesions.get(term.name, ())) for c in looked),
            "n_patients": sum(real.values()),
        }
        own |= _rates(real, seen) | {"froc": froc(looked, (term.name,))}
    out["froc"] = froc([c for c in cases if c.boxed], tuple(t.name for t in LESIONS))


def _any(cases: Sequence[CaseScores], test: Any) -> dict[str, bool]:
    """Patient -> whether the test holds for any of the patient's cases."""
    out: dict[str, bool] = {}
    for case in cases:
        out[case.patient] = out.get(case.patient, False) or test(case)
    return out


def _rates(real: Mapping[str, bool], seen: Mapping[str, bool]) -> Json:
    """Sensitivity and specificity over patients; None without ill or without healthy ones."""
    out: Json = {}
    for key, ill in (("sensitivity", True), ("specificity", False)):
        of = [p for p, value in real.items() if value is ill]
        right = sum(seen[p] is ill for p in of)
        out |= {key: right / len(of) if of else None, f"{key}_ci95": rate_interval(right, len(of))}
    return out


def froc(cases: Sequence[CaseScores], labels: Sequence[str]) -> Json | None:
    """Sensitivity over false finds a foot: at some rates, their mean, and the curve; None without
    true lesions.

    A point of the curve is a score that all finds of that score pass: equal scores cannot be told
    apart.
    """
    total = sum(len(c.true_lesions.get(name, ())) for c in cases for name in labels)
    feet = sum(c.feet for c in cases)
    if not total:
        return None
    finds = [(h.score, h.truth is not None) for c in cases for h in c.hits if h.label in labels]
    scores, right = np.array([s for s, _ in finds]), np.array([r for _, r in finds], bool)
    curve = [(0.0, 0.0)]
    for score in np.unique(scores)[::-1]:
        passed = scores >= score
        curve.append((float((passed & ~right).sum() / feet), float((passed & right).sum() / total)))
    at = {f"{rate:g}": max(s for f, s in curve if f <= rate) for rate in FALSE_PER_FOOT}
    return {"sensitivity_at": at, "score": float(np.mean(list(at.values()))), "curve": curve}


def findings(cases: Sequence[CaseScores]) -> Json:
    """Levels against what the clinical files name; only PRESENT counts as positive, and what could
    not be measured counts neither way.
    """
    told = [c for c in cases if c.findings_truth is not None]
    names = [t.name for t in FINDINGS]
    out: Json = {
        "n_cases": len(told),
        "why": None if told else "no clinical file names a disease",
        "per_class": {},
    }
    for name in names:
        levels = [c.findings.get(name) for c in told]
        used = [
            c
            for c, level in zip(told, levels, strict=True)
            if level not in (None, Level.NOT_MEASURABLE)
        ]
        real = _any(used, lambda c, name=name: name in (c.findings_truth or ()))
        seen = _any(used, lambda c, name=name: c.findings.get(name) is Level.PRESENT)
        pairs = [(real[p], seen[p]) for p in real]
        out["per_class"][name] = {
            "true_positive": pairs.count((True, True)),
            "false_positive": pairs.count((False, True)),
            "false_negative": pairs.count((True, False)),
            "true_negative": pairs.count((False, False)),
            "possible": levels.count(Level.POSSIBLE),
            "not_measurable": levels.count(Level.NOT_MEASURABLE),
            **_rates(real, seen),
        }
    # rows: what the clinical file names; columns: findings PRESENT. A case with several counts in
    # several cells.
    out["matrix"] = {
        row: {
            column: sum(
                row in (c.findings_truth or ()) and c.findings.get(column) is Level.PRESENT
                for c in told
            )
            for column in names
        }
        | {"n_cases": sum(row in (c.findings_truth or ()) for c in told)}
        for row in names
    }
    return out
