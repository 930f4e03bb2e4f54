"""The one place that knows the order: read, infer, measure, decide, save."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from footcli import __version__
from footcli.dataset.labels_out import all_source_names
from footcli.decide.boxes import arch_by_angles
from footcli.decide.findings import decide
from footcli.decide.profile import Profile, load_profile
from footcli.domain import CaseRef, CaseResult, Lesion, Plane, Side, Stack, View, Volume
from footcli.frame.axes import FootFrame, foot_frame
from footcli.identity import ALGORITHM, FOOT_MARK, input_facts
from footcli.infer.bones import Segmented, on_input_grid, segment
from footcli.infer.landmarks import locate
from footcli.infer.lesions import find_lesions, not_assessable
from footcli.infer.manifest import load_manifest, verify
from footcli.infer.prepare import alone, canonical
from footcli.infer.session import Device, Session, open_session
from footcli.infer.spec import ModelSpec
from footcli.infer.views import slab
from footcli.kinds import BONES, LESIONS
from footcli.levels import SUSPICIOUS
from footcli.measure.angles import MaskPoints, mask_points, measure_both
from footcli.measure.hallux import phalanx
from footcli.provenance import ModelFacts, OptionFacts, Provenance, Settings
from footcli.read import read_case
from footcli.text.lines import Line
from footcli.views.cut import BONE_WINDOW
from footcli.views.scroll import build_stack
from footcli.views.slices import Shown, build_views, handedness

Quality = Literal["fast", "standard", "best"]
NO_MODEL = Line("no_model")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about how cases are analysed."""

    models: Path
    device: Device = "auto"
    quality: Quality = "standard"
    profile: str = "general"
    lang: str = "en"
    weight_bearing: bool | None = None
    spacing_mm: float | None = None
    polygons: bool = False
    threads: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """The opened models with their entries, and the profile of cut-offs."""

    bones: tuple[Session, ModelSpec]
    landmarks: Mapping[Plane, tuple[Session, ModelSpec]]
    lesions: tuple[tuple[Session, ModelSpec], ...]
    profile: Profile

    def specs(self) -> tuple[ModelSpec, ...]:
        """The entries of all models, in a fixed order."""
        return (
            self.bones[1],
            *(spec for _, spec in self.landmarks.values()),
            *(spec for _, spec in self.lesions),
        )

    @property
    def device(self) -> str:
        """What the bone model really runs on: cpu or cuda."""
        return self.bones[0].device


@dataclass(frozen=True, slots=True, eq=False)
class Foot:
    """One foot of a case, ready to be saved. labels: uint8 (z, y, x) on the input's grid."""

    result: CaseResult
    labels: NDArray[np.uint8]
    views: tuple[View, ...]
    stack: Stack | None
    volume: Volume


@dataclass(slots=True)
class Clock:
    """Seconds spent in each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Any:
        """Add the time of a with-block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = round(
                self.seconds.get(stage, 0.0) + time.perf_counter() - began, 3
            )


def load_models(options: Options) -> Models:
    """Check and open every model. Raises SetupError: nothing starts with a bad model."""
    manifest = load_manifest(options.models)
    profile = load_profile(options.profile)

    def opened(spec: ModelSpec) -> tuple[Session, ModelSpec]:
        return open_session(
            verify(spec, manifest.folder), options.device, options.threads, spec
        ), spec

    landmarks = {
        plane: opened(manifest.get("landmarks", plane)) for plane in (Plane.SAG, Plane.COR)
    }
    return Models(
        opened(manifest.get("bones")), landmarks, tuple(map(opened, manifest.lesions())), profile
    )


def analyze_case(ref: CaseRef, models: Models, options: Options, clock: Clock) -> tuple[Foot, ...]:
    """Read and analyse one case: one Foot, or two where the volume holds two. Raises CaseError."""
    return analyze_volume(ref, read_volume(ref, options, clock), models, options, clock)


def read_volume(ref: CaseRef, options: Options, clock: Clock) -> Volume:
    """Read a case's images. Raises CaseError."""
    with clock("read"):
        return read_case(ref, weight_bearing=options.weight_bearing, spacing_mm=options.spacing_mm)


