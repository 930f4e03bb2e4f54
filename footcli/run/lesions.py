"""Search for a foot's lesions with all lesion models, and which of them cannot be judged."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Lesion, Volume
from footcli.infer.bones import Segmented
from footcli.infer.lesions import find_lesions
from footcli.infer.prepare import alone, canonical
from footcli.infer.search_region import not_assessable
from footcli.kinds import BONES, LESIONS
from footcli.measure.angles import MaskPoints
from footcli.run.setup import Models
from footcli.text.lines import Line

NO_MODEL = Line("no_model")


def seek_lesions(
    volume: Volume, foot: Segmented, models: Models, hidden: Mapping[str, Line]
) -> tuple[Lesion, ...]:
    """Lesions found by all models, best first; models of one pixel size share a grid.

    hidden: lesions that are not searched for -> reason.
    """
    grids = {foot.grid.pixel_mm: (foot.grid, foot.labels)}
    found: list[Lesion] = []
    for session, spec in models.lesions:
        if spec.pixel_mm not in grids:
            grid = alone(canonical(volume, spec.pixel_mm, foot.turned), foot.part_mm)
            labels = _regrid(foot.labels, foot.grid.pixel_mm, grid.hu.shape, spec.pixel_mm)
            grids[spec.pixel_mm] = (grid, labels)
        found += find_lesions(volume, *grids[spec.pixel_mm], session, spec, hidden)
    return tuple(sorted(found, key=lambda lesion: -lesion.score))


def _regrid(
    labels: NDArray[np.uint8], pixel: float, shape: tuple[int, ...], wanted: float
) -> NDArray[np.uint8]:
    """Resample labels by nearest neighbour to another canonical grid of the same volume."""
    at = [
        np.minimum(np.rint(np.arange(n) * wanted / pixel).astype(int), m - 1)
        for n, m in zip(shape, labels.shape, strict=True)
    ]
    return labels[np.ix_(*at)]


def not_sought(models: Models) -> dict[str, Line]:
    """Lesion name -> why it cannot be judged, if no model detects it: it is never reported as not
    seen.
    """
    known: set[str] = set()
    for _, spec in models.lesions:
        known.update(spec.classes)
    return {kind.name: NO_MODEL for kind in LESIONS if kind.name not in known}


def not_judged(
    foot: Segmented, masks: MaskPoints, models: Models, unsure: Mapping[str, Line]
) -> tuple[dict[str, Line], dict[str, Line]]:
    """Lesion name -> why it is not searched for; and lesion name -> why it is not ruled out.

    The scan shows too little of its site, its bone was found with little confidence, or no model
    detects it. unsure: bone name -> why nothing may rest on it.
    """
    hidden, unseen = not_shown(foot, masks)
    for kind in LESIONS:
        if kind.needs in unsure:
            hidden[kind.name] = unsure[kind.needs]
    return hidden, hidden | unseen | not_sought(models)


def not_shown(foot: Segmented, masks: MaskPoints) -> tuple[dict[str, Line], dict[str, Line]]:
    """As not_judged, for what the scan does not show."""
    present = {bone.name: i in foot.confidence for i, bone in enumerate(BONES, start=1)}
    present["1st Metatarsal"] = "TMA_Line2_Pt2" not in masks.unusable  # its head
    hidden = not_assessable(present)
    # the joint of a cut-off toe may still be visible
    toe = masks.unusable.get("HVA_Line2_Pt1")
    return hidden, ({"Hallux Valgus": toe} if toe else {}) | hidden
