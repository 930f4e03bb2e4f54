"""CaseResult <-> result.json; masks.npz and views.npz beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.domain import CaseResult, Plane
from footcli.errors import CaseError
from footcli.store.arrays import npz_bytes, read_npz
from footcli.store.codec import dumps, from_plain, to_plain
from footcli.store.old import SCHEMA_1, upgraded
from footcli.store.pictures import Pictures, Stack, View
from footcli.store.views import read_stack, read_views, views_npz
from footcli.system.files import write_atomic

RESULT, MASKS, VIEWS = "result.json", "masks.npz", "views.npz"
"""The files of a result in a case folder."""
SCHEMA_VERSION = "footcli-result/2"


def to_json(result: CaseResult) -> dict[str, Any]:
    """The JSON object of a result: plain Python types, values not rounded."""
    return {"schema": SCHEMA_VERSION, **to_plain(result)}


def from_json(data: Any) -> CaseResult:
    """The result of an object by `to_json`, or of schema 1.

    Raises CaseError (bad_result) for another schema, a missing key or a wrong type.
    """
    schema = data.get("schema") if isinstance(data, Mapping) else None
    if schema not in (SCHEMA_1, SCHEMA_VERSION):
        raise CaseError("bad_result.schema", schema=SCHEMA_VERSION)
    try:
        return from_plain(upgraded(data) if schema == SCHEMA_1 else data, CaseResult)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        # the error's type only: its text may hold values of the file
        raise CaseError("bad_result.fields", kind=type(error).__name__) from error


def is_old(result: CaseResult) -> bool:
    """Whether a result was written in an earlier schema."""
    return any(warning.code == "old_result" for warning in result.warnings)


def save_case(
    folder: Path,
    result: CaseResult,
    labels: NDArray[np.uint8],
    affine: NDArray[np.float64],
    pictures: Pictures,
    slice_names: Mapping[Plane, Sequence[str]] | None = None,
) -> None:
    """Write masks.npz, views.npz and, last, result.json: if that exists, the others are complete.

    labels: uint8 (z, y, x) on the input grid. affine: float64 (4, 4), voxel (x, y, z) -> LPS mm.
    slice_names: source name of each slice of a plane, in index order, to match labels of those
    slices later. Raises OSError; ValueError, before anything is written, for a result that JSON
    cannot hold or labels or an affine of another type or shape; ValueError for such a projection.
    """
    if labels.dtype != np.uint8 or labels.ndim != 3 or affine.shape != (4, 4):
        raise ValueError(
            f"labels must be uint8 (z, y, x) and affine (4, 4), got {labels.dtype} {labels.shape} "
            f"and {affine.shape}"
        )
    text = dumps(to_json(result))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).unlink(missing_ok=True)
    named = {
        f"slices_{plane.value}": np.array(list(names))
        for plane, names in (slice_names or {}).items()
        if names
    }
    write_atomic(
        folder / MASKS,
        npz_bytes({"labels": labels, "affine": np.asarray(affine, dtype=np.float64), **named}),
    )
    write_atomic(folder / VIEWS, views_npz(pictures.views, pictures.stack))
    write_atomic(folder / RESULT, text.encode("utf-8"))


def load_case(folder: Path) -> tuple[CaseResult, tuple[View, ...]]:
    """The result and pictures by `save_case`.

    Raises CaseError (no_result, bad_result) if a file is missing or damaged.
    """
    return load_result(folder), read_npz(folder / VIEWS, read_views)


def load_stack(folder: Path) -> Stack | None:
    """The stack to scroll through; None if the case has none. Raises CaseError (bad_result)."""
    return read_npz(folder / VIEWS, read_stack)


def load_result(folder: Path) -> CaseResult:
    """result.json alone. Raises CaseError (no_result, bad_result)."""
    path = folder / RESULT
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CaseError("no_result.file", folder=folder.name) from error
    except (ValueError, RecursionError) as error:
        raise CaseError("bad_result.json", folder=folder.name) from error
    return from_json(data)


def load_masks(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """(labels uint8 (z, y, x), affine float64 (4, 4)) of masks.npz.

    Raises CaseError (bad_result).
    """
    return read_npz(folder / MASKS, _read_masks)


def load_slice_names(folder: Path) -> dict[Plane, tuple[str, ...]]:
    """Plane -> source names of its slices, for the planes in masks.npz.

    Raises CaseError (bad_result).
    """
    return read_npz(
        folder / MASKS,
        lambda arrays: {
            p: tuple(arrays[f"slices_{p.value}"].tolist())
            for p in Plane
            if f"slices_{p.value}" in arrays
        },
    )


def _read_masks(arrays: Any) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    return arrays["labels"].astype(np.uint8), arrays["affine"].astype(np.float64)
