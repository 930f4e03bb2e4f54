"""Slices of banked subjects as a scanner might show them: random cut, random look, random faults.
Batched torch, any device.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import torch
from torch.nn import functional as F

from footcli.kinds import BONE_ID
from footcli.phantom.tissue import AIR_HU, draw_look, hounsfield
from footcli.train.artefacts import field, spoil
from footcli.train.bank import SPACING_MM, Entry
from footcli.train.view import AROUND, CLEAN, FIELD, SCANNER, View, blur, noise

BEYOND = (-40.0, -30.0, 0.0)  # depth, skin, tissue beyond a subject's box: air
SKIN_MM = (-3.0, 22.0)  # how much thicker the soft tissue is than the subject's own wrap
# of AXL and COR pictures: both feet of a person, as far as the other comes into the picture
SECOND_FOOT = 0.25
SECOND_GAP_MM = (2.0, 35.0)
RAYS = (BONE_ID["1st Metatarsal"], BONE_ID["5th Metatarsal"])
PLANE_AXES = {
    "AXL": (0, 1, 2),
    "COR": (1, 0, 2),
    "SAG": (2, 0, 1),
}  # volume axes (z, y, x) of slice normal, rows, columns


@dataclass(frozen=True, slots=True)
class Cut:
    """What a slice sampler should draw: pixel edge, side in pixels, offsets of the neighbouring
    slices (mm), how far it may turn.
    """

    pixel_mm: float
    side_px: int
    offsets_mm: tuple[float, ...]
    turn_sd_deg: float = 7.0
    stretch_mm: float = 4.0


def _turn(
    rng: np.random.Generator, sd_deg: float, sway_deg: tuple[float, float, float]
) -> np.ndarray:
    a, b, c = np.radians(rng.normal(0, np.hypot(sd_deg, sway_deg)))
    rz = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rx = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(rz @ ry @ rx)


def sample(
    entry: Entry,
    plane: str,
    centre: torch.Tensor,
    cut: Cut,
    rng: np.random.Generator,
    flip: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut one slice with its neighbours out of a subject: fields float32 (3, C, H, W) and ids int64
    (2, C, H, W) (see Entry).
    """
    return place(entry.fields, entry.ids, BEYOND, plane, centre, cut, rng, flip, entry.sway_deg)


