"""True landmarks of a subject, measured on its moved bones, never taken from a parameter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from footcli.anatomy.surface import surface_points
from footcli.anatomy.template import Bone, distance
from footcli.angles import PLACES, SHAFT_TOP_MM, square_to
from footcli.geometry import Array
from footcli.kinds import landmark_names
from footcli.phantom.stance import HEIGHTS, inside


def shaft_low_mm(top_mm: float) -> float:
    """Height (mm) above the plafond of the lower point of the tibial axis.

    Far enough below the upper one to give a direction, but above the malleolus' root.
    """
    return max(0.4 * top_mm, 10.0)


def landmarks(foot: Mapping[str, Bone], shaft_top_mm: float = SHAFT_TOP_MM) -> dict[str, Array]:
    """Landmark name -> (3,) foot frame mm, floor z = 0, for the five angles.

    Definitions: footcli/measure/ANGLES.md. shaft_top_mm: height above the plafond of the upper
    point of the tibial axis (lower if the scan ends lower).
    """
    talus, calcaneus, tibia, ray = (
        foot["talus"],
        foot["calcaneus"],
        foot["tibia"],
        foot["metatarsal1"],
    )
    skin = surface_points(calcaneus)
    along = (skin - calcaneus.pos) @ calcaneus.axes[0]
    share = (along - along.min()) / np.ptp(along)
    back, front = skin[share < 0.45], skin[share > 0.72]
    low_back, low_front, heel = (low_point(p) for p in (back, front, skin))
    ball = (
        foot["metatarsal1"].point("plantar_head") + foot["metatarsal5"].point("plantar_head")
    ) / 2
    floor = np.array([1.0, 1.0, 0.0])
    plafond = tibia.landmarks["plafond_centre"][0]
    size = tibia.scale[0]
    top, low = (
        _section_middle(tibia, plafond + h / size)
        for h in (shaft_top_mm, shaft_low_mm(shaft_top_mm))
    )
    axis = (talus.point("body_centre"), talus.point("head_centre"))
    lines = {
        "CPA": (low_back, low_front, heel * floor, ball * floor),
        "TMA": (*axis, ray.point("base_centre"), ray.point("head_centre")),
        "TCA": (*axis, low_back, low_front),
        "HAA": (top, low, talus.pos, heel),
        "MTASA": (top, low, talus.point("dome_medial_edge"), talus.point("dome_lateral_edge")),
    }
    return _named(lines)


def _section_middle(bone: Bone, t: float) -> Array:
    """(3,) foot mm, centre of a bone's whole section at t mm along e1: tube and joined blobs."""
    across = np.arange(-45.0, 46.0)
    local = np.stack(np.meshgrid([t], across, across, indexing="ij")).reshape(3, -1)
    section = local[:, distance(bone, local.astype(np.float32)) < 0]
    return bone.to_foot(section.mean(1)) if section.shape[1] else bone.centre_line(t)


def further(
    foot: Mapping[str, Bone], points: Mapping[str, Array], gap_mm: float = 0.0
) -> dict[str, Array]:
    """Landmark name -> (3,) foot frame mm, for the further measures.

    points: of the five angles (see `landmarks`). gap_mm: see Subject.
    """

    def axis(
        bone: str, back: str = "base_centre", front: str = "head_centre"
    ) -> tuple[Array, Array]:
        return foot[bone].point(back), foot[bone].point(front)

    shaft, dome = ((points[f"MTASA_Line{i}_Pt1"], points[f"MTASA_Line{i}_Pt2"]) for i in (1, 2))
    roof = axis("tibia", "plafond_medial_edge", "plafond_lateral_edge")
    heel, ball = points["CPA_Line2_Pt1"], points["CPA_Line2_Pt2"]
    over = sum(dome) / 2 * np.array([1.0, 1.0, 0.0])
    beside = heel + (ball - heel) * float(
        (over - heel) @ (ball - heel) / ((ball - heel) @ (ball - heel))
    )
    return _named(
        {
            "MTASA_B": (*shaft, *roof),
            "TT": (*roof, *dome),
            "TCA_AP": (
                *axis("talus", "body_centre"),
                *axis("calcaneus", "tuberosity_centre", "cuboid_facet_centre"),
            ),
            "HVA": (*axis("metatarsal1"), *axis("phalanx_prox1")),
            "IMA": (*axis("metatarsal1"), *axis("metatarsal2")),
            "FAO": (heel, ball, over, beside),
            **_spaces(foot, *dome, gap_mm),
        }
    )


def _spaces(
    foot: Mapping[str, Bone], medial: Array, lateral: Array, gap_mm: float
) -> dict[str, tuple[Array, ...]]:
    """Name in PLACES -> ends of the ankle joint space on tibia and talus, twice, foot mm (3,) each.

    gap_mm: least distance, as rasterize separates the bones.
    """
    up = square_to(medial, lateral)
    found: dict[str, tuple[Array, ...]] = {}
    for name, share in PLACES.items():
        at = medial + share * (lateral - medial)
        roof, top = (
            HEIGHTS[inside(foot[bone], at + HEIGHTS[:, None] * up)] for bone in ("tibia", "talus")
        )
        low, high = roof.min(initial=HEIGHTS[-1]), top.max(initial=HEIGHTS[0])
        low, high = (low + high) / 2 + np.array([0.5, -0.5]) * max(low - high, gap_mm)
        found[name] = (at + low * up, at + high * up) * 2
    return found


def _named(lines: Mapping[str, tuple[Array, ...]]) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for angle, points in lines.items():
        found |= dict(zip(landmark_names(angle), points, strict=True))
    return found


def low_point(points: Array, patch_mm: float = 0.8) -> Array:
    """Mean x, y of the points within patch_mm of the lowest, at its height. (N, 3) -> (3,), mm.

    It is more stable than the lowest point alone.
    """
    lowest = points[:, 2].min()
    patch = points[points[:, 2] < lowest + patch_mm].mean(0)
    return np.array([patch[0], patch[1], lowest])
