"""A synthetic result with its pictures, for the tests of results, overlay and report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

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
    View,
)
from footcli.names import ANGLE_PLANE, ANGLES, landmark_names

SHAPE_ZYX = (60, 80, 50)
AFFINE = np.diag([0.5, 0.5, 0.5, 1.0])

PROFILE: dict[str, Any] = {
    "name": "general",
    "version": "1",
    "ranges": {
        "CPA": {"low": 18.0, "high": 30.0, "source": "S4"},
        "TMA": {"low": -4.0, "high": 4.0, "source": "S17"},
        "TCA": {"low": 25.0, "high": 45.0, "source": "S19, S20"},
        "HAA": {"low": None, "high": 5.0, "source": "S27"},
    },
    "guard_band": {"CPA": 1.0, "TMA": 2.0, "TCA": 3.0, "HAA": 3.0, "MTASA": 1.5},
}

PROVENANCE: dict[str, Any] = {
    "version": "0.1.0",
    "models": [{"name": "bones", "sha256": "ab" * 32}, {"name": "landmarks", "sha256": "cd" * 32}],
    "profile": PROFILE,
    "input": {
        "shape": list(SHAPE_ZYX),
        "slices": 60,
        "spacing_mm": [0.5, 0.5, 0.5],
        "weight_bearing": True,
        "age_band": "40-59",
        "sha256": "ef" * 32,
    },
}

_LINES: dict[str, tuple[Point, Point, Point, Point]] = {
    "CPA": ((25.0, 70.0, 8.0), (25.0, 40.0, 15.0), (25.0, 75.0, 5.0), (25.0, 5.0, 5.0)),
    "TMA": ((25.0, 50.0, 30.0), (25.0, 35.0, 26.0), (25.0, 25.0, 18.0), (25.0, 6.0, 12.0)),
    "TCA": ((25.0, 50.0, 30.0), (25.0, 35.0, 26.0), (25.0, 70.0, 8.0), (25.0, 40.0, 15.0)),
    "HAA": ((24.0, 50.0, 58.0), (25.0, 50.0, 42.0), (25.0, 50.0, 30.0), (29.0, 50.0, 5.0)),
}
_VALUES = {"CPA": (12.9, 13.4), "TMA": (5.2, 11.0), "TCA": (38.0, 39.5), "HAA": (2.5, 3.1)}


def measurements() -> tuple[Measurement, ...]:
    """Both sources of four angles, none of MTASA."""
    made = []
    for angle in (term.name for term in ANGLES):
        for number, source in enumerate(("landmarks", "masks")):
            if angle not in _VALUES:
                made.append(
                    Measurement(
                        angle,
                        "deg",
                        source,
                        why_missing="the talar dome is outside the field of view",
                    )
                )  # type: ignore[arg-type]
                continue
            shift = 1.5 * number
            points = tuple((x, y, z + shift) for x, y, z in _LINES[angle])
            value = _VALUES[angle][number]
            made.append(
                Measurement(
                    angle,
                    "deg",
                    source,
                    value,
                    None,
                    ANGLE_PLANE[angle],
                    25,
                    0.93,
                    points,
                    "floor: plate",
                )
            )  # type: ignore[arg-type]
    return tuple(made)


def landmarks() -> tuple[Landmark, ...]:
    """The points of the landmarks' own lines."""
    return tuple(
        Landmark(name, point, (point[0] / 2, point[1] / 2, point[2] / 2), 0.9)
        for angle, line in _LINES.items()
        for name, point in zip(landmark_names(angle), line, strict=True)
    )


def make_result(**changes: Any) -> CaseResult:
    """A left foot with low arch; any field may be given."""
    result = CaseResult(
        case_id="case-01",
        side="L",
        measurements=measurements(),
        landmarks=landmarks(),
        lesions=(
            Lesion(
                "OLT",
                0.82,
                Plane.COR,
                (47, 53),
                (20.0, 47.0, 38.0, 27.0, 54.0, 43.0),
                (3.5, 3.5, 2.5),
            ),
            Lesion(
                "Accessory Navicular",
                0.41,
                Plane.AXL,
                (20, 24),
                (10.0, 30.0, 20.0, 15.0, 36.0, 25.0),
                None,
            ),
        ),
        findings=(
            Finding(
                "flat_foot",
                Level.PRESENT,
                ("TMA 5.2 deg is above 4 deg", "CPA 12.9 deg is below 18 deg"),
                "mild",
            ),
            Finding("olt", Level.BORDERLINE, ("box on the talar dome, score 0.82",)),
            Finding("cavus_foot", Level.NOT_SEEN, ("TMA 5.2 deg is not below -4 deg",)),
            Finding(
                "hallux_valgus", Level.NOT_MEASURABLE, ("the toes are outside the field of view",)
            ),
            Finding("normal", Level.NOT_SEEN, ()),
        ),
        warnings=(Notice("gap", "1 slice is missing after position 12.5 mm"),),
        provenance=PROVENANCE,
    )
    return replace(result, **changes)


def make_views() -> tuple[View, ...]:
    """A sagittal slab, a coronal and an axial slice of SHAPE_ZYX, feet down, 1 pixel a voxel."""
    nz, ny, nx = SHAPE_ZYX
    up = float(nz - 1)
    sag = np.array([[0, 1.0, 0, 0], [0, 0, -1.0, up]])
    cor = np.array([[1.0, 0, 0, 0], [0, 0, -1.0, up]])
    axl = np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])
    return (
        _view("sag-slab", Plane.SAG, None, (nz, ny), sag, ("A", "P", "S", "I")),
        _view("cor-50", Plane.COR, 50, (nz, nx), cor, ("Me", "La", "S", "I")),
        _view("axl-22", Plane.AXL, 22, (ny, nx), axl, ("Me", "La", "A", "P")),
    )


def _view(
    key: str,
    plane: Plane,
    index: int | None,
    shape: tuple[int, int],
    vox_to_px: Any,
    edges: tuple[str, str, str, str],
) -> View:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, dtype=np.uint8)
    for bone, (row, column) in {3: (25, 20), 4: (45, 30)}.items():
        labels[(rows - row) ** 2 + (columns - column) ** 2 < 64] = bone
    image = np.where(labels > 0, 190, 60).astype(np.uint8)
    return View(
        key,
        plane,
        index,
        image,
        labels,
        np.asarray(vox_to_px, dtype=np.float64),
        edges,
        0.5,
        "synthetic",
    )
