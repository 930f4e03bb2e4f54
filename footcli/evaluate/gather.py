"""One pair of truth and result -> all that it contributes to the scores. Bounded by one case; never runs a model, never opens an image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from footcli.clinical import Clinical, age_band, read_clinical
from footcli.domain import CaseRef, CaseResult, Level, Plane, Point
from footcli.errors import CaseError, TruthError
from footcli.evaluate.bones import SliceCounter, surface_distances
from footcli.evaluate.boxes import Box3D, Hit, SliceBox, found_boxes, hits, link
from footcli.evaluate.pairs import Pair
from footcli.evaluate.points import Pose, angle_pairs, poses
from footcli.files import safe_text
from footcli.frame import FootFrame, foot_frame
from footcli.labels import read_angle_label, read_slice_label
from footcli.names import BONE_ID, FINDINGS, finding_name, series_name
from footcli.results import load_masks, load_result, load_slice_names

OTHER_GRID = 0.05
"""Share of labelled slices with polygons beyond the result's image from which both are taken to show different grids."""
_SEVERITY = (Level.PRESENT, Level.BORDERLINE, Level.NOT_MEASURABLE, Level.NOT_SEEN)


@dataclass(frozen=True, slots=True, eq=False)
class CaseScores:
    """What one case gives. folder: its first result folder's name. patient: cases of one patient share it.

    rows: bones.ROW. labelled: plane -> number of labelled slices. volumes: bone id -> (HD95, mean distance) mm, None with a reason in
    `why`. groups: dimension -> values (disease may have several). findings_truth: None where no clinical file says.
    """

    case_id: str
    folder: str
    patient: str
    rows: NDArray[np.void]
    bone_scores: Mapping[int, float]
    labelled: Mapping[Plane, int]
    has_bones: bool
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


@dataclass(slots=True)
class _Labels:
    """Running contents of a case's label files."""

    counter: SliceCounter
    boxes: list[SliceBox] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    seen: dict[Plane, set[int]] = field(default_factory=dict)
    clinical: Clinical | None = None
    has_bones: bool = False
    volume: NDArray[np.uint8] | None = None


def gather(pair: Pair) -> CaseScores:
    """Score one case. Raises TruthError where truth and result show different grids, CaseError for a result that cannot be read."""
    results = [load_result(folder) for folder in pair.folders]
    found, affine = load_masks(pair.folders[0])
    for folder in pair.folders[1:]:
        found = np.maximum(found, load_masks(folder)[0])
    places = _places(pair.truth, load_slice_names(pair.folders[0]), found.shape)
    plane = _whole_plane(places)
    labels = _Labels(SliceCounter(found), volume=None if plane is None else np.zeros_like(found))
    for own in Plane:
        _take_plane(pair.truth, own, places.get(own, {}), labels, own is plane)
    why: dict[str, str] = {}
    spacing = np.linalg.norm(affine[:3, :3], axis=0) if results[0].provenance.get("input", {}).get("spacing_mm") else None
    points = _points(pair.truth, labels.unknown)
    volume = labels.volume if labels.has_bones else None
    distances: dict[int, tuple[float, float]] = {}
    if volume is None:
        why["distances"] = "no plane is labelled without gaps" if labels.has_bones else "the truth holds no bones"
    elif spacing is None:
        why["distances"] = why["radial"] = "the scan has no millimetres"
    else:
        distances = surface_distances(volume, found, spacing)
    frame = _frame(volume, found, affine, results, why) if points else None
    lesions = [lesion for result in results for lesion in result.lesions]
    true_lesions = link(labels.boxes)
    clinical = _clinical(pair.truth) or labels.clinical
    return CaseScores(
        case_id=pair.truth.case_id, folder=pair.folders[0].name, patient=safe_text(pair.truth.folder.name),
        rows=labels.counter.table(), bone_scores=_bone_scores(results), labelled={p: len(s) for p, s in labels.seen.items()},
        has_bones=labels.has_bones, volume_plane=plane if volume is not None else None, volumes=distances,
        poses=poses(points, results, spacing, found if volume is None else volume),
        angles=angle_pairs(points, results, frame) if frame is not None else {},
        true_boxes=tuple(labels.boxes), found_boxes=tuple(found_boxes(lesions, {p: frozenset(s) for p, s in labels.seen.items()})),
        true_lesions=true_lesions, hits=tuple(hits(lesions, true_lesions)),
        findings_truth=_true_findings(clinical), findings=_levels(results),
        groups=_groups(pair.truth, clinical, results), unknown=dict(labels.unknown), why=why,
    )  # fmt: skip


