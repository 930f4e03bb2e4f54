"""Loads a network's weights from its exported ONNX files, to learn on, for example on a hospital's
own cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from footcli.domain import Plane
from footcli.errors import SetupError
from footcli.infer.manifest import load_manifest, verify
from footcli.train.gu2net import GU2Net

BLANK_PX = {2: 64, 3: 16}  # a picture, or a volume, large enough for every stride
CONVS, NORMS = (nn.Conv2d, nn.Conv3d), (nn.BatchNorm2d, nn.BatchNorm3d)
ALIKE = 0.02  # part of a layer shared by two views in which their files may differ but for its norm
Folded = tuple[NDArray[np.float32], NDArray[np.float32] | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A convolution in the order of execution, and the normalisation that follows it, if any."""

    conv: Any
    norm: Any = None


def files_to_start(path: Path, task: str) -> tuple[Path, ...]:
    """The files of a task's network: `path` itself, or those that the manifest of a folder names.

    Of landmarks one for each view. Raises SetupError.
    """
    planes = (Plane.SAG, Plane.COR) if task == "landmarks" else (None,)
    if not path.is_dir():
        if len(planes) > 1:
            raise SetupError(f"--start {path}: for landmarks name the folder with both views")
        return (path,)
    manifest = load_manifest(path)
    if task in ("bones", "finder", "landmarks"):
        specs = [manifest.get(task, plane) for plane in planes]
    else:
        name = "lesions.onnx" if task == "lesions" else f"lesions-{task}.onnx"
        specs = [spec for spec in manifest.models if spec.file == name]
        if not specs:
            raise SetupError(f"--start {path}: its manifest has no {name}")
    return tuple(verify(spec, path) for spec in specs)


def ways(net: nn.Module) -> list[Callable[[torch.Tensor], Any]]:
    """The ways through a network: one for each of its views, each exported to a file of its own."""
    if isinstance(net, GU2Net):
        return [partial(net.forward, domain=i) for i in range(len(net.stem))]
    return [net]


def start_from(net: nn.Module, files: Sequence[Path], pictures: Sequence[torch.Tensor]) -> None:
    """Give `net` the weights of the last network in each file, and its batch normalisation the
    statistics of some images.

    Export folds the normalisation into the convolutions; this restores it without changing the
    output. files, pictures: one for each of `ways`; pictures (N, C, H, W), or volumes. Raises
    SetupError as weights_for does.
    """
    known: set[nn.Module] = set()
    found = weights_for(net, files)
    net.eval()
    for way, shown, layers in zip(ways(net), pictures, found, strict=True):
        with torch.no_grad():
            for layer, folded in layers:
                _set(layer, folded, known)
            _calibrate(way, shown, [layer for layer, _ in layers])
    net.train()


def weights_for(net: nn.Module, files: Sequence[Path]) -> list[list[tuple[_Layer, Folded]]]:
    """For each of `ways` the network's layers in order of execution, with the weights of a file.

    The first layer may have learnt fewer inputs, the last one fewer classes. Raises SetupError for
    a file that cannot be read or holds no such network.
    """
    found = []
    net.eval()
    for way, file in zip(ways(net), files, strict=True):
        layers = _layers(net, way)
        own = _convolutions(file)[-len(layers) :]
        ends = {0: 1, len(layers) - 1: 0}  # layer -> axis of its weights that may grow
        pairs = zip(layers, own, strict=False)
        fits = [_fits(a.conv, b[0].shape, ends.get(i)) for i, (a, b) in enumerate(pairs)]
        if len(own) < len(layers) or not all(fits):
            raise SetupError(
                f"{file}: holds no network of this task's shape: name a file that `footcli train` "
                "wrote for it"
            )
        found.append(list(zip(layers, own, strict=True)))
    net.train()
    return found


