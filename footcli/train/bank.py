"""A bank of training subjects as torch volumes, refreshed during a training on their slices."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

import numpy as np
import torch

from footcli.anatomy.surface import surface_points
from footcli.kinds import ARCH, BONE_ID, BONES, LESIONS
from footcli.phantom.disease import Variety, Wear, draw_subject
from footcli.phantom.grid import make_grid
from footcli.phantom.lesion_sites import ARCH_BONES, sites
from footcli.phantom.pose import flexed
from footcli.phantom.raster import CLASS_OF, Raster, rasterize
from footcli.phantom.subject import Subject

SPACING_MM = 0.8  # fine enough that joints of 0.7 mm stay open after interpolation of the distance
# training draws seeds from here upwards; test and demo seeds lie below (see phantom/seeds.py)
TRAIN_SEEDS = 1_000_000
LOW, HIGH = (
    np.array([-75.0, -40.0, -26.0]),
    np.array([65.0, 225.0, 142.0]),
)  # foot-frame box around a reference-sized foot, mm
ROUND_MM = 24.0  # soft tissue and air kept around a foot that hangs free
LYING_SHARE = 0.25  # share of the wide population scanned lying, the foot hanging free
FLEXION_DEG = (-15.0, 45.0)  # positive is plantar
SITE = -101  # SITE - i: key in Entry.points of lesion i's possible positions, present or not
SITE_SD_MM = 3.0
SAY_EVERY = 8  # items drawn
# feet for lesion training vary less than others: a flat foot without that label would mislead
LESION_VARIETY = 0.3
LYING_SWAY_DEG = (
    12.0,
    6.0,
    12.0,
)  # sd of such a leg's orientation in the scan: turn about its axis, tilt sideways, tilt forward
SamplePoints = dict[int, torch.Tensor]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A subject in the bank.

    fields: float32 (3, z, y, x) depth, skin, tissue. ids: uint8 (2, z, y, x) piece id, lesion bits.
    classes: (pieces + 1,) class of each piece id. points: key -> float32 (K, 3) random voxels (z,
    y, x): inside class k for key k > 0, inside lesion bit i for -1 - i, at a possible position of
    that lesion for SITE - i. sway_deg: sd of further turns about z, y, x when a slice is cut.
    """

    seed: int
    pieces: tuple[str, ...]
    fields: torch.Tensor
    ids: torch.Tensor
    classes: torch.Tensor
    points: SamplePoints
    sway_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)


