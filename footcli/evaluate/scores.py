"""Overlap of masks, errors of angles: what a case's result is worth against its truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Measurement


def dice(found: NDArray[np.uint8], truth: NDArray[np.uint8], classes: int) -> dict[int, float]:
    """Dice coefficient of each class 1..classes that the truth holds. Arrays of labels.

    Raises ValueError if their shapes differ.
    """
    if found.shape != truth.shape:
        raise ValueError(f"labels must have the truth's shape {truth.shape}, got {found.shape}")
    n = classes + 1
    pairs = np.bincount((truth.astype(np.int64) * n + found).ravel(), minlength=n * n).reshape(n, n)
    return {k: float(2 * pairs[k, k] / (pairs[k].sum() + pairs[:, k].sum())) for k in range(1, classes + 1) if pairs[k].sum()}


def angle_errors(measurements: tuple[Measurement, ...], truth: Mapping[str, float], source: str) -> dict[str, float | None]:
    """Absolute error in degrees of each true angle from one source; None where the result has no value."""
    found = {m.name: m.value for m in measurements if m.source == source}
    out: dict[str, float | None] = {}
    for name, value in truth.items():
        got = found.get(name)
        out[name] = None if got is None else abs(got - value)
    return out
