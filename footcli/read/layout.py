"""Read a case in the data set's layout: a stack per plane of one grid, perhaps without geometry."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from footcli.dataset.clinical import of_this_case, read_clinical
from footcli.domain import CaseRef, Plane, ScanTags, Side, Volume
from footcli.errors import ReadError, TruthError
from footcli.read.assemble import SAME_POSITION, SliceStack, assemble
from footcli.read.collect import Log, Slice, choose, collect
from footcli.read.patient import (
    SAME_STEP,
    Axes,
    affine_of,
    axes_of,
    check_tilt,
    in_stack,
    pixel_spacing,
    positions,
    positions_along,
    tags_of,
    warn_of_guesses,
    warn_of_step,
)
from footcli.read.planes import compare_plane
from footcli.read.stray import without_strays
from footcli.text.lines import Line

# For each plane: the axis of a stack (slice, row, column) that is z, y, x of hu; and the column of
# the affine (column, row, slice) that is x, y, z.
_TO_ZYX = {Plane.AXL: (0, 1, 2), Plane.COR: (1, 0, 2), Plane.SAG: (1, 2, 0)}
_TO_XYZ = {Plane.AXL: [0, 1, 2], Plane.COR: [0, 2, 1], Plane.SAG: [2, 0, 1]}


def read_dataset_case(ref: CaseRef, spacing_mm: float | None) -> Volume:
    """Read the AXL stack, else COR, else SAG. `input_sha256` is left empty.

    spacing_mm: pixel size to use if the files have none. Raises the ReadError of the first plane if
    none can be read, and mixed_patients from any plane.
    """
    if ref.several_patients:
        raise ReadError("mixed_patients.names")
    first: ReadError | None = None
    for plane in Plane:
        if not ref.images.get(plane):
            continue
        try:
            volume = _read_plane(ref, plane, spacing_mm)
        except ReadError as error:
            if error.code == "mixed_patients":
                raise
            first = first or error
            continue
        tags, notices = _with_clinical(ref, volume.tags)
        beside = [*_beside(ref, plane, first), *notices]
        return replace(volume, tags=tags, notices=(*volume.notices, *beside))
    raise first or ReadError("no_images.planes")


def _beside(ref: CaseRef, plane: Plane, first: ReadError | None) -> list[Line]:
    """Warnings about a case that was read from a plane. first: why an earlier plane failed."""
    lines = []
    copies = [path for path in ref.copies if path.suffix.lower() != ".json"]
    if copies:
        lines.append(Line("copies_left_out", count=len(copies)))
    if plane is not Plane.AXL:
        reason = first.code if first else "no_images"
        lines.append(Line("plane_fallback", reason=reason, plane=plane.value))
    return lines


def _read_plane(ref: CaseRef, plane: Plane, spacing_mm: float | None) -> Volume:
    log = Log()
    slices = choose(collect(ref.images[plane], log, any_modality=True), log, by_series=False)
    geometry = _whole_geometry(slices)
    guessed = warn_of_guesses(slices, log)
    if geometry is None:
        stack, affine, known = _by_names(slices, spacing_mm, log)
    else:
        stack, affine, known = *_by_tags(slices, *geometry, log), True
    hu = np.ascontiguousarray(stack.hu.transpose(_TO_ZYX[plane]))
    order = [*_TO_XYZ[plane], 3]
    # Without orientation tags the millimetre axes are the voxel axes, so both are permuted.
    affine = affine[:, order] if geometry is not None else affine[np.ix_(order, order)]
    if plane is Plane.AXL:
        for other in (Plane.COR, Plane.SAG):
            compare_plane(ref, other, hu, [piece.header for piece in slices], log)
    stated = tags_of([piece.header for piece in slices])
    standing = (
        stated.weight_bearing is not False
    )  # as all of the data set, unless the words deny it
    tags = replace(stated, side=_side(slices) or stated.side, weight_bearing=standing)
    return Volume(
        hu,
        affine,
        stack.names,
        "",
        stack=plane,
        spacing_known=known,
        orientation_known=geometry is not None and not guessed,
        tags=tags,
        notices=tuple(log.notices),
        skipped=dict(log.skipped),
    )


def _numbers(slices: list[Slice]) -> NDArray[np.float64] | None:
    """(n,) slice numbers from the file names, else InstanceNumber; None if not all have one.

    The frames of one file are numbered consecutively.
    """
    instances = [piece.header.instance for piece in slices]
    for numbers in (_named_numbers(slices), instances):
        if None not in numbers and len(set(numbers)) > 1:
            return np.asarray(numbers, np.float64)
    return None


def _named_numbers(slices: list[Slice]) -> list[int | None]:
    """The number at the end of each slice's file name; frame indices for one file of frames."""
    paths = {piece.header.path for piece in slices}
    if len(slices) > 1 and any(len(piece.header.frames) > 1 for piece in slices):
        return [piece.index for piece in slices] if len(paths) == 1 else [None]
    found: list[int | None] = []
    for piece in slices:
        match = re.search(r"(\d+)$", piece.header.path.stem)
        found.append(int(match[1]) + piece.index if match else None)
    return found


