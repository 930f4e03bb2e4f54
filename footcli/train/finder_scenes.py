"""Volumes for the finder: feet in any pose, cut and turned anyhow, beside other things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.geometry import Array, rotation
from footcli.kinds.parts import PARTS
from footcli.phantom.disease import Variety, Wear, draw_subject
from footcli.phantom.grid import F32, Grid, make_grid
from footcli.phantom.pose import flexed
from footcli.phantom.raster import Raster, rasterize
from footcli.phantom.scanner import noise
from footcli.phantom.stance import ankle_axis
from footcli.phantom.subject import Subject
from footcli.phantom.tissue import AIR_HU, draw_appearance, hounsfield
from footcli.train.things import add_things

VOXEL_MM, FINE = 4.0, 3  # of the finder, and how many drawn voxels make one of its own
SCENE = 56  # voxels along an edge of a scene
KEPT = 8  # of the FINE ** 3 drawn voxels that make a voxel a part: thin shafts stay
UPRIGHT = 0.9  # share of scenes whose leg is upright, up to TILT_DEG; the others lie anyhow
TILT_DEG = 40.0
PLANTAR_DEG, ROLL_SD_DEG = (-15.0, 60.0), 12.0
HANGS, SECOND, THINGS, NO_FOOT = 0.6, 0.3, 0.3, 0.08
APART_MM = (85.0, 170.0)  # of a second foot
FOREFOOT = 0.55  # share of scenes that are centred on a ray
DARK_HEADS, HEAD_MM, HEAD_LEFT = 0.5, 9.0, (0.15, 0.6)  # thin bone in the heads of the rays
LEG = ("tibia", "fibula")
RAYS = tuple(f"metatarsal{i}" for i in range(1, 6))


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """hu: int16 (z, y, x) of VOXEL_MM, without scanner's faults. parts: uint8, ids of kinds.PARTS.

    points: part id -> (K, 3) voxels (z, y, x) of it.
    """

    hu: NDArray[np.int16]
    parts: NDArray[np.uint8]
    points: Mapping[int, NDArray[np.int64]]


def draw_scene(seed: int, wear: Wear | None = None) -> Scene:
    """The scene of a seed. wear: dresses the bones, see draw_subject."""
    rng = np.random.default_rng([seed, 81])
    subject = posed(seed, rng, wear)
    grid = _grid(subject, rng)
    hu, parts, skin = _painted(subject, grid, rng)
    if rng.random() < SECOND:
        other = posed(seed + (1 << 41), rng, wear)
        second = replace(grid, to_foot=_beside(rng) @ grid.to_foot)
        hu2, parts2, skin2 = _painted(other, second, rng)
        nearer = skin2 > skin
        hu, parts = np.where(nearer, hu2, hu), np.where(nearer, parts2, parts)
        skin = np.maximum(skin, skin2)
    if rng.random() < NO_FOOT:
        hu, parts, skin = np.full_like(hu, AIR_HU), np.zeros_like(parts), np.full_like(skin, -99.0)
        hu = add_things(hu, skin, VOXEL_MM / FINE, rng)
    elif rng.random() < THINGS:
        hu = add_things(hu, skin, VOXEL_MM / FINE, rng)
    small = _fewer(parts)
    places = {int(k): np.argwhere(small == k) for k in np.unique(small) if k}
    return Scene(_mean(hu).astype(np.int16), small, places)


def posed(seed: int, rng: np.random.Generator, wear: Wear | None) -> Subject:
    """A subject of the wide population, its foot turned in the ankle; never standing on a floor."""
    subject = draw_subject(seed, variety=Variety(spread=1.0, wear=wear))
    if rng.random() < HANGS:
        subject = flexed(subject, float(rng.uniform(*PLANTAR_DEG)))
        about = rotation([0, 0, 1], rng.normal(0, ROLL_SD_DEG / 2))
        roll = rotation([0, 1, 0], rng.normal(0, ROLL_SD_DEG)) @ about
        at = ankle_axis(subject.bones)
        bones = {k: b if k in LEG else b.moved(roll, at) for k, b in subject.bones.items()}
        subject = replace(subject, bones=bones)
    return replace(subject, loaded=False)


def _turn(rng: np.random.Generator) -> Array:
    """A rotation (3, 3): any, or one that leaves the foot nearly upright."""
    if rng.random() < UPRIGHT:
        about = rotation([0, 0, 1], rng.uniform(0, 360))
        return np.asarray(rotation(rng.normal(size=3), rng.uniform(0, TILT_DEG)) @ about)
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q * np.array([1.0, 1.0, np.sign(np.linalg.det(q))]))


def _grid(subject: Subject, rng: np.random.Generator) -> Grid:
    """A turned cube about one of the bones."""
    names = RAYS if rng.random() < FOREFOOT else ("tibia", "talus", "calcaneus", "navicular")
    centre = subject.bones[str(rng.choice(names))].pos + rng.normal(0, 20, 3)
    half = SCENE * VOXEL_MM / 2
    return make_grid(subject, VOXEL_MM / FINE, centre - half, centre + half, _turn(rng))


def _beside(rng: np.random.Generator) -> Array:
    """(4, 4) frame of a foot -> that of the other foot, which is its mirror image."""
    move = np.eye(4)
    move[:3, :3] = rotation(rng.normal(size=3), rng.normal(0, 15)) @ np.diag([-1.0, 1.0, 1.0])
    move[:3, 3] = move[:3, :3] @ -np.array([rng.uniform(*APART_MM), *rng.normal(0, 20, 2)])
    return move


def _painted(
    subject: Subject, grid: Grid, rng: np.random.Generator
) -> tuple[F32, NDArray[np.uint8], F32]:
    """HU, part ids and depth below the skin, (z, y, x) of the drawn grid."""
    raster = rasterize(subject, grid)
    look = draw_appearance(rng, raster.pieces)
    patches = noise(raster.depth.shape, 9.0 / grid.spacing_mm, rng)
    here = replace(look, tables=look.tables.astype(np.float32)[:, raster.piece])
    grain = noise(raster.depth.shape, 1, rng)
    hu = hounsfield(np, here, raster.depth, raster.skin, raster.tissue, (grain, patches)).astype(
        np.float32
    )
    if rng.random() < DARK_HEADS:
        _darken_heads(hu, subject, raster, look.muscle_hu, rng)
    return hu, raster.parts, raster.skin


def _darken_heads(
    hu: F32, subject: Subject, raster: Raster, soft: float, rng: np.random.Generator
) -> None:
    """Make the bone in the heads of the metatarsals thin and dark, in place."""
    left = float(rng.uniform(*HEAD_LEFT))
    mm = raster.grid.spacing_mm
    for name in RAYS:
        at = raster.grid.voxels(subject.bones[name].point("head_centre"))[::-1]
        reach = round(2 * HEAD_MM / mm)
        low = np.maximum(np.floor(at).astype(int) - reach, 0)
        high = np.minimum(np.ceil(at).astype(int) + reach + 1, hu.shape)
        if np.any(low >= high):
            continue
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        own = raster.piece[box] == raster.pieces.index(name) + 1
        axes = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        away = np.sqrt(sum((axis - a) ** 2 for axis, a in zip(axes, at, strict=True))) * mm
        share = np.clip((2 * HEAD_MM - away) / HEAD_MM, 0, 1) * own * (raster.depth[box] > -0.5)
        hu[box] -= (share * (1 - left) * np.maximum(hu[box] - soft, 0)).astype(np.float32)


def _blocks(volume: NDArray[Any]) -> NDArray[Any]:
    """(z, y, x, FINE ** 3): the drawn voxels of each voxel."""
    n = SCENE
    split = volume[: n * FINE, : n * FINE, : n * FINE].reshape(n, FINE, n, FINE, n, FINE)
    return split.transpose(0, 2, 4, 1, 3, 5).reshape(n, n, n, FINE**3)


def _mean(hu: F32) -> F32:
    return np.asarray(_blocks(ndimage.gaussian_filter(hu, 0.6)).mean(-1, dtype=np.float32))


def _fewer(parts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The part that most of a voxel's drawn voxels are, if at least KEPT are any part."""
    cells = _blocks(parts)
    best, most = np.zeros(cells.shape[:3], np.uint8), np.zeros(cells.shape[:3], np.uint8)
    for k in range(1, len(PARTS) + 1):
        count = (cells == k).sum(-1, dtype=np.uint8)
        best = np.where(count > most, np.uint8(k), best)
        most = np.maximum(most, count)
    return np.where((cells > 0).sum(-1) >= KEPT, best, 0).astype(np.uint8)
