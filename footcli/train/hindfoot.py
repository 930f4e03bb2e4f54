"""Train a detector of hindfoot lesions on coronal slices of whole scans, whose adjacent slices fit
each other as in analysis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from footcli.domain import Plane
from footcli.infer.prepare import AIR_HU, neighbours, window
from footcli.train.bank import Bank
from footcli.train.banked_scans import GAIN, NOISE_HU, OFFSET_HU
from footcli.train.hindfoot_region import Part, SearchRegion
from footcli.train.lesions import PIXEL_MM, WINDOW, Batch, loss
from footcli.train.loop import Course, train_from
from footcli.train.paint import faults
from footcli.train.watch import Judge, Plan

ILL, WITHIN, NEAR_END = (
    0.7,
    0.66,
    0.14,
)  # shares: scans with a lesion; of their slices, those with it, those just beyond its ends
BEYOND = (1, 2, 4)  # number of slices beyond its ends
AT_LESION, AWAY_MM, BESIDE_MM = (
    0.5,
    8.0,
    6.0,
)  # share of images centred near the lesion, sd from it, else sd from the slice's middle
FAULTY, BLURRED, NOISED, TILTED = (
    0.35,
    0.25,
    0.3,
    0.15,
)  # probabilities of scanner faults, blur, added noise, shading from top to bottom
BLUR_PX, TILT_HU = (0.4, 0.9), 150.0
RESCALED, ASPECT = (
    (0.82, 1.2),
    (0.93, 1.07),
)  # scale of the images, and a further factor along each axis
NEIGHBOURS = (0.8, 1.0, 1.0, 1.25)  # factors on the distance of the neighbouring slices


def draw_one(
    part: Part, regions: Sequence[SearchRegion], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One windowed image (C, side, side) with boxes (n, 5): x0, y0, x1, y1 in pixels and class."""
    chosen = _choose(part, regions, rng)
    at = _slice(chosen, rng)
    boxes = np.array(chosen.boxes.get(at, ()), np.float32).reshape(-1, 5)
    apart = float(rng.choice(NEIGHBOURS))
    offsets = tuple(apart * mm for mm in part.offsets_mm)
    stack = neighbours(chosen.hu, Plane.COR, at, offsets, PIXEL_MM)
    middle, sd = np.array(stack.shape[1:]) / 2, BESIDE_MM
    if len(boxes) and rng.random() < AT_LESION:
        middle, sd = np.array([boxes[0, [1, 3]].mean(), boxes[0, [0, 2]].mean()]), AWAY_MM
    image, boxes = _cut(stack, boxes, middle + rng.normal(0, sd / PIXEL_MM, 2), part.side_px)
    if rng.random() < 0.5:  # mirror left and right
        image, boxes = image[:, :, ::-1], _mirrored(boxes, part.side_px)
    if rng.random() < 0.5:  # reverse the order of the slices
        image = image[::-1]
    return window(np, _spoilt(image, rng), *WINDOW).astype(np.float32), boxes


def _choose(part: Part, regions: Sequence[SearchRegion], rng: np.random.Generator) -> SearchRegion:
    """A region with a lesion, all classes equally often, or a region without any."""
    wanted = int(rng.integers(len(part.classes))) if rng.random() < ILL else None
    if wanted is None:
        fitting = [region for region in regions if not region.boxes]
    else:
        fitting = [region for region in regions if wanted in region.classes]
    fitting = fitting or list(regions)
    return fitting[int(rng.integers(len(fitting)))]


def _slice(chosen: SearchRegion, rng: np.random.Generator) -> int:
    """A slice index of a region: inside its lesion, near the lesion's ends, or any."""
    at, roll, shown = int(rng.choice(chosen.slices)), rng.random(), sorted(chosen.boxes)
    if not shown:
        return at
    if roll < WITHIN:
        return int(rng.choice(shown))
    if roll < WITHIN + NEAR_END:
        beyond = int(rng.choice(BEYOND))
        near = rng.choice([shown[0] - beyond, shown[-1] + beyond])
        return int(np.clip(near, chosen.slices[0], chosen.slices[-1]))
    return at


