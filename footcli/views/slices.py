"""What the report shows: 8-bit slices of each plane through the anatomy and the lesions, and the
slab views.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from footcli.domain import Lesion, Plane, Side, View, Volume
from footcli.frame.axes import FootFrame
from footcli.geometry import Array
from footcli.infer.prepare import orientation, window
from footcli.infer.spec import VIEW_MM
from footcli.infer.views import Slab
from footcli.kinds import BONE_ID
from footcli.text.lines import Line

BONE_WINDOW = (-500.0, 1500.0)
MARGIN_MM = 14.0  # of soft tissue kept around the bones
NEAR_SLICES = 5  # a picture this close to another shows nothing new
DARK = 8  # grey values up to this are nothing to see
LARGEST_PX = 900  # a longer picture is shrunk
UNEVEN = 1.03  # pixels whose sides differ by more are made square
# Where each plane is cut by default: through the middle of these bones
CUTS = {
    Plane.SAG: ("Talus", "Calcaneus", "1st Metatarsal", "3rd Metatarsal"),
    Plane.COR: ("Talus", "Calcaneus", "MidFoot", "2nd Metatarsal"),
    Plane.AXL: ("Tibia", "Talus", "Calcaneus", "MidFoot"),
}
SIDES: tuple[Side, ...] = ("L", "R")
# What lies at the edges of a left foot's view, and from where one looks. The toes of the lateral
# view point to the left: of a left foot one sees the outer side then, of a right foot the inner
# side. The two other views of a right foot are the mirror images.
SLAB_EDGES = {
    Plane.SAG: ("A", "P", "S", "I"),
    Plane.COR: ("La", "Me", "S", "I"),
    Plane.AXL: ("La", "Me", "A", "P"),
}
SLAB_WORDS: dict[tuple[Plane, Side], Line] = {
    (Plane.SAG, "L"): Line("view_lateral", seen=Line("seen_from.lateral")),
    (Plane.SAG, "R"): Line("view_lateral", seen=Line("seen_from.medial")),
    (Plane.COR, "L"): Line("view_hindfoot", seen=Line("seen_from.behind")),
    (Plane.COR, "R"): Line("view_hindfoot", seen=Line("seen_from.behind")),
    (Plane.AXL, "L"): Line("view_above", seen=Line("seen_from.toes_up")),
    (Plane.AXL, "R"): Line("view_above", seen=Line("seen_from.toes_up")),
}
EDGES = {
    Plane.AXL: ("R", "L", "A", "P"),
    Plane.COR: ("R", "L", "S", "I"),
    Plane.SAG: ("A", "P", "S", "I"),
}


def build_views(
    volume: Volume,
    labels: NDArray[np.uint8],
    frame: FootFrame,
    slabs: Sequence[Slab],
    lesions: Sequence[Lesion],
    turned: tuple[bool, ...],
    side: Side | None,
) -> tuple[View, ...]:
    """All pictures of one foot. labels: uint8 (z, y, x) on the input grid.

    turned: see prepare.orientation.

    side: of the foot; None where it is not known: then the pictures show what the volume shows if
    its directions are the usual ones.
    """
    drawn = side or handedness(volume, frame, turned)
    views = [
        _slab_view(view, frame, volume.spacing_known, drawn, side is not None) for view in slabs
    ]
    order, flip = orientation(volume.affine, turned)
    boxes = ndimage.find_objects(labels, max_label=10)
    whole = [b for b in boxes if b is not None]
    if not whole:
        return tuple(views)
    around = tuple(
        slice(min(b[a].start for b in whole), max(b[a].stop for b in whole)) for a in range(3)
    )
    for plane in Plane:
        array_axis = order[plane.array_axis]
        for index in _indices(plane, array_axis, boxes, lesions):
            views.append(
                _slice_view(volume, labels, plane, index, order, flip, around, side is not None)
            )
    return tuple(views)


def handedness(volume: Volume, frame: FootFrame, turned: tuple[bool, ...]) -> Side:
    """The side of the foot if canonical x runs to the patient's left, as it does in slices that are
    shown as usual.
    """
    order, flip = orientation(volume.affine, turned)
    to_zyx = np.zeros((3, 3))
    for axis, (source, backwards) in enumerate(zip(order, flip, strict=True)):
        to_zyx[2 - source, 2 - axis] = -1.0 if backwards else 1.0
    # canonical x left, y back, z up; the foot's x medial, y forward, z up: of a left foot one is
    # the other turned
    return "L" if np.linalg.det(frame.to_foot[:3, :3] @ to_zyx) > 0 else "R"


def _indices(
    plane: Plane,
    array_axis: int,
    boxes: Sequence[tuple[slice, ...] | None],
    lesions: Iterable[Lesion],
) -> list[int]:
    """Slice numbers along the input's array axis: middles of bones, and the middle of each lesion
    of this plane.
    """
    found = []
    for name in CUTS[plane]:
        box = boxes[BONE_ID[name] - 1]
        if box is not None:
            found.append((box[array_axis].start + box[array_axis].stop - 1) // 2)
    found += [round(sum(x.slices) / 2) for x in lesions if x.plane.axis == 2 - array_axis]
    kept: list[int] = []
    for index in reversed(found):  # lesions first: they stand at the end
        if all(abs(index - k) > NEAR_SLICES for k in kept):
            kept.append(index)
    return sorted(kept)


def _slab_view(view: Slab, frame: FootFrame, known: bool, side: Side, sure: bool) -> View:
    """A projection as an eye sees that side's foot.

    sure: the side is known and not only assumed.
    """
    mean, top = view.image[:2]
    grey = np.clip(255 * (0.55 * top + 0.9 * mean), 0, 255).astype(np.uint8)
    edges, caption = SLAB_EDGES[view.plane], SLAB_WORDS[view.plane, side]
    to_px = view.to_px @ frame.to_foot
    mask = view.far_labels if view.plane is Plane.SAG and side == "R" else view.labels
    if side == "R" and view.plane is not Plane.SAG:
        grey, mask = grey[:, ::-1], mask[:, ::-1]
        to_px[0] = -to_px[0]
        to_px[0, 3] += grey.shape[1] - 1
        edges = (edges[1], edges[0], *edges[2:])
    if not sure:
        caption = Line(caption.code, seen=Line("seen_from.unknown"))
    rows, columns = (np.flatnonzero((grey > DARK).any(axis)) for axis in (1, 0))
    if rows.size and columns.size:
        top, left = max(0, int(rows[0]) - 4), max(0, int(columns[0]) - 4)
        part = (slice(top, int(rows[-1]) + 5), slice(left, int(columns[-1]) + 5))
        grey, mask = np.ascontiguousarray(grey[part]), np.ascontiguousarray(mask[part])
        to_px[:, 3] -= (left, top)
    return View(
        f"{view.plane}-slab",
        view.plane,
        None,
        grey,
        mask,
        to_px,
        edges,
        VIEW_MM if known else None,
        caption,
    )


def _slice_view(
    volume: Volume,
    labels: NDArray[np.uint8],
    plane: Plane,
    index: int,
    order: tuple[int, int, int],
    flip: tuple[bool, bool, bool],
    around: tuple[slice, ...],
    sure: bool,
) -> View:
    """Cut the input array across the axis that is this plane's normal, upright and cropped to the
    bones.
    """
    rows_c, columns_c = (
        a for a in range(3) if a != plane.array_axis
    )  # canonical array axes of rows and columns
    rows, columns, normal = order[rows_c], order[columns_c], order[plane.array_axis]
    step = volume.spacing_mm[::-1]
    crop = [slice(None)] * 3
    for axis in (rows, columns):
        grow = int(MARGIN_MM / step[axis]) if volume.spacing_known else int(MARGIN_MM / 0.4)
        crop[axis] = slice(
            max(0, around[axis].start - grow), min(volume.hu.shape[axis], around[axis].stop + grow)
        )
    crop[normal] = slice(index, index + 1)
    # canonical z runs up, a picture's rows run down
    backwards = {rows: flip[rows_c] != (rows_c == 0), columns: flip[columns_c]}
    pictures: list[NDArray[Any]] = []
    to_px = np.zeros((2, 4))
    arrays: tuple[NDArray[Any], ...] = (volume.hu, labels)
    for array in arrays:
        picture = array[tuple(crop)].squeeze(normal)
        picture = picture if rows < columns else picture.T
        pictures.append(
            picture[:: -1 if backwards[rows] else 1, :: -1 if backwards[columns] else 1]
        )
    for line, axis in ((1, rows), (0, columns)):
        sign = -1 if backwards[axis] else 1
        to_px[line, 2 - axis] = sign
        to_px[line, 3] = crop[axis].stop - 1 if sign < 0 else -crop[axis].start
    grey = (255 * window(np, pictures[0].astype(np.float32), *BONE_WINDOW)).astype(np.uint8)
    grey, mask, pixel = _square(grey, pictures[1], to_px, float(step[rows]), float(step[columns]))
    shown = Plane({0: "SAG", 1: "COR", 2: "AXL"}[2 - normal])
    left, right, top, bottom = EDGES[plane]
    if left in SIDES and not (sure or volume.orientation_known):
        left = right = "?"
    edges = (left, right, top, bottom)
    return View(
        f"{shown}-{index}",
        shown,
        index,
        grey,
        mask,
        to_px,
        edges,
        pixel if volume.spacing_known else None,
    )


def _square(
    grey: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    to_px: Array,
    row_mm: float,
    column_mm: float,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], float]:
    """Make pixels square and the picture small enough; to_px is scaled along, in place."""
    pixel = min(row_mm, column_mm)
    h, w = grey.shape[0] * row_mm / pixel, grey.shape[1] * column_mm / pixel
    shrink = max(1.0, max(h, w) / LARGEST_PX)
    size = (max(1, round(w / shrink)), max(1, round(h / shrink)))
    if max(row_mm, column_mm) / pixel > UNEVEN or shrink > 1:
        sx, sy = size[0] / grey.shape[1], size[1] / grey.shape[0]
        grey = np.asarray(
            Image.fromarray(np.ascontiguousarray(grey)).resize(size, Image.Resampling.BILINEAR)
        )
        mask = np.asarray(
            Image.fromarray(np.ascontiguousarray(mask)).resize(size, Image.Resampling.NEAREST)
        )
        to_px[0] *= sx
        to_px[1] *= sy
        to_px[0, 3] += (sx - 1) / 2
        to_px[1, 3] += (sy - 1) / 2
    return np.ascontiguousarray(grey), np.ascontiguousarray(mask), pixel * shrink
