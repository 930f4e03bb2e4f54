"""Choose the slices of one stack from the files of a case, and log why others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from footcli.errors import ReadError
from footcli.read.frame_tags import FrameTags
from footcli.read.headers import Header, read_header
from footcli.read.source import Skip
from footcli.system.names import safe_text
from footcli.text.lines import Line, Value

SAME_DIRECTION = 1e-3
"""Difference of direction cosines within one series that counts as rounding."""


# Code of the refusal -> endings of files that hold images which are not read
OTHER_FORMATS = {
    "no_images.format": (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", ".mgz", ".hdr", ".stl"),
    "no_images.archive": (".zip", ".7z", ".rar", ".tar", ".tgz", ".gz", ".iso"),
    "no_images.pictures": (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"),
}


NO_DICOM = frozenset(("not_dicom", "dicomdir", "special_file"))
"""Skip codes of what is no image of any kind, such as the viewer on a CD."""
DICOM_ENDINGS = (".dcm", ".dicom", ".ima")


@dataclass(frozen=True, slots=True)
class Slice:
    """One frame of one file."""

    header: Header
    index: int

    @property
    def tags(self) -> FrameTags:
        """The tags of this slice's own frame."""
        return self.header.frames[self.index]

    @property
    def name(self) -> str:
        """The file stem, with the frame number if the file holds several frames."""
        stem = safe_text(self.header.path.stem)
        return stem if len(self.header.frames) == 1 else f"{stem}:{self.index + 1:04d}"


@dataclass(slots=True)
class Log:
    """Notices and skipped files of a case, collected during reading.

    skipped: skip code -> number of files.
    """

    notices: list[Line] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def warn(self, code: str, /, **values: Value) -> None:
        """Add a warning, a line of `text/lines.toml`."""
        self.notices.append(Line(code, **values))


def collect(paths: Sequence[Path], log: Log, *, any_modality: bool = False) -> list[Header]:
    """The headers of all usable files; the others are counted in `log`.

    any_modality: see read_header. Raises ReadError no_images, mixed_patients, and what read_header
    raises.
    """
    headers, number = [], 0
    for path in paths:
        number += 1
        try:
            headers.append(read_header(path, any_modality=any_modality))
        except Skip as skip:
            log.skipped[skip.code] += 1
    if not number:
        raise ReadError("no_images.empty")
    if not headers:
        if set(log.skipped) <= {"not_dicom"}:
            _refuse_other_formats(paths)
        named = any(path.suffix.casefold() in DICOM_ENDINGS for path in paths)
        if set(log.skipped) <= NO_DICOM and not named:
            raise ReadError("no_images.none", count=number)
        raise ReadError("no_images.unusable", count=number, reasons=skip_words(log.skipped))
    check_one_patient(headers)
    return headers


def _refuse_other_formats(paths: Sequence[Path]) -> None:
    """Raises ReadError if a file's ending is that of an archive or of another volume format."""
    for path in paths:
        name = path.name.casefold()
        for code, endings in OTHER_FORMATS.items():
            ending = next((ending for ending in endings if name.endswith(ending)), None)
            if ending is not None:
                raise ReadError(code, format=ending.lstrip("."))


def check_one_patient(headers: Iterable[Header]) -> None:
    """Raises ReadError mixed_patients if ids, names, birth dates or sexes differ.

    An id alone does not identify a patient ("0", "ANON").
    """
    for stated in zip(*(header.patient for header in headers), strict=True):
        if len(set(stated) - {""}) > 1:
            raise ReadError("mixed_patients.images")


def choose(headers: list[Header], log: Log, *, by_series: bool = True) -> list[Slice]:
    """The slices of the largest stack; of equal ones, that of the lowest series number.

    headers: at least one. by_series: different series are different stacks. A notice counts the
    stacks if there are several.
    """
    groups = _groups(headers, by_series)
    stacks: list[list[Slice]] = []
    for key in sorted(groups, key=repr):
        group = groups[key]
        alike = [stack for stack in stacks if _alike(stack[0], group[0], by_series)]
        if alike:
            alike[0].extend(group)
        else:
            stacks.append(group)
    stacks.sort(key=lambda stack: (-len(stack), *_rank(stack[0].header)))
    if len(stacks) > 1:
        sizes = [str(len(stack)) for stack in stacks[:8]] + ["..."] * (len(stacks) > 8)
        log.warn("several_series", count=len(stacks), sizes=", ".join(sizes))
    return stacks[0]


def _groups(headers: list[Header], by_series: bool) -> dict[tuple[object, ...], list[Slice]]:
    """Slices grouped by series, image size, direction, pixel size and presence of a position."""
    groups: dict[tuple[object, ...], list[Slice]] = {}
    for header in headers:
        series = header.series if by_series else ""
        size = header.rows, header.columns
        for index, tags in enumerate(header.frames):
            key = (series, *size, tags.orientation, tags.spacing, tags.position is None)
            groups.setdefault(key, []).append(Slice(header, index))
    return groups


def _rank(header: Header) -> tuple[float, str]:
    return (np.inf if header.series_number is None else header.series_number, header.series)


def _alike(a: Slice, b: Slice, by_series: bool) -> bool:
    def close(x: tuple[float, ...] | None, y: tuple[float, ...] | None) -> bool:
        if x is None or y is None:
            return x is y
        return len(x) == len(y) and bool(
            np.allclose(x, y, rtol=SAME_DIRECTION, atol=SAME_DIRECTION, equal_nan=True)
        )

    p, q = a.header, b.header
    return (
        (not by_series or p.series == q.series)
        and (p.rows, p.columns) == (q.rows, q.columns)
        and (a.tags.position is None) == (b.tags.position is None)
        and close(a.tags.orientation, b.tags.orientation)
        and close(a.tags.spacing, b.tags.spacing)
    )


def skip_words(skipped: Mapping[str, int]) -> str:
    """Reasons and their counts as text: "not_dicom 3, truncated 1"."""
    return ", ".join(f"{code} {count}" for code, count in sorted(skipped.items()))
