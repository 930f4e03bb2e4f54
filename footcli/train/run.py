"""From a task's name to an exported model.

Which bank, which network, which entry in the manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from footcli.errors import SetupError
from footcli.infer.manifest import NAME, clash, load_manifest, sha256_of, verify, write_entry
from footcli.infer.spec import ModelSpec
from footcli.phantom.disease import DISEASES, draw_subject
from footcli.phantom.seeds import LESION_TUNE_SEEDS, TUNE_SEEDS
from footcli.phantom.subject import Subject
from footcli.system.assets import models_dir
from footcli.system.files import write_atomic
from footcli.train import bones, hindfoot, landmarks, lesions
from footcli.train.bank import Bank, Entry, lesion_subject, make_entry
from footcli.train.cases import (
    Labelled,
    Scan,
    by_shipped_model,
    find_labelled,
    from_any,
    read_labelled,
    split,
    to_scan,
)
from footcli.train.entries import (
    Say,
    bone_spec,
    export_bones,
    export_landmarks,
    export_lesions,
    landmark_spec,
    lesion_spec,
    part_spec,
)
from footcli.train.judge import (
    held_cases,
    held_phantoms,
    judge_bones,
    judge_landmarks,
    judge_lesions,
)
from footcli.train.loop import CHECKPOINT, Judge, Plan, read_curve
from footcli.train.samples import PLANES, Sample, drawn, labelled, pointed
from footcli.train.shapes import ShapeSwap
from footcli.walk.tree import CasePlace

T = TypeVar("T")
SHAPES_CHANCE = 0.4  # share of subjects that wear measured surfaces
HELD_PHANTOMS = 4
CALIBRATED_ON, CALIBRATION_MM = 48, 0.8  # subjects for the thresholds of lesions, and their spacing


@dataclass(frozen=True, slots=True)
class Material:
    """What to learn from. data: labelled cases of the data set's layout, None for phantoms alone;
    phantoms: their share beside data.

    shapes: measured surfaces that some phantoms wear.
    """

    data: Path | None = None
    phantoms: float = 0.0
    shapes: Path | None = None

    def __str__(self) -> str:
        drawn = "synthetic subjects of footcli phantom" + (
            ", and measured surfaces (CC0)" if self.shapes else ""
        )
        if self.data is None:
            return drawn
        return "labelled cases of the user's own" + (
            f", and {drawn} ({self.phantoms:.0%})" if self.phantoms > 0 else ""
        )

    def split(self) -> tuple[list[CasePlace], list[CasePlace]]:
        """Cases to learn from and to judge by; none of either without data.

        Raises SetupError as find_labelled does.
        """
        return split(find_labelled(self.data)) if self.data is not None else ([], [])

    def draws(self, seed: int) -> bool:
        """Whether the thing of this seed is a drawn subject; always without data."""
        return self.data is None or bool(np.random.default_rng([seed, 9]).random() < self.phantoms)


def train_and_export(
    task: str, plan: Plan, models: Path, material: Material, say: Say
) -> tuple[Path, ...]:
    """Train a task's network and export it into `models`, beside the shipped models of the other
    tasks. Returns the files written.

    Raises SetupError for labels that cannot be learnt from.
    """
    train = {"bones": _train_bones, "landmarks": _train_landmarks, "lesions": _train_lesions}.get(
        task
    ) or partial(_train_part, task)
    written = train(plan, models, material, say)
    complete(models)
    return written


def _train_bones(plan: Plan, models: Path, material: Material, say: Say) -> tuple[Path, ...]:
    change = ShapeSwap(material.shapes, SHAPES_CHANCE) if material.shapes else None
    learn, keep = material.split()
    held = held_cases(keep) if keep else list(held_phantoms(TUNE_SEEDS[:HELD_PHANTOMS]))

    def make(seed: int) -> Entry | Scan:
        if material.draws(seed):
            return make_entry(seed, change)
        return from_any(learn, seed, lambda place, rng: to_scan(read_labelled(place), rng))

    spec = bone_spec(str(material))
    bank: Bank[Entry | Scan] = Bank(plan.bank, make)
    net = bones.run(plan, say, bank, lambda module: judge_bones(module, held, spec))
    who = _who(keep, held)
    return export_bones(
        net, models, str(material), _facts(plan) | {"judged on": who}, say, read_curve(plan), who
    )


def _train_landmarks(plan: Plan, models: Path, material: Material, say: Say) -> tuple[Path, ...]:
    learn, keep = material.split()
    held = (
        held_cases(keep, pointed)
        if keep
        else list(held_phantoms(TUNE_SEEDS[:HELD_PHANTOMS], draw_subject))
    )

    def make(seed: int) -> Sample:
        return (
            drawn(seed)
            if material.draws(seed)
            else from_any(learn, seed, lambda place, rng: labelled(pointed(place), rng))
        )

    specs = {plane: landmark_spec(plane, str(material)) for plane in PLANES}
    net = landmarks.run(
        plan, say, Bank(plan.bank, make), lambda module: judge_landmarks(module, held, specs)
    )
    who = _who(keep, held)
    return export_landmarks(
        net, models, str(material), _facts(plan) | {"judged on": who}, say, read_curve(plan), who
    )


def _train_lesions(plan: Plan, models: Path, material: Material, say: Say) -> tuple[Path, ...]:
    change = ShapeSwap(material.shapes, SHAPES_CHANCE) if material.shapes else None

    def draw(seed: int) -> Entry | Scan:
        return make_entry(seed, change, lesion_subject)

    return _train_detector(
        plan, models, material, say, lesion_spec(str(material)), draw, to_scan, lesions.run
    )


def _train_part(
    task: str, plan: Plan, models: Path, material: Material, say: Say
) -> tuple[Path, ...]:
    part, spec = hindfoot.PARTS[task], part_spec(task, str(material))
    for other in load_manifest(models).models if (models / NAME).exists() else ():
        if clash(other, spec) and not set(other.classes) <= set(spec.classes):
            raise SetupError(
                f"{models / other.file}: tells {part.classes[0]} and other lesions: name another "
                "folder with --models"
            )
    change = ShapeSwap(material.shapes, 1.0) if material.shapes else None

    def draw(seed: int) -> hindfoot.Region:
        return hindfoot.draw_region(part, seed, change)

    return _train_detector(
        plan,
        models,
        material,
        say,
        spec,
        draw,
        lambda case, rng: hindfoot.region(part, case),
        partial(hindfoot.run, part),
    )


def _train_detector(
    plan: Plan,
    models: Path,
    material: Material,
    say: Say,
    spec: ModelSpec,
    draw: Callable[[int], T],
    take: Callable[[Labelled, np.random.Generator], T],
    learn_from: Callable[[Plan, Say, Bank[T], Judge], nn.Module],
) -> tuple[Path, ...]:
    """draw: seed -> what is learnt from, of a drawn subject. take: the same of a labelled case."""
    learn, keep = material.split()

    def read(place: CasePlace) -> Labelled:
        return read_labelled(place, by_shipped_model)

    held = (
        held_cases(keep, read)
        if keep
        else list(held_phantoms(LESION_TUNE_SEEDS[-len(DISEASES) :], ill_in_turn))
    )

    def make(seed: int) -> T:
        return (
            draw(seed)
            if material.draws(seed)
            else from_any(learn, seed, lambda place, rng: take(read(place), rng))
        )

    net = learn_from(
        plan, say, Bank(plan.bank, make), lambda module: judge_lesions(module, held, spec)
    )
    who = _who(keep, held)
    # thresholds are for the feet that the network is meant for: a user's own, where there are any
    tuned = (
        held
        if keep
        else held_phantoms(LESION_TUNE_SEEDS[:CALIBRATED_ON], ill_in_turn, CALIBRATION_MM)
    )
    return export_lesions(
        net, models, spec, _facts(plan) | {"judged on": who}, say, tuned, read_curve(plan), who
    )


def ill_in_turn(seed: int) -> Subject:
    """A subject with one of the diseases, each in turn, healthy in all else, and with what looks
    like a lesion and is none.
    """
    return draw_subject(seed, DISEASES[seed % len(DISEASES)], with_mimics=True, by_definition=True)


def _who(keep: Sequence[CasePlace], held: Sequence[Labelled]) -> str:
    return (
        f"{len({p.folder_name for p in keep})} patients kept for judging"
        if keep
        else f"{len(held)} synthetic subjects kept for judging"
    )


def complete(models: Path) -> None:
    """Copy the shipped models of tasks that the folder lacks, so that `analyze --models` takes it
    at once.
    """
    shipped = load_manifest(models_dir())
    if models.resolve() == shipped.folder.resolve():
        return
    own = load_manifest(models).models
    for spec in shipped.models:
        if not any(clash(spec, o) for o in own):
            write_atomic(models / spec.file, verify(spec, shipped.folder).read_bytes())
            write_entry(models, spec)


def _facts(plan: Plan) -> dict[str, str | int | float]:
    saved = torch.load(plan.folder / CHECKPOINT, map_location="cpu", weights_only=True)
    facts = {
        "steps": int(saved["step"]),
        "pictures a step": plan.batch,
        "highest learning rate": plan.rate,
    }
    return facts | (
        {}
        if plan.start is None
        else {"began as": f"{plan.start.name}, sha256 {sha256_of(plan.start)[:12]}"}
    )
