"""Train the landmark network on slab views of scanned synthetic subjects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from footcli.domain import Plane
from footcli.frame import foot_frame
from footcli.geometry import Array, apply, rotation
from footcli.infer.views import CHANNELS, slab, view_geometry
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import scan
from footcli.train.bank import Bank
from footcli.train.gu2net import GU2Net
from footcli.train.loop import Plan, train_from

WINDOW = (-500.0, 1500.0)
SPACING_MM = 1.2  # of the scans that the views are projected from
SIGMA_PX = 3.0
PLANES = (Plane.SAG, Plane.COR)
LOOKS = 2  # views of each subject, from frames that err as frames from masks do
Batch = tuple[int, torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One subject's views. images: per plane float32 (LOOKS, 2, H, W).

    points: per plane (LOOKS, K, 2) column, row; NaN where not in the scan.
    """

    images: tuple[torch.Tensor, ...]
    points: tuple[Array, ...]


def make_sample(seed: int) -> Sample:
    """Scan the subject of a seed and look at it along its own axes, as analysis does."""
    rng = np.random.default_rng([seed, 31])
    less_leg_mm = float(rng.uniform(0, 42)) if rng.random() < 0.6 else 0.0
    subject = draw_subject(seed, spread=float(rng.uniform(0, 1)))
    seen = scan(subject, SPACING_MM, seed, "ankle" if rng.random() < 0.35 else "foot", lower_top_mm=less_leg_mm)
    grid, labels = seen.raster.grid, _rough(seen.raster.labels, rng)
    hu = seen.hu.astype(np.float32)
    frame = foot_frame(labels, grid.affine, orientation_known=True, weight_bearing=True)
    images: list[list[torch.Tensor]] = [[], []]
    points: list[list[Array]] = [[], []]
    for _ in range(LOOKS):
        to_foot = _shaken(frame.to_foot, rng)
        for i, plane in enumerate(PLANES):
            images[i].append(torch.from_numpy(slab(hu, labels, np.linalg.inv(to_foot), plane, WINDOW).image))
            points[i].append(_pixels(seen.points, to_foot, plane))
    return Sample(tuple(torch.stack(x) for x in images), tuple(np.stack(x) for x in points))


def _rough(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Masks as a network draws them: shifted by a voxel now and then."""
    return np.roll(labels, rng.integers(-1, 2, 3), (0, 1, 2)) if rng.random() < 0.5 else labels


def _shaken(to_foot: Array, rng: np.random.Generator) -> Array:
    turn = rotation([0, 0, 1], rng.normal(0, 3)) @ rotation([1, 0, 0], rng.normal(0, 2)) @ rotation([0, 1, 0], rng.normal(0, 2))
    shake = np.eye(4)
    shake[:3, :3] = turn
    shake[:3, 3] = rng.normal(0, 2.5, 3)
    return np.asarray(shake @ to_foot)


def _pixels(truth: dict[str, Array], to_foot: Array, plane: Plane) -> Array:
    """(K, 2) column, row of each channel's point; NaN where the scan does not show it."""
    (rows, columns), to_px = view_geometry(plane)
    out = np.full((len(CHANNELS[plane]), 2), np.nan)
    for k, names in enumerate(CHANNELS[plane]):
        if names[0] in truth:
            pixel = to_px[:, :3] @ apply(to_foot, truth[names[0]]) + to_px[:, 3]
            if np.all(pixel >= 0) and pixel[0] < columns and pixel[1] < rows:
                out[k] = pixel
    return out


def draw_batch(bank: Bank[Sample], size: int, rng: np.random.Generator, device: torch.device) -> Batch:
    """One domain, (N, 2, H, W) views turned, stretched, brightened, and their (N, K, H, W) heat maps."""
    domain = int(rng.integers(len(PLANES)))
    images, heats = [], []
    for _ in range(size):
        sample = bank.entries[int(rng.integers(len(bank.entries)))]
        look = int(rng.integers(LOOKS))
        image, points = _augment(sample.images[domain][look].to(device), sample.points[domain][look], rng)
        images.append(image)
        heats.append(heat_maps(points, image.shape[1:], device))
    return domain, torch.stack(images), torch.stack(heats)


def heat_maps(points: Array, shape: tuple[int, int] | torch.Size, device: torch.device) -> torch.Tensor:
    """(K, H, W) Gaussians of SIGMA_PX about the points, 1 at the top; zero for a point that is not there."""
    at = torch.tensor(np.nan_to_num(points, nan=-1e4), dtype=torch.float32, device=device)
    rows, columns = torch.arange(shape[0], device=device), torch.arange(shape[1], device=device)
    square = (columns[None, None] - at[:, 0, None, None]) ** 2 + (rows[None, :, None] - at[:, 1, None, None]) ** 2
    return torch.exp(-square / (2 * SIGMA_PX**2))


def _augment(image: torch.Tensor, points: Array, rng: np.random.Generator) -> tuple[torch.Tensor, Array]:
    h, w = image.shape[1:]
    angle, scale = np.radians(rng.normal(0, 5)), rng.uniform(0.88, 1.14)
    shift = rng.normal(0, 5, 2)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([(w - 1) / 2, (h - 1) / 2])
    moved = (points - middle) @ turn.T + middle + shift
    back = np.linalg.inv(turn)
    theta = np.column_stack([back, -back @ shift])  # output pixel -> input pixel, about the middle
    norm = np.array([(w - 1) / 2, (h - 1) / 2])
    theta = np.column_stack([theta[:, :2] * norm[None] / norm[:, None], theta[:, 2] / norm])
    grid = F.affine_grid(torch.tensor(theta[None], dtype=torch.float32, device=image.device), [1, 2, h, w], align_corners=True)
    image = F.grid_sample(image[None], grid, align_corners=True)[0]
    image = image * float(rng.uniform(0.75, 1.3)) + float(rng.normal(0, 0.04))
    image = (image.clamp(0, 1) ** float(rng.uniform(0.7, 1.4))) + float(rng.uniform(0, 0.05)) * torch.randn_like(image)
    lost = (moved < 0).any(1) | (moved[:, 0] > w - 1) | (moved[:, 1] > h - 1)
    moved[lost] = np.nan
    return image.clamp(0, 1), moved


def loss(net: nn.Module, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross entropy of the product of heat maps, and a smaller share for the local ones, so that they learn from the start."""
    domain, images, wanted = batch
    near, far = net.both(images, domain)
    weight = 1 + 20 * wanted  # a point covers a few pixels of many thousand

    def entropy(got: torch.Tensor) -> torch.Tensor:
        return F.binary_cross_entropy(got.clamp(1e-6, 1 - 1e-6), wanted, weight)

    value = entropy(near * far) + 0.3 * entropy(near)
    shown = wanted.flatten(2).amax(2) > 0.5
    w = images.shape[-1]
    got, true = (near * far).detach().flatten(2).argmax(2), wanted.flatten(2).argmax(2)
    miss = torch.sqrt(((got % w - true % w) ** 2 + (got // w - true // w) ** 2).float())[shown]
    return 100 * value, {"px": float(miss.mean()) if len(miss) else 0.0, "px50": float(miss.median()) if len(miss) else 0.0}


def run(plan: Plan, say: Callable[[str], None], bank: Bank[Sample]) -> nn.Module:
    """Train and return the averaged network, ready for export."""
    return train_from(GU2Net(2, tuple(len(CHANNELS[p]) for p in PLANES)), plan, bank, draw_batch, loss, say, refresh=12)
