"""One pair of truth and result -> its contribution to the scores.

Memory is bounded by one case; never runs a model, never reads pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from footcli.dataset.clinical import Clinical, findings_named, first_stated, of_this_case
from footcli.domain import CaseRef, CaseResult, Level
from footcli.errors import CaseError
from footcli.evaluate.bones import SliceCounter, surface_distances
from footcli.evaluate.boxes import found_boxes, hits, link
from footcli.evaluate.case_groups import groups
from footcli.evaluate.case_lesions import known, own_plane, untold, void
from footcli.evaluate.case_scores import CaseScores, Labels
from footcli.evaluate.pairs import Pair
from footcli.evaluate.points import angle_pairs, poses
from footcli.evaluate.truth import Truth, read_truth
from footcli.frame.axes import FootFrame, foot_frame
from footcli.kinds import BONE_ID, FINDINGS
from footcli.store.result import load_masks, load_result, load_slice_names

_SEVERITY = (Level.PRESENT, Level.POSSIBLE, Level.NOT_MEASURABLE, Level.NOT_SEEN)


def gather(pair: Pair) -> CaseScores:
    """Score one case.

    Raises TruthError where truth and result have different grids, CaseError for an unreadable
    result.
    """
    results, found, affine = _results(pair)
    ref = pair.truth.open()
    truth = read_truth(ref, load_slice_names(pair.folders[0]), found.shape)
    volume, within = _volume(truth, found.shape)
    rows = _count(truth, found, volume)
    why: dict[str, str] = {}
    unknown = Counter(truth.unknown)
    spacing = _spacing(results[0], affine, why)
    labels = volume if truth.complete and volume is not None else found
    angles: dict[tuple[str, str], tuple[float, float | None]] = {}
    if truth.points:
        frame = _frame(labels, affine, results, why)
        angles = {} if frame is None else angle_pairs(truth.points, results, frame)
    lesions = known(results, unknown)
    true_boxes = own_plane(truth, unknown)
    true_lesions = link(true_boxes)
    clinical = _clinical(ref, truth, unknown)
    return CaseScores(
        case_id=ref.case_id,
        folder=pair.folders[0].name,
        patient=pair.truth.folder_name,
        feet=len(results),
        rows=rows,
        bone_scores=_bone_scores(results),
        labelled={p: len(truth.slices[p]) for p in truth.outlined},
        boxed=frozenset(truth.slices),
        volume_plane=truth.whole,
        volumes=_distances(volume, found, within, spacing, truth, why),
        poses=poses(truth.points, results, spacing, labels),
        angles=angles,
        true_boxes=tuple(true_boxes),
        found_boxes=tuple(found_boxes(lesions, void(truth))),
        true_lesions=true_lesions,
        hits=tuple(hit for hit in hits(lesions, true_lesions) if not untold(hit, truth)),
        findings_truth=(findings_named(clinical) or None) if clinical else None,
        findings=_levels(results),
        groups=groups(ref, clinical, results),
        unknown=dict(+unknown),
        why=why,
    )


def _count(truth: Truth, found: Labels, volume: Labels | None) -> NDArray[np.void]:
    """bones.ROW of every labelled slice; draws the truth of the gap-free plane in the volume."""
    counter = SliceCounter(found)
    whole = truth.whole  # a property that searches all slices: read it once
    for plane in truth.outlined:
        into = volume if plane is whole else None
        for index, label in truth.slices[plane].items():
            counter.take(plane, index, label, into)
    return counter.table()


def _spacing(
    result: CaseResult, affine: NDArray[np.float64], why: dict[str, str]
) -> NDArray[np.float64] | None:
    """(3,) mm along x, y, z; None where the scan has none."""
    if not result.provenance.input.spacing_mm:
        why["radial"] = "the scan has no millimetres"
        return None
    return np.asarray(np.linalg.norm(affine[:3, :3], axis=0))


def _clinical(ref: CaseRef, truth: Truth, unknown: Counter[str]) -> Clinical | None:
    """The statement of the case's clinical files, else of its labels; files of other cases count as
    left out.
    """
    stems: list[str] = []
    for files in ref.labels.values():
        stems += list(files)[:1]
    own = of_this_case(ref.clinical_files, stems)
    unknown["clinical file of another case"] += len(ref.clinical_files) - len(own)
    return first_stated(own)[0] or truth.clinical


def _results(pair: Pair) -> tuple[list[CaseResult], Labels, NDArray[np.float64]]:
    """The case's results, their masks merged, and the affine.

    Raises CaseError where they do not match each other.
    """
    results = [load_result(folder) for folder in pair.folders]
    masks = [load_masks(folder) for folder in pair.folders]
    found, affine = masks[0]
    alike = all(mask.shape == found.shape for mask, _ in masks)
    usable = found.ndim == 3 and affine.shape == (4, 4) and np.isfinite(affine).all()
    if not alike or not usable:
        raise CaseError("bad_result.grid")
    if found.max(initial=0) > len(BONE_ID):
        raise CaseError("bad_result.labels", most=len(BONE_ID))
    for other, _ in masks[1:]:
        found = np.maximum(found, other)
    return results, found, affine


def _volume(truth: Truth, shape: tuple[int, ...]) -> tuple[Labels | None, tuple[slice, ...]]:
    """An empty volume for the truth of the gap-free plane, and the part of the grid that its slices
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
    if volume is None:
        gaps = "no plane is labelled without gaps"
        why["distances"] = gaps if truth.outlined else "the truth holds no bones"
        return {}
    if spacing is None:
        why["distances"] = "the scan has no millimetres"
        return {}
    unsure = truth.void_bones()
    if not truth.complete:
        cut = truth.cut_bones()
        unsure |= cut
        if cut:
            why["distances"] = "the labelled slices end within the bone"
    distances = surface_distances(volume[within], found[within], spacing)
    return {bone: value for bone, value in distances.items() if bone not in unsure}


def _frame(
    labels: Labels, affine: NDArray[np.float64], results: Sequence[CaseResult], why: dict[str, str]
) -> FootFrame | None:
    """The foot's axes, from the true bones where they are complete.

    True angles are measured along the foot's axes, as in analysis.
    """
    known = not any(notice.code == "geometry_from_names" for notice in results[0].warnings)
    standing = results[0].provenance.input.weight_bearing
    try:
        return foot_frame(labels, affine, orientation_known=known, weight_bearing=standing)
    except CaseError:
        why["angles"] = "too few bones to tell the foot's axes"
        return None


def _levels(results: Sequence[CaseResult]) -> dict[str, Level]:
    """The worst level of each finding over a case's feet; normal only if every foot is normal."""
    found: dict[str, list[Level]] = {}
    for result in results:
        for f in result.findings:
            found.setdefault(f.name, []).append(f.level)
    worst = {}
    for rule in FINDINGS:
        if levels := found.get(rule.name):
            pick = max if rule.name == "normal" else min
            worst[rule.name] = pick(levels, key=_SEVERITY.index)
    return worst


def _bone_scores(results: Sequence[CaseResult]) -> dict[int, float]:
    """Bone id -> its confidence, the larger one of two feet; 1 where a result gives none."""
    out = {}
    for name, bone in BONE_ID.items():
        given = [r.provenance.bone_confidence.get(name) for r in results]
        out[bone] = max((value for value in given if value is not None), default=1.0)
    return out
