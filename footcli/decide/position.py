"""Position of a value relative to its normal range: the one rule for evidence and tables."""

from __future__ import annotations

from enum import StrEnum


class Position(StrEnum):
    """Position relative to a range. NEAR: within the guard band of an end, on either side of it."""

    WITHIN = "within"
    NEAR = "near"
    OUTSIDE = "outside"
    NO_RANGE = "no_range"
    MISSING = "missing"


def is_near(value: float, limit: float, band: float) -> bool:
    """Whether a value is so near to a limit that measurement error may put it on either side."""
    return abs(value - limit) < band


def position(
    value: float | None, low: float | None, high: float | None, band: float = 0.0
) -> Position:
    """Position of a value relative to a range and its guard band, all in the value's unit.

    value: None if missing. low, high: ends of the range, None if open.
    """
    if value is None:
        return Position.MISSING
    limits = [limit for limit in (low, high) if limit is not None]
    if not limits:
        return Position.NO_RANGE
    if any(is_near(value, limit, band) for limit in limits):
        return Position.NEAR
    return Position.OUTSIDE if excess(value, low, high) > 0 else Position.WITHIN


def excess(value: float, low: float | None, high: float | None) -> float:
    """Distance of a value beyond its range, in its unit; 0 or less inside."""
    beyond = [low - value] if low is not None else []
    beyond += [value - high] if high is not None else []
    return max(beyond, default=0.0)
