"""Shape of a bone from foot.json: a tube of superelliptic sections and superellipsoid blobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.geometry import Array, unit

AT_ONCE = 32768  # points in a batch: fits the processor cache, half the time of a single batch
BLEND_MM = 1.2  # radius of the smooth union of a bone's parts; the fit of foot.json allows 1-2 mm


@dataclass(frozen=True, slots=True, eq=False)
class Tube:
    """Sections at stations s in 0..1, (S,), between t[0] and t[1] mm along e1.

    sections: (6, S) rows: centre u, v (mm), semi-axes a, b (mm), rot (deg), exponent n.
    """

    t: tuple[float, float]
    s: Array
    sections: Array


@dataclass(frozen=True, slots=True, eq=False)
class Blob:
    """A superellipsoid: centre (3,) mm, semi-axes (3,) mm, axes as rows (3, 3), exponent n."""

    centre: Array
    radii: Array
    axes: Array
    n: float


@dataclass(frozen=True, slots=True, eq=False)
class SampledField:
    """Distances to the surface (mm, minus inside) on a local grid.

    low: (3,) first corner, mm. step: mm. values: float32 (n1, n2, n3) along e1, e2, e3. top: the
    surface was measured only up to here along e1 (mm); above it the tube continues.
    """

    low: Array
    step: float
    values: NDArray[np.float32]
    top: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Bone:
    """A bone positioned in the foot frame (x medial, y anterior, z up, mm).

    foot point = pos + (local * scale) @ axes, with rows of axes = e1, e2, e3 in the foot frame.
    landmarks: name -> (3,) local mm. bumps: (K, 5) rows kx, ky, kz (rad/mm), phase, amplitude (mm)
    that model the unevenness of a real surface.
    """

    name: str
    pos: Array
    axes: Array
    scale: Array
    tube: Tube
    blobs: tuple[Blob, ...]
    landmarks: Mapping[str, Array]
    bumps: Array
    field: SampledField | None = None

    def to_foot(self, local: Array) -> Array:
        """(..., 3) local mm -> (..., 3) foot frame mm."""
        return np.asarray(self.pos + (local * self.scale) @ self.axes)

    def point(self, landmark: str) -> Array:
        """A landmark in the foot frame, (3,) mm. Raises KeyError for an unknown name."""
        return self.to_foot(self.landmarks[landmark])

    def moved(self, turn: Array, centre: Array, shift: Array | float = 0.0) -> Bone:
        """The bone rotated by `turn` (3, 3) about `centre` (3,), then shifted; foot frame mm."""
        return replace(
            self, pos=centre + turn @ (self.pos - centre) + shift, axes=self.axes @ turn.T
        )

    def centre_line(self, t: float) -> Array:
        """Centre of the tube's section at t mm along e1, (3,) foot frame mm."""
        s = (t - self.tube.t[0]) / (self.tube.t[1] - self.tube.t[0])
        u, v = (float(np.interp(s, self.tube.s, row)) for row in self.tube.sections[:2])
        return self.to_foot(np.array([t, u, v]))


@cache
def _table() -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(
        (files("footcli.anatomy") / "foot.json").read_text("utf-8")
    )
    return data


def reference_foot() -> dict[str, Bone]:
    """The measured mean foot: left, loaded, 179.3 mm long from heel to 2nd metatarsal head."""
    table = _table()
    stations = np.array(table["stations_s"])
    foot = {}
    for name, row in table["bones"].items():
        tube = row["tube"]
        sections = np.array([tube[k] for k in ("u", "v", "a", "b", "rot", "n")], dtype=np.float64)
        blobs = tuple(
            Blob(np.array(b["c"]), np.array(b["r"]), np.array(b["axes"]), float(b["n"]))
            for b in row["blobs"]
        )
        marks = {k: np.array(v) for k, v in row["landmarks"].items() if isinstance(v, list)}
        foot[name] = Bone(
            name,
            np.array(row["pos"]),
            unit(row["axes"]),
            np.ones(3),
            Tube(tuple(tube["t"]), stations, sections),
            blobs,
            marks,
            np.zeros((0, 5)),
        )
    return foot


