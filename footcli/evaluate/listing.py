"""The evaluation's numbers as tables for people.

The terminal prints the first ones, the page all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from footcli.evaluate.points import SOURCES
from footcli.kinds import FINDINGS

Json = Mapping[str, Any]
DASH = "–"
DIMENSIONS = {
    "plane": "plane",
    "disease": "disease",
    "age_band": "age, years",
    "sex": "sex",
    "institution": "institution",
    "side": "side",
}
_TITLES = {t.name: t.en for t in FINDINGS}
_METRICS = {
    "bones.map": "bones, mAP",
    "bones.map50": "bones, mAP50",
    "bones.dice": "bones, Dice",
    "bones.hd95_mm": "bones, HD95 mm",
    "landmarks.map": "key points, mAP",
    "landmarks.map50": "key points, mAP50",
    "landmarks.mre_mm": "key points, error mm",
    "lesions.map": "lesions, mAP",
    "lesions.map50": "lesions, mAP50",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """One table. note: a sentence below it, the reason where numbers are absent."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def number(value: float | None, digits: int = 3, ci95: Sequence[float] | None = None) -> str:
    """A number with its interval, or a dash."""
    if value is None:
        return DASH
    text = f"{value:.{digits}f}" + (
        f" ({ci95[0]:.{digits}f}, {ci95[1]:.{digits}f})" if ci95 else ""
    )
    return text.replace("-", "−")


def _of(row: Json, key: str, digits: int = 3) -> str:
    return number(row.get(key), digits, row.get(f"{key}_ci95"))


def listings(evaluation: Json) -> list[Listing]:
    """All tables of an evaluation, the most telling first."""
    against = [_against(evaluation["against"]["metrics"])] if "against" in evaluation else []
    if evaluation["protocol"] == "validators":
        return [*against, _validators(evaluation)]
    out = [
        *against,
        _bones(evaluation["bones"]),
        _landmarks(evaluation["landmarks"]),
        _angles(evaluation["angles"]),
    ]
    out += [_lesions(evaluation["lesions"]), _findings(evaluation["findings"])]
    return out + [
        _group(evaluation["groups"], d, title)
        for d, title in DIMENSIONS.items()
        if d in evaluation["groups"]
    ]


def left_out_lines(evaluation: Json) -> list[str]:
    """What of labels and cases did not count, in lines for the terminal."""
    lines = [f"left out: {name} ({why})" for name, why in evaluation["left_out"].items()]
    found = [f"{number} x {name}" for name, number in evaluation["unknown_labels"].items()]
    return lines + ([f"left out of the labels: {', '.join(found)}"] if found else [])


def below(evaluation: Json, least: float) -> str | None:
    """Why an evaluation does not reach a least mAP in all three tasks; None where it does."""
    maps = {
        task: evaluation[task].get("map", evaluation[task].get("score"))
        for task in ("bones", "landmarks", "lesions")
    }
    lost = [task for task, value in maps.items() if value is None]
    if lost:
        return f"no mAP could be measured for {', '.join(lost)}"
    lowest = min(maps, key=lambda task: maps[task])
    return (
        f"the lowest mAP, {maps[lowest]:.3f} of {lowest}, lies below {least:g}"
        if maps[lowest] < least
        else None
    )


def _bones(bones: Json) -> Listing:
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
    rows = [
        (
            name,
            _of(r, "ap"),
            _of(r, "ap50"),
            number(r["ap75"]),
            _of(r, "dice"),
            _of(r, "hd95_mm", 2),
            _of(r, "surface_mm", 2),
            str(r["n_cases"]),
            str(r["n_slices"]),
            str(r["n_not_found"]),
        )
        for name, r in bones["per_class"].items()
    ]
    rows.append(
        (
            "mean",
            _of(bones, "map"),
            _of(bones, "map50"),
            number(bones["map75"]),
            _of(bones, "dice"),
            _of(bones, "hd95_mm", 2),
            _of(bones, "surface_mm", 2),
            "",
            "",
            "",
        )
    )
    return Listing(
        "Bones",
        columns,
        tuple(rows),
        "; ".join(bones[k] for k in ("why", "hd95_mm_why") if bones.get(k)),
    )


def _landmarks(found: Json) -> Listing:
    shares = tuple(next(iter(found["per_class"].values()))["success"])
    columns = (
        "angle",
        "AP",
        "AP50",
        "error, mm",
        *(f"within {mm} mm" for mm in shares),
        "points",
        "missing",
    )
    rows = [
        (
            name,
            _of(r, "ap"),
            _of(r, "ap50"),
            number(r["mre_mm"], 2),
            *(number(r["success"][mm], 2) for mm in shares),
            str(r["n_points"]),
            str(r["n_missing"]),
        )
        for name, r in found["per_class"].items()
    ]
    rows.append(
        (
            "all",
            _of(found, "map"),
            _of(found, "map50"),
            _of(found, "mre_mm", 2),
            *(number(found["success"][mm], 2) for mm in shares),
            str(found["n_points"]),
            str(found["n_missing"]),
        )
    )
    return Listing(
        "Key points",
        columns,
        tuple(rows),
        "; ".join(found[k] for k in ("why", "mre_mm_why") if found.get(k)),
    )


