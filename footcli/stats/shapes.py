"""Faults of one outline or box, in pixels: points outside the image, crossing edges, no area."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from footcli.dataset.outlines import Polygon
from footcli.domain import Box

Size = tuple[float, float]
"""(columns, rows) of the image; inf where unknown."""

EDGE_PX = 0.5
"""Pixel 0 begins half a pixel before its centre.

There is no margin beyond the far edge: box edges may reach the size itself.
"""
MOST_POINTS = 10_000
"""Longer outlines are not searched for crossings: the time grows with the square of the points.
Real ones have tens to hundreds.
"""
_BLOCK = 2**20  # edge-and-point pairs held at once
# share of the outline's extent squared: a point this near to an edge's line lies on it, within
# rounding
_TOUCH = 1e-12


def outside(polygons: Sequence[Polygon], size: Size) -> int:
    """Number of polygons, each (n, 2) with n > 0, that have a point outside the image."""
    return (
        sum(_beyond(polygon, size) for polygon in polygons)
        if polygons and _beyond(np.concatenate(polygons), size)
        else 0
    )


def _beyond(points: Polygon, size: Size) -> bool:
    return bool(points.min() < -EDGE_PX or (points.max(axis=0) > size).any())


def box_outside(box: Box, size: Size) -> bool:
    """True if a corner of the box lies outside the image."""
    return min(box[:2]) < -EDGE_PX or box[2] > size[0] or box[3] > size[1]


def box_without_area(box: Box) -> bool:
    """True if the box has no width or no height."""
    return box[2] <= box[0] or box[3] <= box[1]


def crosses_itself(polygon: Polygon) -> bool:
    """True if two edges of the closed outline, (n, 2), cross at a point inside both.

    Touching edges do not count. Two edges cross if each has the ends of the other on different
    sides. Expects at most MOST_POINTS points.
    """
    if len(polygon) < 4:
        return False
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # coordinates near the float limit cross nothing
        return _crosses(polygon - polygon[0])


def _crosses(points: Polygon) -> bool:
    """As crosses_itself, for four points or more, the first at (0, 0)."""
    dx, dy = (np.concatenate((points[1:], points[:1])) - points).T
    # edge i: (a, b, c) with a x + b y + c > 0 on its left; neighbours share a point, which lies on
    # neither side
    edges = np.array((-dy, dx, dy * points[:, 0] - dx * points[:, 1])).T
    closed = np.empty((3, len(points) + 1))
    closed[:2, :-1], closed[:2, -1], closed[2] = points.T, points[0], 1.0
    extent = float(np.abs(points).max())
    near = _TOUCH * extent * extent  # never ** 2, which raises where this gives inf
    if len(points) ** 2 <= _BLOCK:
        parted = _parts(edges, closed, near)
        return bool((parted & parted.T).any())
    step = _BLOCK // len(points)
    return any(
        bool(
            (
                _parts(edges[i : i + step], closed, near)
                & _parts(edges, closed[:, i : i + step + 1], near).T
            ).any()
        )
        for i in range(0, len(points), step)
    )


def _parts(edges: NDArray[np.float64], ends: NDArray[np.float64], near: float) -> NDArray[np.bool_]:
    """(edges, ends - 1) bool: whether an edge's line has the two ends of another on different
    sides.
    """
    value = edges @ ends
    side = (value > near).view(np.int8) - (value < -near).view(np.int8)
    return np.asarray(side[:, :-1] * side[:, 1:] < 0)
