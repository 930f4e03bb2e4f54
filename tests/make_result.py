"""A synthetic result with its pictures, for the tests of results, overlay and report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from footcli.domain import CaseResult, Finding, Landmark, Lesion, Level, Measurement, Plane, Point
from footcli.kinds import ANGLE, ANGLES, LESION, landmark_names
from footcli.provenance import InputFacts, ModelFacts, ProfileFacts, Provenance, Range
from footcli.store.pictures import View
from footcli.text.lines import Line

SHAPE_ZYX = (60, 80, 50)
AFFINE = np.diag([0.5, 0.5, 0.5, 1.0])

PROFILE = ProfileFacts(
    name="general",
    version="1",
    ranges={
        "CPA": Range(18.0, 30.0, (Line("origin", origin="S4"),)),
        "TMA": Range(-4.0, 4.0, (Line("origin", origin="S17"),)),
        "TCA": Range(25.0, 45.0, (Line("origin", origin="S19, S20"),)),
        "HAA": Range(None, 5.0, (Line("origin", origin="S27"),)),
    },
    guard_band={"CPA": 1.0, "TMA": 2.0, "TCA": 3.0, "HAA": 3.0, "MTASA": 1.5},
)

PROVENANCE = Provenance(
    version="0.1.0",
    models=(
        ModelFacts("bones", "bones", "ab" * 32, "12" * 32),
        ModelFacts("landmarks", "landmarks", "cd" * 32, "34" * 32),
    ),
    profile=PROFILE,
    input=InputFacts(
        shape=SHAPE_ZYX,
        slices=60,
        spacing_mm=(0.5, 0.5, 0.5),
        weight_bearing=True,
        age_band="40-59",
        sha256="ef" * 32,
    ),
)

_LINES: dict[str, tuple[Point, Point, Point, Point]] = {
    "CPA": ((25.0, 70.0, 8.0), (25.0, 40.0, 15.0), (25.0, 75.0, 5.0), (25.0, 5.0, 5.0)),
    "TMA": ((25.0, 50.0, 30.0), (25.0, 35.0, 26.0), (25.0, 25.0, 18.0), (25.0, 6.0, 12.0)),
    "TCA": ((25.0, 50.0, 30.0), (25.0, 35.0, 26.0), (25.0, 70.0, 8.0), (25.0, 40.0, 15.0)),
    "HAA": ((24.0, 50.0, 58.0), (25.0, 50.0, 42.0), (25.0, 50.0, 30.0), (29.0, 50.0, 5.0)),
}
_VALUES = {"CPA": (12.9, 13.4), "TMA": (5.2, 11.0), "TCA": (38.0, 39.5), "HAA": (2.5, 3.1)}


def beyond(angle: str, value: float, op: str, limit: float, code: str = "angle_beyond") -> Line:
    """A line of evidence about an angle."""
    return Line(
        code,
        angle=angle,
        value=value,
        unit=Line("unit.deg"),
        op=Line(f"op.{op}"),
        limit=limit,
        origin="general; S4",
        source=Line("taken_from.both"),
    )


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
                        why_missing=Line("part_outside", part=Line("part.talus_top")),
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
                    ANGLE[angle].plane,
                    25,
                    0.93,
                    points,
                    Line("floor_bones"),
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
                (beyond("TMA", 5.2, "above", 4.0), beyond("CPA", 12.9, "below", 18.0)),
                "mild",
            ),
            Finding("olt", Level.POSSIBLE, (Line("no_box", lesion=LESION["OLT"].word, least=0.3),)),
            Finding(
                "cavus_foot", Level.NOT_SEEN, (beyond("TMA", 5.2, "below", -4.0, "angle_short"),)
            ),
            Finding(
                "hallux_valgus",
                Level.NOT_MEASURABLE,
                (Line("not_assessable", why=Line("toes_not_sought")),),
            ),
            Finding("normal", Level.NOT_SEEN, ()),
        ),
        warnings=(Line("missing_slices", count=1, total=60, places="1 between 12 and 13 mm"),),
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
        Line("view_lateral", seen=Line("seen_from.lateral")),
    )
