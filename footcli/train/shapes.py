"""Measured bone surfaces (PLY, LPS mm) in place of parametric bones, for training.

Each is registered to the parametric bone and sampled as distances in that bone's frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from footcli.anatomy.template import Bone, SampledField, reference_foot, surface_points
from footcli.errors import SetupError
from footcli.geometry import Array
from footcli.phantom.seeds import TEST_SHAPES
from footcli.phantom.subject import Subject

FILE = re.compile(r"(?P<person>.+)(?P<side>[LR])_(?P<bone>tibia|fibula|talus|calcaneus)\.ply")
LONG = ("tibia", "fibula")  # scanned in part: the parametric shaft continues above
STEP_MM, MARGIN_MM = 1.0, 5.0


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


def _align(points: Array, target: Array, long: bool) -> tuple[Array, Array, float]:
    """Similarity (turn, shift, size) that registers foot-frame points to target points: turn @ p *
    size + shift. Iterative closest points.
    """
    turn, size = np.eye(3), 1.0
    if long:
        low, low_target = (p[p[:, 2] < p[:, 2].min() + 25] for p in (points, target))
        shift = low_target.mean(0) - low.mean(0)
    else:
        shift = target.mean(0) - points.mean(0)
    tree = cKDTree(target)
    sample = points[:: max(1, len(points) // 3000)]
    for _ in range(25):
        moved = size * sample @ turn.T + shift
        distance, index = tree.query(moved)
        keep = distance < np.quantile(distance, 0.9)
        p, q = sample[keep], target[index[keep]]
        p0, q0 = p - p.mean(0), q - q.mean(0)
        u, s, vt = np.linalg.svd(p0.T @ q0)
        flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
        turn = vt.T @ flip @ u.T
        size = float(np.clip((s * np.diag(flip)).sum() / (p0**2).sum(), 0.75, 1.3))
        shift = q.mean(0) - size * turn @ p.mean(0)
    return turn, shift, size


@lru_cache(maxsize=64)
def sampled(path: Path) -> SampledField:
    """The surface of a file as a grid of distances in the local frame of the parametric bone of the
    same name. Raises SetupError.
    """
    match = FILE.fullmatch(path.name)
    if match is None:
        raise SetupError(
            f"{path.name}: file names in --shapes are PERSON, side L or R, _, bone, .ply"
        )
    bone = reference_foot()[match["bone"]]
    points, faces = read_ply(path)
    points = points * np.array([-1.0 if match["side"] == "L" else 1.0, -1.0, 1.0])
    sampled, normal = _surface(points, faces)
    turn, shift, size = _align(sampled, surface_points(bone), bone.name in LONG)
    local = ((size * sampled @ turn.T + shift) - bone.pos) @ bone.axes.T
    normal = normal @ turn.T @ bone.axes.T
    low, high = local.min(0) - MARGIN_MM, local.max(0) + MARGIN_MM
    shape = np.ceil((high - low) / STEP_MM).astype(int) + 1
    grid = np.stack(
        np.meshgrid(*(low[i] + STEP_MM * np.arange(shape[i]) for i in range(3)), indexing="ij"), -1
    ).reshape(-1, 3)
    distance, index = cKDTree(local).query(grid, k=4)
    side = ((grid[:, None] - local[index]) * normal[index]).sum(-1).mean(1)
    values = (np.where(side > 0, 1, -1) * distance[:, 0]).reshape(shape).astype(np.float32)
    top = float(local[:, 0].max()) - 8.0 if bone.name in LONG else None
    return SampledField(low, STEP_MM, values, top)


class ShapeSwap:
    """Swaps measured surfaces into a subject's bones, without TEST_SHAPES or with them alone."""

    def __init__(self, folder: Path, chance: float = 0.5, held_out: bool = False) -> None:
        files = [
            p
            for p in sorted(folder.glob("*.ply"))
            if FILE.fullmatch(p.name) and p.name.startswith(TEST_SHAPES) == held_out
        ]
        if not files:
            raise SetupError(f"--shapes {folder.name}: no file named like leg01R_talus.ply in it")
        self._chance = chance
        by_bone: dict[str, list[Path]] = {}
        for bone in ("tibia", "fibula", "talus", "calcaneus"):
            by_bone[bone] = [p for p in files if p.stem.endswith(f"_{bone}")]
        self._by_bone: Mapping[str, list[Path]] = by_bone

    def __call__(self, subject: Subject, rng: np.random.Generator) -> Subject:
        """The subject with measured surfaces in some bones.

        Landmarks stay those of the parametric bones.
        """
        bones = dict(subject.bones)
        if rng.random() < self._chance:
            for name, files in self._by_bone.items():
                if files:
                    bones[name] = _with_field(
                        bones[name], sampled(files[int(rng.integers(len(files)))])
                    )
        return replace(subject, bones=bones)


def _with_field(bone: Bone, field: SampledField) -> Bone:
    return replace(bone, field=field)
