"""Landmarks of one case: true and found, in pixels, millimetres and degrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from footcli.angles import angle_deg
from footcli.domain import CaseResult, Landmark, Plane, Point
from footcli.frame.axes import FootFrame
from footcli.geometry import apply
from footcli.kinds import ANGLES, AngleKind, landmark_names

Array = NDArray[np.float64]
SOURCES = ("landmarks", "masks")
NOWHERE = (np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """The four points of one angle in its plane.

    truth, found: float64 (4, 2), px (column, row), NaN where missing. errors_mm: (4,) distance in
    the plane; deep_mm: (4,) in space; NaN where a point is missing or the scan has no spacing.
    area_px: of the foot's bones projected along the plane's axis. score: mean of the found points'
    scores, 0 where none was found.
    """

    angle: str
    truth: Array
    found: Array
    errors_mm: Array
    deep_mm: Array
    area_px: float
    score: float


def poses(
    truth: Mapping[str, Point],
    results: Sequence[CaseResult],
    spacing_mm: Array | None,
    labels: NDArray[np.uint8],
) -> tuple[Pose, ...]:
    """One pose for each angle with points in the truth.

    labels: uint8 (z, y, x), whose bones give the area. spacing_mm: (3,) x, y, z, None where the
    scan has none.
    """
    found = {p.name: p for p in _nearest(truth, results).landmarks}
    silhouettes: dict[Plane, float] = {}
    out = []
    for kind in ANGLES:
        names = landmark_names(kind.name)
        if not any(name in truth for name in names):
            continue
        if kind.plane not in silhouettes:
            area = float(np.count_nonzero(labels.any(kind.plane.array_axis)))
            silhouettes[kind.plane] = max(area, 1.0)
        real = np.array([truth.get(name, NOWHERE) for name in names], np.float64)
        own = [found.get(name) for name in names]
        out.append(_pose(kind, real, own, spacing_mm, silhouettes[kind.plane]))
    return tuple(out)


def _nearest(truth: Mapping[str, Point], results: Sequence[CaseResult]) -> CaseResult:
    """Of two feet the one whose points are nearer to the truth's."""
    return min(results, key=lambda r: _apart(truth, r)) if len(results) > 1 else results[0]


def _pose(
    kind: AngleKind,
    real: Array,
    own: Sequence[Landmark | None],
    spacing_mm: Array | None,
    area_px: float,
) -> Pose:
    """real: (4, 3) voxels. own: the found points, None where missing."""
    axes = [axis for axis in range(3) if axis != kind.plane.axis]
    seen = np.array([NOWHERE if p is None else p.xyz_vox for p in own], np.float64)
    apart = (seen - real) * (np.nan if spacing_mm is None else spacing_mm)
    scores = [p.score for p in own if p is not None]
    return Pose(
        kind.name,
        real[:, axes],
        seen[:, axes],
        np.linalg.norm(apart[:, axes], axis=1),
        np.linalg.norm(apart, axis=1),
        area_px,
        float(np.mean(scores)) if scores else 0.0,
    )


def _apart(truth: Mapping[str, Point], result: CaseResult) -> float:
    gaps = [
        float(np.linalg.norm(np.subtract(p.xyz_vox, truth[p.name])))
        for p in result.landmarks
        if p.name in truth
    ]
    return float(np.mean(gaps)) if gaps else float("inf")


def angle_pairs(
    truth: Mapping[str, Point], results: Sequence[CaseResult], frame: FootFrame
) -> dict[tuple[str, str], tuple[float, float | None]]:
    """(angle, source) -> (true, found) degrees; found is None where the result has no value.

    True angles are measured along the foot's axes, as in analysis.
    """
    measured = _nearest(truth, results).measurements
    found = {(m.name, str(m.source)): m.value for m in measured}
    out: dict[tuple[str, str], tuple[float, float | None]] = {}
    for kind in ANGLES:
        value = _true_angle(kind.name, truth, frame)
        if value is not None:
            for source in SOURCES:
                out[kind.name, source] = (value, found.get((kind.name, source)))
    return out


def _true_angle(name: str, truth: Mapping[str, Point], frame: FootFrame) -> float | None:
    """An angle of the true points, degrees; None where a point is missing or two coincide."""
    points = [truth[point] for point in landmark_names(name) if point in truth]
    if len(points) < 4:
        return None
    try:
        return angle_deg(name, apply(frame.to_foot, np.array(points)))
    except ValueError:
        return None
