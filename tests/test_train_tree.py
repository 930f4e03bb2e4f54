"""Training from labelled cases of the data set's layout: split by patient, judged, exported, used,
scored.
"""

# ruff: noqa: E402 - the imports below need torch, without which the file is skipped
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("onnx", reason="onnx (extra train) is not installed")

from footcli import cli
from footcli.domain import Lesion, Plane, Volume
from footcli.errors import SetupError, TruthError
from footcli.evaluate.run import evaluate
from footcli.infer.manifest import load_manifest
from footcli.infer.spec_checks import VIEW_IMAGES
from footcli.infer.views import CHANNELS
from footcli.infer.votes import VOTERS
from footcli.kinds import BONE_ID, LANDMARKS, LESIONS
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import Scan, scan
from footcli.phantom.write import lesion_boxes, write_case
from footcli.system.assets import models_dir
from footcli.train import banked_scans, bones, cases, judge, landmarks, lesions, run, samples
from footcli.train.bank import SITE, TRAIN_SEEDS, Bank
from footcli.train.check import check_labels
from footcli.train.gu2net import GU2Net
from footcli.train.job import Material
from footcli.train.unet import UNet
from footcli.train.watch import Plan, read_curve
from footcli.train.yolo import Detector
from footcli.walk.tree import find_cases, list_cases

pytestmark = [pytest.mark.training, pytest.mark.slow]
MM = 2.0
LOST_MM = 25.0  # guessing the middle of the picture errs by some 60 mm


def _scanned(seed: int) -> Scan:
    """Different people in one scanner: so few steps cannot teach a network every scanner."""
    return scan(draw_subject(seed, "normal"), MM, 7)


@pytest.fixture(autouse=True)
def _same_pictures_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What so few steps teach hangs on what they see: the same seeds, and no new thing when the
    machine happens to be quick.
    """
    begin = Bank.__init__
    monkeypatch.setattr(
        Bank,
        "__init__",
        lambda self, size, make, first_seed=TRAIN_SEEDS: begin(self, size, make, first_seed),
    )
    monkeypatch.setattr(Bank, "refresh", lambda self: None)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three labelled patients, axial slices alone."""
    root = tmp_path_factory.mktemp("tree")
    for seed in (6001, 6002, 6003):
        write_case(root, _scanned(seed), seed, (Plane.AXL,))
    return root


def test_patients_are_split_and_never_stand_on_both_sides(tree: Path) -> None:
    found = cases.find_labelled(tree)
    learn, keep = cases.split(found)
    assert (len(learn), len(keep)) == (2, 1)
    assert not {p.folder_name for p in learn} & {p.folder_name for p in keep}
    assert cases.split(list(reversed(found)))[1][0].case_id == keep[0].case_id


def test_labels_of_one_patient_or_of_none_are_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="holds no labelled case"):
        cases.find_labelled(tmp_path)
    seed = 6004
    write_case(tmp_path, scan(draw_subject(seed, "normal"), 3.0, seed), seed, (Plane.AXL,))
    with pytest.raises(SetupError, match="one patient alone"):
        cases.find_labelled(tmp_path)


