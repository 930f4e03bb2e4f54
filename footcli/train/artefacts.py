"""Artefacts around the foot and of the scanner, one function each; view.py sets how often and how
strongly they occur.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch.nn import functional as F

from footcli.phantom.tissue import AIR_HU
from footcli.train.metal import metal
from footcli.train.view import FLOORS, RAW, FootView, blur, noise, shifted

Artefact = Callable[[torch.Tensor, FootView], torch.Tensor]


def strands(image: torch.Tensor, view: FootView) -> torch.Tensor:
    """Fat between and within the muscles and, in half of the images, tendons along them."""
    c, h, w = image.shape
    soft = torch.sigmoid(-2 * view.depth - 2) * torch.sigmoid(2 * view.skin - 4)
    for what in ("fat_hu", "tendon_hu") if view.rng.random() < 0.5 else ("fat_hu",):
        steps = [
            max(2, round(view.pick("strands", "step_mm") * k))
            for k in (1.0, view.rng.uniform(0.3, 3.0))
        ]
        small = torch.randn(
            1,
            c,
            h // steps[0] + 2,
            w // steps[1] + 2,
            generator=view.generator,
            device=image.device,
        )
        wave = F.interpolate(small, size=(h, w), mode="bilinear", align_corners=False)[0]
        where = (
            torch.exp(-((wave / view.pick("strands", "width")) ** 2))
            if view.rng.random() < 0.6
            else torch.sigmoid(8 * wave - 5)
        )
        image = image + where * soft * view.pick("strands", "share") * (
            view.pick("strands", what) - image
        )
    return image


def dressing(image: torch.Tensor, view: FootView) -> torch.Tensor:
    """Bandage, sock, cast or shoe: thin layers around the skin."""
    out = -view.skin / view.pixel_mm + 1.0 * noise(
        (1, *image.shape[1:]), view.generator, image.device, 16
    )
    gap = view.pick("dressing", "gap_mm")
    for _ in range(int(view.pick("dressing", "layers"))):
        thick = view.pick("dressing", "thick_mm")
        layer = (
            torch.sigmoid((out - gap) * 3)
            * torch.sigmoid((gap + thick - out) * 3)
            * (view.skin < 0)
        )
        image = image + layer * (view.pick("dressing", "hu") - image)
        gap += thick + view.rng.uniform(0, 4)
    return image


def support(image: torch.Tensor, view: FootView) -> torch.Tensor:
    """The plate under the foot or the table behind a lying leg, as a slab or a thin bright line;
    air beyond it.
    """
    kind = "line" if view.rng.random() < 0.4 else "slab"
    thick, hu = view.pick("support", f"{kind}_mm"), view.pick("support", f"{kind}_hu")
    if view.plane == "AXL" and view.rng.random() < 0.5:  # slices through the plate itself
        level = view.pick("support", "level_mm")
        hit = (view.offsets_px < level) & (view.offsets_px > level - max(thick, 4.0))
        return torch.where(hit[:, None, None] & (view.skin < 0), torch.full_like(image, hu), image)
    behind = view.plane == "AXL" or (view.plane == "SAG" and view.rng.random() < 0.25)
    axis = 1 if behind and view.plane == "SAG" else 0
    seen = torch.nonzero((view.skin > 0).any(0).any(1 - axis))
    if not len(seen):
        return image
    along, across = view.at()[axis], view.at()[1 - axis]
    edge = float(seen[-1] if behind else seen[0])
    tilt = float(np.tan(np.radians(view.pick("support", "tilt_deg"))))
    beyond = (along - edge) * (1 if behind else -1)
    leaning = tilt * (across - image.shape[2 - axis] / 2)
    out = beyond + leaning - view.pick("support", "gap_mm")
    free = torch.sigmoid(-4 * view.depth - 8)
    image = image + torch.sigmoid(4 * out) * free * (AIR_HU - image)
    return image + torch.sigmoid(4 * out) * torch.sigmoid(4 * (thick - out)) * free * (hu - image)


def motion(image: torch.Tensor, view: FootView) -> torch.Tensor:
    """A faint second contour or blur along one direction; the anatomy itself does not move."""
    angle = view.rng.uniform(0, 2 * np.pi)
    along = np.array([np.sin(angle), np.cos(angle)])
    if view.rng.random() < 0.5:
        rows, columns = np.round(along * view.pick("motion", "shift_mm")).astype(int)
        return image + view.pick("motion", "ghost") * (
            shifted(image, int(rows), int(columns)) - image
        )
    steps = np.linspace(-0.5, 0.5, 5) * view.pick("motion", "blur_mm")
    copies = []
    for step in steps:
        rows, columns = np.round(along * step).astype(int)
        copies.append(shifted(image, int(rows), int(columns)))
    return torch.stack(copies).mean(0)


def rings(image: torch.Tensor, view: FootView) -> torch.Tensor:
    """Rings or arcs about the scanner's axis, strongest near the axis."""
    radius = view.radius()
    size = int(2 * max(image.shape[1:])) + 2
    height = torch.randn(size, generator=view.generator, device=image.device)
    height = torch.where(
        torch.rand(size, generator=view.generator, device=image.device) < view.rng.uniform(0.1, 1),
        height,
        0 * height,
    )
    lines = height[(radius * view.rng.uniform(0.5, 1.0)).long().clamp(max=size - 1)]
    arcs = torch.sigmoid(
        3 * noise((1, *image.shape[1:]), view.generator, image.device, 40)
        + 6 * view.pick("rings", "arc")
        - 3
    )
    return image + view.pick("rings", "hu") * lines * arcs / (1 + radius / 40)


