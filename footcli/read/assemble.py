"""Assemble decoded slices on a regular grid: order, duplicates, gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from footcli.errors import ReadError
from footcli.read.collect import (
    Log,
    Slice,
    skip_words,
)
from footcli.read.pixels import check_pixel_tags, frames
from footcli.read.source import Skip
from footcli.read.stray import refuse_two_passes

FEWEST_SLICES = 8
"""A foot with fewer slices cannot be measured."""
GAP = 1.5
"""A gap of more than this many median steps counts as missing slices."""
MISSING_LIMIT = 0.10
"""With a larger fraction of missing slices, too much of the volume would be interpolated."""
JITTER = 0.25
"""Steps that a slice may lie off the regular grid; rounding of positions gives far less."""
SAME_POSITION = 1e-3
"""Slices nearer than this (mm, or slice numbers) are at the same position."""
LOST = frozenset(("truncated", "corrupt_header", "too_deep", "too_large", "io_error"))
"""Skip codes of files that start like an image, so that they may be lost slices."""
VOLUME_LIMIT = 4 * 2**30
"""Bytes of the voxels of one case."""


@dataclass(frozen=True, slots=True, eq=False)
class SliceStack:
    """Slices on a regular grid. hu: int16 (n, rows, columns), HU. names: one for each slice.

    Slice k is at start + k * step, in the unit of the positions given (mm or slice numbers).
    """

    hu: NDArray[np.int16]
    names: tuple[str, ...]
    start: float
    step: float


def assemble(
    slices: list[Slice], positions: NDArray[np.float64], log: Log, where: Callable[[float], str]
) -> SliceStack:
    """Decode slices and put them on a regular grid, in order of their positions.

    positions: (n,), mm along the normal, or slice numbers. `where` words a position for a notice.
    Equal copies are dropped and small gaps filled by linear interpolation, both with a notice.
    Raises ReadError too_few_slices, too_large, ambiguous_position, uneven_spacing, missing_slices,
    and what decoding raises.
    """
    order = sorted(range(len(slices)), key=lambda i: (positions[i], slices[i].name))
    slices, positions = [slices[i] for i in order], positions[order]
    _enough(len(slices), log)
    if len(slices) > 1 and np.ptp(positions) < SAME_POSITION and _differ_in_number(slices):
        raise ReadError("no_positions", count=len(slices))
    hu, good = _decode(slices, log)
    keep = _without_copies(hu, positions, np.flatnonzero(good), slices, log)
    _enough(len(keep), log)
    _warn_of_lost(log)
    names, positions = [slices[i].name for i in keep], positions[keep]
    if len(keep) < len(slices):
        hu = hu[keep]
    try:
        start, step, at = _lattice(positions)
    except ReadError:
        refuse_two_passes(positions)
        raise
    total = int(at[-1]) + 1
    if total > len(names):
        refuse_two_passes(positions)
        _report_gaps(at, positions, total, log, where)
        hu, names = _filled(hu, names, at, total)
    return SliceStack(hu, tuple(names), start, step)


def _differ_in_number(slices: list[Slice]) -> bool:
    """Whether the slices are numbered as different ones, and so are no copies of one."""
    return len({(piece.header.instance, piece.index) for piece in slices}) > 1


def _enough(number: int, log: Log) -> None:
    if number < FEWEST_SLICES:
        counts = {"count": number, "least": FEWEST_SLICES}
        if not log.skipped:
            raise ReadError("too_few_slices", **counts)
        raise ReadError("too_few_slices.skipped", reasons=skip_words(log.skipped), **counts)


def _warn_of_lost(log: Log) -> None:
    """Warn of unusable images, which may be lost slices: one lost at an end leaves no gap."""
    lost = {code: count for code, count in log.skipped.items() if code in LOST}
    if lost:
        log.warn("files_unusable", count=sum(lost.values()), reasons=skip_words(lost))


def _decode(slices: list[Slice], log: Log) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Decode file by file: int16 (n, rows, columns) HU, and bool (n,), slices that were decoded."""
    first = slices[0].header
    by_file: dict[Path, list[tuple[int, Slice]]] = {}
    for slot, piece in enumerate(slices):
        by_file.setdefault(piece.header.path, []).append((slot, piece))
    for pieces in by_file.values():
        check_pixel_tags(pieces[0][1].header)
    if len(slices) * first.rows * first.columns * 2 > VOLUME_LIMIT:
        raise ReadError("too_large", limit=VOLUME_LIMIT >> 30)
    hu = np.zeros((len(slices), first.rows, first.columns), np.int16)
    good = np.zeros(len(slices), np.bool_)
    clipped = 0
    for pieces in by_file.values():
        slots = {piece.index: slot for slot, piece in pieces}
        try:
            for frame in frames(pieces[0][1].header, tuple(slots)):
                hu[slots[frame.index]], good[slots[frame.index]] = frame.hu, True
                clipped += frame.clipped
        except Skip as skip:
            log.skipped[skip.code] += 1
    _warn_of_pixels(slices, clipped, log)
    return hu, good


