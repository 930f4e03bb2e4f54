"""One pair of truth and result -> all that it contributes to the scores.

Bounded by one case; never runs a model, never opens pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from footcli.dataset.clinical import Clinical, age_band, findings_named, first_said, of_this_case
from footcli.dataset.series import series_name
from footcli.domain import CaseRef, CaseResult, Lesion, Level, Plane
from footcli.errors import CaseError
from footcli.evaluate.bones import SliceCounter, surface_distances
from footcli.evaluate.boxes import LESION_ID, Box3D, Hit, SliceBox, found_boxes, hits, link
from footcli.evaluate.pairs import Pair
from footcli.evaluate.points import Pose, angle_pairs, poses
from footcli.evaluate.truth import Truth, read_truth
from footcli.frame.axes import FootFrame, foot_frame
from footcli.kinds import BONE_ID, FINDINGS
from footcli.store.result import load_masks, load_result, load_slice_names

_SEVERITY = (Level.PRESENT, Level.POSSIBLE, Level.NOT_MEASURABLE, Level.NOT_SEEN)
Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class CaseScores:
    """What one case gives. folder: its first result folder's name.

    patient: cases of one patient share it. feet: results it has.

    rows: bones.ROW, of the planes that hold outlines; labelled: those planes -> number of labelled
    slices. boxed: planes that hold any label. volume_plane: the plane whose slices leave no gap.
    volumes: bone id -> (HD95, mean distance) mm. findings_truth: None where no clinical file says.
    groups: dimension -> values. unknown: what was left out of the labels. why: topic (distances,
    radial, angles) -> the reason why it has no numbers.
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


def gather(pair: Pair) -> CaseScores:
    """Score one case. Raises TruthError where truth and result show different grids, CaseError for
    a result that cannot be read.
    """
    results, found, affine = _results(pair)
    ref = pair.truth.open()
    truth = read_truth(ref, load_slice_names(pair.folders[0]), found.shape)
    counter = SliceCounter(found)
    volume, within = _volume(truth, found.shape)
    whole = truth.whole  # looked for among all slices: once, not for each of them
    for plane in truth.outlined:
        for index, label in truth.slices[plane].items():
            counter.take(plane, index, label, volume if plane is whole else None)
    why: dict[str, str] = {}
    unknown = Counter(truth.unknown)
    spacing = (
        np.linalg.norm(affine[:3, :3], axis=0) if results[0].provenance.input.spacing_mm else None
    )
    if spacing is None:
        why["radial"] = "the scan has no millimetres"
    distances = _distances(volume, found, within, spacing, truth, why)
    frame = (
        _frame(volume if truth.complete else found, affine, results, why) if truth.points else None
    )
    lesions = _known(results, unknown)
    true_boxes = _own_plane(truth, unknown)
    true_lesions = link(true_boxes)
    own = of_this_case(
        ref.clinical_files, (stem for stems in ref.labels.values() for stem in list(stems)[:1])
    )
    unknown["clinical file of another case"] += len(ref.clinical_files) - len(own)
    clinical = first_said(own)[0] or truth.clinical
    return CaseScores(
        case_id=ref.case_id,
        folder=pair.folders[0].name,
        patient=pair.truth.folder_name,
        feet=len(results),
        rows=counter.table(),
        bone_scores=_bone_scores(results),
        labelled={p: len(truth.slices[p]) for p in truth.outlined},
        boxed=frozenset(truth.slices),
        volume_plane=whole,
        volumes=distances,
        poses=poses(
            truth.points,
            results,
            spacing,
            volume if truth.complete and volume is not None else found,
        ),
        angles=angle_pairs(truth.points, results, frame) if frame is not None else {},
        true_boxes=tuple(true_boxes),
        found_boxes=tuple(
            found_boxes(
                lesions,
                {p: {i: label.void for i, label in s.items()} for p, s in truth.slices.items()},
            )
        ),
        true_lesions=true_lesions,
        hits=tuple(hit for hit in hits(lesions, true_lesions) if not _untold(hit, truth)),
        findings_truth=(findings_named(clinical) or None) if clinical else None,
        findings=_levels(results),
        groups=_groups(ref, clinical, results),
        unknown=dict(+unknown),
        why=why,
    )


def _results(pair: Pair) -> tuple[list[CaseResult], Labels, NDArray[np.float64]]:
    """The case's results, their masks together and the affine.

    Raises CaseError where they do not fit each other.
    """
    results = [load_result(folder) for folder in pair.folders]
    masks = [load_masks(folder) for folder in pair.folders]
    found, affine = masks[0]
    if (
        found.ndim != 3
        or affine.shape != (4, 4)
        or not np.isfinite(affine).all()
        or any(m.shape != found.shape for m, _ in masks)
    ):
        raise CaseError("bad_result.grid")
    if found.max(initial=0) > len(BONE_ID):
        raise CaseError("bad_result.labels", most=len(BONE_ID))
    for other, _ in masks[1:]:
        found = np.maximum(found, other)
    return results, found, affine


