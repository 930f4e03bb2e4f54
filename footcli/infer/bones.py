"""Bone segmentation: ensemble probabilities over slices of three planes, then anatomical rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.domain import Volume
from footcli.errors import InferenceError
from footcli.infer.pieces import main_part, one_name, smooth
from footcli.infer.prepare import (
    Canonical,
    alone,
    canonical,
    to_input_order,
)
from footcli.infer.rays import order_rays
from footcli.infer.session import Runner
from footcli.infer.spec import ModelSpec
from footcli.infer.votes import F32, VOTERS, find_turn, vote
from footcli.kinds import BONE_ID, BONES, RAYS

HEEL_ML = 12.0  # a smaller calcaneus does not count as a second foot
SPECK_ML = 0.15  # a smaller piece is noise


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """One foot. probability: float32 (classes + 1, z, y, x); labels: uint8 (z, y, x); both on the
    canonical grid.

    confidence: mean probability of each bone over its voxels, by id. turned: see
    prepare.orientation. part_mm: if two feet share the volume, this foot's range along canonical x,
    counted from the first voxel; grid.hu is air outside it.
    """

    grid: Canonical
    probability: F32
    labels: NDArray[np.uint8]
    confidence: dict[int, float]
    turned: tuple[bool, bool]
    part_mm: tuple[float, float] | None = None


def segment(
    volume: Volume, session: Runner, spec: ModelSpec, quality: str = "standard"
) -> tuple[Segmented, ...]:
    """Segment the ten bones of each foot in the volume. quality: a key of VOTERS.

    Raises InferenceError "no_bone_found" if no foot has a bone.
    """
    turned = (False, False) if volume.orientation_known else find_turn(volume, session, spec)
    grid = canonical(volume, spec.pixel_mm, turned)
    probability = vote(grid.hu, session, spec, VOTERS[quality])
    feet = []
    for part in feet_of(probability, spec.pixel_mm):
        own = probability if part is None else _only(probability, part)
        part_mm = None if part is None else (part.start * spec.pixel_mm, part.stop * spec.pixel_mm)
        labels = settle(own, spec.pixel_mm)
        if labels.any():
            sure = _confidence(own, labels)
            feet.append(Segmented(alone(grid, part_mm), own, labels, sure, turned, part_mm))
    if not feet:
        raise InferenceError("no_bone_found")
    return tuple(feet)


def _confidence(probability: F32, labels: NDArray[np.uint8]) -> dict[int, float]:
    """Bone id -> mean probability over its voxels, for the bones that are present."""
    found = {}
    for k in range(1, len(BONES) + 1):
        own = labels == k
        if own.any():
            found[k] = float(probability[k][own].mean())
    return found


def feet_of(probability: F32, pixel_mm: float) -> tuple[slice | None, ...]:
    """(None,) for one foot; for two their ranges along x, split midway between the calcanei."""
    heel = probability[BONE_ID["Calcaneus"]] > 0.5
    pieces, count = ndimage.label(heel)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    big = [i + 1 for i in np.argsort(-sizes)[:2] if sizes[i] * pixel_mm**3 >= HEEL_ML * 1000]
    if len(big) < 2:
        return (None,)
    ends = []
    for i in big:
        columns = np.flatnonzero((pieces == i).any((0, 1)))
        ends.append((int(columns[0]), int(columns[-1])))
    left, right = sorted(ends)
    if right[0] < left[1]:
        return (None,)
    middle = (left[1] + right[0]) // 2 + 1
    return slice(0, middle), slice(middle, heel.shape[2])


def _only(probability: F32, part: slice) -> F32:
    """The probabilities of one foot, with background everywhere else."""
    own = np.zeros_like(probability)
    own[0] = 1.0
    own[..., part] = probability[..., part]
    return own


def settle(probability: F32, pixel_mm: float) -> NDArray[np.uint8]:
    """uint8 (z, y, x) labels from probabilities (classes + 1, z, y, x).

    Takes the most probable class, orders the rays, gives each piece one name and smooths. Each bone
    keeps its largest piece; the midfoot is five bones and keeps every piece but specks.
    """
    labels = np.zeros(probability.shape[1:], np.uint8)
    open_ = probability[0] <= 0.5  # elsewhere only the background can be the most probable class
    labels[open_] = probability[:, open_].argmax(0)
    order_rays(labels, probability, pixel_mm)
    one_name(labels, probability[0])
    for bone, box in enumerate(ndimage.find_objects(labels, max_label=len(BONES)), start=1):
        if box is None:
            continue
        mask = labels[box] == bone
        kept = main_part(mask, probability[bone][box]) if bone in RAYS else mask
        one = BONES[bone - 1].name != "MidFoot"
        kept = smooth(_main_pieces(kept, one, SPECK_ML * 1000 / pixel_mm**3), one)
        labels[box][mask & ~kept] = 0
        labels[box][kept & (labels[box] == 0)] = bone
    return labels


def _main_pieces(mask: NDArray[np.bool_], one: bool, speck: float) -> NDArray[np.bool_]:
    """The largest piece, or with one=False all but specks; nothing if there are only specks.

    speck: voxels.
    """
    pieces, count = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    keep = sizes == sizes.max() if one else sizes >= max(speck, 0.04 * sizes.max())
    if sizes.max() < speck:
        keep[:] = False
    return np.asarray(keep[pieces] & mask)


def on_input_grid(found: Segmented, labels: NDArray[np.uint8], volume: Volume) -> NDArray[np.uint8]:
    """Resample canonical labels to the input grid, uint8 (z, y, x).

    A voxel gets the bone with the largest interpolated lead over the other classes.
    """
    shape = tuple(volume.hu.shape[i] for i in found.grid.order)
    spacing = volume.spacing_mm[::-1][list(found.grid.order)]
    pixel = found.grid.pixel_mm
    out = np.zeros(shape, np.uint8)
    best = np.zeros(shape, np.float16)
    boxes = ndimage.find_objects(labels, max_label=len(BONES))
    for bone, box in enumerate(boxes, start=1):
        if box is None:
            continue
        grown = _grown(box, labels.shape)
        lead = _lead(found.probability[(slice(None), *grown)], labels[grown], bone)
        part = []
        for axis, (run, step, count) in enumerate(zip(grown, spacing, shape, strict=True)):
            first = max(0, int(np.ceil(run.start * pixel / step)))
            stop = min(count, int((run.stop - 1) * pixel / step) + 1)
            at = np.arange(first, stop) * step / pixel - run.start
            weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(run.stop - run.start)))
            moved = np.tensordot(weights.astype(np.float32), lead, axes=(1, axis))
            lead = np.moveaxis(moved, 0, axis)
            part.append(slice(first, stop))
        here = tuple(part)
        wins = (lead > 0) & (lead > best[here])
        out[here][wins] = bone
        best[here][wins] = lead[wins]
    return np.ascontiguousarray(to_input_order(out, found.grid.order, found.grid.flip))


def _grown(box: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """A box with a margin of two voxels, clipped to the grid."""
    pairs = zip(box, shape, strict=True)
    return tuple(slice(max(0, s.start - 2), min(n, s.stop + 2)) for s, n in pairs)


def _lead(probability: F32, labels: NDArray[np.uint8], bone: int) -> F32:
    """A bone's probability minus the highest of the other classes: its lead.

    Its own voxels lead by 0.02 at least, those of other bones trail by as much; -1 away from it.
    """
    others = np.delete(probability, bone, axis=0).max(0)
    mine = labels == bone
    lead = np.where(ndimage.binary_dilation(mine), probability[bone] - others, -1.0)
    held = np.where(labels > 0, np.minimum(lead, -0.02), lead)
    return np.where(mine, np.maximum(lead, 0.02), held)
