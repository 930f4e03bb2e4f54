"""The angles as a table: four points each in the foot frame, and one rule that turns them into
degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from footcli.geometry import Array, line_angle_deg, signed_angle_deg, unit
from footcli.kinds import ANGLES, Term, landmark_names

PLACES = {
    "JSW_M": 0.15,
    "JSW_C": 0.5,
    "JSW_L": 0.85,
}  # share of the way from the dome's medial edge to the lateral one
SHAFT_TOP_MM = (
    70.0  # upper level of the tibial axis above the plafond, where the scan reaches that far
)
SHAFT_RIM_MM = 5.0  # else this far below the tibia's end in the scan, which may be a slanted one
Rule = Callable[[Array, Array], float]
LATERAL = (1, 2)  # foot frame axes of the lateral view: forward, up
CORONAL = (0, 2)  # of the hindfoot view: medial, up
AXIAL = (0, 1)  # from above: medial, forward


def _rise(line1: Array, line2: Array) -> float:
    """How much steeper the front end of line 1 rises than that of line 2; plus is up.

    Lines, not arrows: -90..90.
    """
    turn = signed_angle_deg(line2, line1)
    return turn - 180.0 * round(turn / 180.0)


def _fall(line1: Array, line2: Array) -> float:
    """How much steeper line 1 falls towards the front than line 2."""
    return signed_angle_deg(line1, line2)


def _heel_lateral(shaft: Array, heel: Array) -> float:
    """Turn of the heel's line away from the shaft's, both pointing down; plus is lateral."""
    return -signed_angle_deg(shaft, heel)


def _medial_angle(shaft: Array, dome: Array) -> float:
    """Angle on the medial side between the shaft, upwards, and the dome, towards medial; below 90
    the dome's medial edge stands higher.
    """
    return float(np.degrees(np.arccos(np.clip(unit(-shaft) @ unit(-dome), -1, 1))))


def _opens_laterally(roof: Array, dome: Array) -> float:
    """Turn of the dome away from the plafond, both medial -> lateral; plus: the joint is wider
    laterally.
    """
    return signed_angle_deg(roof, dome)


def _more_medial(line1: Array, line2: Array) -> float:
    """How much further medially line 1 points than line 2, both forward."""
    return signed_angle_deg(line1, line2)


def _offset_percent(length: Array, back_to_line: Array) -> float:
    """How far medial of the heel-forefoot line a point lies, in percent of the line's length; line
    2 runs from the point to the line.
    """
    return float(
        100 * (length[0] * back_to_line[1] - length[1] * back_to_line[0]) / (length @ length)
    )


def _length(across: Array, _: Array) -> float:
    """mm from P1 to P2."""
    return float(np.linalg.norm(across))


def square_to(medial: Array, lateral: Array) -> Array:
    """(3,) unit direction upwards in the coronal view, square to the line between the dome's edges
    (3,).
    """
    along = lateral - medial
    return unit(np.array([-along[2], 0.0, along[0]]) * np.sign(along[0] or 1.0))


@dataclass(frozen=True, slots=True)
class AngleRule:
    """view: the two foot frame axes of the picture.

    rule: (2,) directions P1->P2 and P3->P4 -> degrees, percent or mm (the unit of its AngleKind).
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
    """Value of an angle from its four points (4, 3), foot frame.

    Raises ValueError where a line's points coincide in the view.
    """
    rule = RULES[name]
    flat = np.asarray(points, dtype=np.float64)[:, list(rule.view)]
    return rule.rule(flat[1] - flat[0], flat[3] - flat[2])


def true_angles(points: Mapping[str, Array], terms: Iterable[Term] = ANGLES) -> dict[str, float]:
    """All angles of `terms` from named points in the foot frame.

    For subjects whose points are all known.
    """
    found = {}
    for term in terms:
        own = [points[name] for name in landmark_names(term.name)]
        found[term.name] = angle_deg(term.name, np.stack(own))
    return found
