"""What all trainings share: device, checkpoints that a stopped run goes on from, progress, judging
on held-out subjects.
"""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from footcli.errors import SetupError
from footcli.system.files import write_atomic
from footcli.train.bank import Ahead, Bank
from footcli.train.start import start_from, weights_for

CHECKPOINT, BEST, CURVE = "checkpoint.pt", "best.pt", "curve.json"
SAVE_EVERY, SAY_EVERY = 100, 25
START_PICTURES = 64  # whose statistics a detector that learns on begins with
DECAY = 0.995  # of the running average of the weights
Judge = Callable[[nn.Module], Mapping[str, float]]
"""A network in evaluation mode -> its numbers on held-out subjects; `score`, more is better, tells
the best.
"""
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard to train.

    minutes: stop after this wall time even if steps remain, 0 for no limit.

    judge_every: steps between two judgements. patience: judgements without a better one after which
    to stop, 0 for never. start: the ONNX file of a detector whose weights are the first ones.
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
    start: Path | None = None


def pick_device(name: str) -> torch.device:
    """auto takes CUDA where torch has it. Raises SetupError for "cuda" where it has not."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise SetupError(
            "device cuda: this torch has no CUDA; install a torch with CUDA, or use --device cpu"
        )
    return torch.device(name)


def quick(device: torch.device) -> torch.autocast:
    """Within it networks calculate in bfloat16 where the device does so natively: on two cores
    twice as fast. Not for losses.
    """
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported()
    else:
        told = getattr(torch.cpu, "get_capabilities", None)  # torch 2.13 has it
        able = told is not None and any(told().get(kind) for kind in ("amx_bf16", "avx512_bf16"))
    return torch.autocast(device.type, torch.bfloat16, enabled=able)


def train(
    net: nn.Module,
    plan: Plan,
    batch: Callable[[int], Any],
    loss: Callable[[nn.Module, Any], tuple[torch.Tensor, dict[str, float]]],
    say: Callable[[str], None],
    every: Callable[[int], None] | None = None,
    judge: Judge | None = None,
) -> nn.Module:
    """Train `net` in place with AdamW and a cosine rate, from the last checkpoint in plan.folder if
    there is one.

    batch(step) draws a batch; loss(net, batch) gives the loss and numbers to show. Returns the
    running average of the weights: the last one, or with `judge` the best one, whose numbers stand
    in curve.json. The checkpoint holds net, average, optimiser and step. Raises SetupError for a
    checkpoint that cannot be used.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    net.to(pick_device(plan.device)).train()
    average = torch.optim.swa_utils.AveragedModel(net, avg_fn=_running)
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=1e-4)
    start = _resume(plan.folder / CHECKPOINT, net, average, optimiser, say)
    watch = None if judge is None else _Watch(plan, judge, say)
    began = time.monotonic()
    shown: dict[str, float] = {}
    for step in range(start, plan.steps):
        warm = min(1.0, (step + 1) / 50)
        for group in optimiser.param_groups:
            group["lr"] = (
                plan.rate * warm * (0.5 + 0.5 * float(np.cos(np.pi * step / plan.steps))) + 1e-6
            )
        value, numbers = loss(net, batch(step))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(net)
        for key, number in {"loss": float(value.detach()), **numbers}.items():
            shown[key] = 0.97 * shown.get(key, number) + 0.03 * number
        last = step + 1 == plan.steps or (
            plan.minutes > 0 and time.monotonic() - began > plan.minutes * 60
        )
        if (step + 1) % SAVE_EVERY == 0 or last:
            states = {
                "net": net.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
            }
            _save(plan.folder / CHECKPOINT, **states, step=step + 1)
        if (step + 1) % SAY_EVERY == 0 or last:
            rate = (step + 1 - start) / (time.monotonic() - began)
            say(
                f"step {step + 1}/{plan.steps}  "
                + "  ".join(f"{k} {v:.3f}" for k, v in shown.items())
                + f"  {rate:.2f} steps/s"
            )
        if every is not None:
            every(step)
        if watch is not None and ((step + 1) % plan.judge_every == 0 or last):
            last = watch(step + 1, average.module, shown) or last
        if last:
            break
    module: nn.Module = average.module
    if watch is not None:
        watch.take_best(module)
    return module.eval()


