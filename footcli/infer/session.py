"""Opens and runs a model: the only file that uses onnxruntime, which is imported on first use.

Models are semi-trusted: the file is inspected first (onnxfile), read as bytes so that it cannot
refer to other files, opened under a memory limit on the CPU, and tried on small images, so that a
bad model stops the run before the first case.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from footcli.errors import InferenceError, SetupError
from footcli.infer.contract import check_answers, pictures_of
from footcli.infer.model_file import PICTURE, VOLUME, bad_model, check_input, read_model
from footcli.infer.onnx_text import error_line, printable
from footcli.infer.spec import ModelSpec
from footcli.system.cores import cpu_count
from footcli.system.memory import memory_limit

Device = Literal["auto", "cpu", "cuda"]
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_SILENT = 4  # onnxruntime's log level "fatal"
_TRIAL_PX = 64  # edge of the trial image if the model leaves it open; a multiple of every stride
_MAX_INPUT = 2**26  # numbers in one input: 64 channels of 1024 x 1024
# Address space for opening and trial: a malicious model asks for far more, a real one for far less
_OPENING_BYTES = 3 * 2**30


class Runner(Protocol):
    """A network as inference uses it, opened here or in training."""

    def run(self, array: NDArray[np.float32]) -> list[NDArray[Any]]:
        """All outputs for float32 (n, channels, rows, columns)."""


class Session:
    """An opened model. Not to be shared between threads.

    provider: the one onnxruntime uses; device: "cpu" or "cuda". shape: (images, channels, rows,
    columns), None where the model leaves it open. metadata: the file's metadata_props, unchecked.
    """

    __slots__ = ("_input", "_session", "device", "file", "metadata", "provider", "shape")

    def __init__(self, session: Any, file: str) -> None:
        first = session.get_inputs()[0]
        self._session = session
        self._input: str = first.name
        self.file = file
        self.shape: tuple[int | None, ...] = tuple(
            x if isinstance(x, int) else None for x in first.shape
        )
        self.metadata: Mapping[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        self.provider: str = session.get_providers()[0]
        self.device: Literal["cpu", "cuda"] = "cuda" if self.provider == _CUDA else "cpu"

    def run(self, array: NDArray[np.float32]) -> list[NDArray[Any]]:
        """All outputs for float32 (n, channels, rows, columns).

        Raises InferenceError: "model_failed" if the model rejects the input, "nan_output" for NaN
        or infinity in an output.
        """
        outputs = self._call(array)
        if not all(map(_is_finite, outputs)):
            raise InferenceError("nan_output", model=self.file)
        return outputs

    def _call(self, array: NDArray[np.float32]) -> list[NDArray[Any]]:
        given = {self._input: np.ascontiguousarray(array, dtype=np.float32)}
        try:
            return [np.asarray(output) for output in self._session.run(None, given)]
        except Exception as error:  # onnxruntime's errors have no common base class
            raise InferenceError(
                "model_failed.run",
                model=self.file,
                shape=str(array.shape),
                reason=error_line(error),
            ) from error


def _is_finite(output: NDArray[Any]) -> bool:
    if not output.size or output.dtype.kind != "f":
        return True
    return bool(np.isfinite(output.min()) and np.isfinite(output.max()))


def open_session(
    path: Path, device: Device = "auto", threads: int | None = None, spec: ModelSpec | None = None
) -> Session:
    """Open and try a model file. threads: None for cpu_count().

    spec: the manifest entry, which the file must match. device "auto" uses CUDA if this onnxruntime
    has it (see Session.device); "cuda" never falls back. Raises SetupError for an unusable model,
    or for "cuda" without CUDA.
    """
    import onnxruntime as ort

    ort.set_default_logger_severity(_SILENT)
    has_cuda = _CUDA in ort.get_available_providers()
    if device == "cuda" and not has_cuda:
        raise SetupError(
            "device cuda: this onnxruntime has no CUDA: pip install onnxruntime-gpu, or use "
            "--device cpu"
        )
    data = read_model(path)
    use_cuda = has_cuda and device != "cpu"
    with _quiet_libraries(ort) if use_cuda else memory_limit(_OPENING_BYTES):
        try:
            session = _open(ort, data, threads, [_CUDA, _CPU] if use_cuda else [_CPU])
            check_input(session, path, spec)
            opened = Session(session, path.name)
        except SetupError:
            raise
        # onnxruntime's errors have no common base class; names that are not UTF-8 raise as well
        except Exception as error:
            raise bad_model(path, error_line(error)) from error
        if device == "cuda" and opened.device != "cuda":
            problem = (
                "device cuda: onnxruntime fell back to the CPU (driver, CUDA or cuDNN missing)"
            )
            raise SetupError(f"{problem}: repair that, or use --device cpu")
        _try(opened, path, spec)
    return opened


def _open(ort: Any, data: bytes, threads: int | None, providers: list[str]) -> Any:
    """onnxruntime's session, on the CPU if CUDA raises; its own fallback would print to stdout."""
    options = _options(ort, threads)
    try:
        return ort.InferenceSession(data, options, providers=providers, enable_fallback=0)
    except Exception:
        if providers == [_CPU]:
            raise
        return ort.InferenceSession(data, options, providers=[_CPU], enable_fallback=0)


