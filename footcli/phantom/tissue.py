"""Hounsfield units of each point of a foot: one formula for numpy volumes and torch batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.geometry import Array

# [low, high] of cortex thickness (mm): general knowledge, not measured; see the remark in the
# morphometry
CORTEX_MM = {
    "tibia": (1.2, 4.5),
    "fibula": (1.2, 3.2),
    "talus": (0.5, 1.4),
    "calcaneus": (0.5, 1.2),
    "metatarsal": (0.8, 2.4),
    "phalanx": (0.5, 1.3),
    "": (0.4, 1.2),
}
AIR_HU = -1000.0


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """The appearance of a person's tissue in one scanner.

    tables: (5, pieces + 1) cortex mm, cortex HU, marrow HU, hollow mm, hollow HU by piece id.
    """

    tables: Array | NDArray[np.float32]
    muscle_hu: float
    fat_hu: float
    fat_mm: float
    texture_hu: float
    patch_hu: float


def draw_appearance(rng: np.random.Generator, pieces: tuple[str, ...]) -> Appearance:
    """A random appearance, over the range of people and scanners."""
    base, strength = rng.uniform(20, 420), rng.uniform(600, 1650)
    hollow = rng.uniform(50, 330) if rng.random() < 0.5 else 0.0
    tables = np.zeros((5, len(pieces) + 1))
    for i, name in enumerate(pieces, start=1):
        key = next(k for k in CORTEX_MM if name.startswith(k))
        low, high = CORTEX_MM[key]
        tables[:, i] = (
            rng.uniform(low, high),
            strength * rng.uniform(0.8, 1.15),
            base + rng.normal(0, 50),
            rng.uniform(3, 7),
            hollow,
        )
    return Appearance(
        tables,
        rng.uniform(20, 90),
        rng.uniform(-140, -50),
        rng.uniform(2, 9),
        rng.uniform(15, 190),
        rng.uniform(5, 70),
    )


def soft_step(xp: Any, x: Any) -> Any:
    """Logistic step, 0..1, without overflow; `xp` is numpy or torch."""
    return 1 / (1 + xp.exp(-xp.clip(x, -30, 30)))


def hounsfield(
    xp: Any, look: Any, depth: Any, skin: Any, tissue: Any, noise: tuple[Any, Any]
) -> Any:
    """HU at points.

    look: the fields of Appearance, with tables (5, ...) taken at each point's piece. depth, skin
    (mm), tissue (-1..1): as in Raster. noise: fine and coarse, of unit variance. xp: numpy or
    torch.
    """
    texture, patch = noise
    cortex_mm, cortex_hu, marrow_hu, hollow_mm, hollow_hu = look.tables
    wall = soft_step(xp, (cortex_mm * (1 + 0.3 * patch) - depth) / 0.35)
    marrow = (
        marrow_hu + texture * look.texture_hu - hollow_hu * soft_step(xp, (depth - hollow_mm) / 1.2)
    )
    bone = marrow + wall * (cortex_hu * (1 + 0.12 * patch) - marrow)
    dense, lucent = xp.clip(tissue, 0, 1), xp.clip(-tissue, 0, 1)
    bone = bone + dense * 0.75 * (cortex_hu - bone) + lucent * (30 - bone)
    fatty = soft_step(xp, (look.fat_mm - skin) / 1.0) * soft_step(xp, (skin - 1.5) / 0.4)
    soft = (
        look.muscle_hu
        + fatty * (look.fat_hu - look.muscle_hu)
        + (1 - fatty) * xp.clip(patch * look.patch_hu, -120, 60)
    )
    body = soft + soft_step(xp, depth / 0.25) * (bone - soft)
    return AIR_HU + soft_step(xp, skin / 0.4) * (body - AIR_HU)
