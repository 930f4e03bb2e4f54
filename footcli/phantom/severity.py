"""The effect of a disease's severity on the stance and on the ankle joint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from footcli.phantom.stance import Stance


def takakura(severity: float) -> int:
    """Takakura stage 1 (joint space preserved) to 4 (complete contact). severity: 0..1."""
    return min(4, 1 + int(4 * severity))


def afflicted(stance: Stance, disease: str, severity: float, rng: np.random.Generator) -> Stance:
    """The stance with the disease's hallux and intermetatarsal angle, or its ankle tilt.

    severity: 0..1.
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
    """Width of the ankle joint, mm: about 2.5 (sd 0.5) in health; negative for contact.

    Source: medial 2.56 (0.50), lateral 2.45 (0.55) mm, PMC2706360.
    """
    if disease != "ankle_arthritis":
        return float(np.clip(rng.normal(2.5, 0.45), 1.6, 3.6))
    return float(
        rng.uniform(*((2.0, 3.0), (1.0, 1.6), (-0.2, 0.5), (-2.5, -1.5))[takakura(severity) - 1])
    )
