"""Train a detector of lesions of the hindfoot on coronal slices of whole scans: what holds from
slice to slice does so in training too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from footcli.domain import Plane, Volume
from footcli.errors import TruthError
from footcli.infer.lesions import searched
from footcli.infer.prepare import AIR_HU, neighbours, window
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import scan
from footcli.train.bank import LESION_SPREAD, Bank, Change
from footcli.train.cases import GAIN, NOISE_HU, OFFSET_HU, Labelled, on_canonical_grid
from footcli.train.draw import faults
from footcli.train.lesions import CLASSES, PIXEL_MM, WINDOW, Batch, boxes_of, loss
from footcli.train.loop import Judge, Plan, train_from
from footcli.train.yolo import Detector

AXIS = Plane.COR.array_axis
SPACINGS_MM = (
    0.4,
    0.4,
    0.6,
    0.8,
)  # of drawn scans; scores are lower in those of a spacing that was never learnt
ILL, WITHIN, NEAR_END = (
    0.7,
    0.66,
    0.14,
)  # shares: scans with a lesion; of their slices, those that show it, those just beyond its ends
BEYOND = (1, 2, 4)  # how many slices beyond its ends
AT_LESION, AWAY_MM, BESIDE_MM = (
    0.5,
    8.0,
    6.0,
)  # share of pictures about the lesion, how far from it (sd), from the middle else (sd)
FAULTY, BLURRED, NOISED, TILTED = (
    0.35,
    0.25,
    0.3,
    0.15,
)  # how often a scanner's faults, blur, more noise, shading from top to bottom
BLUR_PX, TILT_HU = (0.4, 0.9), 150.0
CLOSER, ASPECT = (
    (0.82, 1.2),
    (0.93, 1.07),
)  # pictures are drawn larger or smaller, and by so much more along each axis
NEIGHBOURS = (0.8, 1.0, 1.0, 1.25)  # the neighbouring slices nearer or farther
Box = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """What a detector looks at. kinds: disease -> share of the drawn subjects.

    widths, neck: of its Detector.
    """

    classes: tuple[str, ...]
    kinds: dict[str, float]
    side_px: int
    offsets_mm: tuple[float, ...]
    widths: tuple[int, ...]
    neck: int

    def detector(self) -> Detector:
        """An untrained one."""
        return Detector(len(self.offsets_mm), len(self.classes), self.widths, self.neck)


PARTS = {
    "dome": Part(
        ("OLT",),
        {
            "olt": 0.55,
            "ankle_arthritis": 0.2,
            "normal": 0.1,
            "tarsal_coalition": 0.05,
            "flat_foot": 0.05,
            "cavus_foot": 0.05,
        },
        96,
        (-3.0, -1.2, 0.0, 1.2, 3.0),
        (24, 48, 64, 96),
        48,
    ),
    "hindfoot": Part(
        ("Tarsal Coalition", "Ankle Arthritis"),
        {
            "tarsal_coalition": 0.38,
            "ankle_arthritis": 0.28,
            "normal": 0.14,
            "olt": 0.1,
            "flat_foot": 0.05,
            "cavus_foot": 0.05,
        },
        128,
        (-10.2, -2.4, 0.0, 2.4, 10.2),
        (16, 32, 64, 96, 128),
        64,
    ),
}


@dataclass(frozen=True, eq=False)
class Region:
    """The part of a scan that analysis would search.

    hu: int16 (z, y, x), canonical order, PIXEL_MM.

    slices: those that may be shown. boxes: slice -> x0, y0, x1, y1 in pixels, half-open, and class.
    """

    hu: NDArray[np.int16]
    slices: tuple[int, ...]
    boxes: dict[int, tuple[Box, ...]]

    @cached_property  # asked for each picture, of all regions
    def classes(self) -> set[int]:
        """Those that have a box."""
        return {box[4] for found in self.boxes.values() for box in found}


def draw_region(part: Part, seed: int, change: Change | None = None) -> Region:
    """The region in the scan of a subject drawn by the part's mix of diseases.

    change: measured surfaces for those without a disease of the hindfoot; a lesion lies where the
    parametric bone has its surface.
    """
    rng = np.random.default_rng([seed, 33])
    disease = str(rng.choice(list(part.kinds), p=list(part.kinds.values())))
    subject = draw_subject(
        seed,
        disease,
        LESION_SPREAD,
        subtle=bool(rng.random() < 0.6),
        with_mimics=True,
        by_definition=True,
    )
    if change is not None and not subject.lesions:
        subject = change(subject, rng)
    seen = scan(subject, float(rng.choice(SPACINGS_MM)), seed, "hindfoot")
    return region(
        part,
        Labelled(
            Volume(seen.hu, seen.raster.grid.affine, (), ""),
            seen.raster.labels,
            lesions=seen.raster.lesion,
        ),
    )


def region(part: Part, case: Labelled) -> Region:
    """The region in a labelled scan.

    Raises TruthError where the bones are not there, or nobody looked for lesions.
    """
    grid = case.canonical(PIXEL_MM)
    labels = on_canonical_grid(case.labels, grid, case.volume)
    box = searched(labels, part.classes, PIXEL_MM, AXIS)
    if box is None or case.lesions is None:
        raise TruthError("no hindfoot with boxes of lesions in it")
    looked = np.ones(case.labels.shape, bool)
    if case.boxed is not None:
        looked[:] = False
        np.moveaxis(looked, Plane.COR.array_axis, 0)[sorted(case.boxed.get(Plane.COR, ()))] = True
    slices = np.flatnonzero(
        on_canonical_grid(looked.astype(np.uint8), grid, case.volume)[box].any((0, 2))
    )
    if not len(slices):
        raise TruthError("no coronal slice that anybody looked at for lesions")
    bits = on_canonical_grid(case.lesions, grid, case.volume)[box]
    boxes = {
        int(y): found
        for y in slices
        if (found := _boxes(np.ascontiguousarray(bits[:, y]), part.classes))
    }
    return Region(
        np.clip(grid.hu[box], -32768, 32767).astype(np.int16), tuple(map(int, slices)), boxes
    )


def _boxes(bits: NDArray[np.uint8], classes: Sequence[str]) -> tuple[Box, ...]:
    """The boxes of these classes in a slice of lesion bits."""
    found, which = boxes_of(
        torch.from_numpy(bits), torch.ones(bits.shape, dtype=torch.bool), Plane.COR.value
    )
    pairs = [(box, CLASSES[i]) for box, i in zip(found.int().tolist(), which.tolist(), strict=True)]
    return tuple(
        (box[0], box[1], box[2], box[3], classes.index(name))
        for box, name in pairs
        if name in classes
    )


def draw_one(
    part: Part, regions: Sequence[Region], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One windowed picture (C, side, side) with its boxes (n, 5): x0, y0, x1, y1 in pixels and
    class.
    """
    wanted = (
        int(rng.integers(len(part.classes))) if rng.random() < ILL else None
    )  # each class as often
    fitting = [
        r for r in regions if (wanted in r.classes if wanted is not None else not r.boxes)
    ] or regions
    chosen = fitting[int(rng.integers(len(fitting)))]
    at, roll, shown = int(rng.choice(chosen.slices)), rng.random(), sorted(chosen.boxes)
    if shown and roll < WITHIN:
        at = int(rng.choice(shown))
    elif shown and roll < WITHIN + NEAR_END:
        beyond = int(rng.choice(BEYOND))
        at = int(
            np.clip(
                rng.choice([shown[0] - beyond, shown[-1] + beyond]),
                chosen.slices[0],
                chosen.slices[-1],
            )
        )
    boxes = np.array(chosen.boxes.get(at, ()), np.float32).reshape(-1, 5)
    apart = float(rng.choice(NEIGHBOURS))
    stack = neighbours(
        chosen.hu, Plane.COR, at, tuple(apart * mm for mm in part.offsets_mm), PIXEL_MM
    )
    middle, sd = np.array(stack.shape[1:]) / 2, BESIDE_MM
    if len(boxes) and rng.random() < AT_LESION:
        middle, sd = np.array([boxes[0, [1, 3]].mean(), boxes[0, [0, 2]].mean()]), AWAY_MM
    image, boxes = _cut(stack, boxes, middle + rng.normal(0, sd / PIXEL_MM, 2), part.side_px)
    if rng.random() < 0.5:  # left and right feet alike
        image, boxes = (
            image[:, :, ::-1],
            np.stack(
                [part.side_px - boxes[:, 2], boxes[:, 1], part.side_px - boxes[:, 0], *boxes.T[3:]],
                1,
            ),
        )
    if rng.random() < 0.5:  # from behind as from before
        image = image[::-1]
    return window(np, _spoilt(image, rng), *WINDOW).astype(np.float32), boxes


