"""Export of each task's network: its manifest entry, ONNX file and model card."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from footcli.domain import Plane
from footcli.infer.manifest import write_entry
from footcli.infer.spec import ModelSpec
from footcli.infer.spec_checks import VIEW_IMAGES, VIEW_MM
from footcli.infer.views import CHANNELS, view_geometry
from footcli.kinds import BONES
from footcli.kinds.parts import PART_ID, PARTS
from footcli.train import bones, finder, hindfoot_region, lesions
from footcli.train.calibrate import calibrate
from footcli.train.cases import Labelled
from footcli.train.export import NO_LICENCE, Account, WithSoftmax, export, write_card
from footcli.train.finder_scenes import VOXEL_MM
from footcli.train.gu2net import GU2Net, OneDomain
from footcli.train.samples import PLANES, WINDOW
from footcli.train.yolo import Decoded, Detector

Say = Callable[[str], None]
FREE_SIZE = {"image": {0: "n", 2: "h", 3: "w"}, "out": {0: "n", 2: "h", 3: "w"}}


def _count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def _done(
    spec: ModelSpec, models: Path, card: Path, difference: float, say: Say
) -> tuple[Path, ...]:
    say(
        f"{spec.file}: {(models / spec.file).stat().st_size / 2**20:.1f} MB, torch and ONNX differ "
        f"by {difference:.1e}"
    )
    return models / spec.file, card


def bone_spec(data: str) -> ModelSpec:
    """The manifest entry of a bone network before it has a file."""
    return ModelSpec(
        file="bones.onnx",
        sha256="0" * 64,
        task="bones",
        planes=tuple(Plane),
        pixel_mm=bones.PIXEL_MM,
        window=bones.WINDOW,
        decoder="softmax",
        input_channels=len(bones.OFFSETS_MM),
        licence=NO_LICENCE,
        trained_on=data,
        exported_by="",
        quality={},
        classes=tuple(b.name for b in BONES),
        offsets_mm=bones.OFFSETS_MM,
    )


def export_bones(
    net: nn.Module, models: Path, data: str, account: Account, say: Say
) -> tuple[Path, ...]:
    """Export a bone U-Net; its best judgement becomes the entry's quality."""
    spec = replace(bone_spec(data), licence=account.licence)
    if account.curve:
        best = account.best
        each = {f"dice {b.name}": round(best[b.name], 3) for b in BONES if b.name in best}
        quality = {"measured_on": account.who, "mean_dice": round(best["score"], 3), **each}
        spec = replace(spec, quality=quality)
    example = torch.rand(1, spec.input_channels, 96, 128)
    spec, difference = export(WithSoftmax(net), spec, models, example, FREE_SIZE)
    card = write_card(models, spec, "Bones: U-Net", _count(net), account, difference)
    return _done(spec, models, card, difference, say)


def finder_spec(data: str) -> ModelSpec:
    """The manifest entry of a finder before it has a file."""
    return replace(
        bone_spec(data),
        file="finder.onnx",
        task="finder",
        pixel_mm=VOXEL_MM,
        window=finder.WINDOW,
        input_channels=1,
        classes=tuple(part.name for part in PARTS),
        offsets_mm=(0.0,),
    )


def export_finder(
    net: nn.Module, models: Path, data: str, account: Account, say: Say
) -> tuple[Path, ...]:
    """Export a finder; its best judgement becomes the entry's quality."""
    spec = replace(finder_spec(data), licence=account.licence)
    if account.curve:
        dice = {name: round(value, 3) for name, value in account.best.items() if name in PART_ID}
        quality = {"measured_on": account.who, "mean_dice": round(account.best["score"], 3), **dice}
        spec = replace(spec, quality=quality)
    free = {0: "n", 2: "d", 3: "h", 4: "w"}
    example = torch.rand(1, 1, 32, 40, 48)
    axes = {"image": free, "out": free}
    spec, difference = export(WithSoftmax(net), spec, models, example, axes)
    card = write_card(models, spec, "Finder: 3D U-Net", _count(net), account, difference)
    return _done(spec, models, card, difference, say)


