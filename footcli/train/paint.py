"""A slice as a cone-beam scanner shows it: tissues in HU, its faults, its field of view."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch

from footcli.phantom.tissue import AIR_HU, draw_appearance, hounsfield
from footcli.train.bank import Entry
from footcli.train.view import blur, noise

SKIN_MM = (-3.0, 22.0)  # added to the subject's soft-tissue thickness


def paint(
    entry: Entry, fields: torch.Tensor, ids: torch.Tensor, pixel_mm: float, rng: np.random.Generator
) -> torch.Tensor:
    """HU image (C, H, W) of sampled fields, with a scanner's faults."""
    g = torch.Generator(device=fields.device).manual_seed(int(rng.integers(1 << 62)))
    image, _ = tissues(entry, fields, ids, rng, g)
    return faults(image, rng, g)


def tissues(
    entry: Entry,
    fields: torch.Tensor,
    ids: torch.Tensor,
    rng: np.random.Generator,
    g: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """HU (C, H, W) without scanner faults, and the depth below the skin (C, H, W) that was used."""
    device = fields.device
    look = draw_appearance(rng, entry.pieces)
    tables = torch.tensor(look.tables, dtype=torch.float32, device=device)[:, ids[0]]
    shape = tuple(fields.shape[1:])
    texture = sum(
        noise(shape, g, device, s) * w
        for s, w in zip((1, 2, 4), rng.dirichlet(np.ones(3)) * 1.4, strict=True)
    )
    patch = noise(shape, g, device, int(rng.integers(5, 16)))
    skin = (
        fields[1] + float(rng.uniform(*SKIN_MM)) + 2.5 * noise((1, *shape[1:]), g, device, 24)
    )  # from thin to stout, swollen, padded
    scalars = {
        k: getattr(look, k) for k in ("muscle_hu", "fat_hu", "fat_mm", "texture_hu", "patch_hu")
    }
    own = SimpleNamespace(tables=tables, **scalars)
    return hounsfield(torch, own, fields[0], skin, fields[2], (texture, patch)), skin


def faults(image: torch.Tensor, rng: np.random.Generator, g: torch.Generator) -> torch.Tensor:
    """Metal, blur, noise, shading, streaks, rings, gain and offset of a cone-beam scanner, each at
    random.
    """
    c, h, w = image.shape
    device = image.device
    rows, columns = torch.meshgrid(
        torch.arange(h, device=device), torch.arange(w, device=device), indexing="ij"
    )
    if rng.random() < 0.06:
        r, q = rng.uniform(0.2, 0.8, 2) * (h, w)
        angle = torch.atan2(rows - r, columns - q)
        near = ((rows - r) ** 2 + (columns - q) ** 2).sqrt()
        image = image + 500 * torch.sin(
            angle * int(rng.integers(3, 12)) + rng.uniform(0, 6)
        ) * torch.exp(-near / 25)
        image = torch.where((near < rng.uniform(2, 6))[None], torch.full_like(image, 3000.0), image)
    if rng.random() < 0.8:
        image = blur(image, rng.uniform(0.25, 1.0))
    sd = float(np.exp(rng.uniform(np.log(3), np.log(140))))
    image = image + sd * noise((c, h, w), g, device, 1 if rng.random() < 0.5 else 2)
    image = image + rng.uniform(0, 120) * noise((1, h, w), g, device, max(h // 3, 8)) * (
        image > -900
    )
    if rng.random() < 0.35:
        a = rng.uniform(0, np.pi)
        phase = (rows * np.cos(a) + columns * np.sin(a)) * rng.uniform(0.1, 1.2)
        image = image + rng.uniform(10, 90) * torch.sin(
            phase + 6 * noise((1, h, w), g, device, 24)[0]
        )
    if rng.random() < 0.12:
        r, q = rng.uniform(0.1, 0.9, 2) * (h, w)
        image = image + rng.uniform(10, 60) * torch.sin(
            ((rows - r) ** 2 + (columns - q) ** 2).sqrt() * rng.uniform(0.5, 2.5)
        )
    inside = image * rng.uniform(0.7, 1.3) + rng.normal(0, 60)
    return torch.clamp(inside, -1024, 3071) if rng.random() < 0.8 else inside


def cut_field_of_view(
    image: torch.Tensor, rng: np.random.Generator, chance: float = 0.3
) -> tuple[torch.Tensor, torch.Tensor]:
    """Blank what a smaller field of view would not show, with probability `chance`.

    Returns the image and the bool (H, W) mask of what is left.
    """
    h, w = image.shape[1:]
    keep = torch.ones(h, w, dtype=torch.bool, device=image.device)
    if rng.random() < chance:
        for _ in range(int(rng.integers(1, 3))):
            side, depth = int(rng.integers(4)), rng.uniform(0.05, 0.45)
            if side < 2:
                k = int(depth * h)
                keep[:k] = keep[:k] & (side != 0)
                keep[h - k :] = keep[h - k :] & (side != 1)
            else:
                k = int(depth * w)
                keep[:, :k] = keep[:, :k] & (side != 2)
                keep[:, w - k :] = keep[:, w - k :] & (side != 3)
    fill = AIR_HU if rng.random() < 0.8 else float(image.min())
    return torch.where(keep[None], image, torch.full_like(image, fill)), keep
