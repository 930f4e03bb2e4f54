"""A bone that wears a measured surface: its landmarks are read on that, and two blend into one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from footcli.anatomy.template import Bone, SampledField, distance, from_field
from footcli.geometry import Array

ON_SURFACE_MM = 1.5  # a landmark this close to the parametric surface is a point of the surface
RAYS = 96  # directions in which both surfaces are compared about an inner landmark
REACH = 3.0  # rays longer than this many times the shortest say little of the middle
STEP_MM, FAR_MM = 0.5, 40.0


def wearing(bone: Bone, field: SampledField) -> Bone:
    """The bone with a measured surface, and its landmarks read on that.

    A landmark on the parametric surface moves to the nearest point of the measured one; an inner
    one, such as the centre of a head, by as much as the surface about it moves.
    """
    plain, worn = replace(bone, field=None, bumps=bone.bumps[:0]), replace(bone, field=field)
    worn = replace(worn, bumps=bone.bumps[:0])
    marks = {name: _read(plain, worn, at) for name, at in bone.landmarks.items()}
    return replace(bone, field=field, landmarks=marks)


def _read(plain: Bone, worn: Bone, at: Array) -> Array:
    depth = -float(_distance(plain, at[None])[0])
    if depth < ON_SURFACE_MM:
        return _onto(worn, at)
    before, after = _lengths(plain, at), _lengths(worn, at)
    near = (before < REACH * depth) & (after < FAR_MM)
    ways = _ways()[near]
    if len(ways) < RAYS // 8:
        return at
    shift = np.linalg.lstsq(ways, (after - before)[near], rcond=None)[0]
    return np.asarray(at + shift)


def _onto(bone: Bone, at: Array) -> Array:
    """The nearest point (3,) of a bone's surface, local mm."""
    for _ in range(4):
        around = at + np.concatenate([np.zeros((1, 3)), STEP_MM * np.eye(3), -STEP_MM * np.eye(3)])
        d = _distance(bone, around)
        slope = (d[1:4] - d[4:]) / (2 * STEP_MM)
        at = at - d[0] * slope / max(float(slope @ slope), 0.25)
    return at


def _lengths(bone: Bone, at: Array) -> Array:
    """(RAYS,) distance from an inner point to the surface along each way, at most FAR_MM."""
    far = np.arange(STEP_MM, FAR_MM + STEP_MM, STEP_MM)
    points = at + _ways()[:, None] * far[:, None]
    outside = _distance(bone, points.reshape(-1, 3)).reshape(len(points), -1)
    first = np.argmax(outside > 0, axis=1)
    first = np.where((outside > 0).any(1), first, len(far) - 1)
    rows = np.arange(len(points))
    a, b = outside[rows, np.maximum(first - 1, 0)], outside[rows, first]
    share = np.where(b > a, np.clip(-a / np.where(b > a, b - a, 1.0), 0, 1), 0)
    return np.asarray(far[np.maximum(first - 1, 0)] + share * STEP_MM)


def _ways() -> Array:
    """(RAYS, 3) unit vectors, evenly over the sphere."""
    k = np.arange(RAYS) + 0.5
    z, turn = 1 - 2 * k / RAYS, np.pi * (1 + 5**0.5) * k
    r = np.sqrt(1 - z**2)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], 1)


def _distance(bone: Bone, at: Array) -> Array:
    """(N,) distance of local points (N, 3) to the bone's surface, mm."""
    return distance(bone, at.T.astype(np.float32)).astype(np.float64)


def blended(one: SampledField, other: SampledField, share: float) -> SampledField:
    """A surface between two of the same bone: share 0 is `one`, 1 is `other`."""
    low = np.minimum(one.low, other.low)
    high = np.maximum(*(f.low + (np.array(f.values.shape) - 1) * f.step for f in (one, other)))
    shape = np.ceil((high - low) / one.step).astype(int) + 1
    axes = (low[i] + one.step * np.arange(shape[i], dtype=np.float32) for i in range(3))
    at = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1).astype(np.float32)
    values = (1 - share) * from_field(one, at) + share * from_field(other, at)
    tops = [field.top for field in (one, other) if field.top is not None]
    top = min(tops) if tops else None
    return SampledField(low, one.step, values.reshape(shape).astype(np.float32), top)
