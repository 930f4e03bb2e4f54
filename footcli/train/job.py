"""Inputs of a training: material, folder for models, plan, and the facts for its card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from footcli.infer.manifest import sha256_of
from footcli.train.banked_scans import from_any
from footcli.train.cases import find_labelled, split
from footcli.train.entries import (
    Say,
)
from footcli.train.export import Account
from footcli.train.watch import CHECKPOINT, Plan, read_curve
from footcli.walk.tree import CaseEntry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Material:
    """Training data. data: labelled cases of the data set's layout, None for phantoms alone.

    phantoms: their share, 0..1, beside data. shapes: folder of measured surfaces for some phantoms.
    """

    data: Path | None = None
    phantoms: float = 0.0
    shapes: Path | None = None

    def __str__(self) -> str:
        drawn = "synthetic subjects of footcli phantom" + (
            ", and measured surfaces (models/README.md)" if self.shapes else ""
        )
        if self.data is None:
            return drawn
        return "labelled cases of the user's own" + (
            f", and {drawn} ({self.phantoms:.0%})" if self.phantoms > 0 else ""
        )

    def split(self) -> tuple[list[CaseEntry], list[CaseEntry]]:
        """Training cases and judging cases; both empty without data.

        Raises SetupError as find_labelled does.
        """
        return split(find_labelled(self.data)) if self.data is not None else ([], [])

    def draws(self, seed: int) -> bool:
        """Whether the item of this seed is a synthetic subject; always without data."""
        return self.data is None or bool(np.random.default_rng([seed, 9]).random() < self.phantoms)


@dataclass(frozen=True, slots=True)
class Job:
    """The inputs of every training."""

    plan: Plan
    models: Path
    material: Material
    say: Say

    def make(
        self,
        learn: Sequence[CaseEntry],
        drawn: Callable[[int], T],
        taken: Callable[[CaseEntry, np.random.Generator], T],
    ) -> Callable[[int], T]:
        """seed -> training item, of a synthetic subject or of a labelled case."""

        def made(seed: int) -> T:
            if self.material.draws(seed):
                return drawn(seed)
            return from_any(learn, seed, taken)

        return made

    def account(self, keep: Sequence[CaseEntry], held: Sequence[object]) -> Account:
        """The report of a training. keep: cases held out for judging; held: the scans read."""
        who = f"{len(held)} synthetic subjects kept for judging"
        if keep:
            who = f"{len({p.folder_name for p in keep})} patients kept for judging"
        return Account(_facts(self.plan) | {"judged on": who}, read_curve(self.plan), who)


def _facts(plan: Plan) -> dict[str, str | int | float]:
    saved = torch.load(plan.folder / CHECKPOINT, map_location="cpu", weights_only=True)
    facts: dict[str, str | int | float] = {
        "steps": int(saved["step"]),
        "pictures a step": plan.batch,
        "highest learning rate": plan.rate,
    }
    if plan.start is not None:
        facts["began as"] = f"{plan.start.name}, sha256 {sha256_of(plan.start)[:12]}"
    return facts
