"""What each task's network becomes: its entry in the manifest, its ONNX file, its model card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from footcli.domain import Plane
from footcli.infer.manifest import write_entry
from footcli.infer.spec import VIEW_IMAGES, VIEW_MM, ModelSpec
from footcli.infer.views import CHANNELS, view_geometry
from footcli.kinds import BONES
from footcli.train import bones, hindfoot, lesions
from footcli.train.calibrate import calibrate
from footcli.train.cases import Labelled
from footcli.train.export import WithSoftmax, export, write_card
from footcli.train.gu2net import GU2Net, OneDomain
from footcli.train.samples import PLANES, WINDOW
from footcli.train.yolo import Decoded, Detector

Say = Callable[[str], None]
LICENCE = "Apache-2.0"
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
    """The entry of a bone network before it has a file."""
    return ModelSpec(
        file="bones.onnx",
        sha256="0" * 64,
        task="bones",
        planes=tuple(Plane),
        pixel_mm=bones.PIXEL_MM,
        window=bones.WINDOW,
        decoder="softmax",
        input_channels=len(bones.OFFSETS_MM),
        licence=LICENCE,
        trained_on=data,
        exported_by="",
        quality={},
        classes=tuple(b.name for b in BONES),
        offsets_mm=bones.OFFSETS_MM,
    )


def export_bones(
    net: nn.Module,
    models: Path,
    data: str,
    facts: dict[str, str | int | float],
    say: Say,
    curve: Sequence[Mapping[str, float]] = (),
    who: str = "",
) -> tuple[Path, ...]:
    """Export a bone U-Net.

    curve: its judgements, whose best one becomes the entry's quality; who: whom it was judged on.
    """
    spec = bone_spec(data)
    if curve:
        best = max(curve, key=lambda point: point["score"])
        quality: dict[str, Any] = {"measured_on": who, "mean_dice": round(best["score"], 3)}
        spec = replace(
            spec,
            quality=quality
            | {f"dice {b.name}": round(best[b.name], 3) for b in BONES if b.name in best},
        )
    example = torch.rand(1, spec.input_channels, 96, 128)
    spec, difference = export(WithSoftmax(net), spec, models, example, FREE_SIZE)
    card = write_card(models, spec, "Bones: U-Net", _count(net), facts, difference, curve)
    return _done(spec, models, card, difference, say)


def landmark_spec(plane: Plane, data: str) -> ModelSpec:
    """The entry of one view of a landmark network before it has a file."""
    return ModelSpec(
        file=f"landmarks-{plane.value.lower()}.onnx",
        sha256="0" * 64,
        task="landmarks",
        planes=(plane,),
        pixel_mm=VIEW_MM,
        window=WINDOW,
        decoder="gu2net",
        input_channels=VIEW_IMAGES,
        licence=LICENCE,
        trained_on=data,
        exported_by="",
        quality={},
        points=CHANNELS[plane],
    )


def export_landmarks(
    net: nn.Module,
    models: Path,
    data: str,
    facts: dict[str, str | int | float],
    say: Say,
    curve: Sequence[Mapping[str, float]] = (),
    who: str = "",
) -> tuple[Path, ...]:
    """Export a GU2Net, one file a view. curve, who: as for bones."""
    written: tuple[Path, ...] = ()
    if not isinstance(net, GU2Net):
        raise TypeError("the landmark network must be a GU2Net")
    for domain, plane in enumerate(PLANES):
        spec = landmark_spec(plane, data)
        if curve:
            best = max(curve, key=lambda point: point["score"])
            spec = replace(
                spec, quality={"measured_on": who, "mean_radial_error_mm": round(best["mre_mm"], 2)}
            )
        (rows, columns), _ = view_geometry(plane)
        spec, difference = export(
            OneDomain(net, domain),
            spec,
            models,
            torch.rand(1, spec.input_channels, rows, columns),
            {"image": {0: "n"}, "out": {0: "n"}},
        )
        card = write_card(
            models,
            spec,
            f"Landmarks, {plane.value} view: GU2Net",
            _count(net),
            facts,
            difference,
            curve,
        )
        written += _done(spec, models, card, difference, say)
    return written


def lesion_spec(data: str) -> ModelSpec:
    """The entry of a lesion network before it has a file."""
    return ModelSpec(
        file="lesions.onnx",
        sha256="0" * 64,
        task="lesions",
        planes=tuple(Plane),
        pixel_mm=lesions.PIXEL_MM,
        window=lesions.WINDOW,
        decoder="yolo",
        input_channels=len(lesions.OFFSETS_MM),
        licence=LICENCE,
        trained_on=data,
        exported_by="",
        quality={},
        classes=lesions.CLASSES,
        offsets_mm=lesions.OFFSETS_MM,
    )


def part_spec(task: str, data: str) -> ModelSpec:
    """The entry of the detector of one of hindfoot.PARTS before it has a file."""
    part = hindfoot.PARTS[task]
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
    facts: dict[str, str | int | float],
    say: Say,
    tuned: Iterable[Labelled] = (),
    curve: Sequence[Mapping[str, float]] = (),
    who: str = "",
) -> tuple[Path, ...]:
    """Export a lesion detector with its decoding inside; suppression of doubles stays outside.

    net: a Detector, or several as Decoded. spec: lesion_spec or part_spec. curve, who: as for
    bones. tuned: subjects on which the classes' thresholds are chosen; none leave the scores as
    they are.
    """
    decoded = Decoded(net) if isinstance(net, Detector) else net
    if not isinstance(decoded, Decoded):
        raise TypeError("a lesion network must be a Detector")
    if curve:
        best = max(curve, key=lambda point: point["score"])
        spec = replace(spec, quality={"measured_on": who, "map50": round(best["score"], 3)})
    example = torch.rand(1, spec.input_channels, 128, 160)
    axes = {"image": {0: "n", 2: "h", 3: "w"}, "out": {0: "n", 1: "cells"}}
    spec, difference = export(decoded, spec, models, example, axes)
    if tuned:
        spec = calibrate(spec, models, say, tuned)
        write_entry(models, spec)
        facts = {
            **facts,
            **{
                f"threshold {name}": value
                for name, value in zip(spec.classes, spec.thresholds, strict=True)
            },
        }
    card = write_card(
        models, spec, "Lesions: anchor-free detector", _count(decoded), facts, difference, curve
    )
    return _done(spec, models, card, difference, say)
