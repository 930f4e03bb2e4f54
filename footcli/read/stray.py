"""Slices that are not of the stack: a stray one far away, a second pass over the same body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from footcli.errors import ReadError
from footcli.read.collect import Log

FAR_STEPS = 20.0  # a gap of more steps separates strays from the stack
MOST_STRAYS = 3  # more slices beyond such a gap are a stack of their own
DIGITS = 3  # of a position that count
EVEN = 0.05  # largest deviation of a pass's steps, as a share of the step
FEWEST_TWICE = 16  # slices of two passes


def without_strays(positions: NDArray[np.float64], log: Log) -> NDArray[np.intp]:
    """Indices of the slices that belong to the stack, in their order; a warning counts the others.

    positions: (n,) mm, or slice numbers. A scout image of the same series lies far from the stack.
    """
    every = np.arange(len(positions))
    places, which = np.unique(np.round(positions, DIGITS), return_inverse=True)
    gaps = np.diff(places)
    if not len(gaps):
        return every
    breaks = np.flatnonzero(gaps > FAR_STEPS * np.median(gaps)) + 1
    pieces = np.split(np.arange(len(places)), breaks)
    stack = max(pieces, key=len)
    strays = len(places) - len(stack)
    length = places[stack[-1]] - places[stack[0]]
    if not 0 < strays <= MOST_STRAYS or gaps[breaks - 1].min() <= length:
        return every  # a gap shorter than the stack may be slices that are lost
    log.warn("stray_slices", count=strays)
    return np.flatnonzero(np.isin(which, stack))


def refuse_two_passes(positions: NDArray[np.float64]) -> None:
    """Raises ReadError two_passes if the positions are two interleaved, evenly spaced stacks.

    positions: (n,) mm, increasing.
    """
    if len(positions) < FEWEST_TWICE:
        return
    steps = [np.diff(positions[start::2]) for start in (0, 1)]
    step = float(np.median(steps[0]))
    if any(np.abs(own - step).max() > EVEN * step for own in steps):
        return
    shift = float(np.median(positions[1::2] - positions[0::2][: len(positions[1::2])]))
    if abs(shift - step / 2) > EVEN * step:
        raise ReadError("two_passes", step=step, shift=shift)