def _whole_geometry(slices: list[Slice]) -> tuple[Axes, NDArray[np.float64]] | None:
    """The axes and positions (n, 3), LPS mm, if the tags hold a usable geometry.

    None if de-identification removed or zeroed it.
    """
    try:
        axes, at = axes_of(slices[0]), positions(slices)
    except ReadError:
        return None
    if axes.spacing is None or np.ptp(at @ axes.normal) < SAME_POSITION:
        return None
    return axes, at


def _by_tags(
    slices: list[Slice],
    axes: Axes,
    at: NDArray[np.float64],
    log: Log,
) -> tuple[SliceStack, NDArray[np.float64]]:
    pixel = axes.spacing
    if pixel is None:
        raise ReadError("no_spacing.needed")
    slices, at = in_stack(slices, at, axes.normal, log)
    numbers = _numbers(slices)
    check_tilt(at, axes, min(pixel))
    # Slices keep the order of their names, so that voxel indices follow slice numbers: the slice
    # axis may then run against the normal.
    direction = axes.normal
    if numbers is not None:
        order = np.argsort(numbers, kind="stable")
        run = np.diff((at @ axes.normal)[order])
        if (run <= SAME_POSITION).all():
            direction = -axes.normal
        elif not (run >= -SAME_POSITION).all():
            log.warn("names_disagree")
    stack = assemble(slices, positions_along(at, direction), log, lambda place: f"{place:.1f} mm")
    warn_of_step(slices[0], stack.step, log)
    return stack, affine_of(stack, axes, pixel, direction, at)


def _by_names(
    slices: list[Slice], spacing_mm: float | None, log: Log
) -> tuple[SliceStack, NDArray[np.float64], bool]:
    numbers = _numbers(slices)
    if numbers is None:
        raise ReadError("no_geometry.order")
    log.warn("geometry_from_names")
    keep = without_strays(numbers, log)
    slices, numbers = [slices[i] for i in keep], numbers[keep]
    stack = assemble(slices, numbers, log, lambda place: f"slice {place:.0f}")
    if abs(stack.step - 1) > SAME_POSITION:
        raise ReadError("missing_slices.numbers", step=stack.step)
    pixel = pixel_spacing(slices[0]) or (None if spacing_mm is None else (spacing_mm, spacing_mm))
    if pixel is None:
        log.warn("no_spacing")
        return stack, np.eye(4), False
    step, thick = slices[0].header.step_mm, slices[0].header.thickness_mm
    if step is None and thick is not None and abs(thick - pixel[0]) > SAME_STEP * pixel[0]:
        log.warn("step_guessed", thickness=thick, step=pixel[0])
    return stack, np.diag([pixel[0], pixel[1], step or pixel[0], 1.0]), True


def _side(slices: list[Slice]) -> Side | None:
    """The side given in the file names; None if they give none, or both."""
    found: set[str] = set()
    for piece in slices:
        found.update(re.findall(r"(?<=_)([LR])(?=_)", piece.header.path.stem))
    if len(found) != 1:
        return None
    return "L" if found == {"L"} else "R"


def _with_clinical(ref: CaseRef, tags: ScanTags) -> tuple[ScanTags, tuple[Line, ...]]:
    """The tags, with age and sex from the clinical files that belong to this case by name.

    Also a notice if others were ignored.
    """
    firsts = [paths[0].stem for paths in ref.images.values() if paths]
    own = of_this_case(ref.clinical_files, firsts)
    others = len(ref.clinical_files) - len(own)
    for path in own:
        try:
            clinical = read_clinical(path)
        except TruthError:
            continue
        tags = replace(
            tags, age_years=clinical.age_years or tags.age_years, sex=clinical.sex or tags.sex
        )
    return tags, (Line("clinical_of_another", count=others),) if others else ()