def _take_plane(truth: CaseRef, plane: Plane, places: Mapping[str, int], labels: _Labels, into_volume: bool) -> None:
    for stem, path in truth.labels.get(plane, {}).items():
        try:
            label = read_slice_label(path)
        except TruthError:
            labels.unknown["unreadable label file"] += 1
            continue
        index = places[stem]
        labels.seen.setdefault(plane, set()).add(index)
        labels.unknown.update(label.unknown)
        labels.has_bones |= bool(label.polygons)
        labels.clinical = labels.clinical or label.clinical
        labels.counter.take(plane, index, label.polygons, labels.volume if into_volume else None)
        labels.boxes += [SliceBox(name, plane, index, box) for name, found in label.boxes.items() for box in found]
    seen = len(labels.seen.get(plane, ()))
    if labels.counter.outside[plane] > OTHER_GRID * max(seen, 1):
        raise TruthError(f"{plane} labels reach beyond the result's image: they belong to another grid")


def _places(truth: CaseRef, names: Mapping[Plane, tuple[str, ...]], shape: tuple[int, ...]) -> dict[Plane, dict[str, int]]:
    """Plane -> label stem -> slice index of the result's grid: by the source's name, else by the number in it, from 0 or from 1.

    Raises TruthError if a label has no slice.
    """
    out: dict[Plane, dict[str, int]] = {}
    for plane, files in truth.labels.items():
        count, known = shape[2 - plane.axis], {name: i for i, name in enumerate(names.get(plane, ()))}
        numbers = {stem: int(m[1]) for stem in files if (m := re.search(r"(\d+)$", stem))}
        first = 1 if count in numbers.values() and 0 not in numbers.values() else 0
        out[plane] = {}
        for stem in files:
            index = known.get(stem) if known else numbers[stem] - first if stem in numbers else None
            if index is None or not 0 <= index < count:
                raise TruthError(f"label {stem} has no slice among the result's {count} of {plane}: they belong to another grid")
            out[plane][stem] = index
    return out


def _whole_plane(places: Mapping[Plane, Mapping[str, int]]) -> Plane | None:
    """The first plane whose labels leave no gap between the first and the last slice."""
    for plane in Plane:
        indices = set(places.get(plane, {}).values())
        if len(indices) > 1 and len(indices) == max(indices) - min(indices) + 1:
            return plane
    return None


def _frame(
    volume: NDArray[np.uint8] | None, found: NDArray[np.uint8], affine: NDArray[np.float64], results: Sequence[CaseResult],
    why: dict[str, str],
) -> FootFrame | None:  # fmt: skip
    """The foot's axes, from the true bones where there are any: true angles are read in the foot's own views, as measured ones are."""
    known = not any(notice.code == "geometry_from_names" for notice in results[0].warnings)
    standing = results[0].provenance.get("input", {}).get("weight_bearing")
    try:
        return foot_frame(found if volume is None else volume, affine, orientation_known=known, weight_bearing=standing)
    except CaseError:
        why["angles"] = "too few bones to tell the foot's axes"
        return None


def _points(truth: CaseRef, unknown: Counter[str]) -> dict[str, Point]:
    points: dict[str, Point] = {}
    for path in truth.angle_files:
        try:
            points |= read_angle_label(path)
        except TruthError:
            unknown["unreadable angle file"] += 1
    return points


def _clinical(truth: CaseRef) -> Clinical | None:
    for path in truth.clinical_files:
        try:
            return read_clinical(path)
        except TruthError:
            continue
    return None


def _true_findings(clinical: Clinical | None) -> frozenset[str] | None:
    """Findings that the clinical file names; {"normal"} for a normal case; None where it names nothing known."""
    if clinical is None:
        return None
    named = frozenset(name for text in (*clinical.details, *clinical.groups) if (name := finding_name(text)))
    diseases = named - {"normal"}
    return diseases or (named or None)


def _levels(results: Sequence[CaseResult]) -> dict[str, Level]:
    """The worst level of each finding over the feet of a case."""
    found = {term.name: [f.level for r in results for f in r.findings if f.name == term.name] for term in FINDINGS}
    return {name: min(levels, key=_SEVERITY.index) for name, levels in found.items() if levels}


def _bone_scores(results: Sequence[CaseResult]) -> dict[int, float]:
    told = [r.provenance.get("bone_confidence", {}) for r in results]
    return {bone: max((float(t[name]) for t in told if name in t), default=1.0) for name, bone in BONE_ID.items()}


def _groups(truth: CaseRef, clinical: Clinical | None, results: Sequence[CaseResult]) -> dict[str, tuple[str, ...]]:
    """Dimension -> the case's values; dimensions without a value are left out."""
    stem = next((s for files in truth.labels.values() for s in files), None) or next((p.stem for p in truth.angle_files), "")
    named = series_name(stem)
    diseases = _true_findings(clinical)
    side = named.side if named else results[0].side
    values: dict[str, tuple[str | None, ...]] = {
        "disease": tuple(sorted(diseases)) if diseases else (None,),
        "age_band": (age_band(clinical.age_years) if clinical else None,),
        "sex": (clinical.sex if clinical else None,),
        "institution": (named.institution if named else None,),
        "side": (side,),
    }
    return {key: tuple(v for v in found if v) for key, found in values.items() if any(found)}
