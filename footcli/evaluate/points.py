"""Key points of one case: truth beside what was found, in pixels, millimetres and degrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from footcli.angles import angle_deg
from footcli.domain import CaseResult, Plane, Point
from footcli.frame.axes import FootFrame
from footcli.geometry import apply
from footcli.kinds import ANGLE, ANGLES, landmark_names

Array = NDArray[np.float64]
SOURCES = ("landmarks", "masks")


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """The four points of one angle in its own plane.

    truth, found: float64 (4, 2), px (column, row), NaN where missing.

    errors_mm: (4,) distance in the plane; deep_mm: (4,) in space; NaN where a point is missing or
    the scan has no millimetres. area_px: of the foot's bones seen along the plane's axis. score:
    mean of the found points' scores, 0 where none was found.
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
    """One pose for each angle that the truth has points of.

    labels: uint8 (z, y, x), whose bones give the area. spacing_mm: (3,) x, y, z, None where the
    scan has none.
    """
    found = {p.name: p for result in results for p in result.landmarks}
    if len(results) > 1:  # two feet: the points of the one that lies nearer
        found = {p.name: p for p in min(results, key=lambda r: _apart(truth, r)).landmarks}
    silhouettes: dict[Plane, float] = {}
    out = []
    for name in (a.name for a in ANGLES):
        points = landmark_names(name)
        if not any(p in truth for p in points):
            continue
        plane = ANGLE[name].plane
        if plane not in silhouettes:
            silhouettes[plane] = float(np.count_nonzero(labels.any(plane.array_axis)))
        axes = [a for a in range(3) if a != plane.axis]
        real = np.array([truth.get(p, (np.nan,) * 3) for p in points], np.float64)
        seen = np.array(
            [found[p].xyz_vox if p in found else (np.nan,) * 3 for p in points], np.float64
        )
        apart = (seen - real) * (np.nan if spacing_mm is None else spacing_mm)
        scores = [found[p].score for p in points if p in found]
        out.append(
            Pose(
                name,
                real[:, axes],
                seen[:, axes],
                np.linalg.norm(apart[:, axes], axis=1),
                np.linalg.norm(apart, axis=1),
                max(silhouettes[plane], 1.0),
                float(np.mean(scores)) if scores else 0.0,
            )
        )
    return tuple(out)


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

    True angles are read in the foot's own views, as the measured ones are.
    """
    if len(results) > 1:
        results = [min(results, key=lambda r: _apart(truth, r))]
    found = {(m.name, str(m.source)): m.value for result in results for m in result.measurements}
    out: dict[tuple[str, str], tuple[float, float | None]] = {}
    for name in (a.name for a in ANGLES):
        points = [truth.get(p) for p in landmark_names(name)]
        whole = [p for p in points if p is not None]
        if len(whole) < 4:
            continue
        try:
            value = angle_deg(name, apply(frame.to_foot, np.array(whole)))
        except ValueError:  # two points of a line at one place: no angle
            continue
        for source in SOURCES:
            out[name, source] = (value, found.get((name, source)))
    return out
