"""The tables of each task: bones, landmarks, angles, lesions, findings."""

from __future__ import annotations

from collections.abc import Sequence

from footcli.evaluate.points import SOURCES
from footcli.evaluate.table import DASH, TITLES, Json, Listing, number, with_interval


def bones_listing(bones: Json) -> Listing:
    """Overlap and distances of each bone."""
    columns = (
        "bone",
        "AP",
        "AP50",
        "AP75",
        "Dice",
        "HD95, mm",
        "surface, mm",
        "cases",
        "slices",
        "not found",
    )
    rows = []
    for name, row in bones["per_class"].items():
        counts = (str(row["n_cases"]), str(row["n_slices"]), str(row["n_not_found"]))
        rows.append((name, *_bone_cells(row, "ap"), *counts))
    rows.append(("mean", *_bone_cells(bones, "map"), "", "", ""))
    notes = [bones[key] for key in ("why", "hd95_mm_why") if bones.get(key)]
    return Listing("Bones", columns, tuple(rows), "; ".join(notes))


def _bone_cells(row: Json, ap: str) -> tuple[str, ...]:
    """ap: the key of the average precision, "ap" of a class or "map" of all."""
    return (
        with_interval(row, ap),
        with_interval(row, f"{ap}50"),
        number(row[f"{ap}75"]),
        with_interval(row, "dice"),
        with_interval(row, "hd95_mm", 2),
        with_interval(row, "surface_mm", 2),
    )


def landmarks_listing(found: Json) -> Listing:
    """Errors of the landmarks of each angle."""
    shares = tuple(next(iter(found["per_class"].values()))["success"])
    within = [f"within {mm} mm" for mm in shares]
    columns = ("angle", "AP", "AP50", "error, mm", *within, "points", "missing")
    rows = []
    for name, row in found["per_class"].items():
        error = number(row["mre_mm"], 2)
        rows.append((name, *_point_cells(row, "ap", error, shares)))
    error = with_interval(found, "mre_mm", 2)
    rows.append(("all", *_point_cells(found, "map", error, shares)))
    notes = [found[key] for key in ("why", "mre_mm_why") if found.get(key)]
    return Listing("Key points", columns, tuple(rows), "; ".join(notes))


def _point_cells(row: Json, ap: str, error: str, shares: Sequence[str]) -> tuple[str, ...]:
    return (
        with_interval(row, ap),
        with_interval(row, f"{ap}50"),
        error,
        *(number(row["success"][mm], 2) for mm in shares),
        str(row["n_points"]),
        str(row["n_missing"]),
    )


def angles_listing(angles: Json) -> Listing:
    """Agreement of each angle with the truth, from each source."""
    columns = (
        "angle",
        "from",
        "mean error, deg",
        "bias, deg",
        "limits of agreement, deg",
        "ICC(2,1)",
        "cases",
        "not measured",
    )
    rows = []
    for name, found in angles.items():
        for source in SOURCES:
            row = found["by_source"][source]
            limits = ", ".join(number(v, 1) for v in row["limits_deg"] or ())
            error, bias = with_interval(row, "mae_deg", 2), number(row["bias_deg"], 2)
            counts = (str(row["n"]), str(row["n_not_measured"]))
            icc = with_interval(row, "icc21")
            rows.append((name, source, error, bias, limits or DASH, icc, *counts))
    return Listing("Angles", columns, tuple(rows))


def lesions_listing(lesions: Json) -> Listing:
    """AP, rates over patients and FROC of each lesion class."""
    columns = (
        "lesion",
        "AP",
        "AP50",
        "sensitivity",
        "specificity",
        "FROC score",
        "lesions",
        "patients",
    )
    rows = []
    for name, row in lesions["per_class"].items():
        ap, ap50 = with_interval(row, "ap"), with_interval(row, "ap50")
        rates = (with_interval(row, "sensitivity", 2), with_interval(row, "specificity", 2))
        counts = (str(row["n_lesions"]), str(row["n_patients"]))
        rows.append((name, ap, ap50, *rates, _froc_score(row), *counts))
    ap, ap50 = with_interval(lesions, "map"), with_interval(lesions, "map50")
    rows.append(("mean", ap, ap50, "", "", _froc_score(lesions), "", ""))
    note = (
        "Sensitivity and specificity are those of patients, at the score of a finding that is "
        f"present, {lesions['score_of_a_finding']}."
    )
    return Listing("Lesions", columns, tuple(rows), lesions.get("why", note))


def _froc_score(row: Json) -> str:
    return number(row["froc"]["score"] if row["froc"] else None, 2)


def findings_listing(findings: Json) -> Listing:
    """Confusion counts and rates of each finding, over patients."""
    columns = (
        "finding",
        "sensitivity",
        "specificity",
        "right",
        "false",
        "missed",
        "rightly not",
        "possible",
        "not measurable",
    )
    keys = (
        "true_positive",
        "false_positive",
        "false_negative",
        "true_negative",
        "possible",
        "not_measurable",
    )
    rows = []
    for name, row in findings["per_class"].items():
        rates = (with_interval(row, "sensitivity", 2), with_interval(row, "specificity", 2))
        rows.append((TITLES[name], *rates, *(str(row[key]) for key in keys)))
    note = "Of patients. Only PRESENT counts as found; what is not measurable counts neither way."
    return Listing("Findings", columns, tuple(rows), findings["why"] or note)
