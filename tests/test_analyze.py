"""The whole line with the shipped models, on synthetic cases: from slices on disk to results, good
input and bad.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner, Result

from footcli.angles import true_angles
from footcli.cli import app
from footcli.domain import Lesion, Level, Plane
from footcli.errors import SetupError
from footcli.infer.spec import ModelSpec
from footcli.levels import SUSPICIOUS
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import Scan, scan
from footcli.phantom.write import write_case
from footcli.run.pipeline import analyze_case
from footcli.run.setup import Clock, Options, load_models
from footcli.store.result import load_masks
from footcli.system.assets import models_dir
from footcli.train.scores import dice
from footcli.walk.tree import find_cases

pytestmark = pytest.mark.slow
SEED = 103
SPACING_MM = 1.2

try:
    models_dir()
except SetupError:
    pytest.skip("no models are installed", allow_module_level=True)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture(scope="module")
def subject() -> Scan:
    return scan(draw_subject(SEED, "normal"), SPACING_MM, SEED)


@pytest.fixture(scope="module")
def plain(subject: Scan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One axial series in a plain folder."""
    root = tmp_path_factory.mktemp("plain")
    folder = write_case(root / "tree", subject, SEED, (Plane.AXL,), labels=False)
    (root / "case").mkdir()
    for number, path in enumerate(sorted((folder / "AXL").iterdir())):  # names that say nothing
        shutil.copyfile(path, root / "case" / f"s{number:04d}.dcm")
    return root / "case"


