"""Faults of one outline or box, in pixels: what lies outside the image, edges that cross, shapes of
no area.
"""

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

Beyond the far edge nothing more is allowed: box edges run up to the size itself.
"""
MOST_POINTS = 10_000
"""A longer outline is not searched for crossings: the time grows with the square of its points.
Real ones have tens to hundreds.
"""
_BLOCK = 2**20  # edge-and-point pairs held at once
# of the outline's extent squared: a point this near to an edge's line lies on it, as far as
# rounding can tell
_TOUCH = 1e-12


def outside(polygons: Sequence[Polygon], size: Size) -> int:
    """How many of the polygons, each (n, 2) with n > 0, have a point outside the image."""
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

    Edges that only touch do not count.

    Two edges cross if the ends of each lie on different sides of the other. At most MOST_POINTS
    points are expected.
    """
    if len(polygon) < 4:
        return False
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # coordinates near the largest number there is cross nothing
        return _crosses(polygon - polygon[0])


def _crosses(points: Polygon) -> bool:
    """The same for four points and more, the first of them 0, 0."""
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
    """(edges, ends - 1).

    Whether an edge's line has the two ends of the other on different sides.
    """
    value = edges @ ends
    side = (value > near).view(np.int8) - (value < -near).view(np.int8)
    return np.asarray(side[:, :-1] * side[:, 1:] < 0)
