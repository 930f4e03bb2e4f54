"""Pictures and slices of a case <-> views.npz."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Plane
from footcli.store.arrays import npz_bytes
from footcli.store.codec import line_from, line_json
from footcli.store.pictures import Stack, View
from footcli.text.lines import Line


def views_npz(views: Sequence[View], stack: Stack | None) -> bytes:
    """The bytes of views.npz. Raises ValueError for a projection with NaN or infinity."""
    arrays: dict[str, NDArray[Any]] = {}
    rest = []
    for number, view in enumerate(views):
        arrays[f"image_{number:03d}"] = np.asarray(view.image, dtype=np.uint8)
        arrays[f"labels_{number:03d}"] = np.asarray(view.labels, dtype=np.uint8)
        rest.append(
            {
                "key": view.key,
                "plane": view.plane.value,
                "index": view.index,
                "vox_to_px": view.vox_to_px.tolist(),
                "edges": view.edges,
                "pixel_mm": view.pixel_mm,
                "caption": None if view.caption is None else line_json(view.caption),
            }
        )
    # not rounded like results: that would shift what is drawn by the projection
    text = json.dumps(rest, allow_nan=False, sort_keys=True)
    if stack is not None:
        head = {
            "per_sheet": stack.per_sheet,
            "shape": stack.shape,
            "curve": stack.curve,
            "voxel_mm": stack.voxel_mm,
        }
        arrays["stack"] = np.array(
            json.dumps(head | {"to_vox": stack.to_vox.tolist()}, allow_nan=False, sort_keys=True)
        )
        arrays |= {
            f"sheet_{i:03d}": np.frombuffer(sheet, np.uint8) for i, sheet in enumerate(stack.sheets)
        }
    return npz_bytes({"views": np.array(text), **arrays})


def read_stack(arrays: Any) -> Stack | None:
    """The stack to scroll through, None if the file has none.

    Raises KeyError, TypeError, ValueError if it is damaged.
    """
    if "stack" not in arrays:
        return None
    head = json.loads(str(arrays["stack"]))
    names = sorted(name for name in arrays.files if name.startswith("sheet_"))
    slices, rows, columns = (int(n) for n in head["shape"])
    return Stack(
        tuple(arrays[name].astype(np.uint8).tobytes() for name in names),
        int(head["per_sheet"]),
        (slices, rows, columns),
        tuple((float(a), float(b)) for a, b in head["curve"]),
        np.asarray(head["to_vox"], np.float64).reshape(4, 4),
        None if head["voxel_mm"] is None else float(head["voxel_mm"]),
    )


def read_views(arrays: Any) -> tuple[View, ...]:
    """The pictures. Raises KeyError, TypeError, ValueError if the file is damaged."""
    views = []
    for number, rest in enumerate(json.loads(str(arrays["views"]))):
        left, right, top, bottom = (str(edge) for edge in rest["edges"])
        views.append(
            View(
                key=str(rest["key"]),
                plane=Plane(rest["plane"]),
                index=None if rest["index"] is None else int(rest["index"]),
                image=arrays[f"image_{number:03d}"].astype(np.uint8),
                labels=arrays[f"labels_{number:03d}"].astype(np.uint8),
                vox_to_px=np.asarray(rest["vox_to_px"], dtype=np.float64).reshape(2, 4),
                edges=(left, right, top, bottom),
                pixel_mm=None if rest["pixel_mm"] is None else float(rest["pixel_mm"]),
                caption=_caption(rest["caption"]),
            )
        )
    return tuple(views)


def _caption(head_: Any) -> Line | None:
    """The caption of a view; an earlier version wrote a text, empty for none."""
    if isinstance(head_, str):
        return Line("view_above", text=head_) if head_ else None
    return None if head_ is None else line_from(head_)