def _options(ort: Any, threads: int | None) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = _SILENT
    options.intra_op_num_threads = max(1, threads if threads is not None else cpu_count())
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # spinning threads take CPU time from the other workers
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _try(opened: Session, path: Path, spec: ModelSpec | None) -> None:
    """Run it on small images and check its outputs against the entry.

    Without an entry: on one empty image, with any output. Raises SetupError.
    """
    channels = spec.input_channels if spec else 1
    free_sizes = (1, channels, *(_TRIAL_PX,) * (len(opened.shape) - 2))
    sizes = [free if x is None else x for x, free in zip(opened.shape, free_sizes, strict=True)]
    if min(sizes) < 1 or math.prod(sizes) > _MAX_INPUT:
        raise bad_model(path, f"its input shape {sizes} makes no sense")
    try:
        if spec is None:
            opened._call(np.zeros(sizes, np.float32))
        else:
            _check_sizes(opened, spec)
            check_answers(spec, opened._call, opened.metadata)
    except InferenceError as error:
        raise bad_model(path, error_line(error.__cause__ or error)) from error
    except ValueError as error:
        raise bad_model(path, printable(str(error))) from error


def _check_sizes(opened: Session, spec: ModelSpec) -> None:
    """Raises ValueError for a fixed batch other than 1, or a fixed image size that does not fit."""
    batch, _, *fixed = opened.shape
    if batch not in (None, 1):
        raise ValueError(
            f"its input takes {batch} pictures at once, 1 is wanted: export it with a batch of 1 "
            "or an open one"
        )
    wanted = pictures_of(spec)
    if all(_takes(fixed, picture) for picture in wanted):
        return
    found = " x ".join("any" if size is None else str(size) for size in fixed)
    words = " x ".join(f"any {name}" for name in (VOLUME if len(fixed) > 2 else PICTURE)[2:])
    if spec.task == "landmarks":
        words = " or ".join(f"{rows} x {columns}" for rows, columns in wanted)
    raise ValueError(
        f"its input is fixed to {found} pixels, {words} is wanted: export it with an open "
        "image size (dynamic axes)"
    )


def _takes(fixed: Sequence[int | None], picture: Sequence[int]) -> bool:
    return all(size in (None, shown) for size, shown in zip(fixed, picture, strict=True))


@contextlib.contextmanager
def _quiet_libraries(ort: Any) -> Iterator[None]:
    """Let onnxruntime find CUDA's libraries in pip packages.

    Its prints are hidden: the later checks report missing libraries more clearly.
    """
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):
            ort.preload_dlls()
    yield
