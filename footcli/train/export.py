"""A trained network -> ONNX file, manifest entry, model card; the ONNX output is checked against
torch.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from footcli import __version__
from footcli.errors import SetupError
from footcli.infer.manifest import sha256_of, write_entry
from footcli.infer.session import open_session
from footcli.infer.spec import ModelSpec
from footcli.system.files import write_atomic

NO_LICENCE = "none stated"
CURVE_ROWS = 12  # judgements that a card shows
MAX_BYTES = 16 * 2**20  # largest file of a shipped model
# largest difference between torch and ONNX outputs, relative to the outputs' largest value
TOLERANCE = 1e-3


class WithSoftmax(nn.Module):
    """A network that returns probabilities instead of logits."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, classes, H, W) probabilities."""
        out: torch.Tensor = self.net(x).softmax(1)
        return out


def export(
    net: nn.Module,
    spec: ModelSpec,
    folder: Path,
    example: torch.Tensor,
    dynamic: dict[str, dict[int, str]],
) -> tuple[ModelSpec, float]:
    """Write folder/spec.file and its manifest entry.

    Returns the entry and the largest difference of torch and ONNX, relative to the largest output.
    Raises SetupError if the file is too big or the outputs differ too much; nothing is written
    then.
    """
    net = net.eval().cpu()
    buffer = io.BytesIO()
    torch.onnx.export(
        net,
        (example,),
        buffer,
        input_names=["image"],
        output_names=["out"],
        dynamic_axes=dynamic,
        opset_version=17,
        dynamo=False,
    )
    data = buffer.getvalue()
    if len(data) > MAX_BYTES:
        raise SetupError(
            f"{spec.file}: {len(data) / 2**20:.1f} MB; a model may have {MAX_BYTES / 2**20:.0f} "
            "MB: train a smaller one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    trial = folder / f".{spec.file}"
    trial.write_bytes(data)
    try:
        spec = replace(spec, sha256=sha256_of(trial), exported_by=__version__)
        with torch.no_grad():
            wanted = net(example).numpy()
        got = open_session(trial, "cpu", 1, spec).run(example.numpy())[0]
        difference = float(np.abs(got - wanted).max() / max(1e-9, float(np.abs(wanted).max())))
        if difference > TOLERANCE:
            raise SetupError(
                f"{spec.file}: ONNX and torch differ by {difference:.2g} (allowed {TOLERANCE}): "
                "not exported"
            )
        trial.replace(folder / spec.file)
    finally:
        trial.unlink(missing_ok=True)
    write_entry(folder, spec)
    return spec, difference


@dataclass(frozen=True, slots=True)
class Account:
    """What a model card reports of a training.

    facts: name -> value. curve: its judgements, of which some are shown. who: the subjects that it
    was judged on. licence: of the weights, as their owner states it.
    """

    facts: Mapping[str, Any]
    curve: Sequence[Mapping[str, float]] = ()
    who: str = ""
    licence: str = NO_LICENCE

    @property
    def best(self) -> Mapping[str, float]:
        """The judgement of the exported weights."""
        return max(self.curve, key=lambda point: point["score"])


def write_card(
    folder: Path, spec: ModelSpec, title: str, parameters: int, account: Account, difference: float
) -> Path:
    """Write the model card, Markdown, beside the model. difference: most of torch and ONNX."""
    low, high = spec.window
    lines = [
        f"# {title}",
        "",
        f"File `{spec.file}`, sha256 `{spec.sha256}`, {parameters:,} parameters, licence: "
        f"{spec.licence}.",
        "",
        "Research use only; not a medical device.",
        "",
        f"- Input: {spec.input_channels} channels, {spec.pixel_mm} mm pixels, HU {low:g}..{high:g} "
        "as 0..1.",
        f"- Trained on: {spec.trained_on}.",
        f"- Exported by footcli {spec.exported_by}; torch and ONNX differ by {difference:.1e} at "
        "most.",
        "",
        "| what | value |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in account.facts.items()),
        "",
    ]
    if account.curve:
        lines += _curve_lines(spec, account)
    path = folder / f"{Path(spec.file).stem}.md"
    write_atomic(path, "\n".join(lines).encode())
    return path


def _curve_lines(spec: ModelSpec, account: Account) -> list[str]:
    """Some of the judgements as a table, the best and the last one among them."""
    judged = spec.quality.get("measured_on", "held-out subjects")
    every = max(1, -(-len(account.curve) // CURVE_ROWS))
    shown = (*account.curve[::every], account.curve[-1], account.best)
    lines = [
        "## Training curve",
        "",
        f"On {judged}; the best was exported.",
        "",
        "| step | score | loss |",
        "|---|---|---|",
    ]
    for step, point in sorted({point["step"]: point for point in shown}.items()):
        loss = point.get("training loss", float("nan"))
        lines.append(f"| {step:.0f} | {point['score']:.3f} | {loss:.3f} |")
    return [*lines, ""]
