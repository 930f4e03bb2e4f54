"""A bone that wears a measured surface: its landmarks are read on that, and two blend into one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from footcli.anatomy.surface import surface_points
from footcli.anatomy.template import Bone, SampledField, distance, from_field
from footcli.geometry import Array

ON_SURFACE_MM = 1.5  # a landmark this close to the parametric surface is a point of the surface
AROUND_MM = 9.0  # the surface this much further off than its nearest point goes with an inner one
HOLD = 0.02  # by how much a shift is held back in directions that the surface does not show
TRIES, STEP_MM = 5, 0.5


def wearing(bone: Bone, field: SampledField) -> Bone:
    """The bone with a measured surface, and its landmarks read on that.

    A landmark on the parametric surface moves to the nearest point of the measured one; an inner
    one, such as the centre of a head, by as much as the surface about it moves.
    """
    plain = replace(bone, field=None, bumps=bone.bumps[:0])
    worn = replace(plain, field=field)
    skin = (surface_points(plain) - plain.pos) @ plain.axes.T / plain.scale
    marks = {name: _read(plain, worn, skin, at) for name, at in bone.landmarks.items()}
    return replace(bone, field=field, landmarks=marks)


def _read(plain: Bone, worn: Bone, skin: Array, at: Array) -> Array:
    """A landmark (3,) on the worn surface. skin: (N, 3) points of the plain one, local mm."""
    depth = -float(_distance(plain, at[None])[0])
    if depth < ON_SURFACE_MM:
        return _onto(worn, at)
    near = skin[np.linalg.norm(skin - at, axis=1) < depth + AROUND_MM]
    out = _slopes(plain, near)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 0.1)
    shift = np.zeros(3)
    for _ in range(TRIES):  # the surface about it, moved along, comes to lie on the other
        gaps = _distance(worn, near + shift)
        held = out.T @ out + HOLD * len(near) * np.eye(3)
        shift = shift - np.linalg.solve(held, out.T @ gaps)
    return np.asarray(at + shift)


def _onto(bone: Bone, at: Array) -> Array:
    """The nearest point (3,) of a bone's surface, local mm."""
    for _ in range(TRIES):
        slope = _slopes(bone, at[None])[0]
        at = at - _distance(bone, at[None])[0] * slope / max(float(slope @ slope), 0.25)
    return at


def _slopes(bone: Bone, at: Array) -> Array:
    """(N, 3) gradient of the distance to the bone's surface at local points (N, 3)."""
    steps = STEP_MM * np.eye(3)
    sides = [(_distance(bone, at + e) - _distance(bone, at - e)) / (2 * STEP_MM) for e in steps]
    return np.stack(sides, 1)


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
