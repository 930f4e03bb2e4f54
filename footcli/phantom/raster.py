"""Subject -> voxel grid.

Which bone, how deep, how far below the skin, which tissue, which lesion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.anatomy.template import Bone, distance
from footcli.geometry import Array, apply
from footcli.kinds import BONE_ID, LESIONS
from footcli.phantom.subject import Region, Spot, Subject

F32 = NDArray[np.float32]
MARGIN_MM = 5.0  # how far around a bone its distance is worked out
FILL_MM = 30.0  # hollows narrower than twice this are filled with soft tissue
SOLE_UNDER_MM = 45.0  # bones up to this height stand on soft tissue
HOLLOW_MM = 12.0  # height of the sole's arch where nothing presses on it
FAR_MM = 40.0  # distance written where no bone is near
MIDFOOT = ("navicular", "cuboid", "cuneiform_medial", "cuneiform_intermediate", "cuneiform_lateral")
# bone ids of the ten classes, then one for every bone outside them: phalanges, sesamoids, ossicle
CLASS_OF: dict[str, int] = {
    "tibia": BONE_ID["Tibia"],
    "fibula": BONE_ID["Fibula"],
    "talus": BONE_ID["Talus"],
    "calcaneus": BONE_ID["Calcaneus"],
    **{name: BONE_ID["MidFoot"] for name in MIDFOOT},
    **{f"metatarsal{i}": BONE_ID["MidFoot"] + i for i in range(1, 6)},
}
TARGETS: Mapping[str, np.float32] = {
    "lucent": np.float32(-1),
    "sclerotic": np.float32(1),
    "bone": np.float32(0),
}  # of Raster.tissue
EXTRA = 11  # piece ids from here on belong to no class


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A voxel grid in LPS: shape (z, y, x); point = origin + (x, y, z) * spacing, after turning the
    foot by `turn`.

    to_foot: (4, 4) LPS mm -> foot frame of the (left) subject, mirrored for a right foot.
    """

    shape: tuple[int, int, int]
    spacing_mm: float
    origin: Array
    to_foot: Array

    @property
    def affine(self) -> Array:
        """(4, 4) voxel (x, y, z) -> LPS mm."""
        matrix = np.diag([self.spacing_mm] * 3 + [1.0])
        matrix[:3, 3] = self.origin
        return matrix

    def voxels(self, foot_points: Array) -> Array:
        """(..., 3) foot frame mm -> voxel (x, y, z)."""
        return (apply(np.linalg.inv(self.to_foot), foot_points) - self.origin) / self.spacing_mm


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """A subject on a grid; arrays (z, y, x).

    piece: uint8, index into `pieces` + 1 of the nearest bone. depth: float32 mm to its surface,
    plus inside bone. skin: float32 mm below the skin, minus outside. tissue: float32 -1 (lucent) ..
    1 (sclerotic), 0 as it is. lesion: uint8 bit field, bit i for LESIONS[i].
    """

    grid: Grid
    pieces: tuple[str, ...]
    piece: NDArray[np.uint8]
    depth: F32
    skin: F32
    tissue: F32
    lesion: NDArray[np.uint8]

    @property
    def labels(self) -> NDArray[np.uint8]:
        """uint8 (z, y, x), 1..10 in the order of names.BONES."""
        table = np.array([0, *(CLASS_OF.get(name, 0) for name in self.pieces)], dtype=np.uint8)
        return np.where(self.depth > 0, table[self.piece], 0).astype(np.uint8)


def make_grid(subject: Subject, spacing_mm: float, low: Array, high: Array, turn: Array) -> Grid:
    """A grid that covers the foot-frame box low..high (mm) of the foot after turning it by (3, 3)
    `turn` in LPS.
    """
    mirror = np.diag([-1.0, -1.0, 1.0]) if subject.side == "L" else np.diag([1.0, -1.0, 1.0])
    to_lps = turn @ mirror
    size = np.asarray(high) - np.asarray(low)
    to_foot = np.eye(4)
    to_foot[:3, :3] = np.linalg.inv(to_lps)
    middle = to_lps @ ((np.asarray(low) + np.asarray(high)) / 2)
    shape = tuple(int(np.ceil(s / spacing_mm)) for s in size[::-1])
    origin = middle - (np.array(shape[::-1]) - 1) / 2 * spacing_mm
    return Grid((shape[0], shape[1], shape[2]), spacing_mm, origin, to_foot)


def _box(grid: Grid, corners: Array) -> tuple[slice, slice, slice] | None:
    """Slices (z, y, x) of the part of the grid that holds the foot-frame points.

    None if outside.
    """
    v = grid.voxels(corners)
    low = np.maximum(np.floor(v.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(v.max(0)).astype(int) + 1, grid.shape[::-1])
    if np.any(low >= high):
        return None
    return tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))  # type: ignore[return-value]


