"""What the severity of a disease does to the stance and to the ankle joint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from footcli.phantom.stance import Stance


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
