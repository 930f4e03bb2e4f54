"""Draw a random subject: who it is, how it stands, which disease it has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from footcli.anatomy.shape import Bone, Tube, reference_foot
from footcli.geometry import Array, rotation, unit
from footcli.phantom.subject import Region, Spot, Stance, Subject, bend_shaft, stand, vary
from footcli.phantom.truth import landmarks

DISEASES = ("normal", "flat_foot", "cavus_foot", "hallux_valgus", "ankle_arthritis", "olt", "accessory_navicular", "tarsal_coalition")
MIX = (0.16, 0.13, 0.11, 0.12, 0.12, 0.12, 0.12, 0.12)
Lesions = list[tuple[str, Region]]


def draw_subject(seed: int, disease: str | None = None, spread: float = 0.0) -> Subject:
    """The subject of a seed: same seed, same subject. `disease` is one of DISEASES; None draws one. Raises ValueError if unknown.

    spread: how much more feet vary beyond what a disease brings: 0 not, 1 for training (flat to cavus, varus to valgus, size).
    """
    rng = np.random.default_rng([seed, 71])
    drawn = str(rng.choice(DISEASES, p=MIX))
    disease = disease or drawn
    if disease not in DISEASES:
        raise ValueError(f"disease must be one of {', '.join(DISEASES)}, got {disease}")
    size = rng.normal(1.0, 0.07) * rng.normal(1, 0.02, 3)
    more = np.random.default_rng([seed, 72])  # of its own: spread changes nothing else about the subject
    size *= 1 + spread * more.uniform(-0.06, 0.06)
    foot = {name: vary(bone, size, rng) for name, bone in reference_foot().items()}
    for name in foot:
        foot[name] = replace(foot[name], scale=foot[name].scale * rng.normal(1, 0.03, 3).clip(0.92, 1.08))
    stance = _spread(_stance(disease, rng), spread, more)
    for name in ("tibia", "fibula"):
        foot[name] = bend_shaft(foot[name], stance.bend)
    stand(foot, stance, rng)
    lesions: Lesions = []
    spots: list[Spot] = []
    _LESION_MAKERS.get(disease, _nothing)(foot, rng, lesions, spots)
    if disease in ("flat_foot", "cavus_foot"):
        lesions.append(("Flatfoot or Cavus", _arch(foot)))
    spots += _bone_islands(foot, rng)
    return Subject(
        bones=foot, side="L" if rng.random() < 0.5 else "R", landmarks=landmarks(foot), diseases=(disease,), lesions=tuple(lesions),
        spots=tuple(spots), gap_mm=float(rng.uniform(0.7, 1.5)), age_years=int(rng.integers(18, 85)),
        sex="F" if rng.random() < 0.5 else "M",
    )  # fmt: skip


def _stance(disease: str, rng: np.random.Generator) -> Stance:
    """flat in -1 (cavus) .. 1 (flat) couples pitch, talus, heel and forefoot; each also varies by itself."""
    flat = {"flat_foot": rng.uniform(0.7, 1.6), "cavus_foot": -rng.uniform(0.7, 1.6)}.get(disease, rng.normal(0, 0.3))
    tilt = rng.normal(0, 0.6)
    gap = rng.normal(0, 0.25)
    if disease == "ankle_arthritis":
        tilt, gap = rng.normal(2.0, 3.0), -rng.uniform(0.8, 2.2)
    hallux = rng.uniform(8, 35) if disease == "hallux_valgus" else rng.normal(-3, 3)
    return Stance(
        pitch=-4 - 9 * flat + rng.normal(0, 2.5), talus_down=-1.5 + 8 * flat + rng.normal(0, 2.5), valgus=-5 + 6 * flat + rng.normal(0, 3),
        talus_in=6 * flat + rng.normal(0, 3), abduction=6 * flat + rng.normal(0, 3), hallux=float(hallux),
        intermetatarsal=float(rng.uniform(1, 8) if disease == "hallux_valgus" else rng.normal(-2, 1.5)),
        lean_forward=float(rng.normal(2, 5)), lean_medial=float(rng.normal(0, 2.0)), bend=float(rng.normal(0, 2.5)),
        tilt=float(tilt), ankle_gap_mm=float(gap),
    )  # fmt: skip


def _spread(stance: Stance, by: float, rng: np.random.Generator) -> Stance:
    """A stance further from the mean: a flatter or higher arch with all that goes with it, the heel in varus or valgus by itself."""
    flat = by * rng.normal(0, 0.5)
    return replace(
        stance, pitch=stance.pitch - 9 * flat, talus_down=stance.talus_down + 8 * flat, talus_in=stance.talus_in + 6 * flat,
        valgus=stance.valgus + 6 * flat + by * rng.normal(0, 5), abduction=stance.abduction + 6 * flat + by * rng.normal(0, 3),
        lean_medial=stance.lean_medial + by * rng.normal(0, 2),
    )  # fmt: skip


def _nothing(foot: dict[str, Bone], rng: np.random.Generator, lesions: Lesions, spots: list[Spot]) -> None:
    """A disease that the stance alone makes, or none."""


def _hallux_valgus(foot: dict[str, Bone], rng: np.random.Generator, lesions: Lesions, spots: list[Spot]) -> None:
    joint = (foot["metatarsal1"].point("head_centre") + foot["phalanx_prox1"].point("base_centre")) / 2
    lesions.append(("Hallux Valgus", Region(joint, np.array([17.0, 22.0, 13.0]), n=8)))


def _olt(foot: dict[str, Bone], rng: np.random.Generator, lesions: Lesions, spots: list[Spot]) -> None:
    """Cyst, open defect or loose fragment at the medial (mostly) or lateral shoulder of the dome, 4-16 mm wide."""
    talus = foot["talus"]
    medial, lateral = talus.point("dome_medial_edge"), talus.point("dome_lateral_edge")
    edge, other = (medial, lateral) if rng.random() < 0.65 else (lateral, medial)
    width, length, depth = rng.uniform(2.2, 5.5), rng.uniform(3.0, 8.0), rng.uniform(2.0, 6.0)
    under_roof = rng.random() < 0.35
    at = edge + unit(other - edge) * (width * rng.uniform(0.6, 1.1)) + np.array([0, rng.normal(0, 5), 0])
    at[2] -= depth + 1.5 if under_roof else depth * rng.uniform(0.2, 0.6)
    turn = rotation(np.array([0, 1.0, 0]), rng.normal(0, 15))
    hole = Region(at, np.array([width, length, depth]), turn)
    spots.append(Spot("sclerotic", hole.grown(1.0, rng.uniform(0.8, 2.0)), ("talus",)))
    spots.append(Spot("lucent", hole, ("talus",)))
    if not under_roof and rng.random() < 0.4:
        loose = Region(at + np.array([0, 0, depth * 0.35]), np.array([width, length, depth]) * 0.55, turn)
        spots.append(Spot("sclerotic", loose, ("talus",)))
    lesions.append(("OLT", hole.grown(1.0, 1.0)))


def _accessory_navicular(foot: dict[str, Bone], rng: np.random.Generator, lesions: Lesions, spots: list[Spot]) -> None:
    """An ossicle posteromedial to the tuberosity: Geist 1 (2-3 mm, apart) or 2 (about 12 mm, narrow cleft)."""
    tuberosity = foot["navicular"].point("medial_most")
    small = rng.random() < 0.4
    radii = rng.uniform(1.6, 3.0) * np.ones(3) if small else rng.uniform(3.5, 6.5) * np.array([0.8, 1.0, 0.9])
    away = unit(np.array([0.8, -0.9, -0.35]) + rng.normal(0, 0.2, 3))
    centre = tuberosity + away * (radii.mean() + (rng.uniform(1.5, 4.5) if small else rng.uniform(0.6, 1.6)))
    foot["ossicle"] = _pebble("ossicle", centre, radii, foot["sesamoid_medial"], rng)
    lesions.append(("Accessory Navicular", Region(centre, radii + 3.0, n=8)))


def _pebble(name: str, centre: Array, radii: Array, like: Bone, rng: np.random.Generator) -> Bone:
    """A small round bone of its own, made from a tube that swells and closes."""
    s = np.linspace(0, 1, 9)
    width = np.sqrt(np.maximum(1 - (2 * s - 1) ** 2, 0.02))
    zero = np.zeros_like(s)
    sections = np.stack([zero, zero, width * radii[1], width * radii[2], zero, zero + rng.uniform(1.9, 2.6)])
    axes = rotation(rng.normal(size=3), rng.uniform(0, 180))
    return Bone(name, centre, axes, np.ones(3), Tube((-radii[0], radii[0]), s, sections), (), {}, like.bumps)


def _coalition(foot: dict[str, Bone], rng: np.random.Generator, lesions: Lesions, spots: list[Spot]) -> None:
    """A bridge: talocalcaneal at the middle facet, or calcaneonavicular; osseous, or a narrow irregular cleft with dense edges."""
    calcaneus = foot["calcaneus"]
    if rng.random() < 0.55:
        at = calcaneus.point("sustentaculum_medial") + np.array([-3.0, 0, 4.0])
        region, pair = Region(at, np.array([rng.uniform(5, 9), rng.uniform(6, 12), rng.uniform(4, 7)])), ("talus", "calcaneus")
    else:
        ends = calcaneus.point("anterior_superior_process"), foot["navicular"].point("lowest")
        target = 0.55 * ends[1] + 0.45 * foot["navicular"].pos
        at, along = (ends[0] + target) / 2, target - ends[0]
        axes = np.stack(
            [unit(along), unit(np.cross(np.array([0, 0, 1.0]), along)), unit(np.cross(along, np.cross(np.array([0, 0, 1.0]), along)))]
        )
        half = float(np.linalg.norm(along)) / 2 + 3
        region, pair = Region(at, np.array([half, rng.uniform(3.5, 6), rng.uniform(4, 7)]), axes, 3.0), ("calcaneus", "navicular")
    osseous = rng.random() < 0.5
    spots.append(Spot("bridge", region, (*pair, "osseous") if osseous else pair))
    if not osseous:
        spots.append(Spot("sclerotic", region.grown(1.1), pair))
    lesions.append(("Tarsal Coalition", replace(region.grown(1.0, 3.0), n=4.0)))


def _arthritis(foot: dict[str, Bone], rng: np.random.Generator, lesions: Lesions, spots: list[Spot]) -> None:
    """Dense plates on both sides of a narrow ankle joint, osteophytes at its rim, cysts below."""
    talus, tibia = foot["talus"], foot["tibia"]
    medial, lateral = talus.point("dome_medial_edge"), talus.point("dome_lateral_edge")
    centre = (medial + lateral) / 2 + np.array([0, 0, 2.0])
    half = float(np.linalg.norm(medial - lateral)) / 2
    spots.append(Spot("sclerotic", Region(centre, np.array([half, 13.0, rng.uniform(3, 6)])), ("tibia", "talus")))
    for _ in range(int(rng.integers(1, 5))):
        at = centre + rng.normal(size=3) * np.array([half * 0.5, 5, 0]) + np.array([0, 0, rng.choice([-6.0, 5.0])])
        spots.append(Spot("lucent", Region(at, rng.uniform(1.2, 3.2, 3)), ("tibia", "talus")))
    for owner, height in ((tibia, 3.0), (talus, -3.0)):
        for sign in rng.choice([-1, 1], size=int(rng.integers(1, 4))):
            at = centre + np.array([rng.normal(0, half * 0.7), sign * rng.uniform(13, 17), height + rng.normal(0, 1)])
            spots.append(Spot("bridge", Region(at, rng.uniform(2.0, 4.5, 3)), (owner.name,)))
    lesions.append(("Ankle Arthritis", Region(centre, np.array([half + 4, 14.0, 9.0]), n=8)))


def _arch(foot: dict[str, Bone]) -> Region:
    """The arch in the lateral view: from talus to the head of the 1st metatarsal, around the medial ray."""
    back, front = foot["talus"].point("posterior_point"), foot["metatarsal1"].point("head_centre")
    top = foot["talus"].point("trochlea_top")[2]
    centre = np.array([(foot["talus"].pos[0] + front[0]) / 2, (back[1] + front[1]) / 2, top / 2])
    return Region(centre, np.array([9.0, (front[1] - back[1]) / 2, top / 2]), n=8)


def _bone_islands(foot: dict[str, Bone], rng: np.random.Generator) -> list[Spot]:
    """What healthy bones have too: an islet of dense bone, a vessel's canal."""
    names = ("tibia", "talus", "calcaneus", "metatarsal1", "cuboid", "navicular")
    spots = []
    for name in rng.choice(names, size=int(rng.integers(0, 4)), replace=False):
        bone = foot[str(name)]
        at = bone.pos + rng.normal(0, 6, 3)
        kind, radii = ("sclerotic", rng.uniform(0.8, 2.2, 3)) if rng.random() < 0.6 else ("lucent", np.array([0.7, 0.7, rng.uniform(3, 7)]))
        spots.append(
            Spot("sclerotic" if kind == "sclerotic" else "lucent", Region(at, radii, rotation(rng.normal(size=3), 40)), (bone.name,))
        )
    return spots


_LESION_MAKERS = {
    "hallux_valgus": _hallux_valgus, "olt": _olt, "accessory_navicular": _accessory_navicular, "tarsal_coalition": _coalition,
    "ankle_arthritis": _arthritis,
}  # fmt: skip