def analyze_volume(
    ref: CaseRef, volume: Volume, models: Models, options: Options, clock: Clock
) -> tuple[Foot, ...]:
    """Analyse a case's volume: one Foot, or two where it holds two. Raises CaseError."""
    with clock("bones"):
        feet = segment(volume, *models.bones, options.quality)
    settings = fingerprint(models, options)
    found = [_analyze_foot(ref, volume, foot, models, settings, clock) for foot in feet]
    if len(found) == 1:
        return tuple(found)
    suffixes = [f.result.side or str(i) for i, f in enumerate(found, start=1)]
    if len(set(suffixes)) < len(suffixes):
        suffixes = [str(i) for i in range(1, len(found) + 1)]
    return tuple(
        replace(f, result=replace(f.result, case_id=f"{ref.case_id}{FOOT_MARK}{s}"))
        for f, s in zip(found, suffixes, strict=True)
    )


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
        inside = volume.hu > volume.hu.min()
        frame = foot_frame(
            labels,
            volume.affine,
            orientation_known=volume.orientation_known,
            weight_bearing=volume.tags.weight_bearing,
            inside=inside,
        )
    with clock("landmarks"):
        located = locate(volume, foot.grid, foot.labels, frame, models.landmarks)
    with clock("measure"):
        masks = mask_points(frame, partial(phalanx, volume.hu, labels, frame))
        hidden, unseen = _not_assessable(foot, masks)
        unseen |= _nobody_looks(models)
    with clock("lesions"):
        lesions = _lesions(volume, foot, models, hidden)
    with clock("measure"):
        values = measure_both(located.landmarks, masks, frame, located.missing)
        if any(spec.by_angles for _, spec in models.lesions):
            lesions = arch_by_angles(lesions, values, models.profile)
        shown, faint = (
            tuple(x for x in lesions if (x.score >= SUSPICIOUS) == seen) for seen in (True, False)
        )
        findings = decide(
            values,
            shown,
            models.profile,
            age_years=volume.tags.age_years,
            lesion_not_assessable=unseen,
        )
    usual = handedness(volume, frame, foot.turned)
    side, notices = _side(frame, volume, usual)
    provenance = Provenance(
        __version__,
        settings.algorithm,
        settings.models,
        settings.profile,
        settings.options,
        input_facts(volume, all_source_names(volume, ref)),
        {BONES[k - 1].name: round(v, 3) for k, v in foot.confidence.items()},
        side or usual,
    )
    landmarks = tuple(point for point in located.landmarks if point.name not in located.missing)
    result = CaseResult(
        ref.case_id,
        side,
        values,
        landmarks,
        shown,
        findings,
        (*volume.notices, *frame.notices, *notices),
        provenance,
        faint,
    )
    with clock("pictures"):
        above = slab(
            foot.grid.hu,
            foot.labels,
            np.linalg.inv(frame.to_foot @ foot.grid.to_input),
            Plane.AXL,
            BONE_WINDOW,
        )
        turned = (*foot.turned, side is not None and side != usual)
        how = Shown(turned, side)
        views = build_views(volume, labels, frame, (*located.slabs, above), shown, how)
        stack = build_stack(volume, labels, frame, turned)
    return Foot(result, labels, views, stack, volume)


def _lesions(
    volume: Volume, foot: Segmented, models: Models, hidden: Mapping[str, Line]
) -> tuple[Lesion, ...]:
    """What the lesion models find, best first; those of one pixel size share a grid."""
    grids = {foot.grid.pixel_mm: (foot.grid, foot.labels)}
    found: list[Lesion] = []
    for session, spec in models.lesions:
        if spec.pixel_mm not in grids:
            grid = alone(canonical(volume, spec.pixel_mm, foot.turned), foot.part_mm)
            grids[spec.pixel_mm] = (
                grid,
                _regrid(foot.labels, foot.grid.pixel_mm, grid.hu.shape, spec.pixel_mm),
            )
        found += find_lesions(volume, *grids[spec.pixel_mm], session, spec, hidden)
    return tuple(sorted(found, key=lambda lesion: -lesion.score))


def _regrid(
    labels: NDArray[np.uint8], pixel: float, shape: tuple[int, ...], wanted: float
) -> NDArray[np.uint8]:
    """Nearest neighbour from one canonical grid to another of the same volume."""
    at = [
        np.minimum(np.rint(np.arange(n) * wanted / pixel).astype(int), m - 1)
        for n, m in zip(shape, labels.shape, strict=True)
    ]
    return labels[np.ix_(*at)]


def _nobody_looks(models: Models) -> dict[str, Line]:
    """Lesion name -> why it cannot be judged, for those that no model of the folder tells: never
    "not seen".
    """
    known = {name for _, spec in models.lesions for name in spec.classes}
    return {term.name: NO_MODEL for term in LESIONS if term.name not in known}


def _not_assessable(foot: Segmented, masks: MaskPoints) -> tuple[dict[str, Line], dict[str, Line]]:
    """Lesion name -> why it cannot be judged: not looked for, too little is there of what it lies
    at; and not ruled out either.
    """
    present = {bone.name: i in foot.confidence for i, bone in enumerate(BONES, start=1)}
    present["1st Metatarsal"] = "TMA_Line2_Pt2" not in masks.unusable  # its head
    hidden = not_assessable(present)
    # of a toe that is cut off the joint may still be seen
    toe = masks.unusable.get("HVA_Line2_Pt1")
    return hidden, ({"Hallux Valgus": toe} if toe else {}) | hidden


def _side(frame: FootFrame, volume: Volume, usual: Side) -> tuple[Side | None, tuple[Line, ...]]:
    """The side that the bones show; the tag is the second opinion and speaks only where the bones
    cannot.

    usual: the side of the foot if its slices are shown as usual, see `handedness`.
    """
    seen, told = frame.side, volume.tags.side
    if seen is None:
        if told is None or told == usual:
            return told, ()
        return told, (_disagreement("side_disagrees.turned", usual, told),)
    if told is not None and told != seen:
        return seen, (_disagreement("side_disagrees", seen, told),)
    return seen, ()


def _disagreement(code: str, bones: Side, told: Side) -> Line:
    return Line(code, bones=Line(f"foot_side.{bones}"), file=told)


def fingerprint(models: Models, options: Options) -> Settings:
    """All but the input that a result depends on."""
    facts = [ModelFacts(s.file, s.task, s.sha256, s.entry_sha256) for s in models.specs()]
    spacing = None if options.spacing_mm is None else f"{options.spacing_mm:.9g}"
    return Settings(
        ALGORITHM,
        tuple(facts),
        models.profile.facts(),
        OptionFacts(options.quality, spacing, options.weight_bearing),
    )