def test_check_says_what_would_be_learnt_and_what_is_left_out(tree: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(tree, tmp_path / "tree")
    learn, _ = cases.split(cases.find_labelled(tmp_path / "tree"))
    files = sorted(path for paths in learn[0].open().labels[Plane.AXL].values() for path in paths)
    files[len(files) // 2].unlink()
    done = CliRunner().invoke(cli.app, ["train", "bones", str(tmp_path / "tree"), "--check"])
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "to learn from: 1 case of 1 patient"
    assert "  Talus: 1 case" in lines
    (fault,) = [line for line in lines if "left out" in line]
    assert learn[0].case_id in fault
    assert "without gaps" in fault
    assert "to judge by: 1 case of 1 patient" in lines
    points = list(check_labels("landmarks", Material(tree)))
    assert points[0] == "to learn from: 2 cases of 2 patients"
    assert "  CPA_Line1_Pt1: 2 cases" in points
    boxes = list(check_labels("dome", Material(tree)))
    assert "  OLT: 0 cases" in boxes
    with pytest.raises(SetupError, match="name the folder"):
        list(check_labels("bones", Material()))
    with pytest.raises(SetupError, match="drawn scenes alone"):
        list(check_labels("finder", Material(tree)))


def test_a_labelled_case_comes_back_as_it_was_written(tree: Path) -> None:
    place = cases.find_labelled(tree)[0]
    case = cases.read_labelled(place)
    volume, labels = case.volume, case.labels
    seed = int(place.case_id[-8:])
    truth = _scanned(seed).raster.labels[::-1]
    assert labels.shape == volume.hu.shape == truth.shape
    assert (labels == truth).mean() > 0.999  # outlines close holes
    assert set(case.points) == set(LANDMARKS)
    for name, (x, y, z) in _scanned(seed).points.items():
        np.testing.assert_allclose(case.points[name], (x, y, len(truth) - 1 - z), atol=1e-3)
    entry = banked_scans.to_scan(case, np.random.default_rng(1))
    ids = entry.ids[0].numpy()
    for k in BONE_ID.values():
        assert (ids == k).sum() * 0.8**3 == pytest.approx((labels == k).sum() * MM**3, rel=0.05)
        z, y, x = entry.points[k].long().unbind(-1)
        assert (ids[z, y, x] == k).all()
    # canonical: z up, y back
    assert (
        np.argwhere(ids == BONE_ID["Tibia"])[:, 0].mean()
        > np.argwhere(ids == BONE_ID["Calcaneus"])[:, 0].mean()
    )
    assert (
        np.argwhere(ids == BONE_ID["2nd Metatarsal"])[:, 1].mean()
        < np.argwhere(ids == BONE_ID["Calcaneus"])[:, 1].mean()
    )


def test_a_gap_in_the_labels_makes_a_case_unusable(tree: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(tree, tmp_path / "tree")
    place = cases.find_labelled(tmp_path / "tree")[0]
    files = sorted(path for paths in place.open().labels[Plane.AXL].values() for path in paths)
    files[len(files) // 2].unlink()
    with pytest.raises(TruthError, match="without gaps"):
        cases.read_labelled(place)


def test_a_scan_without_directions_is_turned_by_its_bones(tree: Path) -> None:
    case = cases.read_labelled(cases.find_labelled(tree)[0])
    plain = np.diag([MM, MM, MM, 1.0])
    flipped = Volume(
        np.ascontiguousarray(case.volume.hu[::-1, ::-1]), plain, (), "", orientation_known=False
    )
    entry = banked_scans.to_scan(
        cases.Labelled(flipped, np.ascontiguousarray(case.labels[::-1, ::-1])),
        np.random.default_rng(1),
    )
    ids = entry.ids[0].numpy()
    assert (
        np.argwhere(ids == BONE_ID["Tibia"])[:, 0].mean()
        > np.argwhere(ids == BONE_ID["Calcaneus"])[:, 0].mean()
    )
    assert (
        np.argwhere(ids == BONE_ID["2nd Metatarsal"])[:, 1].mean()
        < np.argwhere(ids == BONE_ID["Calcaneus"])[:, 1].mean()
    )


def test_pictures_of_a_scan_show_the_bone_asked_for_with_its_class(tree: Path) -> None:
    entry = banked_scans.from_any(
        cases.find_labelled(tree),
        3,
        lambda place, rng: banked_scans.to_scan(cases.read_labelled(place), rng),
    )
    rng = np.random.default_rng(2)
    cut = banked_scans.Cut(MM, 64, (-8.0, 0.0, 8.0))
    hit = 0
    for _ in range(20):
        image, target = banked_scans.scan_picture(
            entry, "SAG", entry.points[BONE_ID["Calcaneus"]][0], cut, rng
        )
        assert image.shape == (3, 64, 64)
        assert target.shape == (64, 64)
        hit += bool((target == BONE_ID["Calcaneus"]).any())
        bone, air = image[1][target > 0], image[1][image[1] < -600]
        assert len(bone) < 30 or bone.mean() > air.mean() + 500
        assert len(air) == 0 or (target[image[1] < -600] > 0).float().mean() < 0.02
    assert hit >= 15


def test_a_judge_gives_full_marks_to_a_perfect_network_and_none_to_a_blind_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = list(judge.held_phantoms([6005]))
    spec = run.bone_spec("")

    class Blind(torch.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x: Any) -> Any:
            out = torch.zeros(x.shape[0], 11, *x.shape[2:])
            out[:, 0] = 9
            return out

    assert judge.judge_bones(Blind(), held, spec)["score"] == 0.0
    monkeypatch.setattr(
        judge,
        "segment",
        lambda volume, runner, spec: [type("Foot", (), {"labels": held[0].labels})()],
    )
    monkeypatch.setattr(judge, "on_input_grid", lambda foot, labels, volume: labels)
    perfect = judge.judge_bones(Blind(), held, spec)
    assert perfect["score"] == 1.0
    assert len(perfect) == 11


def _run(*words: object) -> None:
    done = CliRunner().invoke(cli.app, [str(w) for w in words])
    assert done.exit_code == 0, done.stderr


def _trained(
    task: str, tree: Path, scratch: Path, half: int, batch: int, card: str
) -> tuple[Path, list[dict[str, float]], str]:
    """Train in twice `half` steps; the folder of models, the curve, judged after each half, and the
    text of the card.
    """
    models = scratch / "models"
    _run(
        "train",
        task,
        tree,
        "--models",
        models,
        "--runs",
        scratch / "runs",
        "--steps",
        2 * half,
        "--batch",
        batch,
        "--bank",
        2,
        "--rate",
        "4e-3",
        "--judge-every",
        half,
        "--device",
        "cpu",
        "--anyway",
    )
    curve = read_curve(Plan(1, 1, 1.0, scratch / "runs" / task))
    assert [point["step"] for point in curve] == [half, 2 * half]
    text = (models / card).read_text("utf-8")
    assert "labelled cases of the user's own" in text
    assert "Training curve" in text
    return models, curve, text


def _scores_of_an_unseen_case(models: Path, scratch: Path) -> dict[str, Any]:
    write_case(scratch / "unseen", _scanned(6006), 6006, (Plane.AXL,))
    _run(
        "analyze",
        scratch / "unseen",
        "-o",
        scratch / "out",
        "--models",
        models,
        "--device",
        "cpu",
        "-q",
    )
    return evaluate(scratch / "out", scratch / "unseen")


def test_from_a_tree_of_labels_to_scores_of_unseen_cases(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small and coarse, but the whole way: read, learn, judge, export, analyse a patient that
    nobody saw, evaluate.
    """
    # so small a network finds nothing that is arranged like a foot: let it through
    monkeypatch.setattr("footcli.frame.foot_check.MOST_MM", np.inf)
    monkeypatch.setattr("footcli.frame.foot_check.SIZES", (0.0, np.inf))
    monkeypatch.setattr(bones, "PIXEL_MM", MM)
    monkeypatch.setattr(bones, "OFFSETS_MM", (-8.0, 0.0, 8.0))
    monkeypatch.setattr(bones, "SIDE_PX", 80)
    monkeypatch.setattr(bones, "PLANES", ("AXL",))  # one plane is learnt in a third of the steps
    monkeypatch.setitem(VOTERS, "standard", VOTERS["fast"])
    monkeypatch.setattr(
        bones, "UNet", lambda channels, classes: UNet(channels, classes, (12, 24, 48, 64))
    )
    models, curve, card = _trained("bones", tree, tmp_path, 150, 6, "bones.md")
    # some bones only: which ones so few steps teach is chance
    assert max(max(v for k, v in point.items() if k in BONE_ID) for point in curve) > 0.3
    assert "1 patients kept for judging" in card

    found = _scores_of_an_unseen_case(models, tmp_path)
    assert max(own["dice"] for own in found["bones"]["per_class"].values()) > 0.3
    record = json.loads(
        (tmp_path / "out" / find_cases(tmp_path / "unseen")[0].case_id / "result.json").read_text(
            "utf-8"
        )
    )
    shipped = {spec.file: spec.sha256 for spec in load_manifest(models_dir()).models}
    told = {m["name"]: m["sha256"] for m in record["provenance"]["models"]}
    assert [name for name, sha256 in told.items() if sha256 != shipped.pop(name)] == ["bones.onnx"]
    assert not shipped, "the folder has a model for every task"


def test_lesions_from_a_tree_of_labels_to_scores_of_unseen_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small and coarse, but the whole way: read boxes, learn, judge, export, analyse a patient that
    nobody saw, evaluate.
    """
    monkeypatch.setattr(lesions, "PIXEL_MM", MM)
    monkeypatch.setattr(lesions, "OFFSETS_MM", (-4.0, 0.0, 4.0))
    monkeypatch.setattr(
        lesions, "CUT", replace(lesions.CUT, pixel_mm=MM, side_px=64, offsets_mm=(-4.0, 0.0, 4.0))
    )
    monkeypatch.setattr(
        lesions,
        "Detector",
        lambda channels, classes: Detector(channels, classes, (12, 16, 24, 32, 48), 24),
    )
    monkeypatch.setattr(
        lesions, "WIDE_SHARE", 0.0
    )  # the tree has a class of small pictures only, and their losses compare
    for seed in (6101, 6102, 6103):
        write_case(tmp_path / "tree", _with_hallux_valgus(seed), seed, (Plane.AXL,))
    models, curve, card = _trained("lesions", tmp_path / "tree", tmp_path, 90, 6, "lesions.md")
    assert curve[-1]["training loss"] < curve[0]["training loss"]
    assert all(
        0.0 <= point["Hallux Valgus"] <= 1.0 for point in curve
    )  # how much so few steps teach of a stranger is chance
    assert "1 patients kept for judging" in card

    write_case(tmp_path / "unseen", _with_hallux_valgus(6105), 6105, (Plane.AXL,))
    _run(
        "analyze",
        tmp_path / "unseen",
        "-o",
        tmp_path / "out",
        "--models",
        models,
        "--device",
        "cpu",
        "-q",
    )
    found = evaluate(tmp_path / "out", tmp_path / "unseen")
    own = found["lesions"]["per_class"]["Hallux Valgus"]
    assert own["n_patients"] == 1
    assert own["ap50"] is not None
    record = json.loads(next((tmp_path / "out").glob("*/result.json")).read_text("utf-8"))
    trained = {m["name"]: m["sha256"] for m in record["provenance"]["models"]}["lesions.onnx"]
    assert trained not in {spec.sha256 for spec in load_manifest(models_dir()).lesions()}
    assert [spec.sha256 for spec in load_manifest(models).lesions()] == [trained], (
        "it tells all kinds"
    )


def _with_hallux_valgus(seed: int) -> Scan:
    return scan(draw_subject(seed, "hallux_valgus"), MM, 7)


def _flat(seed: int) -> Scan:
    return scan(draw_subject(seed, "flat_foot"), MM, 7)


def test_boxes_of_a_labelled_case_are_the_lesions_of_the_subject(tmp_path: Path) -> None:
    write_case(tmp_path, _flat(6106), 6106, (Plane.AXL, Plane.SAG))
    (place,) = [p for p in list_cases(tmp_path) if p.labelled]
    case = cases.read_labelled(place)
    assert case.lesions is not None
    truth = _flat(6106).raster.lesion[::-1]
    box = [
        np.flatnonzero(truth.any(tuple(a for a in range(3) if a != axis)))[[0, -1]]
        for axis in range(3)
    ]
    assert [
        np.flatnonzero(case.lesions.any(tuple(a for a in range(3) if a != axis)))[[0, -1]].tolist()
        for axis in range(3)
    ] == [b.tolist() for b in box]
    entry = banked_scans.to_scan(case, np.random.default_rng(1))
    flat = [term.name for term in LESIONS].index("Flatfoot or Cavus")
    z, y, x = entry.points[-1 - flat].long().unbind(-1)
    assert (entry.ids[1, z, y, x] == 1 << flat).all()
    assert SITE - flat not in entry.points
    assert {SITE - bit for bit in range(len(LESIONS)) if bit != flat} < set(entry.points)


def test_a_judge_of_lesions_counts_as_evaluation_does(monkeypatch: pytest.MonkeyPatch) -> None:
    held = list(judge.held_phantoms([6107], lambda seed: draw_subject(seed, "flat_foot")))
    bits = held[0].lesions
    assert bits is not None
    sag = [
        (i, boxes["Flatfoot or Cavus"][0])
        for i in range(bits.shape[2])
        if (boxes := lesion_boxes(bits[:, :, i], Plane.SAG))
    ]
    whole = (float(sag[0][0]), *sag[0][1][:2], float(sag[-1][0] + 1), *sag[0][1][2:])
    right = Lesion(
        "Flatfoot or Cavus",
        0.9,
        Plane.SAG,
        (sag[0][0], sag[-1][0]),
        whole,
        None,
        tuple(box for _, box in sag),
    )  # type: ignore[arg-type]
    net = Detector(3, 6, (8, 8, 8, 8, 8), 8)
    for found, score in (
        ((right,), 1.0),
        ((), 0.0),
        ((replace(right, label="OLT", plane=Plane.COR),), 0.0),
    ):
        monkeypatch.setattr(judge, "find_lesions", lambda *a, found=found: found)
        assert judge.judge_lesions(net, held, run.lesion_spec("")) == {
            "score": score,
            "Flatfoot or Cavus": score,
        }


def test_views_of_a_labelled_case_are_those_of_the_subject_and_unlabelled_points_are_left_open(
    tree: Path,
) -> None:
    case = samples.pointed(cases.find_labelled(tree)[0])
    sample = samples.labelled(case, np.random.default_rng(3))
    for images, points, known, plane in zip(
        sample.images, sample.points, sample.known, samples.PLANES, strict=True
    ):
        assert images.shape[:2] == (samples.AUGMENTATIONS, VIEW_IMAGES)
        assert points.shape == (samples.AUGMENTATIONS, len(CHANNELS[plane]), 2)
        assert known.all()
        for image, marks in zip(images.numpy(), points, strict=True):
            bright = [
                image[1, int(r), int(c)] for c, r in marks[~np.isnan(marks[:, 0])]
            ]  # the points lie in or on bone
            assert len(bright) >= 4
            assert np.median(bright) > 0.35
    fewer = cases.Labelled(
        case.volume, case.labels, {k: v for k, v in case.points.items() if k.startswith("CPA")}
    )
    sample = samples.labelled(fewer, np.random.default_rng(3))
    assert sample.known[0].tolist() == [
        any(n.startswith("CPA") for n in names) for names in CHANNELS[samples.PLANES[0]]
    ]
    assert not sample.known[1].any()


def test_what_is_not_labelled_teaches_nothing() -> None:
    net = GU2Net(2, (3, 2), (8, 8, 8, 8, 8), 4)
    image, heat = torch.rand(2, 2, 32, 32), torch.rand(2, 3, 32, 32)
    heat[:, 1] = torch.nan
    value, _ = landmarks.loss(net, (0, image, heat))
    value.backward()
    slope = (
        net.globe[0].weight.grad.flatten(1).abs().sum(1)
    )  # the local maps feed the global net as well
    assert slope[1] == 0
    assert (slope[[0, 2]] > 0).all()


def test_key_points_from_a_tree_of_labels_to_scores_of_unseen_cases(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small, but the whole way: read points, learn, judge, export, analyse a patient that nobody
    saw, evaluate.
    """
    monkeypatch.setattr(
        landmarks,
        "GU2Net",
        lambda channels, points: GU2Net(channels, points, (8, 16, 24, 32, 32), 8),
    )
    models, curve, _ = _trained("landmarks", tree, tmp_path, 140, 2, "landmarks-sag.md")
    assert curve[-1]["mre_mm"] < LOST_MM

    found = _scores_of_an_unseen_case(models, tmp_path)
    assert found["landmarks"]["mre_mm"] < LOST_MM