def subject_box(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Foot-frame box (mm) that holds the subject's foot: low, high, (3,) each."""
    low, high = LOW * subject.scale, HIGH * subject.scale
    if subject.loaded:
        return low, high
    skin = np.concatenate([surface_points(bone) for bone in subject.bones.values()])
    top = high[2]  # as much leg as of a standing foot
    low, high = skin.min(0) - ROUND_MM, skin.max(0) + ROUND_MM
    return low, np.array([*high[:2], top])


def interleaved(volumes: list[np.ndarray]) -> torch.Tensor:
    """(C, z, y, x) tensor with a voxel's channels adjacent in memory, so that they are read at
    once.
    """
    return torch.from_numpy(np.stack(volumes, -1)).permute(3, 0, 1, 2)


def random_voxels(
    where: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator
) -> torch.Tensor:
    """(400, 3) voxels (z, y, x), float32, drawn from flat indices."""
    picked = rng.choice(where, size=400)
    return torch.from_numpy(np.stack(np.unravel_index(picked, shape), -1).astype(np.float32))


def to_entry(
    seed: int,
    raster: Raster,
    rng: np.random.Generator,
    sway_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    where_lesions_lie: Mapping[str, Sequence[np.ndarray]] = MappingProxyType({}),
) -> Entry:
    """Convert a raster to an entry of the bank. where_lesions_lie: label -> foot-frame points (3,),
    mm.
    """
    labels = raster.labels
    points: SamplePoints = {}
    for c in range(1, len(BONES) + 1):
        where = np.flatnonzero(labels == c)
        if where.size:
            points[c] = random_voxels(where, labels.shape, rng)
    arch = np.isin(labels, [BONE_ID[name] for name in ARCH_BONES])
    for bit, kind in enumerate(LESIONS):
        there = raster.lesion & (1 << bit) > 0
        where = np.flatnonzero(there & arch if kind.name == ARCH else there)
        if where.size:
            points[-1 - bit] = random_voxels(where, labels.shape, rng)
    for bit, kind in enumerate(LESIONS):
        near = [raster.grid.voxels(at)[::-1] for at in where_lesions_lie.get(kind.name, ())]
        if near:
            chosen = np.stack(near)[rng.integers(len(near), size=400)]
            some = chosen + rng.normal(0, SITE_SD_MM / SPACING_MM, (400, 3))
            points[SITE - bit] = torch.from_numpy(some.astype(np.float32))
    classes = torch.tensor([0, *(CLASS_OF.get(name, 0) for name in raster.pieces)])
    fields = interleaved([raster.depth, raster.skin, raster.tissue])
    ids = interleaved([raster.piece, raster.lesion])
    return Entry(seed, raster.pieces, fields, ids, classes, points, sway_deg)


def wide_subject(seed: int, wear: Wear | None = None) -> Subject:
    """A subject of the wide population for training: arch, heel and size vary more, and LYING_SHARE
    of the feet hang free. wear: see draw_subject.
    """
    rng = np.random.default_rng([seed, 6])
    subject = draw_subject(seed, variety=Variety(spread=1.0, wear=wear))
    return flexed(subject, rng.uniform(*FLEXION_DEG)) if rng.random() < LYING_SHARE else subject


def lesion_subject(seed: int, wear: Wear | None = None) -> Subject:
    """A subject of the population for lesion training. wear: see draw_subject."""
    return draw_subject(
        seed,
        variety=Variety(spread=LESION_VARIETY, with_mimics=True, by_definition=True, wear=wear),
    )


def make_entry(
    seed: int,
    wear: Wear | None = None,
    draw: Callable[[int, Wear | None], Subject] = wide_subject,
) -> Entry:
    """Draw the subject of a seed, its bones changed by `wear`, and rasterise it."""
    rng = np.random.default_rng([seed, 5])
    subject = draw(seed, wear)
    grid = make_grid(subject, SPACING_MM, *subject_box(subject), np.eye(3))
    sway = (0.0, 0.0, 0.0) if subject.loaded else LYING_SWAY_DEG
    return to_entry(seed, rasterize(subject, grid), rng, sway, sites(subject.bones))


class Bank(Generic[T]):
    """Keeps `size` items made from seeds and replaces the oldest one by one; a background thread
    makes the new ones.
    """

    def __init__(self, size: int, make: Callable[[int], T], first_seed: int | None = None) -> None:
        """make: seed -> item. first_seed: None leaves it to the training, so that a resumed one
        gets new subjects.
        """
        self._make = make
        self.fixed = first_seed is not None
        self.next_seed = TRAIN_SEEDS if first_seed is None else first_seed
        self._pool = ThreadPoolExecutor(1)
        self._coming: Future[T] | None = None
        self.size = size
        self.entries: list[T] = []

    def _draw(self) -> T:
        self.next_seed += 1
        return self._make(self.next_seed - 1)

    def fill(self, say: Callable[[str], None] = lambda line: None) -> None:
        """Draw the first items; this is the slow part of a start. say: is told how far it is."""
        while len(self.entries) < self.size:
            self.entries.append(self._draw())
            if len(self.entries) % SAY_EVERY == 0:
                say(f"drawn {len(self.entries)} of {self.size}")

    def refresh(self) -> None:
        """Replace the oldest item if a new one is ready, and start to make the next."""
        if self._coming is not None and self._coming.done():
            self.entries = [*self.entries[1:], self._coming.result()]
            self._coming = None
        if self._coming is None:
            self._coming = self._pool.submit(self._draw)

    def close(self) -> None:
        """Stop the thread."""
        self._pool.shutdown(cancel_futures=True)


class Ahead(Generic[T]):
    """Draws batches in threads while the network trains; they come in the order of their steps,
    with any number of workers.
    """

    def __init__(self, draw: Callable[[int], T], workers: int, first: int = 0) -> None:
        """draw: step -> batch; several threads may call it at once."""
        self._draw = draw
        self._pool = ThreadPoolExecutor(workers)
        self._first = first
        self._coming = deque(self._pool.submit(draw, first + i) for i in range(workers))

    def __call__(self) -> T:
        """The next batch; the following ones are drawn meanwhile."""
        thing = self._coming.popleft().result()
        self._first += 1
        self._coming.append(self._pool.submit(self._draw, self._first + len(self._coming)))
        return thing

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(cancel_futures=True)
