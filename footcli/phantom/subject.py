"""A synthetic person's foot: bones in stance, landmarks measured on them, disease as geometry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from footcli.anatomy.reshape import reshaped
from footcli.anatomy.template import Bone, Tube, section_sd
from footcli.domain import Side
from footcli.geometry import Array


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A superellipsoid in the foot frame (mm): centre (3,), radii (3,), axes as rows (3, 3).

    n: exponent; 2 is an ellipsoid, 8 almost a box.
    """

    centre: Array
    radii: Array
    axes: Array = field(default_factory=lambda: np.eye(3))
    n: float = 2.0

    def grown(self, factor: float = 1.0, margin_mm: float = 0.0) -> Region:
        """The region with radii times factor plus margin_mm, about the same centre."""
        return replace(self, radii=self.radii * factor + margin_mm)

    def moved(self, turn: Array, shift: Array) -> Region:
        """The region after rotating by (3, 3) `turn` about the origin, then shifting (mm)."""
        return replace(self, centre=turn @ self.centre + shift, axes=self.axes @ turn.T)


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """A change of tissue in a region; a subject's spots apply in order.

    kind: lucent and sclerotic change the density of bone, bone restores it; bridge adds bone to
    those named, contact lets a joint close. bones: names, and "osseous" for a bridge that fuses
    two.
    """

    kind: Literal["lucent", "sclerotic", "bone", "bridge", "contact"]
    region: Region
    bones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A foot to scan, in the foot frame of a left foot; a right one is its mirror image.

    landmarks: kinds.LANDMARKS name -> (3,) mm, measured on the moved bones. lesions: (label,
    region), with the data set's label names. gap_mm: least joint width. diseases: names of the true
    findings. sole: (4, 4) foot frame mm -> frame whose z = 0 is the sole's level. loaded: whether
    the foot stands on that level. stage: of the disease, as in the literature.
    """

    bones: Mapping[str, Bone]
    side: Side
    landmarks: Mapping[str, Array]
    diseases: tuple[str, ...]
    lesions: tuple[tuple[str, Region], ...]
    spots: tuple[Spot, ...]
    gap_mm: float
    age_years: int
    sex: Literal["F", "M"]
    sole: Array = field(default_factory=lambda: np.eye(4))
    loaded: bool = True
    stage: str = ""

    @property
    def scale(self) -> float:
        """Size relative to the reference foot."""
        return float(self.bones["talus"].scale.mean())


def vary(bone: Bone, size: Array, rng: np.random.Generator) -> Bone:
    """The bone of another person, with varied sections and an uneven surface.

    size: overall scale (3,). The sections vary by the measured standard deviations.
    """
    sd = section_sd(bone.name)
    s = bone.tube.s
    smooth = np.exp(-(((s[:, None] - s[None]) / 0.3) ** 2))
    smooth /= np.sqrt((smooth**2).sum(1, keepdims=True))
    wave = rng.normal(size=(3, len(s))) @ smooth.T * np.minimum(sd, 1.2) * 0.8
    sections = bone.tube.sections.copy()
    sections[:2] += wave[:2]
    mean_radius = np.sqrt(sections[2] * sections[3])
    sections[2:4] *= np.clip(1 + wave[2] / np.maximum(mean_radius, 3), 0.85, 1.2)
    sections[4] += rng.normal(0, 3)
    blobs = tuple(
        replace(
            b,
            centre=b.centre + rng.normal(0, 0.5, 3),
            radii=b.radii * rng.normal(1, 0.05, 3).clip(0.85, 1.15),
        )
        for b in bone.blobs
    )
    k = rng.normal(size=(5, 3))
    k *= (2 * np.pi / rng.uniform(7, 28, (5, 1))) / np.linalg.norm(k, axis=1, keepdims=True)
    height = rng.uniform(0.1, 0.5) * min(1.0, float(mean_radius.max()) / 12)
    bumps = np.column_stack([k, rng.uniform(0, 2 * np.pi, 5), rng.uniform(0.2, 1, 5) * height])
    other = reshaped(bone, replace(bone.tube, sections=sections), blobs)
    return replace(other, bumps=bumps, pos=bone.pos * size, scale=bone.scale * size)


def bend_shaft(bone: Bone, angle_deg: float) -> Bone:
    """Tilt the shaft of tibia or fibula against its joint surface; positive: top lateral."""
    t = bone.tube.t[0] + bone.tube.s * (bone.tube.t[1] - bone.tube.t[0])
    lean = -np.tan(np.radians(angle_deg)) * np.maximum(t - (bone.tube.t[0] + 8.0), 0)
    sections = bone.tube.sections.copy()
    sections[0] += lean
    return replace(bone, tube=Tube(bone.tube.t, bone.tube.s, sections))