def _fits(conv: Any, shape: tuple[int, ...], may_grow: int | None) -> bool:
    wanted = tuple(conv.weight.shape)
    if len(shape) != len(wanted):
        return False
    return all(
        a == b or (axis == may_grow and a < b)
        for axis, (a, b) in enumerate(zip(shape, wanted, strict=True))
    )


def _layers(net: nn.Module, way: Callable[[torch.Tensor], Any]) -> list[_Layer]:
    """The convolutions that a way passes, as often as it does, in order of execution."""
    order: list[_Layer] = []

    def note(module: nn.Module, _: Any, out: Any) -> None:
        if isinstance(module, CONVS):
            order.append(_Layer(module))
        elif order and order[-1].norm is None:
            order[-1] = _Layer(order[-1].conv, module)

    first = next(part for part in net.modules() if isinstance(part, CONVS))
    dims = first.weight.ndim - 2
    channels = int(getattr(net, "inputs", first.in_channels))
    with torch.no_grad(), _watched(net, (*CONVS, *NORMS), note):
        way(torch.zeros(1, channels, *[BLANK_PX[dims]] * dims))
    return order


def _set(layer: _Layer, folded: Folded, known: set[nn.Module]) -> None:
    """Set a layer; of one that another view has set already, its normalisation alone."""
    weight = torch.from_numpy(folded[0].copy())
    bias = None if folded[1] is None else torch.from_numpy(folded[1].copy())
    scale = torch.ones(layer.conv.weight.shape[0])
    own = tuple(slice(0, n) for n in weight.shape)
    if layer.norm is not None and layer.conv in known:
        before = layer.conv.weight.flatten(1)
        scale = (before * weight.flatten(1)).sum(1) / (before**2).sum(1).clamp(min=1e-12)
        off = (weight.flatten(1) - scale[:, None] * before).norm() / weight.norm()
        if float(off) > ALIKE:
            raise SetupError("--start: the two views are not of one network")
    elif layer.conv not in known:
        layer.conv.weight[:, weight.shape[1] :] = 0  # what it did not know changes nothing yet
        layer.conv.weight[own] = weight
    if layer.norm is not None:
        layer.norm.weight.copy_(scale)
        layer.norm.running_mean.zero_()
        layer.norm.running_var.fill_(1.0 - layer.norm.eps)
    target = layer.conv if layer.norm is None else layer.norm
    if bias is not None and target.bias is not None:
        target.bias[: len(bias)] = bias
    known.add(layer.conv)


def _calibrate(
    way: Callable[[torch.Tensor], Any], pictures: torch.Tensor, layers: Sequence[_Layer]
) -> None:
    """Give each normalisation the statistics of what it sees, and undo them by its own weights."""
    seen: dict[nn.Module, list[torch.Tensor]] = {}
    # a tower that three strides share passes its own thrice
    each = {id(layer.norm): layer.norm for layer in layers if layer.norm is not None}
    norms: list[Any] = list(each.values())

    def note(module: nn.Module, inputs: Any, _: Any) -> None:
        seen.setdefault(module, []).append(inputs[0].detach().transpose(0, 1).flatten(1))

    hooks = [norm.register_forward_hook(note) for norm in norms]
    try:
        way(pictures)
    finally:
        for hook in hooks:
            hook.remove()
    for norm in norms:
        values = torch.cat(seen[norm], 1)
        norm.running_mean.copy_(values.mean(1))
        norm.running_var.copy_(values.var(1))
        norm.bias.add_(norm.weight * norm.running_mean)
        norm.weight.mul_(torch.sqrt(norm.running_var + norm.eps))


@contextmanager
def _watched(net: nn.Module, kinds: tuple[type[nn.Module], ...], note: Any) -> Iterator[None]:
    hooks = [
        module.register_forward_hook(note) for module in net.modules() if isinstance(module, kinds)
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
        (known[node.input[1]], known[node.input[2]] if len(node.input) == 3 else None)
        for node in graph.node
        if node.op_type == "Conv" and node.input[1] in known
    ]
