"""Train the lesion detector on slices of synthetic subjects, each lesion in its own plane."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from footcli.infer.prepare import window
from footcli.names import LESION_PLANE, LESIONS
from footcli.train.bank import Bank, Entry
from footcli.train.draw import Cut, cut_field_of_view, paint, sample
from footcli.train.loop import Plan, quick, train_from
from footcli.train.yolo import Detector, assign, flatten, giou, points

PIXEL_MM = 0.8
WINDOW = (-500.0, 1500.0)
OFFSETS_MM = (-2.4, 0.0, 2.4)
SIDE_PX = 224
CLASSES = tuple(term.name for term in LESIONS)
LEAST_PX = 3  # a thinner rest of a box at the edge is not a box
# Bones (class ids of names.BONES) around which slices without a lesion are cut, for each plane
NEAR = {"AXL": (5, 6), "COR": (3, 4, 5, 1), "SAG": (3, 6, 4)}
Batch = tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]


def _centre(entry: Entry, key: int, rng: np.random.Generator) -> torch.Tensor:
    found = entry.points[key]
    return found[int(rng.integers(len(found)))]


def draw_one(bank: Bank[Entry], rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One windowed picture (C, H, W) with its boxes (n, 4) in pixels and classes (n,)."""
    ill = [(e, -key - 1) for e in bank.entries for key in e.points if key < 0]
    if ill and rng.random() < 0.65:
        kinds = sorted({bit for _, bit in ill})
        bit = kinds[int(rng.integers(len(kinds)))]
        fitting = [e for e, b in ill if b == bit]
        entry = fitting[int(rng.integers(len(fitting)))]
        plane, centre = LESION_PLANE[CLASSES[bit]].value, _centre(entry, -1 - bit, rng)
    else:
        entry = bank.entries[int(rng.integers(len(bank.entries)))]
        plane = str(rng.choice(list(NEAR)))
        centre = _centre(entry, int(rng.choice([k for k in NEAR[plane] if k in entry.points])), rng)
    fields, ids = sample(entry, plane, centre, Cut(PIXEL_MM, SIDE_PX, OFFSETS_MM, turn_sd_deg=6.0, stretch_mm=2.5), rng)
    image, keep = cut_field_of_view(paint(entry, fields, ids, PIXEL_MM, rng), rng, 0.15)
    boxes, classes = _boxes(ids[1, len(OFFSETS_MM) // 2], keep, plane)
    return window(torch, image, *WINDOW), boxes, classes


def _boxes(bits: torch.Tensor, keep: torch.Tensor, plane: str) -> tuple[torch.Tensor, torch.Tensor]:
    boxes, classes = [], []
    for i, name in enumerate(CLASSES):
        mask = (bits & (1 << i)) > 0
        if LESION_PLANE[name].value != plane or not mask.any():
            continue
        rows, columns = torch.nonzero(mask & keep, as_tuple=True)
        if (
            len(rows) < 0.5 * int(mask.sum())
            or len(rows) == 0
            or min(int(rows.max() - rows.min()), int(columns.max() - columns.min())) < LEAST_PX
        ):
            continue
        boxes.append(torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]).float())
        classes.append(i)
    return (torch.stack(boxes) if boxes else torch.zeros(0, 4, device=bits.device)), torch.tensor(
        classes, dtype=torch.long, device=bits.device
    )


def loss(net: nn.Module, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    """Focal loss of the classes (Lin et al., ICCV 2017) and GIoU of the boxes, both per answering cell."""
    images, truths = batch
    with quick(images.device):
        halves = net(images)
    outputs = [(box.float(), cls.float()) for box, cls in halves]
    boxes, logits = flatten(outputs)
    centres, strides = points(outputs)
    target, overlaps = torch.zeros_like(logits), []
    for n, (wanted, classes) in enumerate(truths):
        owner = assign(centres, strides, wanted)
        cells = torch.nonzero(owner >= 0)[:, 0]
        if len(cells):
            overlaps.append(giou(boxes[n, cells], wanted[owner[cells]]))
            target[n, cells, classes[owner[cells]]] = 1.0
    count = max(1.0, float(target.sum()))
    p = torch.sigmoid(logits)
    alpha = 0.25 + 0.5 * target
    focal = alpha * (target - p).abs() ** 2 * F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    overlap = torch.cat(overlaps) if overlaps else boxes.new_ones(1)
    cls, box = focal.sum() / count, (1 - overlap).mean()
    return cls + 1.5 * box, {"cls": float(cls.detach()), "box": float(box.detach())}


def draw_batch(bank: Bank[Entry], size: int, rng: np.random.Generator, device: torch.device) -> Batch:
    """(N, C, H, W) windowed pictures, and for each its boxes and classes."""
    drawn = [draw_one(bank, rng) for _ in range(size)]
    return torch.stack([d[0] for d in drawn]).to(device), [(d[1].to(device), d[2].to(device)) for d in drawn]


def run(plan: Plan, say: Callable[[str], None], bank: Bank[Entry]) -> nn.Module:
    """Train and return the averaged network, ready for export."""
    return train_from(Detector(len(OFFSETS_MM), len(CLASSES)), plan, bank, draw_batch, loss, say, refresh=20)
