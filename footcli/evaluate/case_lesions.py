"""Lesions and boxes of one case that can be scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isfinite

from footcli.domain import CaseResult, Lesion, Plane
from footcli.evaluate.boxes import LESION_ID, Hit, SliceBox
from footcli.evaluate.truth import Truth


def void(truth: Truth) -> dict[Plane, dict[int, frozenset[str]]]:
    """Plane -> slice -> what was left out of its label."""
    found = {}
    for plane, slices in truth.slices.items():
        found[plane] = {index: label.void for index, label in slices.items()}
    return found


def known(results: Sequence[CaseResult], unknown: Counter[str]) -> list[Lesion]:
    """The results' lesions, faint ones too, of known classes and with finite numbers.

    The others are counted in `unknown`.
    """
    lesions: list[Lesion] = []
    for result in results:
        lesions += [*result.lesions, *result.faint_lesions]
    out = []
    for lesion in lesions:
        numbers = [lesion.score, *lesion.box_vox, *lesion.scores]
        for box in lesion.boxes:
            numbers += box
        if lesion.label in LESION_ID and all(map(isfinite, numbers)):
            out.append(lesion)
        else:
            unknown["lesion of the result, of an unknown class or without numbers"] += 1
    return out


def own_plane(truth: Truth, unknown: Counter[str]) -> list[SliceBox]:
    """True boxes in their lesion's plane; the others are counted in `unknown`."""
    out = []
    for box in truth.boxes():
        if box.label in truth.slices[box.plane][box.index].void:
            continue  # another box of this lesion was left out here, and counted
        if not box.in_own_plane:
            unknown["lesion box in another plane than its lesion's"] += 1
        else:
            out.append(box)
    return out


def untold(hit: Hit, truth: Truth) -> bool:
    """Whether a find without a true lesion is of a class that was left out of some label.

    It may then be true.
    """
    if hit.truth is not None:
        return False
    for slices in truth.slices.values():
        if any(hit.label in label.void for label in slices.values()):
            return True
    return False
