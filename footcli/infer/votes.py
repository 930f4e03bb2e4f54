"""The bone network on slices of a volume, as an ensemble over planes and mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from footcli.domain import Plane, Volume
from footcli.errors import InferenceError
from footcli.infer.prepare import (
    canonical,
    neighbours,
    pad_to,
    window,
)
from footcli.infer.session import Runner
from footcli.infer.spec import ModelSpec
from footcli.kinds import BONE_ID, BONES

F32 = NDArray[np.float32]
BODY_HU = -400.0  # a voxel above this is body, not air
MARGIN_PX = 8  # air kept around the body
BONE_NAMES = tuple(bone.name for bone in BONES)
STRIDE = 16  # the network halves its input four times


@dataclass(frozen=True, slots=True)
class Voters:
    """The planes of the ensemble, and whether it includes mirror images.

    With them a left and a right foot get the same result.
    """

    planes: tuple[Plane, ...]
    mirrored: bool = False


# (up-down, front-back): as in the files, or turned
TURNS = ((False, False), (False, True), (True, False), (True, True))
VOTERS = {
    "fast": Voters((Plane.AXL,)),
    "standard": Voters(tuple(Plane)),
    "best": Voters(tuple(Plane), mirrored=True),
}


def body_box(hu: F32) -> tuple[slice, slice, slice]:
    """The bounding box (z, y, x) of the body with a margin of MARGIN_PX.

    Raises InferenceError "no_bone_found" for a volume of air.
    """
    solid = hu > BODY_HU
    if not solid.any():
        raise InferenceError("no_bone_found.air")
    box = []
    for axis, size in enumerate(hu.shape):
        where = np.flatnonzero(solid.any(tuple(i for i in range(3) if i != axis)))
        start, stop = int(where[0]) - MARGIN_PX, int(where[-1]) + 1 + MARGIN_PX
        box.append(slice(max(0, start), min(size, stop)))
    return box[0], box[1], box[2]


def vote(hu: F32, session: Runner, spec: ModelSpec, voters: Voters, every: int = 1) -> F32:
    """(bones + 1, z, y, x) mean probabilities over the ensemble, in the planes of the model.

    hu: float32 (z, y, x), canonical. every: use each n-th slice only; the other slices stay zero.
    """
    box = body_box(hu)
    inner = hu[box]
    full = np.zeros((len(BONES) + 1, *hu.shape), np.float32)
    full[0] = 1.0
    total = full[(slice(None), *box)]
    total[0] = 1e-6
    planes = [plane for plane in voters.planes if plane in spec.planes] or list(spec.planes)
    for plane in planes:
        target = np.moveaxis(total, 1 + plane.array_axis, 1)
        for index in range(0, inner.shape[plane.array_axis], every):
            stack = neighbours(inner, plane, index, spec.offsets_mm, spec.pixel_mm)
            target[:, index] += _asked(stack, session, spec)
            if voters.mirrored:
                target[:, index] += _asked_mirrored(inner, plane, index, session, spec)
    total /= len(planes) * (2 if voters.mirrored else 1)
    return full


def _asked_mirrored(hu: F32, plane: Plane, index: int, session: Runner, spec: ModelSpec) -> F32:
    """The output for the mirror image of the foot, mirrored back.

    A sagittal slice is its own mirror image, with its neighbours swapped.
    """
    if plane is Plane.SAG:
        backwards = tuple(-mm for mm in spec.offsets_mm)
        return _asked(neighbours(hu, plane, index, backwards, spec.pixel_mm), session, spec)
    stack = neighbours(hu, plane, index, spec.offsets_mm, spec.pixel_mm)
    return _asked(stack[..., ::-1], session, spec)[..., ::-1]


def _asked(stack: F32, session: Runner, spec: ModelSpec) -> F32:
    """Probabilities (bones + 1, rows, columns) of one slice stack, HU (channels, rows, columns).

    Raises InferenceError "model_failed" if the output's shape does not match the image.
    """
    h, w = stack.shape[1:]
    picture = window(np, pad_to(stack, STRIDE), *spec.window)[None]
    out = np.asarray(session.run(picture)[0])
    wanted = (1, len(spec.classes) + 1, *picture.shape[2:])
    if out.shape != wanted:
        shape = str(out.shape)
        raise InferenceError("model_failed.shape", model=spec.file, shape=shape, wanted=str(wanted))
    out = out[0, :, :h, :w]
    return by_bone(special.softmax(out, axis=0) if spec.decoder == "logits" else out, spec.classes)


def by_bone(out: F32, classes: Sequence[str]) -> F32:
    """(classes + 1, ...), background first -> (bones + 1, ...) in the order of kinds.BONES.

    Bones that are not among the classes are 0.
    """
    if tuple(classes) == BONE_NAMES:
        return out
    ordered = np.zeros((len(BONES) + 1, *out.shape[1:]), out.dtype)
    ordered[[0, *(BONE_ID[name] for name in classes)]] = out
    return ordered


def find_turn(volume: Volume, session: Runner, spec: ModelSpec) -> tuple[bool, bool]:
    """The (up-down, front-back) turn of a scan without directions.

    It gives the highest sum of confident bone probabilities.
    """

    def sureness(turned: tuple[bool, bool]) -> float:
        hu = canonical(volume, spec.pixel_mm, turned).hu
        found = vote(hu, session, spec, Voters((Plane.SAG, Plane.COR)), every=8)[1:] * 2
        return float(np.where(found > 0.8, found, 0).sum())

    return max(TURNS, key=sureness)
