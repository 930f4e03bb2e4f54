"""What one foot's result says of its own certainty: warnings, and limits of its findings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.domain import Volume
from footcli.frame.foot_check import Fit
from footcli.frame.masks import CUT_AREA_MM2, BoneMask
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

# Least and most volume of a whole bone, by the calcaneus'. Drawn feet and a real one have: talus
# 0.43 to 0.62, midfoot 0.52 to 0.67, metatarsals 0.17 to 0.29, 0.08 to 0.13, 0.07 to 0.12, 0.07 to
# 0.12, 0.09 to 0.15
BY_HEEL = {
    "Talus": (0.30, 0.84),
    "MidFoot": (0.37, 0.91),
    "1st Metatarsal": (0.11, 0.39),
    "2nd Metatarsal": (0.055, 0.18),
    "3rd Metatarsal": (0.045, 0.17),
    "4th Metatarsal": (0.045, 0.16),
    "5th Metatarsal": (0.055, 0.20),
}
# Denser than any bone; drawn and real feet without metal have none of it
METAL_HU, IMPLANT_ML, BESIDE_MM = 2500, 0.3, 5.0
# Notices of a scan that may not show one foot at rest, in its true shape
BROKEN = ("slices_jump", "stuck_slices", "step_disagrees", "step_guessed")
# Width and height of the foot by its length, the mean foot's are 1: drawn feet in all poses have
# 0.90 to 1.06, a real one cut at the ankle 1.19
STRETCH = (0.83, 1.25)


def unsure_bones(
    foot: Segmented, bones: Mapping[str, BoneMask], volume: Volume, labels: NDArray[np.uint8]
) -> dict[str, Line]:
    """Bone name -> why nothing rests on it: little confidence, a size that no foot has, metal.

    labels: uint8 (z, y, x) on the volume's grid.
    """
    found = {BONES[k - 1].name: value for k, value in foot.confidence.items()}
    reasons = _odd_sizes(bones) | _implants(volume, labels)
    for name in bones:
        if found.get(name, 1.0) < SURE_BONE:
            word = BONE[name].word
            reasons[name] = Line("bone_unsure", bone=word, confidence=found[name])
    return {name: reasons[name] for name in bones if name in reasons}


def _odd_sizes(bones: Mapping[str, BoneMask]) -> dict[str, Line]:
    """Bones within the field whose volume by the calcaneus' is none of a foot."""
    whole = {n: b.volume_mm3 for n, b in bones.items() if b.open_mm2.max() <= CUT_AREA_MM2}
    odd: dict[str, Line] = {}
    if "Calcaneus" not in whole:
        return odd
    for name in BY_HEEL.keys() & whole.keys():
        (low, high), share = BY_HEEL[name], whole[name] / whole["Calcaneus"]
        if not low <= share <= high:
            values = {"percent": 100 * share, "low": 100 * low, "high": 100 * high}
            odd[name] = Line("bone_odd", bone=BONE[name].word, **values)
    return odd


def _implants(volume: Volume, labels: NDArray[np.uint8]) -> dict[str, Line]:
    """Bones with metal in them or beside them; the plate of a scanner lies further off."""
    metal = volume.hu >= METAL_HU
    cell_ml = float(np.prod(volume.spacing_mm)) / 1000
    if not volume.spacing_known or np.count_nonzero(metal) * cell_ml < IMPLANT_ML:
        return {}
    reach = [max(1, round(BESIDE_MM / mm)) for mm in volume.spacing_mm[::-1]]
    places = np.argwhere(metal)
    low, high = np.maximum(places.min(0) - reach, 0), places.max(0) + reach + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    away, at = ndimage.distance_transform_edt(
        labels[box] == 0, sampling=volume.spacing_mm[::-1], return_indices=True
    )
    near = metal[box] & (away <= BESIDE_MM)
    counts = np.bincount(labels[box][tuple(at)][near], minlength=len(BONES) + 1)
    found = {}
    for k, bone in enumerate(BONES, start=1):
        if counts[k] * cell_ml >= IMPLANT_ML:
            found[bone.name] = Line("metal_in_bone", bone=bone.word, volume=counts[k] * cell_ml)
    return found


def scan_limits(volume: Volume, fit: Fit) -> tuple[Line, ...]:
    """Why nothing in this foot can be PRESENT."""
    age = volume.tags.age_years
    lines = []
    if age is not None and age < GROWN_YEARS:
        lines.append(Line("growth_plates", years=GROWN_YEARS))
    lines += [line for line in volume.notices if line.family in BROKEN]
    if fit.stretch is not None and not all(STRETCH[0] <= x <= STRETCH[1] for x in fit.stretch):
        medial, up = fit.stretch
        lines.append(Line("stretched", medial=100 * medial, up=100 * up))
    if volume.spacing_known and not USUAL_SIZE[0] <= fit.size <= USUAL_SIZE[1]:
        lines.append(Line("unusual_size", percent=100 * fit.size))
    return (*lines, *_coarse(volume, COARSE_SCAN_MM))


def box_limits(volume: Volume) -> tuple[Line, ...]:
    """Why no finding can be PRESENT that rests on a box alone."""
    return _coarse(volume, COARSE_BOX_MM)


def _coarse(volume: Volume, most: float) -> tuple[Line, ...]:
    edge = max(volume.spacing_mm)
    if not volume.spacing_known or edge <= most:
        return ()
    return (Line("coarse_scan", edge=edge, most=most),)


def doubts(unsure: Mapping[str, Line], load: Load, boxes: Sorted) -> list[Line]:
    """Warnings about bones of little confidence, a foot that hangs, boxes in the wrong place."""
    lines = [] if load.pose is None else [load.pose]
    lines += [Line("low_confidence", why=why) for why in unsure.values()]
    count = sum(lesion.score >= SUSPICIOUS for lesion in boxes.elsewhere)
    if count:
        lines.append(Line("box_elsewhere", count=count))
    return lines
