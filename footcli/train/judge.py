"""Judging of a network in training: held-out subjects and cases are analysed with it and scored as
in evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from footcli.domain import CaseResult, Plane, Volume
from footcli.errors import CaseError, SetupError, TruthError
from footcli.evaluate.boxes import LESION_ID, SliceBox, found_boxes
from footcli.evaluate.coco import average_precision
from footcli.evaluate.points import poses
from footcli.evaluate.tables import box_columns
from footcli.frame.axes import foot_frame
from footcli.geometry import slice_of
from footcli.infer.bones import on_input_grid, segment
from footcli.infer.landmarks import locate
from footcli.infer.lesions import find_lesions
from footcli.infer.spec import ModelSpec
from footcli.infer.spec_checks import VIEW_MM
from footcli.kinds import BONES
from footcli.phantom.scanner import scan
from footcli.phantom.subject import Subject
from footcli.phantom.write import lesion_boxes
from footcli.provenance import Provenance
from footcli.train.bank import wide_subject
from footcli.train.cases import Labelled, on_canonical_grid, read_labelled
from footcli.train.export import WithSoftmax
from footcli.train.gu2net import OneDomain
from footcli.train.scores import dice
from footcli.train.yolo import Decoded, Detector
from footcli.walk.tree import CaseEntry

PHANTOM_MM = (
    1.2  # spacing of held-out phantoms: coarse, so that judging takes little of the training's time
)
MISSED_MM = 20.0


class TorchRunner:
    """A network with the interface of a session; its outputs are those of the exported file."""

    def __init__(self, net: nn.Module) -> None:
        self._net = net
        self._device = next(net.parameters()).device

    def run(self, array: NDArray[np.float32]) -> list[NDArray[Any]]:
        """[(n, classes or points, rows, columns)]."""
        with torch.no_grad():
            return [self._net(torch.from_numpy(array).to(self._device)).float().cpu().numpy()]


def held_phantoms(
    seeds: Iterable[int],
    draw: Callable[[int], Subject] = wide_subject,
    spacing_mm: float = PHANTOM_MM,
) -> Iterator[Labelled]:
    """Synthetic subjects, by default of the wide population, generated one by one."""
    for seed in seeds:
        seen = scan(draw(seed), spacing_mm, seed)
        points = {name: (float(x), float(y), float(z)) for name, (x, y, z) in seen.points.items()}
        yield Labelled(
            Volume(seen.hu, seen.raster.grid.affine, (), ""),
            seen.raster.labels,
            points,
            seen.raster.lesion,
        )


def held_cases(
    places: Sequence[CaseEntry],
    read: Callable[[CaseEntry], Labelled] = read_labelled,
    most: int = 8,
) -> list[Labelled]:
    """Labelled cases, at most `most`. Raises SetupError if none is usable."""
    out: list[Labelled] = []
    last = ""
    for place in places:
        if len(out) < most:
            try:
                out.append(read(place))
            except (CaseError, TruthError) as error:
                last = f"{place.case_id}: {error}"
    if not out:
        raise SetupError(
            f"none of the {len(places)} cases kept for judging can be used; the last one, {last}"
        )
    return out


def judge_bones(net: nn.Module, held: Sequence[Labelled], spec: ModelSpec) -> Mapping[str, float]:
    """score: mean Dice over bones and scans, as in evaluation; and each bone's Dice.

    A scan whose segmentation fails scores 0.
    """
    found: dict[int, list[float]] = {}
    for item in held:
        try:
            foot = segment(item.volume, TorchRunner(WithSoftmax(net)), spec)[0]
            own = dice(on_input_grid(foot, foot.labels, item.volume), item.labels, len(BONES))
        except CaseError:
            own = {int(k): 0.0 for k in np.unique(item.labels) if k}
        for k, value in own.items():
            found.setdefault(k, []).append(value)
    numbers = {BONES[k - 1].name: float(np.mean(values)) for k, values in sorted(found.items())}
    return {"score": float(np.mean(list(numbers.values()))) if numbers else 0.0, **numbers}


def judge_lesions(net: Detector, held: Sequence[Labelled], spec: ModelSpec) -> Mapping[str, float]:
    """score: mean over classes of AP at IoU 0.5, as in evaluation; and each class's AP.

    Over the labelled slices of each lesion's plane.
    """
    runner = TorchRunner(Decoded(net))
    real, seen = [], []
    for item in held:
        grid = item.canonical(spec.pixel_mm)
        labels = on_canonical_grid(item.labels, grid, item.volume)
        found = find_lesions(item.volume, grid, labels, runner, spec)
        judged = item.boxed or _all_slices(item.volume.hu.shape)
        known: dict[Plane, dict[int, frozenset[str]]] = {}
        for plane, indices in judged.items():
            known[plane] = dict.fromkeys(indices, frozenset())
        seen.append(found_boxes(found, known))
        real.append(_true_boxes(item, judged))
    precision, _ = average_precision(box_columns(real), box_columns(seen), tuple(LESION_ID))
    numbers = {name: precision.of(name)["ap50"] for name in LESION_ID}
    each = {name: value for name, value in numbers.items() if value is not None}
    return {"score": precision.mean()["map50"] or 0.0, **each}


def _all_slices(shape: tuple[int, ...]) -> dict[Plane, frozenset[int]]:
    return {plane: frozenset(range(shape[plane.array_axis])) for plane in Plane}


def _true_boxes(item: Labelled, judged: Mapping[Plane, frozenset[int]]) -> list[SliceBox]:
    """The boxes of a labelled case in the judged slices."""
    bits = np.zeros(item.volume.hu.shape, np.uint8) if item.lesions is None else item.lesions
    out = []
    for plane, indices in judged.items():
        for index in sorted(indices):
            picture = slice_of(bits, plane.array_axis, index)
            for name, boxes in lesion_boxes(picture, plane).items():
                out += [SliceBox(name, plane, index, box) for box in boxes]
    return out


def judge_landmarks(
    net: nn.Module, held: Sequence[Labelled], specs: Mapping[Plane, ModelSpec]
) -> Mapping[str, float]:
    """score: minus mre_mm, the mean radial error as in evaluation, with MISSED_MM for a missing
    point.

    missed: the share of missing points.
    """
    models = {
        plane: (TorchRunner(OneDomain(net, i)), spec)
        for i, (plane, spec) in enumerate(specs.items())
    }
    errors: list[float] = []
    for item in held:
        volume = item.volume
        frame = foot_frame(
            item.labels,
            volume.affine,
            orientation_known=volume.orientation_known,
            weight_bearing=volume.tags.weight_bearing,
        )
        grid = item.canonical(VIEW_MM)
        located = locate(volume, grid, on_canonical_grid(item.labels, grid, volume), frame, models)
        found = CaseResult("", None, (), located.landmarks, (), (), (), Provenance())
        for pose in poses(item.points, [found], volume.spacing_mm, item.labels):
            errors += [
                float(e)
                for e, true in zip(pose.errors_mm, pose.truth, strict=True)
                if np.isfinite(true).all()
            ]
    missed = np.isnan(errors)
    mre = float(np.where(missed, MISSED_MM, np.nan_to_num(errors)).mean()) if errors else MISSED_MM
    return {"score": -mre, "mre_mm": mre, "missed": float(missed.mean()) if errors else 1.0}
