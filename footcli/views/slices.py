"""The report's pictures: 8-bit slices through anatomy and lesions in each plane, and slab views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.domain import Lesion, Plane, Side, Volume
from footcli.frame.axes import FootFrame
from footcli.infer.prepare import orientation
from footcli.infer.spec_checks import VIEW_MM
from footcli.infer.views import Slab
from footcli.kinds import BONE_ID
from footcli.store.pictures import View
from footcli.text.lines import Line
from footcli.views.cut import (
    Cutter,
)

NEAR_SLICES = 5  # slices this close to another one add nothing
DARK = 8  # grey values up to this count as empty
# The default slices of each plane: through the middle of these bones
CUTS = {
    Plane.SAG: ("Talus", "Calcaneus", "1st Metatarsal", "3rd Metatarsal"),
    Plane.COR: ("Talus", "Calcaneus", "MidFoot", "2nd Metatarsal"),
    Plane.AXL: ("Tibia", "Talus", "Calcaneus", "MidFoot"),
}
# Edge letters of a left foot's views, and the captions. The toes of the sagittal view point to the
# left, so it shows a left foot from lateral and a right foot from medial. The other two views of a
# right foot are mirror images.
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


def build_views(
    volume: Volume,
    labels: NDArray[np.uint8],
    frame: FootFrame,
    slabs: Sequence[Slab],
    lesions: Sequence[Lesion],
    shown: Shown,
) -> tuple[View, ...]:
    """All pictures of one foot: slab views, then slices. labels: uint8 (z, y, x), input grid."""
    sure = shown.side is not None
    drawn = shown.side or handedness(volume, frame, shown.turned)
    views = [_slab_view(view, frame, volume.spacing_known, drawn, sure) for view in slabs]
    boxes = ndimage.find_objects(labels, max_label=10)
    if all(box is None for box in boxes):
        return tuple(views)
    around = ndimage.find_objects((labels > 0).astype(np.uint8))[0]
    cutter = Cutter(volume, labels, *orientation(volume.affine, shown.turned), around, sure)
    for plane in Plane:
        array_axis = cutter.order[plane.array_axis]
        for index in _indices(plane, array_axis, boxes, lesions):
            views.append(cutter.cut(plane, index))
    return tuple(views)


@dataclass(frozen=True, slots=True)
class Shown:
    """Orientation of the pictures. turned: see prepare.orientation.

    side: of the foot, None if unknown; then the pictures assume that the volume's directions are
    the usual ones.
    """

    turned: tuple[bool, ...]
    side: Side | None


def handedness(volume: Volume, frame: FootFrame, turned: tuple[bool, ...]) -> Side:
    """The side of the foot, assuming that canonical x runs to the patient's left, as is usual."""
    order, flip = orientation(volume.affine, turned)
    to_zyx = np.zeros((3, 3))
    for axis, (source, backwards) in enumerate(zip(order, flip, strict=True)):
        to_zyx[2 - source, 2 - axis] = -1.0 if backwards else 1.0
    # canonical x left, y back, z up; foot x medial, y forward, z up: for a left foot these differ
    # by a rotation, for a right foot by a reflection
    return "L" if np.linalg.det(frame.to_foot[:3, :3] @ to_zyx) > 0 else "R"


def _indices(
    plane: Plane,
    array_axis: int,
    boxes: Sequence[tuple[slice, ...] | None],
    lesions: Iterable[Lesion],
) -> list[int]:
    """Slice numbers along the input array axis: middles of bones and of this plane's lesions."""
    found = []
    for name in CUTS[plane]:
        box = boxes[BONE_ID[name] - 1]
        if box is not None:
            found.append((box[array_axis].start + box[array_axis].stop - 1) // 2)
    found += [round(sum(x.slices) / 2) for x in lesions if x.plane.axis == 2 - array_axis]
    kept: list[int] = []
    for index in reversed(found):  # lesions first: they are at the end
        if all(abs(index - k) > NEAR_SLICES for k in kept):
            kept.append(index)
    return sorted(kept)


def _slab_view(view: Slab, frame: FootFrame, known: bool, side: Side, sure: bool) -> View:
    """A slab as a picture of that side's foot, cropped. sure: the side is known, not assumed."""
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
