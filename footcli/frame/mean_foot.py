"""The mean foot as points within each of its parts and bones: what a foot is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from footcli.anatomy.surface import surface_points
from footcli.anatomy.template import distance, reference_foot
from footcli.geometry import Array
from footcli.kinds.parts import BONE_OF_PART, PART_ID, PARTS

STEP_MM = 4.0  # between the points
CELL_MM3 = STEP_MM**3  # of one point


@cache
def part_points() -> Mapping[int, Array]:
    """Part id -> (N, 3) points inside it, STEP_MM apart; left foot, foot frame mm.

    A part is made of one bone or of several. Tibia and fibula end where they were measured.
    """
    foot = reference_foot()
    found = {}
    for part in PARTS:
        inside = []
        for name in part.drawn:
            bone = foot[name]
            skin = surface_points(bone)
            axes = [
                np.arange(a, b + STEP_MM, STEP_MM)
                for a, b in zip(skin.min(0), skin.max(0), strict=True)
            ]
            at = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
            local = ((at - bone.pos) @ bone.axes.T).T.astype(np.float32)
            inside.append(at[distance(bone, local) < 0])
        found[PART_ID[part.name]] = np.concatenate(inside)
    return found


@cache
def bone_points() -> Mapping[int, Array]:
    """As part_points, by the id of the bone in kinds.BONES; toes are of none."""
    own: dict[int, list[Array]] = {}
    for part, points in part_points().items():
        if BONE_OF_PART[part]:
            own.setdefault(BONE_OF_PART[part], []).append(points)
    return {bone: np.concatenate(pieces) for bone, pieces in own.items()}
