"""Slices cut from a subject's volumes at any position, turned, scaled and bent a little."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional as F

from footcli.train.bank import SPACING_MM, Entry

BEYOND = (-40.0, -30.0, 0.0)  # depth, skin, tissue beyond a subject's box: air
PLANE_AXES = {
    "AXL": (0, 1, 2),
    "COR": (1, 0, 2),
    "SAG": (2, 0, 1),
}  # volume axes (z, y, x) of slice normal, rows, columns


@dataclass(frozen=True, slots=True)
class Cut:
    """Parameters of a slice: pixel size, side in pixels, offsets of the neighbouring slices (mm),
    sd of the random turn, scale of the random displacement.
    """

    pixel_mm: float
    side_px: int
    offsets_mm: tuple[float, ...]
    turn_sd_deg: float = 7.0
    stretch_mm: float = 4.0


def _turn(
    rng: np.random.Generator, sd_deg: float, sway_deg: tuple[float, float, float]
) -> np.ndarray:
    a, b, c = np.radians(rng.normal(0, np.hypot(sd_deg, sway_deg)))
    rz = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rx = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(rz @ ry @ rx)


def sample(
    entry: Entry,
    plane: str,
    centre: torch.Tensor,
    cut: Cut,
    rng: np.random.Generator,
    flip: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut one slice with its neighbours from a subject: fields float32 (3, C, H, W) and ids int64
    (2, C, H, W) (see Entry).
    """
    source = Source(entry.fields, entry.ids, BEYOND, entry.sway_deg)
    return cut_slice(source, plane, centre, cut, rng, flip)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Volumes at SPACING_MM that slices are cut from.

    values: float32 (K, z, y, x), interpolated; outside: their K values beyond the volume. classes:
    (L, z, y, x), taken from the nearest voxel. sway_deg: see Entry.
    """

    values: torch.Tensor
    classes: torch.Tensor
    outside: tuple[float, ...]
    sway_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)


def cut_slice(
    source: Source,
    plane: str,
    centre: torch.Tensor,
    cut: Cut,
    rng: np.random.Generator,
    flip: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut one slice with its neighbours. Returns float32 (K, C, H, W) and int64 (L, C, H, W).

    centre: (3,) voxel (z, y, x) that lies in the image. flip: 1 or -1, left-right mirror; None
    draws it at random.
    """
    volume = source.values
    flat, normal = _plane(source, plane, centre, cut, rng, flip)
    offsets = torch.tensor(cut.offsets_mm, dtype=torch.float32, device=volume.device)
    size = torch.tensor(volume.shape[1:], dtype=torch.float32, device=volume.device)
    steps = offsets[:, None, None, None] * normal
    # grid_sample takes (x, y, z) in -1..1; scaling the small terms before their sum saves time
    unit = 2 / (size - 1)
    grid = (flat * unit - 1).flip(-1)[None] + (steps * unit).flip(-1)
    values = F.grid_sample(
        volume[None], grid[None], mode="bilinear", padding_mode="border", align_corners=True
    )[0]
    outside = grid.abs().amax(-1) > 1
    beyond = torch.tensor(source.outside, device=volume.device)[:, None, None, None]
    classes = _nearest(source.classes, flat[None] + steps, outside)
    return torch.where(outside, beyond, values), classes


def _plane(
    source: Source,
    plane: str,
    centre: torch.Tensor,
    cut: Cut,
    rng: np.random.Generator,
    flip: int | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(H, W, 3) voxels of an image's pixels, and the (3,) step of 1 mm along its normal."""
    device, n = source.values.device, cut.side_px
    scale = cut.pixel_mm / SPACING_MM * rng.uniform(0.78, 1.22) * rng.normal(1, 0.03, 3)
    basis = np.eye(3)[list(PLANE_AXES[plane])] @ _turn(rng, cut.turn_sd_deg, source.sway_deg).T
    # mirror left and right at random; toes stay in front, the leg on top
    basis[2 if plane != "SAG" else 0] *= flip or rng.choice([-1, 1])
    shift = rng.normal(0, 0.15, 2).clip(-0.4, 0.4) * n
    pix = torch.arange(n, device=device, dtype=torch.float32) - (n - 1) / 2
    b = torch.tensor(basis * scale[:, None], dtype=torch.float32, device=device)
    rows, columns = (pix - shift[0])[:, None, None] * b[1], (pix - shift[1])[None, :, None] * b[2]
    flat = centre.to(device) + rows + columns + _wobble(n, cut, rng, device)
    along = basis[0] / np.linalg.norm(basis[0]) / SPACING_MM
    return flat, torch.tensor(along, dtype=torch.float32, device=device)


def _nearest(ids: torch.Tensor, where: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
    """int64 (K, C, H, W): ids (K, z, y, x) at the voxels nearest to `where` (C, H, W, 3), 0
    outside.
    """
    _, nz, ny, nx = ids.shape
    last = torch.tensor([nz - 1.0, ny - 1.0, nx - 1.0], device=where.device)
    z, y, x = torch.minimum(where.round(), last).clamp(min=0).int().unbind(-1)
    found = ids.permute(1, 2, 3, 0).reshape(-1, len(ids))[
        ((z * ny + y) * nx + x).masked_fill(outside, 0)
    ]
    return found.long().permute(3, 0, 1, 2) * ~outside


@lru_cache(maxsize=64)
def _smooth(k: int, n: int, device: torch.device) -> torch.Tensor:
    """(n, k) weights of bicubic interpolation from k values to n: a matrix product is much faster
    than interpolating each time.
    """
    return F.interpolate(
        torch.eye(k, device=device)[None, :, :, None],
        size=(n, 1),
        mode="bicubic",
        align_corners=True,
    )[0, :, :, 0].T


def _wobble(n: int, cut: Cut, rng: np.random.Generator, device: torch.device) -> torch.Tensor:
    """Smooth random displacement (H, W, 3) in voxels, which varies the anatomy."""
    total = torch.zeros(1, 3, n, n, device=device)
    for step_mm, limit in ((45.0, cut.stretch_mm), (16.0, min(cut.stretch_mm, 4.0) * 0.25)):
        k = max(3, round(n * cut.pixel_mm / step_mm) + 2)
        coarse = torch.tensor(
            rng.normal(0, 0.5, (1, 3, k, k)) * rng.uniform(0, limit),
            dtype=torch.float32,
            device=device,
        )
        rise = _smooth(k, n, device)
        total = total + rise @ coarse @ rise.T
    return (total / SPACING_MM)[0].permute(1, 2, 0)
