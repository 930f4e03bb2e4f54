"""The table of diseases: the function that draws each, and its share of the subjects."""

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
    """The function that draws a disease, and its share (0..1) of the subjects."""

    make: Maker
    share: float


# In the order of the random draw; the other subjects are normal
MAKERS: Mapping[str, Disease] = {
    "flat_foot": Disease(flat_or_cavus, 0.13),
    "cavus_foot": Disease(flat_or_cavus, 0.11),
    "hallux_valgus": Disease(hallux_valgus, 0.12),
    "ankle_arthritis": Disease(ankle_arthritis, 0.12),
    "olt": Disease(olt, 0.12),
    "accessory_navicular": Disease(accessory_navicular, 0.12),
    "tarsal_coalition": Disease(tarsal_coalition, 0.12),
}
