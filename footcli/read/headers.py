"""One file -> its Header, or the reason why it is skipped. The only door to pydicom's parser, with limits around it."""

from __future__ import annotations

import io
import logging
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from pydicom.filereader import read_partial

from footcli.errors import ReadError
from footcli.files import open_regular, safe_text
from footcli.read import elements as e

HEADER_LIMIT = 64 * 2**20
"""Bytes of header, all that comes before the pixels."""
ELEMENT_LIMIT = 20_000
"""Elements at the top level of one header."""
READ_LIMIT = 1_000_000
"""Reads that parsing one header may take: bounds the elements in nested sequences (each takes two or three)."""
INFLATED_LIMIT = 256 * 2**20
"""Bytes of a deflated file once inflated."""
FRAME_LIMIT = 256 * 2**20
"""Bytes of one decoded frame."""
FRAMES_LIMIT = 20_000
"""Frames of one file; the longest real series are a quarter of that."""
FIRST_LOOK = 2**18
"""Bytes read at first: nearly every header fits."""

DEFLATED = b"1.2.840.10008.1.2.1.99"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE = frozenset((IMPLICIT, EXPLICIT, BIG_ENDIAN))
CT_CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.2{suffix}" for suffix in ("", ".1", ".2"))
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
DICOMDIR_CLASS = "1.2.840.10008.1.3.10"
NOT_IMAGES = frozenset(("SR", "SEG", "PR", "KO", "REG", "DOC", "AU", "FID", "PLAN", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD"))
PIXEL_TAGS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
UNDEFINED = 0xFFFFFFFF

_T = TypeVar("_T")


class Skip(Exception):
    """This file is left out; `code` says why and is counted in Volume.skipped."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class FrameTags:
    """What one frame says of itself. Lengths in mm; None where not said, NaN where it is no number."""

    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    slope: float | None
    intercept: float | None


@dataclass(frozen=True, slots=True)
class PixelSpan:
    """Where the pixel data lies: `offset` and `length` in bytes of the file, or of its inflated content."""

    offset: int
    length: int
    is_float: bool


@dataclass(frozen=True, slots=True)
class Header:
    """What reading needs of one file. `patient` is only ever compared; it reaches no message."""

    path: Path
    syntax: str
    syntax_guessed: bool
    big_endian: bool
    deflated: bool
    series: str
    patient: tuple[str, str]
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


class _Source(io.BytesIO):
    """Bytes that count how often they are read: a cap on time and memory inside pydicom."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > READ_LIMIT:
            raise Skip("too_large")
        return super().read(size)


class _Guard:
    """pydicom's stop callback: bounds every element and remembers where the pixels are. `size`: bytes of the whole content."""

    def __init__(self, source: _Source, size: int) -> None:
        self.source, self.size = source, size
        self.elements = 0
        self.open_ended = False
        self.pixels: PixelSpan | None = None

    def __call__(self, tag: int, vr: str | None, length: int) -> bool:
        start = self.source.tell()
        if tag in PIXEL_TAGS:
            self.pixels = PixelSpan(start, length, tag != 0x7FE00010)
            return True
        self.elements += 1
        self.open_ended = length == UNDEFINED
        if self.elements > ELEMENT_LIMIT or start > HEADER_LIMIT:
            raise Skip("too_large")
        if not self.open_ended and start + length > self.size:
            raise Skip("corrupt_header" if length > HEADER_LIMIT else "truncated")
        if not self.open_ended and length > HEADER_LIMIT:
            raise Skip("too_large")
        return False


def load(path: Path, limit: int) -> tuple[bytes, int]:
    """The first `limit` bytes of a regular file and its whole size. Raises Skip special_file, io_error."""
    try:
        with open_regular(path) as file:
            data = file.read(limit)
            return data, file.seek(0, io.SEEK_END)
    except IsADirectoryError:
        raise Skip("special_file") from None
    except OSError:
        raise Skip("io_error") from None


def read_header(path: Path, *, any_modality: bool = False) -> Header:
    """Read one file's header.

    any_modality: take every grey image, whatever its modality says (the data set's own layout, where tags were removed).
    Raises Skip with a code; ReadError where the whole case must not be trusted (bomb, bad_frames, corrupt_header, bad_rescale).
    """
    data, size = load(path, FIRST_LOOK)
    if path.name.upper() == "DICOMDIR":
        raise Skip("dicomdir")
    if not _looks_like_dicom(data):
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


def inflate(path: Path) -> bytes:
    """A deflated file with its data set inflated and its syntax renamed to explicit VR. Raises ReadError bomb, Skip."""
    data, _ = load(path, INFLATED_LIMIT)
    if data[128:132] != b"DICM" or data[132:136] != b"\x02\0\0\0":
        raise Skip("corrupt_header")
    start = 144 + int.from_bytes(data[140:144], "little")
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        body = unpacker.decompress(data[start:], INFLATED_LIMIT)
    except zlib.error:
        raise Skip("corrupt_header") from None
    if unpacker.unconsumed_tail:
        raise ReadError("bomb", f"{safe_text(path.name)} inflates to over {INFLATED_LIMIT >> 20} MB: remove it or store it uncompressed")
    if not unpacker.eof:
        raise Skip("truncated")
    return data[:start].replace(DEFLATED, EXPLICIT.encode().ljust(len(DEFLATED), b"\0"), 1) + body


def _looks_like_dicom(data: bytes) -> bool:
    if data[128:132] == b"DICM":
        return True
    # A bare data set starts with a low element of group 2 or 8, in either byte order, and a short value.
    if len(data) < 132 or data[:2] not in (b"\x02\0", b"\x08\0", b"\0\x08"):
        return False
    order = "big" if data[0] == 0 else "little"
    explicit = data[4:6].isalpha() and data[4:6].isupper()
    length = int.from_bytes(data[6:8] if explicit else data[4:8], "big" if order == "big" else "little")
    return length <= 256


def _parse(path: Path, data: bytes, size: int, deflated: bool, any_modality: bool) -> Header:
    source = _Source(data)
    guard = _Guard(source, size)
    dataset = _guarded(lambda: read_partial(source, stop_when=guard, force=True))
    return _guarded(lambda: _header(path, dataset, guard, size, deflated, any_modality))


def _guarded(step: Callable[[], _T]) -> _T:
    """Run pydicom without its warnings (they quote values); whatever it raises becomes a Skip."""
    log = logging.getLogger("pydicom")
    was, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return step()
    except (Skip, ReadError):
        raise
    except RecursionError:
        raise Skip("too_deep") from None
    except MemoryError:
        raise Skip("too_large") from None
    except Exception:  # pydicom raises a dozen kinds on malformed files; see the design's list
        raise Skip("corrupt_header") from None
    finally:
        log.disabled = was


def _header(path: Path, data: Any, guard: _Guard, size: int, deflated: bool, any_modality: bool) -> Header:
    _check_kind(data, guard, any_modality)
    pixels = guard.pixels
    if pixels is None:
        raise Skip("truncated")
    syntax = e.text(data.file_meta, e.META_SYNTAX)
    implicit, little = bool(data.original_encoding[0]), bool(data.original_encoding[1])
    guessed = not syntax
    if guessed:
        syntax = IMPLICIT if implicit else EXPLICIT if little else BIG_ENDIAN
    elif implicit != (syntax == IMPLICIT):
        raise ReadError("corrupt_header", f"{safe_text(path.name)} is not written in the transfer syntax that it declares: export it again")
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
        patient=(e.text(data, e.PATIENT_ID), e.text(data, e.PATIENT_NAME)),
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
        laterality=side or e.text(_first(e.items(shared, e.FRAME_ANATOMY) if shared is not None else []) or data, e.FRAME_LATERALITY),
        words=" ".join(e.text(data, tag) for tag in (e.SERIES_DESCRIPTION, e.PROTOCOL, e.STUDY_DESCRIPTION)),
        age=e.text(data, e.AGE),
        sex=e.text(data, e.SEX),
        pixels=pixels,
        frames=_frames(path, data, shared, pixels, size),
    )


def _check_kind(data: Any, guard: _Guard, any_modality: bool) -> None:
    kind = e.text(data, e.SOP_CLASS) or e.text(data.file_meta, e.META_CLASS)
    modality = e.text(data, e.MODALITY).upper()
    image_type = e.text(data, e.IMAGE_TYPE).upper().split("\\")
    if kind == DICOMDIR_CLASS:
        raise Skip("dicomdir")
    if not any_modality and not kind and not modality:
        raise Skip("not_ct" if guard.pixels else "not_dicom" if data.preamble is None else "truncated")
    if modality in NOT_IMAGES:
        raise Skip("not_ct_volume")
    if "LOCALIZER" in image_type or "SCOUT" in image_type:
        raise Skip("not_ct_volume")
    if not any_modality and kind not in CT_CLASSES and modality != "CT":
        raise Skip("not_ct")
    if guard.pixels is None:
        raise Skip("corrupt_header" if guard.open_ended else "truncated")
    if kind.startswith(SECONDARY_CAPTURE) and not any_modality and e.ORIENTATION not in data and e.SHARED_GROUPS not in data:
        raise Skip("not_ct")
    if (e.integer(data, e.SAMPLES) or 1) != 1 or e.text(data, e.PHOTOMETRIC).upper() not in ("MONOCHROME1", "MONOCHROME2", ""):
        raise Skip("not_ct")


def _frames(path: Path, data: Any, shared: Any, pixels: PixelSpan, size: int) -> tuple[FrameTags, ...]:
    """The tags of every frame, from the root, the shared and the per-frame groups."""
    number = 1
    if e.text(data, e.FRAMES):
        number = e.count(data, e.FRAMES) or 0
        # Every frame takes at least a byte, so no honest number is larger than the data.
        if not 1 <= number <= min(pixels.length, size, FRAMES_LIMIT):
            raise ReadError("bad_frames", f"{safe_text(path.name)} gives an impossible number of frames: export it again")
    groups = e.items(data, e.FRAME_GROUPS)
    if groups and len(groups) != number:
        raise ReadError("bad_frames", f"{safe_text(path.name)} says {number} frames and describes {len(groups)}: export it again")
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
    """Frames of an older multi-frame file, which places only the first: the rest follow along the normal at the slice spacing."""
    first = _frame_tags([data])
    steps = e.numbers(data, e.SLICE_SPACING) or e.numbers(data, e.SLICE_THICKNESS)
    across = first.orientation
    if first.position is None or len(first.position) != 3 or across is None or len(across) != 6 or not steps or not isfinite(steps[0]):
        return (FrameTags(None, first.orientation, first.spacing, first.slope, first.intercept),) * number
    (a, b, c, p, q, r), (x, y, z) = across, first.position
    normal = (b * r - c * q, c * p - a * r, a * q - b * p)
    return tuple(
        FrameTags(
            (x + k * steps[0] * normal[0], y + k * steps[0] * normal[1], z + k * steps[0] * normal[2]),
            first.orientation, first.spacing, first.slope, first.intercept,
        )
        for k in range(number)
    )  # fmt: skip


def _first(found: list[Any]) -> Any:
    return found[0] if found else None
