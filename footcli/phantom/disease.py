"""Draws a random subject: its bones, its stance, its disease."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np

from footcli.anatomy.template import Bone, reference_foot
from footcli.angles import true_angles
from footcli.geometry import rotation
from footcli.kinds import FURTHER
from footcli.phantom.lesions import Lesions
from footcli.phantom.makers import MAKERS
from footcli.phantom.mimics import mimics
from footcli.phantom.severity import afflicted, ankle_space_mm
from footcli.phantom.stance import Stance, close_ankle, stand
from footcli.phantom.subject import Region, Spot, Subject, bend_shaft, vary
from footcli.phantom.truth import further, landmarks

Wear = Callable[[dict[str, Bone], np.random.Generator], dict[str, Bone]]
DISEASES = ("normal", *MAKERS)
_SHARES = [disease.share for disease in MAKERS.values()]
MIX = (round(1 - sum(_SHARES), 6), *_SHARES)
"""The share of subjects with each of DISEASES."""
ARCH = (0.7, 1.6)  # range of |flat| (see _stance) in a flat or cavus foot
# Angle -> the field of Stance that changes it, and mean, sd, least and largest value (deg) of a
# foot that is healthy in that angle, within the cut-offs of the general profile. By these, the
# variation of the bones alone makes a third of the healthy feet flat.
HEALTHY = {
    "CPA": ("pitch", 23.5, 2.5, 19.0, 29.0),
    "TMA": ("talus_down", 0.0, 1.5, -3.0, 3.0),
    "HVA": ("hallux", 9.5, 2.5, 2.0, 13.5),
    "IMA": ("intermetatarsal", 7.0, 1.0, 4.0, 8.5),
}
ILL_IN = {
    "flat_foot": ("CPA", "TMA"),
    "cavus_foot": ("CPA", "TMA"),
    "hallux_valgus": ("HVA", "IMA"),
}


@dataclass(frozen=True, slots=True)
class Variety:
    """What a subject may have besides its disease.

    spread: extra variation: 0 none, 1 for training (flat to cavus, varus to valgus, size).
    with_mimics: normal variants that resemble lesions. by_definition: angles that the disease does
    not change are healthy, and the ankle joint has the disease's tilt. wear: changes the bones
    before they stand (measured surfaces, for one).
    """

    spread: float = 0.0
    with_mimics: bool = False
    by_definition: bool = False
    wear: Wear | None = None


def draw_subject(
    seed: int,
    disease: str | None = None,
    subtle: bool | None = None,
    variety: Variety | None = None,
) -> Subject:
    """The subject of a seed: same seed, same subject.

    `disease` is one of DISEASES; None draws one. Raises ValueError if unknown.

    subtle: severity in the lower (True) or upper (False) half; None in either. variety: None for
    none.
    """
    variety = variety or Variety()
    rng = np.random.default_rng([seed, 71])
    drawn = str(rng.choice(DISEASES, p=MIX))
    disease = disease or drawn
    if disease not in DISEASES:
        raise ValueError(f"disease must be one of {', '.join(DISEASES)}, got {disease}")
    # a generator of its own, so that variety.spread changes nothing else about the subject
    more = np.random.default_rng([seed, 72])
    foot = _bones(rng, more, variety.spread)
    if variety.wear is not None:
        foot = variety.wear(foot, np.random.default_rng([seed, 76]))
    ill = np.random.default_rng([seed, 73])
    severity = _severity(ill, subtle)
    stance = afflicted(
        _widened(_stance(disease, rng, subtle), variety.spread, more), disease, severity, ill
    )
    for name in ("tibia", "fibula"):
        foot[name] = bend_shaft(foot[name], stance.bend)
    if variety.by_definition:
        stance = _healthy(foot, stance, disease, rng, np.random.default_rng([seed, 75]))
    stand(foot, stance, rng)
    close_ankle(foot, ankle_space_mm(disease, severity, ill))
    lesions: Lesions = []
    spots: list[Spot] = []
    stage = MAKERS[disease].make(foot, ill, severity, lesions, spots) if disease in MAKERS else ""
    spots += _bone_islands(foot, rng)
    if variety.with_mimics:
        spots += mimics(foot, np.random.default_rng([seed, 74]))
    return Subject(
        bones=foot,
        side="L" if rng.random() < 0.5 else "R",
        landmarks=landmarks(foot),
        diseases=(disease,),
        lesions=tuple(lesions),
        spots=tuple(spots),
        gap_mm=float(rng.uniform(0.7, 1.5)),
        age_years=int(rng.integers(18, 85)),
        sex="F" if rng.random() < 0.5 else "M",
        stage=stage,
    )


def _bones(rng: np.random.Generator, more: np.random.Generator, spread: float) -> dict[str, Bone]:
    """The bones of a foot, each varied independently, with a common size."""
    size = rng.normal(1.0, 0.07) * rng.normal(1, 0.02, 3)
    size *= 1 + spread * more.uniform(-0.06, 0.06)
    foot = {name: vary(bone, size, rng) for name, bone in reference_foot().items()}
    for name, bone in foot.items():
        scale = bone.scale * rng.normal(1, 0.03, 3).clip(0.92, 1.08)
        foot[name] = replace(bone, scale=scale)
    return foot


def _severity(ill: np.random.Generator, subtle: bool | None) -> float:
    if subtle is None:
        return float(ill.uniform(0, 1))
    return float(ill.uniform(0, 0.5) + (0.0 if subtle else 0.5))


def _stance(disease: str, rng: np.random.Generator, subtle: bool | None) -> Stance:
    """The stance of a disease.

    flat, about -1 (cavus) to 1 (flat), couples pitch, talus, heel and forefoot; each also varies
    independently.
    """
    low, high = ARCH
    if subtle is not None:
        middle = (low + high) / 2
        low, high = (low, middle) if subtle else (middle, high)
    # all three are always drawn, so that a subject's other draws stay the same
    flat, cavus, other = rng.uniform(low, high), -rng.uniform(low, high), rng.normal(0, 0.3)
    flat = {"flat_foot": flat, "cavus_foot": cavus}.get(disease, other)
    tilt = rng.normal(0, 0.6)
    gap = rng.normal(0, 0.25)
    hallux = rng.normal(-3, 3)
    return Stance(
        pitch=-4 - 9 * flat + rng.normal(0, 2.5),
        talus_down=-1.5 + 8 * flat + rng.normal(0, 2.5),
        valgus=-5 + 6 * flat + rng.normal(0, 3),
        talus_in=6 * flat + rng.normal(0, 3),
        abduction=6 * flat + rng.normal(0, 3),
        hallux=float(hallux),
        intermetatarsal=float(rng.normal(-2, 1.5)),
        lean_forward=float(rng.normal(2, 5)),
        lean_medial=float(rng.normal(0, 2.0)),
        bend=float(rng.normal(0, 2.5)),
        tilt=float(tilt),
        ankle_gap_mm=float(gap),
    )


def _widened(stance: Stance, by: float, rng: np.random.Generator) -> Stance:
    """A stance with more variation: of the arch with its couplings, of heel, forefoot and leg.

    by: scale of the variation, 0..1.
    """
    flat = by * rng.normal(0, 0.5)
    return replace(
        stance,
        pitch=stance.pitch - 9 * flat,
        talus_down=stance.talus_down + 8 * flat,
        talus_in=stance.talus_in + 6 * flat,
        valgus=stance.valgus + 6 * flat + by * rng.normal(0, 5),
        abduction=stance.abduction + 6 * flat + by * rng.normal(0, 3),
        lean_medial=stance.lean_medial + by * rng.normal(0, 2),
    )


def _healthy(
    foot: dict[str, Bone],
    stance: Stance,
    disease: str,
    jitter: np.random.Generator,
    rng: np.random.Generator,
) -> Stance:
    """The stance whose angles of HEALTHY and ankle tilt are as drawn.

    Angles that the disease changes (ILL_IN) are left as they are.
    """
    wanted = {
        name: float(np.clip(rng.normal(*own[1:3]), *own[3:])) for name, own in HEALTHY.items()
    }
    fields = {name: own[0] for name, own in HEALTHY.items() if name not in ILL_IN.get(disease, ())}
    wanted["TT"], fields["TT"] = stance.tilt, "tilt"
    for _ in range(3):  # an angle changes almost as much as its field of the stance
        posed = dict(foot)
        stand(posed, stance, deepcopy(jitter))
        points = landmarks(posed)
        found = true_angles(points) | true_angles(further(posed, points), FURTHER)
        stance = replace(
            stance,
            **{
                field: getattr(stance, field) + wanted[name] - found[name]
                for name, field in fields.items()
            },
        )
    return stance


def _bone_islands(foot: dict[str, Bone], rng: np.random.Generator) -> list[Spot]:
    """Normal variants of healthy bones: islands of dense bone, vascular canals."""
    names = ("tibia", "talus", "calcaneus", "metatarsal1", "cuboid", "navicular")
    spots = []
    for name in rng.choice(names, size=int(rng.integers(0, 4)), replace=False):
        bone = foot[str(name)]
        at = bone.pos + rng.normal(0, 6, 3)
        kind, radii = (
            ("sclerotic", rng.uniform(0.8, 2.2, 3))
            if rng.random() < 0.6
            else ("lucent", np.array([0.7, 0.7, rng.uniform(3, 7)]))
        )
        spots.append(
            Spot(
                "sclerotic" if kind == "sclerotic" else "lucent",
                Region(at, radii, rotation(rng.normal(size=3), 40)),
                (bone.name,),
            )
        )
    return spots
