"""Subject -> voxel grid: nearest bone, depth in bone and below the skin, tissue, lesion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from footcli.anatomy.template import Bone, distance
from footcli.kinds import BONE_ID, LESIONS
from footcli.kinds.parts import PART_OF
from footcli.phantom.grid import F32, Grid, box_around, box_corners, local_points, local_transform
from footcli.phantom.skin import skin_depth
from footcli.phantom.subject import Region, Spot, Subject

MARGIN_MM = 5.0  # margin around a bone in which its distance is computed
FAR_MM = 40.0  # distance where no bone is near
MIDFOOT = ("navicular", "cuboid", "cuneiform_medial", "cuneiform_intermediate", "cuneiform_lateral")
# Bone -> id of its class; phalanges, sesamoids and ossicles have none
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
}  # Spot.kind -> value in Raster.tissue


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """A subject on a grid; arrays (z, y, x).

    piece: uint8, index into `pieces` + 1 of the nearest bone. depth: float32 mm to its surface,
    positive inside bone. skin: float32 mm below the skin, negative outside. tissue: float32, -1
    (lucent) .. 1 (sclerotic), 0 unchanged. lesion: uint8 bit field, bit i for LESIONS[i].
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
        """uint8 (z, y, x), 1..10 in the order of kinds.BONES, 0 for all else."""
        return self._named(CLASS_OF)

    @property
    def parts(self) -> NDArray[np.uint8]:
        """uint8 (z, y, x), ids of kinds.PARTS, 0 for all else."""
        return self._named(PART_OF)

    def _named(self, ids: Mapping[str, int]) -> NDArray[np.uint8]:
        table = np.array([0, *(ids.get(name, 0) for name in self.pieces)], dtype=np.uint8)
        return np.where(self.depth > 0, table[self.piece], 0).astype(np.uint8)


def _bone_box(grid: Grid, bone: Bone) -> tuple[slice, slice, slice] | None:
    parts = [np.array([[bone.tube.t[0], -25.0, -25.0], [bone.tube.t[1], 25.0, 25.0]])]
    reach = (np.abs(bone.tube.sections[:2]) + bone.tube.sections[2:4].max(0)).max(1)
    parts[0][:, 1:] = np.stack([-reach, reach])
    parts += [np.stack([b.centre - b.radii.max(), b.centre + b.radii.max()]) for b in bone.blobs]
    both = np.concatenate(parts)
    return box_around(
        grid, bone.to_foot(box_corners(both.min(0) - MARGIN_MM, both.max(0) + MARGIN_MM))
    )


def region_gauge(
    grid: Grid, region: Region, margin: float = 1.6
) -> tuple[tuple[slice, slice, slice], F32] | None:
    """The box (z, y, x) around a region and its gauge there: 0 in the centre, 1 on the surface.

    margin: half size of the box in radii. None outside the grid.
    """
    box = box_around(
        grid,
        region.centre + box_corners(-region.radii * margin, region.radii * margin) @ region.axes,
    )
    if box is None:
        return None
    p = local_points(grid, box, local_transform(grid, region.centre, region.axes, region.radii))
    return box, np.asarray((np.abs(p) ** region.n).sum(0) ** (1 / region.n), dtype=np.float32)


def _bone_distance(
    grid: Grid, bone: Bone, box: tuple[slice, slice, slice], bridges: list[Spot]
) -> F32:
    local = local_points(grid, box, local_transform(grid, bone.pos, bone.axes, bone.scale))
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
    """Rasterize a subject on a grid.

    Joints are at least `gap_mm` wide, except at bridges and contacts (see _width).
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
    return Raster(grid, pieces, piece, -carved, skin_depth(subject, grid, carved), tissue, lesion)


def _gaps(subject: Subject, grid: Grid) -> F32 | np.float32:
    """The least joint width, mm: one value, or an array (z, y, x) where spots change it."""
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
    """Gap (mm) between two bones at a bridge or contact; negative: they are fused."""
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
