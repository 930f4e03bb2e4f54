"""Decompress frames to stored values.

The header of each compressed stream is checked against the tags before memory is allocated.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from footcli.errors import ReadError
from footcli.read.headers import RLE, Header

Decoder = Callable[[bytes, Header], NDArray[Any]]

RLE_RATIO = 64
"""Greatest ratio of decoded to encoded bytes: PackBits expands 2 bytes to at most 128."""


def decode_frame(data: bytes, header: Header) -> NDArray[Any]:
    """One compressed frame -> (rows, columns) stored values, before masking and sign.

    Raises ReadError geometry_mismatch, pixel_corrupt, unsupported_codec.
    """
    known = _CODECS.get(header.syntax)
    if known is None:
        raise ReadError("unsupported_codec", file=header.name, syntax=_shown(header.syntax))
    measure, decoders = known
    size = measure(data)
    if size is None:
        raise ReadError("pixel_corrupt", file=header.name)
    if size != (header.rows, header.columns, 1) and measure is not _no_size:
        raise ReadError("geometry_mismatch.compressed", file=header.name)
    for decoder in decoders:
        try:
            values = decoder(data, header)
        except ImportError:
            continue
        except (KeyboardInterrupt, SystemExit, ReadError):
            raise
        except BaseException:  # noqa: BLE001 - a panic in a Rust codec is no Exception
            raise ReadError("pixel_corrupt.decode", file=header.name) from None
        if values.shape != (header.rows, header.columns):
            raise ReadError("geometry_mismatch.decoded", file=header.name)
        return values
    raise ReadError("unsupported_codec.package", file=header.name, syntax=_shown(header.syntax))


def _shown(syntax: str) -> str:
    return syntax if len(syntax) <= 64 and set(syntax) <= set("0123456789.") else "(not a UID)"


def _no_size(data: bytes) -> tuple[int, int, int] | None:
    return (0, 0, 0) if len(data) >= 64 else None


def _jpeg_size(data: bytes) -> tuple[int, int, int] | None:
    """(rows, columns, components) from the SOF segment of JPEG or JPEG-LS (ITU-T T.81 B.2).

    None if there is no such segment.
    """
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 < len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            return (
                int.from_bytes(data[at + 5 : at + 7], "big"),
                int.from_bytes(data[at + 7 : at + 9], "big"),
                data[at + 9],
            )
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _j2k_size(data: bytes) -> tuple[int, int, int] | None:
    """(rows, columns, components) from the SIZ segment of JPEG 2000 (ISO 15444-1 A.5.1).

    The code stream may be bare or in a JP2 box. None if there is no such segment.
    """
    at = data[:4096].find(b"\xff\x4f\xff\x51")
    if at < 0 or at + 42 > len(data):
        return None
    x1, y1, x0, y0 = (
        int.from_bytes(data[at + 8 + 4 * k : at + 12 + 4 * k], "big") for k in range(4)
    )
    return y1 - y0, x1 - x0, int.from_bytes(data[at + 40 : at + 42], "big")


def _rle(data: bytes, header: Header) -> NDArray[Any]:
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.uid import RLELossless

    if header.rows * header.columns * header.bits_allocated // 8 > RLE_RATIO * len(data):
        raise ReadError("pixel_corrupt.short", file=header.name)
    with warnings.catch_warnings():
        # pydicom only warns of a segment longer than the tags state; here it counts as damage
        warnings.filterwarnings("error", message=".*non-conformant padding")
        array, _ = get_decoder(RLELossless).as_array(
            encapsulate([data]),
            index=0,
            raw=True,
            rows=header.rows,
            columns=header.columns,
            samples_per_pixel=1,
            number_of_frames=1,
            bits_allocated=header.bits_allocated,
            bits_stored=header.bits_allocated,
            pixel_representation=0,
            photometric_interpretation="MONOCHROME2",
            pixel_keyword="PixelData",
            decoding_plugin="pydicom",
        )
    return np.asarray(array)


def _pillow_jpeg(data: bytes, header: Header) -> NDArray[Any]:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        return np.asarray(image)


def _pillow_j2k(data: bytes, header: Header) -> NDArray[Any]:
    with Image.open(io.BytesIO(data), formats=["JPEG2000"]) as image:
        values = np.asarray(image)
    at = data.find(b"\xff\x4f\xff\x51")
    depth = data[at + 42]
    bits = (depth & 0x7F) + 1
    # Pillow scales to the full bit depth of its mode and shifts signed values to be positive: undo.
    values = values >> ((16 if values.dtype.itemsize > 1 else 8) - bits)
    return values.astype(np.int32) - (1 << (bits - 1)) if depth & 0x80 else values


def _pyjpegls(data: bytes, header: Header) -> NDArray[Any]:
    return np.asarray(import_module("jpeg_ls").decode(np.frombuffer(data, np.uint8)))


def _imagecodecs(function: str) -> Decoder:
    def decode(data: bytes, header: Header) -> NDArray[Any]:
        return np.asarray(getattr(import_module("imagecodecs"), function)(data))

    return decode


_LOSSLESS = (_imagecodecs("ljpeg_decode"),)
_CODECS: dict[str, tuple[Callable[[bytes], tuple[int, int, int] | None], tuple[Decoder, ...]]] = {
    RLE: (_no_size, (_rle,)),
    "1.2.840.10008.1.2.4.50": (_jpeg_size, (_pillow_jpeg,)),
    "1.2.840.10008.1.2.4.51": (_jpeg_size, (_imagecodecs("jpeg8_decode"),)),
    "1.2.840.10008.1.2.4.57": (_jpeg_size, _LOSSLESS),
    "1.2.840.10008.1.2.4.70": (_jpeg_size, _LOSSLESS),
    "1.2.840.10008.1.2.4.80": (_jpeg_size, (_pyjpegls, _imagecodecs("jpegls_decode"))),
    "1.2.840.10008.1.2.4.81": (_jpeg_size, (_pyjpegls, _imagecodecs("jpegls_decode"))),
    "1.2.840.10008.1.2.4.90": (_j2k_size, (_pillow_j2k,)),
    "1.2.840.10008.1.2.4.91": (_j2k_size, (_pillow_j2k,)),
}