def _spoilt(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[Any]:
    """HU (C, H, W) as another scanner might show them."""
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


def closer(
    images: torch.Tensor, boxes: Sequence[NDArray[np.float32]], rng: np.random.Generator
) -> tuple[torch.Tensor, list[NDArray[np.float32]]]:
    """Square pictures (N, C, side, side) larger or smaller about their middle, each by its own
    measure, and their boxes.
    """
    side, n = images.shape[-1], len(images)
    by = rng.uniform(*CLOSER, (n, 1)) * rng.uniform(*ASPECT, (n, 2))
    turn = torch.zeros(n, 2, 3)
    turn[:, [0, 1], [0, 1]] = torch.from_numpy(1 / by).float()
    grid = F.affine_grid(turn, list(images.shape), align_corners=False)
    out = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    moved = [b.copy() for b in boxes]
    for b, (x, y) in zip(moved, by, strict=True):
        b[:, :4] = (b[:, :4] - side / 2) * [x, y, x, y] + side / 2
    return out, [_inside(b, side) for b in moved]


def _inside(boxes: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """What of boxes (n, 5) lies in a square picture; less than half of one is none."""
    kept = boxes.copy()
    kept[:, :4] = np.clip(boxes[:, :4], 0, side)
    size, rest = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (boxes, kept))
    return kept[rest >= 0.5 * size]


def _cut(
    stack: NDArray[np.float32], boxes: NDArray[np.float32], middle: NDArray[np.float64], side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A square about `middle` (row, column), air beyond the stack's ends, and the boxes of which
    half and more lies in it.
    """
    out = np.full((len(stack), side, side), AIR_HU, np.float32)
    first = np.round(middle - side / 2).astype(int)
    low, high = np.maximum(first, 0), np.minimum(first + side, stack.shape[1:])
    (a, b), (c, d) = zip(low, high, strict=True)
    if a < b and c < d:
        out[:, a - first[0] : b - first[0], c - first[1] : d - first[1]] = stack[:, a:b, c:d]
    return out, _inside(boxes - np.array([first[1], first[0]] * 2 + [0], np.float32), side)


def draw_batch(
    part: Part, bank: Bank[Region], size: int, rng: np.random.Generator, device: torch.device
) -> Batch:
    """(N, C, side, side) windowed pictures, and for each its boxes (n, 4) and classes (n,)."""
    drawn = [draw_one(part, bank.entries, rng) for _ in range(size)]
    images, shown = closer(
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
    bank: Bank[Region],
    judge: Judge | None = None,
) -> nn.Module:
    """Train and return the averaged network, the best one where it is judged, ready for export."""
    net = part.detector().to(memory_format=torch.channels_last)
    return train_from(net, plan, bank, partial(draw_batch, part), loss, say, judge, refresh=20)
