"""Scans a subject: an HU volume with cone-beam artefacts, and ground truth on the same grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.angles import SHAFT_RIM_MM, SHAFT_TOP_MM
from footcli.geometry import Array, rotation
from footcli.kinds import ARCH, BONE_ID, LESIONS
from footcli.phantom.grid import make_grid
from footcli.phantom.lesion_sites import ARCH_BONES
from footcli.phantom.raster import Raster, rasterize
from footcli.phantom.subject import Subject
from footcli.phantom.tissue import draw_appearance, hounsfield
from footcli.phantom.truth import landmarks

F32 = NDArray[np.float32]
# Fields of view: foot-frame boxes around a foot of reference size (mm). foot: all of it with some
# 70 mm of leg; ankle: hindfoot to metatarsal bases; hindfoot: talus and calcaneus, for training
FIELDS = {
    "foot": (np.array([-68.0, -38.0, -24.0]), np.array([58.0, 222.0, 138.0])),
    "ankle": (np.array([-62.0, -38.0, -24.0]), np.array([58.0, 112.0, 128.0])),
    "hindfoot": (np.array([-34.0, -6.0, 8.0]), np.array([42.0, 98.0, 100.0])),
}
Field = Literal["foot", "ankle", "hindfoot"]
SKIN_MM = (-2.0, 12.0)  # range of the soft tissue's extra thickness over a slim foot's
SLAB = 24  # slices rendered at a time, to limit memory


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A scanned subject. hu: int16 (z, y, x) on raster.grid, -1024..3071.

    points: kinds.LANDMARKS name -> voxel (x, y, z), only those inside the grid.
    """

    subject: Subject
    raster: Raster
    hu: NDArray[np.int16]
    points: dict[str, Array]


def scan(
    subject: Subject,
    spacing_mm: float,
    seed: int,
    field: Field = "foot",
    faults: bool = True,
    lower_top_mm: float = 0.0,
) -> Scan:
    """Scan a subject, toes turned out or in by some degrees (sd 8), floor level within sd 1 degree.

    spacing_mm: voxel edge. field: key of FIELDS. faults: add artefacts. lower_top_mm: how much the
    top of the field of view is lowered.
    """
    rng = np.random.default_rng([seed, 977])
    turn = (
        rotation([0, 0, 1], rng.normal(0, 8))
        @ rotation([1, 0, 0], rng.normal(0, 1.0))
        @ rotation([0, 1, 0], rng.normal(0, 1.0))
    )
    low, high = (corner * subject.scale for corner in FIELDS[field])
    grid = make_grid(subject, spacing_mm, low, high - np.array([0.0, 0.0, lower_top_mm]), turn)
    raster = rasterize(subject, grid)
    _only_seen(raster)
    hu = _paint(raster, rng)
    if faults:
        hu = _faults(hu, rng)
    marks = landmarks(
        subject.bones, _shaft_top(raster, subject.bones["tibia"].point("plafond_centre"))
    )
    voxels = {k: grid.voxels(v) for k, v in marks.items()}
    points = {
        k: v
        for k, v in voxels.items()
        if np.all(v >= 0) and np.all(v <= np.array(grid.shape[::-1]) - 1)
    }
    return Scan(
        replace(subject, landmarks=marks), raster, np.clip(hu, -1024, 3071).astype(np.int16), points
    )


def _only_seen(raster: Raster) -> None:
    """Clear the arch's label, in place, in sagittal slices without ARCH_BONES."""
    arch = np.uint8(1 << [term.name for term in LESIONS].index(ARCH))
    seen = np.isin(raster.labels, [BONE_ID[name] for name in ARCH_BONES]).any((0, 1))
    raster.lesion[:, :, ~seen] &= ~arch


def _shaft_top(raster: Raster, plafond: Array) -> float:
    """Height above the plafond (foot frame mm) of the upper point of the tibial axis."""
    at = np.argwhere(raster.labels == 1)[:, ::-1]
    if not len(at):
        return SHAFT_TOP_MM
    end = (
        raster.grid.to_foot
        @ raster.grid.affine
        @ np.append(at[at[:, 2] == at[:, 2].max()].mean(0), 1.0)
    )
    return float(np.clip(end[2] - plafond[2] - SHAFT_RIM_MM, 20.0, SHAFT_TOP_MM))


def noise(shape: tuple[int, ...], step: float, rng: np.random.Generator) -> F32:
    """float32 noise of approximately unit variance, smooth over `step` voxels."""
    if step <= 1:
        return rng.standard_normal(shape, dtype=np.float32)
    out = rng.standard_normal([int(n / step) + 3 for n in shape], dtype=np.float32)
    for axis, n in enumerate(shape):  # ndimage.zoom of order 1 does the same in four times the time
        have = out.shape[axis]
        at = np.linspace(0, have - 1, round(have * (n + step) / (have - 1)))[:n]
        low = np.minimum(at.astype(int), have - 2)
        share = (
            (at - low).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(out.ndim)])
        )
        first, rise = np.take(out, low, axis), np.take(out, low + 1, axis)
        rise -= first
        rise *= share
        rise += first
        out = rise
    return np.asarray(1.5 * out, dtype=np.float32)


def _paint(raster: Raster, rng: np.random.Generator) -> F32:
    look = draw_appearance(rng, raster.pieces)
    mm = raster.grid.spacing_mm
    weights = rng.dirichlet(np.ones(3)) * 1.4
    patches = noise(raster.grid.shape, rng.uniform(6, 16) / mm, rng)
    skin = raster.skin + np.float32(rng.uniform(*SKIN_MM))
    out = np.empty(raster.grid.shape, np.float32)
    tables = look.tables.astype(np.float32)
    for start in range(0, out.shape[0], SLAB):
        part = slice(start, min(start + SLAB, out.shape[0]))
        shape = raster.depth[part].shape
        texture = sum(
            np.float32(w) * noise(shape, s / mm, rng)
            for w, s in zip(weights, (0.8, 1.6, 3.2), strict=True)
        )
        here = replace(look, tables=tables[:, raster.piece[part]])
        out[part] = hounsfield(
            np,
            here,
            raster.depth[part],
            skin[part],
            raster.tissue[part],
            (texture, patches[part]),
        )
    return out


def _faults(hu: F32, rng: np.random.Generator) -> F32:
    """Add blur, noise, cone-beam shading, ring artefacts, uncalibrated gain and offset."""
    hu = ndimage.gaussian_filter(hu, rng.uniform(0.25, 0.8))
    sd = float(np.exp(rng.uniform(np.log(5), np.log(80))))
    hu = hu + sd * noise(hu.shape, 1 if rng.random() < 0.5 else 1.8, rng)
    hu = hu + rng.uniform(0, 90) * noise(hu.shape, max(hu.shape) / 4, rng) * (hu > -900)
    if rng.random() < 0.3:
        y, x = np.ogrid[: hu.shape[1], : hu.shape[2]]
        radius = np.hypot(y - hu.shape[1] / 2, x - hu.shape[2] / 2)
        hu = hu + (rng.uniform(5, 40) * np.sin(radius * rng.uniform(0.5, 2.0))).astype(np.float32)
    gain, offset = rng.uniform(0.75, 1.25), rng.normal(0, 40)
    return np.asarray(hu * np.float32(gain) + np.float32(offset), dtype=np.float32)
