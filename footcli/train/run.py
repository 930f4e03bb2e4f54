"""From a task's name to an exported model: which bank, which network, which entry in the manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from footcli.assets import models_dir
from footcli.domain import Plane
from footcli.files import write_atomic
from footcli.infer.manifest import load_manifest, verify, write_entry
from footcli.infer.spec import ModelSpec
from footcli.infer.views import CHANNELS, IMAGES, VIEW_MM, view_geometry
from footcli.names import BONES
from footcli.phantom.disease import DISEASES, draw_subject
from footcli.phantom.seeds import LESION_TUNE_SEEDS, TUNE_SEEDS
from footcli.phantom.subject import Subject
from footcli.train import bones, landmarks, lesions
from footcli.train.bank import Bank, Entry, lesion_subject, make_entry
from footcli.train.calibrate import calibrate
from footcli.train.cases import Labelled, Scan, by_shipped_model, find_labelled, from_any, read_labelled, split, to_scan
from footcli.train.export import WithSoftmax, export, write_card
from footcli.train.gu2net import GU2Net, OneDomain
from footcli.train.judge import held_cases, held_phantoms, judge_bones, judge_landmarks, judge_lesions
from footcli.train.loop import CHECKPOINT, Plan, read_curve
from footcli.train.samples import PLANES, WINDOW, Sample, drawn, labelled, pointed
from footcli.train.shapes import ShapeSwap
from footcli.train.yolo import Decoded, Detector
from footcli.walk import CasePlace

Say = Callable[[str], None]
LICENCE = "Apache-2.0"
FREE_SIZE = {"image": {0: "n", 2: "h", 3: "w"}, "out": {0: "n", 2: "h", 3: "w"}}
SHAPES_CHANCE = 0.4  # share of subjects that wear measured surfaces
HELD_PHANTOMS = 4
CALIBRATED_ON, CALIBRATION_MM = 48, 0.8  # subjects for the thresholds of lesions, and their spacing


@dataclass(frozen=True, slots=True)
class Material:
    """What to learn from. data: labelled cases of the data set's layout, None for phantoms alone; phantoms: their share beside data.

    shapes: measured surfaces that some phantoms wear.
    """

    data: Path | None = None
    phantoms: float = 0.0
    shapes: Path | None = None

    def __str__(self) -> str:
        drawn = "synthetic subjects of footcli phantom" + (", and measured surfaces (CC0)" if self.shapes else "")
        if self.data is None:
            return drawn
        return "labelled cases of the user's own" + (f", and {drawn} ({self.phantoms:.0%})" if self.phantoms > 0 else "")

    def split(self) -> tuple[list[CasePlace], list[CasePlace]]:
        """Cases to learn from and to judge by; none of either without data. Raises SetupError as find_labelled does."""
        return split(find_labelled(self.data)) if self.data is not None else ([], [])

    def draws(self, seed: int) -> bool:
        """Whether the thing of this seed is a drawn subject; always without data."""
        return self.data is None or bool(np.random.default_rng([seed, 9]).random() < self.phantoms)


def train_and_export(task: str, plan: Plan, models: Path, material: Material, say: Say) -> tuple[Path, ...]:
    """Train a task's network and export it into `models`, beside the shipped models of the other tasks. Returns the files written.

    Raises SetupError for labels that cannot be learnt from.
    """
    train = {"bones": _train_bones, "landmarks": _train_landmarks, "lesions": _train_lesions}[task]
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
    return export_bones(net, models, str(material), _facts(plan) | {"judged on": who}, say, read_curve(plan), who)


def _train_landmarks(plan: Plan, models: Path, material: Material, say: Say) -> tuple[Path, ...]:
    learn, keep = material.split()
    held = held_cases(keep, pointed) if keep else list(held_phantoms(TUNE_SEEDS[:HELD_PHANTOMS], draw_subject))

    def make(seed: int) -> Sample:
        return drawn(seed) if material.draws(seed) else from_any(learn, seed, lambda place, rng: labelled(pointed(place), rng))

    specs = {plane: landmark_spec(plane, str(material)) for plane in PLANES}
    net = landmarks.run(plan, say, Bank(plan.bank, make), lambda module: judge_landmarks(module, held, specs))
    who = _who(keep, held)
    return export_landmarks(net, models, str(material), _facts(plan) | {"judged on": who}, say, read_curve(plan), who)


def _train_lesions(plan: Plan, models: Path, material: Material, say: Say) -> tuple[Path, ...]:
    change = ShapeSwap(material.shapes, SHAPES_CHANCE) if material.shapes else None
    learn, keep = material.split()

    def read(place: CasePlace) -> Labelled:
        return read_labelled(place, by_shipped_model)

    held = held_cases(keep, read) if keep else list(held_phantoms(LESION_TUNE_SEEDS[-len(DISEASES) :], ill_in_turn))

    def make(seed: int) -> Entry | Scan:
        if material.draws(seed):
            return make_entry(seed, change, lesion_subject)
        return from_any(learn, seed, lambda place, rng: to_scan(read(place), rng))

    spec = lesion_spec(str(material))
    bank: Bank[Entry | Scan] = Bank(plan.bank, make)
    net = lesions.run(plan, say, bank, lambda module: judge_lesions(module, held, spec))
    who = _who(keep, held)
    # thresholds are for the feet that the network is meant for: a user's own, where there are any
    tuned = held if keep else held_phantoms(LESION_TUNE_SEEDS[:CALIBRATED_ON], ill_in_turn, CALIBRATION_MM)
    return export_lesions([net], models, str(material), _facts(plan) | {"judged on": who}, say, tuned, read_curve(plan), who)


def ill_in_turn(seed: int) -> Subject:
    """A subject with one of the diseases, each in turn, healthy in all else, and with what looks like a lesion and is none."""
    return draw_subject(seed, DISEASES[seed % len(DISEASES)], with_mimics=True, by_definition=True)


def _who(keep: Sequence[CasePlace], held: Sequence[Labelled]) -> str:
    return f"{len({p.folder_name for p in keep})} patients kept for judging" if keep else f"{len(held)} synthetic subjects kept for judging"


def complete(models: Path) -> None:
    """Copy the shipped models of tasks that the folder lacks, so that `analyze --models` takes it at once."""
    shipped = load_manifest(models_dir())
    if models.resolve() == shipped.folder.resolve():
        return
    own = load_manifest(models).models
    for spec in shipped.models:
        if not any(spec.task == o.task and set(spec.planes) & set(o.planes) for o in own):
            write_atomic(models / spec.file, verify(spec, shipped.folder).read_bytes())
            write_entry(models, spec)


def _facts(plan: Plan) -> dict[str, str | int | float]:
    saved = torch.load(plan.folder / CHECKPOINT, map_location="cpu", weights_only=True)
    return {"steps": int(saved["step"]), "pictures a step": plan.batch, "highest learning rate": plan.rate}


def _count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def _done(spec: ModelSpec, models: Path, card: Path, difference: float, say: Say) -> tuple[Path, ...]:
    say(f"{spec.file}: {(models / spec.file).stat().st_size / 2**20:.1f} MB, torch and ONNX differ by {difference:.1e}")
    return models / spec.file, card


def bone_spec(data: str) -> ModelSpec:
    """The entry of a bone network before it has a file."""
    return ModelSpec(
        file="bones.onnx", sha256="0" * 64, task="bones", planes=tuple(Plane), pixel_mm=bones.PIXEL_MM, window=bones.WINDOW,
        decoder="softmax", input_channels=len(bones.OFFSETS_MM), licence=LICENCE, trained_on=data, exported_by="", quality={},
        classes=tuple(b.name for b in BONES), offsets_mm=bones.OFFSETS_MM,
    )  # fmt: skip


def export_bones(
    net: nn.Module, models: Path, data: str, facts: dict[str, str | int | float], say: Say,
    curve: Sequence[Mapping[str, float]] = (), who: str = "",
) -> tuple[Path, ...]:  # fmt: skip
    """Export a bone U-Net. curve: its judgements, whose best one becomes the entry's quality; who: whom it was judged on."""
    spec = bone_spec(data)
    if curve:
        best = max(curve, key=lambda point: point["score"])
        quality: dict[str, Any] = {"measured_on": who, "mean_dice": round(best["score"], 3)}
        spec = replace(spec, quality=quality | {f"dice {b.name}": round(best[b.name], 3) for b in BONES if b.name in best})
    example = torch.rand(1, spec.input_channels, 96, 128)
    spec, difference = export(WithSoftmax(net), spec, models, example, FREE_SIZE)
    card = write_card(models, spec, "Bones: U-Net", _count(net), facts, difference, curve)
    return _done(spec, models, card, difference, say)


