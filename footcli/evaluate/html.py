"""evaluation.html: the tables, the curves and the worst cases, in one file."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from footcli.evaluate import charts
from footcli.evaluate.listing import DASH, listings, number
from footcli.system.files import write_atomic
from footcli.web.page import page

Json = Mapping[str, Any]
WORST = 20
# What a case is ranked by, and whether more is worse
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
    """The worst cases by each rank in turn, each case once."""
    chosen: dict[str, Json] = {}
    orders = [
        sorted((c for c in cases if key in c), key=lambda c: c[key], reverse=more)
        for key, _, more, _ in _RANKS
    ]
    for place in range(WORST):
        for order in orders:
            if place < len(order):
                chosen.setdefault(order[place]["case_id"], order[place])
    return [
        {
            "case_id": case["case_id"],
            "link": urllib.parse.quote((out / str(case["folder"]) / "report.html").as_posix()),
            "numbers": [
                number(case.get(key), digits) if key in case else DASH
                for key, _, _, digits in _RANKS
            ],
            "angles": ", ".join(
                f"{k.split('.')[1]} {v:.1f}"
                for k, v in case.items()
                if k.endswith(".landmarks.error_deg")
            )
            or DASH,
        }
        for case in list(chosen.values())[:WORST]
    ]
