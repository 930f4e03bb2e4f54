"""Lesions as geometry, from barely visible (severity 0) to obvious (1).

Stages of the literature: Ferkel and Sgaglione (OLT), Geist (accessory navicular), Takakura and
Tanaka (ankle arthritis). Lengths in mm, foot frame of a left foot: x medial, y forward, z up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from footcli.geometry import rotation, unit
from footcli.kinds import ARCH
from footcli.phantom.lesion_sites import Foot, arch, bridges, toe_joint
from footcli.phantom.mimics import pebble
from footcli.phantom.severity import takakura
from footcli.phantom.stance import HEIGHTS, inside
from footcli.phantom.subject import Region, Spot

Lesions = list[tuple[str, Region]]
Maker = Callable[[Foot, np.random.Generator, float, Lesions, list[Spot]], str]
"""(foot, rng, severity, lesions, spots) -> the stage; changes foot, lesions and spots in place."""
UP = np.array([0.0, 0.0, 1.0])


def hallux_valgus(
    foot: Foot, rng: np.random.Generator, severity: float, lesions: Lesions, spots: list[Spot]
) -> str:
    """Box the first metatarsophalangeal joint; the stance holds the deformity."""
    lesions.append(("Hallux Valgus", Region(toe_joint(foot), np.array([17.0, 22.0, 13.0]), n=8)))
    return ""


def flat_or_cavus(
    foot: Foot, rng: np.random.Generator, severity: float, lesions: Lesions, spots: list[Spot]
) -> str:
    """Box the arch (see lesion_sites.arch); the stance holds the deformity."""
    lesions.append((ARCH, arch(foot)))
    return ""


def olt(
    foot: Foot, rng: np.random.Generator, severity: float, lesions: Lesions, spots: list[Spot]
) -> str:
    """A lesion 3-20 mm long at the medial (mostly) or lateral shoulder of the talar dome.

    1 a cyst under an intact roof; 2A a cyst open to the joint; 2B a defect with an undisplaced
    fragment; 3 a fragment with a lucent border all round; 4 a displaced fragment.
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
    top = float(at[2] + (above.max() if len(above) else 0.0))  # dome surface above the lesion
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
    # n=4: a reader's boxes do not shrink to a point in the last slices
    lesions.append(("OLT", replace(hole.grown(1.0, 1.0), n=4)))
    return f"Ferkel {stage}"


def accessory_navicular(
    foot: Foot, rng: np.random.Generator, severity: float, lesions: Lesions, spots: list[Spot]
) -> str:
    """An accessory navicular posteromedial to the tuberosity.

    1 a separate ossicle of 2-6 mm; 2 one of some 12 mm across a narrow cleft; 3 a cornuate process.
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
    """A coalition: talocalcaneal at the middle or posterior facet, or calcaneonavicular.

    It is osseous, or a narrow cleft with dense edges.
    """
    size = 0.75 + 0.45 * severity
    place = str(
        rng.choice(("middle facet", "posterior facet", "calcaneonavicular"), p=(0.3, 0.25, 0.45))
    )
    start, end = bridges(foot)[place]
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
    else:  # each bone has half of the bridge, and the cleft remains between them
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
    """Sclerosis on both sides of the ankle joint, osteophytes at its rim, cysts.

    The joint itself is narrowed from stage 2 (see severity.ankle_space_mm).
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
