"""Registers a bone of the mean foot to a mask, for landmarks that are not extremes of the mask.

Such as the centre of a body or head. Symmetric iterative closest points (Besl and McKay, IEEE TPAMI
1992): rigid, then similarity, then affine; last a local shift of each landmark.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.spatial import cKDTree

from footcli.anatomy.surface import surface_points
from footcli.anatomy.template import reference_foot
from footcli.geometry import Array

EVEN_MM = 2.0  # edge of the cubes in which surface points are averaged
STEPS = (8, 12, 30)  # rigid, similarity, affine
TRIM = 0.95  # share of the closest pairs used in a fit; the others may be a spur or a hole
NEAR_MM, SHIFT_STEPS = 8.0, 10  # sd of the surface weights about a landmark; steps of its shift
# Only this much of the tibia above its plafond is registered: scans end at different heights
TIBIA_END_MM = 20.0
FAR_MM = 3.0  # pairs closer than this always count in a shift


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    """A mean bone registered to a mask, all in foot mm.

    template: (N, 3), its registered surface. points: its registered landmarks by name, (3,) each.
    mask: search tree of the mask's surface.
    """

    template: Array
    points: dict[str, Array]
    mask: cKDTree

    def point(self, name: str) -> Array:
        """A landmark (3,), foot mm, shifted by the residual of the surface about it."""
        at = self.points[name]
        weight = np.exp(-((self.template - at) ** 2).sum(1) / (2 * NEAR_MM**2))
        near = weight > 0.05
        around, weight = self.template[near], weight[near]
        shift = np.zeros(3)
        for _ in range(SHIFT_STEPS if len(around) else 0):
            apart, to = self.mask.query(around + shift)
            share = weight * (apart <= max(FAR_MM, float(np.quantile(apart, 0.9))))
            shift = shift + share @ (self.mask.data[to] - around - shift) / share.sum()
        return np.asarray(at + shift)


def register_bone(name: str, surface: Array) -> Registered:
    """Register the bone `name` of the mean foot to a mask's surface.

    surface: (M, 3), foot frame mm, oriented approximately as in the mean foot.
    """
    template, mask = _template(name), _even(surface)
    tree = cKDTree(mask)
    matrix = np.eye(3) * float(np.cbrt(np.prod(mask.std(0)) / np.prod(template.std(0))))
    shift = mask.mean(0) - matrix @ template.mean(0)
    for steps, solve in zip(STEPS, (_rigid, _similar, _affine), strict=True):
        for _ in range(steps):
            here = template @ matrix.T + shift
            (out, there), (back, mine) = tree.query(here), cKDTree(here).query(mask)
            apart = np.concatenate([out, back])
            weight = np.concatenate(
                [np.full(len(here), 1 / len(here)), np.full(len(mask), 1 / len(mask))]
            )
            weight *= apart <= np.quantile(apart, TRIM)
            wanted = np.concatenate([mask[there], mask])
            if solve is _rigid:  # keeps the initial scale
                turn, step = solve(np.concatenate([here, here[mine]]), wanted, weight)
                matrix, shift = turn @ matrix, turn @ shift + step
            else:
                matrix, shift = solve(np.concatenate([template, template[mine]]), wanted, weight)
    marks = reference_foot()[name]
    return Registered(
        template @ matrix.T + shift,
        {k: matrix @ marks.point(k) + shift for k in marks.landmarks},
        tree,
    )


def _even(points: Array) -> Array:
    """(N, 3) -> (M, 3), the mean of the points in each cube, independent of their order."""
    cube = np.floor((points - points.mean(0)) / EVEN_MM).astype(int)
    _, owner, count = np.unique(cube, axis=0, return_inverse=True, return_counts=True)
    return (
        np.stack([np.bincount(owner.ravel(), column) for column in points.T], axis=1)
        / count[:, None]
    )


@cache
def _template(name: str) -> Array:
    bone = reference_foot()[name]
    surface = surface_points(bone)
    if name == "tibia":
        surface = surface[surface[:, 2] < bone.point("plafond_centre")[2] + TIBIA_END_MM]
    return _even(surface)


def _turned(source: Array, target: Array, weight: Array) -> tuple[Array, Array, Array, float]:
    """Weighted least-squares rotation (3, 3), both means, scale (Umeyama, IEEE TPAMI 1991)."""
    share = weight / weight.sum()
    a, b = share @ source, share @ target
    u, s, vt = np.linalg.svd(((source - a) * share[:, None]).T @ (target - b))
    sign = np.array([1, 1, np.sign(np.linalg.det(vt.T @ u.T))])
    return vt.T @ np.diag(sign) @ u.T, a, b, float(s @ sign / (share @ ((source - a) ** 2).sum(1)))


def _rigid(source: Array, target: Array, weight: Array) -> tuple[Array, Array]:
    turn, a, b, _ = _turned(source, target, weight)
    return turn, b - turn @ a


def _similar(source: Array, target: Array, weight: Array) -> tuple[Array, Array]:
    turn, a, b, scale = _turned(source, target, weight)
    return scale * turn, b - scale * turn @ a


def _affine(source: Array, target: Array, weight: Array) -> tuple[Array, Array]:
    share = weight / weight.sum()
    a, b = share @ source, share @ target
    weighted = (source - a) * share[:, None]
    matrix = np.linalg.solve(weighted.T @ (source - a), weighted.T @ (target - b)).T
    return matrix, b - matrix @ a
