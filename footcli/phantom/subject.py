"""One synthetic person's foot: bones in stance, landmarks measured on them, disease as geometry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from footcli.anatomy.template import Bone, Tube, distance, reshaped, section_sd, surface_points
from footcli.domain import Side
from footcli.geometry import Array, rotation

X, Y, Z = np.eye(3)


def _phalanges(*rays: int) -> list[str]:
    """The three phalanges of some toes; the big toe's missing middle one is in no foot."""
    parts = ("prox", "mid", "dist")
    return [f"phalanx_{part}{ray}" for part, ray in product(parts, rays)]


MEDIAL = (
    "navicular",
    "cuneiform_medial",
    "cuneiform_intermediate",
    "cuneiform_lateral",
    "metatarsal1",
    "metatarsal2",
    "metatarsal3",
    "sesamoid_medial",
    "sesamoid_lateral",
    *_phalanges(1, 2, 3),
)
LATERAL = (
    "cuboid",
    "metatarsal4",
    "metatarsal5",
    *_phalanges(4, 5),
)
HEIGHTS = np.arange(-12.0, 14.0, 0.125)  # mm about the talar dome, for looking up and down a line
HALLUX = ("phalanx_prox1", "phalanx_dist1")


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A superellipsoid in the foot frame (mm): centre (3,), rows of axes (3, 3), radii (3,),
    exponent; 2 is an ellipsoid, 8 a box.
    """

    centre: Array
    radii: Array
    axes: Array = field(default_factory=lambda: np.eye(3))
    n: float = 2.0

    def grown(self, factor: float = 1.0, margin_mm: float = 0.0) -> Region:
        return replace(self, radii=self.radii * factor + margin_mm)

    def moved(self, turn: Array, shift: Array) -> Region:
        """The region after rotating by (3, 3) `turn` about the origin, then shifting (mm)."""
        return replace(self, centre=turn @ self.centre + shift, axes=self.axes @ turn.T)


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """Changed tissue, in the order in which it comes.

    lucent and sclerotic change what a bone is made of, bone makes it as it was; bridge
    adds bone to those named, and joins two where it lies; contact lets a joint close.
    """

    kind: Literal["lucent", "sclerotic", "bone", "bridge", "contact"]
    region: Region
    bones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A foot ready to be scanned.

    Bones and points in the foot frame of a left foot; a right one is its mirror image.

    landmarks: LANDMARKS names -> (3,) mm, measured on the moved bones. lesions: (label, region) in
    the label's wording. gap_mm: least width of a joint. diseases: names of findings that are true.
    sole: (4, 4) foot frame -> frame whose z = 0 is the sole's level (mm). loaded: whether the foot
    stands on that level. stage: of the disease, as the literature has it.
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
        """Foot length over the reference foot's."""
        return float(self.bones["talus"].scale.mean())


@dataclass(frozen=True, slots=True)
class Stance:
    """How the bones stand; degrees.

    Plus: pitch front up, talus_down head plantar, valgus heel lateral, talus_in head medial,
    abduction forefoot lateral, hallux toe lateral, intermetatarsal MT1 head medial, lean_* tibia
    forward / medial, tilt talus in varus.
    """

    pitch: float = 0.0
    talus_down: float = 0.0
    valgus: float = 0.0
    talus_in: float = 0.0
    abduction: float = 0.0
    hallux: float = 0.0
    intermetatarsal: float = 0.0
    lean_forward: float = 0.0
    lean_medial: float = 0.0
    bend: float = 0.0
    tilt: float = 0.0
    ankle_gap_mm: float = 0.0


def _move(
    foot: dict[str, Bone],
    names: tuple[str, ...],
    turn: Array,
    centre: Array,
    shift: Array | float = 0.0,
) -> None:
    for name in names:
        if name in foot:  # a hallux has no middle phalanx
            foot[name] = foot[name].moved(turn, centre, shift)


def _column(
    foot: dict[str, Bone],
    names: tuple[str, ...],
    abduction: float,
    hinge: Array,
    shift: Array,
    ray: str,
) -> None:
    """Swing a column of the foot about its hinge until the head of `ray` stands at the height it
    had before.
    """
    target = foot[ray].point("plantar_head")[2]
    _move(foot, names, rotation(Z, abduction), hinge, shift)
    hinge = hinge + shift
    for _ in range(3):
        head = foot[ray].point("plantar_head")
        _move(
            foot, names, rotation(X, np.degrees((target - head[2]) / (head[1] - hinge[1]))), hinge
        )


