"""CaseResult <-> result.json; masks.npz and views.npz beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.domain import (
    CaseResult,
    Finding,
    Landmark,
    Lesion,
    Level,
    Measurement,
    Notice,
    Plane,
    Point,
    Stack,
    View,
)
from footcli.errors import CaseError
from footcli.store.arrays import npz_bytes, read_npz
from footcli.store.views import read_stack, read_views, views_npz
from footcli.system.files import write_atomic

RESULT, MASKS, VIEWS = "result.json", "masks.npz", "views.npz"
"""The files of a case's folder that a result is kept in."""
SCHEMA_VERSION = "footcli-result/1"
DECIMALS = 3  # a thousandth of a degree, millimetre or voxel: finer than anything measured here
SCHEMA_FILE = Path(__file__).resolve().parent / "schema.json"


def to_json(result: CaseResult) -> dict[str, Any]:
    """The JSON object of a result, plain Python types only, values not rounded."""
    return {
        "schema": SCHEMA_VERSION,
        "case_id": result.case_id,
        "side": result.side,
        "measurements": [_measurement_json(m) for m in result.measurements],
        "landmarks": [
            {
                "name": p.name,
                "xyz_vox": _plain(p.xyz_vox),
                "xyz_mm": _plain(p.xyz_mm),
                "score": _plain(p.score),
            }
            for p in result.landmarks
        ],
        "lesions": [_lesion_json(lesion) for lesion in result.lesions],
        "faint_lesions": [_lesion_json(lesion) for lesion in result.faint],
        "findings": [
            {"name": f.name, "level": f.level.value, "grade": f.grade, "evidence": list(f.evidence)}
            for f in result.findings
        ],
        "warnings": [{"code": w.code, "text": w.text} for w in result.warnings],
        "provenance": _plain(result.provenance),
    }


def _measurement_json(m: Measurement) -> dict[str, Any]:
    return {
        "name": m.name,
        "value": _plain(m.value),
        "unit": m.unit,
        "why_missing": m.why_missing,
        "source": m.source,
        "plane": None if m.plane is None else m.plane.value,
        "slice": _plain(m.slice),
        "confidence": _plain(m.confidence),
        "points_vox": _plain(m.points_vox),
        "note": m.note,
    }


def _lesion_json(lesion: Lesion) -> dict[str, Any]:
    return {
        "label": lesion.label,
        "score": _plain(lesion.score),
        "plane": lesion.plane.value,
        "slices": _plain(lesion.slices),
        "box_vox": _plain(lesion.box_vox),
        "boxes": _plain(lesion.boxes),
        "scores": _plain(lesion.scores),
        "size_mm": _plain(lesion.size_mm),
    }


