"""Measured bone surfaces (PLY, LPS mm), each registered to the parametric bone of its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from footcli.anatomy.surface import surface_points
from footcli.anatomy.template import Bone, SampledField, reference_foot
from footcli.errors import SetupError
from footcli.geometry import Array, rotation, turn_and_size
from footcli.kinds.parts import PART_OF

FILE = re.compile(r"(?P<person>.+)(?P<side>[LR])_(?P<bone>[a-z0-9_]+)\.ply")
TOE = re.compile(r"phalanx(\d)_(proximal|middle|distal)")
TOE_PARTS = {"proximal": "prox", "middle": "mid", "distal": "dist"}
LONG = ("tibia", "fibula")  # scanned in part: the parametric shaft continues above
LEG_MM = 85.0  # of a leg bone that counts, from its lower end
LEAST_SHARED = 4  # bones of a person whose centroids tell how the foot lies
STEP_MM, MARGIN_MM = 1.0, 5.0
SAMPLE, ROUNDS, TRIM = 3000, 40, 0.9
SIZES = (0.75, 1.3)
OWN_SIZE = 1.15  # of a bone, by that of its foot
LONG_SHAFT = 3.0  # spread along by that across of a piece of leg that shows its axis


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """Maps foot-frame points p (N, 3) to size * p @ turn.T + shift."""

    turn: Array
    shift: Array
    size: float

    def __call__(self, points: Array) -> Array:
        """The points (N, 3) mapped."""
        return np.asarray(self.size * points @ self.turn.T + self.shift)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A measured surface on the parametric bone. off_mm: median distance between both."""

    field: SampledField
    off_mm: float


def bone_of(path: Path) -> str | None:
    """The name of the bone in a file's name; None if there is none that footcli draws."""
    match = FILE.fullmatch(path.name)
    if match is None:
        return None
    toe = TOE.fullmatch(match["bone"])
    name = f"phalanx_{TOE_PARTS[toe[2]]}{toe[1]}" if toe else match["bone"]
    return name if name in PART_OF else None


def person_of(path: Path) -> str:
    """The person and side in a file's name, such as `vhmR`."""
    match = FILE.fullmatch(path.name)
    return "" if match is None else match["person"] + match["side"]


def read_ply(path: Path) -> tuple[Array, np.ndarray]:
    """Vertices (V, 3) float and triangles (F, 3) int of a binary little-endian PLY.

    Raises SetupError for any other format.
    """
    raw = path.read_bytes()
    head, _, body = raw.partition(b"end_header\n")
    counts = dict(re.findall(rb"element (vertex|face) (\d+)", head))
    properties = re.findall(rb"property (?!list)(\w+) \w+", head)
    if (
        b"binary_little_endian" not in head
        or len(properties) != 3
        or set(properties) not in ({b"float"}, {b"float32"})
    ):
        raise SetupError(
            f"{path.name}: not a binary PLY of float x, y, z; convert it or leave it out of "
            "--shapes"
        )
    v = int(counts[b"vertex"])
    points = np.frombuffer(body, "<f4", v * 3).reshape(v, 3).astype(np.float64)
    faces = np.frombuffer(
        body, np.dtype([("n", "u1"), ("i", "<i4", 3)]), int(counts[b"face"]), v * 12
    )
    return points, faces["i"]


