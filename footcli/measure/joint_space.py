"""Width of the ankle joint space between two masks, perpendicular to the talar dome."""

from __future__ import annotations

import numpy as np

from footcli.angles import PLACES, square_to
from footcli.geometry import Array

COLUMN_MM = 2.5  # radius about each location in which the surfaces' heights are measured
LEAST_MM = 0.6  # least edge of the columns in which they are compared


def joint_spaces(
    roof: Array, dome: Array, edge_mm: float, medial: Array, lateral: Array
) -> dict[str, Array | None]:
    """Name in PLACES -> ends (2, 3) of the joint space on tibia and talus, foot mm.

    The ends coincide where the bones touch; None where a bone is missing. roof, dome: (N, 3) mm,
    outermost voxels of tibia and talus. edge_mm: voxel edge; half of it lies beyond the centre.
    medial, lateral: (3,) mm, the dome's edges. All in the foot frame.
    """
    up = square_to(medial, lateral)
    found: dict[str, Array | None] = {}
    for name, share in PLACES.items():
        at = medial + share * (lateral - medial)
        below = _columns(dome, at, up, max(edge_mm, LEAST_MM), np.inf)
        above = _columns(
            roof, at, up, max(edge_mm, LEAST_MM), max(below.values(), default=0.0) - COLUMN_MM
        )
        pairs = np.array([(above[column], below[column]) for column in above.keys() & below.keys()])
        if not len(pairs):
            found[name] = None
            continue
        gaps = np.sort(pairs[:, 0] - pairs[:, 1])
        # interquartile mean: a median would be quantised to whole voxels
        usual = gaps[len(gaps) // 4 : len(gaps) - len(gaps) // 4]
        middle, width = float(pairs.mean()), max(0.0, float(usual.mean()) - edge_mm)
        found[name] = at + np.outer((middle + width / 2, middle - width / 2), up)
    return found


def _columns(
    surface: Array, at: Array, up: Array, edge_mm: float, floor: float
) -> dict[tuple[int, int], float]:
    """Column near the line through `at` along `up` -> height (mm) of its lowest point over floor.

    With an infinite floor: of its highest point.
    """
    away = surface - at
    height = away @ up
    near = (away**2).sum(1) - height**2 < COLUMN_MM**2
    near &= (height > floor) | np.isinf(floor)
    across = np.stack([away[near] @ np.cross(up, [0.0, 1.0, 0.0]), away[near, 1]], axis=1)
    found: dict[tuple[int, int], float] = {}
    for (i, j), h in zip(
        np.floor(across / edge_mm).astype(int).tolist(), height[near].tolist(), strict=True
    ):
        known = found.get((i, j), h)
        found[i, j] = max(known, h) if np.isinf(floor) else min(known, h)
    return found
