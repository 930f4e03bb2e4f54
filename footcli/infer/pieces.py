"""Clean-up of bone masks by connected piece: one name a piece, no scraps, no loose neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from footcli.kinds import BONES

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
# A voxel with a lower background probability is inside a bone. Joints that the labels fill still
# show as a rise of the background.
INSIDE = 0.02
# A label with less than LEAST_OF_PIECE of a piece and less than LEAST_OF_BONE of its own bone is an
# error. On TUNE_SEEDS, mean Dice and HD95: 0.9603, 1.36 mm without this rule; 0.9615, 1.33 mm with
# it; 0.9613, 1.33 with 0.05 of the bone; 0.956, 2.24 without the condition on the bone: in a
# coalition the smaller of the fused bones would lose its name.
LEAST_OF_PIECE = 0.1
LEAST_OF_BONE = 0.1
# Lowest probability in a ray's core; mean HD95 on TUNE_SEEDS: 1.49 mm at 0.5, 1.47 at 0.55, 1.44 at
# 0.6, 1.49 at 0.65 (Dice within 0.0005)
SURE_CORE = 0.6
RIM_PX = 2  # mean HD95 on TUNE_SEEDS: 1.44 mm without, 1.35 with 2, 1.39 with 3


def one_name(labels: NDArray[np.uint8], background: F32) -> None:
    """Correct stray labels in place: each piece of bone gets its majority label.

    labels: uint8 (z, y, x); background: its probability, (z, y, x).

    The pieces are watershed basins of the background probability, seeded inside the bones, so that
    they meet in the joints. Bones that form one piece, as in a coalition, keep their labels.
    """
    box = (
        ndimage.find_objects((labels > 0).astype(np.uint8), max_label=1)[0]
        if labels.any()
        else None
    )
    if box is None:
        return
    named, air = labels[box], background[box]
    cores, count = ndimage.label(ndimage.binary_erosion(air < INSIDE, border_value=1))
    piece = watershed(air, cores, mask=named > 0)
    names = len(BONES) + 1
    share = np.bincount(
        piece.ravel() * names + named.ravel(), minlength=(count + 1) * names
    ).reshape(count + 1, names)
    share[:, 0] = 0
    slip = (share < LEAST_OF_PIECE * share.sum(1, keepdims=True)) & (
        share < LEAST_OF_BONE * share.sum(0)
    )
    slip[0] = False  # voxels outside all pieces
    named[...] = np.where(slip, share.argmax(1)[:, None], np.arange(names)).astype(np.uint8)[
        piece, named
    ]


def smooth(mask: Mask, one: bool = True) -> Mask:
    """A bone's mask (z, y, x) without scraps and holes.

    Removes what lies more than RIM_PX voxels off its core, the part that survives an erosion.
    one: keep the largest core only.
    """
    padded = np.pad(mask, 1)
    core = ndimage.binary_erosion(padded)
    cores, count = ndimage.label(core)
    if one and count > 1:
        core = cores == _largest(cores)
    if count:
        padded &= ndimage.distance_transform_edt(~core) <= RIM_PX
    return np.asarray(ndimage.binary_fill_holes(padded)[1:-1, 1:-1, 1:-1])


def main_part(mask: Mask, probability: F32) -> Mask:
    """A metatarsal's mask without parts joined to it by a thin or uncertain neck.

    Such as its phalanx across the joint, or a rim of its neighbour. mask, probability: of the bone,
    (z, y, x). Each voxel belongs to the nearest core (see SURE_CORE); the largest core's stay.
    """
    padded = np.pad(mask, 1)
    cores, count = ndimage.label(
        ndimage.binary_erosion(padded & (np.pad(probability, 1) > SURE_CORE))
    )
    if count < 2:
        return mask
    nearest = ndimage.distance_transform_edt(
        cores == 0, return_distances=False, return_indices=True
    )
    owner = cores[tuple(nearest)]
    return np.asarray((padded & (owner == _largest(cores)))[1:-1, 1:-1, 1:-1])


def _largest(pieces: NDArray[np.int32]) -> int:
    """Number of the largest piece; 0 is background."""
    return int(np.bincount(pieces.ravel())[1:].argmax()) + 1
