"""Pictures of one foot for its report: slices and slabs, and the stack that a reader scrolls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Plane
from footcli.text.lines import Line


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A picture for the report: a slice of the volume, or a slab projected along a foot axis.

    image: uint8 (rows, columns). labels: uint8 (rows, columns), bone ids, 0 background. vox_to_px:
    float64 (2, 4), voxel (x, y, z, 1) -> (column, row). edges: letters at the left, right, top and
    bottom edge: A P S I L R, "La" lateral, "Me" medial, "?" unknown. index: slice number along
    `plane`; None for a slab. pixel_mm: edge of the square pixel, None if unknown.
    """

    key: str
    plane: Plane
    index: int | None
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    vox_to_px: NDArray[np.float64]
    edges: tuple[str, str, str, str]
    pixel_mm: float | None
    caption: Line | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """The scan of one foot as a stack of cubic voxels, x to the patient's left, y back, z up.

    sheets: grey JPEG files; each shows `per_sheet` slices of rows x columns one below the other,
    the first sheet begins with the lowest z. shape: (slices, rows, columns). curve: (HU, grey)
    knots, linear in between. to_vox: float64 (4, 4), stack voxel (x, y, z, 1) -> input voxel.
    voxel_mm: voxel edge, None if unknown.
    """

    sheets: tuple[bytes, ...]
    per_sheet: int
    shape: tuple[int, int, int]
    curve: tuple[tuple[float, float], ...]
    to_vox: NDArray[np.float64]
    voxel_mm: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """The pictures of one foot, and its stack if there is one."""

    views: tuple[View, ...] = ()
    stack: Stack | None = None
