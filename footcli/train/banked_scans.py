"""Labelled scans in the training bank, and the slices cut from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from footcli.errors import CaseError, SetupError, TruthError
from footcli.kinds import BONE_ID, LESIONS
from footcli.phantom.tissue import AIR_HU
from footcli.train.bank import SITE, SPACING_MM, SamplePoints, interleaved, random_voxels
from footcli.train.cases import Labelled, on_canonical_grid
from footcli.train.cut import Cut, Source, cut_slice
from footcli.train.paint import cut_field_of_view
from footcli.walk.tree import CaseEntry

GAIN, OFFSET_HU, NOISE_HU = (0.75, 1.3), 60.0, (0.0, 60.0)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class BankedScan:
    """A labelled scan in the bank.

    fields: float32 (1, z, y, x) HU; ids: uint8 (2, z, y, x) classes, lesion bits; both at
    SPACING_MM in canonical order. points: as in Entry; an absent lesion has the points of the bone
    that it needs.
    """

    fields: torch.Tensor
    ids: torch.Tensor
    points: SamplePoints


def to_scan(case: Labelled, rng: np.random.Generator) -> BankedScan:
    """Convert a labelled volume to an entry of the bank."""
    grid = case.canonical(SPACING_MM)
    ids = on_canonical_grid(case.labels, grid, case.volume)
    points = {
        k: random_voxels(np.flatnonzero(ids == k), ids.shape, rng)
        for k in BONE_ID.values()
        if (ids == k).any()
    }
    bits = (
        np.zeros_like(ids)
        if case.lesions is None
        else on_canonical_grid(case.lesions, grid, case.volume)
    )
    for bit, term in enumerate(LESIONS if case.lesions is not None else ()):
        where = np.flatnonzero(bits & (1 << bit))
        if where.size:
            points[-1 - bit] = random_voxels(where, ids.shape, rng)
        elif (owner := BONE_ID[term.needs]) in points:
            points[SITE - bit] = points[owner]
    return BankedScan(torch.from_numpy(grid.hu)[None], interleaved([ids, bits]), points)


def from_any(
    places: Sequence[CaseEntry], seed: int, make: Callable[[CaseEntry, np.random.Generator], T]
) -> T:
    """Apply `make` to a random usable case.

    Raises SetupError if no case is usable.
    """
    rng = np.random.default_rng([seed, 8])
    last = ""
    for number in rng.permutation(len(places)):
        try:
            return make(places[int(number)], rng)
        except (CaseError, TruthError) as error:
            last = f"{places[int(number)].case_id}: {error}"
    raise SetupError(f"none of the {len(places)} labelled cases can be used; the last one, {last}")


def scan_picture(
    entry: BankedScan, plane: str, centre: torch.Tensor, cut: Cut, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """HU (C, H, W) of a slice with its neighbours, turned, stretched and varied in HU, and the
    classes (H, W) of the middle slice.
    """
    image, ids, keep = scan_slice(entry, plane, centre, cut, rng)
    target = ids[0, len(cut.offsets_mm) // 2]
    return image, torch.where(keep, target, torch.zeros_like(target))


def scan_slice(
    entry: BankedScan,
    plane: str,
    centre: torch.Tensor,
    cut: Cut,
    rng: np.random.Generator,
    chance: float = 0.3,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """As scan_picture, but returns HU, ids (2, C, H, W) and the bool (H, W) mask of a field of view
    that is reduced with probability `chance`.
    """
    source = Source(entry.fields, entry.ids, (AIR_HU,))
    fields, ids = cut_slice(source, plane, centre, cut, rng)
    g = torch.Generator(device=entry.fields.device).manual_seed(int(rng.integers(1 << 62)))
    image = fields[0] * rng.uniform(*GAIN) + rng.normal(0, OFFSET_HU)
    image = image + rng.uniform(*NOISE_HU) * torch.randn(
        image.shape, generator=g, device=image.device
    )
    image, keep = cut_field_of_view(image, rng, chance)
    return image, ids, keep
