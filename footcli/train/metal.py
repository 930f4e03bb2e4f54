"""Screws, wires and nails with their streaks and dark bands."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from footcli.train.view import FootView


def metal(image: torch.Tensor, view: FootView) -> torch.Tensor:
    """Screws, wires and nails in the bones with their streaks and dark bands: rays in AXL, along
    the rows in COR and SAG.
    """
    rows, columns = view.at()
    places = torch.nonzero(view.depth > 0)
    if not len(places):
        return image
    solid, faults = torch.zeros_like(image), torch.zeros_like(image)
    centres: list[tuple[float, float]] = []
    hu, reach = view.pick("metal", "hu"), view.pick("metal", "reach_mm")
    direction = view.rng.normal(size=3)
    for _ in range(int(view.pick("metal", "pieces"))):
        channel, r, q = (int(v) for v in places[int(view.rng.integers(len(places)))])
        if view.rng.random() < 0.6:
            direction = view.rng.normal(size=3)
        piece = _rod(
            view, (float(view.offsets_px[channel]), r, q), direction / np.linalg.norm(direction)
        )
        shown = piece.amax((1, 2), keepdim=True)
        faults = (
            faults + view.pick("metal", "streak_hu") * _streaks(view, piece, (r, q), reach) * shown
        )
        if view.plane == "AXL" and centres:
            faults = faults - view.pick("metal", "dark_hu") * shown * _band(
                rows, columns, centres[-1], (r, q), 4.0
            )
        centres.append((r, q))
        solid = torch.maximum(solid, piece)
    spoilt = image + faults * torch.where(image > -900, 1.0, 0.4)
    return spoilt + solid * (hu - spoilt)


def _rod(view: FootView, centre: tuple[float, float, float], direction: np.ndarray) -> torch.Tensor:
    """(C, H, W) 1 inside a rod about centre (offset, row, column) in pixels, 0 outside, soft at its
    surface.
    """
    rows, columns = view.at()
    o, r, q = (
        a - b
        for a, b in zip(
            (view.offsets_px[:, None, None], rows[None], columns[None]), centre, strict=True
        )
    )
    u = [float(v) for v in direction]
    half = view.pick("metal", "length_mm") / 2
    t = (o * u[0] + r * u[1] + q * u[2]).clamp(-half, half)
    away = ((o - t * u[0]) ** 2 + (r - t * u[1]) ** 2 + (q - t * u[2]) ** 2).sqrt()
    return torch.sigmoid((view.pick("metal", "radius_mm") - away) * 4)


def _streaks(
    view: FootView, piece: torch.Tensor, centre: tuple[int, int], reach: float
) -> torch.Tensor:
    """Alternating bright and dark, about -2..2, fading with distance from a piece of metal."""
    rows, columns = view.at()
    r, q = rows - centre[0], columns - centre[1]
    if view.plane == "AXL":
        angle = torch.atan2(*torch.broadcast_tensors(r, q))
        rays = torch.zeros_like(angle)
        for k, phase in zip(view.rng.integers(1, 28, 4), view.rng.uniform(0, 6.3, 4), strict=True):
            rays = rays + torch.sin(angle * int(k) + float(phase))
        return rays * torch.exp(-torch.hypot(*torch.broadcast_tensors(r, q)) / reach)[None]
    lines = torch.randn(rows.shape[0], 1, generator=view.generator, device=rows.device) - 0.3
    return (
        F.max_pool2d(piece, (5, 1), 1, (2, 0)).amax(2, keepdim=True)
        * lines
        * torch.exp(-q.abs() / reach)
    )


def _band(
    rows: torch.Tensor,
    columns: torch.Tensor,
    a: tuple[float, float],
    b: tuple[float, float],
    width: float,
) -> torch.Tensor:
    """1 on the line between two positions (row, column), fading beside it over `width` pixels."""
    d = np.subtract(b, a)
    t = (((rows - a[0]) * d[0] + (columns - a[1]) * d[1]) / max(float(d @ d), 1.0)).clamp(0, 1)
    return torch.exp(
        -((rows - a[0] - t * d[0]) ** 2 + (columns - a[1] - t * d[1]) ** 2) / (2 * width**2)
    )
