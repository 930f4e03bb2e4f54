"""Reads and writes .npz files: equal arrays give equal bytes, a damaged file is a CaseError."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from footcli.errors import CaseError

_T = TypeVar("_T")


def read_npz(path: Path, use: Callable[[Any], _T]) -> _T:
    """The result of `use` on the file's arrays.

    Raises CaseError (bad_result) if the file is missing or damaged, or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return use(arrays)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise CaseError("bad_result.file", folder=path.parent.name, file=path.name) from error


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An .npz file whose bytes depend on the arrays only: numpy dates every member 1980."""
    buffer = io.BytesIO()
    ordered = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    np.savez_compressed(buffer, allow_pickle=False, **ordered)
    return buffer.getvalue()
