"""Detectors of the hindfoot: what of a scan they learn from, the pictures cut from it, and the way
to a model that analysis uses.
"""

# ruff: noqa: E402 - the imports below need torch, without which the file is skipped
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'footcli[train]'")

from footcli.domain import Plane, Volume
from footcli.errors import SetupError, TruthError
from footcli.infer.manifest import load_manifest, write_entry
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import scan
from footcli.system.assets import models_dir
from footcli.train import hindfoot, hindfoot_region, judge, run
from footcli.train.bank import Bank
from footcli.train.cases import Labelled
from footcli.train.entries import export_lesions, lesion_spec, part_spec
from footcli.train.export import Account
from footcli.train.hindfoot_region import PARTS, Part, SearchRegion
from footcli.train.job import Material, Terms
from footcli.train.lesions import loss
from footcli.train.start import files_to_start, start_from, weights_for
from footcli.train.watch import Plan
from footcli.train.yolo import Decoded, Detector

pytestmark = pytest.mark.training
SEED = 6201
SMALL = {
    name: replace(part, side_px=64, widths=part.widths[:1] * len(part.widths), neck=8)
    for name, part in PARTS.items()
}


def _case(disease: str) -> Labelled:
    seen = scan(draw_subject(SEED, disease, subtle=False), 1.2, SEED, "hindfoot")
    return Labelled(
        Volume(seen.hu, seen.raster.grid.affine, (), ""),
        seen.raster.labels,
        lesions=seen.raster.lesion,
    )


@pytest.fixture(scope="module")
def olt() -> Labelled:
    return _case("olt")


def test_a_region_has_the_boxes_of_its_own_lesions_at_their_size(olt: Labelled) -> None:
    found = hindfoot_region.region(PARTS["dome"], olt)
    assert found.classes == {0}
    assert hindfoot_region.region(PARTS["hindfoot"], olt).boxes == {}
    assert olt.lesions is not None
    size = [
        int(np.ptp(np.flatnonzero(olt.lesions.any(tuple(a for a in range(3) if a != axis)))) + 1)
        * 1.2
        for axis in range(3)
    ]
    edges = np.array([box[:4] for boxes in found.boxes.values() for box in boxes])
    thick = (max(found.boxes) - min(found.boxes) + 1) * 0.6
    wide, high = ((edges[:, i + 2].max() - edges[:, i].min()) * 0.6 for i in (0, 1))
    assert [high, thick, wide] == pytest.approx(size, abs=1.5)
    assert edges.min() >= 0
    assert (edges[:, 2] <= found.hu.shape[2]).all()
    assert (edges[:, 3] <= found.hu.shape[0]).all()


def test_slices_that_nobody_looked_at_are_not_shown(olt: Labelled) -> None:
    assert olt.lesions is not None
    there = np.flatnonzero(olt.lesions.any((0, 2)))
    augmented = frozenset(range(int(there[0]) - 2, int(there[-1]) + 1))
    some = hindfoot_region.region(PARTS["dome"], replace(olt, boxed={Plane.COR: augmented}))
    assert 0 < len(some.slices) < len(hindfoot_region.region(PARTS["dome"], olt).slices)
    assert set(some.boxes) < set(some.slices)
    with pytest.raises(TruthError, match="that anybody looked at"):
        hindfoot_region.region(PARTS["dome"], replace(olt, boxed={Plane.SAG: augmented}))
    with pytest.raises(TruthError, match="no hindfoot"):
        hindfoot_region.region(PARTS["dome"], replace(olt, lesions=None))


