"""The finder: its scenes, its loss, its export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from footcli.infer.finder import find_parts  # noqa: E402
from footcli.infer.manifest import load_manifest  # noqa: E402
from footcli.infer.session import open_session  # noqa: E402
from footcli.kinds.parts import PARTS  # noqa: E402
from footcli.train import finder  # noqa: E402
from footcli.train.bank import Bank  # noqa: E402
from footcli.train.entries import export_finder, finder_spec  # noqa: E402
from footcli.train.export import Account  # noqa: E402
from footcli.train.finder_scenes import SCENE, Scene, draw_scene  # noqa: E402
from footcli.train.unet3d import UNet3D  # noqa: E402

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def scene() -> Scene:
    return draw_scene(5)


def test_a_scene_shows_bones_denser_than_air(scene: Scene) -> None:
    assert scene.hu.shape == scene.parts.shape == (SCENE,) * 3
    assert len(scene.points) >= 5
    bone, air = scene.hu[scene.parts > 0], scene.hu[scene.hu < -900]
    assert np.median(bone) > 100
    assert len(air) > 1000
    for part, voxels in scene.points.items():
        assert (scene.parts[tuple(voxels.T)] == part).all()


def test_a_seed_gives_the_same_scene_again(scene: Scene) -> None:
    again = draw_scene(5)
    assert np.array_equal(again.hu, scene.hu)
    assert np.array_equal(again.parts, scene.parts)


@pytest.mark.parametrize("seed", range(4))
def test_a_crop_keeps_image_and_parts_together(scene: Scene, seed: int) -> None:
    image, parts = finder.crop(scene, np.random.default_rng(seed))
    assert image.shape == parts.shape == (finder.CROP,) * 3
    assert 0 <= image.min() <= image.max() <= 1
    if (parts > 0).any():
        assert image[parts > 0].mean() > image[parts == 0].mean() + 0.1


def test_the_network_learns_and_is_judged(scene: Scene) -> None:
    torch.manual_seed(0)
    bank = Bank(1, lambda seed: scene)
    bank.fill()
    net = UNet3D(finder.CLASSES)
    batch = finder.draw_batch(bank, 1, np.random.default_rng(0), torch.device("cpu"))
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    losses = []
    for _ in range(6):
        value, numbers = finder.loss(net, batch)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        losses.append(float(value.detach()))
    assert losses[-1] < losses[0] - 0.2
    assert 0 <= numbers["dice"] <= 1
    judged = finder.judge_finder(net.eval(), [scene])
    assert 0 <= judged["score"] <= 1
    bank.close()


class _Densest:
    """Stands for a network: the denser, the surer of part 1."""

    def run(self, array: np.ndarray) -> list[np.ndarray]:
        out = np.zeros((1, len(PARTS) + 1, *array.shape[2:]), np.float32)
        out[:, 1], out[:, 0] = array[:, 0], 1 - array[:, 0]
        return [out]


@pytest.mark.parametrize("shape", [(30, 41, 22), (150, 40, 100)])
def test_tiles_make_one_answer(shape: tuple[int, int, int]) -> None:
    hu = np.random.default_rng(0).uniform(-400, 1500, shape).astype(np.float32)
    found = find_parts(hu, _Densest(), finder_spec("drawn"))
    np.testing.assert_allclose(found[1], np.clip((hu + 500) / 2000, 0, 1), atol=1e-5)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)


def test_a_finder_is_exported_and_opened_at_any_size(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = UNet3D(finder.CLASSES)
    with torch.no_grad():
        net.head.bias[0] = 5.0  # air is no part, as after training
    export_finder(net.eval(), tmp_path, "drawn", Account({}), print)
    (spec,) = load_manifest(tmp_path).models
    assert spec.classes == tuple(part.name for part in PARTS)
    session = open_session(tmp_path / spec.file, "cpu", 1, spec)
    for shape in ((1, 1, 24, 32, 40), (1, 1, 48, 16, 24)):
        assert session.run(np.zeros(shape, np.float32))[0].shape == (1, 22, *shape[2:])
