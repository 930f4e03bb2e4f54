"""Loads a detector's weights from its exported ONNX file for fine-tuning, for example on a user's
cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from footcli.errors import SetupError
from footcli.train.yolo import Detector

BLANK_PX = 64  # a picture large enough for every stride
Folded = tuple[NDArray[np.float32], NDArray[np.float32]]


def start_from(net: nn.Module, file: Path, pictures: torch.Tensor) -> None:
    """Give `net` the weights of the last detector in `file`, and its batch normalisation the
    statistics of some images.

    Export folds the normalisation into the convolutions; this restores it without changing the
    output. pictures: (N, C, H, W) training images. Raises SetupError as weights_for does.
    """
    blocks = [part for part in net.modules() if isinstance(part, nn.Sequential) and len(part) > 1]
    norms = {block[0]: block[1] for block in blocks if isinstance(block[1], nn.BatchNorm2d)}
    seen: dict[nn.Module, list[torch.Tensor]] = {}

    def note(module: nn.Module, _: Any, out: torch.Tensor) -> None:
        seen.setdefault(module, []).append(out.detach().transpose(0, 1).flatten(1))

    own = weights_for(net, file)
    net.eval()
    with torch.no_grad(), _watched(net, note):
        for conv, (weight, bias) in own:
            conv.weight.copy_(torch.from_numpy(weight.copy()))
            norms.get(conv, conv).bias.copy_(torch.from_numpy(bias.copy()))
            if conv in norms:
                norms[conv].weight.fill_(1.0)
                norms[conv].running_mean.zero_()
                norms[conv].running_var.fill_(1.0 - norms[conv].eps)
        net(pictures)
        for conv, norm in norms.items():
            values = torch.cat(seen[conv], 1)
            norm.running_mean.copy_(values.mean(1))
            norm.running_var.copy_(values.var(1))
            norm.weight.copy_(torch.sqrt(norm.running_var + norm.eps))
            norm.bias.add_(norm.running_mean)
    net.train()


def weights_for(net: nn.Module, file: Path) -> list[tuple[nn.Conv2d, Folded]]:
    """The network's convolutions in order of execution, each with its weights from the last
    detector in `file`.

    Raises SetupError for a network that is no detector, and for a file that cannot be read or holds
    no detector of this shape.
    """
    if not isinstance(net, Detector):
        raise SetupError(
            "--start is for detectors of lesions: train bones and landmarks without it"
        )
    order: list[nn.Conv2d] = []
    net.eval()
    with torch.no_grad(), _watched(net, lambda module, _, out: order.append(module)):
        net(
            torch.zeros(
                1,
                next(part.in_channels for part in net.modules() if isinstance(part, nn.Conv2d)),
                BLANK_PX,
                BLANK_PX,
            )
        )
    net.train()
    own = _convolutions(file)[-len(order) :]
    if [tuple(conv.weight.shape) for conv in order] != [weight.shape for weight, _ in own]:
        raise SetupError(
            f"{file}: holds no detector of this task's shape: name a file that `footcli train` "
            "wrote for it"
        )
    return list(zip(order, own, strict=True))


@contextmanager
def _watched(net: nn.Module, note: Any) -> Iterator[None]:
    hooks = [
        module.register_forward_hook(note)
        for module in net.modules()
        if isinstance(module, nn.Conv2d)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _convolutions(file: Path) -> list[Folded]:
    """Weights and biases of a file's convolutions, in order of execution."""
    import onnx
    from onnx import numpy_helper

    try:
        graph = onnx.load(str(file)).graph
    except Exception as error:  # protobuf's errors differ between its versions
        raise SetupError(f"{file}: cannot be read as ONNX ({type(error).__name__})") from error
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for (
        node
    ) in graph.node:  # a tower shared by three strides stores its weights once, with two more names
        if node.op_type == "Identity" and node.input[0] in known:
            known[node.output[0]] = known[node.input[0]]
    return [
        (known[node.input[1]], known[node.input[2]])
        for node in graph.node
        if node.op_type == "Conv" and len(node.input) == 3
    ]
