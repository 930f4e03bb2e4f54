"""A model, opened and run: the one file that knows onnxruntime, which is imported at the first use.

Models are semi-trusted: the file is looked into first (onnxfile), read as bytes so that it can name
no other file, opened under a memory limit where it runs on the CPU, and tried once on an empty
image, so that a bad model stops the run before the first case.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from footcli.errors import InferenceError, SetupError
from footcli.infer.contract import check_answers, pictures_of
from footcli.infer.manifest import MAX_MODEL_BYTES, NAME
from footcli.infer.onnxfile import fault
from footcli.infer.spec import ModelSpec
from footcli.system.cores import cpu_count

Device = Literal["auto", "cpu", "cuda"]
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_SILENT = 4  # onnxruntime's log level "fatal"
_TRIAL_PX = (
    64  # edge of the trial image where the model leaves it open; a multiple of every stride in use
)
# What onnxruntime says of a file that a newer one may read, with the file's number and its own
_TOO_NEW = {
    "IR version": r"IR version: (\d+).*max supported IR version: (\d+)",
    "opset": r"Opset (\d+) is under .*till opset (\d+)",
}
_MAX_INPUT = 2**26  # numbers in one input; 64 channels of 1024 x 1024
_OPENING_BYTES = (
    3 * 2**30
    # address space that opening and the trial may add: a bomb asks for far more, a real model far
    # less
)


class Runner(Protocol):
    """What inference asks of a network, opened here or in training."""

    def run(self, array: NDArray[np.float32]) -> list[NDArray[Any]]:
        """All outputs for float32 (n, channels, rows, columns)."""


class Session:
    """An opened model. Not to be shared between threads.

    provider: what onnxruntime really uses; device: "cpu" or "cuda". shape: (images, channels, rows,
    columns), None where the model leaves it open. metadata: the file's own metadata_props, as text
    that nobody has checked.
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

        Raises InferenceError: "model_failed" if the model cannot take it, "nan_output" for a NaN or
        infinite number in an output.
        """
        outputs = self._call(array)
        if not all(map(_is_finite, outputs)):
            raise InferenceError("nan_output", model=self.file)
        return outputs

    def _call(self, array: NDArray[np.float32]) -> list[NDArray[Any]]:
        given = {self._input: np.ascontiguousarray(array, dtype=np.float32)}
        try:
            return [np.asarray(output) for output in self._session.run(None, given)]
        except Exception as error:  # onnxruntime has no common root for its errors
            raise InferenceError(
                "model_failed.run",
                model=self.file,
                shape=str(array.shape),
                reason=_line(error),
            ) from error


def _is_finite(output: NDArray[Any]) -> bool:
    if not output.size or output.dtype.kind != "f":
        return True
    return bool(np.isfinite(output.min()) and np.isfinite(output.max()))


def open_session(
    path: Path, device: Device = "auto", threads: int | None = None, spec: ModelSpec | None = None
) -> Session:
    """Open and try a model file. threads: None for cpu_count().

    spec: what the manifest says, to be held against the file.

    "auto" takes CUDA where this onnxruntime has it (Session.device says which it got); "cuda" never
    falls back. Raises SetupError for a model that cannot be used, or for "cuda" where CUDA is not
    to be had.
    """
    import onnxruntime as ort

    ort.set_default_logger_severity(_SILENT)
    has_cuda = _CUDA in ort.get_available_providers()
    if device == "cuda" and not has_cuda:
        raise SetupError(
            "device cuda: this onnxruntime has no CUDA: pip install onnxruntime-gpu, or use "
            "--device cpu"
        )
    data = _read(path)
    use_cuda = has_cuda and device != "cpu"
    with _quiet_libraries(ort) if use_cuda else _memory_limit(_OPENING_BYTES):
        try:
            session = _open(ort, data, threads, [_CUDA, _CPU] if use_cuda else [_CPU])
            _check(session, path, spec)
            opened = Session(session, path.name)
        except SetupError:
            raise
        # onnxruntime has no common root for its errors; names that are no UTF-8 raise as well
        except Exception as error:
            raise _bad(path, _line(error)) from error
        if device == "cuda" and opened.device != "cuda":
            told = "device cuda: onnxruntime fell back to the CPU (driver, CUDA or cuDNN missing)"
            raise SetupError(f"{told}: repair that, or use --device cpu")
        _try(opened, path, spec)
    return opened


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise SetupError(f"{path}: no such model file")
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise _bad(path, f"it is larger than {MAX_MODEL_BYTES >> 20} MB")
        data = path.read_bytes()
    except OSError as error:
        raise SetupError(f"{path}: cannot be read ({error.strerror})") from error
    if reason := fault(data):
        raise _bad(path, reason)
    return data


def _open(ort: Any, data: bytes, threads: int | None, providers: list[str]) -> Any:
    """onnxruntime's session, once more without CUDA where CUDA raises; its own retry would print to
    stdout.
    """
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
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # spinning threads steal from the other workers
    return options


def _check(session: Any, path: Path, spec: ModelSpec | None) -> None:
    """The input must be one float32 image stack that the spec agrees with."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise _bad(path, f"it has {len(inputs)} inputs, one is wanted")
    shape = inputs[0].shape
    if inputs[0].type != "tensor(float)":
        raise _bad(path, f"its input is {inputs[0].type}, float32 is wanted")
    if len(shape) != 4:
        raise _bad(
            path,
            f"its input has {len(shape)} dimensions, 4 are wanted (images, channels, rows, "
            "columns)",
        )
    if spec and isinstance(shape[1], int) and shape[1] != spec.input_channels:
        raise _bad(
            path, f"its input has {shape[1]} channels, the manifest says {spec.input_channels}"
        )


