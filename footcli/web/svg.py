"""SVG elements as safe markup, and the 2D line geometry of pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray
from PIL import Image

from footcli import geometry
from footcli.domain import Source
from footcli.text.clean import clean

JPEG_QUALITY = 80
BAR_WIDE = 200
EXTEND = 0.12  # lines extend beyond their points by this share of their length

Array = NDArray[np.float64]


def tag(name: str, *children: Markup | str, **attributes: str | float | None) -> Markup:
    """One element; text and attribute values are cleaned and escaped.

    `_` in attribute names becomes `-`; attributes of None are left out.
    """
    shown = [
        f'{key.rstrip("_").replace("_", "-")}="{_value(v)}"'
        for key, v in attributes.items()
        if v is not None
    ]
    inside = "".join(str(c) if isinstance(c, Markup) else str(escape(clean(c))) for c in children)
    return Markup(f"<{' '.join([name, *shown])}>{inside}</{name}>")


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return str(escape(clean(value)))
    return f"{value:.1f}".removesuffix(".0")


def jpeg(image: NDArray[np.uint8]) -> str:
    """Grey uint8 (rows, columns) -> data URI."""
    return data_uri(jpeg_file(image))


def jpeg_file(image: NDArray[np.uint8]) -> bytes:
    """Grey uint8 (rows, columns) -> a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def data_uri(file: bytes) -> str:
    """A JPEG file -> data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(file).decode("ascii")


def path(points: Array) -> str:
    """(n, 2) closed outline, last point same as the first -> path data."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points[:-1]) + "Z"


def crossing(p1: Array, p2: Array, p3: Array, p4: Array) -> Array | None:
    """The intersection of lines p1-p2 and p3-p4; None if parallel or a line has no length."""
    d1, d2 = p2 - p1, p4 - p3
    cross = float(d1[0] * d2[1] - d1[1] * d2[0])
    if abs(cross) < 1e-6 * float(np.linalg.norm(d1) * np.linalg.norm(d2)) or cross == 0.0:
        return None
    gap = p3 - p1
    return np.asarray(p1 + (gap[0] * d2[1] - gap[1] * d2[0]) / cross * d1)


def run_on(a: Array, b: Array, through: Array | None) -> tuple[Array, Array]:
    """Both ends of a line, extended by EXTEND, and as far as the crossing `through`."""
    along = b - a
    ends = [-EXTEND, 1.0 + EXTEND]
    length = float(along @ along)
    if through is not None and length > 0:
        ends.append(float((through - a) @ along) / length)
    return a + min(ends) * along, a + max(ends) * along


def towards(origin: Array, target: Array) -> Array:
    """Unit direction from origin to target; (1, 0) if they coincide."""
    away = target - origin
    return geometry.unit(away) if float(np.linalg.norm(away)) > 0 else np.array([1.0, 0.0])


def segment(a: Array, b: Array, **attributes: str | float | None) -> Markup:
    """A <line> from a to b."""
    return tag("line", x1=a[0], y1=a[1], x2=b[0], y2=b[1], **attributes)


def range_bar(
    values: Mapping[Source, float], low: float | None, high: float | None, band: float, words: str
) -> Markup:
    """The normal range as a bar, guard bands about its limits, and a mark for each value.

    Marks are round for landmarks, square for masks. words: text alternative. Empty without a limit
    or a value.
    """
    limits = [limit for limit in (low, high) if limit is not None]
    if not limits or not values:
        return Markup("")
    ends = [*limits, *values.values()]
    margin = max(0.3 * (max(ends) - min(ends)), 2 * band, 1.0)
    start, stop = min(ends) - margin, max(ends) + margin

    def at(value: float) -> float:
        return BAR_WIDE * (value - start) / (stop - start)

    def zone(a: float, b: float, class_: str) -> Markup:
        return tag(
            "rect",
            x=at(max(a, start)),
            y=6,
            width=at(min(b, stop)) - at(max(a, start)),
            height=8,
            class_=class_,
        )

    parts = [
        zone(start, stop, "track"),
        zone(start if low is None else low, stop if high is None else high, "normal"),
    ]
    parts += [zone(limit - band, limit + band, "guard") for limit in limits if band > 0]
    for source, value in values.items():
        if source == "masks":
            parts.append(tag("rect", x=at(value) - 4, y=6, width=8, height=8, class_=source))
        else:
            parts.append(tag("circle", cx=at(value), cy=10, r=5, class_=source))
    return tag(
        "svg", *parts, viewBox=f"0 0 {BAR_WIDE} 20", class_="rangebar", role="img", aria_label=words
    )