def _points(grid: Grid, box: tuple[slice, slice, slice], to_local: Array) -> F32:
    """(3, z, y, x) local coordinates of the box's voxels; to_local: (4, 4) LPS mm -> local."""
    m = (to_local @ grid.affine).astype(np.float32)
    z, y, x = (np.arange(s.start, s.stop, s.step, dtype=np.float32) for s in box)
    out = np.empty((3, len(z), len(y), len(x)), np.float32)
    for row, own in zip(m[:3], out, strict=True):
        np.add(row[0] * x + (row[1] * y)[:, None], (row[2] * z)[:, None, None], out=own)
        own += row[3]
    return out


def _local(grid: Grid, pos: Array, axes: Array, scale: Array) -> Array:
    inner = np.eye(4)
    inner[:3, :3] = axes / scale[:, None]
    inner[:3, 3] = -inner[:3, :3] @ pos
    return inner @ grid.to_foot


def _corners(low: Array, high: Array) -> Array:
    """(8, 3) corners of a box."""
    return np.array(list(product(*zip(low, high, strict=True))))


def _bone_box(grid: Grid, bone: Bone) -> tuple[slice, slice, slice] | None:
    parts = [np.array([[bone.tube.t[0], -25.0, -25.0], [bone.tube.t[1], 25.0, 25.0]])]
    reach = (np.abs(bone.tube.sections[:2]) + bone.tube.sections[2:4].max(0)).max(1)
    parts[0][:, 1:] = np.stack([-reach, reach])
    parts += [np.stack([b.centre - b.radii.max(), b.centre + b.radii.max()]) for b in bone.blobs]
    both = np.concatenate(parts)
    return _box(grid, bone.to_foot(_corners(both.min(0) - MARGIN_MM, both.max(0) + MARGIN_MM)))


def region_gauge(
    grid: Grid, region: Region, margin: float = 1.6
) -> tuple[tuple[slice, slice, slice], F32] | None:
    """The box of voxels around a region, and there 1 on its surface, 0 in its centre; None outside
    the grid.
    """
    box = _box(
        grid, region.centre + _corners(-region.radii * margin, region.radii * margin) @ region.axes
    )
    if box is None:
        return None
    p = _points(grid, box, _local(grid, region.centre, region.axes, region.radii))
    return box, np.asarray((np.abs(p) ** region.n).sum(0) ** (1 / region.n), dtype=np.float32)


def _bone_distance(
    grid: Grid, bone: Bone, box: tuple[slice, slice, slice], bridges: list[Spot]
) -> F32:
    local = _points(grid, box, _local(grid, bone.pos, bone.axes, bone.scale))
    d = distance(bone, local.reshape(3, -1)).reshape(local.shape[1:])
    d = d * np.float32(bone.scale.mean())
    if min(d.shape) > 2:
        slope = np.sqrt(sum(g * g for g in np.gradient(d, grid.spacing_mm)))
        d = d / np.clip(slope, 0.6, 3.0)
    for spot in bridges:
        found = region_gauge(grid, spot.region)
        if found is not None:
            other, gauge = found
            full = np.full(grid.shape, FAR_MM, np.float32)
            full[other] = (gauge - 1) * np.float32(spot.region.radii.min())
            d = np.minimum(d, full[box])
    return np.asarray(d, dtype=np.float32)


def rasterize(subject: Subject, grid: Grid) -> Raster:
    """Draw a subject on a grid.

    Joints stay open by at least `gap_mm`, except where an osseous bridge joins two bones.
    """
    pieces = tuple(subject.bones)
    first = np.full(grid.shape, FAR_MM, np.float32)
    second = np.full(grid.shape, FAR_MM, np.float32)
    piece = np.zeros(grid.shape, np.uint8)
    bridges = [s for s in subject.spots if s.kind == "bridge"]
    for index, (name, bone) in enumerate(subject.bones.items(), start=1):
        box = _bone_box(grid, bone)
        if box is None:
            continue
        d = _bone_distance(grid, bone, box, [s for s in bridges if name in s.bones])
        a, b = first[box], second[box]
        nearer = d < a
        second[box] = np.where(nearer, a, np.minimum(b, d))
        piece[box] = np.where(nearer, index, piece[box])
        first[box] = np.where(nearer, d, a)
    carved = np.maximum(first, (first - second + _gaps(subject, grid)) / 2)
    tissue, lesion = _tissue(subject, grid, piece, pieces), _lesions(subject, grid)
    return Raster(grid, pieces, piece, -carved, _skin(subject, grid, carved), tissue, lesion)


def _gaps(subject: Subject, grid: Grid) -> F32 | np.float32:
    """The least width of a joint, mm: one for all, or on the grid where spots make it narrower."""
    narrow = [s for s in subject.spots if s.kind in ("bridge", "contact")]
    if not narrow:
        return np.float32(subject.gap_mm)
    gap = np.full(grid.shape, subject.gap_mm, np.float32)
    for spot in narrow:
        found = region_gauge(grid, spot.region)
        if found is not None:
            box, gauge = found
            gap[box] = np.where(gauge < 1.1, _width(spot), gap[box])
    return gap


