"""Other things than feet for the background of training: tubes, blocks, a column of vertebrae."""

from __future__ import annotations

import numpy as np

from footcli.geometry import rotation
from footcli.phantom.grid import F32
from footcli.phantom.tissue import AIR_HU, soft_step

CORTEX_MM, CORTEX_HU, MARROW_HU = (0.8, 5.0), (500.0, 1700.0), (30.0, 400.0)
FLESH_MM, FLESH_HU = (0.0, 25.0), (-60.0, 90.0)


def add_things(hu: F32, skin: F32, mm: float, rng: np.random.Generator) -> F32:
    """The volume (z, y, x) with one to three things outside the skin. mm: voxel edge.

    skin: depth below the skin, negative outside.
    """
    shape = hu.shape
    at = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) * mm for n in shape), indexing="ij"))
    depth = np.full(shape, -99.0, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        make = (_tube, _block, _column)[int(rng.integers(3))]
        centre = rng.uniform(0.1, 0.9, 3) * np.array(shape) * mm
        turn = rotation(rng.normal(size=3), rng.uniform(0, 180))
        local = np.tensordot(turn, at.reshape(3, -1) - centre[:, None], 1)
        depth = np.maximum(depth, make(local.astype(np.float32), rng).reshape(shape))
    wall = rng.uniform(*CORTEX_MM)
    bone = rng.uniform(*MARROW_HU) + soft_step(np, (wall - depth) / 0.5) * rng.uniform(*CORTEX_HU)
    flesh_mm, flesh = rng.uniform(*FLESH_MM), rng.uniform(*FLESH_HU)
    body = flesh + soft_step(np, depth / 0.4) * (bone - flesh)
    thing = AIR_HU + soft_step(np, (depth + flesh_mm) / 0.5) * (body - AIR_HU)
    return np.where(skin < -1.0, np.maximum(hu, thing), hu).astype(np.float32)


def _tube(p: F32, rng: np.random.Generator) -> F32:
    """Depth (m,) in one to three parallel rods with thicker ends; p: (3, m) mm."""
    radius, half = rng.uniform(3, 22), rng.uniform(15, 120)
    apart, flare = radius * rng.uniform(2.1, 4), rng.uniform(0, 0.6)
    best = np.full(p.shape[1], -99.0, np.float32)
    for k in range(int(rng.integers(1, 4))):
        along = np.clip(np.abs(p[0]) / half, 0, 1)
        away = np.hypot(p[1] - k * apart, p[2])
        inside = np.minimum(radius * (1 + flare * along**3) - away, half - np.abs(p[0]))
        best = np.maximum(best, inside)
    return best


def _block(p: F32, rng: np.random.Generator) -> F32:
    """Depth (m,) in a rounded block or a plate."""
    half = rng.uniform(4, 60, 3)
    n = rng.choice([2.0, 4.0, 8.0])
    gauge = (np.abs(p / half[:, None].astype(np.float32)) ** n).sum(0) ** (1 / n)
    return np.asarray((1 - gauge) * half.min(), dtype=np.float32)


def _column(p: F32, rng: np.random.Generator) -> F32:
    """Depth (m,) in a column of short drums with a process behind each."""
    radius, height, gap = rng.uniform(8, 24), rng.uniform(8, 28), rng.uniform(2, 8)
    period = height + gap
    z = (p[0] + period / 2) % period - period / 2
    drum = np.minimum(radius - np.hypot(p[1], p[2]), height / 2 - np.abs(z))
    spine = np.minimum(3.5 - np.hypot(p[1], z), radius * 2.4 - np.abs(p[2] - radius))
    ends = rng.uniform(1.5, 5) * period - np.abs(p[0])
    return np.asarray(np.minimum(np.maximum(drum, spine), ends), dtype=np.float32)
