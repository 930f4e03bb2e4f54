"""The axis of the big toe's first phalanx: it has no mask and is found in the HU of the scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.frame.axes import FootFrame
from footcli.geometry import Array, apply, rotation, unit
from footcli.kinds import BONE_ID
from footcli.measure.mean_bone import register_bone
from footcli.text.lines import Line

BONE = "phalanx_prox1"  # its name in the mean foot's table
# Search box about the head of the 1st metatarsal, sampled at 1 mm
WIDE_MM, BEHIND_MM, AHEAD_MM, HIGH_MM = 36, 10, 55, 22
BODY_HU = -250.0  # lower values are not part of the foot
# Density threshold of bone, from soft tissue (0) to the inside of the 1st metatarsal (1). Mean
# error of HVA on ten of TUNE_SEEDS with true masks: 2.2 deg at 0.25, 1.7 at 0.35, 1.7 at 0.4; at
# 0.5 one phalanx is missed.
DENSE = 0.35
# Directions tried: from medial to lateral, from down to up
YAW_DEG, PITCH_DEG = range(-15, 66, 3), range(-30, 31, 5)
# A direction's weight falls with its yaw, or the second toe is taken for the first. On
# LESION_TUNE_SEEDS 5201-5256 with the network's masks (51 toes found without this, 52 with it) the
# mean error of HVA falls from 7.7 (sd 17.4) to 0.8 (sd 3.0) deg; the worst is 10, of a toe turned
# by 42.
STRAIGHT_DEG = 60.0
RAY_MM, RAY_FROM_MM, RAY_TO_MM = 6.0, 9.0, 32.0  # tube in which a direction's bone is counted
TUBE_MM, FROM_MM, TO_MM = 12.0, 3.0, 42.0  # tube that holds the phalanx
LEAST_ML, SHORTEST_MM = 2.5, 18.0  # the mean foot has 30 mm between the centres of base and head
RIM_MM = 2  # a piece this near to the end of the data is cut off
PHALANX = Line("part.phalanx1")
OUTSIDE = Line("part_outside", part=PHALANX)
NOT_FOUND = Line("part_not_found", part=PHALANX)


def phalanx(
    hu: NDArray[np.int16], labels: NDArray[np.uint8], frame: FootFrame, base: Array, head: Array
) -> tuple[Array, Array] | Line:
    """Base and head of the phalanx, foot mm (3,) each, or why they are missing.

    hu: int16, labels: uint8, both (z, y, x) on the grid of `frame`. base, head: of the 1st
    metatarsal, foot mm (3,).
    """
    axes = (
        np.arange(-WIDE_MM, WIDE_MM + 1),
        np.arange(-BEHIND_MM, AHEAD_MM + 1),
        np.arange(-HIGH_MM, HIGH_MM + 1),
    )
    at = np.stack(np.meshgrid(*axes, indexing="ij"), -1).astype(np.float64)  # from the head
    vox = apply(np.linalg.inv(frame.to_foot), at + head)[..., ::-1]
    there = np.all((vox >= 0) & (vox <= np.array(hu.shape) - 1), axis=-1)
    grey = ndimage.map_coordinates(
        hu, np.moveaxis(vox, -1, 0), order=1, mode="nearest", output=np.float32
    )
    named = ndimage.map_coordinates(labels, np.moveaxis(vox, -1, 0), order=0, mode="nearest")
    there &= grey > hu.min()
    metatarsal = named == BONE_ID["1st Metatarsal"]
    soft = grey[there & (named == 0) & (grey > BODY_HU) & (grey < -BODY_HU)]
    if not metatarsal.any() or not len(soft):
        return NOT_FOUND
    none, full = float(np.median(soft)), float(np.median(grey[metatarsal]))
    density = np.where(there & (named == 0), (grey - none) / max(full - none, 1.0), 0.0)
    direction = _direction(
        at[ndimage.binary_fill_holes(ndimage.binary_closing(density > DENSE))], head - base
    )
    if direction is None:
        return NOT_FOUND
    along, off = _tube(at, direction)
    if not there[(off < RAY_MM) & (along > RAY_FROM_MM) & (along < RAY_TO_MM)].all():
        return OUTSIDE
    solid = (density > DENSE) & (along > FROM_MM) & (along < TO_MM) & (off < TUBE_MM)
    solid = ndimage.binary_opening(ndimage.binary_fill_holes(ndimage.binary_closing(solid)))
    pieces, count = ndimage.label(solid)
    if count == 0 or (sizes := np.bincount(pieces.ravel())[1:]).max() < LEAST_ML * 1000:
        return NOT_FOUND
    solid = pieces == sizes.argmax() + 1
    if (ndimage.binary_dilation(solid, iterations=RIM_MM) & ~there).any():
        return OUTSIDE
    turn = _turn(direction, np.array([0.0, 1.0, 0.0]))  # approximate direction in the mean foot
    registered = register_bone(BONE, at[solid & ~ndimage.binary_erosion(solid)] @ turn.T)
    ends = (
        registered.point("base_centre") @ turn + head,
        registered.point("head_centre") @ turn + head,
    )
    if np.linalg.norm(ends[1] - ends[0]) < SHORTEST_MM:  # a remnant, or another toe
        ahead = (at @ unit(head - base) > RAY_FROM_MM) & (np.linalg.norm(at, axis=-1) < RAY_TO_MM)
        return NOT_FOUND if there[ahead].all() else OUTSIDE
    return ends


def _direction(bone: Array, along: Array) -> Array | None:
    """The direction (3,) from the metatarsal's head with most bone; None without bone.

    bone: (N, 3) mm from the head; along: the metatarsal's axis. Only directions that a toe can take
    count, straight ones more. Marrow counts like cortex: a lesser toe beside it is as bright, but
    narrower.
    """
    forward = unit(np.array([along[0], along[1], 0.0]))
    best, found = 0.0, None
    for yaw in YAW_DEG:
        level, counts = (
            rotation([0, 0, 1], yaw) @ forward,
            float(np.exp(-((yaw / STRAIGHT_DEG) ** 2))),
        )
        for pitch in np.radians(PITCH_DEG):
            direction = np.array([*(level[:2] * np.cos(pitch)), np.sin(pitch)])
            t, off = _tube(bone, direction)
            count = counts * np.count_nonzero((off < RAY_MM) & (t > RAY_FROM_MM) & (t < RAY_TO_MM))
            if count > best:
                best, found = count, direction
    return found


def _tube(points: Array, direction: Array) -> tuple[Array, Array]:
    """(...) distance of points (..., 3) along a unit direction, and off its line; same unit."""
    along = points @ direction
    return along, np.sqrt(np.maximum((points**2).sum(-1) - along**2, 0.0))


def _turn(start: Array, end: Array) -> Array:
    """(3, 3) shortest rotation between two unit vectors."""
    axis = np.cross(start, end)
    size = float(np.linalg.norm(axis))
    return (
        np.eye(3)
        if size < 1e-9
        else rotation(axis, float(np.degrees(np.arctan2(size, start @ end))))
    )