def _width(spot: Spot) -> float:
    """mm between two bones at a bridge or contact; negative: they are one."""
    if "osseous" in spot.bones:
        return -8.0
    return 0.15 if spot.kind == "contact" else 0.6


def _tissue(subject: Subject, grid: Grid, piece: NDArray[np.uint8], pieces: tuple[str, ...]) -> F32:
    tissue = np.zeros(grid.shape, np.float32)
    for spot in subject.spots:
        found = region_gauge(grid, spot.region) if spot.kind in TARGETS else None
        if found is None:
            continue
        box, gauge = found
        owners = [pieces.index(name) + 1 for name in spot.bones if name in pieces]
        soft = np.clip((1.12 - gauge) / 0.24, 0, 1) * np.isin(piece[box], owners)
        tissue[box] += soft * (TARGETS[spot.kind] - tissue[box])
    return tissue


def _lesions(subject: Subject, grid: Grid) -> NDArray[np.uint8]:
    bits = np.zeros(grid.shape, np.uint8)
    names = [term.name for term in LESIONS]
    for label, region in subject.lesions:
        found = region_gauge(grid, region)
        if found is not None:
            box, gauge = found
            bits[box] |= np.where(gauge <= 1, np.uint8(1 << names.index(label)), np.uint8(0))
    return bits


def _closed(solid: NDArray[np.bool_], mm: float) -> NDArray[np.bool_]:
    """What tendons and pads fill between the bones: a closing of the bones by FILL_MM."""
    pad = round(FILL_MM / mm) + 1
    wide = np.pad(solid, pad)
    grown = ndimage.distance_transform_edt(~wide) * mm < FILL_MM
    shrunk = ndimage.distance_transform_edt(np.pad(grown, 1)) * mm > FILL_MM
    inner = slice(pad + 1, -pad - 1)
    return np.asarray(shrunk[inner, inner, inner] | solid)


def _under(bones: NDArray[np.bool_], sole: F32, mm: float, loaded: bool) -> NDArray[np.bool_]:
    """Muscle and pad between the low bones and the sole.

    sole: (3, z, y, x) coordinates in the frame of the sole (mm).

    A loaded sole is flat; one that hangs free keeps the hollow of its arch.
    """
    low = bones & (sole[2] < SOLE_UNDER_MM)
    if loaded:
        return np.asarray(np.maximum.accumulate(low[::-1], axis=0)[::-1] & (sole[2] > 0))
    slope = np.array(
        [np.diff(sole[2], axis=i).mean() / mm for i in range(3)]
    )  # of the height above the sole, by voxel axis
    filled, size = low.copy(), np.array(low.shape)
    for k in range(1, int(SOLE_UNDER_MM / mm)):
        step = np.round(-k * slope / np.linalg.norm(slope)).astype(int)
        to = tuple(slice(max(s, 0), n + min(s, 0)) for s, n in zip(step, size, strict=True))
        source = tuple(slice(max(-s, 0), n - max(s, 0)) for s, n in zip(step, size, strict=True))
        filled[to] |= low[source]
    front = float(sole[1][low].max()) if low.any() else 1.0
    return np.asarray(
        filled & (sole[2] > HOLLOW_MM * np.sin(np.pi * np.clip(sole[1] / (0.75 * front), 0, 1)))
    )


def _skin(subject: Subject, grid: Grid, bone_mm: F32) -> F32:
    """Depth below a skin that wraps the bones: thin on the dorsum, thick at the leg and under heel
    and ball. Worked out coarsely.
    """
    step = max(1, round(3.0 / grid.spacing_mm))
    mm = step * grid.spacing_mm
    box = (
        slice(0, grid.shape[0], step),
        slice(0, grid.shape[1], step),
        slice(0, grid.shape[2], step),
    )
    leg = _points(grid, box, grid.to_foot)[2]
    sole = _points(grid, box, subject.sole @ grid.to_foot)
    bones = bone_mm[box] < 0
    under = _under(bones, sole, mm, subject.loaded)
    away = ndimage.distance_transform_edt(~_closed(bones | under, mm)) * mm
    wrap = (
        6.0
        + 9.0 * np.clip((leg - 45.0) / 50.0, 0, 1)
        + 5.0 * np.clip((14.0 - sole[2]) / 12.0, 0, 1)
    )
    rounded = ndimage.gaussian_filter((wrap - away).astype(np.float32), 4.0 / mm)
    full = ndimage.zoom(
        rounded,
        [n / c for n, c in zip(grid.shape, rounded.shape, strict=True)],
        order=1,
        grid_mode=True,
        mode="nearest",
    )
    return np.asarray(full, dtype=np.float32)
