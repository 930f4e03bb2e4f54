"""What all trainings share: device, checkpoints that a stopped run resumes from, progress, judging
on held-out subjects.
"""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from footcli.errors import SetupError
from footcli.train.bank import Ahead, Bank
from footcli.train.start import start_from, ways, weights_for
from footcli.train.watch import (
    CHECKPOINT,
    Judge,
    Plan,
    Watch,
    read_seeds,
    save,
    write_seeds,
)

SAVE_EVERY, SAY_EVERY = 100, 25
START_PICTURES, START_VOLUMES = 64, 6  # whose statistics a network that learns on starts with
SEED_BITS = (32, 24)  # seeds lie so far apart for two values of Plan.seed, and for two runs
DECAY = 0.995  # of the running average of the weights
E = TypeVar("E")


def pick_device(name: str) -> torch.device:
    """The device of a name; auto takes CUDA where torch has it. Raises SetupError for cuda without
    it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise SetupError(
            "device cuda: this torch has no CUDA; install a torch with CUDA, or use --device cpu"
        )
    return torch.device(name)


def bf16_autocast(device: torch.device) -> torch.autocast:
    """Context in which networks calculate in bfloat16 where the device has it natively: twice as
    fast on two cores. Not for losses.
    """
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported()
    else:
        capabilities = getattr(torch.cpu, "get_capabilities", None)  # torch 2.13 has it
        able = capabilities is not None and any(
            capabilities().get(kind) for kind in ("amx_bf16", "avx512_bf16")
        )
    return torch.autocast(device.type, torch.bfloat16, enabled=able)


def train(
    net: nn.Module,
    plan: Plan,
    batch: Callable[[int], Any],
    loss: Callable[[nn.Module, Any], tuple[torch.Tensor, dict[str, float]]],
    say: Callable[[str], None],
    judge: Judge | None = None,
) -> nn.Module:
    """Train `net` in place with AdamW and a cosine rate, from the last checkpoint if there is one.

    batch(step) draws a batch; loss(net, batch) returns the loss and numbers to show. Returns the
    running average of the weights: the last one, or with `judge` the best one by curve.json. The
    checkpoint holds net, average, optimiser and step. Raises SetupError for an unusable checkpoint.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    net.to(pick_device(plan.device)).train()
    state = _State(net, plan)
    start = _resume(plan.folder / CHECKPOINT, state, say)
    watch = None if judge is None else Watch(plan, judge, say)
    began = time.monotonic()
    for step in range(start, plan.steps):
        state.step(loss, batch(step), step)
        done, minutes = step + 1, (time.monotonic() - began) / 60
        last = done == plan.steps or 0 < plan.minutes < minutes
        if done % SAVE_EVERY == 0 or last:
            state.save(done)
        if done % SAY_EVERY == 0 or last:
            rate = max((done - start) / max(minutes * 60, 1e-9), 1e-9)
            numbers = "  ".join(f"{k} {v:.3f}" for k, v in state.shown.items())
            left = _left((plan.steps - done) / rate / 60)
            say(f"step {done}/{plan.steps}  {numbers}  {rate:.2f} steps/s  {left}")
        if watch is not None and (done % plan.judge_every == 0 or last):
            last = watch(done, state.average.module, state.shown) or last
        if last:
            break
    module: nn.Module = state.average.module
    if watch is not None:
        watch.take_best(module)
    return module.eval()


def _left(minutes: float) -> str:
    """How long a training still takes, in words."""
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest} min left" if hours else f"{rest} min left"


class _State:
    """A network in training with its running average and optimiser, and numbers to show."""

    def __init__(self, net: nn.Module, plan: Plan) -> None:
        self.net, self.plan = net, plan
        self.average = torch.optim.swa_utils.AveragedModel(net, avg_fn=_running)
        self.optimiser = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=1e-4)
        self.shown: dict[str, float] = {}

    def step(
        self,
        loss: Callable[[nn.Module, Any], tuple[torch.Tensor, dict[str, float]]],
        batch: Any,
        step: int,
    ) -> None:
        """Take one optimiser step on a batch."""
        warm = min(1.0, (step + 1) / 50)
        cosine = 0.5 + 0.5 * float(np.cos(np.pi * step / self.plan.steps))
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.rate * warm * cosine + 1e-6
        value, numbers = loss(self.net, batch)
        self.optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.average.update_parameters(self.net)
        for key, number in {"loss": float(value.detach()), **numbers}.items():
            self.shown[key] = 0.97 * self.shown.get(key, number) + 0.03 * number

    def save(self, step: int) -> None:
        """Write the checkpoint."""
        save(
            self.plan.folder / CHECKPOINT,
            net=self.net.state_dict(),
            average=self.average.state_dict(),
            optimiser=self.optimiser.state_dict(),
            step=step,
        )


