"""Places texts in a picture without overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from footcli.web import svg

FONT = 0.032  # text height as a share of the picture
# Offsets tried for a label, as shares of its width (ASIDE) and height (ABOVE)
ASIDE = (0.0, -0.55, 0.55, -1.1, 1.1)
ABOVE = tuple(step / 2 for step in range(-8, 9))


class Labels:
    """Places texts in a picture of (rows, columns); size: its longer side."""

    def __init__(self, shape: tuple[int, int], size: float) -> None:
        self.shape = shape
        self.size = size
        # centre (x, y) and size of the occupied boxes
        self._taken: list[tuple[float, float, float, float]] = []

    def block(self, x: float, y: float, width: float, height: float) -> None:
        """Keep labels off a box with centre (x, y)."""
        self._taken.append((x, y, width, height))

    def put(
        self,
        text: str,
        at: NDArray[np.float64],
        colour: str | None,
        kind: str,
        spans: Sequence[Markup] = (),
    ) -> Markup:
        """Text centred at `at`, or at the nearest free position, inside the picture.

        spans: the text's coloured parts, in a smaller font than text of one colour.
        """
        scale = 0.75 if spans else 1.0
        height = FONT * self.size * scale * 1.15
        width = min(0.55 * height * len(text), float(self.shape[1]))
        x, y = self._free(at, width, height)
        self.block(x, y, width, height)
        return svg.tag(
            "text",
            *(spans or (text,)),
            x=x,
            y=y,
            font_size=None if scale == 1.0 else FONT * self.size * scale,
            fill=colour,
            text_anchor="middle",
            dominant_baseline="central",
            class_=kind,
        )

    def _free(self, at: NDArray[np.float64], width: float, height: float) -> tuple[float, float]:
        """The nearest free position; the first one if none is free."""
        rows, columns = self.shape
        moves = [(dx * width, dy * height) for dx, dy in product(ASIDE, ABOVE)]
        low = (width / 2, height / 2)
        high = (columns - width / 2, rows - height / 2)
        places = []
        for move in sorted(moves, key=lambda move: (math.hypot(*move), *move)):
            x, y = np.clip(at + move, low, high)
            places.append((float(x), float(y)))
        for place in places:
            if not self._is_taken(*place, width, height):
                return place
        return places[0]

    def _is_taken(self, x: float, y: float, width: float, height: float) -> bool:
        for tx, ty, tw, th in self._taken:
            if abs(y - ty) < (height + th) / 2 and abs(x - tx) < (width + tw) / 2:
                return True
        return False