def _mirrored(boxes: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Boxes (n, 5) of an image whose columns are reversed."""
    left, right = side - boxes[:, 2], side - boxes[:, 0]
    return np.stack([left, boxes[:, 1], right, *boxes.T[3:]], 1)


def _spoilt(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[Any]:
    """HU (C, H, W) as another scanner might show it."""
    hu: NDArray[Any] = image * rng.uniform(*GAIN) + rng.normal(0, OFFSET_HU)
    if rng.random() < FAULTY:
        g = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
        hu = faults(torch.from_numpy(hu.astype(np.float32)), rng, g).numpy()
    if rng.random() < BLURRED:
        hu = ndimage.gaussian_filter(hu, (0, *[rng.uniform(*BLUR_PX)] * 2))
    if rng.random() < NOISED:
        hu = hu + rng.uniform(*NOISE_HU) * rng.normal(size=hu.shape)
    if rng.random() < TILTED:
        hu = hu + rng.uniform(-TILT_HU, TILT_HU) * np.linspace(-1, 1, hu.shape[1])[None, :, None]
    return hu


def rescaled(
    images: torch.Tensor, boxes: Sequence[NDArray[np.float32]], rng: np.random.Generator
) -> tuple[torch.Tensor, list[NDArray[np.float32]]]:
    """Scale square images (N, C, side, side) about their middle, each by its own factors, with
    their boxes.
    """
    side, n = images.shape[-1], len(images)
    by = rng.uniform(*RESCALED, (n, 1)) * rng.uniform(*ASPECT, (n, 2))
    turn = torch.zeros(n, 2, 3)
    turn[:, [0, 1], [0, 1]] = torch.from_numpy(1 / by).float()
    grid = F.affine_grid(turn, list(images.shape), align_corners=False)
    out = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    moved = [b.copy() for b in boxes]
    for b, (x, y) in zip(moved, by, strict=True):
        b[:, :4] = (b[:, :4] - side / 2) * [x, y, x, y] + side / 2
    return out, [_inside(b, side) for b in moved]


def _inside(boxes: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Boxes (n, 5) clipped to a square image; those with less than half inside are dropped."""
    kept = boxes.copy()
    kept[:, :4] = np.clip(boxes[:, :4], 0, side)
    size, rest = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (boxes, kept))
    return kept[rest >= 0.5 * size]


def _cut(
    stack: NDArray[np.float32], boxes: NDArray[np.float32], middle: NDArray[np.float64], side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A square about `middle` (row, column), with air beyond the stack, and the boxes with at least
    half inside.
    """
    out = np.full((len(stack), side, side), AIR_HU, np.float32)
    first = np.round(middle - side / 2).astype(int)
    low, high = np.maximum(first, 0), np.minimum(first + side, stack.shape[1:])
    (a, b), (c, d) = zip(low, high, strict=True)
    if a < b and c < d:
        out[:, a - first[0] : b - first[0], c - first[1] : d - first[1]] = stack[:, a:b, c:d]
    return out, _inside(boxes - np.array([first[1], first[0]] * 2 + [0], np.float32), side)


def draw_batch(
    part: Part, bank: Bank[SearchRegion], size: int, rng: np.random.Generator, device: torch.device
) -> Batch:
    """(N, C, side, side) windowed images, and for each its boxes (n, 4) and classes (n,)."""
    drawn = [draw_one(part, bank.entries, rng) for _ in range(size)]
    images, shown = rescaled(
        torch.from_numpy(np.stack([image for image, _ in drawn])),
        [found for _, found in drawn],
        rng,
    )
    boxes = [torch.from_numpy(np.ascontiguousarray(found)).to(device) for found in shown]
    return images.to(device), [(found[:, :4], found[:, 4].long()) for found in boxes]


def run(
    part: Part,
    plan: Plan,
    say: Callable[[str], None],
    bank: Bank[SearchRegion],
    judge: Judge | None = None,
) -> nn.Module:
    """Train; returns the averaged network, or with `judge` the best one, ready for export."""
    net = part.detector().to(memory_format=torch.channels_last)
    course = Course(bank, partial(draw_batch, part), loss, refresh=20)
    return train_from(net, plan, course, say, judge)