def _surface(points: Array, faces: np.ndarray) -> tuple[Array, Array]:
    """Points on the triangles, and the outward normal at each; (N, 3) both."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    volume = float((a * np.cross(b, c)).sum())
    normal *= np.sign(volume) / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12)
    weights = np.array(
        [[1, 1, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4], [3, 3, 0.5], [0.5, 3, 3], [3, 0.5, 3]]
    )
    weights /= weights.sum(1, keepdims=True)
    sampled = np.concatenate([w[0] * a + w[1] * b + w[2] * c for w in weights])
    return sampled, np.tile(normal, (len(weights), 1))


def similarity(points: Array, target: Array, sizes: tuple[float, float] = SIZES) -> Similarity:
    """The best map of points (N, 3) to target (N, 3), of a size within `sizes`, no reflection."""
    turn, size = turn_and_size(points - points.mean(0), target - target.mean(0))
    size = float(np.clip(size, *sizes))
    return Similarity(turn, target.mean(0) - size * turn @ points.mean(0), size)


def align(points: Array, target: Array, start: Similarity) -> tuple[Similarity, float]:
    """Iterated closest points from `start`: the map of points (N, 3) to the surface target (M, 3),
    and the median distance that is left, mm.
    """
    tree = cKDTree(target)
    sample = points[:: max(1, len(points) // SAMPLE)]
    found = start
    sizes = (start.size / OWN_SIZE, start.size * OWN_SIZE)
    for _ in range(ROUNDS):
        distance, index = tree.query(found(sample))
        keep = distance < np.quantile(distance, TRIM)
        found = similarity(sample[keep], target[index[keep]], sizes)
    return found, float(np.median(tree.query(found(sample))[0]))


def _start(points: Array, target: Array, turn: Array, size: float, long: bool) -> Similarity:
    """Where closest points begin: turned as the whole foot, one above the other."""
    moved = size * points @ turn.T
    if long:  # the shafts end at different heights
        low, goal = (p[p[:, 2] < p[:, 2].min() + 25] for p in (moved, target))
        return Similarity(turn, goal.mean(0) - low.mean(0), size)
    return Similarity(turn, target.mean(0) - moved.mean(0), size)


def sampled(bone: Bone, points: Array, normal: Array) -> SampledField:
    """Distances to a surface on a grid in the local frame of a bone of the mean foot.

    points, normal: (N, 3) foot frame mm, of the surface as it lies on the bone.
    """
    local, out = (points - bone.pos) @ bone.axes.T, normal @ bone.axes.T
    low, high = local.min(0) - MARGIN_MM, local.max(0) + MARGIN_MM
    shape = np.ceil((high - low) / STEP_MM).astype(int) + 1
    grid = np.stack(
        np.meshgrid(*(low[i] + STEP_MM * np.arange(shape[i]) for i in range(3)), indexing="ij"), -1
    ).reshape(-1, 3)
    distance, index = cKDTree(local).query(grid, k=4)
    side = ((grid[:, None] - local[index]) * out[index]).sum(-1).mean(1)
    values = (np.where(side > 0, 1, -1) * distance[:, 0]).reshape(shape).astype(np.float32)
    top = float(local[:, 0].max()) - 8.0 if bone.name in LONG else None
    return SampledField(low, STEP_MM, values, top)


@lru_cache(maxsize=256)
def fitted(path: Path) -> Fit:
    """The surface of a file on the parametric bone of its name. Raises SetupError."""
    name = bone_of(path)
    if name is None:
        raise SetupError(
            f"{path.name}: file names in --shapes are PERSON, side L or R, _, bone, .ply"
        )
    points, normal = _surface(*_in_foot(path))
    turn, size = _lie(path.parent, person_of(path))
    bone = reference_foot()[name]
    if name in LONG:
        turn = _upright(points, bone, turn)
        along = points @ turn.T @ bone.axes[0]
        lower = along < along.min() + LEG_MM / size
        points, normal = points[lower], normal[lower]
    return fit_to(bone, points, normal, turn, size)


def _upright(points: Array, bone: Bone, turn: Array) -> Array:
    """The turn of a foot, then that of its leg: the shaft along that of the mean foot."""
    moved = points @ turn.T
    centred = moved - moved.mean(0)
    _, spread, axes = np.linalg.svd(centred[:: max(1, len(centred) // SAMPLE)], full_matrices=False)
    axis = axes[0]
    if spread[0] < LONG_SHAFT * spread[1]:
        return turn  # too short a piece to have an axis of its own
    axis = axis * np.sign(axis @ bone.axes[0])
    across = np.cross(axis, bone.axes[0])
    angle = np.degrees(np.arctan2(np.linalg.norm(across), axis @ bone.axes[0]))
    return np.asarray(rotation(across, float(angle)) @ turn) if angle > 1e-6 else turn


def fit_to(bone: Bone, points: Array, normal: Array, turn: Array, size: float) -> Fit:
    """A surface (N, 3), with outward normals, on a bone of the mean foot, from a first turn."""
    target = surface_points(bone)
    first = _start(points, target, turn, size, bone.name in LONG)
    found, off = align(points, target, first)
    return Fit(sampled(bone, found(points), normal @ found.turn.T), off)


def _in_foot(path: Path) -> tuple[Array, np.ndarray]:
    """Vertices of a file in the axes of the foot frame, as of a left foot, and its triangles."""
    points, faces = read_ply(path)
    left = person_of(path).endswith("L")
    return points * np.array([-1.0 if left else 1.0, -1.0, 1.0]), faces


@lru_cache(maxsize=256)
def _lie(folder: Path, person: str) -> tuple[Array, float]:
    """How a person's foot lies to the mean foot, by the centroids of its bones: turn and size.

    As it is for a person with too few bones of the foot: those legs stood.
    """
    middles = {}
    for path in sorted(folder.glob(f"{person}_*.ply")):
        name = bone_of(path)
        if name is not None and name not in LONG:
            middles[name] = _surface(*_in_foot(path))[0].mean(0)
    return lie_of(middles)


def lie_of(middles: Mapping[str, Array]) -> tuple[Array, float]:
    """The turn (3, 3) and size of the map of bones' centroids to those of the mean foot."""
    foot = reference_foot()
    if len(middles) < LEAST_SHARED:
        return np.eye(3), 1.0
    goal = np.array([surface_points(foot[name]).mean(0) for name in middles])
    found = similarity(np.array(list(middles.values())), goal)
    return found.turn, found.size
