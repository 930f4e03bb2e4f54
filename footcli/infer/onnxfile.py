"""Inspect an ONNX file before a runtime opens it: is it ONNX, complete, without external files?

Reads bytes only.

An ONNX file is a protobuf message; the field numbers below are those of onnx.proto3 (ONNX 1.16,
ModelProto and what it holds).
"""

from __future__ import annotations

from collections.abc import Iterator

# Message -> field number -> message in that field; only the paths that lead to tensors
_WIRE_TYPES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_GRAPH, _OPSET, _EXTERNAL_DATA, _DATA_LOCATION = 7, 8, 13, 14
_MAX_DEPTH = 64  # graphs within graphs; real models have two or three
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def fault(data: bytes) -> str | None:
    """The fault of a model file's bytes, as text that follows "bad model FILE: "; None if none."""
    if not data:
        return "it is empty"
    if (data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05") or data[:4] == b"PK\x03\x04":
        return "it is a pickle or zip file (a PyTorch checkpoint, it seems), not ONNX"
    try:
        if not {_GRAPH, _OPSET} <= {number for number, _ in _fields(memoryview(data))}:
            return "it is not an ONNX file, or it is cut off (no graph or no operator set in it)"
        external = _asks_for_files(memoryview(data), "model", 0)
    except (IndexError, ValueError):
        return "it is not an ONNX file, or it is cut off"
    return "it keeps weights in other files, which is not allowed" if external else None


def _asks_for_files(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise ValueError("too deep")
    for number, value in _fields(message):
        if kind == "tensor" and (
            number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
        ):
            return True
        inner = _WIRE_TYPES[kind].get(number)
        if inner and isinstance(value, memoryview) and _asks_for_files(value, inner, depth + 1):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of a protobuf message.

    Raises IndexError or ValueError if the bytes are not one.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(message, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if number == 0 or at + size > len(message):
            raise ValueError("a field runs past the end")
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")
