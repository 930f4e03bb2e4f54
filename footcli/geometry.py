"""Geometry of points, lines and angles, without anatomy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
AnyFloat = NDArray[np.floating[Any]]


def unit(vector: ArrayLike) -> Array:
    """(..., n) -> same direction, length 1. Raises ValueError for a vector of length 0."""
    v = np.asarray(vector, dtype=np.float64)
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    if not np.all(length > 0):
        raise ValueError("a line needs two different points")
    return np.asarray(v / length)


def signed_angle_deg(a: ArrayLike, b: ArrayLike) -> float:
    """Angle from 2D direction a to b, counter-clockwise plus, -180..180 deg.

    Raises ValueError for a vector of length 0.
    """
    u, v = unit(a), unit(b)
    return float(np.degrees(np.arctan2(u[0] * v[1] - u[1] * v[0], u @ v)))


def line_angle_deg(a: ArrayLike, b: ArrayLike) -> float:
    """Angle between two undirected 2D lines, 0..90 deg. Raises ValueError for length 0."""
    turn = abs(signed_angle_deg(a, b))
    return min(turn, 180.0 - turn)


def rotation(axis: ArrayLike, angle_deg: float) -> Array:
    """(3, 3) right-handed rotation about an axis through the origin (Rodrigues)."""
    x, y, z = unit(axis)
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    t = np.radians(angle_deg)
    return np.asarray(np.eye(3) + np.sin(t) * k + (1 - np.cos(t)) * (k @ k))


def apply(matrix: AnyFloat, points: ArrayLike) -> Array:
    """Apply an affine, (3, 4) or (4, 4), to points (..., 3) -> float64 (..., 3)."""
    p = np.asarray(points, dtype=np.float64)
    return np.asarray(p @ matrix[:3, :3].T + matrix[:3, 3])


def slice_of(volume: NDArray[Any], axis: int, index: int) -> NDArray[Any]:
    """One slice of a volume, across an array axis, as a contiguous array.

    np.take would first copy the whole of a transposed or flipped volume.
    """
    return np.ascontiguousarray(np.moveaxis(volume, axis, 0)[index])


def turn_and_size(points: Array, target: Array) -> tuple[Array, float]:
    """The best map of points (N, 3) to target (N, 3), both about 0: size * points @ turn.T.

    turn: a rotation (3, 3), never a reflection. Source: Umeyama, IEEE TPAMI 13 (1991) 376.
    """
    u, s, vt = np.linalg.svd(points.T @ target)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    return (vt.T * sign) @ u.T, float((s * sign).sum() / (points**2).sum())