def landmark_spec(plane: Plane, data: str) -> ModelSpec:
    """The manifest entry of one view of a landmark network before it has a file."""
    return ModelSpec(
        file=f"landmarks-{plane.value.lower()}.onnx",
        sha256="0" * 64,
        task="landmarks",
        planes=(plane,),
        pixel_mm=VIEW_MM,
        window=WINDOW,
        decoder="gu2net",
        input_channels=VIEW_IMAGES,
        licence=NO_LICENCE,
        trained_on=data,
        exported_by="",
        quality={},
        points=CHANNELS[plane],
    )


def export_landmarks(
    net: nn.Module, models: Path, data: str, account: Account, say: Say
) -> tuple[Path, ...]:
    """Export a GU2Net, one file per view. Raises TypeError for another network."""
    written: tuple[Path, ...] = ()
    if not isinstance(net, GU2Net):
        raise TypeError("the landmark network must be a GU2Net")
    for domain, plane in enumerate(PLANES):
        spec = replace(landmark_spec(plane, data), licence=account.licence)
        if account.curve:
            error = round(account.best["mre_mm"], 2)
            quality = {"measured_on": account.who, "mean_radial_error_mm": error}
            spec = replace(spec, quality=quality)
        (rows, columns), _ = view_geometry(plane)
        example = torch.rand(1, spec.input_channels, rows, columns)
        axes = {"image": {0: "n"}, "out": {0: "n"}}
        spec, difference = export(OneDomain(net, domain), spec, models, example, axes)
        title = f"Landmarks, {plane.value} view: GU2Net"
        card = write_card(models, spec, title, _count(net), account, difference)
        written += _done(spec, models, card, difference, say)
    return written


def lesion_spec(data: str) -> ModelSpec:
    """The manifest entry of a lesion network before it has a file."""
    return ModelSpec(
        file="lesions.onnx",
        sha256="0" * 64,
        task="lesions",
        planes=tuple(Plane),
        pixel_mm=lesions.PIXEL_MM,
        window=lesions.WINDOW,
        decoder="yolo",
        input_channels=len(lesions.OFFSETS_MM),
        licence=NO_LICENCE,
        trained_on=data,
        exported_by="",
        quality={},
        classes=lesions.CLASSES,
        offsets_mm=lesions.OFFSETS_MM,
    )


def part_spec(task: str, data: str) -> ModelSpec:
    """The manifest entry of a detector of hindfoot_region.PARTS before it has a file."""
    part = hindfoot_region.PARTS[task]
    return replace(
        lesion_spec(data),
        file=f"lesions-{task}.onnx",
        planes=(Plane.COR,),
        input_channels=len(part.offsets_mm),
        classes=part.classes,
        offsets_mm=part.offsets_mm,
    )


def export_lesions(
    net: nn.Module,
    models: Path,
    spec: ModelSpec,
    account: Account,
    say: Say,
    tuned: Iterable[Labelled] = (),
) -> tuple[Path, ...]:
    """Export a lesion detector with its decoding; non-maximum suppression stays outside.

    net: a Detector, or an ensemble as Decoded; TypeError for others. spec: lesion_spec or
    part_spec. tuned: subjects for choosing the classes' thresholds; without any the scores stay as
    they are.
    """
    decoded = Decoded(net) if isinstance(net, Detector) else net
    if not isinstance(decoded, Decoded):
        raise TypeError("a lesion network must be a Detector")
    spec = replace(spec, licence=account.licence)
    if account.curve:
        quality = {"measured_on": account.who, "map50": round(account.best["score"], 3)}
        spec = replace(spec, quality=quality)
    example = torch.rand(1, spec.input_channels, 128, 160)
    axes = {"image": {0: "n", 2: "h", 3: "w"}, "out": {0: "n", 1: "cells"}}
    spec, difference = export(decoded, spec, models, example, axes)
    if tuned:
        spec = calibrate(spec, models, say, tuned)
        write_entry(models, spec)
        chosen = zip(spec.classes, spec.thresholds, strict=True)
        thresholds = {f"threshold {name}": value for name, value in chosen}
        account = replace(account, facts={**account.facts, **thresholds})
    title = "Lesions: anchor-free detector"
    card = write_card(models, spec, title, _count(decoded), account, difference)
    return _done(spec, models, card, difference, say)
