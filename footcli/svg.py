"""SVG elements as safe markup, and the 2D line geometry of pictures."""

from __future__ import annotations

import base64
import io

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray
from PIL import Image

from footcli import geometry, messages

JPEG_QUALITY = 80
EXTEND = 0.12  # lines run on beyond their points by this share of their length

Array = NDArray[np.float64]


def tag(name: str, *children: Markup | str, **attributes: str | float | None) -> Markup:
    """One element; text and attribute values are cleaned and escaped, `_` in attribute names becomes `-`, None is left out."""
    shown = [f'{key.rstrip("_").replace("_", "-")}="{_value(v)}"' for key, v in attributes.items() if v is not None]
    inside = "".join(str(c) if isinstance(c, Markup) else str(escape(messages.clean(c))) for c in children)
    return Markup(f"<{' '.join([name, *shown])}>{inside}</{name}>")


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return str(escape(messages.clean(value)))
    return f"{value:.1f}".removesuffix(".0")


def jpeg(image: NDArray[np.uint8]) -> str:
    """Grey uint8 (rows, columns) -> data URI."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def path(points: Array) -> str:
    """(n, 2) closed outline, last point same as the first -> path data."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points[:-1]) + "Z"


def crossing(p1: Array, p2: Array, p3: Array, p4: Array) -> Array | None:
    """Where two lines meet; None where they are parallel or a line has no length."""
    d1, d2 = p2 - p1, p4 - p3
    cross = float(d1[0] * d2[1] - d1[1] * d2[0])
    if abs(cross) < 1e-6 * float(np.linalg.norm(d1) * np.linalg.norm(d2)) or cross == 0.0:
        return None
    gap = p3 - p1
    return np.asarray(p1 + (gap[0] * d2[1] - gap[1] * d2[0]) / cross * d1)


def run_on(a: Array, b: Array, through: Array | None) -> tuple[Array, Array]:
    """Both ends of a line moved outward a little, and as far as the crossing."""
    along = b - a
    ends = [-EXTEND, 1.0 + EXTEND]
    length = float(along @ along)
    if through is not None and length > 0:
        ends.append(float((through - a) @ along) / length)
    return a + min(ends) * along, a + max(ends) * along


def towards(origin: Array, target: Array) -> Array:
    """Unit direction between two points; any direction where they are one."""
    away = target - origin
    return geometry.unit(away) if float(np.linalg.norm(away)) > 0 else np.array([1.0, 0.0])


def segment(a: Array, b: Array, **attributes: str | float | None) -> Markup:
    """A <line> from a to b."""
    return tag("line", x1=a[0], y1=a[1], x2=b[0], y2=b[1], **attributes)