def _angles(angles: Json) -> Listing:
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
            r = found["by_source"][source]
            limits = ", ".join(number(v, 1) for v in r["limits_deg"]) if r["limits_deg"] else DASH
            counts = str(r["n"]), str(r["n_not_measured"])
            rows.append(
                (
                    name,
                    source,
                    _of(r, "mae_deg", 2),
                    number(r["bias_deg"], 2),
                    limits,
                    _of(r, "icc21"),
                    *counts,
                )
            )
    return Listing("Angles", columns, tuple(rows))


def _lesions(lesions: Json) -> Listing:
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
    rows = [
        (
            name,
            _of(r, "ap"),
            _of(r, "ap50"),
            _of(r, "sensitivity", 2),
            _of(r, "specificity", 2),
            number(r["froc"]["score"] if r["froc"] else None, 2),
            str(r["n_lesions"]),
            str(r["n_patients"]),
        )
        for name, r in lesions["per_class"].items()
    ]
    froc = number(lesions["froc"]["score"] if lesions["froc"] else None, 2)
    rows.append(("mean", _of(lesions, "map"), _of(lesions, "map50"), "", "", froc, "", ""))
    note = (
        "Sensitivity and specificity are those of patients, at the score of a finding that is "
        f"present, {lesions['score_of_a_finding']}."
    )
    return Listing("Lesions", columns, tuple(rows), lesions.get("why", note))


def _findings(findings: Json) -> Listing:
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
    rows = tuple(
        (
            _TITLES[name],
            _of(r, "sensitivity", 2),
            _of(r, "specificity", 2),
            *(str(r[k]) for k in keys),
        )
        for name, r in findings["per_class"].items()
    )
    note = "Of patients. Only PRESENT counts as found; what is not measurable counts neither way."
    return Listing("Findings", columns, rows, findings["why"] or note)


def _group(groups: Json, dimension: str, title: str) -> Listing:
    """Numbers down, the group's values across: a page is wide enough for the values, seldom for the
    numbers.
    """
    lines = groups[dimension]
    keys = [k for k in dict.fromkeys(k for line in lines.values() for k in line) if k != "n_cases"]
    rows = [("cases", *(str(line["n_cases"]) for line in lines.values()))]
    for key in keys:
        values = [line.get(key) for line in lines.values()]
        if any(v is not None for v in values):
            rows.append(
                (
                    _metric(key),
                    *(number(v, 2 if key.endswith(("_mm", "_deg")) else 3) for v in values),
                )
            )
    return Listing(
        f"By {title}", (title, *(_TITLES.get(value, value) for value in lines)), tuple(rows)
    )


def _against(metrics: Json) -> Listing:
    columns = (
        "number",
        "this run",
        "the other",
        "difference (95 %)",
        "cases",
        "only this has",
        "only the other has",
    )
    rows = tuple(
        (
            _metric(k),
            number(m["a"]),
            number(m["b"]),
            number(m["difference"], 3, m["ci95"]),
            *(str(m[c]) for c in ("n", "only_a", "only_b")),
        )
        for k, m in metrics.items()
    )
    note = (
        "Difference: this run less the other, over what both found in the same cases; beside it "
        "how many bones, points or values "
        "one alone has. An interval without zero: more than the choice of patients."
    )
    return Listing("Against the other run", columns, rows, note)


def _metric(key: str) -> str:
    if key.startswith("angles."):
        _, angle, *rest = key.split(".")
        return f"{angle}{' ' + rest[0] if len(rest) > 1 else ''}, error deg"
    return _METRICS.get(key, key)


def _validators(evaluation: Json) -> Listing:
    rows = []
    titles = {
        "bones": "bones, share with IoU ≥ 0.5",
        "landmarks": "key points, share with OKS > 0.5",
        "lesions": "lesions, AP50",
    }
    for task, title in titles.items():
        rows += [
            (title, name, number(value)) for name, value in evaluation[task]["per_class"].items()
        ]
        rows.append((title, "mean", number(evaluation[task]["score"])))
    note = (
        "Numbers of the data set's own validators: lenient, and only good for comparing with "
        "theirs."
    )
    return Listing("Validators' protocol", ("number", "class", "value"), tuple(rows), note)
