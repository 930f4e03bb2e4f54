"""Network inputs from a volume, shared with training: HU windows, canonical grid, slice stacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from footcli.domain import Plane, Volume
from footcli.geometry import Array

F32 = NDArray[np.float32]
AIR_HU = -1000.0


def window(xp: Any, hu: Any, low: float, high: float) -> Any:
    """HU -> 0..1 between low and high, clipped; `xp` is numpy or torch."""
    return xp.clip((hu - low) / (high - low), 0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Canonical:
    """A volume on the canonical grid: cubic voxels, x to the patient's left, y back, z up.

    hu: float32 (z, y, x). to_input: float64 (4, 4), canonical voxel (x, y, z, 1) -> input voxel.
    order: for each canonical array axis (z, y, x) its input array axis; flip: whether that axis
    is reversed.
    """

    hu: F32
    pixel_mm: float
    to_input: Array
    order: tuple[int, int, int]
    flip: tuple[bool, bool, bool]


def orientation(
    affine: Array, turned: tuple[bool, ...] = (False, False)
) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """The input array axis of each canonical axis (z, y, x), and whether it is reversed.

    turned: (up-down, front-back[, left-right]), further flips if the affine's directions cannot be
    trusted.
    """
    direction = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    best = max(
        _permutations(), key=lambda p: sum(abs(direction[lps, vox]) for lps, vox in enumerate(p))
    )
    order, flip = [], []
    for lps, extra in zip((2, 1, 0), (*turned, False), strict=False):
        order.append(2 - best[lps])
        flip.append(bool(direction[lps, best[lps]] < 0) != extra)
    return (order[0], order[1], order[2]), (flip[0], flip[1], flip[2])


def _permutations() -> tuple[tuple[int, int, int], ...]:
    return ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def axis_weights(n_in: int, spacing: float, n_out: int, pixel: float) -> F32:
    """(n_out, n_in) weights of a tent filter that resamples one axis; the first samples coincide.

    spacing, pixel: input and output spacing, mm.
    """
    at = np.arange(n_out) * (pixel / spacing)
    reach = max(1.0, pixel / spacing)
    weights = np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(n_in)[None]) / reach)
    return np.asarray(weights / np.maximum(weights.sum(1, keepdims=True), 1e-9), dtype=np.float32)


def canonical(
    volume: Volume, pixel_mm: float, turned: tuple[bool, ...] = (False, False)
) -> Canonical:
    """Resample a volume to the canonical grid with voxels of pixel_mm.

    If the spacing is unknown, volume.spacing_mm is used as it is.
    """
    order, flip = orientation(volume.affine, turned)
    spacing = volume.spacing_mm[::-1][list(order)]
    view = oriented(volume.hu, order, flip)
    # - 1e-6: rounding errors must not add a last sample that no input voxel reaches
    shape = [
        int(np.ceil((n - 1) * s / pixel_mm - 1e-6)) + 1
        for n, s in zip(view.shape, spacing, strict=True)
    ]
    # sparse: a sample has three or four weights at most; takes a tenth of the time of full matrices
    wz, wy, wx = (
        csr_array(axis_weights(n, s, m, pixel_mm))
        for n, s, m in zip(view.shape, spacing, shape, strict=True)
    )
    rows = np.empty((view.shape[0], shape[1], shape[2]), np.float32)
    for scaled, part in zip(rows, view, strict=True):
        scaled[:] = (wx @ np.ascontiguousarray((wy @ part.astype(np.float32)).T)).T
    hu = (wz @ rows.reshape(view.shape[0], -1)).reshape(shape)
    to_input = np.zeros((4, 4))
    to_input[3, 3] = 1
    for axis in range(3):  # canonical array axis -> its rows and columns in (x, y, z) order
        row, column = 2 - order[axis], 2 - axis
        step = pixel_mm / spacing[axis]
        to_input[row, column] = -step if flip[axis] else step
        to_input[row, 3] = view.shape[axis] - 1 if flip[axis] else 0
    return Canonical(hu, pixel_mm, to_input, order, flip)


def alone(grid: Canonical, part_mm: tuple[float, float] | None) -> Canonical:
    """The grid with air outside a range along x (mm from the first voxel); unchanged for None."""
    if part_mm is None:
        return grid
    x = np.arange(grid.hu.shape[2]) * grid.pixel_mm
    return replace(
        grid, hu=np.where((x >= part_mm[0]) & (x < part_mm[1]), grid.hu, np.float32(AIR_HU))
    )


def oriented(
    array: NDArray[Any], order: tuple[int, int, int], flip: tuple[bool, bool, bool]
) -> NDArray[Any]:
    """A view of an input array in canonical order and direction (see `orientation`)."""
    return array.transpose(order)[tuple(slice(None, None, -1 if f else 1) for f in flip)]


def to_input_order(
    array: NDArray[Any], order: tuple[int, int, int], flip: tuple[bool, bool, bool]
) -> NDArray[Any]:
    """An array in canonical order -> the input's axis order and directions; undoes `oriented`."""
    turned = array[tuple(slice(None, None, -1 if f else 1) for f in flip)]
    return turned.transpose(np.argsort(order))


def neighbours(
    hu: NDArray[Any], plane: Plane, index: int, offsets_mm: tuple[float, ...], pixel_mm: float
) -> F32:
    """(C, H, W) float32 HU: the slices at the offsets from slice `index` along the plane's normal.

    hu: canonical (z, y, x). Air beyond the ends.
    """
    stack = np.moveaxis(hu, plane.array_axis, 0)
    out = np.full((len(offsets_mm), *stack.shape[1:]), AIR_HU, np.float32)
    for channel, offset in enumerate(offsets_mm):
        at = index + round(offset / pixel_mm)
        if 0 <= at < stack.shape[0]:
            out[channel] = stack[at]
    return out


def pad_to(image: F32, multiple: int) -> F32:
    """HU (..., H, W) padded with air at the bottom and right to multiples of `multiple`."""
    h, w = image.shape[-2:]
    pad = [(0, 0)] * (image.ndim - 2) + [(0, -h % multiple), (0, -w % multiple)]
    return np.pad(image, pad, constant_values=AIR_HU)
