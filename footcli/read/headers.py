"""One file -> its Header, or the reason why it is skipped."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from pydicom.filereader import read_partial

from footcli.errors import ReadError
from footcli.read import elements as e
from footcli.read.source import (
    DEFLATED,
    EXPLICIT,
    FIRST_LOOK,
    HEADER_LIMIT,
    UNDEFINED,
    Guard,
    PixelSpan,
    Skip,
    Source,
    guarded,
    inflate,
    load,
    looks_like_dicom,
)
from footcli.system.files import safe_text

FRAME_LIMIT = 256 * 2**20
"""Bytes of one decoded frame."""
FRAMES_LIMIT = 20_000
"""Frames of one file; the longest real series are a quarter of that."""
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
NATIVE = frozenset((IMPLICIT, EXPLICIT, BIG_ENDIAN))
CT_CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.2{suffix}" for suffix in ("", ".1", ".2"))
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
DICOMDIR_CLASS = "1.2.840.10008.1.3.10"
NOT_IMAGES = frozenset(
    (
        "SR",
        "SEG",
        "PR",
        "KO",
        "REG",
        "DOC",
        "AU",
        "FID",
        "PLAN",
        "RTSTRUCT",
        "RTPLAN",
        "RTDOSE",
        "RTRECORD",
    )
)


@dataclass(frozen=True, slots=True)
class FrameTags:
    """What one frame says of itself.

    Lengths in mm; None where not said, NaN where it is no number.
    """

    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    slope: float | None
    intercept: float | None


@dataclass(frozen=True, slots=True)
class Header:
    """What reading needs of one file. `patient` is only ever compared; it reaches no message."""

    path: Path
    syntax: str
    syntax_guessed: bool
    big_endian: bool
    deflated: bool
    series: str
    patient: tuple[str, ...]
    series_number: int | None
    instance: int | None
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    burned_in: bool
    laterality: str
    words: str
    age: str
    sex: str
    pixels: PixelSpan
    frames: tuple[FrameTags, ...]

    @property
    def name(self) -> str:
        return safe_text(self.path.name)


def read_header(path: Path, *, any_modality: bool = False) -> Header:
    """Read one file's header.

    any_modality: take every grey image, whatever its modality says (the data set's own layout,
    where tags were removed). Raises Skip with a code; ReadError where the whole case must not be
    trusted (bomb, bad_frames, corrupt_header, bad_rescale).
    """
    data, size = load(path, FIRST_LOOK)
    if path.name.upper() == "DICOMDIR":
        raise Skip("dicomdir")
    if not looks_like_dicom(data):
        raise Skip("not_dicom")
    deflated = DEFLATED in data[:1024]
    if deflated:
        data = inflate(path)
        size = len(data)
    try:
        return _parse(path, data, size, deflated, any_modality)
    except (Skip, ReadError):
        if size <= len(data):
            raise
    return _parse(path, load(path, HEADER_LIMIT)[0], size, deflated, any_modality)


def _parse(path: Path, data: bytes, size: int, deflated: bool, any_modality: bool) -> Header:
    source = Source(data)
    guard = Guard(source, size)
    dataset = guarded(lambda: read_partial(source, stop_when=guard, force=True))
    return guarded(lambda: _header(path, dataset, guard, size, deflated, any_modality))


def _header(
    path: Path, data: Any, guard: Guard, size: int, deflated: bool, any_modality: bool
) -> Header:
    _check_kind(data, guard, any_modality)
    pixels = guard.pixels
    if pixels is None:
        raise Skip("truncated")
    syntax = e.text(data.file_meta, e.META_SYNTAX)
    little = bool(data.original_encoding[1])
    guessed = not syntax
    if guessed:
        syntax = IMPLICIT if pixels.implicit else EXPLICIT if little else BIG_ENDIAN
    elif pixels.implicit != (syntax == IMPLICIT):
        raise ReadError("corrupt_header", file=safe_text(path.name))
    if (pixels.length == UNDEFINED) == (syntax in NATIVE) or pixels.length == 0:
        raise Skip("corrupt_header")
    if pixels.length != UNDEFINED and pixels.offset + pixels.length > size:
        raise Skip("truncated")
    allocated = e.integer(data, e.BITS_ALLOCATED) or 0
    stored = e.integer(data, e.BITS_STORED)
    high = e.integer(data, e.HIGH_BIT)
    stored = allocated if stored is None else stored
    shared = _first(e.items(data, e.SHARED_GROUPS))
    side = e.text(data, e.IMAGE_LATERALITY) or e.text(data, e.LATERALITY)
    return Header(
        path=path,
        syntax=syntax,
        syntax_guessed=guessed,
        big_endian=not little,
        deflated=deflated,
        series=e.text(data, e.SERIES_UID),
        patient=tuple(
            _plain(e.text(data, tag)) for tag in (e.PATIENT_ID, e.PATIENT_NAME, e.BIRTH_DATE, e.SEX)
        ),
        series_number=e.count(data, e.SERIES_NUMBER),
        instance=e.count(data, e.INSTANCE_NUMBER),
        rows=e.integer(data, e.ROWS) or 0,
        columns=e.integer(data, e.COLUMNS) or 0,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1 if high is None else high,
        signed=e.integer(data, e.SIGNED) == 1,
        photometric=e.text(data, e.PHOTOMETRIC),
        burned_in=e.text(data, e.BURNED_IN).upper() == "YES",
        laterality=side
        or e.text(
            _first(e.items(shared, e.FRAME_ANATOMY) if shared is not None else []) or data,
            e.FRAME_LATERALITY,
        ),
        words=" ".join(
            e.text(data, tag) for tag in (e.SERIES_DESCRIPTION, e.PROTOCOL, e.STUDY_DESCRIPTION)
        ),
        age=e.text(data, e.AGE),
        sex=e.text(data, e.SEX),
        pixels=pixels,
        frames=_frames(path, data, shared, pixels, size),
    )


def _plain(text: str) -> str:
    """A text of the patient for comparing: the same person may be written in capitals, with or
    without carets and spaces.

    Of a name in several scripts (PS3.5 6.2.1) the first one counts.
    """
    return " ".join(text.partition("=")[0].replace("^", " ").casefold().split())


def _check_kind(data: Any, guard: Guard, any_modality: bool) -> None:
    kind = e.text(data, e.SOP_CLASS) or e.text(data.file_meta, e.META_CLASS)
    modality = e.text(data, e.MODALITY).upper()
    image_type = e.text(data, e.IMAGE_TYPE).upper().split("\\")
    if kind == DICOMDIR_CLASS:
        raise Skip("dicomdir")
    if not any_modality and not kind and not modality:
        raise Skip(
            "not_ct" if guard.pixels else "not_dicom" if data.preamble is None else "truncated"
        )
    if modality in NOT_IMAGES:
        raise Skip("not_ct_volume")
    if "LOCALIZER" in image_type or "SCOUT" in image_type:
        raise Skip("not_ct_volume")
    if not any_modality and kind not in CT_CLASSES and modality != "CT":
        raise Skip("not_ct")
    if guard.pixels is None:
        raise Skip("corrupt_header" if guard.open_ended else "truncated")
    if (
        kind.startswith(SECONDARY_CAPTURE)
        and not any_modality
        and e.ORIENTATION not in data
        and e.SHARED_GROUPS not in data
    ):
        raise Skip("not_ct")
    if (e.integer(data, e.SAMPLES) or 1) != 1 or e.text(data, e.PHOTOMETRIC).upper() not in (
        "MONOCHROME1",
        "MONOCHROME2",
        "",
    ):
        raise Skip("not_ct")


def _frames(
    path: Path, data: Any, shared: Any, pixels: PixelSpan, size: int
) -> tuple[FrameTags, ...]:
    """The tags of every frame, from the root, the shared and the per-frame groups."""
    number = 1
    if e.text(data, e.FRAMES):
        number = e.count(data, e.FRAMES) or 0
        # Every frame takes at least a byte, so no honest number is larger than the data.
        if not 1 <= number <= min(pixels.length, size, FRAMES_LIMIT):
            raise ReadError("bad_frames.number", file=safe_text(path.name))
    cells = (
        (e.integer(data, e.ROWS) or 0)
        * (e.integer(data, e.COLUMNS) or 0)
        * ((e.integer(data, e.BITS_ALLOCATED) or 0) // 8)
    )
    if number > 1 and pixels.length != UNDEFINED and number * cells > pixels.length:
        raise ReadError("bad_frames.short", file=safe_text(path.name), count=number)
    groups = e.items(data, e.FRAME_GROUPS)
    if groups and len(groups) != number:
        name, described = safe_text(path.name), len(groups)
        raise ReadError("bad_frames.described", file=name, count=number, described=described)
    if not groups and number > 1:
        return _even_frames(data, number)
    return tuple(_frame_tags([data, shared, group]) for group in groups or [None])


def _frame_tags(places: list[Any]) -> FrameTags:
    def find(sequence: int, tag: int) -> tuple[float, ...] | None:
        found = None
        for place in places:
            if place is not None:
                inner = place if place is places[0] else _first(e.items(place, sequence))
                found = (e.numbers(inner, tag) if inner is not None else None) or found
        return found

    slope, intercept = find(e.PIXEL_VALUES, e.SLOPE), find(e.PIXEL_VALUES, e.INTERCEPT)
    return FrameTags(
        position=find(e.PLANE_POSITION, e.POSITION),
        orientation=find(e.PLANE_ORIENTATION, e.ORIENTATION),
        spacing=find(e.PIXEL_MEASURES, e.PIXEL_SPACING),
        slope=slope[0] if slope else None,
        intercept=intercept[0] if intercept else None,
    )


def _even_frames(data: Any, number: int) -> tuple[FrameTags, ...]:
    """Frames of an older multi-frame file, which places only the first: the rest follow along the
    normal at the slice spacing.
    """
    first = _frame_tags([data])
    steps = e.numbers(data, e.SLICE_SPACING) or e.numbers(data, e.SLICE_THICKNESS)
    across = first.orientation
    if (
        first.position is None
        or len(first.position) != 3
        or across is None
        or len(across) != 6
        or not steps
        or not isfinite(steps[0])
    ):
        return (
            FrameTags(None, first.orientation, first.spacing, first.slope, first.intercept),
        ) * number
    (a, b, c, p, q, r), (x, y, z) = across, first.position
    normal = (b * r - c * q, c * p - a * r, a * q - b * p)
    return tuple(
        FrameTags(
            (
                x + k * steps[0] * normal[0],
                y + k * steps[0] * normal[1],
                z + k * steps[0] * normal[2],
            ),
            first.orientation,
            first.spacing,
            first.slope,
            first.intercept,
        )
        for k in range(number)
    )


def _first(found: list[Any]) -> Any:
    return found[0] if found else None