@dataclass(frozen=True, slots=True)
class Course(Generic[E]):
    """Training data and loss of a network.

    draw: (bank, number of images, rng, device) -> batch; it starts with its images, for a network
    of several views with the number of the view and its images.
    loss: (net, batch) -> loss and numbers to show. refresh: steps between two new subjects.
    """

    bank: Bank[E]
    draw: Callable[[Bank[E], int, np.random.Generator, torch.device], Any]
    loss: Callable[[nn.Module, Any], tuple[torch.Tensor, dict[str, float]]]
    refresh: int = SAY_EVERY


def train_from(
    net: nn.Module,
    plan: Plan,
    course: Course[E],
    say: Callable[[str], None],
    judge: Judge | None = None,
) -> nn.Module:
    """Train on batches drawn from a bank. Raises SetupError as start_from does."""
    device, bank = pick_device(plan.device), course.bank
    torch.manual_seed(plan.seed)
    # a resumed run has weights already
    start = () if (plan.folder / CHECKPOINT).exists() else plan.start
    if start:
        weights_for(net, start)  # rejects an unsuitable file before hours of drawing
    before = read_seeds(plan)
    if not bank.fixed:
        bank.next_seed += (plan.seed << SEED_BITS[0]) + (len(before) << SEED_BITS[1])
    first = bank.next_seed
    say(f"drawing {bank.size} subjects")
    bank.fill(say)
    seed = bank.next_seed
    if start:
        start_from(net, start, _pictures(net, course, np.random.default_rng(seed)))
    # on a CPU the network needs the cores itself
    workers = 1 if device.type == "cpu" else max(1, min(8, (os.cpu_count() or 2) // 2))

    def draw(step: int) -> Any:
        return course.draw(bank, plan.batch, np.random.default_rng([seed, step]), device)

    batches = Ahead(draw, workers)

    def batch(step: int) -> Any:
        if step and step % course.refresh == 0:
            bank.refresh()
        return batches()

    try:
        return train(net, plan, batch, course.loss, say, judge)
    finally:
        batches.close()
        bank.close()
        write_seeds(plan, before, first, bank.next_seed - 1)


def _pictures(net: nn.Module, course: Course[E], rng: np.random.Generator) -> list[torch.Tensor]:
    """Images as the network learns from, for each of its views."""
    volumes = any(isinstance(part, nn.Conv3d) for part in net.modules())
    views = len(ways(net))
    found: dict[int, torch.Tensor] = {}
    while len(found) < views:
        count = START_VOLUMES if volumes else START_PICTURES
        batch = course.draw(course.bank, count, rng, torch.device("cpu"))
        found[batch[0] if views > 1 else 0] = batch[1 if views > 1 else 0]
    return [found[view] for view in range(views)]


def _running(old: torch.Tensor, new: torch.Tensor, count: torch.Tensor | int) -> torch.Tensor:
    """A running average that soon forgets the first, random weights: over about a tenth of the
    steps so far, at most 1 / (1 - DECAY).
    """
    keep = min(DECAY, (1 + int(count)) / (10 + int(count)))
    return old + (new - old) * (1 - keep)


def _resume(path: Path, state: _State, say: Callable[[str], None]) -> int:
    """Load a checkpoint if there is one; returns the step to resume from."""
    if not path.exists():
        return 0
    try:
        device = next(state.net.parameters()).device
        saved = torch.load(path, map_location=device, weights_only=True)
        state.net.load_state_dict(saved["net"])
        state.average.load_state_dict(saved["average"])
        state.optimiser.load_state_dict(saved["optimiser"])
        start = int(saved["step"])
    except (RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise SetupError(
            f"{path}: damaged, or of another network; remove it or name another folder with --runs"
        ) from error
    say(f"going on from step {start}")
    return start
