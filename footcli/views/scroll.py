"""The scan of one foot as a stack of slices that the report embeds and scrolls through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.domain import Volume
from footcli.frame.axes import FootFrame
from footcli.geometry import Array, apply
from footcli.infer.prepare import canonical
from footcli.kinds import BONES
from footcli.store.pictures import Stack
from footcli.web.svg import jpeg_file

# Margin around the bones, and the extra in front of them, where the toes have no mask
MARGIN_MM, TOES_MM = 18.0, 60.0
MOST_VOXELS = 16_000_000  # more would make the page too large
# (HU, grey): soft tissue gets half of the greys, so that its window keeps contrast
CURVE = ((-1024.0, 0.0), (-250.0, 24.0), (300.0, 150.0), (2000.0, 255.0))
BLOCK = 8  # rows and columns are padded to JPEG blocks, so that slices do not bleed together
SHEET_ROWS = 8000


def build_stack(
    volume: Volume, labels: NDArray[np.uint8], frame: FootFrame, turned: tuple[bool, ...]
) -> Stack | None:
    """The stack of one foot; None without bones. labels: uint8 (z, y, x) on the input grid.

    turned: see prepare.orientation.
    """
    box = _around(labels, frame, volume)
    if box is None:
        return None
    hu = volume.hu[tuple(slice(a, b) for a, b in box)]
    first = np.array([a for a, _ in box][::-1], np.float64)
    affine = volume.affine.copy()
    affine[:3, 3] = apply(volume.affine, first)
    edge = max(
        float(volume.spacing_mm.min()),
        float(np.cbrt(hu.size * np.prod(volume.spacing_mm) / MOST_VOXELS)),
    )
    grid = canonical(replace(volume, hu=hu, affine=affine), edge, turned)
    to_vox = grid.to_input.copy()
    to_vox[:3, 3] += first
    shape = grid.hu.shape
    grey = np.interp(grid.hu, [h for h, _ in CURVE], [g for _, g in CURVE]).astype(np.uint8)
    grey = np.pad(grey, ((0, 0), *((0, -n % BLOCK) for n in shape[1:])))
    per_sheet = max(1, min(shape[0], SHEET_ROWS // grey.shape[1]))
    sheets = tuple(
        jpeg_file(grey[i : i + per_sheet].reshape(-1, grey.shape[2]))
        for i in range(0, shape[0], per_sheet)
    )
    return Stack(
        sheets,
        per_sheet,
        (shape[0], grey.shape[1], grey.shape[2]),
        CURVE,
        to_vox,
        edge if volume.spacing_known else None,
    )


def _around(
    labels: NDArray[np.uint8], frame: FootFrame, volume: Volume
) -> list[tuple[int, int]] | None:
    """First and past-the-end index for each array axis; None without bones."""
    boxes = [b for b in ndimage.find_objects(labels, max_label=len(BONES)) if b is not None]
    if not boxes:
        return None
    forward: Array = (
        np.linalg.inv(frame.to_foot)[:3, 1] * volume.spacing_mm
    )  # unit, along the voxel axes
    out = []
    for axis, n in enumerate(labels.shape):
        step = float(volume.spacing_mm[2 - axis]) if volume.spacing_known else 0.4
        low, high = (
            MARGIN_MM + TOES_MM * max(0.0, sign * float(forward[2 - axis])) for sign in (-1, 1)
        )
        start, stop = min(b[axis].start for b in boxes), max(b[axis].stop for b in boxes)
        out.append((max(0, int(start - low / step)), min(n, int(stop + high / step) + 1)))
    return out
