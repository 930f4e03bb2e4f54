"""The evaluation's pictures as inline SVG: precision over recall, FROC, differences over means, who
is taken for whom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from markupsafe import Markup

from footcli.kinds import FINDINGS
from footcli.web import svg

Json = Mapping[str, Any]
W, H, LEFT, TOP, RIGHT, BOTTOM = 240.0, 200.0, 38.0, 24.0, 8.0, 32.0
_TITLES = {t.name: t.en for t in FINDINGS}


class Axes:
    """A frame with ticks: data (x0..x1, y0..y1) -> user units, y upwards."""

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        title: str,
        words: tuple[str, str],
        width: float = W,
    ) -> None:
        self.x, self.y, self.title, self.words, self.width = x, y, title, words, width
        self.inside: list[Markup] = []

    def px(self, x: float, y: float) -> tuple[float, float]:
        """Where a value stands, clipped to the frame."""
        u = (min(max(x, self.x[0]), self.x[1]) - self.x[0]) / (self.x[1] - self.x[0])
        v = (min(max(y, self.y[0]), self.y[1]) - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + u * (self.width - LEFT - RIGHT), H - BOTTOM - v * (H - TOP - BOTTOM)

    def line(
        self, points: Sequence[tuple[float, float]], kind: str, label: str | None = None
    ) -> None:
        """A polyline of CSS class `kind`."""
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in (self.px(*p) for p in points))
        self.inside.append(
            svg.tag(
                "polyline",
                *([svg.tag("title", label)] if label else []),
                points=path,
                class_=f"curve {kind}",
            )
        )

    def dot(self, x: float, y: float, label: str) -> None:
        """A point with a tooltip."""
        a, b = self.px(x, y)
        self.inside.append(
            svg.tag("circle", svg.tag("title", label), cx=a, cy=b, r=2.6, class_="mark")
        )

    def word(self, x: float, y: float, text: str) -> None:
        """Text at a value, at the right edge."""
        a, b = self.px(x, y)
        self.inside.append(svg.tag("text", text, x=a, y=b - 3, text_anchor="end"))

    def svg(self, note: str) -> Markup:
        """The whole picture; `note` says for those who cannot see it what it shows."""
        frame = [
            svg.tag(
                "rect",
                x=LEFT,
                y=TOP,
                width=self.width - LEFT - RIGHT,
                height=H - TOP - BOTTOM,
                class_="frame",
            )
        ]
        for value in _ticks(*self.x):
            a, b = self.px(value, self.y[0])
            frame.append(svg.tag("text", f"{value:g}", x=a, y=b + 12, text_anchor="middle"))
        for value in _ticks(*self.y):
            a, b = self.px(self.x[0], value)
            frame.append(svg.tag("text", f"{value:g}", x=a - 4, y=b + 3.5, text_anchor="end"))
        frame.append(
            svg.tag(
                "text",
                self.words[0],
                x=(LEFT + self.width - RIGHT) / 2,
                y=H - 4,
                text_anchor="middle",
            )
        )
        middle = (TOP + H - BOTTOM) / 2
        frame.append(
            svg.tag(
                "text",
                self.words[1],
                x=10,
                y=middle,
                text_anchor="middle",
                transform=f"rotate(-90 10 {middle:.0f})",
            )
        )
        head = svg.tag("text", self.title, x=LEFT, y=15, class_="head")
        return svg.tag(
            "svg",
            svg.tag("title", f"{self.title}. {note}"),
            head,
            *frame,
            *self.inside,
            viewBox=f"0 0 {self.width:g} {H:g}",
            class_="chart",
            role="img",
            xmlns="http://www.w3.org/2000/svg",
        )


def _ticks(low: float, high: float) -> list[float]:
    """Round values that cut a range into about four."""
    raw = (high - low) / 4
    step = 10.0 ** np.floor(np.log10(raw))
    step *= next(f for f in (1, 2, 5, 10) if f * step >= raw * 0.99)
    first = ceil(low / step - 1e-9)
    return [
        round((first + i) * step, 6) + 0.0 for i in range(12) if (first + i) * step <= high + 1e-9
    ]


def precision_charts(curves: Json, task: str) -> list[Markup]:
    """One small picture a class: precision over recall at 0.50 and 0.75."""
    out = []
    for name, lines in curves["precision"].get(task, {}).items():
        axes = Axes((0, 1), (0, 1.02), name, ("recall", "precision"))
        for at, values in lines.items():
            axes.line(
                list(zip(curves["precision"]["recall"], values, strict=True)),
                "a" if at == "0.50" else "b",
                f"at {at}",
            )
        out.append(
            axes.svg(
                "; ".join(f"mean precision at {at}: {np.mean(v):.2f}" for at, v in lines.items())
            )
        )
    return out


def froc_charts(lesions: Json) -> list[Markup]:
    """Sensitivity over false finds a case, each class that has lesions, and all."""
    out = []
    for name, found in (
        ("all lesions", lesions["froc"]),
        *((n, r["froc"]) for n, r in lesions["per_class"].items()),
    ):
        if found is None:
            continue
        most = max(1.0, ceil(max(f for f, _ in found["curve"])))
        axes = Axes((0, most), (0, 1.02), name, ("false finds a foot", "sensitivity"))
        steps = [(f, s) for (f, s) in found["curve"]]
        axes.line([*steps, (most, steps[-1][1])], "a")
        out.append(axes.svg(f"mean sensitivity over the FROC rates {found['score']:.2f}"))
    return out


def agreement_charts(curves: Json, angles: Json) -> list[Markup]:
    """Bland and Altman: difference over mean of found and true angle, with bias and limits; one
    picture an angle and source.
    """
    out = []
    for name, sources in curves["agreement"].items():
        for source, pairs in sources.items():
            if not pairs:
                continue
            real, seen = (np.array([p[i] for p in pairs], float) for i in (1, 2))
            gap, middle = seen - real, (seen + real) / 2
            found = angles[name]["by_source"][source]
            limits = found["limits_deg"]
            reach = max(2.0, float(np.abs(gap).max()) * 1.1, *(abs(v) * 1.1 for v in limits or ()))
            pad = max(1.0, 0.05 * float(np.ptp(middle)))
            axes = Axes(
                (float(middle.min()) - pad, float(middle.max()) + pad),
                (-reach, reach),
                f"{name}, {source}",
                ("mean of both, deg", "found less true, deg"),
                width=300,
            )
            axes.line([(axes.x[0], 0.0), (axes.x[1], 0.0)], "zero")
            axes.line([(axes.x[0], found["bias_deg"]), (axes.x[1], found["bias_deg"])], "a", "bias")
            for value in limits or ():
                axes.line([(axes.x[0], value), (axes.x[1], value)], "b", "limit of agreement")
                axes.word(axes.x[1], value, f"{value:+.1f}")
            for (case, a, b), x, y in zip(pairs, middle.tolist(), gap.tolist(), strict=True):
                axes.dot(x, y, f"{case}: true {a:.1f}, found {b:.1f}")
            out.append(axes.svg(f"bias {found['bias_deg']:.2f} deg, {found['n']} cases"))
    return out


def matrix_chart(findings: Json) -> Markup | None:
    """Rows: what the clinical file names; columns: findings PRESENT; darker with the share of the
    row.
    """
    rows = {name: row for name, row in findings["matrix"].items() if row["n_cases"]}
    if not rows:
        return None
    names, cell, left, top = list(findings["matrix"]), 44.0, 230.0, 160.0
    parts = []
    for j, name in enumerate(names):
        x = left + (j + 0.5) * cell
        parts.append(
            svg.tag(
                "text",
                _TITLES[name],
                x=x,
                y=top - 6,
                transform=f"rotate(-40 {x:.0f} {top - 6:.0f})",
            )
        )
    for i, (name, row) in enumerate(rows.items()):
        y = top + i * cell
        parts.append(
            svg.tag(
                "text",
                f"{_TITLES[name]} ({row['n_cases']})",
                x=left - 6,
                y=y + cell / 2 + 4,
                text_anchor="end",
            )
        )
        for j, column in enumerate(names):
            share, x = row[column] / row["n_cases"], left + j * cell
            title = svg.tag(
                "title",
                f"{_TITLES[name]}, found {_TITLES[column]}: {row[column]} of {row['n_cases']}",
            )
            shade = f"{0.04 + 0.36 * share:.2f}"
            parts.append(
                svg.tag(
                    "rect",
                    title,
                    x=x,
                    y=y,
                    width=cell,
                    height=cell,
                    class_="cell",
                    fill_opacity=shade,
                )
            )
            parts.append(
                svg.tag(
                    "text",
                    str(row[column]),
                    x=x + cell / 2,
                    y=y + cell / 2 + 4,
                    text_anchor="middle",
                    class_="own" if name == column else None,
                )
            )
    width, height = left + len(names) * cell + 120, top + len(rows) * cell + 8
    return svg.tag(
        "svg",
        svg.tag(
            "title",
            "Findings against clinical files; rows are what the file names, columns what was found "
            "present",
        ),
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        class_="chart wide",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )
