"""Lesions as geometry, from hardly to be seen (severity 0) to plain (1), and what healthy feet have
that looks like one.

Stages as the literature names them: Ferkel and Sgaglione (OLT), Geist (accessory navicular),
Takakura and Tanaka (ankle arthritis). Lengths in mm, foot frame of a left foot: x medial, y
forward, z up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from footcli.anatomy.template import Bone, Tube, surface_points
from footcli.geometry import Array, rotation, unit
from footcli.kinds import ARCH
from footcli.phantom.subject import HEIGHTS, Region, Spot, Stance, inside

Foot = dict[str, Bone]
Lesions = list[tuple[str, Region]]
Maker = Callable[[Foot, np.random.Generator, float, Lesions, list[Spot]], str]
"""(foot, rng, severity, lesions, spots) -> the stage; adds to what it is given."""
UP = np.array([0.0, 0.0, 1.0])
ARCH_BONES = ("Talus", "1st Metatarsal")
# beyond talus and ray, so that a slice 20 degrees askew of the foot still shows the arch from end
# to end
ARCH_BESIDE_MM = 60.0


def hallux_valgus(
    foot: Foot, rng: np.random.Generator, severity: float, lesions: Lesions, spots: list[Spot]
) -> str:
    """The joint of the great toe; the stance has turned it."""
    lesions.append(("Hallux Valgus", Region(_toe_joint(foot), np.array([17.0, 22.0, 13.0]), n=8)))
    return ""


def flat_or_cavus(
    foot: Foot, rng: np.random.Generator, severity: float, lesions: Lesions, spots: list[Spot]
) -> str:
    """The arch, which the stance has made; in the lateral view from talus to the head of the 1st
    metatarsal.
    """
    lesions.append((ARCH, _arch(foot)))
    return ""


def olt(
    foot: Foot, rng: np.random.Generator, severity: float, lesions: Lesions, spots: list[Spot]
) -> str:
    """A lesion 3-20 mm long at the medial (mostly) or lateral shoulder of the talar dome.

    1 a cyst under an intact roof; 2A a cyst open to the joint; 2B a defect with a fragment that
    lies in place; 3 the fragment with a lucent border all round; 4 the fragment out of its bed.
    """
    talus = foot["talus"]
    medial, lateral = talus.point("dome_medial_edge"), talus.point("dome_lateral_edge")
    edge, other = (medial, lateral) if rng.random() < 0.65 else (lateral, medial)
    stage = str(rng.choice(("1", "2A", "3") if severity < 0.5 else ("2A", "2B", "3", "4")))
    length = float(np.clip((3.5 + 14 * severity) * rng.uniform(0.85, 1.15), 3, 20))
    width, depth = (
        min(length * rng.uniform(0.5, 0.9), 11.0),
        float(np.clip(length * rng.uniform(0.45, 0.8), 2.5, 10)),
    )
    inward = unit((other - edge) * [1, 1, 0])
    at = (
        edge
        + inward * (width / 2 * rng.uniform(0.9, 1.3) + 0.5)
        + np.array([0, rng.normal(0, 4.5), 0])
    )
    above = HEIGHTS[inside(talus, at + HEIGHTS[:, None] * UP)]
    top = float(at[2] + (above.max() if len(above) else 0.0))  # of the dome, above the lesion
    radii, turn = (
        np.array([width, length, depth]) / 2,
        rotation(np.array([0, 1.0, 0]), rng.normal(0, 12)),
    )
    at[2] = top - {"1": depth / 2 + rng.uniform(1.5, 3.0), "2A": depth / 2 + 1.0}.get(
        stage, depth * 0.3
    )
    hole = Region(at, radii, turn)
    if rng.random() < 0.85:
        spots.append(Spot("sclerotic", hole.grown(1.0, rng.uniform(0.8, 2.0)), ("talus",)))
    spots.append(Spot("lucent", hole, ("talus",)))
    if stage == "2A":
        spots.append(
            Spot(
                "lucent",
                Region(np.array([at[0], at[1], top]), np.array([*rng.uniform(0.8, 1.6, 2), 2.5])),
                ("talus",),
            )
        )
    if stage in ("2B", "3"):
        share = rng.uniform(0.7, 0.8) if stage == "2B" else rng.uniform(0.5, 0.65)
        bed = replace(hole, centre=at + UP * (top - at[2]) * (1 - share) * 0.7, radii=radii * share)
        spots.append(Spot("sclerotic" if rng.random() < 0.4 else "bone", bed, ("talus",)))
    if stage == "4":
        away = at - inward * (width / 2 + rng.uniform(1.5, 3.5)) + UP * rng.uniform(-1, 2)
        foot["fragment"] = pebble(
            "fragment",
            away,
            np.maximum(radii * rng.uniform(0.45, 0.65), 1.2),
            foot["sesamoid_medial"],
            rng,
        )
    lesions.append(
        ("OLT", replace(hole.grown(1.0, 1.0), n=4))
    )  # a reader's boxes do not shrink to a point in the last slices
    return f"Ferkel {stage}"


def accessory_navicular(
    foot: Foot, rng: np.random.Generator, severity: float, lesions: Lesions, spots: list[Spot]
) -> str:
    """Posteromedial to the tuberosity: 1 an ossicle of 2-6 mm apart; 2 one of some 12 mm across a
    narrow cleft; 3 a horn of it.
    """
    tuberosity = foot["navicular"].point("medial_most")
    away = unit(np.array([0.8, -0.9, -0.35]) + rng.normal(0, 0.2, 3))
    stage = (
        int(rng.choice((1, 3), p=(0.65, 0.35)))
        if severity < 0.5
        else int(rng.choice((2, 1), p=(0.8, 0.2)))
    )
    if stage == 3:
        radii = np.array([0.8, 1.0, 0.9]) * rng.uniform(4.5, 6.5)
        centre = tuberosity + away * radii.mean() * 0.55
        spots.append(Spot("bridge", Region(centre, radii), ("navicular",)))
    else:
        radii = (
            rng.uniform(1.2, 3.0) * np.ones(3)
            if stage == 1
            else rng.uniform(4.5, 7.0) * np.array([0.8, 1.0, 0.9])
        )
        centre = tuberosity + away * (
            radii.mean() + (rng.uniform(1.5, 4.5) if stage == 1 else rng.uniform(0.7, 1.6))
        )
        foot["ossicle"] = pebble("ossicle", centre, radii, foot["sesamoid_medial"], rng)
    lesions.append(("Accessory Navicular", Region(centre, radii + np.array([3.0, 3.0, 0.5]), n=8)))
    return f"Geist {stage}"


def tarsal_coalition(
    foot: Foot, rng: np.random.Generator, severity: float, lesions: Lesions, spots: list[Spot]
) -> str:
    """A bridge: talocalcaneal at the middle or posterior facet, or calcaneonavicular; osseous, or a
    narrow cleft with dense edges.
    """
    size = 0.75 + 0.45 * severity
    place = str(
        rng.choice(("middle facet", "posterior facet", "calcaneonavicular"), p=(0.3, 0.25, 0.45))
    )
    start, end = _bridges(foot)[place]
    other = "navicular" if place == "calcaneonavicular" else "talus"
    along = unit(end - start + 0.1 * UP)
    across = unit(
        np.cross(UP + 0.3 * rng.normal(size=3), along)
        if other == "navicular"
        else np.array([1.0, 0.3 * rng.normal(), 0])
    )
    across = unit(across - (across @ along) * along)
    wide = (3.5, 5.5, 4.0, 6.5) if other == "navicular" else (4.0, 7.0, 6.0, 10.0)
    radii = np.array(
        [
            float(np.linalg.norm(end - start)) / 2 + rng.uniform(2.0, 3.5),
            size * rng.uniform(*wide[:2]),
            size * rng.uniform(*wide[2:]),
        ]
    )
    region = Region(
        (start + end) / 2, radii, np.stack([along, across, np.cross(along, across)]), 3.0
    )
    osseous = severity > 0.5 and rng.random() < 0.7
    if osseous:
        spots.append(Spot("bridge", region, ("calcaneus", other, "osseous")))
    else:  # each bone has its half of the bridge, and the cleft stays between them
        for bone, sign in (("calcaneus", -1), (other, 1)):
            half = replace(
                region,
                centre=region.centre + sign * along * radii[0] / 2,
                radii=radii * [0.55, 1, 1],
            )
            spots.append(Spot("bridge", half, (bone,)))
        spots.append(
            Spot("sclerotic", replace(region, radii=radii * [0.7, 1, 1]), ("calcaneus", other))
        )
    reach = np.linalg.norm(region.axes * region.radii[:, None], axis=0)
    lesions.append(
        ("Tarsal Coalition", Region(region.centre, reach + np.array([2.5, 0.5, 2.5]), n=6))
    )
    return f"{place}, {'osseous' if osseous else 'not osseous'}"


def ankle_arthritis(
    foot: Foot, rng: np.random.Generator, severity: float, lesions: Lesions, spots: list[Spot]
) -> str:
    """Dense plates on both sides of the ankle joint, osteophytes at its rim, cysts; narrow from
    stage 2 on.
    """
    stage = takakura(severity)
    talus, tibia = foot["talus"], foot["tibia"]
    medial, lateral = talus.point("dome_medial_edge"), talus.point("dome_lateral_edge")
    centre = (medial + lateral) / 2 + 2.0 * UP
    half = float(np.linalg.norm(medial - lateral)) / 2
    pair = ("tibia", "talus")
    spots.append(
        Spot(
            "sclerotic",
            Region(centre, np.array([half, 13.0, rng.uniform(2.5, 4) + 3 * severity]), n=3.5),
            pair,
        )
    )
    if stage >= 3:
        side = 0.45 * (medial - lateral) if stage == 3 else np.zeros(3)
        spots.append(
            Spot(
                "contact",
                Region(centre + side, np.array([half * (0.6 if stage == 3 else 1.1), 11.0, 8.0])),
                pair,
            )
        )
    for _ in range(int(rng.integers(0, 2 + round(4 * severity)))):
        at = (
            centre
            + rng.normal(size=3) * np.array([half * 0.5, 5, 0])
            + UP * rng.choice([-6.0, 5.0])
        )
        spots.append(Spot("lucent", Region(at, rng.uniform(1.2, 3.2, 3)), pair))
    for owner, height in ((tibia, 3.0), (talus, -3.0)):
        for sign in rng.choice([-1, 1], size=int(rng.integers(1, 3 + round(2 * severity)))):
            at = centre + np.array(
                [rng.normal(0, half * 0.7), sign * rng.uniform(13, 17), height + rng.normal(0, 1)]
            )
            spots.append(
                Spot("bridge", Region(at, rng.uniform(1.5, 3.0, 3) + 2 * severity), (owner.name,))
            )
    lesions.append(("Ankle Arthritis", Region(centre, np.array([half + 4, 14.0, 9.0]), n=8)))
    return f"Takakura {stage}"


MAKERS: Mapping[str, Maker] = {
    "hallux_valgus": hallux_valgus,
    "olt": olt,
    "accessory_navicular": accessory_navicular,
    "tarsal_coalition": tarsal_coalition,
    "ankle_arthritis": ankle_arthritis,
    "flat_foot": flat_or_cavus,
    "cavus_foot": flat_or_cavus,
}


def takakura(severity: float) -> int:
    """Stage 1 (the space is kept) to 4 (contact all over)."""
    return min(4, 1 + int(4 * severity))


def afflicted(stance: Stance, disease: str, severity: float, rng: np.random.Generator) -> Stance:
    """The stance that goes with a disease of some severity: how far the toe turns, how far the
    ankle joint tilts.
    """
    if disease == "hallux_valgus":
        return replace(
            stance,
            hallux=9 + 26 * severity + rng.normal(0, 1.5),
            intermetatarsal=1 + 7 * severity + rng.normal(0, 1),
        )
    if disease == "ankle_arthritis":
        tilt = (0.0, 3.0, 5.0, 3.0)[takakura(severity) - 1]
        return replace(stance, tilt=tilt * rng.uniform(0.7, 1.3) + rng.normal(0, 0.6))
    return stance


def ankle_space_mm(disease: str, severity: float, rng: np.random.Generator) -> float:
    """Width of the ankle joint; in health about 2.5, sd 0.5; below nothing for contact.

    Source: medial 2.56 (0.50), lateral 2.45 (0.55) mm, PMC2706360.
    """
    if disease != "ankle_arthritis":
        return float(np.clip(rng.normal(2.5, 0.45), 1.6, 3.6))
    return float(
        rng.uniform(*((2.0, 3.0), (1.0, 1.6), (-0.2, 0.5), (-2.5, -1.5))[takakura(severity) - 1])
    )


def sites(foot: Mapping[str, Bone]) -> dict[str, tuple[Array, ...]]:
    """Label -> where such a lesion would lie, in any foot, (3,) each."""
    talus = foot["talus"]
    edges = talus.point("dome_medial_edge"), talus.point("dome_lateral_edge")
    return {
        "Hallux Valgus": (_toe_joint(foot),),
        "OLT": edges,
        "Accessory Navicular": (foot["navicular"].point("medial_most"),),
        "Tarsal Coalition": tuple((start + end) / 2 for start, end in _bridges(foot).values()),
        "Ankle Arthritis": ((edges[0] + edges[1]) / 2,),
        ARCH: (_arch(foot).centre,),
    }


def mimics(foot: Foot, rng: np.random.Generator) -> list[Spot]:
    """What a healthy foot may have: os trigonum, os peroneum (added to the foot), a heel spur, more
    vessels and islands of bone.
    """
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
    """A small round bone of its own, made from a tube that swells and closes."""
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


def _toe_joint(foot: Mapping[str, Bone]) -> Array:
    return np.asarray(
        (foot["metatarsal1"].point("head_centre") + foot["phalanx_prox1"].point("base_centre")) / 2
    )


def _bridges(foot: Mapping[str, Bone]) -> dict[str, tuple[Array, Array]]:
    """Where coalitions lie: the calcaneus' and the other bone's point that they join."""
    calcaneus, middle = (
        foot["calcaneus"],
        foot["calcaneus"].point("sustentaculum_medial") + np.array([-5.0, 0, 2.0]),
    )
    places = {
        "middle facet": (middle, "talus"),
        "posterior facet": ((middle + calcaneus.point("highest_posterior_facet")) / 2, "talus"),
        "calcaneonavicular": (calcaneus.point("anterior_superior_process"), "navicular"),
    }
    found = {}
    for name, (at, other) in places.items():
        start = _nearest(surface_points(calcaneus), at)
        found[name] = start, _nearest(surface_points(foot[other]), start)
    return found


def _nearest(points: Array, at: Array) -> Array:
    return np.asarray(points[((points - at) ** 2).sum(1).argmin()])


def _arch(foot: Mapping[str, Bone]) -> Region:
    """Around the medial ray, from talus to the head of the 1st metatarsal; it counts in sagittal
    slices that show one of ARCH_BONES.
    """
    back, front = foot["talus"].point("posterior_point"), foot["metatarsal1"].point("head_centre")
    top = foot["talus"].point("trochlea_top")[2]
    centre = np.array([(foot["talus"].pos[0] + front[0]) / 2, (back[1] + front[1]) / 2, top / 2])
    wide = abs(float(foot["talus"].pos[0] - front[0])) / 2 + ARCH_BESIDE_MM
    return Region(centre, np.array([wide, (front[1] - back[1]) / 2, top / 2]), n=8)
