"""From a task's name to an exported model: which bank, which network, which entry in the manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from footcli.domain import Plane
from footcli.infer.manifest import write_entry
from footcli.infer.spec import ModelSpec
from footcli.infer.views import CHANNELS, VIEW_MM, view_geometry
from footcli.names import BONES
from footcli.train import bones, landmarks, lesions
from footcli.train.bank import Bank, make_entry
from footcli.train.calibrate import ROUNDS, thresholds
from footcli.train.export import WithSoftmax, export, write_card
from footcli.train.gu2net import GU2Net, OneDomain
from footcli.train.loop import Plan
from footcli.train.shapes import ShapeSwap
from footcli.train.yolo import Decoded, Detector

Say = Callable[[str], None]
LICENCE = "Apache-2.0"
FREE_SIZE = {"image": {0: "n", 2: "h", 3: "w"}, "out": {0: "n", 2: "h", 3: "w"}}
SHAPES_CHANCE = 0.4  # share of subjects that wear measured surfaces


def train_and_export(task: str, plan: Plan, models: Path, shapes: Path | None, say: Say) -> tuple[Path, ...]:
    """Train a task's network on drawn subjects and export it into `models`. Returns the files written."""
    data = "synthetic subjects of footcli phantom" + (", and measured surfaces (CC0)" if shapes else "")
    if task == "landmarks":
        views = Bank(plan.bank, landmarks.make_sample)
        return export_landmarks(landmarks.run(plan, say, views), models, data, _facts(plan), say)
    change = ShapeSwap(shapes, SHAPES_CHANCE) if shapes else None
    bank = Bank(plan.bank, lambda seed: make_entry(seed, change, wide=task == "bones"))
    if task == "bones":
        return export_bones(bones.run(plan, say, bank), models, data, _facts(plan), say)
    return export_lesions(lesions.run(plan, say, bank), models, data, _facts(plan), say)


def _facts(plan: Plan) -> dict[str, str | int | float]:
    saved = torch.load(plan.folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    return {"steps": int(saved["step"]), "pictures a step": plan.batch, "highest learning rate": plan.rate}


def _count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def _done(spec: ModelSpec, models: Path, card: Path, difference: float, say: Say) -> tuple[Path, ...]:
    say(f"{spec.file}: {(models / spec.file).stat().st_size / 2**20:.1f} MB, torch and ONNX differ by {difference:.1e}")
    return models / spec.file, card


def export_bones(net: nn.Module, models: Path, data: str, facts: dict[str, str | int | float], say: Say) -> tuple[Path, ...]:
    """Export a bone U-Net."""
    spec = ModelSpec(
        file="bones.onnx", sha256="0" * 64, task="bones", planes=tuple(Plane), pixel_mm=bones.PIXEL_MM, window=bones.WINDOW,
        decoder="softmax", input_channels=len(bones.OFFSETS_MM), licence=LICENCE, trained_on=data, exported_by="", quality={},
        classes=tuple(b.name for b in BONES), offsets_mm=bones.OFFSETS_MM,
    )  # fmt: skip
    example = torch.rand(1, spec.input_channels, 96, 128)
    spec, difference = export(WithSoftmax(net), spec, models, example, FREE_SIZE)
    return _done(spec, models, write_card(models, spec, "Bones: U-Net", _count(net), facts, difference), difference, say)


def export_landmarks(net: nn.Module, models: Path, data: str, facts: dict[str, str | int | float], say: Say) -> tuple[Path, ...]:
    """Export a GU2Net, one file a view."""
    written: tuple[Path, ...] = ()
    if not isinstance(net, GU2Net):
        raise TypeError("the landmark network must be a GU2Net")
    for domain, plane in enumerate(landmarks.PLANES):
        spec = ModelSpec(
            file=f"landmarks-{plane.value.lower()}.onnx", sha256="0" * 64, task="landmarks", planes=(plane,), pixel_mm=VIEW_MM,
            window=landmarks.WINDOW, decoder="gu2net", input_channels=2, licence=LICENCE, trained_on=data, exported_by="", quality={},
            points=CHANNELS[plane],
        )  # fmt: skip
        (rows, columns), _ = view_geometry(plane)
        spec, difference = export(
            OneDomain(net, domain), spec, models, torch.rand(1, 2, rows, columns), {"image": {0: "n"}, "out": {0: "n"}}
        )
        card = write_card(models, spec, f"Landmarks, {plane.value} view: GU2Net", _count(net), facts, difference)
        written += _done(spec, models, card, difference, say)
    return written


def export_lesions(
    net: nn.Module, models: Path, data: str, facts: dict[str, str | int | float], say: Say, rounds: int = ROUNDS
) -> tuple[Path, ...]:
    """Export a lesion detector with its decoding inside; suppression of doubles stays outside.

    rounds: subjects of each disease on which the classes' thresholds are chosen; 0 leaves the scores as they are.
    """
    if not isinstance(net, Detector):
        raise TypeError("the lesion network must be a Detector")
    spec = ModelSpec(
        file="lesions.onnx", sha256="0" * 64, task="lesions", planes=tuple(Plane), pixel_mm=lesions.PIXEL_MM, window=lesions.WINDOW,
        decoder="yolo", input_channels=len(lesions.OFFSETS_MM), licence=LICENCE, trained_on=data, exported_by="", quality={},
        classes=lesions.CLASSES, offsets_mm=lesions.OFFSETS_MM,
    )  # fmt: skip
    example = torch.rand(1, spec.input_channels, 128, 160)
    axes = {"image": {0: "n", 2: "h", 3: "w"}, "out": {0: "n", 1: "cells"}}
    spec, difference = export(Decoded(net), spec, models, example, axes)
    if rounds:
        spec = replace(spec, thresholds=thresholds(spec, models, say, rounds))
        write_entry(models, spec)
        facts = {**facts, **{f"threshold {name}": value for name, value in zip(spec.classes, spec.thresholds, strict=True)}}
    return _done(spec, models, write_card(models, spec, "Lesions: anchor-free detector", _count(net), facts, difference), difference, say)
