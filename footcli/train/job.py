"""Inputs of a training: material, folder for models, plan, and the facts for its card."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from footcli.errors import SetupError
from footcli.infer.manifest import sha256_of
from footcli.train.banked_scans import from_any
from footcli.train.cases import find_labelled, split
from footcli.train.entries import Say
from footcli.train.export import NO_LICENCE, Account
from footcli.train.watch import CHECKPOINT, Plan, read_curve, read_seeds
from footcli.walk.tree import CaseEntry

# The least score of a network that goes out without being asked: mean Dice, minus the mean error of
# key points in mm, mean AP at IoU 0.5
FLOOR = {"bones": 0.8, "finder": 0.5, "landmarks": -5.0}
LESIONS_FLOOR = 0.3
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
class Terms:
    """How a trained network goes out. licence: of its weights, as their owner states it. anyway:
    export it whatever it was judged to be worth. command: what was typed, for the card.
    """

    licence: str = NO_LICENCE
    anyway: bool = False
    command: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """The inputs of every training."""

    task: str
    plan: Plan
    models: Path
    material: Material
    say: Say
    terms: Terms = Terms()

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
        """The report of a training. keep: cases held out for judging; held: the scans read.

        Raises SetupError for a network that was judged below its floor, unless terms.anyway.
        """
        who = f"{len(held)} synthetic subjects kept for judging"
        if keep:
            who = f"{len({p.folder_name for p in keep})} patients kept for judging"
        curve = read_curve(self.plan)
        self._refuse_poor(curve)
        return Account(self._facts() | {"judged on": who}, curve, who, self.terms.licence)

    def _refuse_poor(self, curve: Sequence[Mapping[str, float]]) -> None:
        """Raise SetupError for a network that was judged to be worth too little."""
        least = FLOOR.get(self.task, LESIONS_FLOOR)
        if curve and not self.terms.anyway:
            best = max(point["score"] for point in curve)
            if best < least:
                raise SetupError(
                    f"judged at {best:.3f}, where {least:g} is the least: not exported; train "
                    "longer, or --anyway exports it"
                )

    def _facts(self) -> dict[str, str | int | float]:
        plan, material = self.plan, self.material
        saved = torch.load(plan.folder / CHECKPOINT, map_location="cpu", weights_only=True)
        facts: dict[str, str | int | float] = {
            "command": f"`{self.terms.command}`",
            "steps": int(saved["step"]),
            "pictures a step": plan.batch,
            "highest learning rate": plan.rate,
            "seeds of drawn subjects": ", ".join(read_seeds(plan)) or "none",
        }
        for word, folder, ends in (
            ("labels", material.data, ".json"),
            ("surfaces", material.shapes, ".ply"),
        ):
            if folder is not None:
                facts[f"{word}, sha256"] = content_sha256(folder, ends)[:16]
        return facts | self._began_as()

    def _began_as(self) -> dict[str, str | int | float]:
        facts: dict[str, str | int | float] = {}
        for file in self.plan.start:
            facts[f"began as {file.name}"] = f"sha256 {sha256_of(file)[:12]}"
        return facts


def content_sha256(folder: Path, ends: str) -> str:
    """Hash of the files below a folder whose names end so, without their names."""
    each = sorted(sha256_of(path) for path in folder.rglob(f"*{ends}") if path.is_file())
    return hashlib.sha256("".join(each).encode()).hexdigest()


def command(task: str, material: Material, plan: Plan) -> str:
    """The command of a training as its card gives it: with words in place of the user's folders."""
    words = ["footcli train", task]
    if material.data is not None:
        words += ["DATA", f"--phantoms {material.phantoms:g}"]
    words += ["--shapes SHAPES"] if material.shapes is not None else []
    words += [f"--start {file.name}" for file in plan.start]
    numbers = ("steps", "batch", "rate", "bank", "judge_every", "patience", "seed")
    words += [f"--{name.replace('_', '-')} {getattr(plan, name):g}" for name in numbers]
    return " ".join(words)
