"""Read a model file as bytes, check its input, and word the error for an unusable one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from footcli.errors import SetupError
from footcli.infer.manifest import MAX_MODEL_BYTES, NAME
from footcli.infer.onnxfile import fault
from footcli.infer.spec import ModelSpec

PICTURE = ("images", "channels", "rows", "columns")
VOLUME = ("images", "channels", "slices", "rows", "columns")


def read_model(path: Path) -> bytes:
    """The bytes of a model file.

    Raises SetupError if it is missing, too large, not ONNX, or refers to other files.
    """
    try:
        if not path.is_file():
            raise SetupError(f"{path}: no such model file")
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise bad_model(path, f"it is larger than {MAX_MODEL_BYTES >> 20} MB")
        data = path.read_bytes()
    except OSError as error:
        raise SetupError(f"{path}: cannot be read ({error.strerror})") from error
    if reason := fault(data):
        raise bad_model(path, reason)
    return data


def check_input(session: Any, path: Path, spec: ModelSpec | None) -> None:
    """Raises SetupError unless the input is one float32 (images, channels, rows, columns).

    A finder's is (images, channels, slices, rows, columns). The channels must be those of the spec.
    """
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise bad_model(path, f"it has {len(inputs)} inputs, one is wanted")
    shape = inputs[0].shape
    if inputs[0].type != "tensor(float)":
        raise bad_model(path, f"its input is {inputs[0].type}, float32 is wanted")
    named = VOLUME if spec and spec.task == "finder" else PICTURE
    if len(shape) != len(named):
        words = f"{len(named)} are wanted ({', '.join(named)})"
        raise bad_model(path, f"its input has {len(shape)} dimensions, {words}")
    if spec and isinstance(shape[1], int) and shape[1] != spec.input_channels:
        raise bad_model(
            path, f"its input has {shape[1]} channels, the manifest says {spec.input_channels}"
        )


def bad_model(path: Path, reason: str) -> SetupError:
    """The error for a model file that cannot be used."""
    return SetupError(
        f"bad model {path.name}: {reason.rstrip('.')}, export it again or correct its entry in "
        f"{NAME}"
    )
