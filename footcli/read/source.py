"""Feed one file's bytes to pydicom's parser with limits on size, elements, reads and inflation."""

from __future__ import annotations

import io
import logging
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from footcli.errors import ReadError
from footcli.system.files import open_regular
from footcli.system.names import safe_text

HEADER_LIMIT = 64 * 2**20
"""Bytes of header, which is everything before the pixels."""
ELEMENT_LIMIT = 20_000
"""Elements at the top level of one header."""
READ_LIMIT = 1_000_000
"""Reads during parsing of one header; limits the elements in nested sequences (two or three reads
each).
"""
INFLATED_LIMIT = 256 * 2**20
"""Bytes of a deflated file after inflation."""
FIRST_BYTES = 2**18
"""Bytes of the first read; nearly every header fits."""
DEFLATED = b"1.2.840.10008.1.2.1.99"
EXPLICIT = "1.2.840.10008.1.2.1"
PIXEL_TAGS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
UNDEFINED = 0xFFFFFFFF

_T = TypeVar("_T")


class Skip(Exception):
    """The file is left out; `code` states why and is counted in Volume.skipped."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class PixelSpan:
    """Position of the pixel data: `offset` and `length`, bytes in the file or its inflated content.

    length: UNDEFINED for compressed data. implicit: the file is in fact written with implicit VR,
    whatever transfer syntax it declares. words: the data are 16-bit words (OW), whatever the pixel
    size.
    """

    offset: int
    length: int
    is_float: bool
    implicit: bool
    words: bool


class Source(io.BytesIO):
    """A byte stream that counts its reads, to limit time and memory inside pydicom."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read like any stream. Raises Skip too_large after READ_LIMIT reads."""
        self.reads += 1
        if self.reads > READ_LIMIT:
            raise Skip("too_large")
        return super().read(size)


class Guard:
    """pydicom's stop callback: checks every element against limits and records the PixelSpan.

    size: bytes of the whole content.
    """

    def __init__(self, source: Source, size: int) -> None:
        self.source, self.size = source, size
        self.elements = 0
        self.open_ended = False
        self.pixels: PixelSpan | None = None

    def __call__(self, tag: int, vr: str | None, length: int) -> bool:
        """Whether pydicom must stop before this element.

        Raises Skip too_large, corrupt_header, truncated.
        """
        start = self.source.tell()
        if tag in PIXEL_TAGS:
            self.pixels = PixelSpan(
                start, length, tag != 0x7FE00010, vr is None, vr in (None, "OW")
            )
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
    """The first `limit` bytes of a regular file and its whole size.

    Raises Skip special_file, io_error.
    """
    try:
        with open_regular(path) as file:
            data = file.read(limit)
            return data, file.seek(0, io.SEEK_END)
    except IsADirectoryError:
        raise Skip("special_file") from None
    except OSError:
        raise Skip("io_error") from None


def inflate(path: Path) -> bytes:
    """The bytes of a deflated file, with the data set inflated and the syntax set to explicit VR.

    Raises ReadError bomb; Skip corrupt_header, truncated, special_file, io_error.
    """
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
        raise ReadError("bomb", file=safe_text(path.name), limit=INFLATED_LIMIT >> 20)
    if not unpacker.eof:
        raise Skip("truncated")
    return data[:start].replace(DEFLATED, EXPLICIT.encode().ljust(len(DEFLATED), b"\0"), 1) + body


def looks_like_dicom(data: bytes) -> bool:
    """Whether the first bytes of a file may be a DICOM data set, with or without preamble."""
    if data[128:132] == b"DICM":
        return True
    # Without preamble it starts with an element of group 2 or 8, in either byte order, whose value
    # is short.
    if len(data) < 132 or data[:2] not in (b"\x02\0", b"\x08\0", b"\0\x08"):
        return False
    order = "big" if data[0] == 0 else "little"
    explicit = data[4:6].isalpha() and data[4:6].isupper()
    length = int.from_bytes(
        data[6:8] if explicit else data[4:8], "big" if order == "big" else "little"
    )
    return length <= 256


def guarded(step: Callable[[], _T]) -> _T:
    """Run pydicom without its warnings, which quote values; turn what it raises into a Skip."""
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
    except Exception:  # noqa: BLE001 - pydicom raises many kinds on malformed files
        raise Skip("corrupt_header") from None
    finally:
        log.disabled = was
