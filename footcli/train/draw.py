"""Slices of banked subjects as a scanner might show them: random cut, random look, random faults. Batched torch, any device."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from torch.nn import functional as F

from footcli.phantom.tissue import AIR_HU, draw_look, hounsfield
from footcli.train.bank import SPACING_MM, Entry

SKIN_MM = (-3.0, 22.0)  # how much thicker the soft tissue is than the subject's own wrap
PLANE_AXES = {"AXL": (0, 1, 2), "COR": (1, 0, 2), "SAG": (2, 0, 1)}  # volume axes (z, y, x) of slice normal, rows, columns


@dataclass(frozen=True, slots=True)
class Cut:
    """What a slice sampler should draw: pixel edge, side in pixels, offsets of the neighbouring slices (mm), how far it may turn."""

    pixel_mm: float
    side_px: int
    offsets_mm: tuple[float, ...]
    turn_sd_deg: float = 7.0
    stretch_mm: float = 4.0


def _turn(rng: np.random.Generator, sd_deg: float) -> np.ndarray:
    a, b, c = np.radians(rng.normal(0, sd_deg, 3))
    rz = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rx = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(rz @ ry @ rx)


def sample(entry: Entry, plane: str, centre: torch.Tensor, cut: Cut, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut one slice with its neighbours out of a subject.

    centre: (3,) voxel (z, y, x) that comes to lie somewhere in the picture.
    Returns fields float32 (3, C, H, W) and ids int64 (2, C, H, W) (see Entry).
    """
    device = entry.fields.device
    n = cut.side_px
    axes = PLANE_AXES[plane]
    scale = cut.pixel_mm / SPACING_MM * rng.uniform(0.78, 1.22) * rng.normal(1, 0.03, 3)
    basis = np.eye(3)[list(axes)] @ _turn(rng, cut.turn_sd_deg).T
    basis[2 if plane != "SAG" else 0] *= rng.choice([-1, 1])  # left and right feet alike; toes stay in front, the leg on top
    shift = rng.normal(0, 0.15, 2).clip(-0.4, 0.4) * n
    pix = torch.arange(n, device=device, dtype=torch.float32) - (n - 1) / 2
    b = torch.tensor(basis * scale[:, None], dtype=torch.float32, device=device)
    flat = centre.to(device) + (pix - shift[0])[:, None, None] * b[1] + (pix - shift[1])[None, :, None] * b[2]  # (H, W, 3)
    flat = flat + _wobble(n, cut, rng, device)
    normal = torch.tensor(basis[0] / np.linalg.norm(basis[0]) / SPACING_MM, dtype=torch.float32, device=device)
    offsets = torch.tensor(cut.offsets_mm, dtype=torch.float32, device=device)
    where = flat[None] + offsets[:, None, None, None] * normal
    size = torch.tensor(entry.fields.shape[1:], dtype=torch.float32, device=device)
    grid = (where / (size - 1) * 2 - 1).flip(-1)[None]  # grid_sample wants (x, y, z) in -1..1
    fields = F.grid_sample(entry.fields[None], grid, mode="bilinear", padding_mode="border", align_corners=True)[0]
    ids = F.grid_sample(entry.ids[None], grid, mode="nearest", padding_mode="zeros", align_corners=True)[0]
    outside = (grid.abs() > 1).any(-1)[0]
    fields[0][outside], fields[1][outside] = -40.0, -30.0
    return fields, ids.long()


def _wobble(n: int, cut: Cut, rng: np.random.Generator, device: torch.device) -> torch.Tensor:
    """Smooth displacement (H, W, 3) in voxels: the anatomy of somebody else."""
    total = torch.zeros(1, 3, n, n, device=device)
    for step_mm, limit in ((45.0, cut.stretch_mm), (16.0, min(cut.stretch_mm, 4.0) * 0.25)):
        k = max(3, round(n * cut.pixel_mm / step_mm) + 2)
        coarse = torch.tensor(rng.normal(0, 0.5, (1, 3, k, k)) * rng.uniform(0, limit), dtype=torch.float32, device=device)
        total = total + F.interpolate(coarse, size=(n, n), mode="bicubic", align_corners=True)
    return (total / SPACING_MM)[0].permute(1, 2, 0)


