"""The mean foot fitted to the parts of one foot, as a left and as a right one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from footcli.geometry import Array, apply, turn_and_size
from footcli.kinds import BONE_ID
from footcli.kinds.parts import PARTS

# Tibia, fibula and talus have these ids among the bones and among the parts
LEG, TALUS = (BONE_ID["Tibia"], BONE_ID["Fibula"]), BONE_ID["Talus"]
# What moves little in itself, whatever the foot does: toes bend, the leg swings. All bones but the
# leg's have lower ids than the toes
FIRM = tuple(k for k, part in enumerate(PARTS, start=1) if part.bone and k not in LEG)
Middles = Mapping[int, Array]
ENOUGH = 5  # parts of the foot beside which its leg does not count
ANKLE_MM = 38.0  # how far from the talus' centre the leg counts, in the mean foot's size
LEAST_SHOWN = 0.2  # of a part within the data, or its centre says nothing
ROUNDS = 5
FITTED = 7  # numbers of a similarity: few parts always fit somehow, so the rest counts for more
LEAST_PARTS = 3  # that can be compared with the mean foot
FIRM_PARTS, FIRM_WIDTH = 4, 0.12  # that tell how the foot is turned; width by length
STRETCHED_PARTS = 7  # that tell the foot's width and height apart


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a volume of parts shows. inside: bool (z, y, x), voxels that hold data; to_mm: (4, 4)
    voxel (x, y, z) -> mm.
    """

    inside: NDArray[np.bool_]
    to_mm: Array

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Which of the points (N, 3), mm, lie in a voxel that holds data."""
        at = np.rint(apply(np.linalg.inv(self.to_mm), points)).astype(int)[:, ::-1]
        there: NDArray[np.bool_] = np.all((at >= 0) & (at < self.inside.shape), axis=1)
        there[there] = self.inside[tuple(at[there].T)]
        return there


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The mean foot fitted to the parts of one foot.

    off_mm: root mean square distance of the parts' centres for the degrees of freedom, in the mean
    foot's size. size: of the foot, the mean foot's is 1. axes: (3, 3), rows medial, forward, up of
    the mean foot, in mm axes. origin: (3,) mm, where the mean foot's heel stands. left: whether it
    is the left foot that fits. other_off_mm: off_mm of the other side. firm: False if the parts are
    too few, or too nearly on one line, to tell how the foot is turned. stretch: width and height by
    the length, the mean foot's are 1; None if the parts are too few.
    """

    off_mm: float
    size: float
    axes: Array
    origin: Array
    left: bool
    other_off_mm: float = np.inf
    firm: bool = True
    stretch: tuple[float, float] | None = None

    def place(self, points: Array) -> Array:
        """Points (..., 3) of the mean foot -> mm."""
        return np.asarray(self.origin + self.size * points @ self.axes)


def fit_foot(points: Middles, shown: Shown, mean: Middles) -> Fit | None:
    """Fit the mean foot to the parts, or bones, of one foot; None for fewer than LEAST_PARTS.

    points: id -> (N, 3) mm, evenly within what the volume shows of it; mean: the same of the mean
    foot, of mean_foot. What the volume cuts is compared with what it would show of the fitted mean
    foot's.
    """
    middles, goal = _middles(points), _near(mean)
    used = _used(middles)
    if len(used) < LEAST_PARTS:
        return None
    own, goal = {k: middles[k] for k in used}, {k: goal[k] for k in used}
    left, right = (_one_side(own, shown, goal, side) for side in (1.0, -1.0))
    best, other = (left, right) if left.off_mm <= right.off_mm else (right, left)
    return Fit(
        best.off_mm,
        best.size,
        best.axes,
        best.origin,
        best is left,
        other.off_mm,
        best.firm,
        best.stretch,
    )


def _used(middles: Middles) -> list[int]:
    """The parts that count: those of the foot, and of the leg if these are few."""
    firm = [k for k in FIRM if k in middles]
    return firm if len(firm) >= ENOUGH else [*firm, *(k for k in LEG if k in middles)]


def _near(points: Middles) -> dict[int, Array]:
    """The points of each part; of the leg those within ANKLE_MM of the talus, if it is there."""
    near = {k: p for k, p in points.items() if k not in LEG}
    for k in LEG if TALUS in points else ():
        if k in points:
            apart = np.linalg.norm(points[k] - points[TALUS].mean(0), axis=1)
            near[k] = points[k][apart < ANKLE_MM]
    return {k: p for k, p in near.items() if len(p)}


def _middles(points: Middles) -> dict[int, Array]:
    """The centre (3,) of each part."""
    return {k: p.mean(0) for k, p in _near(points).items()}


def _one_side(middles: Middles, shown: Shown, mean: Middles, side: float) -> Fit:
    """The best similarity of the mean foot, side 1.0, or of its mirror image, -1.0."""
    mirror = np.array([side, 1.0, 1.0])
    fit = _similar(middles, {k: p.mean(0) * mirror for k, p in mean.items()}, mirror)
    for _ in range(ROUNDS):
        seen = {k: p[shown.holds(fit.place(p))] for k, p in mean.items()}
        kept = {k: p for k, p in seen.items() if len(p) >= LEAST_SHOWN * len(mean[k])}
        if len(kept) < LEAST_PARTS:
            break
        fit = _similar(middles, {k: p.mean(0) * mirror for k, p in kept.items()}, mirror)
    return fit


def _similar(middles: Middles, centres: Middles, mirror: Array) -> Fit:
    """The best similarity of the centres (3,) of the mean foot's parts to those found."""
    found, mean = (np.array([where[k] for k in centres]) for where in (middles, centres))
    p, q = found - found.mean(0), mean - mean.mean(0)
    turn, size = turn_and_size(q, p)
    size = max(size, 1e-3)
    spread = np.linalg.svd(q, compute_uv=False)
    firm = len(p) >= FIRM_PARTS and bool(spread[1] >= FIRM_WIDTH * spread[0])
    rest = p - size * q @ turn.T
    off = float(np.sqrt(3 * (rest**2).sum() / (3 * len(p) - FITTED))) / size
    axes = mirror[:, None] * turn.T
    origin = found.mean(0) - size * mean.mean(0) @ turn.T
    return Fit(off, size, axes, origin, mirror[0] > 0, np.inf, firm, _stretch(p, q, firm))


def _stretch(p: Array, q: Array, firm: bool) -> tuple[float, float] | None:
    """Width and height by the length, of the affine map from q to p (N, 3), both about 0."""
    if not firm or len(p) < STRETCHED_PARTS:
        return None
    medial, forward, up = np.linalg.norm(np.linalg.lstsq(q, p, rcond=None)[0], axis=1)
    return float(medial / forward), float(up / forward)
