"""The evaluation's numbers as tables for people; the terminal prints the first, the page all."""

from __future__ import annotations

from typing import Any

from footcli.evaluate.table import TITLES, Json, Listing, number
from footcli.evaluate.task_tables import (
    angles_listing,
    bones_listing,
    findings_listing,
    landmarks_listing,
    lesions_listing,
)

DIMENSIONS = {
    "plane": "plane",
    "disease": "disease",
    "age_band": "age, years",
    "sex": "sex",
    "institution": "institution",
    "side": "side",
}
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


def listings(evaluation: Json) -> list[Listing]:
    """All tables of an evaluation, the most important first."""
    against = [_against(evaluation["against"]["metrics"])] if "against" in evaluation else []
    if evaluation["protocol"] == "validators":
        return [*against, _validators(evaluation)]
    groups = evaluation["groups"]
    return [
        *against,
        bones_listing(evaluation["bones"]),
        landmarks_listing(evaluation["landmarks"]),
        angles_listing(evaluation["angles"]),
        lesions_listing(evaluation["lesions"]),
        findings_listing(evaluation["findings"]),
        *(_group(groups, name, title) for name, title in DIMENSIONS.items() if name in groups),
    ]


def left_out_lines(evaluation: Json) -> list[str]:
    """Labels and cases that did not count, as lines for the terminal."""
    lines = [f"left out: {name} ({why})" for name, why in evaluation["left_out"].items()]
    found = [f"{number} x {name}" for name, number in evaluation["unknown_labels"].items()]
    return lines + ([f"left out of the labels: {', '.join(found)}"] if found else [])


def below(evaluation: Json, least: float) -> str | None:
    """Why a task of an evaluation misses the mAP `least`; None if all three reach it."""
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


def _group(groups: Json, dimension: str, title: str) -> Listing:
    """Table with numbers in rows and the group's values in columns.

    A page is wide enough for the values, seldom for the numbers.
    """
    lines = groups[dimension]
    keys: dict[str, None] = {}
    for line in lines.values():
        keys |= dict.fromkeys(line)
    keys.pop("n_cases", None)
    rows = [("cases", *(str(line["n_cases"]) for line in lines.values()))]
    for key in keys:
        values = [line.get(key) for line in lines.values()]
        if any(value is not None for value in values):
            rows.append(_group_row(key, values))
    columns = (title, *(TITLES.get(value, value) for value in lines))
    return Listing(f"By {title}", columns, tuple(rows))


def _group_row(key: str, values: list[Any]) -> tuple[str, ...]:
    digits = 2 if key.endswith(("_mm", "_deg")) else 3
    return (_metric(key), *(number(value, digits) for value in values))


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
    rows = []
    for key, m in metrics.items():
        difference = number(m["difference"], 3, m["ci95"])
        counts = (str(m["n"]), str(m["only_a"]), str(m["only_b"]))
        rows.append((_metric(key), number(m["a"]), number(m["b"]), difference, *counts))
    note = (
        "Difference: this run less the other, over what both found in the same cases; beside it "
        "how many bones, points or values one alone has. An interval without zero: more than the "
        "choice of patients."
    )
    return Listing("Against the other run", columns, tuple(rows), note)


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