def train_from(
    net: nn.Module,
    plan: Plan,
    bank: Bank[E],
    draw: Callable[[Bank[E], int, np.random.Generator, torch.device], Any],
    loss: Callable[[nn.Module, Any], tuple[torch.Tensor, dict[str, float]]],
    say: Callable[[str], None],
    judge: Judge | None = None,
    refresh: int = SAY_EVERY,
) -> nn.Module:
    """Train on batches that `draw` makes of a bank: (bank, pictures, rng, device) -> batch, its
    pictures first.

    refresh: steps between two new subjects. Raises SetupError as start_from does.
    """
    device = pick_device(plan.device)
    torch.manual_seed(plan.seed)
    start = (
        None if (plan.folder / CHECKPOINT).exists() else plan.start
    )  # one that goes on has weights of its own
    if start is not None:
        weights_for(net, start)  # a file that does not fit is told of before hours of drawing
    say(f"drawing {bank.size} subjects")
    bank.fill()
    seed = bank.next_seed
    if start is not None:
        start_from(
            net,
            start,
            draw(bank, START_PICTURES, np.random.default_rng(seed), torch.device("cpu"))[0],
        )
    workers = (
        1 if device.type == "cpu" else max(1, min(8, (os.cpu_count() or 2) // 2))
    )  # on a CPU the network needs the cores itself
    batches = Ahead(
        lambda step: draw(bank, plan.batch, np.random.default_rng([seed, step]), device), workers
    )

    def every(step: int) -> None:
        if (step + 1) % refresh == 0:
            bank.refresh()

    try:
        return train(net, plan, lambda step: batches(), loss, say, every, judge)
    finally:
        batches.close()
        bank.close()


class _Watch:
    """Judges now and then, keeps the best weights and the curve, says when to stop.

    Goes on from what the folder holds.
    """

    def __init__(self, plan: Plan, judge: Judge, say: Callable[[str], None]) -> None:
        self._plan, self._judge, self._say = plan, judge, say
        self.curve = read_curve(plan)

    def __call__(self, step: int, module: nn.Module, shown: Mapping[str, float]) -> bool:
        """Judge, and tell whether it has gone on long enough without getting better."""
        module.eval()
        numbers = {k: round(float(v), 5) for k, v in self._judge(module).items()}
        best = max((p["score"] for p in self.curve), default=float("-inf"))
        self.curve.append(
            {"step": step, **{f"training {k}": round(v, 5) for k, v in shown.items()}, **numbers}
        )
        if numbers["score"] > best:
            _save(self._plan.folder / BEST, average=module.state_dict(), step=step)
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
    Raises SetupError if damaged.
    """
    path = plan.folder / CURVE
    try:
        curve: list[dict[str, float]] = json.loads(path.read_text("utf-8")) if path.exists() else []
    except ValueError as error:
        raise SetupError(
            f"{path}: damaged; remove it or name another folder with --runs"
        ) from error
    return curve


def _running(old: torch.Tensor, new: torch.Tensor, count: torch.Tensor | int) -> torch.Tensor:
    """A running average that forgets the first, random weights quickly: over about a tenth of the
    steps so far, at most 1 / (1 - DECAY).
    """
    keep = min(DECAY, (1 + int(count)) / (10 + int(count)))
    return old + (new - old) * (1 - keep)


def _resume(
    path: Path,
    net: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    say: Callable[[str], None],
) -> int:
    """Load a checkpoint if there is one; returns the step that it goes on from."""
    if not path.exists():
        return 0
    try:
        saved = torch.load(path, map_location=next(net.parameters()).device, weights_only=True)
        net.load_state_dict(saved["net"])
        average.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        start = int(saved["step"])
    except (RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise SetupError(
            f"{path}: damaged, or of another network; remove it or name another folder with --runs"
        ) from error
    say(f"going on from step {start}")
    return start


def _save(path: Path, **content: Any) -> None:
    temporary = path.with_suffix(".tmp")
    torch.save(content, temporary)
    temporary.replace(path)
