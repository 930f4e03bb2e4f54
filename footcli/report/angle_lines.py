"""How an angle is drawn: its plane, its colour, the arc, the names of its points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from footcli import geometry
from footcli.domain import Landmark, Measurement, Plane
from footcli.kinds import ANGLE
from footcli.web import svg

OTHER_COLOUR = "#ffffff"
Array = NDArray[np.float64]


def angle_colour(name: str) -> str:
    """The colour of an angle's lines."""
    kind = ANGLE.get(name)
    return OTHER_COLOUR if kind is None else kind.colour


def plane_of(m: Measurement) -> Plane | None:
    """The plane that shows a measurement: its kind's; the result's for an unknown kind."""
    kind = ANGLE.get(m.name)
    return m.plane if kind is None else kind.plane


def angle_shown(
    crossing: Array, middle1: Array, middle2: Array, angle_deg: float
) -> tuple[Array, Array]:
    """Unit directions of the sector's two arms: of two lines' two sectors the one nearer the value.

    crossing, middle1, middle2: (2,), picture units.
    """
    first, second = svg.towards(crossing, middle1), svg.towards(crossing, middle2)
    opening = abs(geometry.signed_angle_deg(first, second))
    return (
        (first, -second)
        if abs(180.0 - opening - angle_deg) < abs(opening - angle_deg)
        else (first, second)
    )


def angle_of(mark: Landmark) -> str:
    """The name of a landmark's angle."""
    return mark.name.split("_")[0]


def mark_colour(mark: Landmark) -> str:
    """The colour of a landmark: its angle's."""
    return angle_colour(angle_of(mark))


def short_name(landmark: str) -> str:
    """CPA_Line2_Pt1 -> CPA P3: the points of both lines are numbered 1 to 4."""
    parts = landmark.split("_")
    if len(parts) != 3 or not (parts[1][-1:].isdigit() and parts[2][-1:].isdigit()):
        return landmark
    return f"{parts[0]} P{2 * (int(parts[1][-1]) - 1) + int(parts[2][-1])}"
