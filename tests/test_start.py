"""Networks that learn on from an exported file: every task's comes back as it was."""

# ruff: noqa: E402 - the imports below need torch, without which the file is skipped
from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("onnx", reason="onnx (extra train) is not installed")

from footcli.errors import SetupError
from footcli.kinds.parts import PARTS
from footcli.system.assets import models_dir
from footcli.train import bones
from footcli.train.entries import export_bones, export_finder, export_landmarks
from footcli.train.export import Account
from footcli.train.gu2net import GU2Net
from footcli.train.start import files_to_start, start_from
from footcli.train.unet import UNet
from footcli.train.unet3d import UNet3D

pytestmark = pytest.mark.training
SMALL = (8, 8, 16, 16, 16)


def _used(net: torch.nn.Module) -> torch.nn.Module:
    """A network whose normalisation has seen something, and learnt."""
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.uniform_(part.bias, -0.3, 0.3)
            torch.nn.init.uniform_(part.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(part.running_var, 0.5, 1.5)
    return net.eval()


def _bones(classes: int) -> UNet:
    return UNet(len(bones.OFFSETS_MM), classes, SMALL)


def _same(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=2e-4, rtol=2e-3)


def test_the_bones_network_learns_on(tmp_path: Path) -> None:
    net, image = _used(_bones(bones.CLASSES)), torch.rand(4, 5, 32, 48)
    export_bones(net, tmp_path, "x", Account({}), lambda line: None)
    again = _bones(bones.CLASSES)
    start_from(again, files_to_start(tmp_path, "bones"), (image,))
    with torch.no_grad():
        _same(again.eval()(image), net(image))


def test_the_finder_learns_on(tmp_path: Path) -> None:
    net, volume = _used(UNet3D(len(PARTS) + 1, (4, 6, 8, 8))), torch.rand(2, 1, 16, 24, 16)
    export_finder(net, tmp_path, "x", Account({}), lambda line: None)
    again = UNet3D(len(PARTS) + 1, (4, 6, 8, 8))
    start_from(again, files_to_start(tmp_path, "finder"), (volume,))
    with torch.no_grad():
        _same(again.eval()(volume), net(volume))


def test_a_network_of_two_views_learns_on_from_both_files(tmp_path: Path) -> None:
    net, views = _used(GU2Net(3, (8, 6), SMALL, 8)), (torch.rand(3, 3, 48, 64),) * 2
    export_landmarks(net, tmp_path, "x", Account({}), lambda line: None)
    again = GU2Net(3, (8, 6), SMALL, 8)
    start_from(again, files_to_start(tmp_path, "landmarks"), views)
    with torch.no_grad():
        for domain, view in enumerate(views):
            _same(again.eval()(view, domain), net(view, domain))
    with pytest.raises(SetupError, match="the folder with both views"):
        files_to_start(tmp_path / "landmarks-sag.onnx", "landmarks")


def test_a_network_that_knew_fewer_inputs_and_classes_is_begun_from(tmp_path: Path) -> None:
    small = _used(UNet(4, bones.CLASSES - 1, SMALL))
    file = tmp_path / "bones.onnx"
    torch.onnx.export(small, (torch.rand(1, 4, 32, 48),), str(file), dynamo=False)
    again, picture = _bones(bones.CLASSES), torch.rand(2, 5, 32, 48)
    start_from(again, (file,), (picture,))
    with torch.no_grad():
        found = again.eval()(picture)[:, : bones.CLASSES - 1]
        _same(found, small(picture[:, :4]))


def test_a_folder_must_hold_the_task(tmp_path: Path) -> None:
    assert [f.name for f in files_to_start(models_dir(), "landmarks")] == [
        "landmarks-sag.onnx",
        "landmarks-cor.onnx",
    ]
    with pytest.raises(SetupError):
        files_to_start(tmp_path, "bones")