def _warn_of_pixels(slices: list[Slice], clipped: int, log: Log) -> None:
    tags = [piece.tags for piece in slices]
    headers = [piece.header for piece in slices]
    bare = sum(tag.slope is None or tag.intercept is None for tag in tags)
    counts = {"no_rescale": bare, "hu_clipped": clipped}
    for code, count in counts.items():
        if count:
            log.warn(code, count=count)
    seen = {
        "monochrome1": any(header.photometric.upper() == "MONOCHROME1" for header in headers),
        "burned_in": any(header.burned_in for header in headers),
        "syntax_guessed": any(header.syntax_guessed for header in headers),
    }
    for code, is_so in seen.items():
        if is_so:
            log.warn(code)


def _without_copies(
    hu: NDArray[np.int16],
    positions: NDArray[np.float64],
    good: NDArray[np.intp],
    slices: list[Slice],
    log: Log,
) -> NDArray[np.intp]:
    """Indices to keep: one of each set of equal slices at the same position.

    Raises ReadError ambiguous_position if slices at one position differ.
    """
    keep: list[int] = []
    for i in good:
        if keep and positions[i] - positions[keep[-1]] < SAME_POSITION:
            if not np.array_equal(hu[i], hu[keep[-1]]):
                first, second = slices[keep[-1]].name, slices[i].name
                raise ReadError("ambiguous_position", first=first, second=second)
        else:
            keep.append(int(i))
    if len(keep) < len(good):
        log.warn("duplicate_slices", count=len(good) - len(keep))
    return np.asarray(keep, np.intp)


def _lattice(positions: NDArray[np.float64]) -> tuple[float, float, NDArray[np.int64]]:
    """Start, step and integer grid indices (first 0) of increasing positions.

    Raises ReadError uneven_spacing.
    """
    gaps = np.diff(positions)
    step = float(np.median(gaps))
    hops = np.where(gaps <= GAP * step, 1, np.rint(gaps / step)).astype(np.int64)
    at = np.concatenate([[0], np.cumsum(hops)])
    step, start = (float(v) for v in np.polyfit(at, positions, 1))
    off = float(np.abs(positions - (start + step * at)).max()) / step
    if off > JITTER:
        raise ReadError("uneven_spacing", least=float(gaps.min()), most=float(gaps.max()))
    return round(start, 6), round(step, 6), at


def _report_gaps(
    at: NDArray[np.int64],
    positions: NDArray[np.float64],
    total: int,
    log: Log,
    where: Callable[[float], str],
) -> None:
    holes = [
        (float(a), float(b), int(j - i - 1))
        for (i, j), (a, b) in zip(pairwise(at), pairwise(positions), strict=True)
        if j - i > 1
    ]
    missing = total - len(at)
    spots = "; ".join(f"{n} between {where(a)} and {where(b)}" for a, b, n in holes[:5]) + (
        "; ..." if len(holes) > 5 else ""
    )
    if missing > MISSING_LIMIT * total:
        raise ReadError("missing_slices.many", count=missing, total=total, places=spots)
    log.warn("missing_slices", count=missing, total=total, places=spots)


def _filled(
    hu: NDArray[np.int16], names: list[str], at: NDArray[np.int64], total: int
) -> tuple[NDArray[np.int16], list[str]]:
    out = np.empty((total, *hu.shape[1:]), np.int16)
    out[at] = hu
    named = dict(zip(at.tolist(), names, strict=True))
    for row, (i, j) in enumerate(pairwise(at.tolist())):
        for k in range(i + 1, j):
            share = (k - i) / (j - i)
            out[k] = np.rint(hu[row] * (1 - share) + hu[row + 1] * share)
    return out, [named.get(k, f"interpolated-{k}") for k in range(total)]
