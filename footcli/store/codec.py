"""The one codec between footcli's types and plain JSON values, by msgspec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import numpy as np

from footcli.text.lines import DECIMALS, Line, Value
from footcli.text.wording import AS_WRITTEN, text

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Dataclasses, enums, lines, NumPy values -> plain JSON types, not rounded."""
    return msgspec.to_builtins(value, enc_hook=_encode)


def from_plain(data: Any, kind: type[T]) -> T:
    """Plain JSON values -> a dataclass. Raises ValueError with the path of the faulty value."""
    try:
        return msgspec.convert(data, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def line_json(line: Line) -> dict[str, Any]:
    """The JSON object of a line: code, values and English text."""
    values = {key: to_plain(value) for key, value in line.values.items()}
    return {"code": line.code, "values": values, "text": text(line)}


def line_from(data: Any) -> Line:
    """The line of a JSON object; if this version has no wording for it, it keeps its old text.

    Raises ValueError if the object is not a line.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("code"), str):
        raise ValueError("a line must be an object with a code")
    values = data.get("values")
    if not isinstance(values, Mapping):
        raise ValueError("a line must have values")
    line = Line(data["code"], **{str(key): _value(item) for key, item in values.items()})
    try:
        text(line)
    except (KeyError, ValueError, IndexError, AttributeError, TypeError):
        return Line(data["code"], **{AS_WRITTEN: str(data.get("text", data["code"]))})
    return line


def as_written(code: str, stated: Any) -> dict[str, Any]:
    """The JSON object of a line of which only the English text is known."""
    return {"code": code, "values": {AS_WRITTEN: str(stated)}, "text": str(stated)}


def dumps(value: Any) -> str:
    """JSON text, the same for the same content: keys sorted, floats to 3 decimals, UTF-8.

    Lone surrogates (file names that are not UTF-8) become JSON escapes. Raises ValueError for NaN
    or infinity.
    """
    plain = _rounded(to_plain(value))
    written = json.dumps(plain, allow_nan=False, sort_keys=True, ensure_ascii=False, indent=1)
    return written.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def _value(item: Any) -> Value:
    if isinstance(item, Mapping):
        return line_from(item)
    if isinstance(item, list | tuple):
        return tuple(part if isinstance(part, str) else line_from(part) for part in item)
    if isinstance(item, str | int | float):
        return item
    raise ValueError("a value of a line must be a text, a number, a line or several")


def _encode(value: Any) -> Any:
    if isinstance(value, Line):
        return line_json(value)
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")


def _decode(kind: type, data: Any) -> Any:
    if kind is Line:
        return line_from(data)
    raise NotImplementedError(f"{kind.__name__} has no JSON form")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS) + 0.0  # + 0.0: no "-0.0"
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
