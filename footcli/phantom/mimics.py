"""Normal variants of a healthy foot that resemble lesions."""

from __future__ import annotations

import numpy as np

from footcli.anatomy.template import Bone, Tube
from footcli.geometry import Array, rotation
from footcli.phantom.lesion_sites import Foot
from footcli.phantom.subject import Region, Spot


def mimics(foot: Foot, rng: np.random.Generator) -> list[Spot]:
    """Draw os trigonum and os peroneum (added to `foot`), a heel spur, vessels and bone islands."""
    spots = []
    like = foot["sesamoid_medial"]
    if rng.random() < 0.2:
        radii = rng.uniform(2.0, 4.5) * np.array([1.2, 0.9, 0.8])
        behind = foot["talus"].point("posterior_point") + np.array(
            [0, -(radii[1] + rng.uniform(0.8, 2.0)), -1.0]
        )
        foot["os_trigonum"] = pebble("os_trigonum", behind, radii, like, rng)
    if rng.random() < 0.2:
        radii = rng.uniform(1.5, 3.5) * np.array([1.0, 1.3, 0.8])
        under = foot["cuboid"].point("lowest") + np.array(
            [-4.0, rng.normal(0, 4), -(radii[2] + rng.uniform(0.8, 2.0))]
        )
        foot["os_peroneum"] = pebble("os_peroneum", under, radii, like, rng)
    if rng.random() < 0.3:
        reach = rng.uniform(3, 7)
        at = foot["calcaneus"].point("lowest_tuberosity") + np.array(
            [rng.normal(0, 3), 4 + reach, 2.5]
        )
        spots.append(
            Spot("bridge", Region(at, np.array([rng.uniform(2, 5), reach, 1.6])), ("calcaneus",))
        )
    for name in rng.choice(
        ("talus", "tibia", "calcaneus", "navicular", "metatarsal1"), size=int(rng.integers(0, 4))
    ):
        bone, turn = foot[str(name)], rotation(rng.normal(size=3), rng.uniform(0, 90))
        canal = rng.random() < 0.6
        radii = np.array([0.6, 0.6, rng.uniform(3, 8)]) if canal else rng.uniform(0.8, 2.5, 3)
        spots.append(
            Spot(
                "lucent" if canal else "sclerotic",
                Region(bone.pos + rng.normal(0, 7, 3), radii, turn),
                (bone.name,),
            )
        )
    return spots


def pebble(name: str, centre: Array, radii: Array, like: Bone, rng: np.random.Generator) -> Bone:
    """A small separate ellipsoid bone, foot mm. like: the bone whose surface bumps it takes."""
    s = np.linspace(0, 1, 9)
    width = np.sqrt(np.maximum(1 - (2 * s - 1) ** 2, 0.02))
    zero = np.zeros_like(s)
    sections = np.stack(
        [zero, zero, width * radii[1], width * radii[2], zero, zero + rng.uniform(1.9, 2.6)]
    )
    axes = rotation(rng.normal(size=3), rng.uniform(0, 180))
    return Bone(
        name, centre, axes, np.ones(3), Tube((-radii[0], radii[0]), s, sections), (), {}, like.bumps
    )
