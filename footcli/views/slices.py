"""What the report shows: 8-bit slices of each plane through the anatomy and the lesions, and the
slab views.
"""

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

NEAR_SLICES = 5  # a picture this close to another shows nothing new
DARK = 8  # grey values up to this are nothing to see
# Where each plane is cut by default: through the middle of these bones
CUTS = {
    Plane.SAG: ("Talus", "Calcaneus", "1st Metatarsal", "3rd Metatarsal"),
    Plane.COR: ("Talus", "Calcaneus", "MidFoot", "2nd Metatarsal"),
    Plane.AXL: ("Tibia", "Talus", "Calcaneus", "MidFoot"),
}
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


def build_views(
    volume: Volume,
    labels: NDArray[np.uint8],
    frame: FootFrame,
    slabs: Sequence[Slab],
    lesions: Sequence[Lesion],
    shown: Shown,
) -> tuple[View, ...]:
    """All pictures of one foot. labels: uint8 (z, y, x) on the input grid."""
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
    """How the pictures stand. turned: see prepare.orientation.

    side: of the foot; None where it is not known: then the pictures show what the volume shows if
    its directions are the usual ones.
    """

    turned: tuple[bool, ...]
    side: Side | None


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
