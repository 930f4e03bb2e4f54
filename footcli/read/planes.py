"""Compare the other planes of a case with its volume."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from footcli.domain import CaseRef, Plane
from footcli.errors import ReadError
from footcli.read.collect import Log, check_one_patient
from footcli.read.headers import Header, read_header
from footcli.read.pixels import check_pixel_tags, frames
from footcli.read.source import Skip
from footcli.text.lines import Line

AGREEMENT = 0.9
"""A slice that correlates at least this well with the volume's slice is on the same grid; resampled
slices reach 0.95 and more.
"""


def compare_plane(
    ref: CaseRef, plane: Plane, hu: NDArray[np.int16], axial: list[Header], log: Log
) -> None:
    """Compare the middle slice of another plane with the volume's slice; log a notice if they
    differ.

    hu: int16 (z, y, x). axial: headers of the axial slices. Raises ReadError mixed_patients if the
    plane's first, middle or last slice is of another patient.
    """
    paths = ref.images.get(plane, ())
    if not paths:
        return
    path = paths[len(paths) // 2]
    match = re.search(r"(\d+)$", path.stem)
    check_one_patient([*axial, *_headers({paths[0], path, paths[-1]})])
    if match is None:
        return
    try:
        header = read_header(path, any_modality=True)
        check_pixel_tags(header)
        picture = next(frames(header, (0,))).hu
    except (ReadError, Skip) as error:
        log.warn("plane_unreadable", plane=plane.value, reason=error.code)
        return
    cuts = hu.transpose(1, 0, 2) if plane is Plane.COR else hu.transpose(2, 0, 1)
    if picture.shape != cuts.shape[1:]:
        size, wanted = (f"{rows} x {columns}" for rows, columns in (picture.shape, cuts.shape[1:]))
        log.warn("planes_disagree.size", plane=plane.value, size=size, wanted=wanted)
        return
    how = _orientation(picture, cuts, int(match[1]))
    if how is None:
        log.warn("planes_disagree.other", plane=plane.value)
    elif how:
        log.warn("planes_disagree.turned", plane=plane.value, how=Line(f"turned.{how}"))


def _orientation(picture: NDArray[np.int16], cuts: NDArray[np.int16], number: int) -> str | None:
    """How the picture must be turned to match that slice: "" not at all; None: it never matches."""
    last = len(cuts) - 1
    for how, turned, counted in (
        ("", picture, number),
        ("upside_down", picture[::-1], number),
        ("mirrored", picture[:, ::-1], number),
        ("half_turn", picture[::-1, ::-1], number),
        ("other_end", picture, last - number + 1),
    ):
        # It is unknown whether slice numbers start at 0 or at 1: try both.
        for k in (counted, counted - 1):
            if 0 <= k <= last and _correlation(turned, cuts[k]) >= AGREEMENT:
                return how
    return None


def _headers(paths: Iterable[Path]) -> list[Header]:
    """The headers of the files that have a usable one."""
    found = []
    for path in paths:
        with suppress(ReadError, Skip):
            found.append(read_header(path, any_modality=True))
    return found


def _correlation(a: NDArray[np.int16], b: NDArray[np.int16]) -> float:
    p, q = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    p -= p.mean()
    q -= q.mean()
    power = float(np.sqrt((p @ p) * (q @ q)))
    if power == 0:  # a blank picture is no evidence of a mismatch
        return 1.0
    return float(p @ q) / power