def _try(opened: Session, path: Path, spec: ModelSpec | None) -> None:
    """Run it on small pictures and hold its answers against the entry; without one, on an empty
    picture, whatever it answers.
    """
    channels = spec.input_channels if spec else 1
    sizes = [
        free if x is None else x
        for x, free in zip(opened.shape, (1, channels, _TRIAL_PX, _TRIAL_PX), strict=True)
    ]
    if min(sizes) < 1 or math.prod(sizes) > _MAX_INPUT:
        raise _bad(path, f"its input shape {sizes} makes no sense")
    try:
        if spec is None:
            opened._call(np.zeros(sizes, np.float32))
        else:
            _check_sizes(opened, spec)
            check_answers(spec, opened._call, opened.metadata)
    except InferenceError as error:
        raise _bad(path, _line(error.__cause__ or error)) from error
    except ValueError as error:
        raise _bad(path, _printable(str(error))) from error


def _check_sizes(opened: Session, spec: ModelSpec) -> None:
    """Raises ValueError where the image size is fixed to another one than that of the pictures."""
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
    words = "any rows x any columns"
    if spec.task == "landmarks":
        words = " or ".join(f"{rows} x {columns}" for rows, columns in wanted)
    raise ValueError(
        f"its input is fixed to {found} pixels, {words} is wanted: export it with an open "
        "image size (dynamic axes)"
    )


def _takes(fixed: Sequence[int | None], picture: Sequence[int]) -> bool:
    return all(size in (None, shown) for size, shown in zip(fixed, picture, strict=True))


def _bad(path: Path, reason: str) -> SetupError:
    return SetupError(
        f"bad model {path.name}: {reason.rstrip('.')}, export it again or correct its entry in "
        f"{NAME}"
    )


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _line(error: BaseException) -> str:
    """onnxruntime's message on one line, without its codes and not too long; it may quote names
    from the file, so only what prints.
    """
    text = _printable(str(error)) or type(error).__name__
    if isinstance(error, MemoryError) or re.search(r"bad_alloc|bfc_arena|allocate memory", text):
        return "it asks for more memory than a model may have"
    for what, pattern in _TOO_NEW.items():
        if newer := re.search(pattern, text):
            found, known = newer.groups()
            return (
                f"its {what} {found} is newer than this onnxruntime's {known}: pip install -U "
                f"onnxruntime, or export it for {known}"
            )
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ", "", text)[:200]


@contextlib.contextmanager
def _quiet_libraries(ort: Any) -> Iterator[None]:
    """Let onnxruntime find CUDA's libraries in pip packages; it prints what it misses, which the
    checks after it say better.
    """
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):
            ort.preload_dlls()
    yield


@contextlib.contextmanager
def _memory_limit(extra_bytes: int) -> Iterator[None]:
    """Let the process's address space grow by no more than that; nothing where the system has no
    such limit.
    """
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (ImportError, OSError):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + extra_bytes
    ceiling = min(x for x in (soft, hard, wanted) if x != resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
