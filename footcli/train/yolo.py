"""The lesion network: a small anchor-free detector on three strides with a decoupled head.

Ideas: YOLOX (Ge et al. 2021) and FCOS (Tian et al. 2019).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)
REACH = (5.5, 6.0)  # boxes with a longer side of at least this many strides go to the next one


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.SiLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(width, width // 2, 1), _conv(width // 2, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x + self.body(x)
        return out


class Detector(nn.Module):
    """(N, channels, H, W), H and W multiples of the last stride -> a pair for each stride.

    The pair: box (N, 4, h, w), distances in strides; class logits (N, K, h, w). widths: of the
    stages, each at half the size of the one before; the last three have the strides of STRIDES, or
    with four widths the strides 4, 8, 16, for lesions of a few pixels.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: tuple[int, ...] = (16, 32, 64, 96, 128),
        neck: int = 64,
    ) -> None:
        super().__init__()
        self.strides = tuple(2 ** (len(widths) - i) for i in (2, 1, 0))
        repeats = (0, 1, 2, 2, 1)[: len(widths)]
        self.stages = nn.ModuleList()
        for a, b, repeat in zip((channels, *widths[:-1]), widths, repeats, strict=True):
            blocks = [_Residual(b) for _ in range(repeat)]
            self.stages.append(nn.Sequential(_conv(a, b, 3, 2), *blocks))
        self.sides = nn.ModuleList(_conv(w, neck, 1) for w in widths[-3:])
        self.mix = nn.ModuleList(_conv(neck, neck) for _ in self.strides)
        self.down = nn.ModuleList(_conv(neck, neck, 3, 2) for _ in self.strides[1:])
        self.box_tower, self.class_tower = (
            nn.Sequential(_conv(neck, neck), _conv(neck, neck)) for _ in range(2)
        )
        self.box, self.cls = nn.Conv2d(neck, 4, 1), nn.Conv2d(neck, classes, 1)
        nn.init.constant_(self.cls.bias, -4.0)  # lesions are rare

    def forward(self, x: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """One (box, class) pair for each stride."""
        levels: list[torch.Tensor] = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        p = [side(level) for side, level in zip(self.sides, levels[-3:], strict=True)]
        for i in (1, 0):
            p[i] = p[i] + F.interpolate(p[i + 1], scale_factor=2.0, mode="nearest")
        p = [mix(level) for mix, level in zip(self.mix, p, strict=True)]
        for i in (1, 2):
            p[i] = p[i] + self.down[i - 1](p[i - 1])
        return [
            (F.softplus(self.box(self.box_tower(level))), self.cls(self.class_tower(level)))
            for level in p
        ]


def points(
    outputs: list[tuple[torch.Tensor, torch.Tensor]], strides: tuple[int, ...] = STRIDES
) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres (A, 2) x, y in pixels and strides (A,) of all cells."""
    at, of_cells = [], []
    for (box, _), stride in zip(outputs, strides, strict=True):
        h, w = box.shape[-2:]
        rows, columns = torch.meshgrid(
            torch.arange(h, device=box.device), torch.arange(w, device=box.device), indexing="ij"
        )
        at.append((torch.stack([columns, rows], -1).reshape(-1, 2) + 0.5) * stride)
        of_cells.append(torch.full((h * w,), float(stride), device=box.device))
    return torch.cat(at), torch.cat(of_cells)


def flatten(
    outputs: list[tuple[torch.Tensor, torch.Tensor]], strides: tuple[int, ...] = STRIDES
) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes (N, A, 4) x0, y0, x1, y1 in pixels and class logits (N, A, K)."""
    centres, of_cells = points(outputs, strides)
    reach = torch.cat([box.flatten(2) for box, _ in outputs], 2).transpose(1, 2) * of_cells[:, None]
    logits = torch.cat([cls.flatten(2) for _, cls in outputs], 2).transpose(1, 2)
    return torch.cat([centres - reach[..., :2], centres + reach[..., 2:]], -1), logits


class Decoded(nn.Module):
    """An ensemble of detectors for export, the mean of their boxes and logits: (N, A, 4 + K), boxes
    in pixels, then scores in 0..1.

    mirrored: test-time augmentation with the mirror image, in twice the time; left and right feet
    get the same scores.
    """

    def __init__(self, *nets: Detector, mirrored: bool = False) -> None:
        super().__init__()
        self.nets, self.mirrored = nn.ModuleList(nets), mirrored

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) -> (N, A, 4 + K)."""
        answers = [(net(x), net.strides) for net in self.nets]
        if self.mirrored:
            answers += [(_turned_back(net(x.flip(-1))), net.strides) for net in self.nets]
        boxes, logits = zip(*(flatten(levels, strides) for levels, strides in answers), strict=True)
        return torch.cat(
            [torch.stack(boxes).mean(0), torch.sigmoid(torch.stack(logits).mean(0))], -1
        )


def _turned_back(
    outputs: list[tuple[torch.Tensor, torch.Tensor]],
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Outputs for a mirror image, mapped back to the image: left and right are swapped."""
    return [(box[:, [2, 1, 0, 3]].flip(-1), cls.flip(-1)) for box, cls in outputs]


def assign(centres: torch.Tensor, strides: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """(A,) index of the box assigned to each cell, -1 for none: cells of the box's stride inside it
    and within 1.5 strides of its middle, else the nearest one.
    """
    owner = torch.full((len(centres),), -1, dtype=torch.long, device=centres.device)
    longer = (boxes[:, 2:] - boxes[:, :2]).amax(1) if len(boxes) else boxes.new_zeros(0)
    steps = torch.unique(strides).tolist()
    for i in torch.argsort(
        longer, descending=True
    ).tolist():  # small boxes come last and keep their cells
        level = sum(
            float(longer[i]) >= times * step for times, step in zip(REACH, steps, strict=False)
        )
        middle = (boxes[i, :2] + boxes[i, 2:]) / 2
        distance = (centres - middle).abs().amax(1)
        inside = ((centres > boxes[i, :2]) & (centres < boxes[i, 2:])).all(1)
        right = strides == steps[level]
        chosen = right & inside & (distance < 1.5 * strides)
        if not chosen.any():
            nearest = torch.where(right, distance, torch.full_like(distance, 1e9)).argmin()
            chosen = torch.zeros_like(right)
            chosen[nearest] = True
        owner[chosen] = i
    return owner


def giou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Generalised IoU of paired boxes (n, 4) (Rezatofighi et al., CVPR 2019)."""
    inner = (
        (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    )
    outer = (
        (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    )
    union = (a[:, 2:] - a[:, :2]).clamp(min=0).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inner
    return inner / (union + 1e-6) - (outer - union) / (outer + 1e-6)
