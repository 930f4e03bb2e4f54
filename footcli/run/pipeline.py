"""Analysis of a case, from reading to the results of its feet; case_job.py saves them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from footcli import __version__
from footcli.dataset.labels_out import all_source_names
from footcli.decide.boxes import arch_by_angles
from footcli.decide.certainty import Certainty
from footcli.decide.findings import decide
from footcli.domain import CaseRef, CaseResult, Plane, Side, Volume
from footcli.errors import ImplausibleError
from footcli.frame.axes import FootFrame, frame_of
from footcli.frame.foot_check import check_foot
from footcli.frame.masks import find_bones
from footcli.identity import FOOT_MARK, input_facts
from footcli.infer.bones import Segmented, on_input_grid, segment
from footcli.infer.landmarks import locate
from footcli.infer.views import slab
from footcli.kinds import BONES
from footcli.levels import SUSPICIOUS
from footcli.measure.angles import mask_points, measure_both
from footcli.measure.box_anatomy import sort_boxes
from footcli.measure.hallux import phalanx
from footcli.measure.load import load_of, pose_of, with_load
from footcli.provenance import InputFacts, Provenance, Settings
from footcli.read import read_case
from footcli.read.hounsfield import check_bone
from footcli.run.doubts import box_limits, doubts, scan_limits, unsure_bones
from footcli.run.lesions import not_judged, seek_lesions
from footcli.run.setup import Clock, Models, Options, fingerprint
from footcli.store.pictures import Stack, View
from footcli.text.lines import Line
from footcli.views.cut import BONE_WINDOW
from footcli.views.scroll import build_stack
from footcli.views.slices import Shown, build_views, handedness


@dataclass(frozen=True, slots=True, eq=False)
class Foot:
    """One foot of a case, ready to be saved. labels: uint8 (z, y, x) on the input's grid."""

    result: CaseResult
    labels: NDArray[np.uint8]
    views: tuple[View, ...]
    stack: Stack | None
    volume: Volume


def analyze_case(
    ref: CaseRef, models: Models, options: Options, clock: Clock | None = None
) -> tuple[Foot, ...]:
    """Read and analyse one case: one Foot, or two where the volume holds two. Raises CaseError."""
    clock = clock or Clock()
    return analyze_volume(ref, read_volume(ref, options, clock), models, options, clock)


def read_volume(ref: CaseRef, options: Options, clock: Clock) -> Volume:
    """Read a case's images, in Hounsfield units. Raises CaseError."""
    with clock("read"):
        standing, spacing = options.weight_bearing, options.spacing_mm
        return read_case(ref, weight_bearing=standing, spacing_mm=spacing)


def analyze_volume(
    ref: CaseRef, volume: Volume, models: Models, options: Options, clock: Clock
) -> tuple[Foot, ...]:
    """Analyse a case's volume: one Foot, or two where it holds two. Raises CaseError."""
    with clock("bones"):
        feet = segment(volume, *models.bones, options.quality)
    settings = fingerprint(models, options)
    found: list[Foot] = []
    refused: list[ImplausibleError] = []
    for segmented in feet:
        try:
            found.append(_analyze_foot(ref, volume, segmented, models, settings, clock))
        except ImplausibleError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    if refused:
        notice = Line("foot_left_out", why=refused[0].line)
        found = [_with_warning(done, notice) for done in found]
    return tuple(found) if len(feet) == 1 else _named(found, ref.case_id)


def _named(found: list[Foot], case_id: str) -> tuple[Foot, ...]:
    """The feet of one scan, each with an id of its own."""
    suffixes = [f.result.side or str(i) for i, f in enumerate(found, start=1)]
    if len(set(suffixes)) < len(suffixes):
        suffixes = [str(i) for i in range(1, len(found) + 1)]
    named = []
    for foot, suffix in zip(found, suffixes, strict=True):
        result = replace(foot.result, case_id=f"{case_id}{FOOT_MARK}{suffix}")
        named.append(replace(foot, result=result))
    return tuple(named)


def _with_warning(foot: Foot, notice: Line) -> Foot:
    result = replace(foot.result, warnings=(*foot.result.warnings, notice))
    return replace(foot, result=result)


