"""The same scan in every voxel order a file may have: all 48 signed permutations of the axes.

For tests.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Volume

Order = tuple[tuple[int, int, int], tuple[bool, bool, bool]]
ORDERS: tuple[Order, ...] = tuple(
    product(permutations((0, 1, 2)), product((False, True), repeat=3))
)  # type: ignore[arg-type]
SOME_ORDERS: tuple[Order, ...] = (
    ((0, 1, 2), (False, False, False)),
    ((0, 1, 2), (True, False, True)),
    ((2, 0, 1), (False, True, False)),
    ((1, 2, 0), (True, True, True)),
)


def volume_of(hu: NDArray[np.int16], spacing_mm: tuple[float, float, float]) -> Volume:
    """A scan on a grid along LPS; hu int16 (z, y, x), spacing x, y, z."""
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = 7.0, -3.0, 11.0
    return Volume(
        np.ascontiguousarray(hu), affine, tuple(f"s{i:04d}" for i in range(hu.shape[0])), "0" * 64
    )


def reordered_array(array: NDArray[np.int16], order: Order) -> NDArray[np.int16]:
    """The array with its axes in another order, some of them backwards."""
    axes, backwards = order
    return np.ascontiguousarray(
        array.transpose(axes)[tuple(slice(None, None, -1 if b else 1) for b in backwards)]
    )


def new_to_old(shape: tuple[int, ...], order: Order) -> NDArray[np.float64]:
    """(4, 4) voxel (x, y, z, 1) of the reordered array -> voxel of the array that had `shape` (z,
    y, x).
    """
    axes, backwards = order
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for new, old in enumerate(axes):
        matrix[2 - old, 2 - new] = -1 if backwards[new] else 1
        matrix[2 - old, 3] = shape[old] - 1 if backwards[new] else 0
    return matrix


def reordered(volume: Volume, order: Order) -> Volume:
    """The same scan, every point at the same place in mm, in another voxel order."""
    hu = reordered_array(volume.hu, order)
    return Volume(
        hu,
        volume.affine @ new_to_old(volume.hu.shape, order),
        tuple(f"s{i:04d}" for i in range(hu.shape[0])),
        "0" * 64,
    )