def _volume(truth: Truth, shape: tuple[int, ...]) -> tuple[Labels | None, tuple[slice, ...]]:
    """An empty volume for the truth of its whole plane, and the part of the grid that its slices
    cover.
    """
    if truth.whole is None:
        return None, ()
    indices = truth.slices[truth.whole]
    within = [slice(None)] * 3
    within[truth.whole.array_axis] = slice(min(indices), max(indices) + 1)
    return np.zeros(shape, np.uint8), tuple(within)


def _distances(
    volume: Labels | None,
    found: Labels,
    within: tuple[slice, ...],
    spacing: NDArray[np.float64] | None,
    truth: Truth,
    why: dict[str, str],
) -> dict[int, tuple[float, float]]:
    """Surface distances of the bones whose whole truth is known, within the labelled slices."""
    if volume is None or spacing is None:
        why["distances"] = (
            "the scan has no millimetres"
            if volume is not None
            else (
                "no plane is labelled without gaps"
                if truth.outlined
                else "the truth holds no bones"
            )
        )
        return {}
    distances = surface_distances(volume[within], found[within], spacing)
    void = truth.void_bones()
    distances = {bone: value for bone, value in distances.items() if bone not in void}
    if not truth.complete:
        cut = truth.cut_bones()
        distances = {bone: value for bone, value in distances.items() if bone not in cut}
        if cut:
            why["distances"] = "the labelled slices end within the bone"
    return distances


def _frame(
    labels: Labels | None,
    affine: NDArray[np.float64],
    results: Sequence[CaseResult],
    why: dict[str, str],
) -> FootFrame | None:
    """The foot's axes, from the true bones where all are there: true angles are read in the foot's
    own views, as measured ones are.
    """
    known = not any(notice.code == "geometry_from_names" for notice in results[0].warnings)
    standing = results[0].provenance.input.weight_bearing
    try:
        return (
            None
            if labels is None
            else foot_frame(labels, affine, orientation_known=known, weight_bearing=standing)
        )
    except CaseError:
        why["angles"] = "too few bones to tell the foot's axes"
        return None


def _known(results: Sequence[CaseResult], unknown: Counter[str]) -> list[Lesion]:
    """The results' lesions, faint ones too, of known classes with real numbers; the others are
    counted.
    """
    out = []
    for lesion in (
        lesion for result in results for lesion in (*result.lesions, *result.faint_lesions)
    ):
        numbers = (
            lesion.score,
            *lesion.box_vox,
            *lesion.scores,
            *(value for box in lesion.boxes for value in box),
        )
        if lesion.label in LESION_ID and all(map(isfinite, numbers)):
            out.append(lesion)
        else:
            unknown["lesion of the result, of an unknown class or without numbers"] += 1
    return out


def _own_plane(truth: Truth, unknown: Counter[str]) -> list[SliceBox]:
    """True boxes in their lesion's own plane; the others are counted."""
    out = []
    for box in truth.boxes():
        if box.label in truth.slices[box.plane][box.index].void:
            continue  # another box of it was left out there, and counted
        if not box.in_own_plane:
            unknown["lesion box in another plane than its lesion's"] += 1
        else:
            out.append(box)
    return out


def _untold(hit: Hit, truth: Truth) -> bool:
    """Whether a find without a true lesion lies where a box of its kind was left out of the labels:
    nobody knows if it is false.
    """
    if hit.truth is not None:
        return False
    return any(
        hit.label in label.void for slices in truth.slices.values() for label in slices.values()
    )


def _levels(results: Sequence[CaseResult]) -> dict[str, Level]:
    """The worst level of each finding over the feet of a case; normal only if every foot is."""
    found = {
        term.name: [f.level for r in results for f in r.findings if f.name == term.name]
        for term in FINDINGS
    }
    worst = {name: min(levels, key=_SEVERITY.index) for name, levels in found.items() if levels}
    if found["normal"]:
        worst["normal"] = max(found["normal"], key=_SEVERITY.index)
    return worst


def _bone_scores(results: Sequence[CaseResult]) -> dict[int, float]:
    told = [r.provenance.bone_confidence for r in results]
    return {
        bone: max((float(t[name]) for t in told if name in t), default=1.0)
        for name, bone in BONE_ID.items()
    }


def _groups(
    truth: CaseRef, clinical: Clinical | None, results: Sequence[CaseResult]
) -> dict[str, tuple[str, ...]]:
    """Dimension -> the case's values; dimensions without a value are left out."""
    stems = [stem for files in truth.labels.values() for stem in list(files)[:1]] + [
        path.stem for path in truth.angle_files
    ]
    named = next((found for stem in stems if (found := series_name(stem))), None)
    values: dict[str, tuple[str | None, ...]] = {
        "disease": tuple(sorted(findings_named(clinical))) if clinical else (),
        "age_band": (age_band(clinical.age_years) if clinical else None,),
        "sex": (clinical.sex if clinical else None,),
        "institution": (named.institution if named else None,),
        "side": tuple(sorted({r.side or "" for r in results}))
        if len(results) > 1
        else (named.side if named else results[0].side,),
    }
    return {key: tuple(v for v in found if v) for key, found in values.items() if any(found)}
