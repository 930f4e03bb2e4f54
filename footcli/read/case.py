"""Read one case: a plain DICOM series here, the data set's layout by layout.py."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from footcli.domain import CaseRef, Volume
from footcli.errors import ReadError
from footcli.read.assemble import assemble
from footcli.read.collect import Log, choose, collect
from footcli.read.continuity import check_continuity
from footcli.read.hounsfield import in_hounsfield
from footcli.read.layout import read_dataset_case
from footcli.read.patient import (
    SPACING_MM,
    affine_of,
    axes_of,
    check_tilt,
    in_stack,
    positions,
    positions_along,
    tags_of,
    warn_of_guesses,
    warn_of_step,
)


def read_case(
    ref: CaseRef, *, weight_bearing: bool | None = None, spacing_mm: float | None = None
) -> Volume:
    """Read a case's images into one volume, in Hounsfield units.

    As read_as_stored; a lost rescale intercept is mended with a notice, and slices that do not
    continue each other are told. Raises ReadError, also "bad_hu" if the values are of another scale
    and "two_scans" if slices of two scans alternate.
    """
    volume = read_as_stored(ref, weight_bearing=weight_bearing, spacing_mm=spacing_mm)
    hu, notices = in_hounsfield(volume.hu)
    notices += check_continuity(hu, volume.stack.array_axis)
    return replace(volume, hu=hu, notices=(*volume.notices, *notices))


def read_as_stored(
    ref: CaseRef, *, weight_bearing: bool | None = None, spacing_mm: float | None = None
) -> Volume:
    """Read a case's images into one volume of the values that they hold, whatever these mean.

    weight_bearing: given by the user, overrides the headers. spacing_mm: pixel size to use if the
    files have none, within SPACING_MM. Raises ReadError with a stable code and one line that states
    what to do.
    """
    if spacing_mm is not None and not SPACING_MM[0] <= spacing_mm <= SPACING_MM[1]:
        least, most = SPACING_MM
        raise ReadError("bad_spacing.option", given=spacing_mm, least=least, most=most)
    volume = (
        read_dataset_case(ref, spacing_mm)
        if ref.layout == "dataset"
        else _read_plain(ref, spacing_mm)
    )
    tags = (
        volume.tags
        if weight_bearing is None
        else replace(volume.tags, weight_bearing=weight_bearing)
    )
    return replace(
        volume,
        tags=tags,
        input_sha256=_digest(volume.hu, volume.affine),
        pixels_sha256=_digest(volume.hu),
    )


def _read_plain(ref: CaseRef, spacing_mm: float | None) -> Volume:
    log = Log()
    slices = choose(collect(ref.images.get(None, ()), log), log)
    axes = axes_of(slices[0])
    pixel = axes.spacing or (None if spacing_mm is None else (spacing_mm, spacing_mm))
    if pixel is None:
        raise ReadError("no_spacing.needed")
    slices, at = in_stack(slices, positions(slices), axes.normal, log)
    check_tilt(at, axes, min(pixel))
    guessed = warn_of_guesses(slices, log)
    stack = assemble(slices, positions_along(at, axes.normal), log, lambda place: f"{place:.1f} mm")
    warn_of_step(slices[0], stack.step, log)
    affine = affine_of(stack, axes, pixel, axes.normal, at)
    tags = tags_of([piece.header for piece in slices])
    return Volume(
        stack.hu,
        affine,
        stack.names,
        "",
        orientation_known=not guessed,
        tags=tags,
        notices=tuple(log.notices),
        skipped=dict(log.skipped),
    )


def _digest(hu: NDArray[np.int16], affine: NDArray[np.float64] | None = None) -> str:
    digest = hashlib.sha256(repr(hu.shape).encode())
    if affine is not None:
        digest.update(np.ascontiguousarray(affine, "<f8").tobytes())
    digest.update(np.ascontiguousarray(hu, "<i2").data)
    return digest.hexdigest()
