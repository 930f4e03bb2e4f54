"""Read the header of one file, or state why the file is skipped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.filereader import read_partial

from footcli.errors import ReadError
from footcli.read import elements as e
from footcli.read.frame_tags import FrameTags, first_of, read_frames
from footcli.read.source import (
    DEFLATED,
    EXPLICIT,
    FIRST_BYTES,
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
from footcli.system.names import safe_text

FRAME_LIMIT = 256 * 2**20
"""Bytes of one decoded frame."""
_PERSON = (e.PATIENT_ID, e.PATIENT_NAME, e.BIRTH_DATE, e.SEX)
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
class Header:
    """The header values of one file that reading needs.

    patient: the values of _PERSON, only ever compared; they never reach a message. words: the
    descriptions of series, protocol and study, searched for load and side. step_mm: the stated
    distance between slices, not their thickness.
    """

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
    step_mm: float | None
    thickness_mm: float | None

    @property
    def name(self) -> str:
        """The file name, safe to show."""
        return safe_text(self.path.name)


def read_header(path: Path, *, any_modality: bool = False) -> Header:
    """Read one file's header.

    any_modality: accept every grey image, whatever its modality (for the data set's layout, where
    tags were removed). Raises Skip with a code; ReadError if the whole case must not be trusted
    (bomb, bad_frames, corrupt_header).
    """
    data, size = load(path, FIRST_BYTES)
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
    syntax = _syntax(path, data, pixels)
    if (pixels.length == UNDEFINED) == (syntax in NATIVE) or pixels.length == 0:
        raise Skip("corrupt_header")
    if pixels.length != UNDEFINED and pixels.offset + pixels.length > size:
        raise Skip("truncated")
    shared = first_of(e.items(data, e.SHARED_GROUPS))
    allocated, stored, high = _bits(data)
    described = [e.text(data, tag) for tag in (e.SERIES_DESCRIPTION, e.PROTOCOL)]
    return Header(
        path=path,
        syntax=syntax,
        syntax_guessed=not e.text(data.file_meta, e.META_SYNTAX),
        big_endian=not data.original_encoding[1],
        deflated=deflated,
        series=e.text(data, e.SERIES_UID),
        patient=tuple(_plain(e.text(data, tag)) for tag in _PERSON),
        series_number=e.count(data, e.SERIES_NUMBER),
        instance=e.count(data, e.INSTANCE_NUMBER),
        rows=e.integer(data, e.ROWS) or 0,
        columns=e.integer(data, e.COLUMNS) or 0,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        signed=e.integer(data, e.SIGNED) == 1,
        photometric=e.text(data, e.PHOTOMETRIC),
        burned_in=e.text(data, e.BURNED_IN).upper() == "YES",
        laterality=_laterality(data, shared),
        words=" ".join([*described, e.text(data, e.STUDY_DESCRIPTION)]),
        age=e.text(data, e.AGE),
        sex=e.text(data, e.SEX),
        pixels=pixels,
        frames=read_frames(path, data, shared, pixels, size),
        step_mm=e.length(data, e.SLICE_SPACING),
        thickness_mm=e.length(data, e.SLICE_THICKNESS),
    )


def _syntax(path: Path, data: Any, pixels: PixelSpan) -> str:
    """The transfer syntax; detected from the content if the file declares none.

    Raises ReadError if the content contradicts the declared one.
    """
    stated = e.text(data.file_meta, e.META_SYNTAX)
    if stated:
        if pixels.implicit != (stated == IMPLICIT):
            raise ReadError("corrupt_header", file=safe_text(path.name))
        return stated
    if pixels.implicit:
        return IMPLICIT
    return EXPLICIT if data.original_encoding[1] else BIG_ENDIAN


def _bits(data: Any) -> tuple[int, int, int]:
    """Bits allocated, bits stored, high bit; the usual values if the last two are absent."""
    allocated = e.integer(data, e.BITS_ALLOCATED) or 0
    stored = e.integer(data, e.BITS_STORED)
    stored = allocated if stored is None else stored
    high = e.integer(data, e.HIGH_BIT)
    return allocated, stored, stored - 1 if high is None else high


def _laterality(data: Any, shared: Any) -> str:
    side = e.text(data, e.IMAGE_LATERALITY) or e.text(data, e.LATERALITY)
    if side:
        return side
    anatomy = None if shared is None else first_of(e.items(shared, e.FRAME_ANATOMY))
    return e.text(anatomy or data, e.FRAME_LATERALITY)


def _plain(text: str) -> str:
    """Normalise a patient's text for comparison: ignore capitals, carets and extra spaces.

    Of a name in several scripts (PS3.5 6.2.1) the first one counts.
    """
    return " ".join(text.partition("=")[0].replace("^", " ").casefold().split())


def _check_kind(data: Any, guard: Guard, any_modality: bool) -> None:
    """Raises Skip for a file that is not a grey CT image; any_modality: not a grey image."""
    kind = e.text(data, e.SOP_CLASS) or e.text(data.file_meta, e.META_CLASS)
    modality = e.text(data, e.MODALITY).upper()
    image_type = e.text(data, e.IMAGE_TYPE).upper().split("\\")
    if kind == DICOMDIR_CLASS:
        raise Skip("dicomdir")
    if not any_modality and not kind and not modality:
        raise Skip(_code_of_unnamed(data, guard))
    if modality in NOT_IMAGES or not {"LOCALIZER", "SCOUT"}.isdisjoint(image_type):
        raise Skip("not_ct_volume")
    if not any_modality and kind not in CT_CLASSES and modality != "CT":
        raise Skip("not_ct")
    if guard.pixels is None:
        raise Skip("corrupt_header" if guard.open_ended else "truncated")
    captured = kind.startswith(SECONDARY_CAPTURE) and not _has_position(data)
    if (captured and not any_modality) or not _is_grey(data):
        raise Skip("not_ct")


def _code_of_unnamed(data: Any, guard: Guard) -> str:
    """The skip code of a file without SOP class and modality."""
    if guard.pixels:
        return "not_ct"
    return "not_dicom" if data.preamble is None else "truncated"


def _has_position(data: Any) -> bool:
    return e.ORIENTATION in data or e.SHARED_GROUPS in data


def _is_grey(data: Any) -> bool:
    photometric = e.text(data, e.PHOTOMETRIC).upper()
    samples = e.integer(data, e.SAMPLES) or 1
    return samples == 1 and photometric in ("MONOCHROME1", "MONOCHROME2", "")