def place(
    volume: torch.Tensor,
    classes: torch.Tensor,
    outside_values: tuple[float, ...],
    plane: str,
    centre: torch.Tensor,
    cut: Cut,
    rng: np.random.Generator,
    flip: int | None = None,
    sway_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut one slice with its neighbours out of volumes (K, z, y, x) of SPACING_MM, the second one's
    values taken from the nearest voxel.

    outside_values: what the first holds beyond its ends, K numbers. centre: (3,) voxel (z, y, x)
    that comes to lie somewhere in the picture. flip: 1 or -1, mirrored left to right; None draws
    it. Returns float32 (K, C, H, W) and int64 (K, C, H, W).
    """
    device = volume.device
    n = cut.side_px
    axes = PLANE_AXES[plane]
    scale = cut.pixel_mm / SPACING_MM * rng.uniform(0.78, 1.22) * rng.normal(1, 0.03, 3)
    basis = np.eye(3)[list(axes)] @ _turn(rng, cut.turn_sd_deg, sway_deg).T
    basis[2 if plane != "SAG" else 0] *= flip or rng.choice(
        [-1, 1]
    )  # left and right feet alike; toes stay in front, the leg on top
    shift = rng.normal(0, 0.15, 2).clip(-0.4, 0.4) * n
    pix = torch.arange(n, device=device, dtype=torch.float32) - (n - 1) / 2
    b = torch.tensor(basis * scale[:, None], dtype=torch.float32, device=device)
    flat = (
        centre.to(device)
        + (pix - shift[0])[:, None, None] * b[1]
        + (pix - shift[1])[None, :, None] * b[2]
    )  # (H, W, 3)
    flat = flat + _wobble(n, cut, rng, device)
    normal = torch.tensor(
        basis[0] / np.linalg.norm(basis[0]) / SPACING_MM, dtype=torch.float32, device=device
    )
    offsets = torch.tensor(cut.offsets_mm, dtype=torch.float32, device=device)
    size = torch.tensor(volume.shape[1:], dtype=torch.float32, device=device)
    steps = offsets[:, None, None, None] * normal
    unit = 2 / (
        size - 1
    )  # grid_sample wants (x, y, z) in -1..1; the small factors first, the many points last
    grid = (flat * unit - 1).flip(-1)[None] + (steps * unit).flip(-1)
    fields = F.grid_sample(
        volume[None], grid[None], mode="bilinear", padding_mode="border", align_corners=True
    )[0]
    outside = grid.abs().amax(-1) > 1
    beyond = torch.tensor(outside_values, device=device)[:, None, None, None]
    return torch.where(outside, beyond, fields), _nearest(classes, flat[None] + steps, outside)


def _nearest(ids: torch.Tensor, where: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
    """int64 (K, C, H, W): ids (K, z, y, x) at the voxels nearest to `where` (C, H, W, 3), 0
    outside.
    """
    _, nz, ny, nx = ids.shape
    last = torch.tensor([nz - 1.0, ny - 1.0, nx - 1.0], device=where.device)
    z, y, x = torch.minimum(where.round(), last).clamp(min=0).int().unbind(-1)
    found = ids.permute(1, 2, 3, 0).reshape(-1, len(ids))[
        ((z * ny + y) * nx + x).masked_fill(outside, 0)
    ]
    return found.long().permute(3, 0, 1, 2) * ~outside


@lru_cache(maxsize=64)
def _smooth(k: int, n: int, device: torch.device) -> torch.Tensor:
    """(n, k) weights of bicubic interpolation from k values to n; as a product much quicker than
    interpolating each time.
    """
    return F.interpolate(
        torch.eye(k, device=device)[None, :, :, None],
        size=(n, 1),
        mode="bicubic",
        align_corners=True,
    )[0, :, :, 0].T


def _wobble(n: int, cut: Cut, rng: np.random.Generator, device: torch.device) -> torch.Tensor:
    """Smooth displacement (H, W, 3) in voxels: the anatomy of somebody else."""
    total = torch.zeros(1, 3, n, n, device=device)
    for step_mm, limit in ((45.0, cut.stretch_mm), (16.0, min(cut.stretch_mm, 4.0) * 0.25)):
        k = max(3, round(n * cut.pixel_mm / step_mm) + 2)
        coarse = torch.tensor(
            rng.normal(0, 0.5, (1, 3, k, k)) * rng.uniform(0, limit),
            dtype=torch.float32,
            device=device,
        )
        rise = _smooth(k, n, device)
        total = total + rise @ coarse @ rise.T
    return (total / SPACING_MM)[0].permute(1, 2, 0)


def paint(
    entry: Entry, fields: torch.Tensor, ids: torch.Tensor, pixel_mm: float, rng: np.random.Generator
) -> torch.Tensor:
    """HU picture (C, H, W) of sampled fields, with a scanner's faults."""
    g = torch.Generator(device=fields.device).manual_seed(int(rng.integers(1 << 62)))
    image, _ = _tissues(entry, fields, ids, rng, g)
    return faults(image, rng, g)


def _tissues(
    entry: Entry,
    fields: torch.Tensor,
    ids: torch.Tensor,
    rng: np.random.Generator,
    g: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """HU (C, H, W) before any scanner, and the depth below the skin (C, H, W) that they were
    painted with.
    """
    device = fields.device
    look = draw_look(rng, entry.pieces)
    tables = torch.tensor(look.tables, dtype=torch.float32, device=device)[:, ids[0]]
    shape = tuple(fields.shape[1:])
    texture = sum(
        noise(shape, g, device, s) * w
        for s, w in zip((1, 2, 4), rng.dirichlet(np.ones(3)) * 1.4, strict=True)
    )
    patch = noise(shape, g, device, int(rng.integers(5, 16)))
    skin = (
        fields[1] + float(rng.uniform(*SKIN_MM)) + 2.5 * noise((1, *shape[1:]), g, device, 24)
    )  # thin and stout, swollen, padded
    scalars = {
        k: getattr(look, k) for k in ("muscle_hu", "fat_hu", "fat_mm", "texture_hu", "patch_hu")
    }
    return hounsfield(
        torch, SimpleNamespace(tables=tables, **scalars), fields[0], skin, fields[2], texture, patch
    ), skin


def faults(image: torch.Tensor, rng: np.random.Generator, g: torch.Generator) -> torch.Tensor:
    """Metal, blur, noise, shading, streaks, rings, gain and offset of a cone-beam scanner, each at
    random.
    """
    c, h, w = image.shape
    device = image.device
    rows, columns = torch.meshgrid(
        torch.arange(h, device=device), torch.arange(w, device=device), indexing="ij"
    )
    if rng.random() < 0.06:
        r, q = rng.uniform(0.2, 0.8, 2) * (h, w)
        angle = torch.atan2(rows - r, columns - q)
        near = ((rows - r) ** 2 + (columns - q) ** 2).sqrt()
        image = image + 500 * torch.sin(
            angle * int(rng.integers(3, 12)) + rng.uniform(0, 6)
        ) * torch.exp(-near / 25)
        image = torch.where((near < rng.uniform(2, 6))[None], torch.full_like(image, 3000.0), image)
    if rng.random() < 0.8:
        image = blur(image, rng.uniform(0.25, 1.0))
    sd = float(np.exp(rng.uniform(np.log(3), np.log(140))))
    image = image + sd * noise((c, h, w), g, device, 1 if rng.random() < 0.5 else 2)
    image = image + rng.uniform(0, 120) * noise((1, h, w), g, device, max(h // 3, 8)) * (
        image > -900
    )
    if rng.random() < 0.35:
        a = rng.uniform(0, np.pi)
        phase = (rows * np.cos(a) + columns * np.sin(a)) * rng.uniform(0.1, 1.2)
        image = image + rng.uniform(10, 90) * torch.sin(
            phase + 6 * noise((1, h, w), g, device, 24)[0]
        )
    if rng.random() < 0.12:
        r, q = rng.uniform(0.1, 0.9, 2) * (h, w)
        image = image + rng.uniform(10, 60) * torch.sin(
            ((rows - r) ** 2 + (columns - q) ** 2).sqrt() * rng.uniform(0.5, 2.5)
        )
    inside = image * rng.uniform(0.7, 1.3) + rng.normal(0, 60)
    return torch.clamp(inside, -1024, 3071) if rng.random() < 0.8 else inside


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    """One painted foot in a picture: HU, depth, skin (C, H, W) and the middle channel's classes (H,
    W).
    """

    image: torch.Tensor
    depth: torch.Tensor
    skin: torch.Tensor
    target: torch.Tensor


def _one_foot(
    entry: Entry,
    plane: str,
    centre: torch.Tensor,
    cut: Cut,
    rng: np.random.Generator,
    g: torch.Generator,
    flip: int,
) -> _Slice:
    fields, ids = sample(entry, plane, centre, cut, rng, flip)
    image, skin = _tissues(entry, fields, ids, rng, g)
    middle = len(cut.offsets_mm) // 2
    target = entry.classes.to(ids.device)[ids[0, middle]]
    return _Slice(
        image, fields[0], skin, torch.where(fields[0, middle] > 0, target, torch.zeros_like(target))
    )


def _beside(a: _Slice, b: _Slice, side: int, gap_px: int) -> _Slice:
    """Two feet in one picture: b moved along the columns until it stands beside a, towards the last
    (side 1) or first (-1) column.
    """
    w = a.image.shape[-1]
    spans = [torch.nonzero((s.skin > 0).any(0).any(0))[:, 0] for s in (a, b)]
    if any(len(s) == 0 for s in spans) or int(spans[1][0 if side > 0 else -1]) in (0, w - 1):
        return a  # nothing there, or cut off by its own picture where it would face the other foot
    step = (
        int(spans[0][-1] - spans[1][0]) + gap_px
        if side > 0
        else int(spans[0][0] - spans[1][-1]) - gap_px
    )
    at = torch.arange(w, device=a.image.device) - step
    inside = (at >= 0) & (at < w)
    at = at.clamp(0, w - 1)
    skin = torch.where(inside, b.skin[..., at], torch.full_like(a.skin, -30.0))
    mine = skin > a.skin
    middle = len(skin) // 2
    return _Slice(
        torch.where(mine & inside, b.image[..., at], a.image),
        torch.where(mine & inside, b.depth[..., at], a.depth),
        torch.maximum(skin, a.skin),
        torch.where((mine & inside)[middle], b.target[:, at], a.target),
    )


def picture(
    entry: Entry, plane: str, centre: torch.Tensor, cut: Cut, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """HU (C, H, W) of a slice with neighbours as any scanner may show it, and the classes (H, W) of
    what is seen in the middle one.
    """
    g = torch.Generator(device=entry.fields.device).manual_seed(int(rng.integers(1 << 62)))
    flip = int(rng.choice([-1, 1]))
    shown = _one_foot(entry, plane, centre, cut, rng, g, flip)
    if plane != "SAG" and rng.random() < SECOND_FOOT:
        near = centre + torch.tensor(rng.normal(0, 5.0, 3), dtype=torch.float32)
        gap = int(rng.uniform(*SECOND_GAP_MM) / cut.pixel_mm)
        shown = _beside(
            shown, _one_foot(entry, plane, near, cut, rng, g, -flip), flip * _medial(entry), gap
        )
    offsets = torch.tensor(cut.offsets_mm, device=shown.image.device) / cut.pixel_mm
    view = View(plane, cut.pixel_mm, offsets, shown.depth, shown.skin, rng, g)
    clean = rng.random() < CLEAN
    image = shown.image if clean else spoil(shown.image, view, AROUND)
    image = faults(image, rng, g)
    image = image if clean else spoil(image, view, SCANNER)
    image, keep = cut_field_of_view(image, rng)
    if not clean and rng.random() < FIELD:
        image, round_ = field(image, view)
        keep = keep & round_[len(image) // 2]
    return image, torch.where(keep, shown.target, torch.zeros_like(shown.target))


def _medial(entry: Entry) -> int:
    """Direction of the great toe along the volume's x: 1 or -1; 1 where a ray is not there."""
    first, fifth = (entry.points.get(c) for c in RAYS)
    return (
        1 if first is None or fifth is None or bool(first[:, 2].mean() > fifth[:, 2].mean()) else -1
    )


def cut_field_of_view(
    image: torch.Tensor, rng: np.random.Generator, chance: float = 0.3
) -> tuple[torch.Tensor, torch.Tensor]:
    """Blank what a smaller field of view would not show.

    Returns the picture and the bool (H, W) mask of what is left.
    """
    h, w = image.shape[1:]
    keep = torch.ones(h, w, dtype=torch.bool, device=image.device)
    if rng.random() < chance:
        for _ in range(int(rng.integers(1, 3))):
            side, depth = int(rng.integers(4)), rng.uniform(0.05, 0.45)
            if side < 2:
                k = int(depth * h)
                keep[:k] = keep[:k] & (side != 0)
                keep[h - k :] = keep[h - k :] & (side != 1)
            else:
                k = int(depth * w)
                keep[:, :k] = keep[:, :k] & (side != 2)
                keep[:, w - k :] = keep[:, w - k :] & (side != 3)
    fill = AIR_HU if rng.random() < 0.8 else float(image.min())
    return torch.where(keep[None], image, torch.full_like(image, fill)), keep