def _plain(value: Any) -> Any:
    """NumPy numbers, arrays, enums, tuples and mappings -> what json writes."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def from_json(data: Mapping[str, Any]) -> CaseResult:
    """The result that `to_json` wrote.

    Raises CaseError (bad_result) for another schema, a missing key or a wrong type.
    """
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA_VERSION:
        raise CaseError(
            "bad_result",
            f"not a result of this version of footcli ({SCHEMA_VERSION}): analyse the case again",
        )
    try:
        return CaseResult(
            case_id=str(data["case_id"]),
            side=_one_of(data["side"], (None, "L", "R")),
            measurements=tuple(_measurement(m) for m in data["measurements"]),
            landmarks=tuple(
                Landmark(
                    str(p["name"]),
                    _point(p["xyz_vox"]),
                    _maybe(p["xyz_mm"], _point),
                    float(p["score"]),
                )
                for p in data["landmarks"]
            ),
            lesions=tuple(_lesion(x) for x in data["lesions"]),
            findings=tuple(
                Finding(
                    str(f["name"]),
                    Level(f["level"]),
                    tuple(map(str, f["evidence"])),
                    f.get("grade"),
                )
                for f in data["findings"]
            ),
            warnings=tuple(Notice(str(w["code"]), str(w["text"])) for w in data["warnings"]),
            provenance=dict(data["provenance"]),
            faint=tuple(_lesion(x) for x in data.get("faint_lesions", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        # only the kind of the fault: the text may hold values of the file
        raise CaseError(
            "bad_result",
            f"result.json does not follow its schema ({type(error).__name__}): analyse the case "
            "again",
        ) from error


def _measurement(m: Mapping[str, Any]) -> Measurement:
    return Measurement(
        name=str(m["name"]),
        unit=str(m["unit"]),
        source=_one_of(m["source"], ("landmarks", "masks")),
        value=_maybe(m["value"], float),
        why_missing=_maybe(m["why_missing"], str),
        plane=_maybe(m.get("plane"), Plane),
        slice=_maybe(m["slice"], int),
        confidence=_maybe(m["confidence"], float),
        points_vox=tuple(_point(p) for p in m.get("points_vox", ())),
        note=str(m.get("note", "")),
    )


def _lesion(x: Mapping[str, Any]) -> Lesion:
    first, last = (int(v) for v in x["slices"])
    x0, y0, z0, x1, y1, z1 = (float(v) for v in x["box_vox"])
    box = (x0, y0, z0, x1, y1, z1)
    boxes = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in x.get("boxes", ()))
    scores = tuple(float(v) for v in x.get("scores", ()))
    if any(own and len(own) != last - first + 1 for own in (boxes, scores)):
        raise ValueError("a lesion has a box or a score for some of its slices only")
    return Lesion(
        str(x["label"]),
        float(x["score"]),
        Plane(x["plane"]),
        (first, last),
        box,
        _maybe(x["size_mm"], _point),
        boxes,
        scores,
    )


def _maybe(value: Any, convert: Any) -> Any:
    return None if value is None else convert(value)


def _one_of(value: Any, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        raise ValueError("value is not one of those allowed")
    return value


def _point(value: Sequence[float]) -> Point:
    x, y, z = (float(v) for v in value)
    return (x, y, z)


def dumps(obj: Any) -> str:
    """JSON text, the same for the same content: keys sorted, floats to 3 decimals, UTF-8 text as it
    is.

    Lone surrogates (file names that are no UTF-8) become JSON escapes. Raises ValueError for NaN or
    infinity.
    """
    text = json.dumps(
        _rounded(_plain(obj)), allow_nan=False, sort_keys=True, ensure_ascii=False, indent=1
    )
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS) + 0.0  # + 0.0: no "-0.0"
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def save_case(
    folder: Path,
    result: CaseResult,
    labels: NDArray[np.uint8],
    affine: NDArray[np.float64],
    views: Sequence[View],
    slice_names: Mapping[Plane, Sequence[str]] | None = None,
    stack: Stack | None = None,
) -> None:
    """Write masks.npz, views.npz and, last, result.json: where that file is, the others are whole.

    labels: uint8 (z, y, x) on the input's grid. affine: float64 (4, 4), voxel (x, y, z) -> LPS mm.
    slice_names: source name of each slice of a plane, in index order, so that labels of those
    slices find their place again. stack: the slices to scroll through, kept beside the views.
    Raises OSError, and ValueError for a value that JSON cannot hold (before anything is written) or
    labels of another type.
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
    write_atomic(folder / VIEWS, views_npz(views, stack))
    write_atomic(folder / RESULT, text.encode("utf-8"))


def load_case(folder: Path) -> tuple[CaseResult, tuple[View, ...]]:
    """What `save_case` wrote, without the masks.

    Raises CaseError (no_result, bad_result) where a file is missing or damaged.
    """
    return load_result(folder), read_npz(folder / VIEWS, read_views)


def load_stack(folder: Path) -> Stack | None:
    """The slices to scroll through; None where the case was analysed without.

    Raises CaseError (bad_result).
    """
    return read_npz(folder / VIEWS, read_stack)


def load_result(folder: Path) -> CaseResult:
    """result.json alone. Raises CaseError (no_result, bad_result)."""
    path = folder / RESULT
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CaseError(
            "no_result", f"{folder.name}: no readable result.json: analyse the case first"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CaseError(
            "bad_result", f"{folder.name}: result.json is no JSON text: analyse the case again"
        ) from error
    return from_json(data)


def load_masks(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """(labels uint8 (z, y, x), affine float64 (4, 4)) of masks.npz.

    Raises CaseError (bad_result).
    """
    return read_npz(folder / MASKS, _read_masks)


def load_slice_names(folder: Path) -> dict[Plane, tuple[str, ...]]:
    """Source names of the slices of each plane that masks.npz knows.

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
