"""A bank of synthetic subjects as torch volumes, refreshed while a network trains on slices cut from them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch

from footcli.names import BONES
from footcli.phantom.disease import draw_subject
from footcli.phantom.raster import CLASS_OF, Raster, make_grid, rasterize
from footcli.phantom.subject import Subject

SPACING_MM = 0.8  # fine enough that joints of 0.7 mm stay open after interpolation of the distance
TRAIN_SEEDS = 1_000_000  # training draws seeds from here upwards; test and demo seeds lie below (see phantom/seeds.py)
LOW, HIGH = np.array([-75.0, -40.0, -26.0]), np.array([65.0, 225.0, 142.0])  # foot-frame box around a reference-sized foot, mm
SamplePoints = dict[int, torch.Tensor]
Change = Callable[[Subject, np.random.Generator], Subject]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A subject in the bank. fields: float32 (3, z, y, x) depth, skin, tissue. ids: float32 (2, z, y, x) piece, lesion bits.

    classes: (pieces + 1,) class of each piece id. points: class -> (K, 3) random voxels (z, y, x) inside it; -i for lesion bit i.
    """

    seed: int
    pieces: tuple[str, ...]
    fields: torch.Tensor
    ids: torch.Tensor
    classes: torch.Tensor
    points: SamplePoints


def subject_box(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Foot-frame box (mm) that holds the subject's foot: low, high, (3,) each."""
    return LOW * subject.scale, HIGH * subject.scale


def to_entry(seed: int, raster: Raster, rng: np.random.Generator) -> Entry:
    """A raster as an entry of the bank."""
    labels = raster.labels
    points: SamplePoints = {}
    for c in range(1, len(BONES) + 1):
        where = np.flatnonzero(labels == c)
        if where.size:
            picked = rng.choice(where, size=400)
            points[c] = torch.from_numpy(np.stack(np.unravel_index(picked, labels.shape), -1).astype(np.float32))
    for bit in range(8):
        where = np.flatnonzero(raster.lesion & (1 << bit))
        if where.size:
            picked = rng.choice(where, size=400)
            points[-1 - bit] = torch.from_numpy(np.stack(np.unravel_index(picked, labels.shape), -1).astype(np.float32))
    classes = torch.tensor([0, *(CLASS_OF.get(name, 0) for name in raster.pieces)])
    fields = torch.from_numpy(np.stack([raster.depth, raster.skin, raster.tissue]))
    ids = torch.from_numpy(np.stack([raster.piece, raster.lesion]).astype(np.float32))
    return Entry(seed, raster.pieces, fields, ids, classes, points)


def make_entry(seed: int, change: Change | None = None) -> Entry:
    """Draw the subject of a seed, let `change` alter it (measured surfaces, for one), and lay it on a grid."""
    rng = np.random.default_rng([seed, 5])
    subject = draw_subject(seed)
    if change is not None:
        subject = change(subject, rng)
    grid = make_grid(subject, SPACING_MM, *subject_box(subject), np.eye(3))
    return to_entry(seed, rasterize(subject, grid), rng)


class Bank(Generic[T]):
    """Keeps `size` things made from seeds and replaces the oldest one by one, worked out by a thread beside the training."""

    def __init__(self, size: int, make: Callable[[int], T], first_seed: int | None = None) -> None:
        """make: seed -> thing. first_seed: None picks one at random, so that a run that goes on sees new subjects."""
        self._make = make
        self.next_seed = TRAIN_SEEDS + int(np.random.default_rng().integers(1 << 40)) if first_seed is None else first_seed
        self._pool = ThreadPoolExecutor(1)
        self._coming: Future[T] | None = None
        self.size = size
        self.entries: list[T] = []

    def _draw(self) -> T:
        self.next_seed += 1
        return self._make(self.next_seed - 1)

    def fill(self) -> None:
        """Draw the first things; the slow part of a start."""
        while len(self.entries) < self.size:
            self.entries.append(self._draw())

    def refresh(self) -> None:
        """Take in a new thing if one is ready, and start on the next."""
        if self._coming is not None and self._coming.done():
            self.entries = [*self.entries[1:], self._coming.result()]
            self._coming = None
        if self._coming is None:
            self._coming = self._pool.submit(self._draw)

    def close(self) -> None:
        """Stop the thread."""
        self._pool.shutdown(cancel_futures=True)
