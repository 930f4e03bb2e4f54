"""Convert the frames of one file to Hounsfield units: unpack, mask, sign, rescale."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from footcli.errors import ReadError
from footcli.read.codecs import decode_frame
from footcli.read.headers import FRAME_LIMIT, NATIVE, RLE, Header
from footcli.read.source import UNDEFINED, Skip, inflate
from footcli.system.files import open_regular

FRAGMENT_LIMIT = 100_000
"""Fragments of one file's compressed pixel data."""
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_INT16 = np.iinfo(np.int16)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded frame. hu: int16 (rows, columns), HU. clipped: some were outside int16."""

    index: int
    hu: NDArray[np.int16]
    clipped: bool


def check_pixel_tags(header: Header) -> None:
    """Reject pixel tags that no valid CT image has.

    Raises ReadError geometry_mismatch, unsupported_bits.
    """
    allocated, stored = header.bits_allocated, header.bits_stored
    if (
        header.pixels.is_float
        or allocated not in (8, 16)
        or not 1 <= stored <= allocated
        or not stored - 1 <= header.high_bit < allocated
    ):
        raise ReadError("unsupported_bits", file=header.name)
    frame = frame_bytes(header)
    if not 0 < frame <= FRAME_LIMIT:
        size = {"rows": header.rows, "columns": header.columns}
        raise ReadError("geometry_mismatch.size", file=header.name, **size)
    if header.syntax in NATIVE and header.pixels.length < frame // 2:
        raise ReadError("geometry_mismatch.fewer", file=header.name)
    expected = frame * len(header.frames)
    # values are padded to an even length
    if header.syntax in NATIVE and header.pixels.length > expected + expected % 2:
        raise _surplus(header)


def _surplus(header: Header) -> ReadError:
    """The error for more data than the tags state: rows, columns or bits must be wrong.

    The image would be sheared or cropped if it were read as stated.
    """
    return ReadError("geometry_mismatch.more", file=header.name)


def frame_bytes(header: Header) -> int:
    """Bytes of one uncompressed frame."""
    return header.rows * header.columns * header.bits_allocated // 8


def frames(header: Header, wanted: tuple[int, ...]) -> Iterator[Frame]:
    """Decode the frames of a file with the `wanted` indices, in that order.

    Raises Skip if the data ends early (truncated) or cannot be read (io_error); ReadError
    pixel_corrupt, geometry_mismatch, unsupported_codec, bad_rescale.
    """
    try:
        with (
            io.BytesIO(inflate(header.path))
            if header.deflated
            else open_regular(header.path) as file
        ):
            if header.syntax in NATIVE:
                parts = ((i, _native(file, header, i)) for i in wanted)
            else:
                spans = _spans(file, header)
                parts = ((i, decode_frame(_joined(file, spans[i]), header)) for i in wanted)
            for i, stored in parts:
                hu, clipped = _rescaled(_values(stored, header), header, i)
                yield Frame(i, hu, clipped)
    except OSError:
        raise Skip("io_error") from None


def _native(file: BinaryIO, header: Header, index: int) -> NDArray[Any]:
    size = frame_bytes(header)
    first = index * size
    # 8-bit pixels in big-endian words: two per word, the second one first
    swapped = header.bits_allocated == 8 and header.big_endian and header.pixels.words
    skipped = first % 2 if swapped else 0  # start at a whole word
    file.seek(header.pixels.offset + first - skipped)
    data = file.read(
        min(size + skipped + (size + skipped) % 2 * swapped, header.pixels.length - first + skipped)
    )
    if swapped:
        data = np.frombuffer(data[: len(data) // 2 * 2], "<u2").byteswap().tobytes()
    data = data[skipped : skipped + size]
    if len(data) < size:
        raise Skip("truncated")
    kind = (
        np.dtype(np.uint8)
        if header.bits_allocated == 8
        else np.dtype(">u2" if header.big_endian else "<u2")
    )
    return np.frombuffer(data, kind).reshape(header.rows, header.columns)


def _spans(file: BinaryIO, header: Header) -> list[list[tuple[int, int]]]:
    """(offset, length) of the fragments of each frame (DICOM PS3.5 A.4)."""
    file.seek(header.pixels.offset)
    found: list[tuple[int, int]] = []
    end = file.seek(0, io.SEEK_END)
    at = header.pixels.offset
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            raise Skip("truncated")
        length = int.from_bytes(head[4:], "little")
        if head[:4] == _END:
            break
        if head[:4] != _ITEM or length == UNDEFINED or len(found) > FRAGMENT_LIMIT:
            raise _damaged(header)
        if at + 8 + length > end:
            raise Skip("truncated")
        found.append((at + 8, length))
        at += 8 + length
    if not found:
        raise _damaged(header)
    table, fragments = found[0], found[1:]
    return _frames_of(file, header, table, fragments)


def _frames_of(
    file: BinaryIO, header: Header, table: tuple[int, int], fragments: list[tuple[int, int]]
) -> list[list[tuple[int, int]]]:
    """The fragments of each frame. table: (offset, length) of the basic offset table."""
    number = len(header.frames)
    if number == 1 and fragments:
        _check_one_image(file, header, fragments)
        return [fragments]
    if number == len(fragments):
        return [[fragment] for fragment in fragments]
    if table[1] != 4 * number or not fragments:
        raise _damaged(header)
    file.seek(table[0])
    base = fragments[0][0] - 8
    starts = (np.frombuffer(file.read(table[1]), "<u4").astype(np.int64) + base).tolist()
    at = [offset - 8 for offset, _ in fragments]
    if starts != sorted(set(starts) & set(at)):
        raise _damaged(header)
    firsts = [*map(at.index, starts), len(fragments)]
    return [fragments[a:b] for a, b in pairwise(firsts)]


def _check_one_image(file: BinaryIO, header: Header, fragments: list[tuple[int, int]]) -> None:
    """Check that the fragments of a single frame are one image, not several.

    An RLE frame is always one fragment (PS3.5 A.4). Raises ReadError geometry_mismatch.
    """
    starts = []
    for offset, _ in fragments[1:]:
        file.seek(offset)
        starts.append(file.read(2))
    if starts and (
        header.syntax == RLE or any(start in (b"\xff\xd8", b"\xff\x4f") for start in starts)
    ):
        raise _surplus(header)


def _joined(file: BinaryIO, spans: list[tuple[int, int]]) -> bytes:
    parts = []
    for offset, length in spans:
        file.seek(offset)
        parts.append(file.read(length))
    return b"".join(parts)


def _damaged(header: Header) -> ReadError:
    return ReadError("pixel_corrupt", file=header.name)


def _values(stored: NDArray[Any], header: Header) -> NDArray[np.int32]:
    """Pixel values from stored cells: remove unused bits, extend the sign (PS3.5 8.1.1)."""
    values = stored.astype(np.int32)
    half = 1 << (header.bits_stored - 1)
    if header.syntax not in NATIVE:
        values = _checked(values, stored.dtype.itemsize * 8, header)
    elif header.high_bit >= header.bits_stored:
        values >>= header.high_bit + 1 - header.bits_stored
    if header.bits_stored < 16 or header.signed:
        values &= (1 << header.bits_stored) - 1
    if header.signed:
        values = (values ^ half) - half
    return values


def _checked(values: NDArray[np.int32], bits: int, header: Header) -> NDArray[np.int32]:
    """Check a decoder's values. Raises ReadError for fewer or more bits than the tags state."""
    if bits < header.bits_stored:
        raise ReadError("geometry_mismatch.bits_fewer", file=header.name)
    half = 1 << (header.bits_stored - 1)
    if header.signed:  # some encoders fill the unused bits with the sign
        wide = 1 << header.bits_allocated
        values = np.where(values >= wide // 2, values - wide, values)
    if not (values.min() >= -half and values.max() < 2 * half):
        raise ReadError("geometry_mismatch.bits_more", file=header.name)
    return values


def _rescaled(
    values: NDArray[np.int32], header: Header, index: int
) -> tuple[NDArray[np.int16], bool]:
    """int16 Hounsfield units, and whether some were clipped. Raises ReadError bad_rescale."""
    tags = header.frames[index]
    slope = 1.0 if tags.slope is None else tags.slope
    intercept = 0.0 if tags.intercept is None else tags.intercept
    if not (isfinite(slope) and isfinite(intercept) and slope > 0):
        raise ReadError("bad_rescale", file=header.name)
    whole = slope == 1.0 and intercept.is_integer() and abs(intercept) < 2**20
    if whole:
        hu: NDArray[Any] = values + np.int32(intercept)
    else:
        hu = np.rint(values * slope + intercept)
    beyond = bool(hu.min() < _INT16.min or hu.max() > _INT16.max)
    if beyond:
        hu = np.clip(hu, _INT16.min, _INT16.max)
    return hu.astype(np.int16), beyond