def shading(image: torch.Tensor, view: FootView) -> torch.Tensor:
    """Cupping about the axis, and the HU that a cone beam loses or gains towards its ends."""
    h, w = image.shape[1:]
    body = torch.sigmoid((image + 700) / 60)
    cup = (view.radius() / (0.5 * w)) ** 2 - 0.5
    rows = (
        view.offsets_px[:, None, None] / 80 + view.rng.normal(0, 0.5)
        if view.plane == "AXL"
        else (view.at()[0] / h * 2 - 1)[None]
    )
    return image + body * (
        view.pick("shading", "cup_hu") * cup.clamp(max=1.5)
        + view.pick("shading", "ends_hu") * (rows**2).clamp(max=1.5)
    )


def coarse(image: torch.Tensor, view: FootView) -> torch.Tensor:
    """Larger pixels and thick slices, resampled to the original pixels; the slices are mostly
    axial, along the rows of COR and SAG.
    """
    h, w = image.shape[1:]
    pixel, slab = view.pick("coarse", "pixel_mm"), view.pick("coarse", "slice_mm")
    if view.plane == "AXL":
        image, step = blur(image, 0.2 + 0.3 * slab), (pixel, pixel)
    else:
        step = (slab, pixel) if view.rng.random() < 0.8 else (pixel, slab)
    small = F.interpolate(
        image[None],
        size=(max(8, round(h / max(step[0], 1))), max(8, round(w / max(step[1], 1)))),
        mode="area",
    )
    return F.interpolate(small, size=(h, w), mode="bilinear", align_corners=False)[0]


def sharp(image: torch.Tensor, view: FootView) -> torch.Tensor:
    """A bone kernel of clinical CT: edges overshoot, and white noise is added."""
    edges = image - blur(image, view.pick("sharp", "sigma_px"))
    return (
        image
        + view.pick("sharp", "overshoot") * edges
        + view.pick("sharp", "noise_hu")
        * noise(tuple(image.shape), view.generator, image.device, 1)
    )


def uncalibrated(image: torch.Tensor, view: FootView) -> torch.Tensor:
    """HU of an uncalibrated scanner: gain about water or air, offset, and a lowest value."""
    zero, gain = (0.0, "gain") if view.rng.random() < 0.5 else (AIR_HU, "gain_from_air")
    image = (
        (image - zero) * view.pick("uncalibrated", gain)
        + zero
        + view.pick("uncalibrated", "offset_hu")
    )
    floor = float(view.rng.choice([f for f, _ in FLOORS], p=[p for _, p in FLOORS]))
    return image.clamp(min=-1024.0) + 1024.0 if view.rng.random() < RAW else image.clamp(min=floor)


def field(image: torch.Tensor, view: FootView) -> tuple[torch.Tensor, torch.Tensor]:
    """A round field of view with a constant value outside.

    Returns the image and the bool (C, H, W) mask of what it shows.
    """
    reach = view.pick("field", "radius_mm")
    keep = view.radius(0.6 * reach / image.shape[2]) < reach
    fill = view.pick("field", "fill_hu") if view.rng.random() < 0.3 else AIR_HU
    return torch.where(keep, image, torch.full_like(image, fill)), keep


BY_NAME: Mapping[str, Artefact] = {
    f.__name__: f
    for f in (
        strands,
        dressing,
        support,
        metal,
        motion,
        rings,
        shading,
        coarse,
        sharp,
        uncalibrated,
    )
}


def spoil(image: torch.Tensor, view: FootView, chances: Mapping[str, float]) -> torch.Tensor:
    """The image with each artefact of AROUND or SCANNER at its probability, in their order."""
    for name, chance in chances.items():
        if view.rng.random() < chance:
            image = BY_NAME[name](image, view)
    return image
