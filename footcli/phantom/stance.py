"""The stance of a foot's bones: arch, heel, ankle and big toe, with the foot level on the floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from footcli.anatomy.surface import surface_points
from footcli.anatomy.template import Bone, distance
from footcli.geometry import Array, rotation

X, Y, Z = np.eye(3)


def _phalanges(*rays: int) -> list[str]:
    """The three phalanges of some toes; no foot holds a middle one of the big toe."""
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
HEIGHTS = np.arange(-12.0, 14.0, 0.125)  # mm about the talar dome, samples along a vertical line
HALLUX = ("phalanx_prox1", "phalanx_dist1")


@dataclass(frozen=True, slots=True)
class Stance:
    """The stance of the bones relative to the reference pose, degrees; ankle_gap_mm in mm.

    Positive values: pitch front up, talus_down head plantar, valgus heel lateral, talus_in head
    medial, abduction forefoot lateral, hallux toe lateral, intermetatarsal MT1 head medial, lean_*
    tibia forward / medial, bend shaft's top lateral, tilt talus in varus.
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
        if name in foot:  # the big toe has no middle phalanx
            foot[name] = foot[name].moved(turn, centre, shift)


def _column(
    foot: dict[str, Bone],
    names: tuple[str, ...],
    abduction: float,
    hinge: Array,
    shift: Array,
    ray: str,
) -> None:
    """Abduct a column of the foot and swing it about its hinge, in place.

    The head of `ray` keeps its height.
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
    """Move a foot's bones, in place, from the reference pose into `stance`, the floor at z = 0."""
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
    """(N,) bool, whether foot-frame points (N, 3), mm, lie in a bone."""
    local = (points - bone.pos) @ bone.axes.T / bone.scale
    return np.asarray(distance(bone, local.T.astype(np.float32)) < 0)


def close_ankle(foot: dict[str, Bone], space_mm: float) -> None:
    """Move tibia and fibula, in place, along z until the ankle joint is space_mm wide.

    The width is the median at four positions on the dome. Negative: the bones overlap.
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
    """Centre of curvature of the talar dome (3,), foot frame mm: the ankle's centre of rotation."""
    talus = foot["talus"]
    return np.asarray(talus.point("trochlea_top") - 20.0 * talus.scale[1] * Z)


def _level(foot: dict[str, Bone]) -> None:
    """Move the foot, in place: lowest points of heel, MT1 and MT5 head at z = 0.

    The heel contact is the origin and the MT2 head lies on +y.
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
        # y runs from the heel to the 2nd metatarsal's head
        head = foot["metatarsal2"].point("head_centre")
        _move(
            foot,
            tuple(foot),
            rotation(Z, float(np.degrees(np.arctan2(head[0], head[1])))),
            np.zeros(3),
        )