@pytest.mark.parametrize("name", PARTS)
def test_drawn_pictures_show_what_their_boxes_say(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in ("FAULTY", "BLURRED", "NOISED", "TILTED"):
        monkeypatch.setattr(hindfoot, what, 0.0)
    part, rng = PARTS[name], np.random.default_rng(2)
    ill = SearchRegion(
        np.zeros((80, 60, 90), np.int16),
        tuple(range(60)),
        {y: ((30, 40, 50, 55, 0),) for y in range(20, 40)},
    )
    ill.hu[40:55, 20:40, 30:50] = 1400
    healthy = SearchRegion(np.zeros((80, 60, 90), np.int16), tuple(range(60)), {})
    seen = 0
    for _ in range(60):
        image, boxes = hindfoot.draw_one(part, [ill, healthy], rng)
        assert image.shape == (len(part.offsets_mm), part.side_px, part.side_px)
        assert image.dtype == np.float32
        assert 0 <= image.min() <= image.max() <= 1
        bright = image[len(image) // 2] > 0.6
        for x0, y0, x1, y1, which in boxes:
            assert which == 0
            assert bright[int(y0) : int(y1), int(x0) : int(x1)].mean() > 0.95
            bright[int(y0) : int(y1), int(x0) : int(x1)] = False
            seen += 1
        assert bright.mean() < 0.02, "a lesion without its box"
    assert seen > 10


def test_larger_and_smaller_pictures_take_their_boxes_with_them() -> None:
    images, boxes = torch.zeros(20, 1, 64, 64), [np.array([[20, 12, 40, 30, 1]], np.float32)] * 20
    images[:, :, 12:30, 20:40] = 1
    out, moved = hindfoot.rescaled(images, boxes, np.random.default_rng(4))
    assert len({float(b[0, 2] - b[0, 0]) for b in moved}) > 10, "each by its own measure"
    for image, (found,) in zip(out[:, 0], moved, strict=True):
        rows, columns = np.nonzero(image.numpy() > 0.5)
        assert found.tolist() == pytest.approx(
            [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, 1], abs=1.0
        )


@pytest.mark.parametrize("name", PARTS)
def test_a_scanners_faults_leave_a_picture_that_is_finite_and_in_its_window(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in ("FAULTY", "BLURRED", "NOISED", "TILTED"):
        monkeypatch.setattr(hindfoot, what, 1.0)
    region = SearchRegion(np.zeros((80, 30, 90), np.int16), tuple(range(30)), {})
    image, _ = hindfoot.draw_one(PARTS[name], [region], np.random.default_rng(1))
    assert np.isfinite(image).all()
    assert 0 <= image.min() < image.max() <= 1


@pytest.mark.parametrize("part", SMALL.values(), ids=SMALL)
def test_the_loss_falls_at_both_sets_of_strides(part: Part, olt: Labelled) -> None:
    torch.manual_seed(3)
    rng, regions = np.random.default_rng(3), [hindfoot_region.region(PARTS["dome"], olt)]
    drawn = [hindfoot.draw_one(replace(part, classes=("OLT",)), regions, rng) for _ in range(10)]
    images = torch.from_numpy(np.stack([image for image, _ in drawn]))
    truths = [
        (torch.from_numpy(np.ascontiguousarray(b[:, :4])), torch.from_numpy(b[:, 4]).long())
        for _, b in drawn
    ]
    assert sum(len(wanted) for wanted, _ in truths) >= 2
    net = part.detector()
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    values = []
    for _ in range(25):
        value, _ = loss(net, (images, truths))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(float(value.detach()))
    assert values[-1] < 0.7 * values[0]


def test_a_detector_of_a_part_is_trained_and_stands_beside_the_other_lesions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PARTS, "dome", SMALL["dome"])
    monkeypatch.setattr(hindfoot_region, "SPACINGS_MM", (1.6,))
    monkeypatch.setattr(run, "CALIBRATED_ON", 1)
    monkeypatch.setattr(run, "CALIBRATION_MM", 2.0)
    monkeypatch.setattr(run, "DISEASES", ("olt",))
    monkeypatch.setattr(judge, "PHANTOM_MM", 2.0)
    plan = Plan(
        steps=2, batch=2, rate=1e-3, folder=tmp_path / "runs", device="cpu", bank=2, judge_every=2
    )
    job = run.Job("dome", plan, tmp_path / "models", Material(), lambda text: None)
    with pytest.raises(SetupError, match="--anyway"):
        run.train_and_export(job)
    job = replace(job, terms=Terms("CC-BY-4.0", anyway=True, command="footcli train dome"))
    written = run.train_and_export(job)
    assert [path.name for path in written] == ["lesions-dome.onnx", "lesions-dome.md"]
    own, shipped = load_manifest(tmp_path / "models"), load_manifest(models_dir())
    assert {spec.file for spec in own.models} == {spec.file for spec in shipped.models}
    (dome,) = [spec for spec in own.lesions() if "OLT" in spec.classes]
    assert len(dome.thresholds) == 1
    assert dome.licence == "CC-BY-4.0"
    card = written[1].read_text("utf-8")
    assert "footcli train dome" in card
    assert "seeds of drawn subjects" in card
    assert dome.sha256 not in {spec.sha256 for spec in shipped.models}
    assert sorted(name for spec in own.lesions() for name in spec.classes) == sorted(
        name for s in shipped.lesions() for name in s.classes
    )


def test_a_part_is_not_trained_into_a_folder_whose_model_tells_more(tmp_path: Path) -> None:
    write_entry(tmp_path, replace(lesion_spec("own cases"), file="own.onnx", exported_by="1"))
    plan = Plan(steps=1, batch=1, rate=1e-3, folder=tmp_path / "runs", device="cpu")
    with pytest.raises(
        SetupError,
        match=r"own\.onnx: tells OLT and other lesions: name another folder with --models",
    ):
        run.train_and_export(run.Job("dome", plan, tmp_path, Material(), lambda text: None))
    assert [spec.file for spec in load_manifest(tmp_path).models] == ["own.onnx"]


@pytest.fixture(scope="module", params=(False, True), ids=("plain", "mirrored"))
def two(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Detector]:
    """A file with two small detectors, whose normalisation has seen something, and the second of
    them.
    """
    torch.manual_seed(1)
    nets = [SMALL["dome"].detector(), SMALL["dome"].detector()]
    for net in nets:
        net.train()
        for _ in range(3):
            net(1 + torch.rand(4, 5, 64, 64))
    folder = tmp_path_factory.mktemp("two")
    export_lesions(
        Decoded(*nets, mirrored=request.param),
        folder,
        part_spec("dome", "nothing"),
        Account({}),
        lambda line: None,
    )
    return folder / "lesions-dome.onnx", nets[1].eval()


def test_a_detector_learns_on_from_the_last_one_of_a_file(two: tuple[Path, Detector]) -> None:
    file, last = two
    net, pictures = SMALL["dome"].detector(), torch.rand(16, 5, 64, 64)
    start_from(net, (file,), (pictures,))
    with torch.no_grad():
        wanted = [part for level in last(pictures) for part in level]
        told = [part for level in net.eval()(pictures) for part in level]
        learning = [
            part for level in net.train()(pictures) for part in level
        ]  # its normalisation by these very pictures
    for a, b, c in zip(wanted, told, learning, strict=True):
        torch.testing.assert_close(b, a, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(c, a, atol=2e-2, rtol=2e-2)


def test_only_a_file_with_such_a_detector_can_be_begun_from(
    two: tuple[Path, Detector], tmp_path: Path
) -> None:
    with pytest.raises(
        SetupError, match=r"lesions-dome.onnx: holds no network of this task's shape"
    ):
        weights_for(SMALL["hindfoot"].detector(), (two[0],))
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(SetupError, match=r"text.onnx: cannot be read as ONNX"):
        weights_for(SMALL["dome"].detector(), (tmp_path / "text.onnx",))


def test_a_file_that_does_not_fit_is_told_of_before_anything_is_drawn(tmp_path: Path) -> None:
    plan = Plan(
        steps=1,
        batch=1,
        rate=1e-3,
        folder=tmp_path,
        device="cpu",
        bank=1,
        start=(tmp_path / "gone.onnx",),
    )
    with pytest.raises(SetupError, match=r"gone.onnx: cannot be read"):
        hindfoot.run(
            SMALL["dome"],
            plan,
            lambda line: None,
            Bank(1, lambda seed: pytest.fail("a subject was drawn")),
        )


def test_a_stopped_training_goes_on_without_the_file(
    two: tuple[Path, Detector], olt: Labelled, tmp_path: Path
) -> None:
    part, said = SMALL["dome"], []
    plan = Plan(steps=1, batch=1, rate=1e-3, folder=tmp_path, device="cpu", bank=1, start=(two[0],))
    hindfoot.run(part, plan, said.append, Bank(1, lambda seed: hindfoot_region.region(part, olt)))
    later = replace(plan, steps=2, start=(tmp_path / "moved.onnx",))
    hindfoot.run(part, later, said.append, Bank(1, lambda seed: hindfoot_region.region(part, olt)))
    assert [line.split()[1] for line in said if line.startswith("step")] == ["1/1", "2/2"]


@pytest.mark.parametrize("task", list(PARTS))
def test_the_shipped_parts_can_be_begun_from(task: str) -> None:
    weights_for(PARTS[task].detector(), files_to_start(models_dir(), task))
