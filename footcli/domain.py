"""The types of a case. All are frozen; their arrays are never changed in place.

Frames: voxel points are (x, y, z) indices of the input volume's grid, arrays are indexed [z, y, x];
millimetres are DICOM patient space, LPS (x to the patient's left, y posterior, z up).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from footcli.provenance import Provenance
from footcli.text.lines import Line

Side = Literal["L", "R"]
Source = Literal["landmarks", "masks"]
Point = tuple[float, float, float]
Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels, x0 <= x1 and y0 <= y1."""


class Plane(StrEnum):
    """A slice orientation; `axis` is the voxel axis (0 x, 1 y, 2 z) that numbers its slices."""

    AXL = "AXL"
    COR = "COR"
    SAG = "SAG"

    @property
    def axis(self) -> int:
        """The voxel axis (0 x, 1 y, 2 z) that numbers its slices."""
        return {"SAG": 0, "COR": 1, "AXL": 2}[self.value]

    @property
    def array_axis(self) -> int:
        """The axis of an array (z, y, x) that numbers its slices."""
        return 2 - self.axis


class Level(StrEnum):
    """The level of a finding."""

    PRESENT = "PRESENT"
    POSSIBLE = "POSSIBLE"
    NOT_SEEN = "NOT_SEEN"
    NOT_MEASURABLE = "NOT_MEASURABLE"


@dataclass(frozen=True, slots=True)
class CaseRef:
    """A case found on disk, not yet opened.

    `layout` "dataset": `images` is keyed by plane. "plain": one key, None, with every regular file
    of the folder. `labels` maps plane -> slice stem -> its JSON files, sorted: outlines and boxes
    may be in separate files. `copies`: files left out because their name is that of another file
    plus the mark of a second download. `several_patients`: the folder's file names hold several
    case numbers.
    """

    case_id: str
    folder: Path
    layout: Literal["dataset", "plain"]
    images: Mapping[Plane | None, tuple[Path, ...]]
    labels: Mapping[Plane, Mapping[str, tuple[Path, ...]]] = field(default_factory=dict)
    angle_files: tuple[Path, ...] = ()
    clinical_files: tuple[Path, ...] = ()
    copies: tuple[Path, ...] = ()
    several_patients: bool = False


@dataclass(frozen=True, slots=True)
class ScanTags:
    """What the file headers or the clinical JSON state, used as a second opinion. None: unknown."""

    side: Side | None = None
    weight_bearing: bool | None = None
    age_years: float | None = None
    sex: Literal["F", "M"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """One scan as a voxel grid.

    hu: int16 (z, y, x), Hounsfield units by the file's rescale. affine: float64 (4, 4), voxel (x,
    y, z, 1) -> LPS mm. Its columns may point in any direction; see `spacing_mm`. slice_names:
    source name of each slice along `stack.axis`, in index order. spacing_known: False if no pixel
    size is known; the affine's unit is then the pixel, not mm. orientation_known: False if up /
    down and front / back must be found from the anatomy. input_sha256: hash of the pixel data and
    the affine, independent of the order of the files. pixels_sha256: of the pixels alone. skipped:
    why a file was left out -> number of files.
    """

    hu: NDArray[np.int16]
    affine: NDArray[np.float64]
    slice_names: tuple[str, ...]
    input_sha256: str
    pixels_sha256: str = ""
    stack: Plane = Plane.AXL
    spacing_known: bool = True
    orientation_known: bool = True
    tags: ScanTags = ScanTags()
    notices: tuple[Line, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """(3,) voxel edge lengths along x, y, z, in mm (in pixels if not spacing_known)."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    def to_mm(self, xyz_vox: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 3) voxel points -> (..., 3) LPS mm."""
        return np.asarray(xyz_vox @ self.affine[:3, :3].T + self.affine[:3, 3])


@dataclass(frozen=True, slots=True)
class Landmark:
    """A named landmark. xyz_mm is None if the voxel spacing is unknown. score in 0..1."""

    name: str
    xyz_vox: Point
    xyz_mm: Point | None
    score: float


@dataclass(frozen=True, slots=True)
class Lesion:
    """A bounding box linked over slices. score in 0..1.

    box_vox is (x0, y0, z0, x1, y1, z1), half-open; slices is first..last, inclusive.

    boxes: one (x0, y0, x1, y1), half-open, for each slice, on the two axes that the slice shows;
    empty if only box_vox is known. scores: confidence of the box in each slice, 0..1; empty if all
    equal `score`. Raises ValueError if boxes or scores do not match the number of slices.
    """

    label: str
    score: float
    plane: Plane
    slices: tuple[int, int]
    box_vox: tuple[float, float, float, float, float, float]
    size_mm: Point | None
    boxes: tuple[Box, ...] = ()
    scores: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        count = self.slices[1] - self.slices[0] + 1
        if any(own and len(own) != count for own in (self.boxes, self.scores)):
            raise ValueError("a lesion has a box or a score for some of its slices only")

    def score_in(self, index: int) -> float:
        """The score of its box in one of its slices."""
        return self.scores[index - self.slices[0]] if self.scores else self.score

    def box_in(self, index: int) -> Box | None:
        """Its box in a slice of its plane, voxels; None if the lesion does not reach that slice."""
        if not self.slices[0] <= index <= self.slices[1]:
            return None
        if self.boxes:
            return self.boxes[index - self.slices[0]]
        x, y = (axis for axis in range(3) if axis != self.plane.axis)
        return self.box_vox[x], self.box_vox[y], self.box_vox[x + 3], self.box_vox[y + 3]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One angle from one source, or the reason why it has no value.

    value: in `unit` (deg, percent or mm). confidence: 0..1. points_vox: the four points P1..P4 that
    define the two lines, voxel frame; empty without a value. slice: index of the slice that shows
    the angle best, in the input grid along `plane`. note: how it was measured, if there is more
    than one method (for example, which floor).
    """

    name: str
    unit: str
    source: Source
    value: float | None = None
    why_missing: Line | None = None
    plane: Plane | None = None
    slice: int | None = None
    confidence: float | None = None
    points_vox: tuple[Point, ...] = ()
    note: Line | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One of the seven findings, or `normal`.

    evidence: worst first. probability: 0..1, None if unknown.
    """

    name: str
    level: Level
    evidence: tuple[Line, ...]
    grade: str | None = None
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of one foot of one case; the content of result.json.

    faint_lesions: below the score from which a lesion is shown or counts for a finding; kept for
    the curves of the evaluation.
    """

    case_id: str
    side: Side | None
    measurements: tuple[Measurement, ...]
    landmarks: tuple[Landmark, ...]
    lesions: tuple[Lesion, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[Line, ...]
    provenance: Provenance
    faint_lesions: tuple[Lesion, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseFailure:
    """A case that could not be processed, and the line that states why and what to do."""

    case_id: str
    line: Line
