"""GU2Net (Zhu et al., MICCAI 2021): the product of a local U-Net, whose 1x1 convolutions all
domains share, and a global net.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

DILATIONS = (1, 2, 5, 2, 1)


class _Separable(nn.Module):
    """A depthwise 3x3 convolution per domain, then a pointwise 1x1 that all domains share."""

    def __init__(self, inputs: int, outputs: int, domains: int) -> None:
        super().__init__()
        self.own = nn.ModuleList(
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
            for _ in range(domains)
        )
        self.shared = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _ in range(domains))

    def forward(self, x: torch.Tensor, domain: int) -> torch.Tensor:
        out: torch.Tensor = F.leaky_relu(self.norms[domain](self.shared(self.own[domain](x))), 0.1)
        return out


def _conv(channels: int, width: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, padding=1, bias=bias)


def _dilated(width: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Conv2d(width, width, 3, padding=d, dilation=d) for d in DILATIONS)


class _Pair(nn.Module):
    def __init__(self, inputs: int, outputs: int, domains: int) -> None:
        super().__init__()
        self.first, self.second = (
            _Separable(inputs, outputs, domains),
            _Separable(outputs, outputs, domains),
        )

    def forward(self, x: torch.Tensor, domain: int) -> torch.Tensor:
        out: torch.Tensor = self.second(self.first(x, domain), domain)
        return out


class GU2Net(nn.Module):
    """(N, channels, H, W), H and W multiples of 16 -> (N, points of the domain, H, W) heat maps in
    0..1.
    """

    def __init__(
        self,
        channels: int,
        points: tuple[int, ...],
        widths: tuple[int, ...] = (16, 32, 64, 128, 128),
        inner: int = 32,
    ) -> None:
        super().__init__()
        n = len(points)
        down = zip((widths[0], *widths[:-1]), widths, strict=True)
        up = zip(widths[:0:-1], widths[-2::-1], strict=True)
        self.stem = nn.ModuleList(_conv(channels, widths[0], bias=False) for _ in points)
        self.down = nn.ModuleList(_Pair(a, b, n) for a, b in down)
        self.up = nn.ModuleList(_Pair(a + b, b, n) for a, b in up)
        self.local = nn.ModuleList(nn.Conv2d(widths[0], k, 1) for k in points)
        self.look = nn.ModuleList(_conv(channels, inner) for _ in points)
        self.recall = nn.ModuleList(_conv(k, inner) for k in points)
        self.wide = nn.ModuleList(_dilated(2 * inner) for _ in points)
        self.globe = nn.ModuleList(nn.Conv2d(2 * inner, k, 1) for k in points)
        for head in (*self.local, *self.globe):
            nn.init.constant_(head.bias, -2.0)  # most of a heat map is zero

    def both(self, x: torch.Tensor, domain: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Local and global heat maps, each (N, points, H, W) in 0..1."""
        image = x
        x = self.stem[domain](x)
        skips: list[torch.Tensor] = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x, domain)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = block(
                torch.cat(
                    [
                        F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False),
                        skip,
                    ],
                    1,
                ),
                domain,
            )
        near = torch.sigmoid(self.local[domain](x))
        small = torch.cat(
            [self.look[domain](F.avg_pool2d(image, 4)), self.recall[domain](F.max_pool2d(near, 4))],
            1,
        )
        for layer in self.wide[domain]:
            small = F.leaky_relu(layer(small), 0.1)
        far = torch.sigmoid(
            F.interpolate(
                self.globe[domain](small), scale_factor=4.0, mode="bilinear", align_corners=False
            )
        )
        return near, far

    def forward(self, x: torch.Tensor, domain: int) -> torch.Tensor:
        """The product of local and global heat maps."""
        near, far = self.both(x, domain)
        return near * far


class OneDomain(nn.Module):
    """One domain of a GU2Net, for export."""

    def __init__(self, net: GU2Net, domain: int) -> None:
        super().__init__()
        self.net, self.domain = net, domain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) -> (N, points, H, W)."""
        out: torch.Tensor = self.net(x, self.domain)
        return out
