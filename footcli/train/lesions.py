"""Train the lesion detector on slices in each lesion's plane, about as often with the lesion as of
its site without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from footcli.infer.prepare import window
from footcli.kinds import ARCH, BONE_ID, LESION, LESIONS
from footcli.phantom.lesion_sites import ARCH_BONES
from footcli.train.bank import SITE, Bank, Entry
from footcli.train.banked_scans import BankedScan, scan_slice
from footcli.train.cut import Cut, sample
from footcli.train.loop import Course, bf16_autocast, train_from
from footcli.train.paint import cut_field_of_view, paint
from footcli.train.watch import Judge, Plan
from footcli.train.yolo import Detector, assign, flatten, giou, points

PIXEL_MM = 0.6  # an osteochondral lesion of 3 mm still has 5 pixels
WINDOW = (-500.0, 1500.0)
OFFSETS_MM = (
    -10.0,
    -2.4,
    0.0,
    2.4,
    10.0,
)  # the outer ones show talus and ray at once, and a joint's other end
CUT = Cut(PIXEL_MM, 160, OFFSETS_MM, turn_sd_deg=6.0, stretch_mm=2.5)
WIDE = (ARCH,)  # their boxes are as long as the foot: larger images, fewer in a batch
WIDE_PX, WIDE_SHARE = 320, 0.3  # side of these images, and share of batches that hold them
CUT_OFF = 0.15  # share of images with a reduced field of view
CLASSES = tuple(term.name for term in LESIONS)
LEAST_PX = 3  # a box no wider or higher than this, for example at the edge, is dropped
ILL, SITES = (
    0.45,
    0.4,
    # shares of images with a lesion, and of a lesion's site without it; the others show bones
)
# Bones (class ids of kinds.BONES) around which those others are cut, for each plane
NEAR = {"AXL": (5, 6), "COR": (3, 4, 5, 1), "SAG": (3, 6, 4)}
Batch = tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]


def draw_one(
    bank: Bank[Entry | BankedScan], rng: np.random.Generator, wide: bool = False
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One windowed image (C, H, W) with its boxes (n, 4) in pixels and classes (n,).

    wide: for the classes of WIDE.
    """
    entries = bank.entries  # another thread may replace the list
    names = [name for name in CLASSES if (name in WIDE) == wide]
    cut = replace(CUT, side_px=WIDE_PX) if wide else CUT
    entry, plane, key = _choose(entries, names, rng)
    centre = entry.points[key][int(rng.integers(len(entry.points[key])))]
    middle = len(cut.offsets_mm) // 2
    if isinstance(entry, BankedScan):
        image, ids, keep = scan_slice(entry, plane, centre, cut, rng, CUT_OFF)
        bits = ids[1, middle]
    else:
        fields, ids = sample(entry, plane, centre, cut, rng)
        image, keep = cut_field_of_view(paint(entry, fields, ids, cut.pixel_mm, rng), rng, CUT_OFF)
        bits = ids[1, middle]
        shown = torch.where(fields[0, middle] > 0, entry.classes[ids[0, middle]], 0)
        arch = torch.tensor([BONE_ID[name] for name in ARCH_BONES], device=shown.device)
        if not torch.isin(shown, arch).any():
            bits = bits & ~(1 << CLASSES.index(ARCH))
    boxes, classes = boxes_of(bits, keep, plane)
    return window(torch, image, *WINDOW), boxes, classes


def _choose(
    entries: Sequence[Entry | BankedScan], names: Sequence[str], rng: np.random.Generator
) -> tuple[Entry | BankedScan, str, int]:
    """A subject, a plane and the key of the points that the image is cut around: a lesion, its
    possible site, or any bone.
    """
    bit, roll = CLASSES.index(names[int(rng.integers(len(names)))]), rng.random()
    ill, site = -1 - bit, SITE - bit
    key = ill if roll < ILL else site
    fitting = [e for e in entries if key in e.points and (key == ill or ill not in e.points)]
    if fitting and roll < ILL + SITES:
        entry = fitting[int(rng.integers(len(fitting)))]
        return entry, LESION[CLASSES[bit]].plane.value, key
    return _any_bone(entries, names, rng)


