"""Views that the landmark network trains on: of a synthetic subject's scan, or a labelled case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from footcli.domain import Plane
from footcli.errors import TruthError
from footcli.frame.axes import foot_frame
from footcli.geometry import Array, apply, rotation
from footcli.infer.prepare import canonical
from footcli.infer.spec_checks import VIEW_MM
from footcli.infer.views import CHANNELS, slab, view_geometry
from footcli.phantom.disease import Variety, draw_subject
from footcli.phantom.scanner import scan
from footcli.train.cases import Labelled, by_shipped_model, on_canonical_grid, read_labelled
from footcli.walk.tree import CaseEntry

WINDOW = (-500.0, 1500.0)
SPACING_MM = 1.0  # of the scans that the views are projected from
PLANES = (Plane.SAG, Plane.COR)
AUGMENTATIONS = 2  # views of each subject, from frames with errors as from masks


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One subject's views.

    images: per plane float32 (AUGMENTATIONS, VIEW_IMAGES, H, W). points: per plane (AUGMENTATIONS,
    K, 2) column, row; NaN outside the scan. known: per plane bool (K,), whether the point is
    labelled.
    """

    images: tuple[torch.Tensor, ...]
    points: tuple[Array, ...]
    known: tuple[NDArray[np.bool_], ...]


def drawn(seed: int) -> Sample:
    """Scan the subject of a seed and project its views along the foot's axes, as analysis does."""
    rng = np.random.default_rng([seed, 31])
    less_leg_mm = float(rng.uniform(0, 42)) if rng.random() < 0.6 else 0.0
    subject = draw_subject(seed, variety=Variety(spread=float(rng.uniform(0, 1))))
    seen = scan(
        subject,
        SPACING_MM,
        seed,
        "ankle" if rng.random() < 0.35 else "foot",
        lower_top_mm=less_leg_mm,
    )
    labels = _rough(seen.raster.labels, rng)
    frame = foot_frame(labels, seen.raster.grid.affine, orientation_known=True, weight_bearing=True)
    return _views(seen.hu.astype(np.float32), labels, frame.to_foot, seen.points, rng)


def pointed(place: CaseEntry) -> Labelled:
    """A case with landmarks; its bones from outlines, or from the shipped network.

    Raises ReadError, InferenceError, TruthError.
    """
    case = read_labelled(place, by_shipped_model)
    known = chain.from_iterable(chain.from_iterable(CHANNELS.values()))
    if case.points.keys().isdisjoint(known):
        raise TruthError("no key point is labelled")
    return case


def labelled(case: Labelled, rng: np.random.Generator) -> Sample:
    """Project the views of a labelled case along the foot's axes.

    Raises InferenceError where the bones do not determine the axes.
    """
    volume, tags = case.volume, case.volume.tags
    grid = canonical(volume, VIEW_MM)
    labels = on_canonical_grid(case.labels, grid, volume)
    frame = foot_frame(
        case.labels,
        volume.affine,
        orientation_known=volume.orientation_known,
        weight_bearing=tags.weight_bearing,
    )
    points = {name: apply(np.linalg.inv(grid.to_input), at) for name, at in case.points.items()}
    return _views(grid.hu, labels, frame.to_foot @ grid.to_input, points, rng)


def _views(
    hu: NDArray[np.float32],
    labels: NDArray[np.uint8],
    to_foot: Array,
    points: Mapping[str, ArrayLike],
    rng: np.random.Generator,
) -> Sample:
    """hu, labels: (z, y, x) on one grid; to_foot: (4, 4) from its voxels; points: in its voxels."""
    images: list[list[torch.Tensor]] = [[] for _ in PLANES]
    pixels: list[list[Array]] = [[] for _ in PLANES]
    for _ in range(AUGMENTATIONS):
        shaken = _shaken(to_foot, rng)
        for i, plane in enumerate(PLANES):
            image = slab(hu, labels, np.linalg.inv(shaken), plane, WINDOW).image
            images[i].append(torch.from_numpy(image))
            pixels[i].append(_pixels(points, shaken, plane))
    known = []
    for plane in PLANES:
        there = [not points.keys().isdisjoint(names) for names in CHANNELS[plane]]
        known.append(np.array(there))
    stacks = tuple(torch.stack(own) for own in images)
    return Sample(stacks, tuple(np.stack(own) for own in pixels), tuple(known))


def _rough(labels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Masks with a network's errors: half of them are shifted by up to a voxel."""
    return np.roll(labels, rng.integers(-1, 2, 3), (0, 1, 2)) if rng.random() < 0.5 else labels


def _shaken(to_foot: Array, rng: np.random.Generator) -> Array:
    turn = (
        rotation([0, 0, 1], rng.normal(0, 3))
        @ rotation([1, 0, 0], rng.normal(0, 2))
        @ rotation([0, 1, 0], rng.normal(0, 2))
    )
    shake = np.eye(4)
    shake[:3, :3] = turn
    shake[:3, 3] = rng.normal(0, 2.5, 3)
    return np.asarray(shake @ to_foot)


def _pixels(points: Mapping[str, ArrayLike], to_foot: Array, plane: Plane) -> Array:
    """(K, 2) column, row of each channel's point; NaN where the scan does not show it."""
    (rows, columns), to_px = view_geometry(plane)
    out = np.full((len(CHANNELS[plane]), 2), np.nan)
    for k, names in enumerate(CHANNELS[plane]):
        at = next((points[name] for name in names if name in points), None)
        if at is not None:
            pixel = to_px[:, :3] @ apply(to_foot, at) + to_px[:, 3]
            if np.all(pixel >= 0) and pixel[0] < columns and pixel[1] < rows:
                out[k] = pixel
    return out
