"""What all three trainings share: device, checkpoints that a stopped run goes on from, progress."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from footcli.errors import SetupError


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard to train. minutes: stop after this wall time even if steps remain, 0 for no limit."""

    steps: int
    batch: int
    rate: float
    folder: Path
    device: str = "auto"
    minutes: float = 0.0
    seed: int = 1
    bank: int = 24


def pick_device(name: str) -> torch.device:
    """auto takes CUDA where torch has it. Raises SetupError for "cuda" where it has not."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise SetupError("device cuda: this torch has no CUDA; install a torch with CUDA, or use --device cpu")
    return torch.device(name)


def train(
    net: nn.Module, plan: Plan, batch: Callable[[int], Any], loss: Callable[[nn.Module, Any], tuple[torch.Tensor, dict[str, float]]],
    say: Callable[[str], None], every: Callable[[int], None] | None = None,
) -> nn.Module:  # fmt: skip
    """Train `net` in place with AdamW and a one-cycle cosine rate, from the last checkpoint in plan.folder if there is one.

    batch(step) draws a batch; loss(net, batch) gives the loss and numbers to show. Returns the running average of the weights,
    which is what gets exported. The checkpoint holds net, average, optimiser and step, and is replaced every 100 steps.
    Raises SetupError for a checkpoint that cannot be used.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    device = pick_device(plan.device)
    net.to(device).train()
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995))
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=1e-4)
    path = plan.folder / "checkpoint.pt"
    start = 0
    if path.exists():
        try:
            saved = torch.load(path, map_location=device, weights_only=True)
            net.load_state_dict(saved["net"])
            average.load_state_dict(saved["average"])
            optimiser.load_state_dict(saved["optimiser"])
            start = int(saved["step"])
        except (RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise SetupError(f"{path}: damaged, or of another network; remove it or name another folder with --runs") from error
        say(f"going on from step {start}")
    began = time.monotonic()
    shown: dict[str, float] = {}
    for step in range(start, plan.steps):
        warm = min(1.0, (step + 1) / 50)
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * warm * (0.5 + 0.5 * float(torch.cos(torch.tensor(torch.pi * step / plan.steps)))) + 1e-6
        value, numbers = loss(net, batch(step))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(net)
        for key, number in {"loss": float(value.detach()), **numbers}.items():
            shown[key] = 0.97 * shown.get(key, number) + 0.03 * number
        over = plan.minutes > 0 and time.monotonic() - began > plan.minutes * 60
        if (step + 1) % 100 == 0 or step + 1 == plan.steps or over:
            temporary = path.with_suffix(".tmp")
            torch.save(
                {"net": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}, temporary
            )
            temporary.replace(path)
        if (step + 1) % 25 == 0 or over:
            rate = (step + 1 - start) / (time.monotonic() - began)
            say(f"step {step + 1}/{plan.steps}  " + "  ".join(f"{k} {v:.3f}" for k, v in shown.items()) + f"  {rate:.2f} steps/s")
        if every is not None:
            every(step)
        if over:
            break
    module: nn.Module = average.module
    return module.eval()
