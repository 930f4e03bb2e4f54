"""Export a result as labels in the data set's format: bone polygons and lesion boxes per slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from footcli.dataset.annotations import write_slice_label
from footcli.dataset.outlines import polygons_of_mask
from footcli.domain import Box, CaseRef, Lesion, Plane, Volume
from footcli.geometry import slice_of
from footcli.kinds import BONES
from footcli.system.names import safe_text


def write_polygons(
    folder: Path,
    labels: NDArray[np.uint8],
    lesions: tuple[Lesion, ...],
    volume: Volume,
    ref: CaseRef,
) -> None:
    """Write folder/<plane>/<slice>.json for every slice that shows a bone or a lesion.

    labels: uint8 (z, y, x) on the input's grid. A slice has the name of its source if known, else
    PLANE_NUMBER. Raises OSError.
    """
    for plane in Plane:
        count = labels.shape[plane.array_axis]
        names = source_names(plane, labels.shape, volume, ref)
        names = names or tuple(f"{plane}_{i:04d}" for i in range(count))
        for index in range(count):
            mask = slice_of(labels, plane.array_axis, index)
            found = {BONES[k - 1].name: polygons_of_mask(mask == k) for k in np.unique(mask) if k}
            boxes = _boxes(lesions, plane, index)
            if found or boxes:
                write_slice_label(folder / plane / f"{names[index]}.json", found, boxes)


def _boxes(lesions: tuple[Lesion, ...], plane: Plane, index: int) -> dict[str, list[Box]]:
    """Lesion name -> its boxes in a slice."""
    boxes: dict[str, list[Box]] = {}
    for lesion in lesions:
        box = lesion.box_in(index) if lesion.plane is plane else None
        if box is not None:
            boxes.setdefault(lesion.label, []).append(box)
    return boxes


def all_source_names(volume: Volume, ref: CaseRef) -> dict[Plane, tuple[str, ...]]:
    """`source_names` of each plane of a case in the data set's layout.

    Empty for a plain folder, whose file names may identify the patient.
    """
    return (
        {plane: source_names(plane, volume.hu.shape, volume, ref) for plane in Plane}
        if ref.layout == "dataset"
        else {}
    )


def source_names(
    plane: Plane, shape: tuple[int, ...], volume: Volume, ref: CaseRef
) -> tuple[str, ...]:
    """File stems of a plane's slices, one per slice index; empty if unknown.

    shape: of the grid, (z, y, x).
    """
    if plane is volume.stack:
        return volume.slice_names
    stems = tuple(safe_text(path.stem) for path in ref.images.get(plane, ()))
    return stems if len(stems) == shape[plane.array_axis] else ()
