"""Overlap of two label volumes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def dice(found: NDArray[np.uint8], truth: NDArray[np.uint8], classes: int) -> dict[int, float]:
    """Dice coefficient of each class 1..classes that the truth holds. Arrays of labels.

    Raises ValueError if their shapes differ.
    """
    if found.shape != truth.shape:
        raise ValueError(f"labels must have the truth's shape {truth.shape}, got {found.shape}")
    n = classes + 1
    pairs = np.bincount((truth.astype(np.int64) * n + found).ravel(), minlength=n * n).reshape(n, n)
    return {
        k: float(2 * pairs[k, k] / (pairs[k].sum() + pairs[:, k].sum()))
        for k in range(1, classes + 1)
        if pairs[k].sum()
    }
