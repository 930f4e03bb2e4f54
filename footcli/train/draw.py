"""Slices of banked subjects as a scanner might show them: random cut, appearance and faults.
Batched torch, any device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from footcli.kinds import BONE_ID
from footcli.train.artefacts import field, spoil
from footcli.train.bank import Entry
from footcli.train.cut import Cut, sample
from footcli.train.paint import cut_field_of_view, faults, tissues
from footcli.train.view import AROUND, CLEAN, FIELD, SCANNER, FootView

# share of AXL and COR images with both feet, as far as the second one is inside the image
SECOND_FOOT = 0.25
SECOND_GAP_MM = (2.0, 35.0)
RAYS = (BONE_ID["1st Metatarsal"], BONE_ID["5th Metatarsal"])


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    """One painted foot in an image: HU, depth, skin (C, H, W) and the middle channel's classes (H,
    W).
    """

    image: torch.Tensor
    depth: torch.Tensor
    skin: torch.Tensor
    target: torch.Tensor


def _one_foot(
    entry: Entry,
    plane: str,
    centre: torch.Tensor,
    cut: Cut,
    chance: tuple[np.random.Generator, torch.Generator],
    flip: int,
) -> _Slice:
    """Cut and paint one foot. chance: the generators of geometry and of noise."""
    rng, g = chance
    fields, ids = sample(entry, plane, centre, cut, rng, flip)
    image, skin = tissues(entry, fields, ids, rng, g)
    middle = len(cut.offsets_mm) // 2
    target = entry.classes.to(ids.device)[ids[0, middle]]
    seen = torch.where(fields[0, middle] > 0, target, torch.zeros_like(target))
    return _Slice(image, fields[0], skin, seen)


def _beside(a: _Slice, b: _Slice, side: int, gap_px: int) -> _Slice:
    """Two feet in one image: b is moved along the columns to `gap_px` beside a, towards the last
    (side 1) or first (-1) column.
    """
    w = a.image.shape[-1]
    spans = [torch.nonzero((s.skin > 0).any(0).any(0))[:, 0] for s in (a, b)]
    if any(len(s) == 0 for s in spans) or int(spans[1][0 if side > 0 else -1]) in (0, w - 1):
        return a  # a foot is empty, or b is cut off at the image edge that would face a
    step = (
        int(spans[0][-1] - spans[1][0]) + gap_px
        if side > 0
        else int(spans[0][0] - spans[1][-1]) - gap_px
    )
    at = torch.arange(w, device=a.image.device) - step
    inside = (at >= 0) & (at < w)
    at = at.clamp(0, w - 1)
    skin = torch.where(inside, b.skin[..., at], torch.full_like(a.skin, -30.0))
    mine = skin > a.skin
    middle = len(skin) // 2
    return _Slice(
        torch.where(mine & inside, b.image[..., at], a.image),
        torch.where(mine & inside, b.depth[..., at], a.depth),
        torch.maximum(skin, a.skin),
        torch.where((mine & inside)[middle], b.target[:, at], a.target),
    )


def picture(
    entry: Entry, plane: str, centre: torch.Tensor, cut: Cut, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """HU (C, H, W) of a slice with its neighbours as any scanner may show it, and the classes (H,
    W) visible in the middle slice.
    """
    g = torch.Generator(device=entry.fields.device).manual_seed(int(rng.integers(1 << 62)))
    flip = int(rng.choice([-1, 1]))
    shown = _one_foot(entry, plane, centre, cut, (rng, g), flip)
    if plane != "SAG" and rng.random() < SECOND_FOOT:
        near = centre + torch.tensor(rng.normal(0, 5.0, 3), dtype=torch.float32)
        gap = int(rng.uniform(*SECOND_GAP_MM) / cut.pixel_mm)
        other = _one_foot(entry, plane, near, cut, (rng, g), -flip)
        shown = _beside(shown, other, flip * _medial(entry), gap)
    offsets = torch.tensor(cut.offsets_mm, device=shown.image.device) / cut.pixel_mm
    view = FootView(plane, cut.pixel_mm, offsets, shown.depth, shown.skin, rng, g)
    clean = rng.random() < CLEAN
    image = shown.image if clean else spoil(shown.image, view, AROUND)
    image = faults(image, rng, g)
    image = image if clean else spoil(image, view, SCANNER)
    image, keep = cut_field_of_view(image, rng)
    if not clean and rng.random() < FIELD:
        image, round_ = field(image, view)
        keep = keep & round_[len(image) // 2]
    return image, torch.where(keep, shown.target, torch.zeros_like(shown.target))


def _medial(entry: Entry) -> int:
    """Direction of the great toe along the volume's x: 1 or -1; 1 if a ray is missing."""
    first, fifth = (entry.points.get(c) for c in RAYS)
    return (
        1 if first is None or fifth is None or bool(first[:, 2].mean() > fifth[:, 2].mean()) else -1
    )