def _analyze_foot(
    ref: CaseRef,
    volume: Volume,
    foot: Segmented,
    models: Models,
    settings: Settings,
    clock: Clock,
) -> Foot:
    with clock("bones"):
        labels = on_input_grid(foot, foot.labels, volume)
    with clock("measure"):
        bones = find_bones(labels, volume.affine, volume.hu > volume.hu.min())
        check_bone(volume.hu, labels)
        fit = check_foot(bones, volume.affine, spacing_known=volume.spacing_known)
        frame = frame_of(
            bones,
            volume.affine,
            orientation_known=volume.orientation_known,
            weight_bearing=volume.tags.weight_bearing,
        )
        unsure = unsure_bones(foot, bones, volume, labels)
    with clock("landmarks"):
        located = locate(volume, foot.grid, foot.labels, frame, models.landmarks)
    with clock("measure"):
        masks = mask_points(frame, partial(phalanx, volume.hu, labels, frame), fit.size)
        values = measure_both(located.landmarks, masks, frame, located.missing, unsure)
        known = volume.orientation_known
        pose = pose_of(masks.found, frame.to_foot, volume.affine, fit, known)
        load = load_of(volume.tags.weight_bearing, pose)
        values = with_load(values, load)
        hidden, unseen = not_judged(foot, masks, models, unsure)
    with clock("lesions"):
        sought = seek_lesions(volume, foot, models, hidden)
        known = volume.spacing_known
        boxes = sort_boxes(sought, frame, masks.found, spacing_known=known)
        lesions = boxes.kept
    with clock("measure"):
        if any(spec.by_angles for _, spec in models.lesions):
            lesions = arch_by_angles(lesions, values, models.profile)
        shown = tuple(x for x in lesions if x.score >= SUSPICIOUS)
        age = volume.tags.age_years
        limits = scan_limits(volume, fit)
        findings = decide(
            values,
            shown,
            models.profile,
            age_years=age,
            lesion_not_assessable=unseen,
            certainty=Certainty(
                load.loaded,
                boxes.unchecked,
                limits,
                box_limits(volume),
                floor_seen=frame.floor == "bones",
            ),
        )
    usual = handedness(volume, frame, foot.turned)
    side, notices = _side(frame, volume, usual)
    facts = input_facts(volume, all_source_names(volume, ref))
    warnings = (*volume.notices, *frame.notices, *notices, *limits)
    warnings += tuple(doubts(unsure, load, boxes))
    result = CaseResult(
        case_id=ref.case_id,
        side=side,
        measurements=values,
        landmarks=tuple(p for p in located.landmarks if p.name not in located.missing),
        lesions=shown,
        findings=findings,
        warnings=tuple(dict.fromkeys(warnings)),
        provenance=_provenance(settings, facts, foot, side or usual),
        faint_lesions=tuple(x for x in lesions if x.score < SUSPICIOUS),
    )
    with clock("pictures"):
        to_grid = np.linalg.inv(frame.to_foot @ foot.grid.to_input)
        above = slab(foot.grid.hu, foot.labels, to_grid, Plane.AXL, BONE_WINDOW)
        how = Shown((*foot.turned, side is not None and side != usual), side)
        views = build_views(volume, labels, frame, (*located.slabs, above), shown, how)
        stack = build_stack(volume, labels, frame, how.turned)
    return Foot(result, labels, views, stack, volume)


def _provenance(
    settings: Settings, facts: InputFacts, foot: Segmented, drawn_as: Side
) -> Provenance:
    return Provenance(
        version=__version__,
        algorithm=settings.algorithm,
        models=settings.models,
        profile=settings.profile,
        options=settings.options,
        input=facts,
        bone_confidence={BONES[k - 1].name: round(v, 3) for k, v in foot.confidence.items()},
        drawn_as=drawn_as,
    )


def _side(frame: FootFrame, volume: Volume, usual: Side) -> tuple[Side | None, tuple[Line, ...]]:
    """The side that the bones show; the file's tag decides only where the bones do not.

    usual: the side of the foot if its slices are shown as usual, see `handedness`.
    """
    seen, tagged = frame.side, volume.tags.side
    if seen is None:
        if tagged is None or tagged == usual:
            return tagged, ()
        return tagged, (_disagreement("side_disagrees.turned", usual, tagged),)
    if tagged is not None and tagged != seen:
        return seen, (_disagreement("side_disagrees", seen, tagged),)
    return seen, ()


def _disagreement(code: str, bones: Side, tagged: Side) -> Line:
    return Line(code, bones=Line(f"foot_side.{bones}"), file=tagged)
