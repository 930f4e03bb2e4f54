"""Points of the ankle joint: plafond, joint space, tibial shaft."""

from __future__ import annotations

import numpy as np

from footcli.angles import PLACES, SHAFT_RIM_MM, SHAFT_TOP_MM
from footcli.measure.bone_points import BonePoints, Found, first_reason
from footcli.measure.joint_space import joint_spaces
from footcli.measure.mean_bone import TIBIA_END_MM, register_bone
from footcli.text.lines import Line

PLAFOND_MM = 5.0  # radius about the dome's middle in which the plafond's height is measured
# Height of the lower level as a share of the upper one's, and at least: above the malleolus' root
SHAFT_LOW_SHARE, SHAFT_LOW_MM = 0.4, 10.0
LEAST_SHAFT_MM = 22.0  # a shorter piece of shaft has no axis
LEAST_SURFACE = 100  # surface points of the tibia's lower end needed to find its plafond
# Half thickness of the section for a shaft's middle; weights fall to 0 at its faces
LEVEL_MM = 3.0
GAP_MM = 3.0  # approximate distance from the talar dome up to the plafond


def plafond_edges(tibia: BonePoints, dome: Found) -> Found:
    """Medial and lateral edge of the tibial plafond, foot mm (3,) each, or the reason."""
    medial, lateral = dome["medial"], dome["lateral"]
    if isinstance(medial, Line) or isinstance(lateral, Line):
        return dict.fromkeys(("medial", "lateral"), first_reason(medial, lateral))
    end = tibia.surface[tibia.surface[:, 2] < (medial[2] + lateral[2]) / 2 + GAP_MM + TIBIA_END_MM]
    if np.ptp(tibia.surface[:, 2]) < TIBIA_END_MM or len(end) < LEAST_SURFACE:
        return dict.fromkeys(
            ("medial", "lateral"),
            Line("plafond_short"),
        )
    registered = register_bone("tibia", end)
    return {
        "medial": registered.point("plafond_medial_edge"),
        "lateral": registered.point("plafond_lateral_edge"),
    }


def joint_space_ends(tibia: BonePoints, talus: BonePoints | None, dome: Found) -> Found:
    """Name in PLACES -> ends of the joint space on tibia and talus, foot mm (2, 3), or the reason.

    tibia, talus: their surfaces. dome: its medial and lateral edge.
    """
    medial, lateral = dome["medial"], dome["lateral"]
    if isinstance(medial, Line) or isinstance(lateral, Line) or talus is None:
        return dict.fromkeys(PLACES, first_reason(medial, lateral))
    found = joint_spaces(tibia.surface, talus.surface, tibia.edge_mm, medial, lateral)
    return {name: Line("tibia_off_talus") if ends is None else ends for name, ends in found.items()}


def shaft_points(tibia: BonePoints, dome: Found) -> Found:
    """Centres of the tibia's section at two heights above the plafond, foot mm, or the reason."""
    keys = ("upper", "lower")
    medial, lateral = dome["medial"], dome["lateral"]
    if isinstance(medial, Line) or isinstance(lateral, Line):
        return dict.fromkeys(keys, first_reason(medial, lateral))
    middle = (medial + lateral) / 2
    over = tibia.surface[np.hypot(*(tibia.surface[:, :2] - middle[:2]).T) < PLAFOND_MM]
    if not len(over):
        return dict.fromkeys(keys, Line("tibia_off_talus"))
    roof = float(over[:, 2].min())
    upper = min(SHAFT_TOP_MM, float(tibia.surface[:, 2].max()) - roof - SHAFT_RIM_MM)
    if upper < LEAST_SHAFT_MM:
        return dict.fromkeys(keys, Line("shaft_short"))
    found: Found = {}
    for name, height in zip(keys, (upper, max(SHAFT_LOW_SHARE * upper, SHAFT_LOW_MM)), strict=True):
        weight = np.maximum(0.0, LEVEL_MM - np.abs(tibia.solid[:, 2] - roof - height))
        found[name] = (
            np.average(tibia.solid, axis=0, weights=weight) if weight.any() else Line("shaft_gap")
        )
    return found
