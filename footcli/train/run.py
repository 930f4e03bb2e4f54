"""From a task's name to an exported model: its bank, network and manifest entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic

import numpy as np
from torch import nn

from footcli.errors import SetupError
from footcli.infer.manifest import NAME, clash, load_manifest, verify, write_entry
from footcli.infer.spec import ModelSpec
from footcli.phantom.disease import DISEASES, Variety, draw_subject
from footcli.phantom.seeds import LESION_TUNE_SEEDS, TUNE_SEEDS
from footcli.phantom.subject import Subject
from footcli.system.assets import models_dir
from footcli.system.files import write_atomic
from footcli.train import bones, finder, hindfoot, hindfoot_region, landmarks, lesions
from footcli.train.bank import Bank, Entry, lesion_subject, make_entry
from footcli.train.banked_scans import BankedScan, to_scan
from footcli.train.cases import Labelled, by_shipped_model, read_labelled
from footcli.train.entries import (
    Say,
    bone_spec,
    export_bones,
    export_finder,
    export_landmarks,
    export_lesions,
    landmark_spec,
    lesion_spec,
    part_spec,
)
from footcli.train.finder_scenes import draw_scene
from footcli.train.job import Job, T
from footcli.train.judge import (
    held_cases,
    held_phantoms,
    judge_bones,
    judge_landmarks,
    judge_lesions,
)
from footcli.train.samples import PLANES, Sample, drawn, labelled, pointed
from footcli.train.shapes import ShapeSwap
from footcli.train.watch import Judge, Plan
from footcli.walk.tree import CaseEntry

SHAPES_CHANCE = 0.4  # share of subjects with measured surfaces
FINDER_SHAPES = 0.75  # of the finder's, whose task is the form of bones
HELD_PHANTOMS = 4
CALIBRATED_ON, CALIBRATION_MM = 48, 0.8  # subjects for the thresholds of lesions, and their spacing


def train_and_export(job: Job) -> tuple[Path, ...]:
    """Train a task's network and export it into `models`, with the shipped models of other tasks.

    Returns the files written. Raises SetupError for unusable labels, and for a network judged below
    its floor.
    """
    task = job.task
    kinds = {
        "bones": _train_bones,
        "finder": _train_finder,
        "landmarks": _train_landmarks,
        "lesions": _train_lesions,
    }
    written = kinds[task](job) if task in kinds else _train_part(task, job)
    complete(job.models)
    return written


def _train_bones(job: Job) -> tuple[Path, ...]:
    material, data = job.material, str(job.material)
    wear = ShapeSwap(material.shapes, SHAPES_CHANCE) if material.shapes else None
    learn, keep = material.split()
    held = held_cases(keep) if keep else list(held_phantoms(TUNE_SEEDS[:HELD_PHANTOMS]))

    def drawn(seed: int) -> Entry | BankedScan:
        return make_entry(seed, wear)

    def taken(place: CaseEntry, rng: np.random.Generator) -> Entry | BankedScan:
        return to_scan(read_labelled(place), rng)

    spec = bone_spec(data)
    bank = Bank(job.plan.bank, job.make(learn, drawn, taken))
    net = bones.run(job.plan, job.say, bank, lambda module: judge_bones(module, held, spec))
    return export_bones(net, job.models, data, job.account(keep, held), job.say)


def _train_finder(job: Job) -> tuple[Path, ...]:
    """Train the finder on drawn scenes: the labels of the data set do not tell its parts apart."""
    if job.material.data is not None:
        raise SetupError("train finder: learns from drawn scenes alone: leave DATA out")
    shapes, data = job.material.shapes, str(job.material)
    wear = ShapeSwap(shapes, FINDER_SHAPES) if shapes else None
    held = [draw_scene(seed) for seed in TUNE_SEEDS]
    bank = Bank(job.plan.bank, partial(draw_scene, wear=wear))
    net = finder.run(job.plan, job.say, bank, lambda module: finder.judge_finder(module, held))
    return export_finder(net, job.models, data, job.account([], held), job.say)


def _train_landmarks(job: Job) -> tuple[Path, ...]:
    data = str(job.material)
    learn, keep = job.material.split()
    if keep:
        held = held_cases(keep, pointed)
    else:
        held = list(held_phantoms(TUNE_SEEDS[:HELD_PHANTOMS], draw_subject))

    def taken(place: CaseEntry, rng: np.random.Generator) -> Sample:
        return labelled(pointed(place), rng)

    specs = {plane: landmark_spec(plane, data) for plane in PLANES}
    bank = Bank(job.plan.bank, job.make(learn, drawn, taken))
    net = landmarks.run(job.plan, job.say, bank, lambda own: judge_landmarks(own, held, specs))
    return export_landmarks(net, job.models, data, job.account(keep, held), job.say)


def _train_lesions(job: Job) -> tuple[Path, ...]:
    shapes = job.material.shapes
    wear = ShapeSwap(shapes, SHAPES_CHANCE) if shapes else None

    def draw(seed: int) -> Entry | BankedScan:
        return make_entry(seed, wear, lesion_subject)

    kind: _Detection[Entry | BankedScan] = _Detection(draw, to_scan, lesions.run)
    return _train_detector(job, lesion_spec(str(job.material)), kind)


def _train_part(task: str, job: Job) -> tuple[Path, ...]:
    part, spec = hindfoot_region.PARTS[task], part_spec(task, str(job.material))
    _refuse_clash(job.models, spec)
    shapes = job.material.shapes
    wear = ShapeSwap(shapes, 1.0) if shapes else None

    def draw(seed: int) -> hindfoot_region.SearchRegion:
        return hindfoot_region.draw_region(part, seed, wear)

    def take(case: Labelled, rng: np.random.Generator) -> hindfoot_region.SearchRegion:
        return hindfoot_region.region(part, case)

    return _train_detector(job, spec, _Detection(draw, take, partial(hindfoot.run, part)))


def _refuse_clash(models: Path, spec: ModelSpec) -> None:
    """Raise SetupError where a model of the folder detects these lesions and others too."""
    for other in load_manifest(models).models if (models / NAME).exists() else ():
        if clash(other, spec) and not set(other.classes) <= set(spec.classes):
            raise SetupError(
                f"{models / other.file}: tells {spec.classes[0]} and other lesions: name another "
                "folder with --models"
            )


@dataclass(frozen=True, slots=True)
class _Detection(Generic[T]):
    """How a detector is trained.

    draw: seed -> training item of a synthetic subject. take: training item of a labelled case. run:
    the training.
    """

    draw: Callable[[int], T]
    take: Callable[[Labelled, np.random.Generator], T]
    run: Callable[[Plan, Say, Bank[T], Judge], nn.Module]


def _train_detector(job: Job, spec: ModelSpec, kind: _Detection[T]) -> tuple[Path, ...]:
    learn, keep = job.material.split()

    def read(place: CaseEntry) -> Labelled:
        return read_labelled(place, by_shipped_model)

    def taken(place: CaseEntry, rng: np.random.Generator) -> T:
        return kind.take(read(place), rng)

    # choose thresholds on the feet that the network is for: the user's cases, if there are any
    if keep:
        held = held_cases(keep, read)
        tuned: Iterable[Labelled] = held
    else:
        held = list(held_phantoms(LESION_TUNE_SEEDS[-len(DISEASES) :], ill_in_turn))
        tuned = held_phantoms(LESION_TUNE_SEEDS[:CALIBRATED_ON], ill_in_turn, CALIBRATION_MM)
    bank = Bank(job.plan.bank, job.make(learn, kind.draw, taken))
    net = kind.run(job.plan, job.say, bank, lambda module: judge_lesions(module, held, spec))
    return export_lesions(net, job.models, spec, job.account(keep, held), job.say, tuned)


def ill_in_turn(seed: int) -> Subject:
    """A subject with one disease, chosen in turn by the seed, otherwise healthy, with lesion
    mimics.
    """
    return draw_subject(
        seed, DISEASES[seed % len(DISEASES)], variety=Variety(with_mimics=True, by_definition=True)
    )


def complete(models: Path) -> None:
    """Copy the shipped models of tasks that the folder lacks, so that `analyze --models` accepts
    it.
    """
    shipped = load_manifest(models_dir())
    if models.resolve() == shipped.folder.resolve():
        return
    own = load_manifest(models).models
    for spec in shipped.models:
        if not any(clash(spec, o) for o in own):
            write_atomic(models / spec.file, verify(spec, shipped.folder).read_bytes())
            write_entry(models, spec)
