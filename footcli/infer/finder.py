"""The finder on a volume: the parts of all feet in it, in any pose, on a coarse grid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

from footcli.errors import InferenceError
from footcli.infer.prepare import AIR_HU, window
from footcli.infer.session import Runner
from footcli.infer.spec import ModelSpec
from footcli.infer.votes import body_box
from footcli.kinds.parts import PARTS

F32 = NDArray[np.float32]
STRIDE = 8  # the network halves its input three times
TILE, OVERLAP = 80, 24  # voxels; a usual scan fits into one tile


def find_parts(hu: F32, session: Runner, spec: ModelSpec) -> F32:
    """(parts + 1, z, y, x) probabilities. hu: float32 (z, y, x), canonical, of spec.pixel_mm.

    Raises InferenceError "no_bone_found" for a volume of air, "model_failed" if the output's shape
    does not match the volume.
    """
    full = np.zeros((len(PARTS) + 1, *hu.shape), np.float32)
    full[0] = 1.0
    box = body_box(hu)
    inner = hu[box]
    total = np.zeros((len(PARTS) + 1, *inner.shape), np.float32)
    weight = np.zeros(inner.shape, np.float32)
    for tile in _tiles(inner.shape):
        share = _middle_weighs_most(tuple(s.stop - s.start for s in tile))
        total[(slice(None), *tile)] += share * _asked(inner[tile], session, spec)
        weight[tile] += share
    full[(slice(None), *box)] = total / weight
    return full


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Boxes of at most TILE along each axis that cover the shape and overlap."""
    ranges = []
    for size in shape:
        starts = [0]
        while starts[-1] + TILE < size:
            starts.append(min(starts[-1] + TILE - OVERLAP, size - TILE))
        ranges.append([slice(start, min(start + TILE, size)) for start in starts])
    for z in ranges[0]:
        for y in ranges[1]:
            for x in ranges[2]:
                yield z, y, x


def _middle_weighs_most(shape: tuple[int, ...]) -> F32:
    """Weights of a tile's voxels: 1 in the middle, less towards its faces."""
    edges = [1 - np.abs(np.linspace(-1, 1, n + 2)[1:-1]) * 0.95 for n in shape]
    return np.asarray(
        edges[0][:, None, None] * edges[1][:, None] * edges[2] + 1e-3, dtype=np.float32
    )


def _asked(hu: F32, session: Runner, spec: ModelSpec) -> F32:
    """Probabilities (parts + 1, z, y, x) of one tile."""
    pad = [(0, -n % STRIDE) for n in hu.shape]
    image = window(np, np.pad(hu, pad, constant_values=AIR_HU), *spec.window)
    out = np.asarray(session.run(np.asarray(image, np.float32)[None, None])[0])
    wanted = (1, len(spec.classes) + 1, *image.shape)
    if out.shape != wanted:
        shape = str(out.shape)
        raise InferenceError("model_failed.shape", model=spec.file, shape=shape, wanted=str(wanted))
    z, y, x = hu.shape
    out = out[0, :, :z, :y, :x]
    return np.asarray(special.softmax(out, axis=0) if spec.decoder == "logits" else out, np.float32)
