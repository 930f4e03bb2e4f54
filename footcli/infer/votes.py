"""The bone network on the slices of a volume: the ensemble of planes and mirror images."""

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
BODY_HU = -400.0  # above this a voxel is body, not air
MARGIN_PX = 8  # air kept around the body
BONE_NAMES = tuple(bone.name for bone in BONES)
STRIDE = 16  # the network halves its input four times


@dataclass(frozen=True, slots=True)
class Voters:
    """Whose slices vote, and whether their mirror images vote too, so that a left and a right foot
    get the same answer.
    """

    planes: tuple[Plane, ...]
    mirrored: bool = False


# up and down, front and back as the files have them, or turned
TURNS = ((False, False), (False, True), (True, False), (True, True))
VOTERS = {
    "fast": Voters((Plane.AXL,)),
    "standard": Voters(tuple(Plane)),
    "best": Voters(tuple(Plane), mirrored=True),
}


def body_box(hu: F32) -> tuple[slice, slice, slice]:
    """The box around what is not air, with a margin.

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
    """(bones + 1, z, y, x) mean probabilities over the voters, of the planes that the model knows.

    every: only each n-th slice, for a quick look; the rest stay zero.
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
    """The answer for the mirror image of the foot, turned back.

    A sagittal slice is its own mirror image; its neighbours change places.
    """
    if plane is Plane.SAG:
        backwards = tuple(-mm for mm in spec.offsets_mm)
        return _asked(neighbours(hu, plane, index, backwards, spec.pixel_mm), session, spec)
    stack = neighbours(hu, plane, index, spec.offsets_mm, spec.pixel_mm)
    return _asked(stack[..., ::-1], session, spec)[..., ::-1]


def _asked(stack: F32, session: Runner, spec: ModelSpec) -> F32:
    """(bones + 1, rows, columns) of one slice with its neighbours, HU (channels, rows, columns).

    Raises InferenceError "model_failed" for an answer of another size than the picture's.
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
    """(classes + 1, ...) with the background first -> (bones + 1, ...) in the order of names.BONES;
    bones that are no class are 0.
    """
    if tuple(classes) == BONE_NAMES:
        return out
    ordered = np.zeros((len(BONES) + 1, *out.shape[1:]), out.dtype)
    ordered[[0, *(BONE_ID[name] for name in classes)]] = out
    return ordered


def find_turn(volume: Volume, session: Runner, spec: ModelSpec) -> tuple[bool, bool]:
    """Up-down and front-back of a scan without directions.

    The turn in which the network is surest of its bones.
    """

    def sureness(turned: tuple[bool, bool]) -> float:
        hu = canonical(volume, spec.pixel_mm, turned).hu
        found = vote(hu, session, spec, Voters((Plane.SAG, Plane.COR)), every=8)[1:] * 2
        return float(np.where(found > 0.8, found, 0).sum())

    return max(TURNS, key=sureness)
