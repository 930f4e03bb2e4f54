"""Contribution of one case to the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Level, Plane
from footcli.evaluate.boxes import Box3D, Hit, SliceBox
from footcli.evaluate.points import Pose

Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class CaseScores:
    """Contribution of one case to the scores. folder: the name of its first result folder.

    patient: common to a patient's cases. feet: number of results. rows: bones.ROW, of the planes
    with outlines; labelled: those planes -> number of labelled slices. boxed: planes with any
    label. volume_plane: the plane whose slices have no gap. volumes: bone id -> (HD95, mean
    distance) mm. angles: (angle, source) -> (true, found) degrees. findings_truth: None if no
    clinical file names any. groups: dimension -> values. unknown: what was left out of the labels.
    why: topic (distances, radial, angles) -> why it has no numbers.
    """

    case_id: str
    folder: str
    patient: str
    feet: int
    rows: NDArray[np.void]
    bone_scores: Mapping[int, float]
    labelled: Mapping[Plane, int]
    boxed: frozenset[Plane]
    volume_plane: Plane | None
    volumes: Mapping[int, tuple[float, float]]
    poses: tuple[Pose, ...]
    angles: Mapping[tuple[str, str], tuple[float, float | None]]
    true_boxes: tuple[SliceBox, ...]
    found_boxes: tuple[SliceBox, ...]
    true_lesions: Mapping[str, Sequence[Box3D]]
    hits: tuple[Hit, ...]
    findings_truth: frozenset[str] | None
    findings: Mapping[str, Level]
    groups: Mapping[str, tuple[str, ...]]
    unknown: Mapping[str, int]
    why: Mapping[str, str]

    @property
    def has_bones(self) -> bool:
        """Whether the truth holds any outline."""
        return bool(self.labelled)
