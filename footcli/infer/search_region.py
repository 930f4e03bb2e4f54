"""The search region of each lesion kind, and the kinds that a scan does not allow to assess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.kinds import ARCH, BONE_ID, LESION, LESIONS
from footcli.text.lines import Line


def not_assessable(present: Mapping[str, bool]) -> dict[str, Line]:
    """Lesion name -> why it cannot be assessed.

    present: bone name -> whether enough of it is in the scan.
    """
    return {kind.name: kind.why_not for kind in LESIONS if not present.get(kind.needs, False)}


def searched(
    labels: NDArray[np.uint8], classes: Sequence[str], pixel_mm: float, axis: int
) -> tuple[slice, slice, slice] | None:
    """The region (z, y, x) of the grid in which these lesions are searched; None without bones.

    labels: (z, y, x). axis: the array axis along the slices' normal.
    """
    lows, highs = [], []
    for name in classes:
        kind = LESION[name]
        near = np.isin(labels, [BONE_ID[bone] for bone in kind.searched])
        if near.any():
            grow = np.full(3, round(kind.beside_mm / pixel_mm))
            grow[axis] = round(kind.before_mm / pixel_mm)
            box = ndimage.find_objects(near.astype(np.uint8))[0]
            lows.append(np.array([s.start for s in box]) - grow)
            highs.append(np.array([s.stop for s in box]) + grow)
    if not lows:
        return None
    low = np.maximum(np.min(lows, 0), 0).tolist()
    high = np.minimum(np.max(highs, 0), labels.shape).tolist()
    z, y, x = (slice(start, stop) for start, stop in zip(low, high, strict=True))
    return z, y, x


def shown(labels: NDArray[np.uint8]) -> tuple[int, int]:
    """First and last sagittal slice with a bone at the ends of the arch.

    The ground truth labels the arch there, but the network detects its ends poorly.
    """
    shown = np.flatnonzero(
        np.isin(labels, [BONE_ID[bone] for bone in LESION[ARCH].searched]).any((0, 1))
    )
    return int(shown[0]), int(shown[-1])
