"""The finder's network: a small 3D U-Net (Cicek et al., MICCAI 2016) with batch normalisation."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from footcli.train.unet import double

WIDTHS = (12, 24, 48, 96)
_double = partial(double, conv=nn.Conv3d, norm=nn.BatchNorm3d)


class UNet3D(nn.Module):
    """(N, 1, D, H, W) windowed volumes -> (N, classes, D, H, W) logits; edges multiples of 8."""

    def __init__(self, classes: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            _double(a, b) for a, b in zip((1, *widths[:-1]), widths, strict=True)
        )
        self.up = nn.ModuleList(
            _double(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv3d(widths[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits at the input's size."""
        skips: list[torch.Tensor] = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool3d(x, 2) if i else x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, skip], 1))
        out: torch.Tensor = self.head(x)
        return out
