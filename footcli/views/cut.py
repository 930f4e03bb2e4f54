"""Slices of the input, upright, cropped to the bones, with square pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from footcli.domain import Plane, Side, Volume
from footcli.geometry import Array
from footcli.infer.prepare import window
from footcli.store.pictures import View

BONE_WINDOW = (-500.0, 1500.0)
MARGIN_MM = 14.0  # of soft tissue kept around the bones
UNKNOWN_MM = 0.4  # assumed voxel edge if the spacing is unknown
LARGEST_PX = 900  # longer pictures are shrunk
UNEVEN = 1.03  # pixels with a larger ratio of sides are made square
SIDES: tuple[Side, ...] = ("L", "R")
EDGES = {
    Plane.AXL: ("R", "L", "A", "P"),
    Plane.COR: ("R", "L", "S", "I"),
    Plane.SAG: ("A", "P", "S", "I"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Cutter:
    """Cuts slices from the input, upright and cropped to the bones.

    labels: uint8 (z, y, x) on the input grid. order, flip: see prepare.orientation. around: the
    bones' bounding box (z, y, x). sure: the side is known.
    """

    volume: Volume
    labels: NDArray[np.uint8]
    order: tuple[int, int, int]
    flip: tuple[bool, bool, bool]
    around: tuple[slice, ...]
    sure: bool

    def cut(self, plane: Plane, index: int) -> View:
        """The slice `index` along the input array axis that is the plane's normal."""
        rows_c, columns_c = (a for a in range(3) if a != plane.array_axis)
        rows, columns = self.order[rows_c], self.order[columns_c]
        normal = self.order[plane.array_axis]
        crop = self._crop(rows, columns)
        crop[normal] = slice(index, index + 1)
        # canonical z points up, a picture's rows point down
        backwards = {rows: self.flip[rows_c] != (rows_c == 0), columns: self.flip[columns_c]}
        pictures: list[NDArray[Any]] = []
        for array in (self.volume.hu, self.labels):
            picture: NDArray[Any] = array[tuple(crop)].squeeze(normal)
            picture = picture if rows < columns else picture.T
            up, left = -1 if backwards[rows] else 1, -1 if backwards[columns] else 1
            pictures.append(picture[::up, ::left])
        to_px = np.zeros((2, 4))
        for line, axis in ((1, rows), (0, columns)):
            to_px[line, 2 - axis] = -1 if backwards[axis] else 1
            to_px[line, 3] = crop[axis].stop - 1 if backwards[axis] else -crop[axis].start
        step = self.volume.spacing_mm[::-1]
        grey = (255 * window(np, pictures[0].astype(np.float32), *BONE_WINDOW)).astype(np.uint8)
        square = _square(grey, pictures[1], to_px, float(step[rows]), float(step[columns]))
        shown = (Plane.AXL, Plane.COR, Plane.SAG)[normal]
        return View(
            f"{shown}-{index}",
            shown,
            index,
            square[0],
            square[1],
            to_px,
            self._edges(plane),
            square[2] if self.volume.spacing_known else None,
        )

    def _crop(self, rows: int, columns: int) -> list[slice]:
        """The bones with a margin, along two array axes."""
        step = self.volume.spacing_mm[::-1]
        crop = [slice(None)] * 3
        for axis in (rows, columns):
            edge = step[axis] if self.volume.spacing_known else UNKNOWN_MM
            grow = int(MARGIN_MM / edge)
            start, stop = self.around[axis].start - grow, self.around[axis].stop + grow
            crop[axis] = slice(max(0, start), min(self.volume.hu.shape[axis], stop))
        return crop

    def _edges(self, plane: Plane) -> tuple[str, str, str, str]:
        """The letters at the left, right, top and bottom edge; "?" for unknown left and right."""
        left, right, top, bottom = EDGES[plane]
        if left in SIDES and not (self.sure or self.volume.orientation_known):
            left = right = "?"
        return left, right, top, bottom


def _square(
    grey: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    to_px: Array,
    row_mm: float,
    column_mm: float,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], float]:
    """Resample to square pixels and at most LARGEST_PX; returns grey, mask and pixel mm.

    to_px is scaled accordingly, in place.
    """
    pixel = min(row_mm, column_mm)
    h, w = grey.shape[0] * row_mm / pixel, grey.shape[1] * column_mm / pixel
    shrink = max(1.0, max(h, w) / LARGEST_PX)
    size = (max(1, round(w / shrink)), max(1, round(h / shrink)))
    if max(row_mm, column_mm) / pixel > UNEVEN or shrink > 1:
        sx, sy = size[0] / grey.shape[1], size[1] / grey.shape[0]
        grey = _resized(grey, size, Image.Resampling.BILINEAR)
        mask = _resized(mask, size, Image.Resampling.NEAREST)
        to_px[0] *= sx
        to_px[1] *= sy
        to_px[0, 3] += (sx - 1) / 2
        to_px[1, 3] += (sy - 1) / 2
    return np.ascontiguousarray(grey), np.ascontiguousarray(mask), pixel * shrink


def _resized(
    picture: NDArray[np.uint8], size: tuple[int, int], how: Image.Resampling
) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(size, how))
