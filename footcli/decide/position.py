"""Where a value lies with regard to its normal range: one rule, for evidence and tables."""

from __future__ import annotations

from enum import StrEnum


class Position(StrEnum):
    """NEAR is nearer than the guard band to an end of the range, on either side of it."""

    WITHIN = "within"
    NEAR = "near"
    OUTSIDE = "outside"
    NO_RANGE = "no_range"
    MISSING = "missing"


def is_near(value: float, limit: float, band: float) -> bool:
    """Whether a value is too near to a limit for the method's error to say on which side it is."""
    return abs(value - limit) < band


def position(
    value: float | None, low: float | None, high: float | None, band: float = 0.0
) -> Position:
    """low, high: ends of the range, None where it is open. All in the value's unit."""
    if value is None:
        return Position.MISSING
    limits = [limit for limit in (low, high) if limit is not None]
    if not limits:
        return Position.NO_RANGE
    if any(is_near(value, limit, band) for limit in limits):
        return Position.NEAR
    return Position.OUTSIDE if excess(value, low, high) > 0 else Position.WITHIN


def excess(value: float, low: float | None, high: float | None) -> float:
    """How far a value lies beyond its range; 0 or less inside."""
    beyond = [low - value] if low is not None else []
    beyond += [value - high] if high is not None else []
    return max(beyond, default=0.0)
