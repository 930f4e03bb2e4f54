"""Table of the angles: the rule that turns an angle's four foot-frame points into its value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from footcli.geometry import Array, line_angle_deg, signed_angle_deg, unit
from footcli.kinds import ANGLES, Term, landmark_names

# Position of each joint space width, as a fraction from the dome's medial to its lateral edge
PLACES = {
    "JSW_M": 0.15,
    "JSW_C": 0.5,
    "JSW_L": 0.85,
}
# Upper point of the tibial axis: this height above the plafond, if the scan shows so much tibia
SHAFT_TOP_MM = 70.0
# In a shorter scan, this far below the upper end of the tibia, which may be cut at a slant
SHAFT_RIM_MM = 5.0
Rule = Callable[[Array, Array], float]
LATERAL = (1, 2)  # foot frame axes of the lateral view: forward, up
CORONAL = (0, 2)  # of the hindfoot view: medial, up
AXIAL = (0, 1)  # from above: medial, forward


def _rise(line1: Array, line2: Array) -> float:
    """How much steeper line 1 rises towards the front than line 2, deg; plus is up.

    The lines have no direction: -90..90.
    """
    turn = signed_angle_deg(line2, line1)
    return turn - 180.0 * round(turn / 180.0)


def _fall(line1: Array, line2: Array) -> float:
    """How much steeper line 1 falls towards the front than line 2, deg."""
    return signed_angle_deg(line1, line2)


def _heel_lateral(shaft: Array, heel: Array) -> float:
    """Angle from the shaft line to the heel line, both pointing down, deg; plus is lateral."""
    return -signed_angle_deg(shaft, heel)


def _medial_angle(shaft: Array, dome: Array) -> float:
    """Medial angle between the tibial shaft and the dome, deg.

    Below 90 the dome's medial edge is the higher one.
    """
    return float(np.degrees(np.arccos(np.clip(unit(-shaft) @ unit(-dome), -1, 1))))


def _opens_laterally(roof: Array, dome: Array) -> float:
    """Angle from the plafond to the dome, both medial -> lateral, deg.

    Plus: the joint is wider laterally.
    """
    return signed_angle_deg(roof, dome)


def _more_medial(line1: Array, line2: Array) -> float:
    """How much further medially line 1 points than line 2, both pointing forward, deg."""
    return signed_angle_deg(line1, line2)


def _offset_percent(length: Array, back_to_line: Array) -> float:
    """Distance of a point medial of the heel-forefoot line, in percent of the line's length.

    Line 2 runs from the point to that line.
    """
    return float(
        100 * (length[0] * back_to_line[1] - length[1] * back_to_line[0]) / (length @ length)
    )


def _length(across: Array, _: Array) -> float:
    """mm from P1 to P2."""
    return float(np.linalg.norm(across))


def square_to(medial: Array, lateral: Array) -> Array:
    """(3,) upward unit vector in the coronal view, perpendicular to the line between the dome's
    medial and lateral edges, (3,) each; foot frame.
    """
    along = lateral - medial
    return unit(np.array([-along[2], 0.0, along[0]]) * np.sign(along[0] or 1.0))


@dataclass(frozen=True, slots=True)
class AngleRule:
    """How one angle is computed.

    view: the two foot frame axes of the projection. rule: (2,) vectors P1->P2 and P3->P4, mm ->
    degrees, percent or mm (the unit of its AngleKind).
    """

    view: tuple[int, int]
    rule: Rule


RULES: dict[str, AngleRule] = {
    "CPA": AngleRule(LATERAL, _rise),
    "TMA": AngleRule(LATERAL, _fall),
    "TCA": AngleRule(LATERAL, line_angle_deg),
    "HAA": AngleRule(CORONAL, _heel_lateral),
    "MTASA": AngleRule(CORONAL, _medial_angle),
    "MTASA_B": AngleRule(CORONAL, _medial_angle),
    "TT": AngleRule(CORONAL, _opens_laterally),
    "TCA_AP": AngleRule(AXIAL, line_angle_deg),
    "HVA": AngleRule(AXIAL, _more_medial),
    "IMA": AngleRule(AXIAL, _more_medial),
    "FAO": AngleRule(AXIAL, _offset_percent),
    **dict.fromkeys(PLACES, AngleRule(CORONAL, _length)),
}


def angle_deg(name: str, points: Array) -> float:
    """Value of an angle, in its unit, from its points P1..P4: (4, 3), foot frame mm.

    Raises ValueError if the two points of a line coincide in the view.
    """
    rule = RULES[name]
    flat = np.asarray(points, dtype=np.float64)[:, list(rule.view)]
    return rule.rule(flat[1] - flat[0], flat[3] - flat[2])


def true_angles(points: Mapping[str, Array], terms: Iterable[Term] = ANGLES) -> dict[str, float]:
    """All angles of `terms`, in their units, from named points, (3,) foot frame mm each.

    For subjects whose points are all known. Raises KeyError for a missing point.
    """
    found = {}
    for term in terms:
        own = [points[name] for name in landmark_names(term.name)]
        found[term.name] = angle_deg(term.name, np.stack(own))
    return found
