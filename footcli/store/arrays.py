"""Files of arrays: the same content gives the same bytes, and a damaged one is a case's fault."""

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
    """What `use` makes of the arrays.

    Raises CaseError (bad_result) for a file that is missing, damaged or lacks one.
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
    """An .npz file whose bytes depend on the arrays alone: numpy dates every member 1980."""
    buffer = io.BytesIO()
    ordered = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    np.savez_compressed(buffer, allow_pickle=False, **ordered)
    return buffer.getvalue()
