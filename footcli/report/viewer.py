"""Data for the page's viewer: masks, bone surfaces, lines and boxes, all in stack voxels."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import marching_cubes

from footcli.domain import CaseResult, Lesion
from footcli.geometry import Array, apply
from footcli.levels import SURE
from footcli.report import overlay
from footcli.report.angle_lines import angle_colour, plane_of
from footcli.report.scene import BOX_COLOUR
from footcli.store.pictures import Stack
from footcli.text.wording import number
from footcli.web.page import term_title

FINE = 64  # surface points are stored in units of 1/FINE voxel
SMOOTH_MM = 0.8
FACET_MM = 1.4
UNKNOWN_MM = 0.6  # assumed voxel edge if unknown; it only sets the resolution of surfaces


def scene(result: CaseResult, labels: NDArray[np.uint8], stack: Stack, lang: str) -> dict[str, Any]:
    """The viewer's data, plain JSON types. labels: uint8 (z, y, x) on the input grid.

    Masks and surfaces are zlib-compressed in base64: masks uint8 (z, y, x) on the stack; corners
    uint16 (n, 3), 1/FINE voxel; faces uint16 (n, 3).
    """
    masks = on_stack(labels, stack)
    to_stack = np.asarray(np.linalg.inv(stack.to_vox), np.float64)
    return {
        "shape": stack.shape,
        "per_sheet": stack.per_sheet,
        "curve": stack.curve,
        "mm": stack.voxel_mm,
        "side": result.side,
        "drawn_as": result.provenance.drawn_as or result.side,
        # without side and directions the patient's right is unknown
        "sides_known": result.side is not None or result.provenance.input.orientation_known,
        "to_vox": np.round(stack.to_vox, 5).tolist(),
        "masks": _packed(masks),
        "fine": FINE,
        "bones": [
            {"colour": colour, **_surface(masks == k, stack.voxel_mm)}
            for k, colour in enumerate(overlay.BONE_COLOURS, start=1)
        ],
        "angles": _angles(result, to_stack),
        "boxes": [_lesion(lesion, to_stack, lang) for lesion in result.lesions],
        "colours": {"box": BOX_COLOUR},
    }


def _angles(result: CaseResult, to_stack: Array) -> list[dict[str, Any]]:
    """The measured angles that have lines, with their points in stack voxels."""
    found = []
    for m in result.measurements:
        if m.value is None or len(m.points_vox) != 4:
            continue
        drawn = {
            "name": m.name,
            "source": m.source,
            "plane": str(plane_of(m)),
            "unit": m.unit,
            "value": m.value,
            "text": number(m.value, m.unit),
            "colour": angle_colour(m.name),
            "points": _rounded(apply(to_stack, m.points_vox)),
        }
        found.append(drawn)
    return found


def _lesion(lesion: Lesion, to_stack: Array, lang: str) -> dict[str, Any]:
    """A lesion's boxes, slice by slice, in stack voxels."""
    return {
        "text": f"{term_title('lesion', lesion.label, lang)} {lesion.score:.2f}",
        "sure": lesion.score >= SURE,
        "boxes": [_rounded(np.sort(apply(to_stack, box), axis=0)) for box in _boxes(lesion)],
    }


def places(result: CaseResult, stack: Stack) -> dict[str, str]:
    """Name -> position "x,y,z" in stack voxels, rounded.

    For each measured angle the mean of its points, for each lesion label the centre of its box.
    """
    to_stack = np.linalg.inv(stack.to_vox)
    found: dict[str, Array] = {}
    for m in result.measurements:
        if m.value is not None and m.points_vox:
            found.setdefault(m.name, np.mean(m.points_vox, axis=0))
    for lesion in result.lesions:
        found.setdefault(
            lesion.label, (np.array(lesion.box_vox[:3]) + lesion.box_vox[3:]) / 2 - 0.5
        )
    return {name: _coordinates(apply(to_stack, at)) for name, at in found.items()}


def _coordinates(point: Array) -> str:
    return ",".join(f"{value:.0f}" for value in point)


def on_stack(labels: NDArray[np.uint8], stack: Stack) -> NDArray[np.uint8]:
    """uint8 (z, y, x) on the stack: labels resampled by nearest neighbour, 0 outside the input.

    labels: uint8 (z, y, x) on the input grid, whose axes are parallel to the stack's.
    """
    turn = stack.to_vox[:3, :3]
    index: list[NDArray[np.int64]] = [np.zeros(0, np.int64)] * 3
    order = [0, 0, 0]
    for axis in range(3):  # x, y, z of the stack
        row = int(np.abs(turn[:, axis]).argmax())
        at = np.rint(
            stack.to_vox[row, 3] + turn[row, axis] * np.arange(stack.shape[2 - axis])
        ).astype(np.int64)
        index[2 - row], order[2 - axis] = at, 2 - row
    inside = [(at >= 0) & (at < n) for at, n in zip(index, labels.shape, strict=True)]
    kept = [np.where(ok, at, 0) for ok, at in zip(inside, index, strict=True)]
    there = inside[0][:, None, None] & inside[1][:, None] & inside[2]
    cut = np.where(there, labels[np.ix_(*kept)], 0)
    return np.ascontiguousarray(cut.transpose(order))


def _boxes(lesion: Lesion) -> list[Array]:
    """Corners (2, 3) of the lesion's box in each of its slices, input voxels.

    Boxes are half-open, so their edges lie between voxel centres.
    """
    x, y = (axis for axis in range(3) if axis != lesion.plane.axis)
    out = []
    for index in range(lesion.slices[0], lesion.slices[1] + 1):
        if (box := lesion.box_in(index)) is not None:
            ends = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
            ends[:, lesion.plane.axis] += index
            ends[:, [x, y]] = np.reshape(box, (2, 2))
            out.append(ends - 0.5)
    return out


def _surface(mask: NDArray[np.bool_], voxel_mm: float | None) -> dict[str, str]:
    """Corners and faces of a bone's smoothed surface, packed; empty texts without a surface."""
    box = ndimage.find_objects(mask.astype(np.uint8))
    edge = voxel_mm or UNKNOWN_MM
    if not box:
        return {"corners": "", "faces": ""}
    pad = 3
    soft = ndimage.gaussian_filter(np.pad(mask[box[0]], pad).astype(np.float32), SMOOTH_MM / edge)
    if soft.max() <= 0.5:  # a speck
        return {"corners": "", "faces": ""}
    step = max(1, round(FACET_MM / edge))
    corners, faces, _, _ = marching_cubes(soft, 0.5, step_size=step)
    while len(corners) > np.iinfo(np.uint16).max:
        step += 1
        corners, faces, _, _ = marching_cubes(soft, 0.5, step_size=step)
    at = (corners + [b.start - pad for b in box[0]])[:, ::-1]
    return {
        "corners": _packed(np.rint(at * FINE).clip(0, 65535).astype("<u2")),
        "faces": _packed(faces.astype("<u2")),
    }


def _packed(array: NDArray[Any]) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 6)).decode("ascii")


def _rounded(points: Array) -> list[list[float]]:
    """Points (n, 3) with one decimal."""
    rounded: list[list[float]] = np.round(points, 1).tolist()
    return rounded
