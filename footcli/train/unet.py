"""The bone network: a small 2D U-Net (Ronneberger et al., MICCAI 2015) with batch normalisation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

Layer = Callable[..., nn.Module]


def double(
    inputs: int, outputs: int, conv: Layer = nn.Conv2d, norm: Layer = nn.BatchNorm2d
) -> nn.Sequential:
    """Two convolutions of 3 pixels, each normalised. conv, norm: of two or three dimensions."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [conv(channels, outputs, 3, padding=1, bias=False), norm(outputs)]
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """(N, C, H, W) windowed slices with their neighbours as channels -> (N, classes, H, W) logits;
    H, W multiples of 16.
    """

    def __init__(
        self, channels: int, classes: int, widths: tuple[int, ...] = (16, 32, 64, 96, 128)
    ) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            double(a, b) for a, b in zip((channels, *widths[:-1]), widths, strict=True)
        )
        self.up = nn.ModuleList(
            double(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits at the input's size."""
        skips: list[torch.Tensor] = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = block(
                torch.cat(
                    [
                        F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False),
                        skip,
                    ],
                    1,
                )
            )
        out: torch.Tensor = self.head(x)
        return out
