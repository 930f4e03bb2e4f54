"""The evaluation's charts as inline SVG: precision over recall, FROC, Bland-Altman, confusion
matrix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from markupsafe import Markup

from footcli.evaluate.axes import XMLNS, Axes
from footcli.kinds import FINDINGS
from footcli.web import svg

Json = Mapping[str, Any]
MATRIX_LEFT, MATRIX_TOP, CELL = 230.0, 160.0, 44.0  # room for titles, and a cell's edge
_TITLES = {rule.name: rule.en for rule in FINDINGS}


def precision_charts(curves: Json, task: str) -> list[Markup]:
    """One small chart per class: precision over recall at 0.50 and 0.75."""
    out = []
    recall = curves["precision"]["recall"]
    for name, lines in curves["precision"].get(task, {}).items():
        axes = Axes((0, 1), (0, 1.02), name, ("recall", "precision"))
        notes = []
        for at, values in lines.items():
            points = list(zip(recall, values, strict=True))
            axes.line(points, "a" if at == "0.50" else "b", f"at {at}")
            notes.append(f"mean precision at {at}: {np.mean(values):.2f}")
        out.append(axes.svg("; ".join(notes)))
    return out


def froc_charts(lesions: Json) -> list[Markup]:
    """Sensitivity over false positives per foot, for all lesions and each class that has any."""
    every = {"all lesions": lesions["froc"]}
    every |= {name: own["froc"] for name, own in lesions["per_class"].items()}
    out = []
    for name, found in every.items():
        if found is None:
            continue
        steps = [(false, share) for false, share in found["curve"]]
        most = max(1.0, ceil(max(false for false, _ in steps)))
        axes = Axes((0, most), (0, 1.02), name, ("false finds a foot", "sensitivity"))
        axes.line([*steps, (most, steps[-1][1])], "a")
        out.append(axes.svg(f"mean sensitivity over the FROC rates {found['score']:.2f}"))
    return out


def agreement_charts(curves: Json, angles: Json) -> list[Markup]:
    """Bland-Altman: difference over mean of found and true angle, with bias and limits.

    One chart per angle and source.
    """
    out = []
    for name, sources in curves["agreement"].items():
        for source, pairs in sources.items():
            if pairs:
                found = angles[name]["by_source"][source]
                out.append(_agreement_chart(f"{name}, {source}", pairs, found))
    return out


def _agreement_chart(title: str, pairs: Sequence[Sequence[Any]], found: Json) -> Markup:
    """pairs: (case id, true, found) degrees of each case."""
    real = np.array([true for _, true, _ in pairs], float)
    seen = np.array([measured for _, _, measured in pairs], float)
    gap, middle = seen - real, (seen + real) / 2
    limits = found["limits_deg"] or ()
    reach = max(2.0, 1.1 * float(np.abs(gap).max()), *(1.1 * abs(v) for v in limits))
    pad = max(1.0, 0.05 * float(np.ptp(middle)))
    start, stop = float(middle.min()) - pad, float(middle.max()) + pad
    words = ("mean of both, deg", "found less true, deg")
    axes = Axes((start, stop), (-reach, reach), title, words, width=300)
    axes.line([(start, 0.0), (stop, 0.0)], "zero")
    axes.line([(start, found["bias_deg"]), (stop, found["bias_deg"])], "a", "bias")
    for value in limits:
        axes.line([(start, value), (stop, value)], "b", "limit of agreement")
        axes.word(stop, value, f"{value:+.1f}")
    for (case, a, b), x, y in zip(pairs, middle.tolist(), gap.tolist(), strict=True):
        axes.dot(x, y, f"{case}: true {a:.1f}, found {b:.1f}")
    return axes.svg(f"bias {found['bias_deg']:.2f} deg, {found['n']} cases")


def matrix_chart(findings: Json) -> Markup | None:
    """Rows: diseases that the clinical files name; columns: findings PRESENT.

    The shade is the share of the row. None where no clinical file names a disease.
    """
    rows = {name: row for name, row in findings["matrix"].items() if row["n_cases"]}
    if not rows:
        return None
    columns = list(findings["matrix"])
    parts = []
    for j, name in enumerate(columns):
        x, y = MATRIX_LEFT + (j + 0.5) * CELL, MATRIX_TOP - 6
        turn = f"rotate(-40 {x:.0f} {y:.0f})"
        parts.append(svg.tag("text", _TITLES[name], x=x, y=y, transform=turn))
    for i, (name, row) in enumerate(rows.items()):
        parts += _matrix_row(name, row, columns, MATRIX_TOP + i * CELL)
    width, height = MATRIX_LEFT + len(columns) * CELL + 120, MATRIX_TOP + len(rows) * CELL + 8
    title = "Findings against clinical files: in rows what a file names, in columns what was found"
    return svg.tag(
        "svg",
        svg.tag("title", title),
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        class_="chart wide",
        role="img",
        xmlns=XMLNS,
    )


def _matrix_row(name: str, row: Json, columns: Sequence[str], y: float) -> list[Markup]:
    """A row's title, cells and numbers."""
    base = y + CELL / 2 + 4
    title = f"{_TITLES[name]} ({row['n_cases']})"
    parts = [svg.tag("text", title, x=MATRIX_LEFT - 6, y=base, text_anchor="end")]
    for j, column in enumerate(columns):
        x = MATRIX_LEFT + j * CELL
        count = row[column]
        hint = f"{_TITLES[name]}, found {_TITLES[column]}: {count} of {row['n_cases']}"
        shade = f"{0.04 + 0.36 * count / row['n_cases']:.2f}"
        box = {"x": x, "y": y, "width": CELL, "height": CELL}
        parts.append(
            svg.tag("rect", svg.tag("title", hint), **box, class_="cell", fill_opacity=shade)
        )
        own = "own" if name == column else None
        middle = x + CELL / 2
        parts.append(
            svg.tag("text", str(count), x=middle, y=base, text_anchor="middle", class_=own)
        )
    return parts