@pytest.fixture(scope="module")
def done(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("done")
    result = run("analyze", plain, "-o", out, "--device", "cpu", "--polygons")
    assert result.exit_code == 0, result.output
    return out / "case"


def values(folder: Path, source: str) -> dict[str, float | None]:
    data = json.loads((folder / "result.json").read_text("utf-8"))
    return {m["name"]: m["value"] for m in data["measurements"] if m["source"] == source}


def side(folder: Path) -> str:
    return str(json.loads((folder / "result.json").read_text("utf-8"))["side"])


def edit(folder: Path, change: object) -> None:
    """Rewrite every slice of a folder with `change(dataset)`."""
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        change(ds)  # type: ignore[operator]
        ds.save_as(path)


def test_bones_angles_and_side_of_an_unseen_subject_are_right(done: Path, subject: Scan) -> None:
    labels, _ = load_masks(done)
    scores = dice(labels, subject.raster.labels, 10)  # a plain series is ordered from below upwards
    assert np.mean(list(scores.values())) > 0.85
    truth = true_angles(subject.subject.landmarks)
    for source in ("landmarks", "masks"):
        found = values(done, source)
        assert found["CPA"] == pytest.approx(truth["CPA"], abs=5)
        assert found["TMA"] == pytest.approx(truth["TMA"], abs=7)
    assert side(done) == subject.subject.side


def test_two_runs_give_the_same_bytes(done: Path, plain: Path, tmp_path: Path) -> None:
    assert run("analyze", plain, "-o", tmp_path / "out", "--device", "cpu").exit_code == 0
    for name in ("result.json", "masks.npz", "views.npz", "report.html"):
        assert (tmp_path / "out" / "case" / name).read_bytes() == (done / name).read_bytes()


def test_polygons_are_written_for_the_slices_that_show_bone(done: Path) -> None:
    for plane in Plane:
        files = list((done / "polygons" / plane).glob("*.json"))
        assert len(files) > 20
    first = json.loads(sorted((done / "polygons" / "AXL").glob("*.json"))[0].read_text("utf-8"))
    assert first["ArrayOfannotation_info"][0]["object_name"] == "LabelPolyLine"


def test_a_scan_mirrored_left_to_right_without_tags_gives_the_other_side_and_the_same_angles(
    done: Path, plain: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mirrored"
    shutil.copytree(plain, folder)

    def mirror(ds: pydicom.Dataset) -> None:
        ds.PixelData = np.ascontiguousarray(ds.pixel_array[:, ::-1]).tobytes()
        del ds.ImageLaterality

    edit(folder, mirror)
    assert run("analyze", folder, "-o", tmp_path / "out", "--device", "cpu").exit_code == 0
    assert {side(done), side(tmp_path / "out" / "mirrored")} == {"L", "R"}
    for source in ("landmarks", "masks"):
        here, there = values(done, source), values(tmp_path / "out" / "mirrored", source)
        for name in ("CPA", "TMA", "TCA", "HAA", "MTASA"):
            assert there[name] == pytest.approx(here[name], abs=2), (source, name)


def test_lesions_too_faint_to_be_shown_are_kept_apart_and_make_no_finding(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(
        volume: object,
        grid: object,
        labels: object,
        session: object,
        spec: ModelSpec,
        unseen: object,
    ) -> tuple[Lesion, ...]:
        box = Lesion("OLT", 0.2, Plane.COR, (60, 66), (30.0, 60.0, 40.0, 40.0, 67.0, 50.0), None)
        return (
            (box, replace(box, label="Tarsal Coalition", score=SUSPICIOUS))
            if "OLT" in spec.classes
            else ()
        )

    monkeypatch.setattr("footcli.run.lesions.find_lesions", find)
    # the boxes above lie anywhere: their place is tested elsewhere
    monkeypatch.setattr("footcli.measure.box_anatomy.distance_mm", lambda *site: -1.0)
    options = Options(models_dir(), device="cpu", quality="fast")
    (foot,) = analyze_case(find_cases(plain)[0], load_models(options), options, Clock())
    assert [(x.label, x.score) for x in foot.result.lesions] == [("Tarsal Coalition", SUSPICIOUS)]
    assert [(x.label, x.score) for x in foot.result.faint_lesions] == [("OLT", 0.2)]
    levels = {f.name: f.level for f in foot.result.findings}
    assert (levels["olt"], levels["tarsal_coalition"]) == (Level.NOT_SEEN, Level.POSSIBLE)


def test_another_landmark_model_changes_the_landmarks_values_only(
    done: Path, plain: Path, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx (extra train) is needed to alter a model")
    from footcli.infer.manifest import load_manifest, sha256_of, write_entry

    models = tmp_path / "models"
    shutil.copytree(models_dir(), models)
    for spec in load_manifest(models).models:
        if spec.task == "landmarks":
            net = onnx.load(models / spec.file)
            # the output turned upside down: every point somewhere else
            graph = net.graph
            graph.node[-1].output[0] = "kept"
            starts, ends, axes, steps = (
                onnx.numpy_helper.from_array(np.array([v]), n)
                for n, v in (("s", -1), ("e", -(2**31)), ("a", 2), ("t", -1))
            )
            graph.initializer.extend([starts, ends, axes, steps])
            graph.node.append(onnx.helper.make_node("Slice", ["kept", "s", "e", "a", "t"], ["out"]))
            onnx.save(net, models / spec.file)
            write_entry(models, replace(spec, sha256=sha256_of(models / spec.file)))
    assert (
        run(
            "analyze", plain, "-o", tmp_path / "out", "--device", "cpu", "--models", models
        ).exit_code
        == 0
    )
    assert values(tmp_path / "out" / "case", "masks") == values(done, "masks")
    assert values(tmp_path / "out" / "case", "landmarks") != values(done, "landmarks")


def test_two_feet_in_one_volume_give_two_results(subject: Scan, tmp_path: Path) -> None:
    mirrored = subject.hu[:, :, ::-1]
    both = replace(
        subject,
        hu=np.concatenate(
            [subject.hu, np.full_like(subject.hu[:, :, :8], -1000), mirrored], axis=2
        ),
    )
    labels = np.concatenate(
        [
            subject.raster.labels,
            np.zeros_like(subject.hu[:, :, :8], np.uint8),
            subject.raster.labels[:, :, ::-1],
        ],
        axis=2,
    )
    folder = write_case(tmp_path / "tree", both, SEED, (Plane.AXL,), labels=False)
    shutil.copytree(folder / "AXL", tmp_path / "pair")
    result = run(
        "analyze", tmp_path / "pair", "-o", tmp_path / "out", "--device", "cpu", "--quality", "fast"
    )
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.is_dir()) == [
        "pair+L",
        "pair+R",
    ]
    for name in ("pair+L", "pair+R"):
        found, _ = load_masks(tmp_path / "out" / name)
        half = found.shape[2] // 2
        own = found[:, :, :half] if found[:, :, :half].any() else found[:, :, half:]
        assert not (found[:, :, :half].any() and found[:, :, half:].any())
        assert own.any()
        assert labels.shape == found.shape


def test_a_data_set_case_without_geometry_tags_is_read_by_its_names(
    done: Path, subject: Scan, tmp_path: Path
) -> None:
    write_case(tmp_path / "tree", subject, SEED, (Plane.AXL,), labels=False)

    def strip(ds: pydicom.Dataset) -> None:
        for key in ("ImagePositionPatient", "ImageOrientationPatient", "SliceThickness"):
            delattr(ds, key)

    edit(next((tmp_path / "tree").rglob("AXL")), strip)
    result = run("analyze", tmp_path / "tree", "-o", tmp_path / "out", "--device", "cpu")
    assert result.exit_code == 0, result.output
    folder = next(p for p in (tmp_path / "out").iterdir() if p.is_dir())
    data = json.loads((folder / "result.json").read_text("utf-8"))
    assert "geometry_from_names" in {w["code"] for w in data["warnings"]}
    for name, value in values(done, "masks").items():
        if value is not None:
            assert values(folder, "masks")[name] == pytest.approx(value, abs=3)


def test_bad_cases_get_one_line_each_and_the_good_one_is_finished(
    plain: Path, tmp_path: Path
) -> None:
    root = tmp_path / "cases"
    for name in ("good", "truncated", "mixed", "gap"):
        shutil.copytree(plain, root / name)
    (root / "empty").mkdir()
    (root / "text").mkdir()
    (root / "text" / "slice.dcm").write_text("this is no image")
    cut = sorted((root / "truncated").iterdir())[40]
    cut.write_bytes(cut.read_bytes()[:-500])
    second = sorted((root / "mixed").iterdir())[:30]
    for i, path in enumerate(second):
        ds = pydicom.dcmread(path)
        ds.SeriesInstanceUID, ds.SOPInstanceUID = "2.25.7", f"2.25.7{i:03d}"
        ds.save_as(root / "mixed" / f"other{i:03d}.dcm")
    sorted((root / "gap").iterdir())[50].unlink()
    result = run("analyze", root, "-o", tmp_path / "out", "--device", "cpu", "--quality", "fast")
    assert result.exit_code == 3
    lines = [line for line in result.stderr.splitlines() if line.startswith("FAILED")]
    assert len(lines) == 1
    assert "text" in lines[0]
    assert "no_images" in lines[0]
    assert "left out empty: the folder holds no regular files" in result.stderr
    made = {p.name for p in (tmp_path / "out").iterdir() if p.is_dir()}
    assert made == {"good", "truncated", "mixed", "gap"}

    def codes(name: str) -> set[str]:
        return {
            w["code"]
            for w in json.loads((tmp_path / "out" / name / "result.json").read_text("utf-8"))[
                "warnings"
            ]
        }

    assert "missing_slices" in codes("gap")
    assert "missing_slices" in codes("truncated")
    assert "several_series" in codes("mixed")
    assert codes("good") <= {"box_elsewhere"}
    run_json = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert {c["case_id"]: c["outcome"] for c in run_json["cases"]} == {
        "good": "done",
        "truncated": "done",
        "mixed": "done",
        "gap": "done",
        "text": "failed",
    }
    assert not [p for p in (tmp_path / "out").rglob("*") if p.name.endswith(".tmp")]


def test_nothing_runs_without_models(tmp_path: Path) -> None:
    result = run("analyze", "--demo", "-o", tmp_path / "out", "--models", tmp_path)
    assert result.exit_code == 1
    assert "manifest.toml" in result.stderr
    assert not (tmp_path / "out").exists()
