"""Train the finder: the parts of a foot in a coarse volume, in any pose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from footcli.infer.prepare import AIR_HU, window
from footcli.kinds.parts import PART_ID, PARTS
from footcli.phantom.scanner import noise
from footcli.train.bank import Bank
from footcli.train.finder_scenes import SCENE, Scene
from footcli.train.loop import Course, bf16_autocast, train_from
from footcli.train.unet3d import UNet3D
from footcli.train.watch import Judge, Plan

WINDOW = (-500.0, 1500.0)
CROP = 48  # voxels along an edge of what the network learns from at once
CLASSES = len(PARTS) + 1
ANY_WAY = 0.05  # share of crops with any axis on top: a leg is scanned along the scanner's axis
CENTRED, TOES = 0.7, ("hallux_proximal", "phalanges2", "phalanges4")
RAY_SHARE = 0.5  # of the crops that are centred on a part: on a ray or its toe
GAIN, OFFSET_HU, NOISE_HU, SHADE_HU = (0.7, 1.3), 150.0, (2.0, 60.0), 100.0
BLUR, CUT = 0.35, 0.3  # share of blurred crops, and of those that the scan cuts off
DULL = 0.1  # share that is clipped as some exports are
PADDINGS = (-1024.0, -1000.0, -2000.0, 0.0)
BACKGROUND, SMALL = 0.25, 2.0  # weights in the cross entropy; of the rays, toes and sesamoids
REFRESH = 7  # steps between two new scenes
Batch = tuple[torch.Tensor, torch.Tensor]
_RAYS = tuple(PART_ID[f"metatarsal{i}"] for i in range(1, 6))
_FORE = (*_RAYS, *(PART_ID[name] for name in TOES))


def draw_batch(
    bank: Bank[Scene], size: int, rng: np.random.Generator, device: torch.device
) -> Batch:
    """(N, 1, CROP, CROP, CROP) windowed volumes and (N, CROP, CROP, CROP) part ids."""
    images, targets = [], []
    for _ in range(size):
        entries = bank.entries  # another thread may replace the list
        image, target = crop(entries[int(rng.integers(len(entries)))], rng)
        images.append(torch.from_numpy(image)[None])
        targets.append(torch.from_numpy(target.astype(np.int64)))
    return torch.stack(images).to(device, memory_format=torch.channels_last_3d), torch.stack(
        targets
    ).to(device)


def crop(scene: Scene, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A windowed cube of a scene as a scanner might show it, mirrored, turned about the vertical
    by quarters; ANY_WAY of them in any of its 48 orientations.
    """
    box = tuple(slice(a, a + CROP) for a in _corner(scene, rng))
    kept = int(rng.random() >= ANY_WAY)  # axes that stay
    order = (*range(kept), *(kept + rng.permutation(3 - kept)))
    flips = tuple(int(axis) for axis in kept + np.flatnonzero(rng.random(3 - kept) < 0.5))
    hu = np.flip(scene.hu[box].astype(np.float32).transpose(order), flips)
    parts = np.flip(scene.parts[box].transpose(order), flips)
    hu, parts = spoiled(np.ascontiguousarray(hu), np.ascontiguousarray(parts), rng)
    return np.asarray(window(np, hu, *WINDOW), np.float32), parts


def _corner(scene: Scene, rng: np.random.Generator) -> NDArray[np.int64]:
    """First voxel (3,) of a crop; most are centred on a part, half of those on a ray."""
    most = SCENE - CROP
    if not scene.points or rng.random() >= CENTRED:
        return rng.integers(0, most + 1, 3)
    own = [k for k in scene.points if k in _FORE]
    keys = own if own and rng.random() < RAY_SHARE else list(scene.points)
    voxels = scene.points[int(rng.choice(keys))]
    at = voxels[int(rng.integers(len(voxels)))] + rng.integers(-8, 9, 3) - CROP // 2
    return np.asarray(np.clip(at, 0, most), np.int64)