def _any_bone(
    entries: Sequence[Entry | BankedScan], names: Sequence[str], rng: np.random.Generator
) -> tuple[Entry | BankedScan, str, int]:
    """A subject, a plane of these lesions, and the key of a bone near them, or of any bone."""
    entry = entries[int(rng.integers(len(entries)))]
    plane = str(rng.choice(sorted({LESION[name].plane.value for name in names})))
    near = [k for k in NEAR[plane] if k in entry.points]
    return entry, plane, int(rng.choice(near or [k for k in entry.points if k > 0]))


def boxes_of(
    bits: torch.Tensor, keep: torch.Tensor, plane: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes (n, 4) and classes (n,) of the connected pieces of each class inside `keep`; a piece is
    dropped if too little of it is left.
    """
    boxes, classes = [], []
    for i, name in enumerate(CLASSES):
        mask = (bits & (1 << i)) > 0
        if LESION[name].plane.value != plane or not mask.any():
            continue
        pieces, count = ndimage.label(mask.cpu().numpy(), np.ones((3, 3)))
        inside = pieces * keep.cpu().numpy()
        for number, place in enumerate(ndimage.find_objects(inside, count), start=1):
            if place is None or (inside == number).sum() < 0.5 * (pieces == number).sum():
                continue
            rows, columns = place
            if min(rows.stop - rows.start, columns.stop - columns.start) > LEAST_PX:
                boxes.append([columns.start, rows.start, columns.stop, rows.stop])
                classes.append(i)
    where = {"device": bits.device}
    return torch.tensor(boxes, dtype=torch.float32, **where).reshape(-1, 4), torch.tensor(
        classes, dtype=torch.long, **where
    )


def loss(net: nn.Module, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    """Focal loss of the classes (Lin et al., ICCV 2017) and GIoU loss of the boxes, both per
    assigned cell.
    """
    images, truths = batch
    with bf16_autocast(images.device):
        halves = net(images)
    outputs = [(box.float(), cls.float()) for box, cls in halves]
    across = tuple(images.shape[-1] // box.shape[-1] for box, _ in outputs)
    boxes, logits = flatten(outputs, across)
    centres, strides = points(outputs, across)
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
    focal = (
        alpha
        * (target - p).abs() ** 2
        * F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    )
    overlap = torch.cat(overlaps) if overlaps else boxes.new_ones(1)
    cls, box = focal.sum() / count, (1 - overlap).mean()
    return cls + 1.5 * box, {"cls": float(cls.detach()), "box": float(box.detach())}


def draw_batch(
    bank: Bank[Entry | BankedScan], size: int, rng: np.random.Generator, device: torch.device
) -> Batch:
    """(N, C, H, W) windowed images, and for each its boxes and classes.

    A batch of wide images has about as many pixels as `size` others.
    """
    wide = bool(rng.random() < WIDE_SHARE)
    count = max(1, round(size * (CUT.side_px / WIDE_PX) ** 2)) if wide else size
    drawn = [draw_one(bank, rng, wide) for _ in range(count)]
    return torch.stack([d[0] for d in drawn]).to(device), [
        (d[1].to(device), d[2].to(device)) for d in drawn
    ]


def run(
    plan: Plan,
    say: Callable[[str], None],
    bank: Bank[Entry | BankedScan],
    judge: Judge | None = None,
) -> nn.Module:
    """Train; returns the averaged network, or with `judge` the best one, ready for export."""
    net = Detector(len(OFFSETS_MM), len(CLASSES)).to(memory_format=torch.channels_last)
    return train_from(net, plan, Course(bank, draw_batch, loss, refresh=20), say, judge)
