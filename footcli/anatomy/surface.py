"""Points on a bone's surface: of its tube and blobs, or of the measured surface that it wears."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from footcli.anatomy.template import Bone, SampledField, distance
from footcli.geometry import Array

INSIDE_MM = 0.8  # points of one part this deep inside another are not on the surface
SEAM_MM = 3.0  # below the top of a measured surface, where it blends into the tube
NEAR_STEPS = 1.0  # grid points this close to a measured surface are moved onto it


def surface_points(bone: Bone) -> Array:
    """(N, 3) points distributed over the bone's surface, foot frame mm.

    Of a bone that wears a measured surface they lie on that; above its top on the tube.
    """
    field = bone.field
    if field is None:
        return bone.to_foot(_drawn(bone))
    skin = _measured(field)
    if field.top is not None:
        tube = _drawn(replace(bone, field=None))
        seam = field.top - SEAM_MM
        skin = np.concatenate([skin[skin[:, 0] < seam], tube[tube[:, 0] >= seam]])
    return bone.to_foot(skin)


def _drawn(bone: Bone) -> Array:
    """(N, 3) points on tube and blobs, local mm."""
    tube = bone.tube
    s = np.linspace(0, 1, 80)
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    u, v, a, b, rot, n = (np.interp(s, tube.s, row)[:, None] for row in tube.sections)
    c, w = np.cos(turn)[None], np.sin(turn)[None]
    r = ((np.abs(c / a)) ** n + (np.abs(w / b)) ** n) ** (-1 / n)
    p, q, angle = r * c, r * w, np.radians(rot)
    t = np.broadcast_to((tube.t[0] + s * (tube.t[1] - tube.t[0]))[:, None], p.shape)
    pieces = [
        np.stack(
            [
                t,
                u + p * np.cos(angle) - q * np.sin(angle),
                v + p * np.sin(angle) + q * np.cos(angle),
            ],
            -1,
        ).reshape(-1, 3)
    ]
    z = np.linspace(-1, 1, 40)[:, None]
    ball = np.stack(
        np.broadcast_arrays(np.sqrt(1 - z**2) * c, np.sqrt(1 - z**2) * w, z), -1
    ).reshape(-1, 3)
    for blob in bone.blobs:
        length = ((np.abs(ball / blob.radii)) ** blob.n).sum(1) ** (-1 / blob.n)
        pieces.append(blob.centre + (ball * length[:, None]) @ blob.axes)
    points = np.concatenate(pieces)
    return np.asarray(points[distance(bone, points.T.astype(np.float32)) > -INSIDE_MM])


@lru_cache(maxsize=256)
def _measured(field: SampledField) -> Array:
    """(N, 3) points on a measured surface, local mm: grid points near it, moved onto it."""
    values = field.values
    slope = np.stack([*np.gradient(values, field.step)], -1)
    length = np.linalg.norm(slope, axis=-1)
    near = (np.abs(values) < NEAR_STEPS * field.step) & (length > 0.3)
    at = field.low + np.argwhere(near) * field.step
    way = values[near][:, None] * slope[near] / length[near][:, None] ** 2
    return np.asarray(at - way, dtype=np.float64)
