"""What one foot's result says of its own certainty: warnings, and limits of its findings."""

from __future__ import annotations

from collections.abc import Mapping

from footcli.domain import Volume
from footcli.frame.foot_check import Fit
from footcli.frame.masks import BoneMask
from footcli.infer.bones import Segmented
from footcli.kinds import BONE, BONES
from footcli.levels import (
    COARSE_BOX_MM,
    COARSE_SCAN_MM,
    GROWN_YEARS,
    SURE_BONE,
    SUSPICIOUS,
    USUAL_SIZE,
)
from footcli.measure.box_anatomy import Sorted
from footcli.measure.load import Load
from footcli.text.lines import Line


def unsure_bones(foot: Segmented, bones: Mapping[str, BoneMask]) -> dict[str, float]:
    """Bone name -> confidence, of the bones that the network is not sure of."""
    found = {BONES[k - 1].name: value for k, value in foot.confidence.items()}
    return {name: found[name] for name in bones if found.get(name, 1.0) < SURE_BONE}


def scan_limits(volume: Volume, fit: Fit) -> tuple[Line, ...]:
    """Why nothing in this foot can be PRESENT."""
    age = volume.tags.age_years
    lines = []
    if age is not None and age < GROWN_YEARS:
        lines.append(Line("growth_plates", years=GROWN_YEARS))
    if volume.spacing_known and not USUAL_SIZE[0] <= fit.size <= USUAL_SIZE[1]:
        lines.append(Line("unusual_size", percent=100 * fit.size))
    return (*lines, *_coarse(volume, COARSE_SCAN_MM))


def box_limits(volume: Volume) -> tuple[Line, ...]:
    """Why no finding can be PRESENT that rests on a box alone."""
    return _coarse(volume, COARSE_BOX_MM)


def _coarse(volume: Volume, most: float) -> tuple[Line, ...]:
    edge = max(volume.spacing_mm)
    return (
        (Line("coarse_scan", edge=edge, most=most),) if volume.spacing_known and edge > most else ()
    )


def doubts(unsure: Mapping[str, float], load: Load, boxes: Sorted) -> list[Line]:
    """Warnings about bones of little confidence, a foot that hangs, boxes in the wrong place."""
    lines = [] if load.pose is None else [load.pose]
    for name, value in unsure.items():
        lines.append(Line("low_confidence", bone=BONE[name].word, confidence=value))
    count = sum(lesion.score >= SUSPICIOUS for lesion in boxes.elsewhere)
    if count:
        lines.append(Line("box_elsewhere", count=count))
    return lines
