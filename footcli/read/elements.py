"""Read single values of a pydicom data set from their raw bytes.

pydicom's own conversion is slow and puts the value (patient data) into its warnings; only about
thirty elements are needed.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from pydicom.dataelem import DataElement

PATIENT_NAME, PATIENT_ID, BIRTH_DATE, SEX, AGE = (
    0x00100010,
    0x00100020,
    0x00100030,
    0x00100040,
    0x00101010,
)
IMAGE_TYPE, SOP_CLASS, MODALITY = 0x00080008, 0x00080016, 0x00080060
STUDY_DESCRIPTION, SERIES_DESCRIPTION, PROTOCOL = 0x00081030, 0x0008103E, 0x00181030
SERIES_UID, SERIES_NUMBER, INSTANCE_NUMBER = 0x0020000E, 0x00200011, 0x00200013
POSITION, ORIENTATION, LATERALITY, IMAGE_LATERALITY, FRAME_LATERALITY = (
    0x00200032,
    0x00200037,
    0x00200060,
    0x00200062,
    0x00209072,
)
SLICE_THICKNESS, SLICE_SPACING = 0x00180050, 0x00180088
SAMPLES, PHOTOMETRIC, FRAMES, ROWS, COLUMNS, PIXEL_SPACING = (
    0x00280002,
    0x00280004,
    0x00280008,
    0x00280010,
    0x00280011,
    0x00280030,
)
BITS_ALLOCATED, BITS_STORED, HIGH_BIT, SIGNED, BURNED_IN = (
    0x00280100,
    0x00280101,
    0x00280102,
    0x00280103,
    0x00280301,
)
INTERCEPT, SLOPE = 0x00281052, 0x00281053
SHARED_GROUPS, FRAME_GROUPS = 0x52009229, 0x52009230
PLANE_POSITION, PLANE_ORIENTATION, PIXEL_MEASURES, PIXEL_VALUES, FRAME_ANATOMY = (
    0x00209113,
    0x00209116,
    0x00289110,
    0x00289145,
    0x00209071,
)
META_CLASS, META_SYNTAX = 0x00020002, 0x00020010


def text(data: Any, tag: int) -> str:
    """The value as text without padding; several values are joined by a backslash; "" if absent."""
    element = data.get_item(tag, keep_deferred=True)
    value = None if element is None else element.value
    if value is None:
        return ""
    if isinstance(element, DataElement):
        return "\\".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return _decode(bytes(value)).strip("\0 \r\n\t")


def integer(data: Any, tag: int) -> int | None:
    """A binary number (US, UL) as int; None if absent or empty."""
    element = data.get_item(tag, keep_deferred=True)
    value = None if element is None else element.value
    if value is None or value == b"":
        return None
    if isinstance(value, bytes):
        return int.from_bytes(value[:4], "little" if element.is_little_endian else "big")
    return int(value) if isinstance(value, (int, float)) else None


def count(data: Any, tag: int) -> int | None:
    """A number written as text (IS) as int; None if absent, empty or not a whole number."""
    try:
        return int(text(data, tag))
    except ValueError:
        return None


def numbers(data: Any, tag: int) -> tuple[float, ...] | None:
    """Numbers written as text (DS); None if absent or empty.

    NaN stands for each value that is not a number, for example `0,4`.
    """
    value = text(data, tag)
    return tuple(_number(part) for part in value.split("\\")) if value else None


def items(data: Any, tag: int) -> list[Any]:
    """The items of a sequence; empty if absent."""
    return list(data[tag].value) if tag in data else []


def _number(part: str) -> float:
    try:
        return float(part) if "_" not in part else float("nan")
    except ValueError:
        return float("nan")


def _decode(value: bytes) -> str:
    for encoding in ("utf-8", "cp949"):
        try:
            return value.decode(encoding)
        except UnicodeDecodeError:
            pass
    return value.decode("latin-1")


def length(data: Any, tag: int) -> float | None:
    """A length in mm, without sign; None if it is absent or no number above 0."""
    values = numbers(data, tag)
    return abs(values[0]) if values and isfinite(values[0]) and values[0] else None
