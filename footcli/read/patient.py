"""Geometry of slices in patient space, and the patient tags that footcli uses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from footcli.domain import ScanTags
from footcli.errors import ReadError
from footcli.read.assemble import SliceStack
from footcli.read.collect import Log, Slice
from footcli.read.headers import Header
from footcli.read.stray import without_strays
from footcli.read.words import load_in, side_in

SPACING_MM = (0.01, 5.0)
"""Valid pixel and slice spacing; in coarser voxels no joint of a foot can be seen."""
FIELD_MM, LENGTH_MM = 800.0, 1300.0
"""Largest edge of a slice, and length of a series: no scanner's bore is wider, no leg longer."""
COSINE_TOLERANCE = 1e-3
"""Deviation of direction cosines from unit length and right angle that counts as rounding."""
SAME_STEP = 0.05
"""Difference of two slice distances, as a share, that counts as rounding."""
DRIFT_PX = 0.5
"""Sideways shift of a slice off the normal through the first, in pixels, that counts as rounding;
a greater shift is gantry tilt.
"""

_T = TypeVar("_T")
_UNIT_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """Unit vectors (3,) LPS: right along a row, down a column, normal to the slice.

    spacing: pixel steps in mm along a row and down a column; None if unknown.
    """

    right: NDArray[np.float64]
    down: NDArray[np.float64]
    normal: NDArray[np.float64]
    spacing: tuple[float, float] | None


def axes_of(piece: Slice) -> Axes:
    """The axes of a slice. Raises ReadError no_geometry, bad_spacing."""
    cosines = piece.tags.orientation
    name = piece.header.name
    if piece.tags.position is None and len(piece.header.frames) > 1:
        raise ReadError("no_geometry.frames", file=name)
    if cosines is None or len(cosines) != 6 or piece.tags.position is None:
        raise ReadError("no_geometry.missing", file=name)
    right, down = np.asarray(cosines[:3]), np.asarray(cosines[3:])
    lengths = np.linalg.norm(right), np.linalg.norm(down)
    if (
        not all(abs(n - 1) <= COSINE_TOLERANCE for n in lengths)
        or not abs(right @ down) <= COSINE_TOLERANCE
    ):
        raise ReadError("no_geometry.orientation", file=name)
    right = right / lengths[0]
    normal = np.cross(right, down)
    normal /= np.linalg.norm(normal)
    return Axes(right, np.cross(normal, right), normal, pixel_spacing(piece))


def pixel_spacing(piece: Slice) -> tuple[float, float] | None:
    """(along a row, down a column) in mm, None if unknown. Raises ReadError bad_spacing."""
    spacing = piece.tags.spacing
    if spacing is None:
        return None
    if len(spacing) != 2 or not all(SPACING_MM[0] <= value <= SPACING_MM[1] for value in spacing):
        least, most = SPACING_MM
        raise ReadError("bad_spacing.pixel", file=piece.header.name, least=least, most=most)
    return spacing[1], spacing[0]


def positions(slices: list[Slice]) -> NDArray[np.float64]:
    """Positions of the slices, float64 (n, 3) LPS mm. Raises ReadError no_geometry."""
    for piece in slices:
        place = piece.tags.position
        if place is None or len(place) != 3 or not np.all(np.isfinite(place)):
            raise ReadError("no_geometry.position", file=piece.header.name)
    return np.asarray([piece.tags.position for piece in slices], np.float64)


def in_stack(
    slices: list[Slice], at: NDArray[np.float64], normal: NDArray[np.float64], log: Log
) -> tuple[list[Slice], NDArray[np.float64]]:
    """The slices that belong to the stack, and their positions; a warning counts the others.

    at: positions (n, 3) LPS mm; normal: (3,) unit vector.
    """
    keep = without_strays(at @ normal, log)
    return [slices[i] for i in keep], at[keep]


def warn_of_guesses(slices: list[Slice], log: Log) -> bool:
    """Warn if frames have no positions of their own; returns whether that is so."""
    guessed = any(piece.tags.guessed for piece in slices)
    if guessed:
        log.warn("frames_guessed")
    return guessed


