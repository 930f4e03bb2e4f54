"""Held-out subjects and cases: a bone network in training is judged by what analysis makes of it and what evaluation says of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from footcli.domain import Volume
from footcli.errors import CaseError, SetupError, TruthError
from footcli.evaluate.scores import dice
from footcli.infer.bones import on_input_grid, segment
from footcli.infer.spec import ModelSpec
from footcli.names import BONES
from footcli.phantom.scanner import scan
from footcli.train.bank import wide_subject
from footcli.train.cases import read_labelled
from footcli.walk import CasePlace

PHANTOM_MM = 1.2  # spacing of held-out phantoms: coarse, so that judging takes little of the training's time


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A scan with its true bones, uint8 (z, y, x) on the volume's grid."""

    volume: Volume
    labels: NDArray[np.uint8]


class TorchRunner:
    """A network as inference runs one."""

    def __init__(self, net: nn.Module) -> None:
        self._net = net
        self._device = next(net.parameters()).device

    def run(self, array: NDArray[np.float32]) -> list[NDArray[Any]]:
        """[(n, classes, rows, columns)] probabilities."""
        with torch.no_grad():
            return [self._net(torch.from_numpy(array).to(self._device)).softmax(1).float().cpu().numpy()]


def held_phantoms(seeds: Sequence[int]) -> list[Held]:
    """Synthetic subjects of the wide population."""
    out = []
    for seed in seeds:
        seen = scan(wide_subject(seed), PHANTOM_MM, seed)
        out.append(Held(Volume(seen.hu, seen.raster.grid.affine, (), ""), seen.raster.labels))
    return out


def held_cases(places: Sequence[CasePlace], most: int = 8) -> list[Held]:
    """Labelled cases, at most so many. Raises SetupError where none can be used."""
    out: list[Held] = []
    for place in places:
        if len(out) < most:
            try:
                out.append(Held(*read_labelled(place)))
            except (CaseError, TruthError):
                continue
    if not out:
        raise SetupError(f"none of the {len(places)} cases kept for judging can be used: their bones must be labelled without gaps")
    return out


def judge_bones(net: nn.Module, held: Sequence[Held], spec: ModelSpec) -> Mapping[str, float]:
    """score: mean Dice over bones and scans, as evaluation counts it; and each bone's. A scan in which nothing is found scores 0."""
    found: dict[int, list[float]] = {}
    for item in held:
        try:
            foot = segment(item.volume, TorchRunner(net), spec)[0]
            own = dice(on_input_grid(foot, foot.labels, item.volume), item.labels, len(BONES))
        except CaseError:
            own = {int(k): 0.0 for k in np.unique(item.labels) if k}
        for k, value in own.items():
            found.setdefault(k, []).append(value)
    numbers = {BONES[k - 1].name: float(np.mean(values)) for k, values in sorted(found.items())}
    return {"score": float(np.mean(list(numbers.values()))) if numbers else 0.0, **numbers}