def landmark_spec(plane: Plane, data: str) -> ModelSpec:
    """The entry of one view of a landmark network before it has a file."""
    return ModelSpec(
        file=f"landmarks-{plane.value.lower()}.onnx", sha256="0" * 64, task="landmarks", planes=(plane,), pixel_mm=VIEW_MM,
        window=WINDOW, decoder="gu2net", input_channels=IMAGES, licence=LICENCE, trained_on=data, exported_by="", quality={},
        points=CHANNELS[plane],
    )  # fmt: skip


def export_landmarks(
    net: nn.Module, models: Path, data: str, facts: dict[str, str | int | float], say: Say,
    curve: Sequence[Mapping[str, float]] = (), who: str = "",
) -> tuple[Path, ...]:  # fmt: skip
    """Export a GU2Net, one file a view. curve, who: as for bones."""
    written: tuple[Path, ...] = ()
    if not isinstance(net, GU2Net):
        raise TypeError("the landmark network must be a GU2Net")
    for domain, plane in enumerate(PLANES):
        spec = landmark_spec(plane, data)
        if curve:
            best = max(curve, key=lambda point: point["score"])
            spec = replace(spec, quality={"measured_on": who, "mean_radial_error_mm": round(best["mre_mm"], 2)})
        (rows, columns), _ = view_geometry(plane)
        spec, difference = export(
            OneDomain(net, domain), spec, models, torch.rand(1, spec.input_channels, rows, columns), {"image": {0: "n"}, "out": {0: "n"}}
        )
        card = write_card(models, spec, f"Landmarks, {plane.value} view: GU2Net", _count(net), facts, difference, curve)
        written += _done(spec, models, card, difference, say)
    return written


