"""The region of a scan that a hindfoot detector searches, in synthetic and labelled scans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from footcli.domain import Plane, Volume
from footcli.errors import TruthError
from footcli.infer.search_region import searched
from footcli.phantom.disease import Variety, Wear, draw_subject
from footcli.phantom.scanner import scan
from footcli.train.bank import LESION_VARIETY
from footcli.train.cases import Labelled, on_canonical_grid
from footcli.train.lesions import CLASSES, PIXEL_MM, boxes_of
from footcli.train.yolo import Detector

AXIS = Plane.COR.array_axis
SPACINGS_MM = (
    0.4,
    0.4,
    0.6,
    0.8,
)  # of synthetic scans; scores are lower at spacings that training left out
Box = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """Parameters of one detector. kinds: disease -> share of the synthetic subjects.

    side_px: of its images. offsets_mm: of the neighbouring slices. widths, neck: of its Detector.
    """

    classes: tuple[str, ...]
    kinds: dict[str, float]
    side_px: int
    offsets_mm: tuple[float, ...]
    widths: tuple[int, ...]
    neck: int

    def detector(self) -> Detector:
        """An untrained detector."""
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
class SearchRegion:
    """The region of a scan that analysis would search.

    hu: int16 (z, y, x), canonical order, PIXEL_MM. slices: coronal indices that may be drawn.
    boxes: slice -> x0, y0, x1, y1 in pixels, half-open, and class index.
    """

    hu: NDArray[np.int16]
    slices: tuple[int, ...]
    boxes: dict[int, tuple[Box, ...]]

    @cached_property  # read for each image, of all regions
    def classes(self) -> set[int]:
        """Indices of the classes that have a box."""
        return {box[4] for box in chain.from_iterable(self.boxes.values())}


def draw_region(part: Part, seed: int, wear: Wear | None = None) -> SearchRegion:
    """The region in the scan of a subject drawn by the part's mix of diseases.

    wear: see draw_subject.
    """
    rng = np.random.default_rng([seed, 33])
    disease = str(rng.choice(list(part.kinds), p=list(part.kinds.values())))
    subject = draw_subject(
        seed,
        disease,
        subtle=bool(rng.random() < 0.6),
        variety=Variety(spread=LESION_VARIETY, with_mimics=True, by_definition=True, wear=wear),
    )
    seen = scan(subject, float(rng.choice(SPACINGS_MM)), seed, "hindfoot")
    return region(
        part,
        Labelled(
            Volume(seen.hu, seen.raster.grid.affine, (), ""),
            seen.raster.labels,
            lesions=seen.raster.lesion,
        ),
    )


def region(part: Part, case: Labelled) -> SearchRegion:
    """The region in a labelled scan.

    Raises TruthError where the bones are missing, or no coronal slice is labelled for lesions.
    """
    grid = case.canonical(PIXEL_MM)
    labels = on_canonical_grid(case.labels, grid, case.volume)
    box = searched(labels, part.classes, PIXEL_MM, AXIS)
    if box is None or case.lesions is None:
        raise TruthError("no hindfoot with boxes of lesions in it")
    augmented = np.ones(case.labels.shape, bool)
    if case.boxed is not None:
        augmented[:] = False
        np.moveaxis(augmented, Plane.COR.array_axis, 0)[sorted(case.boxed.get(Plane.COR, ()))] = (
            True
        )
    slices = np.flatnonzero(
        on_canonical_grid(augmented.astype(np.uint8), grid, case.volume)[box].any((0, 2))
    )
    if not len(slices):
        raise TruthError("no coronal slice that anybody looked at for lesions")
    bits = on_canonical_grid(case.lesions, grid, case.volume)[box]
    boxes = {
        int(y): found
        for y in slices
        if (found := _boxes(np.ascontiguousarray(bits[:, y]), part.classes))
    }
    return SearchRegion(
        np.clip(grid.hu[box], -32768, 32767).astype(np.int16), tuple(map(int, slices)), boxes
    )


def _boxes(bits: NDArray[np.uint8], classes: Sequence[str]) -> tuple[Box, ...]:
    """The boxes of these classes in a coronal slice of lesion bits."""
    found, which = boxes_of(
        torch.from_numpy(bits), torch.ones(bits.shape, dtype=torch.bool), Plane.COR.value
    )
    pairs = [(box, CLASSES[i]) for box, i in zip(found.int().tolist(), which.tolist(), strict=True)]
    return tuple(
        (box[0], box[1], box[2], box[3], classes.index(name))
        for box, name in pairs
        if name in classes
    )
