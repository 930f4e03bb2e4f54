"""A small case with truth and result, for the tests of evaluate: labels in the data set's layout, a
results folder as analyze writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from footcli.dataset.angle_labels import write_angle_label
from footcli.dataset.annotations import write_slice_label
from footcli.dataset.clinical import Clinical, write_clinical
from footcli.dataset.outlines import polygons_of_mask
from footcli.domain import (
    Box,
    CaseResult,
    Finding,
    Landmark,
    Lesion,
    Level,
    Measurement,
    Plane,
    Point,
)
from footcli.kinds import BONES
from footcli.provenance import InputFacts, Provenance
from footcli.store.journal import add
from footcli.store.pictures import Pictures
from footcli.store.result import save_case
from footcli.text.lines import Line

Labels = NDArray[np.uint8]
CUT_OFF = Line("part_outside", part=Line("part.talus_top"))
SPACING = 0.5


def stem(number: int, side: str = "L") -> str:
    """The file stem of a case's series."""
    return f"A_H07_AD_{number:010d}_ST01_{side}"


def write_truth(
    root: Path,
    number: int,
    labels: Labels,
    *,
    points: Mapping[str, Point] | None = None,
    planes: Sequence[Plane] = tuple(Plane),
    boxes: Mapping[tuple[Plane, int], Mapping[str, Sequence[Box]]] | None = None,
    clinical: Clinical | None = None,
    first: int = 0,
) -> str:
    """Label every slice of the planes, numbered from `first`; returns the case id."""
    case_id = f"AN{number:08d}"
    folder = root / "2.라벨링데이터" / "AD" / case_id
    for plane in planes:
        for index, picture in enumerate(np.moveaxis(labels, 2 - plane.axis, 0)):
            found = {
                BONES[k - 1].name: polygons_of_mask(picture == k) for k in np.unique(picture) if k
            }
            own = (boxes or {}).get((plane, index), {})
            write_slice_label(
                folder / plane / f"{stem(number)}_{plane}_{index + first:04d}.json", found, own
            )
    if points:
        write_angle_label(folder / "ANGLE" / f"{stem(number)}_Angle.json", points)
    if clinical:
        write_clinical(
            root / "1.원천데이터" / "AD" / case_id / "CLINICALINFO" / f"{stem(number)}.json",
            replace(clinical, case_id=case_id),
        )
    return case_id


def write_result(
    out: Path,
    case_id: str,
    labels: Labels,
    *,
    landmarks: Mapping[str, tuple[Point, float]] | None = None,
    values: Mapping[tuple[str, str], float | None] | None = None,
    lesions: Sequence[Lesion] = (),
    findings: Mapping[str, Level] | None = None,
    sure: Mapping[str, float] | None = None,
    names: Mapping[Plane, Sequence[str]] | None = None,
    folder: str | None = None,
    faint: Sequence[Lesion] = (),
) -> None:
    """Write a results folder and enter it in the journal. values: (angle, source) -> degrees."""
    measured = tuple(
        Measurement(name, "deg", source, value, None if value is not None else CUT_OFF)  # type: ignore[arg-type]
        for (name, source), value in (values or {}).items()
    )
    points = tuple(
        Landmark(name, at, None, score) for name, (at, score) in (landmarks or {}).items()
    )
    scan = InputFacts(shape=labels.shape, spacing_mm=(SPACING,) * 3, weight_bearing=True)
    provenance = Provenance(version="0", input=scan, bone_confidence=dict(sure or {}))
    told = tuple(Finding(name, level, ()) for name, level in (findings or {}).items())
    result = CaseResult(
        folder or case_id, "L", measured, points, tuple(lesions), told, (), provenance, tuple(faint)
    )
    save_case(
        out / (folder or case_id),
        result,
        labels,
        np.diag([SPACING, SPACING, SPACING, 1.0]),
        Pictures(),
        names,
    )
    add(out, {"case_id": case_id, "outcome": "done", "folders": [folder or case_id]})


def block(shape: tuple[int, int, int], bones: Mapping[int, tuple[slice, slice, slice]]) -> Labels:
    """Boxes of labels in an empty volume (z, y, x)."""
    labels = np.zeros(shape, np.uint8)
    for bone, place in bones.items():
        labels[place] = bone
    return labels