def stand(foot: dict[str, Bone], stance: Stance, rng: np.random.Generator) -> None:
    """Move the bones of a foot, in place, from the reference pose into `stance`, and level the
    floor to z = 0.
    """
    facet, head = (
        foot["calcaneus"].point("highest_posterior_facet"),
        foot["talus"].point("head_sphere_centre"),
    )
    cuboid, dome = foot["calcaneus"].point("cuboid_facet_centre"), ankle_axis(foot)
    heel = surface_points(foot["calcaneus"])[:, 2].min()
    _move(foot, ("calcaneus",), rotation(Y, stance.valgus) @ rotation(X, stance.pitch), facet)
    sink = np.array([0, 0, heel - surface_points(foot["calcaneus"])[:, 2].min()])
    _move(foot, ("calcaneus",), np.eye(3), facet, sink)
    _move(
        foot,
        ("talus",),
        rotation(Z, -stance.talus_in) @ rotation(X, -stance.talus_down),
        foot["talus"].point("body_centre"),
        sink,
    )
    _column(
        foot,
        MEDIAL,
        stance.abduction,
        head,
        foot["talus"].point("head_sphere_centre") - head,
        "metatarsal1",
    )
    _column(
        foot,
        LATERAL,
        stance.abduction,
        cuboid,
        foot["calcaneus"].point("cuboid_facet_centre") - cuboid,
        "metatarsal5",
    )
    _move(
        foot,
        ("metatarsal1", "sesamoid_medial", "sesamoid_lateral", *HALLUX),
        rotation(Z, -stance.intermetatarsal),
        foot["metatarsal1"].point("base_centre"),
    )
    _move(foot, HALLUX, rotation(Z, stance.hallux), foot["metatarsal1"].point("head_centre"))
    _move(
        foot,
        ("sesamoid_medial", "sesamoid_lateral"),
        np.eye(3),
        np.zeros(3),
        np.array([-0.25 * max(stance.hallux, 0), 0, 0]),
    )
    leg = ankle_axis(foot)
    turn = rotation(Y, stance.lean_medial + stance.tilt) @ rotation(X, -stance.lean_forward)
    _move(foot, ("tibia", "fibula"), turn, dome, leg - dome + np.array([0, 0, stance.ankle_gap_mm]))
    for name in foot:
        jitter = rotation(rng.normal(size=3), rng.normal(0, 1.5))
        foot[name] = foot[name].moved(jitter, foot[name].pos, rng.normal(0, 0.3, 3))
    _level(foot)


def inside(bone: Bone, points: Array) -> NDArray[np.bool_]:
    """(N,) whether foot-frame points (N, 3) lie in a bone."""
    local = (points - bone.pos) @ bone.axes.T / bone.scale
    return np.asarray(distance(bone, local.T.astype(np.float32)) < 0)


def close_ankle(foot: dict[str, Bone], space_mm: float) -> None:
    """Bring tibia and fibula down or up until the joint is so wide over the dome (median of four
    places); below nothing the bones meet.
    """
    edges = foot["talus"].point("dome_medial_edge"), foot["talus"].point("dome_lateral_edge")
    spaces = []
    for share in (0.2, 0.4, 0.6, 0.8):
        line = edges[0] + share * (edges[1] - edges[0]) + HEIGHTS[:, None] * Z
        roof, dome = (HEIGHTS[inside(foot[name], line)] for name in ("tibia", "talus"))
        if len(roof) and len(dome):
            spaces.append(float(roof.min() - dome.max()))
    if spaces:
        _move(foot, ("tibia", "fibula"), np.eye(3), np.zeros(3), Z * (space_mm - np.median(spaces)))


def ankle_axis(foot: Mapping[str, Bone]) -> Array:
    """Centre of curvature of the talar dome, foot frame mm: the talus turns about it under the
    tibia.
    """
    talus = foot["talus"]
    return np.asarray(talus.point("trochlea_top") - 20.0 * talus.scale[1] * Z)


def _level(foot: dict[str, Bone]) -> None:
    """Lay the lowest points of heel, MT1 head and MT5 head on z = 0, heel contact at the origin,
    MT2 head straight ahead.
    """
    for _ in range(2):
        calcaneus = surface_points(foot["calcaneus"])
        a = calcaneus[calcaneus[:, 2].argmin()]
        b, c = foot["metatarsal1"].point("plantar_head"), foot["metatarsal5"].point("plantar_head")
        normal = np.cross(b - a, c - a)
        normal *= np.sign(normal[2]) / np.linalg.norm(normal)
        axis = np.cross(normal, Z)
        tilt = np.degrees(np.arcsin(np.clip(np.linalg.norm(axis), 0, 1)))
        _move(foot, tuple(foot), rotation(axis, float(tilt)) if tilt > 1e-6 else np.eye(3), a, -a)
        head = foot["metatarsal2"].point(
            "head_centre"
        )  # y runs from the heel to the 2nd metatarsal's head
        _move(
            foot,
            tuple(foot),
            rotation(Z, float(np.degrees(np.arctan2(head[0], head[1])))),
            np.zeros(3),
        )


def vary(bone: Bone, size: Array, rng: np.random.Generator) -> Bone:
    """The bone of another person: overall size (3,), section centres and widths by the measured
    spread, uneven surface.
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
    """Lean the shaft of tibia or fibula against its joint surface; plus turns the shaft's top
    lateral.
    """
    t = bone.tube.t[0] + bone.tube.s * (bone.tube.t[1] - bone.tube.t[0])
    lean = -np.tan(np.radians(angle_deg)) * np.maximum(t - (bone.tube.t[0] + 8.0), 0)
    sections = bone.tube.sections.copy()
    sections[0] += lean
    return replace(bone, tube=Tube(bone.tube.t, bone.tube.s, sections))
