"""The parts of a segmented foot: its bones split where the finder tells several parts apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from footcli.kinds import OTHER_ID
from footcli.kinds.parts import BONE_OF_PART

Labels = NDArray[np.uint8]
F32 = NDArray[np.float32]
CORE_VOXELS = 1  # from the edge of a bone, and of what the finder says, to the core of a part
AS_BONES = np.array([0, *(bone or OTHER_ID for bone in BONE_OF_PART[1:])], np.uint8)
"""Part id -> id of its bone; of a toe OTHER_ID."""
PARTS_OF = {k: tuple(np.flatnonzero(k == AS_BONES).tolist()) for k in range(1, OTHER_ID + 1)}
"""Bone id -> ids of its parts."""


def name_parts(settled: Labels, background: F32, said: Labels) -> Labels:
    """uint8 (z, y, x): the part of each voxel of bone, ids of kinds.PARTS.

    settled: the bones, OTHER_ID among them; background: its probability, which rises in joints;
    said: what the finder says, part ids, all on one grid. A bone of several parts is flooded from
    their cores; where the finder has none of them, it stays 0.
    """
    out = np.zeros_like(settled)
    for bone, box in enumerate(ndimage.find_objects(settled, OTHER_ID), start=1):
        if box is None:
            continue
        mask, own = settled[box] == bone, PARTS_OF[bone]
        if len(own) == 1:
            out[box][mask] = own[0]
            continue
        markers = _cores(mask, said[box], own)
        if markers.any():
            found = watershed(background[box], markers, mask=mask)
            out[box][mask] = found[mask]
    return out


def _cores(mask: NDArray[np.bool_], said: Labels, own: tuple[int, ...]) -> NDArray[np.int32]:
    """int32 (z, y, x): the voxels that are surely of a part: inside the bone and what is said."""
    inner = ndimage.binary_erosion(mask, iterations=CORE_VOXELS)
    markers = np.zeros(mask.shape, np.int32)
    for part in own:
        there = said == part
        core = ndimage.binary_erosion(there, iterations=CORE_VOXELS) & inner
        markers[core if core.any() else there & mask] = part
    return markers
