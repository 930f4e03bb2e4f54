"""Change the shape of a bone and move its landmarks accordingly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from footcli.anatomy.template import Blob, Bone, Tube, distance, from_blob
from footcli.geometry import Array


def reshaped(bone: Bone, tube: Tube, blobs: tuple[Blob, ...]) -> Bone:
    """The bone with `tube` and `blobs` instead of its own, which they must match one to one.

    Each landmark moves with the part in which it lies deepest.
    """
    marks = {}
    for name, point in bone.landmarks.items():
        at = point.astype(np.float32)[:, None]
        depths = [distance(replace(bone, blobs=()), at), *(from_blob(b, at) for b in bone.blobs)]
        part = int(np.argmin([float(d[0]) for d in depths]))
        marks[name] = (
            _with_tube(point, bone.tube, tube)
            if part == 0
            else _with_blob(point, bone.blobs[part - 1], blobs[part - 1])
        )
    return replace(bone, tube=tube, blobs=blobs, landmarks=marks)


def _with_tube(point: Array, old: Tube, new: Tube) -> Array:
    """A local point after its section was moved, rotated and scaled."""
    s = (point[0] - old.t[0]) / (old.t[1] - old.t[0])
    before, after = _section_at(old, s), _section_at(new, s)
    turn = np.radians(after[4] - before[4])
    p, q = (point[1:] - before[:2]) * np.sqrt(after[2] * after[3] / (before[2] * before[3]))
    return np.array(
        [
            point[0],
            after[0] + p * np.cos(turn) - q * np.sin(turn),
            after[1] + p * np.sin(turn) + q * np.cos(turn),
        ]
    )


def _section_at(tube: Tube, s: float) -> Array:
    """(5,) section (u, v, a, b, rot) of a tube, interpolated at a station s in 0..1."""
    return np.array([np.interp(s, tube.s, row) for row in tube.sections[:5]])


def _with_blob(point: Array, old: Blob, new: Blob) -> Array:
    """A local point after its blob was moved and scaled along its axes."""
    from_centre = point - old.centre
    return np.asarray(
        new.centre + from_centre + (old.axes @ from_centre * (new.radii / old.radii - 1)) @ old.axes
    )
