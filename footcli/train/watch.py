"""Judging of a network in training: best weights, curve, when to stop."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from footcli.errors import SetupError
from footcli.system.files import write_atomic

CHECKPOINT, BEST, CURVE, SEEDS = "checkpoint.pt", "best.pt", "curve.json", "seeds.txt"
Judge = Callable[[nn.Module], Mapping[str, float]]
"""A network in evaluation mode -> its numbers on held-out subjects; the highest `score` is the
best.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """Length and settings of a training.

    minutes: wall time after which to stop even if steps remain, 0 for no limit. judge_every: steps
    between two judgements. patience: judgements without improvement after which to stop, 0 for
    never. start: ONNX files of the network to learn on from, one for each of its views.
    """

    steps: int
    batch: int
    rate: float
    folder: Path
    device: str = "auto"
    minutes: float = 0.0
    seed: int = 1
    bank: int = 24
    judge_every: int = 500
    patience: int = 0
    start: tuple[Path, ...] = ()


class Watch:
    """Judges at intervals, keeps the best weights and the curve, and decides when to stop.

    Continues the curve that the folder holds.
    """

    def __init__(self, plan: Plan, judge: Judge, say: Callable[[str], None]) -> None:
        self._plan, self._judge, self._say = plan, judge, say
        self.curve = read_curve(plan)

    def __call__(self, step: int, module: nn.Module, shown: Mapping[str, float]) -> bool:
        """Judge; returns whether `patience` judgements have passed without improvement."""
        module.eval()
        numbers = {k: round(float(v), 5) for k, v in self._judge(module).items()}
        best = max((p["score"] for p in self.curve), default=float("-inf"))
        self.curve.append(
            {"step": step, **{f"training {k}": round(v, 5) for k, v in shown.items()}, **numbers}
        )
        if numbers["score"] > best:
            save(self._plan.folder / BEST, average=module.state_dict(), step=step)
        write_atomic(self._plan.folder / CURVE, json.dumps(self.curve, indent=1).encode())
        self._say(
            f"held out at step {step}: " + "  ".join(f"{k} {v:.3f}" for k, v in numbers.items())
        )
        scores = [p["score"] for p in self.curve]
        return 0 < self._plan.patience < len(scores) - scores.index(max(scores))

    def take_best(self, module: nn.Module) -> None:
        """Load the best weights into the module."""
        path = self._plan.folder / BEST
        if path.exists():
            saved = torch.load(path, map_location="cpu", weights_only=True)
            module.load_state_dict(saved["average"])
            self._say(f"the best was at step {int(saved['step'])}")


def read_curve(plan: Plan) -> list[dict[str, float]]:
    """The judgements of a training so far, in order: step, training numbers, score and the rest.
    Raises SetupError if the file is damaged.
    """
    path = plan.folder / CURVE
    try:
        curve: list[dict[str, float]] = json.loads(path.read_text("utf-8")) if path.exists() else []
    except ValueError as error:
        raise SetupError(
            f"{path}: damaged; remove it or name another folder with --runs"
        ) from error
    return curve


def read_seeds(plan: Plan) -> list[str]:
    """The seeds of the subjects that a training drew, a range for each time that it was run."""
    path = plan.folder / SEEDS
    return path.read_text("utf-8").split() if path.exists() else []


def write_seeds(plan: Plan, before: list[str], first: int, last: int) -> None:
    """Note the seeds that this run of a training has drawn, after those of runs before."""
    write_atomic(plan.folder / SEEDS, "\n".join([*before, f"{first}-{last}"]).encode())


def save(path: Path, **content: Any) -> None:
    """Write a checkpoint, whole or not at all."""
    temporary = path.with_suffix(".tmp")
    torch.save(content, temporary)
    temporary.replace(path)
