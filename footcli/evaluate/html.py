"""evaluation.html: the tables, the curves and the worst cases, in one file."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from footcli.evaluate import charts
from footcli.evaluate.listing import listings
from footcli.evaluate.table import DASH, number
from footcli.system.files import write_atomic
from footcli.web.page import page

Json = Mapping[str, Any]
WORST = 20
# Metric that ranks the cases, title, whether more is worse, digits
_RANKS = (
    ("bones.dice", "Dice", False, 3),
    ("bones.hd95_mm", "HD95, mm", True, 2),
    ("landmarks.mre_mm", "key points, mm", True, 2),
)


def write_html(path: Path, evaluation: Json, out: Path) -> None:
    """Write the page; links lead to the reports below the results folder `out`. Raises OSError."""
    figures = []
    if evaluation["protocol"] != "validators":
        drawn = evaluation["curves"]
        matrix = charts.matrix_chart(evaluation["findings"])
        figures = [
            (
                "Bones: precision over recall",
                "Solid: IoU 0.50; dashed: 0.75.",
                charts.precision_charts(drawn, "bones"),
            ),
            (
                "Key points: precision over recall",
                "Solid: OKS 0.50; dashed: 0.75.",
                charts.precision_charts(drawn, "landmarks"),
            ),
            (
                "Lesions: precision over recall",
                "Solid: IoU 0.50; dashed: 0.75.",
                charts.precision_charts(drawn, "lesions"),
            ),
            (
                "Lesions: sensitivity over false finds",
                "A find is right from an overlap of 0.1 in 3D.",
                charts.froc_charts(evaluation["lesions"]),
            ),
            (
                "Angles: agreement with the truth",
                "Solid: bias; dashed: 95 % limits of agreement (Bland and Altman).",
                charts.agreement_charts(drawn, evaluation["angles"]),
            ),
            (
                "Findings",
                "Rows: what the clinical file names. Columns: findings present.",
                [matrix] if matrix else [],
            ),
        ]
    text = page(
        "evaluation.html.j2",
        "en",
        evaluation=evaluation,
        listings=listings(evaluation),
        figures=[f for f in figures if f[2]],
        worst=_worst(evaluation["cases"], Path(os.path.relpath(out, path.parent))),
        left_out=evaluation["left_out"],
        unknown=evaluation.get("unknown_labels", {}),
    )
    write_atomic(path, text.encode("utf-8"))


def _worst(cases: list[Json], out: Path) -> list[dict[str, Any]]:
    """The worst cases by each metric in turn, each case once."""
    orders = []
    for key, _, more, _ in _RANKS:
        known = [case for case in cases if key in case]
        orders.append(sorted(known, key=itemgetter(key), reverse=more))
    chosen: dict[str, Json] = {}
    for place in range(WORST):
        for order in orders:
            if place < len(order):
                chosen.setdefault(order[place]["case_id"], order[place])
    return [_worst_row(case, out) for case in chosen.values()]


def _worst_row(case: Json, out: Path) -> dict[str, Any]:
    report = out / str(case["folder"]) / "report.html"
    numbers = []
    for key, _, _, digits in _RANKS:
        numbers.append(number(case.get(key), digits) if key in case else DASH)
    angles = []
    for key, value in case.items():
        if key.endswith(".landmarks.error_deg"):
            angles.append(f"{key.split('.')[1]} {value:.1f}")
    return {
        "case_id": case["case_id"],
        "link": urllib.parse.quote(report.as_posix()),
        "numbers": numbers,
        "angles": ", ".join(angles),
    }