def warn_of_step(piece: Slice, step: float, log: Log) -> None:
    """Warn where the stated distance of slices is not that of their positions, step in mm."""
    stated = piece.header.step_mm
    if stated is not None and abs(stated - step) > SAME_STEP * step:
        log.warn("step_disagrees", stated=stated, step=step)


def check_tilt(at: NDArray[np.float64], axes: Axes, pixel: float) -> None:
    """Check that all slices lie on one line along the normal.

    at: positions (n, 3) LPS mm. pixel: mm. Raises ReadError tilt.
    """
    offset = at - at[0]
    sideways = offset - np.outer(offset @ axes.normal, axes.normal)
    drift = float(np.linalg.norm(sideways, axis=1).max())
    if drift > DRIFT_PX * pixel:
        raise ReadError("tilt", drift=drift)


def positions_along(at: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) positions, LPS mm -> (n,) mm along a unit vector (3,).

    Rounded, so that the last digits do not depend on the order of the files.
    """
    return np.round(at @ direction, 6)


def affine_of(
    stack: SliceStack,
    axes: Axes,
    pixel: tuple[float, float],
    direction: NDArray[np.float64],
    at: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Affine (4, 4), (column, row, slice, 1) -> LPS mm, of a stack along `direction`.

    pixel: mm along a row and down a column. direction: (3,) unit vector. at: positions (n, 3) LPS
    mm. Raises ReadError bad_spacing for a slice step out of SPACING_MM.
    """
    first = at[np.lexsort((*at.T, positions_along(at, direction)))[0]]
    first_place = float(positions_along(first[None], direction)[0])
    if not SPACING_MM[0] <= stack.step <= SPACING_MM[1]:
        least, most = SPACING_MM
        raise ReadError("bad_spacing.step", step=stack.step, least=least, most=most)
    _check_extent(stack, pixel)
    affine = np.eye(4)
    affine[:3, 0] = axes.right * pixel[0]
    affine[:3, 1] = axes.down * pixel[1]
    affine[:3, 2] = direction * stack.step
    affine[:3, 3] = first + (stack.start - first_place) * direction
    return affine


def _check_extent(stack: SliceStack, pixel: tuple[float, float]) -> None:
    """Raises ReadError bad_spacing for a series larger than any leg."""
    slices, rows, columns = stack.hu.shape
    field, length = max(columns * pixel[0], rows * pixel[1]), slices * stack.step
    if field > FIELD_MM:
        raise ReadError("bad_spacing.field", field=field, most=FIELD_MM)
    if length > LENGTH_MM:
        raise ReadError("bad_spacing.length", length=length, most=LENGTH_MM)


def tags_of(headers: list[Header]) -> ScanTags:
    """Side, weight bearing, age and sex; each is None if the headers disagree or lack it."""
    words = {(h.laterality.upper(), h.words, h.age.upper(), h.sex.upper()) for h in headers}
    values_ = [_tags(*own) for own in sorted(words)]
    return ScanTags(
        side=_only_value(tags.side for tags in values_),
        weight_bearing=_only_value(tags.weight_bearing for tags in values_),
        age_years=_only_value(tags.age_years for tags in values_),
        sex=_only_value(tags.sex for tags in values_),
    )


def _tags(laterality: str, words: str, age: str, sex: str) -> ScanTags:
    years = re.fullmatch(r"(\d{1,3})([YMWD])", age)
    return ScanTags(
        side="L" if laterality == "L" else "R" if laterality == "R" else side_in(words),
        weight_bearing=load_in(words),
        age_years=int(years[1]) * _UNIT_YEARS[years[2]] if years else None,
        sex="F" if sex == "F" else "M" if sex == "M" else None,
    )


def _only_value(values: Iterable[_T | None]) -> _T | None:
    values_ = {value for value in values if value is not None}
    return values_.pop() if len(values_) == 1 else None
