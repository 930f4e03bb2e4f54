"""Convert masks of a slice to outlines in pixels and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.measure import find_contours

Polygon = NDArray[np.float64]
"""(n, 2) pixel centres, X the column and Y the row; the last point connects to the first."""

FEWEST_POINTS = 3
"""An outline of fewer points has no area."""
BEYOND_PX = 1.0
"""Rounding may move an outline this far out of the image."""
THIN_PX = 0.25
"""Half the width of an outline around a row of pixels."""
_FARTHEST = 1e6  # coordinates are clipped to this many pixels
# An interpolated contour at this height of a 0/1 mask runs through the centres of its outermost
# pixels.
_CONTOUR_LEVEL = 0.999


def is_beyond(points: Polygon, size: tuple[int, int]) -> bool:
    """Whether points (n, 2), n > 0, reach more than BEYOND_PX out of an image.

    size: (rows, columns). A coordinate equal to the size is inside, as box edges may have it.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    return bool((low < -BEYOND_PX).any() or high[0] > size[1] or high[1] > size[0])


def has_area(polygon: Polygon) -> bool:
    """Whether an outline has at least three different points."""
    return len(polygon) >= FEWEST_POINTS and (
        len(polygon) > 2 * FEWEST_POINTS or len(np.unique(polygon, axis=0)) >= FEWEST_POINTS
    )


def with_area(polygon: Polygon) -> Polygon:
    """The polygon; if it has one or two points, four points THIN_PX around them.

    The four points round to the same pixels.
    """
    if len(polygon) >= FEWEST_POINTS:
        return polygon
    first, last = polygon[0], polygon[-1]
    along = np.sign(last - first) if (last != first).any() else np.array([1.0, 0.0])
    across, ahead = (
        THIN_PX * np.array([-along[1], along[0]]),
        THIN_PX * along if (last == first).all() else 0.0,
    )
    return np.array(
        [
            first + across - ahead,
            last + across + ahead,
            last - across + ahead,
            first - across - ahead,
        ]
    )


def polygons_of_mask(mask: NDArray[Any]) -> list[Polygon]:
    """Outer contours, corners only, of a mask (rows, columns), through its outermost pixel centres.

    Holes are left out. `mask_of_polygons` restores a mask that has no holes.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return []
    top, left = int(rows[0]), int(columns[0])
    part = np.pad(mask[top : rows[-1] + 1, left : columns[-1] + 1].astype(bool), 1).astype(
        np.float64
    )
    found = []
    for contour in find_contours(
        part, _CONTOUR_LEVEL, fully_connected="high", positive_orientation="high"
    ):
        x, y = contour[:-1, 1], contour[:-1, 0]
        # Contours of pieces and of holes wind in opposite directions.
        if x @ np.roll(y, -1) - y @ np.roll(x, -1) < 0:
            found.append(_corners(np.rint(contour[:-1, ::-1])) + np.array([left - 1, top - 1]))
    return found


def mask_of_polygons(polygons: Sequence[Polygon], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(rows, columns) mask of filled polygons, outlines included, clipped to the image.

    shape: (rows, columns).
    """
    image = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(image)
    for polygon in polygons:
        # round to the nearest pixel centre: Pillow itself would round down
        points = [
            (int(x), int(y)) for x, y in np.floor(np.clip(polygon, -_FARTHEST, _FARTHEST) + 0.5)
        ]
        if len(points) > 2:
            draw.polygon(points, fill=1, outline=1)
        elif len(points) == 2:
            draw.line(points, fill=1)
        elif points:
            draw.point(points, fill=1)
    return np.asarray(image, np.bool_)


def _corners(points: Polygon) -> Polygon:
    """Drop repeated points and points in the middle of a straight run."""
    different = points[np.any(points != np.roll(points, 1, axis=0), axis=1)]
    points = different if len(different) else points[:1]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    kept = points[
        np.any(np.sign(before) != np.sign(after), axis=1) | (np.abs(before).max(axis=1) > 1)
    ]
    return kept if len(kept) else points[:1]


def plain_number(value: float) -> int | float:
    """A number as the data set writes it: whole without a decimal point, else 4 decimals."""
    return int(value) if float(value).is_integer() else round(float(value), 4)