def lesion_spec(data: str) -> ModelSpec:
    """The entry of a lesion network before it has a file."""
    return ModelSpec(
        file="lesions.onnx", sha256="0" * 64, task="lesions", planes=tuple(Plane), pixel_mm=lesions.PIXEL_MM, window=lesions.WINDOW,
        decoder="yolo", input_channels=len(lesions.OFFSETS_MM), licence=LICENCE, trained_on=data, exported_by="", quality={},
        classes=lesions.CLASSES, offsets_mm=lesions.OFFSETS_MM,
    )  # fmt: skip


def export_lesions(
    nets: Sequence[nn.Module], models: Path, data: str, facts: dict[str, str | int | float], say: Say, tuned: Iterable[Labelled] = (),
    curve: Sequence[Mapping[str, float]] = (), who: str = "",
) -> tuple[Path, ...]:  # fmt: skip
    """Export lesion detectors, of which the mean counts, with their decoding inside; suppression of doubles stays outside.

    curve, who: as for bones. tuned: subjects on which the classes' thresholds are chosen; none leave the scores as they are.
    """
    detectors = [net for net in nets if isinstance(net, Detector)]
    if not nets or len(detectors) < len(nets):
        raise TypeError("a lesion network must be a Detector")
    spec = lesion_spec(data)
    if curve:
        best = max(curve, key=lambda point: point["score"])
        spec = replace(spec, quality={"measured_on": who, "map50": round(best["score"], 3)})
    example = torch.rand(1, spec.input_channels, 128, 160)
    axes = {"image": {0: "n", 2: "h", 3: "w"}, "out": {0: "n", 1: "cells"}}
    decoded = Decoded(*detectors)
    spec, difference = export(decoded, spec, models, example, axes)
    if tuned:
        spec = calibrate(spec, models, say, tuned)
        write_entry(models, spec)
        facts = {**facts, **{f"threshold {name}": value for name, value in zip(spec.classes, spec.thresholds, strict=True)}}
    card = write_card(models, spec, "Lesions: anchor-free detector", _count(decoded), facts, difference, curve)
    return _done(spec, models, card, difference, say)
