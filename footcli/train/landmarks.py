"""Train the landmark network on slab views of scans."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from footcli.geometry import Array
from footcli.infer.spec_checks import VIEW_IMAGES
from footcli.infer.views import CHANNELS
from footcli.train.bank import Bank
from footcli.train.gu2net import GU2Net
from footcli.train.loop import Course, bf16_autocast, train_from
from footcli.train.samples import AUGMENTATIONS, PLANES, Sample
from footcli.train.view import blur
from footcli.train.watch import Judge, Plan

SIGMA_PX = 3.0
BLURRED, BLUR_PX = 0.5, (0.4, 1.2)
BEND_PX, BEND_STEP_PX = 4.0, 40
# share of views whose bone-only image is up to a pixel thicker or thinner, as a network's masks
OTHER_MASK = 0.5
NEAR = 0.05  # heat-map value that bounds the window, about 7 px, of a point's centre of mass
# weight of the centre's error per pixel; a trained network's cross entropy is about 4e-3
CENTRED = 2e-3
Batch = tuple[int, torch.Tensor, torch.Tensor]


def draw_batch(
    bank: Bank[Sample], size: int, rng: np.random.Generator, device: torch.device
) -> Batch:
    """One domain, (N, VIEW_IMAGES, H, W) views turned, stretched, brightened, and their (N, K, H,
    W) heat maps, NaN where unlabelled.
    """
    domain = int(rng.integers(len(PLANES)))
    images, heats = [], []
    for _ in range(size):
        sample = bank.entries[int(rng.integers(len(bank.entries)))]
        look = int(rng.integers(AUGMENTATIONS))
        image, points = _augment(
            sample.images[domain][look].to(device), sample.points[domain][look], rng
        )
        images.append(image)
        heat = heat_maps(points, image.shape[1:], device)
        heat[~torch.from_numpy(sample.known[domain])] = torch.nan
        heats.append(heat)
    return domain, torch.stack(images), torch.stack(heats)


def heat_maps(
    points: Array, shape: tuple[int, int] | torch.Size, device: torch.device
) -> torch.Tensor:
    """(K, H, W) Gaussians of SIGMA_PX about the points, 1 at the top; zero for a missing point."""
    at = torch.tensor(np.nan_to_num(points, nan=-1e4), dtype=torch.float32, device=device)
    rows, columns = torch.arange(shape[0], device=device), torch.arange(shape[1], device=device)
    square = (columns[None, None] - at[:, 0, None, None]) ** 2 + (
        rows[None, :, None] - at[:, 1, None, None]
    ) ** 2
    return torch.exp(-square / (2 * SIGMA_PX**2))


def _augment(
    image: torch.Tensor, points: Array, rng: np.random.Generator
) -> tuple[torch.Tensor, Array]:
    h, w = image.shape[1:]
    image, points = _bent(image, points, rng)
    if rng.random() < OTHER_MASK:
        sign, share = float(rng.choice([-1.0, 1.0])), float(rng.uniform(0, 1))
        other = sign * F.max_pool2d(sign * image[-1:], 3, 1, 1)
        image = torch.cat([image[:-1], image[-1:] + share * (other - image[-1:])])
    angle, scale = np.radians(rng.normal(0, 5)), rng.uniform(0.88, 1.14)
    shift = rng.normal(0, 5, 2)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([(w - 1) / 2, (h - 1) / 2])
    moved = (points - middle) @ turn.T + middle + shift
    back = np.linalg.inv(turn)
    theta = np.column_stack([back, -back @ shift])  # output pixel -> input pixel, about the middle
    norm = np.array([(w - 1) / 2, (h - 1) / 2])
    theta = np.column_stack([theta[:, :2] * norm[None] / norm[:, None], theta[:, 2] / norm])
    grid = F.affine_grid(
        torch.tensor(theta[None], dtype=torch.float32, device=image.device),
        [1, VIEW_IMAGES, h, w],
        align_corners=True,
    )
    image = F.grid_sample(image[None], grid, align_corners=True)[0]
    if rng.random() < BLURRED:  # synthetic edges are sharper than a scanner's
        image = blur(image, rng.uniform(*BLUR_PX))
    image = image * float(rng.uniform(0.75, 1.3)) + float(rng.normal(0, 0.04))
    image = (image.clamp(0, 1) ** float(rng.uniform(0.7, 1.4))) + float(
        rng.uniform(0, 0.05)
    ) * torch.randn_like(image)
    lost = (moved < 0).any(1) | (moved[:, 0] > w - 1) | (moved[:, 1] > h - 1)
    moved[lost] = np.nan
    return image.clamp(0, 1), moved


def _bent(
    image: torch.Tensor, points: Array, rng: np.random.Generator
) -> tuple[torch.Tensor, Array]:
    """Image and points displaced smoothly by a few pixels, which varies the anatomy."""
    h, w = image.shape[1:]
    coarse = rng.normal(0, 0.5, (1, 2, h // BEND_STEP_PX + 2, w // BEND_STEP_PX + 2)) * rng.uniform(
        0, BEND_PX
    )
    small = torch.tensor(coarse, dtype=torch.float32, device=image.device)
    field = F.interpolate(small, size=(h, w), mode="bicubic", align_corners=True)[
        0
    ]  # source (column, row) of each pixel, minus the pixel's position
    rows, columns = torch.meshgrid(
        *(torch.arange(n, device=image.device, dtype=torch.float32) for n in (h, w)), indexing="ij"
    )
    grid = torch.stack(
        [2 * (columns + field[0]) / (w - 1) - 1, 2 * (rows + field[1]) / (h - 1) - 1], -1
    )
    moved, step = points, field.cpu().numpy()
    for _ in range(3):  # invert the field: the pixel whose source is the point
        at = np.nan_to_num(moved).round().astype(int).clip(0, (w - 1, h - 1))
        moved = points - step[:, at[:, 1], at[:, 0]].T
    return F.grid_sample(image[None], grid[None], align_corners=True)[0], moved


def centres(heat: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """(N, K, 2) column, row of the centre of mass of squared heat maps (N, K, H, W) within the bool
    mask `where` of the same shape.
    """
    mass = torch.where(where, heat, 0.0) ** 2 + 1e-12 * where
    total = mass.sum((2, 3)).clamp(min=1e-9)
    rows, columns = (torch.arange(n, device=heat.device, dtype=heat.dtype) for n in heat.shape[2:])
    return torch.stack(
        [(mass.sum(2) * columns).sum(2) / total, (mass.sum(3) * rows).sum(2) / total], -1
    )


def loss(net: nn.Module, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross entropy of the product of heat maps and, at a smaller weight, of the local ones, so
    that they learn from the start; plus the error of the product's centre of mass about the true
    point.

    The centre resolves parts of a pixel, which matter for angles and hardly change the cross
    entropy.
    """
    domain, images, wanted = batch
    with bf16_autocast(images.device):
        near, far = net.both(images, domain)
    near, far = near.float(), far.float()
    known = wanted.isfinite()
    wanted = wanted.nan_to_num(0.0)
    weight = known * (1 + 20 * wanted)  # a point covers a few pixels of many thousand

    def entropy(got: torch.Tensor) -> torch.Tensor:
        return F.binary_cross_entropy(got.clamp(1e-6, 1 - 1e-6), wanted, weight)

    value = entropy(near * far) + 0.3 * entropy(near)
    shown = wanted.flatten(2).amax(2) > 0.5
    off = centres(near * far, wanted > NEAR) - centres(wanted, wanted > NEAR)
    value = value + CENTRED * off[shown].abs().sum() / max(1, int(shown.sum()))
    w = images.shape[-1]
    got, true = (near * far).detach().flatten(2).argmax(2), wanted.flatten(2).argmax(2)
    miss = torch.sqrt(((got % w - true % w) ** 2 + (got // w - true // w) ** 2).float())[shown]
    return 100 * value, {
        "px": float(miss.mean()) if len(miss) else 0.0,
        "px50": float(miss.median()) if len(miss) else 0.0,
    }


def run(
    plan: Plan, say: Callable[[str], None], bank: Bank[Sample], judge: Judge | None = None
) -> nn.Module:
    """Train; returns the averaged network, or with `judge` the best one, ready for export."""
    net = GU2Net(VIEW_IMAGES, tuple(len(CHANNELS[p]) for p in PLANES))
    return train_from(net, plan, Course(bank, draw_batch, loss, refresh=12), say, judge)
