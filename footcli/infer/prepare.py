"""From a volume to what the networks see, shared with training: windows, canonical grids, neighbouring slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def window(xp: Any, hu: Any, low: float, high: float) -> Any:
    """HU -> 0..1 between low and high, clipped; `xp` is numpy or torch."""
    return xp.clip((hu - low) / (high - low), 0.0, 1.0)
