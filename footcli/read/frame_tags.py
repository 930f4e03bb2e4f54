"""Read the tags of each frame of a file: position, direction, pixel spacing, rescale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from footcli.errors import ReadError
from footcli.read import elements as e
from footcli.read.source import UNDEFINED, PixelSpan
from footcli.system.names import safe_text

FRAMES_LIMIT = 20_000
"""Frames of one file; the longest real series have a quarter of that."""


@dataclass(frozen=True, slots=True)
class FrameTags:
    """The tags of one frame: None if absent, NaN for values that are not numbers.

    position: x, y, z, LPS mm. orientation: six direction cosines, of a row, then of a column.
    spacing: between rows, between columns, mm. As read: the number of values is not checked.
    guessed: whether the position is not the file's own, but assumed.
    """

    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    slope: float | None
    intercept: float | None
    guessed: bool = False


def read_frames(
    path: Path, data: Any, shared: Any, pixels: PixelSpan, size: int
) -> tuple[FrameTags, ...]:
    """The tags of every frame: of its own group, else the shared group, else the root.

    size: bytes of the file. Raises ReadError bad_frames.
    """
    number = _frame_count(path, data, pixels, size)
    groups = e.items(data, e.FRAME_GROUPS)
    if groups and len(groups) != number:
        name, described = safe_text(path.name), len(groups)
        raise ReadError("bad_frames.described", file=name, count=number, described=described)
    if not groups and number > 1:
        return _even_frames(data, number)
    return tuple(_frame_tags([data, shared, group]) for group in groups or [None])


def _frame_count(path: Path, data: Any, pixels: PixelSpan, size: int) -> int:
    """The number of frames. Raises ReadError if the pixel data are too short for that number."""
    if not e.text(data, e.FRAMES):
        return 1
    number = e.count(data, e.FRAMES) or 0
    # Every frame takes at least a byte, so a valid number is no larger than the data.
    if not 1 <= number <= min(pixels.length, size, FRAMES_LIMIT):
        raise ReadError("bad_frames.number", file=safe_text(path.name))
    rows, columns = e.integer(data, e.ROWS) or 0, e.integer(data, e.COLUMNS) or 0
    cells = rows * columns * ((e.integer(data, e.BITS_ALLOCATED) or 0) // 8)
    if number > 1 and pixels.length != UNDEFINED and number * cells > pixels.length:
        raise ReadError("bad_frames.short", file=safe_text(path.name), count=number)
    return number


def _frame_tags(positions: list[Any]) -> FrameTags:
    def find(sequence: int, tag: int) -> tuple[float, ...] | None:
        found = None
        for position in positions:
            if position is not None:
                inner = (
                    position if position is positions[0] else first_of(e.items(position, sequence))
                )
                found = (e.numbers(inner, tag) if inner is not None else None) or found
        return found

    slope, intercept = find(e.PIXEL_VALUES, e.SLOPE), find(e.PIXEL_VALUES, e.INTERCEPT)
    return FrameTags(
        position=find(e.PLANE_POSITION, e.POSITION),
        orientation=find(e.PLANE_ORIENTATION, e.ORIENTATION),
        spacing=find(e.PIXEL_MEASURES, e.PIXEL_SPACING),
        slope=slope[0] if slope else None,
        intercept=intercept[0] if intercept else None,
    )


def _even_frames(data: Any, number: int) -> tuple[FrameTags, ...]:
    """Frames of an older multi-frame file, which gives the position of the first frame only.

    The others are assumed to follow along the normal at the slice spacing. A slice thickness is no
    spacing: slices may overlap.
    """
    first = _frame_tags([data])
    steps = e.numbers(data, e.SLICE_SPACING)
    across, start = first.orientation, first.position
    placed = start is not None and len(start) == 3 and across is not None and len(across) == 6
    if not placed or not steps or not isfinite(steps[0]) or start is None or across is None:
        return (replace(first, position=None),) * number
    (a, b, c, p, q, r), (x, y, z) = across, start
    normal = (b * r - c * q, c * p - a * r, a * q - b * p)
    frames = []
    for k in range(number):
        step = k * steps[0]
        position = (x + step * normal[0], y + step * normal[1], z + step * normal[2])
        frames.append(replace(first, position=position, guessed=k > 0))
    return tuple(frames)


def first_of(found: list[Any]) -> Any:
    """The first item, None if there is none."""
    return found[0] if found else None
