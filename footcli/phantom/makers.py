"""What draws each disease, and how often: one row each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from footcli.phantom.lesions import (
    Maker,
    accessory_navicular,
    ankle_arthritis,
    flat_or_cavus,
    hallux_valgus,
    olt,
    tarsal_coalition,
)


@dataclass(frozen=True, slots=True)
class Disease:
    """What draws a disease, and the share of the subjects that get it."""

    make: Maker
    share: float


# In the order in which a seed draws them; the rest of the subjects is normal
MAKERS: Mapping[str, Disease] = {
    "flat_foot": Disease(flat_or_cavus, 0.13),
    "cavus_foot": Disease(flat_or_cavus, 0.11),
    "hallux_valgus": Disease(hallux_valgus, 0.12),
    "ankle_arthritis": Disease(ankle_arthritis, 0.12),
    "olt": Disease(olt, 0.12),
    "accessory_navicular": Disease(accessory_navicular, 0.12),
    "tarsal_coalition": Disease(tarsal_coalition, 0.12),
}