def spoiled(
    hu: NDArray[np.float32], parts: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The cube with a scanner's blur, noise, shading, scale and field of view."""
    if rng.random() < BLUR:
        hu = ndimage.gaussian_filter(hu, rng.uniform(0.2, 0.5))
    low, high = np.log(NOISE_HU)
    hu = hu + np.float32(np.exp(rng.uniform(low, high))) * noise(hu.shape, 1, rng)
    hu = hu + np.float32(rng.uniform(0, SHADE_HU)) * noise(hu.shape, CROP / 4, rng) * (hu > -900)
    hu = (hu - AIR_HU) * np.float32(rng.uniform(*GAIN)) + np.float32(AIR_HU)
    hu = hu + np.float32(rng.uniform(-OFFSET_HU, OFFSET_HU))
    if rng.random() < DULL:
        hu = np.minimum(hu, np.float32(rng.uniform(500, 1200)))
    if rng.random() < CUT:
        away = _outside(hu.shape, rng)
        hu = np.where(away, np.float32(rng.choice(PADDINGS)), hu)
        parts = np.where(away, 0, parts).astype(np.uint8)
    return np.asarray(hu, np.float32), parts


def _outside(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """The part (z, y, x) of a cube that lies outside a scan: beyond a plane, or a cylinder."""
    axes = (np.arange(n) - n / 2 for n in shape)
    at = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    axis = int(rng.integers(3))
    if rng.random() < 0.6:
        sign = 1 if rng.random() < 0.5 else -1
        return np.asarray(sign * at[..., axis] > rng.uniform(0, CROP / 2))
    across = np.delete(at, axis, -1)
    return np.asarray(np.hypot(across[..., 0], across[..., 1]) > rng.uniform(16, CROP / 2))


def loss(net: nn.Module, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross entropy plus soft Dice loss over the parts that the batch shows."""
    images, target = batch
    with bf16_autocast(images.device):
        half = net(images)
    logits = half.float()
    weights = torch.full((CLASSES,), 1.0, device=logits.device)
    weights[0], weights[_RAYS[0] :] = BACKGROUND, SMALL
    entropy = F.cross_entropy(logits, target, weight=weights)
    probability = logits.softmax(1)
    flat = target.flatten()
    own = probability.gather(1, target[:, None]).flatten()
    both = torch.zeros(CLASSES, device=logits.device).index_add(0, flat, own)
    count = torch.bincount(flat, minlength=CLASSES).float()
    dice = 2 * both / (probability.sum((0, 2, 3, 4)) + count + 1e-6)
    shown = count > 0
    shown[0] = False
    mean = dice[shown].mean() if bool(shown.any()) else dice.new_ones(())
    numbers = {"ce": float(entropy.detach()), "dice": float(mean.detach())}
    rays = [k for k in _RAYS if bool(shown[k])]
    if rays:
        numbers["rays"] = float(dice[rays].mean().detach())
    return entropy + (1 - mean), numbers


def judge_finder(net: nn.Module, held: Sequence[Scene]) -> Mapping[str, float]:
    """score: mean Dice over the parts but the toes; and each part's Dice, over all scenes.

    Each scene is spoiled as in training, the same way every time, and answered whole.
    """
    device = next(net.parameters()).device
    both, either = np.zeros(CLASSES), np.zeros(CLASSES)
    for number, scene in enumerate(held):
        hu, parts = spoiled(
            scene.hu.astype(np.float32), scene.parts, np.random.default_rng([number, 83])
        )
        image = torch.from_numpy(np.asarray(window(np, hu, *WINDOW), np.float32))
        with torch.no_grad():
            found = net(image[None, None].to(device)).argmax(1)[0].cpu().numpy()
        both += np.bincount(parts[found == parts], minlength=CLASSES)
        either += np.bincount(parts.ravel(), minlength=CLASSES)
        either += np.bincount(found.ravel(), minlength=CLASSES)
    shown = {part.name: k for k, part in enumerate(PARTS, start=1) if either[k]}
    dice = {name: float(2 * both[k] / either[k]) for name, k in shown.items()}
    counted = [dice[part.name] for part in PARTS if part.bone and part.name in dice]
    return {"score": float(np.mean(counted)) if counted else 0.0, **dice}


def run(
    plan: Plan, say: Callable[[str], None], bank: Bank[Scene], judge: Judge | None = None
) -> nn.Module:
    """Train; returns the averaged network, or with `judge` the best one, ready for export."""
    net = UNet3D(CLASSES).to(memory_format=torch.channels_last_3d)
    return train_from(net, plan, Course(bank, draw_batch, loss, REFRESH), say, judge)