def section_sd(name: str) -> Array:
    """(3, S) standard deviation over people of u, v and mean radius at the stations, mm."""
    sd = _table()["bones"][name]["section_sd"]
    return np.array([sd[k] for k in ("u", "v", "r")], dtype=np.float64)


def _smooth_min(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    h = np.clip(0.5 + 0.5 * (b - a) / BLEND_MM, 0, 1)
    return np.asarray(b + (a - b) * h - BLEND_MM * h * (1 - h), dtype=np.float32)


def _gauge(
    p: NDArray[np.float32], radii: NDArray[np.float32], n: NDArray[np.float32] | float
) -> NDArray[np.float32]:
    """Approximate distance (mm, minus inside) of points (k, m) to a superellipsoid.

    radii: its semi-axes, (k, m) or (k, 1).
    """
    reach = np.sqrt((p * p).sum(0)) + 1e-6
    norm = (np.abs(p / radii) ** n).sum(0) ** (1 / n) + 1e-6
    return np.asarray(reach - reach / norm, dtype=np.float32)


def distance(bone: Bone, local: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m,) float32 approximate distance of local points (3, m) to the bone's surface.

    Minus inside; mm before `scale`. The sign is exact near the surface; divide by the length of the
    gradient for a distance (see phantom/raster.py).
    """
    out = np.empty(local.shape[1], np.float32)
    for at in range(0, len(out), AT_ONCE):
        out[at : at + AT_ONCE] = _distance(bone, local[:, at : at + AT_ONCE])
    return out


def _distance(bone: Bone, local: NDArray[np.float32]) -> NDArray[np.float32]:
    t, tube = local[0], bone.tube
    s = np.clip((t - tube.t[0]) / (tube.t[1] - tube.t[0]), 0, 1)
    u, v, rot, n = (np.interp(s, tube.s, tube.sections[i]).astype(np.float32) for i in (0, 1, 4, 5))
    a, b = (np.sqrt(np.interp(s, tube.s, tube.sections[i] ** 2)).astype(np.float32) for i in (2, 3))
    du, dv, turn = local[1] - u, local[2] - v, np.radians(rot)
    p = np.stack([du * np.cos(turn) + dv * np.sin(turn), -du * np.sin(turn) + dv * np.cos(turn)])
    radial = _gauge(p, np.stack([a, b]), n)
    cap = np.maximum(tube.t[0] - t, t - tube.t[1])
    d = -_smooth_min(-radial, -cap)
    for blob in bone.blobs:
        d = _smooth_min(d, from_blob(blob, local))
    if bone.field is not None:
        d = _measured(bone.field, local, d)
    for kx, ky, kz, phase, amplitude in bone.bumps.astype(np.float32):
        d = d + amplitude * np.sin(kx * local[0] + ky * local[1] + kz * local[2] + phase)
    return np.asarray(d, dtype=np.float32)


def _measured(
    field: SampledField, local: NDArray[np.float32], tube: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Distance to the measured surface; above its top it blends into the tube over 6 mm."""
    d = from_field(field, local)
    if field.top is None:
        return d
    share = np.clip((local[0] - (field.top - 6.0)) / 6.0, 0, 1)
    return np.asarray(d + share * (tube - d), dtype=np.float32)


def from_field(field: SampledField, local: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m,) float32 distance (mm, minus inside) of local points (3, m) to a measured surface."""
    at = (local - field.low[:, None]) / field.step
    d = ndimage.map_coordinates(field.values, at, order=1, mode="nearest")
    most = np.array(field.values.shape)[:, None] - 1
    outside = np.maximum(-at, at - most).max(0).clip(0) * field.step
    return np.asarray(d + outside, dtype=np.float32)


def from_blob(blob: Blob, local: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m,) float32 approximate distance (mm, minus inside) of local points (3, m) to a blob."""
    q = (blob.axes.astype(np.float32) @ (local - blob.centre.astype(np.float32)[:, None])).astype(
        np.float32
    )
    return _gauge(q, blob.radii.astype(np.float32)[:, None], blob.n)
