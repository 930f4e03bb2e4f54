"""An image to degrade: how often and how strongly each artefact occurs, its geometry, and shared
tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

CLEAN = 0.3  # share of images without any of these artefacts
# probability of each in the other images, in the order in which they are applied
AROUND: Mapping[str, float] = {"strands": 0.35, "dressing": 0.12, "support": 0.35, "metal": 0.12}
SCANNER: Mapping[str, float] = {
    "motion": 0.12,
    "rings": 0.15,
    "shading": 0.25,
    "coarse": 0.25,
    "sharp": 0.2,
    "uncalibrated": 0.25,
}
FIELD = 0.2  # round field of view
# [low, high] of each strength: mm, HU, degrees, px or shares as the name says
RANGE: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "strands": {
        "step_mm": (5, 16),
        "width": (0.06, 0.25),
        "fat_hu": (-140, -40),
        "tendon_hu": (80, 180),
        "share": (0.4, 1),
    },
    "dressing": {"layers": (1, 3), "gap_mm": (0, 7), "thick_mm": (0.8, 5), "hu": (-350, 350)},
    "support": {
        "gap_mm": (-3, 7),
        "slab_mm": (4, 30),
        "slab_hu": (50, 500),
        "line_mm": (0.8, 2.5),
        "line_hu": (300, 1600),
        "tilt_deg": (-3, 3),
        "level_mm": (-22, 4),
    },
    "metal": {
        "pieces": (1, 6),
        "length_mm": (2, 55),
        "radius_mm": (0.5, 3.5),
        "hu": (2500, 9000),
        "streak_hu": (100, 900),
        "dark_hu": (100, 900),
        "reach_mm": (12, 60),
    },
    "motion": {"shift_mm": (1.5, 8), "ghost": (0.12, 0.4), "blur_mm": (2, 6)},
    "rings": {"hu": (20, 160), "arc": (0.4, 1.2)},
    "shading": {"cup_hu": (-260, 260), "ends_hu": (-260, 200)},
    "coarse": {"pixel_mm": (1.0, 1.8), "slice_mm": (1.2, 5)},
    "sharp": {"sigma_px": (0.7, 1.4), "overshoot": (0.5, 2.5), "noise_hu": (15, 130)},
    "uncalibrated": {"gain": (0.6, 1.4), "gain_from_air": (0.85, 1.2), "offset_hu": (-200, 200)},
    "field": {"radius_mm": (45, 95), "fill_hu": (-450, 400)},
}
FLOORS = (
    (-1024.0, 0.4),
    (-1000.0, 0.35),
    (-200.0, 0.15),
    (0.0, 0.1),
)  # lowest stored HU, and its probability
RAW = 0.06  # share of uncalibrated images with stored values, 1024 above their HU


@dataclass(frozen=True, slots=True, eq=False)
class FootView:
    """An image to degrade. depth, skin: (C, H, W) mm as in Raster.

    offsets_px: (C,) of the channels along the slice's normal. Toes point towards row or column 0,
    the leg towards the last row.
    """

    plane: str
    pixel_mm: float
    offsets_px: torch.Tensor
    depth: torch.Tensor
    skin: torch.Tensor
    rng: np.random.Generator
    generator: torch.Generator

    def pick(self, artefact: str, what: str) -> float:
        """A random strength in its range; lengths in pixels."""
        value = float(self.rng.uniform(*RANGE[artefact][what]))
        return value / self.pixel_mm if what.endswith("_mm") else value

    def at(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Row (H, 1) and column (1, W) numbers."""
        h, w = self.skin.shape[1:]
        device = self.skin.device
        return torch.arange(h, device=device, dtype=torch.float32)[:, None], torch.arange(
            w, device=device, dtype=torch.float32
        )[None]

    def radius(self, off_axis: float = 0.35) -> torch.Tensor:
        """(C, H, W) pixels from the scanner's rotation axis, near the body: circles in AXL, upright
        lines in COR and SAG.

        off_axis: largest distance of a COR or SAG slice from the axis, as a share of the image's
        width.
        """
        rows, columns = self.at()
        w = self.skin.shape[2]
        body = (self.skin > 0).any(0)
        total = body.sum().clamp(min=1)
        across = columns - float((body * columns).sum() / total) + w * self.rng.normal(0, 0.1)
        if self.plane == "AXL":
            along = rows - float((body * rows).sum() / total) + w * self.rng.normal(0, 0.1)
            return torch.hypot(*torch.broadcast_tensors(along, across)).expand(self.skin.shape)
        along = self.offsets_px[:, None, None] + w * float(
            np.clip(self.rng.normal(0, 0.12), -off_axis, off_axis)
        )
        return torch.hypot(*torch.broadcast_tensors(along, across[None])).expand(self.skin.shape)


def noise(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device, step: int
) -> torch.Tensor:
    """Noise of about unit variance (C, H, W), smooth over `step` pixels."""
    c, h, w = shape
    small = torch.randn(1, c, h // step + 2, w // step + 2, generator=generator, device=device)
    return (
        small[0, :, :h, :w]
        if step == 1
        else 1.3 * F.interpolate(small, size=(h, w), mode="bilinear", align_corners=False)[0]
    )


def blur(image: torch.Tensor, sigma_px: float) -> torch.Tensor:
    """(C, H, W) smoothed by a Gaussian kernel that is cut off at 3 pixels."""
    x = torch.arange(-3, 4, device=image.device, dtype=torch.float32)
    k = torch.exp(-(x**2) / (2 * sigma_px**2))
    k = k / k.sum()
    out = F.conv2d(F.pad(image[:, None], (3, 3, 0, 0), mode="replicate"), k.view(1, 1, 1, -1))
    return F.conv2d(F.pad(out, (0, 0, 3, 3), mode="replicate"), k.view(1, 1, -1, 1))[:, 0]


def shifted(image: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """(..., H, W) moved by whole pixels; border pixels are repeated."""
    h, w = image.shape[-2:]
    i = (torch.arange(h, device=image.device) - rows).clamp(0, h - 1)
    j = (torch.arange(w, device=image.device) - columns).clamp(0, w - 1)
    return image[..., i, :][..., j]