def _noise(shape: tuple[int, ...], generator: torch.Generator, device: torch.device, step: int) -> torch.Tensor:
    """Noise of about unit variance (C, H, W), smooth over `step` pixels."""
    c, h, w = shape
    small = torch.randn(1, c, h // step + 2, w // step + 2, generator=generator, device=device)
    return small[0, :, :h, :w] if step == 1 else 1.3 * F.interpolate(small, size=(h, w), mode="bilinear", align_corners=False)[0]


def paint(entry: Entry, fields: torch.Tensor, ids: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    """HU picture (C, H, W) of sampled fields, with a scanner's faults."""
    device = fields.device
    g = torch.Generator(device=device).manual_seed(int(rng.integers(1 << 62)))
    look = draw_look(rng, entry.pieces)
    tables = torch.tensor(look.tables, dtype=torch.float32, device=device)[:, ids[0]]
    shape = tuple(fields.shape[1:])
    texture = sum(_noise(shape, g, device, s) * w for s, w in zip((1, 2, 4), rng.dirichlet(np.ones(3)) * 1.4, strict=True))
    patch = _noise(shape, g, device, int(rng.integers(5, 16)))
    skin = fields[1] + float(rng.uniform(*SKIN_MM)) + 2.5 * _noise((1, *shape[1:]), g, device, 24)  # thin and stout, swollen, padded
    scalars = {k: getattr(look, k) for k in ("muscle_hu", "fat_hu", "fat_mm", "texture_hu", "patch_hu")}
    image = hounsfield(torch, SimpleNamespace(tables=tables, **scalars), fields[0], skin, fields[2], texture, patch)
    return _faults(image, fields, rng, g)


def _faults(image: torch.Tensor, fields: torch.Tensor, rng: np.random.Generator, g: torch.Generator) -> torch.Tensor:
    """Metal, blur, noise, shading, streaks, rings, gain and offset of a cone-beam scanner, each at random."""
    c, h, w = image.shape
    device = image.device
    rows, columns = torch.meshgrid(torch.arange(h, device=device), torch.arange(w, device=device), indexing="ij")
    if rng.random() < 0.06:
        r, q = rng.uniform(0.2, 0.8, 2) * (h, w)
        angle = torch.atan2(rows - r, columns - q)
        near = ((rows - r) ** 2 + (columns - q) ** 2).sqrt()
        image = image + 500 * torch.sin(angle * int(rng.integers(3, 12)) + rng.uniform(0, 6)) * torch.exp(-near / 25)
        image = torch.where((near < rng.uniform(2, 6))[None], torch.full_like(image, 3000.0), image)
    if rng.random() < 0.8:
        image = _blur(image, rng.uniform(0.25, 1.0))
    sd = float(np.exp(rng.uniform(np.log(3), np.log(140))))
    image = image + sd * _noise((c, h, w), g, device, 1 if rng.random() < 0.5 else 2)
    image = image + rng.uniform(0, 120) * _noise((1, h, w), g, device, max(h // 3, 8)) * (image > -900)
    if rng.random() < 0.35:
        a = rng.uniform(0, np.pi)
        phase = (rows * np.cos(a) + columns * np.sin(a)) * rng.uniform(0.1, 1.2)
        image = image + rng.uniform(10, 90) * torch.sin(phase + 6 * _noise((1, h, w), g, device, 24)[0])
    if rng.random() < 0.12:
        r, q = rng.uniform(0.1, 0.9, 2) * (h, w)
        image = image + rng.uniform(10, 60) * torch.sin(((rows - r) ** 2 + (columns - q) ** 2).sqrt() * rng.uniform(0.5, 2.5))
    inside = image * rng.uniform(0.7, 1.3) + rng.normal(0, 60)
    return torch.clamp(inside, -1024, 3071) if rng.random() < 0.8 else inside


def _blur(image: torch.Tensor, sigma_px: float) -> torch.Tensor:
    x = torch.arange(-3, 4, device=image.device, dtype=torch.float32)
    k = torch.exp(-(x**2) / (2 * sigma_px**2))
    k = k / k.sum()
    out = F.conv2d(F.pad(image[:, None], (3, 3, 0, 0), mode="replicate"), k.view(1, 1, 1, -1))
    return F.conv2d(F.pad(out, (0, 0, 3, 3), mode="replicate"), k.view(1, 1, -1, 1))[:, 0]


def cut_field_of_view(image: torch.Tensor, rng: np.random.Generator, chance: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    """Blank what a smaller field of view would not show. Returns the picture and the bool (H, W) mask of what is left."""
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
