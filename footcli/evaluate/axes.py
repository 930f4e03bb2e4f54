"""A frame with ticks in which the evaluation's curves are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from markupsafe import Markup

from footcli.web import svg

W, H, LEFT, TOP, RIGHT, BOTTOM = 240.0, 200.0, 38.0, 24.0, 8.0, 32.0
XMLNS = "http://www.w3.org/2000/svg"


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
        """Position of a value in user units, clipped to the frame."""
        u = (min(max(x, self.x[0]), self.x[1]) - self.x[0]) / (self.x[1] - self.x[0])
        v = (min(max(y, self.y[0]), self.y[1]) - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + u * (self.width - LEFT - RIGHT), H - BOTTOM - v * (H - TOP - BOTTOM)

    def line(
        self, points: Sequence[tuple[float, float]], kind: str, label: str | None = None
    ) -> None:
        """A polyline of CSS class `kind`."""
        places = [self.px(*point) for point in points]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        title = [svg.tag("title", label)] if label else []
        self.inside.append(svg.tag("polyline", *title, points=path, class_=f"curve {kind}"))

    def dot(self, x: float, y: float, label: str) -> None:
        """A point with a tooltip."""
        a, b = self.px(x, y)
        self.inside.append(
            svg.tag("circle", svg.tag("title", label), cx=a, cy=b, r=2.6, class_="mark")
        )

    def word(self, x: float, y: float, text: str) -> None:
        """Text that ends just above a value."""
        a, b = self.px(x, y)
        self.inside.append(svg.tag("text", text, x=a, y=b - 3, text_anchor="end"))

    def svg(self, note: str) -> Markup:
        """The whole picture; `note` describes it for screen readers."""
        return svg.tag(
            "svg",
            svg.tag("title", f"{self.title}. {note}"),
            svg.tag("text", self.title, x=LEFT, y=15, class_="head"),
            *self._frame(),
            *self.inside,
            viewBox=f"0 0 {self.width:g} {H:g}",
            class_="chart",
            role="img",
            xmlns=XMLNS,
        )

    def _frame(self) -> list[Markup]:
        """The frame with its ticks and the titles of both axes."""
        inner = self.width - LEFT - RIGHT
        box = {"x": LEFT, "y": TOP, "width": inner, "height": H - TOP - BOTTOM}
        parts = [svg.tag("rect", **box, class_="frame")]
        for value in _ticks(*self.x):
            a, b = self.px(value, self.y[0])
            parts.append(svg.tag("text", f"{value:g}", x=a, y=b + 12, text_anchor="middle"))
        for value in _ticks(*self.y):
            a, b = self.px(self.x[0], value)
            parts.append(svg.tag("text", f"{value:g}", x=a - 4, y=b + 3.5, text_anchor="end"))
        below, beside = self.words
        parts.append(svg.tag("text", below, x=LEFT + inner / 2, y=H - 4, text_anchor="middle"))
        middle = (TOP + H - BOTTOM) / 2
        turn = f"rotate(-90 10 {middle:.0f})"
        parts.append(svg.tag("text", beside, x=10, y=middle, text_anchor="middle", transform=turn))
        return parts


def _ticks(low: float, high: float) -> list[float]:
    """Round values that divide a range into about four parts."""
    raw = (high - low) / 4
    step = 10.0 ** np.floor(np.log10(raw))
    step *= next(f for f in (1, 2, 5, 10) if f * step >= raw * 0.99)
    first = ceil(low / step - 1e-9)
    values = [(first + i) * step for i in range(12)]
    return [round(value, 6) + 0.0 for value in values if value <= high + 1e-9]
