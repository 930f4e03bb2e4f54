"""Train the bone network on slices of synthetic subjects and labelled scans."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from footcli.infer.prepare import window
from footcli.kinds import BONES, RAYS
from footcli.phantom.tissue import AIR_HU
from footcli.train.bank import Bank, Entry, SamplePoints
from footcli.train.banked_scans import BankedScan, scan_picture
from footcli.train.cut import Cut
from footcli.train.draw import picture
from footcli.train.loop import Course, bf16_autocast, train_from
from footcli.train.unet import UNet
from footcli.train.watch import Judge, Plan

PIXEL_MM = 1.0
WINDOW = (-500.0, 1500.0)
OFFSETS_MM = (
    -20.0,
    -8.0,
    0.0,
    8.0,
    20.0,
)  # neighbours far enough to show the next ray, near enough to show the same bone
CLASSES = len(BONES) + 1
SIDE_PX = 160
END_SHARE = 0.5  # share of the images centred on a ray that are centred on one of its ends
# background fills most of an image, a metatarsal's section a few pixels: without weights
# training reaches the small bones last
CLASS_WEIGHTS = torch.tensor([0.3, 1.0, 1.5, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0])
PLANES = ("AXL", "COR", "SAG")
Batch = tuple[torch.Tensor, torch.Tensor]


def _centre(points: SamplePoints, rng: np.random.Generator) -> torch.Tensor:
    """(3,) voxel (z, y, x) in a random bone; in END_SHARE of the rays at an end, where similar
    bones meet: a base, or head and phalanx.
    """
    bone = int(rng.choice([k for k in points if k > 0]))
    own = points[bone]
    if bone in RAYS and rng.random() < END_SHARE:
        at = own - own.mean(0)
        along = at @ torch.linalg.svd(at, full_matrices=False)[2][0]
        lowest, highest = along.quantile(0.1), along.quantile(0.9)
        own = own[(along <= lowest) if rng.random() < 0.5 else (along >= highest)]
    return own[int(rng.integers(len(own)))]


def draw_batch(
    bank: Bank[Entry | BankedScan], size: int, rng: np.random.Generator, device: torch.device
) -> Batch:
    """(N, C, H, W) windowed images and (N, H, W) classes; every bone is the centre of an image
    equally often.
    """
    cut = Cut(PIXEL_MM, SIDE_PX, OFFSETS_MM)
    middle = len(OFFSETS_MM) // 2
    images, targets = [], []
    for _ in range(size):
        entries = bank.entries  # another thread may replace the list
        entry = entries[int(rng.integers(len(entries)))]
        centre = _centre(entry.points, rng)
        plane = str(rng.choice(PLANES))
        if isinstance(entry, BankedScan):
            image, target = scan_picture(entry, plane, centre, cut, rng)
        else:
            image, target = picture(entry, plane, centre, cut, rng)
        if rng.random() < 0.15:  # the scan ends here: no neighbours on one side
            image[slice(0, middle) if rng.random() < 0.5 else slice(middle + 1, None)] = AIR_HU
        targets.append(target)
        images.append(window(torch, image, *WINDOW))
    return torch.stack(images).to(device), torch.stack(targets).to(device)


def loss(net: nn.Module, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross entropy plus soft Dice loss over the bones that the batch shows."""
    images, target = batch
    with bf16_autocast(images.device):
        half = net(images)
    logits = half.float()
    probability = logits.softmax(1)
    hot = F.one_hot(target, CLASSES).permute(0, 3, 1, 2).float()
    both, either = (
        (probability * hot).sum((0, 2, 3)),
        probability.sum((0, 2, 3)) + hot.sum((0, 2, 3)),
    )
    shown = hot.sum((0, 2, 3)) > 0
    shown[0] = False
    dice = (2 * both / (either + 1e-6))[shown].mean()
    entropy = F.cross_entropy(logits, target, weight=CLASS_WEIGHTS.to(logits.device))
    return entropy + (1 - dice), {"ce": float(entropy.detach()), "dice": float(dice.detach())}


def run(
    plan: Plan,
    say: Callable[[str], None],
    bank: Bank[Entry | BankedScan],
    judge: Judge | None = None,
) -> nn.Module:
    """Train; returns the averaged network, or with `judge` the best one, ready for export."""
    net = UNet(len(OFFSETS_MM), CLASSES).to(memory_format=torch.channels_last)
    return train_from(net, plan, Course(bank, draw_batch, loss), say, judge)
