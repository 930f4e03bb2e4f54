"""infer/manifest: what an entry may say, what it may not, and that writing and reading agree."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from footcli.domain import Plane
from footcli.errors import SetupError
from footcli.infer.manifest import (
    MAX_MODEL_BYTES,
    ModelSpec,
    load_manifest,
    sha256_of,
    verify,
    write_entry,
)
from footcli.kinds import BONES, LANDMARKS

BONES_SPEC = ModelSpec(
    file="bones.onnx",
    sha256="0" * 64,
    task="bones",
    planes=(Plane.AXL, Plane.COR, Plane.SAG),
    pixel_mm=0.8,
    window=(-500.0, 1500.0),
    decoder="softmax",
    input_channels=3,
    licence="Apache-2.0",
    trained_on='phantoms, "drawn"\n합성 \x7f \\',
    exported_by="0.1.0",
    classes=tuple(bone.name for bone in BONES),
    offsets_mm=(-4.0, 0.0, 4.0),
    quality={
        "dice": 0.93,
        "subjects": 8,
        "classes": {"Talus": 0.95, "1st Metatarsal": 0.9},
        "odd key!": [1, "two", [0.5]],
        "final": True,
    },
)
POINTS_SPEC = replace(
    BONES_SPEC,
    file="points.onnx",
    task="landmarks",
    classes=(),
    points=tuple((x,) for x in LANDMARKS),
    offsets_mm=(),
    decoder="gu2net",
    pixel_mm=1.0,
)
LESIONS_SPEC = replace(
    BONES_SPEC,
    file="boxes.onnx",
    task="lesions",
    classes=("OLT",),
    planes=(Plane.COR,),
    decoder="yolo",
    quality={},
)

ENTRY: dict[str, Any] = {
    "file": '"m.onnx"',
    "sha256": f'"{"a" * 64}"',
    "task": '"lesions"',
    "planes": '["AXL", "COR"]',
    "pixel_mm": "0.5",
    "window": "[-500, 1500]",
    "decoder": '"yolo"',
    "input_channels": "1",
    "licence": '"MIT"',
    "trained_on": '"own cases"',
    "exported_by": '"0.1.0"',
    "classes": '["OLT", "Prehallux"]',
}


def written(folder: Path, **changes: str | None) -> Path:
    rows = {**ENTRY, **changes}
    text = "\n".join(f"{key} = {value}" for key, value in rows.items() if value is not None)
    (folder / "manifest.toml").write_text(f"[[model]]\n{text}\n", encoding="utf-8")
    return folder


def test_what_is_written_is_read_back_the_same(tmp_path: Path) -> None:
    for spec in (BONES_SPEC, POINTS_SPEC, LESIONS_SPEC):
        write_entry(tmp_path, spec)
    manifest = load_manifest(tmp_path)
    assert manifest.models == (BONES_SPEC, POINTS_SPEC, LESIONS_SPEC)
    assert manifest.get("bones") == BONES_SPEC
    assert manifest.get("lesions", Plane.COR) == LESIONS_SPEC
    assert [x.name for x in tmp_path.iterdir()] == ["manifest.toml"]


def test_a_new_entry_replaces_the_one_of_its_task_and_keeps_the_others(tmp_path: Path) -> None:
    for spec in (BONES_SPEC, POINTS_SPEC, replace(BONES_SPEC, file="better.onnx", pixel_mm=0.6)):
        write_entry(tmp_path, spec)
    assert [m.file for m in load_manifest(tmp_path).models] == ["points.onnx", "better.onnx"]


def test_a_task_may_have_one_model_for_each_plane(tmp_path: Path) -> None:
    axial = replace(
        LESIONS_SPEC, file="axial.onnx", planes=(Plane.AXL,), classes=("Hallux Valgus",)
    )
    for spec in (LESIONS_SPEC, axial):
        write_entry(tmp_path, spec)
    manifest = load_manifest(tmp_path)
    assert manifest.get("lesions", Plane.AXL) == axial
    with pytest.raises(SetupError, match="2 models for lesions"):
        manifest.get("lesions")
    with pytest.raises(
        SetupError, match="no model for lesions in plane SAG: run footcli train lesions"
    ):
        manifest.get("lesions", Plane.SAG)


def test_lesion_models_share_the_kinds_and_a_new_one_replaces_those_that_tell_one_of_its_own(
    tmp_path: Path,
) -> None:
    other = replace(
        LESIONS_SPEC, file="other.onnx", classes=("Tarsal Coalition", "Ankle Arthritis")
    )
    for spec in (LESIONS_SPEC, other):
        write_entry(tmp_path, spec)
    assert load_manifest(tmp_path).lesions() == (LESIONS_SPEC, other)
    whole = replace(
        LESIONS_SPEC,
        file="whole.onnx",
        classes=("Ankle Arthritis", "Hallux Valgus"),
        planes=tuple(Plane),
    )
    write_entry(tmp_path, whole)
    assert load_manifest(tmp_path).lesions() == (LESIONS_SPEC, whole)
    text = (tmp_path / "manifest.toml").read_text("utf-8")
    (tmp_path / "manifest.toml").write_text(
        text.replace('"Hallux Valgus"', '"OLT"'), encoding="utf-8"
    )
    with pytest.raises(SetupError, match=r"boxes\.onnx and whole\.onnx are both for OLT: keep one"):
        load_manifest(tmp_path)


def test_without_a_lesion_model_nothing_starts(tmp_path: Path) -> None:
    write_entry(tmp_path, BONES_SPEC)
    with pytest.raises(SetupError, match="no model for lesions"):
        load_manifest(tmp_path).lesions()


def test_numbers_of_numpy_are_written_as_numbers(tmp_path: Path) -> None:
    write_entry(
        tmp_path,
        replace(
            BONES_SPEC,
            pixel_mm=np.float64(0.5),
            quality={"dice": np.float32(0.5), "n": np.int64(3)},
        ),
    )
    table = tomllib.loads((tmp_path / "manifest.toml").read_text(encoding="utf-8"))["model"][0]
    assert table["quality"] == {"dice": 0.5, "n": 3}
    assert load_manifest(tmp_path).get("bones").pixel_mm == 0.5


def test_a_bad_entry_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    write_entry(tmp_path, BONES_SPEC)
    before = (tmp_path / "manifest.toml").read_bytes()
    with pytest.raises(SetupError, match="quality must be finite numbers"):
        write_entry(tmp_path, replace(BONES_SPEC, quality={"dice": float("nan")}))
    assert (tmp_path / "manifest.toml").read_bytes() == before


def test_other_spellings_of_classes_get_their_own_name(tmp_path: Path) -> None:
    assert load_manifest(written(tmp_path)).get("lesions").classes == ("OLT", "Accessory Navicular")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("file", '"../m.onnx"', "file must be a plain file name"),
        ("file", '"/etc/m.onnx"', "file must be a plain file name"),
        ("file", '"sub\\\\m.onnx"', "file must be a plain file name"),
        ("file", '".."', "file must be a plain file name"),
        ("file", "7", "file must be a plain file name"),
        ("sha256", '"abc"', "sha256 must be 64 hex digits"),
        ("task", '"teeth"', "task must be one of bones, finder, landmarks, lesions, got 'teeth'"),
        ("planes", "[]", "planes must be one or more of AXL, COR, SAG"),
        ("planes", '["COR", "COR"]', "planes must be one or more"),
        ("planes", '"COR"', "planes must be a list of planes"),
        ("pixel_mm", "0", "pixel_mm must be a number from 0.05 to 10"),
        ("pixel_mm", "nan", "pixel_mm must be a number"),
        ("pixel_mm", "true", "pixel_mm must be a number"),
        ("window", "[1500, -500]", "low first"),
        ("window", "[0]", "low first"),
        ("decoder", '""', "decoder must be one of softmax, logits, gu2net, yolo"),
        ("input_channels", "1.0", "input_channels must be a whole number from 1 to 64"),
        ("input_channels", "0", "input_channels must be a whole number"),
        ("licence", '" "', "licence must be a text"),
        ("classes", '["Talus"]', "classes must be Hallux Valgus, OLT"),
        ("classes", '["OLT", "osteochondral lesion of talus"]', "each once at most"),
        ("classes", "[]", "a lesions model has classes"),
        ("points", '[["CPA_Line1_Pt1"]]', "a lesions model has classes and no points"),
        ("points", '[["CPA_Line3_Pt1"]]', "points must be lists of names"),
        (
            "offsets_mm",
            "[0.0, 4.0]",
            "offsets_mm must be 1 numbers, one for each input channel, got 2",
        ),
        (
            "by_angles",
            '["OLT"]',
            "by_angles may hold 'Flatfoot or Cavus' alone, where it is one of the classes",
        ),
        ("by_angles", '["Flatfoot or Cavus"]', "where it is one of the classes"),
        ("quality", "[1]", "quality must be a table"),
        ("quality", "{ day = 2024-01-01 }", "quality must be finite numbers"),
        ("colour", '"blue"', "unknown key 'colour': allowed are file, sha256"),
        ("licence", None, "key licence is missing"),
    ],
)
def test_a_wrong_key_is_named_with_what_is_allowed(
    tmp_path: Path, key: str, value: str | None, message: str
) -> None:
    with pytest.raises(SetupError) as caught:
        load_manifest(written(tmp_path, **{key: value}))
    assert message in str(caught.value)
    assert "manifest.toml, model 1" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_landmark_channels_may_share_no_name(tmp_path: Path) -> None:
    landmarks: dict[str, str | None] = {
        "task": '"landmarks"',
        "decoder": '"gu2net"',
        "pixel_mm": "1.0",
        "classes": None,
    }
    twice = '[["CPA_Line1_Pt1", "TCA_Line2_Pt1"], ["CPA_Line1_Pt1"]]'
    with pytest.raises(SetupError, match="each in one channel only"):
        load_manifest(written(tmp_path, **landmarks, points=twice))
    once = '[["CPA_Line1_Pt1", "TCA_Line2_Pt1"], ["HVA_Line1_Pt2"]]'
    points = load_manifest(written(tmp_path, **landmarks, points=once)).get("landmarks").points
    assert points == (("CPA_Line1_Pt1", "TCA_Line2_Pt1"), ("HVA_Line1_Pt2",))


def test_two_models_for_one_task_and_plane_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path) / "manifest.toml"
    path.write_text(path.read_text() + "\n" + path.read_text())
    with pytest.raises(SetupError, match="both for OLT, Accessory Navicular"):
        load_manifest(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[[model", "not valid TOML"),
        (b"\xff\xfe", "not valid TOML"),
        (b"a = " + b"[" * 5000, "not valid TOML"),
        (b"model = 3", "only \\[\\[model\\]\\] entries"),
        (b"models = []", "only \\[\\[model\\]\\] entries"),
        (b"model = [1]", "must be a \\[\\[model\\]\\] table"),
        (b"#" * (2**20 + 1), "larger than"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "manifest.toml").write_bytes(content)
    with pytest.raises(SetupError, match=message):
        load_manifest(tmp_path)


def test_a_missing_manifest_and_an_empty_one_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="name a folder that holds manifest"):
        load_manifest(tmp_path)
    (tmp_path / "manifest.toml").write_text("")
    with pytest.raises(SetupError, match="no model for bones: run footcli train bones"):
        load_manifest(tmp_path).get("bones")


def test_a_model_file_must_be_there_and_have_its_hash(tmp_path: Path) -> None:
    path = tmp_path / BONES_SPEC.file
    with pytest.raises(SetupError, match="the model file for bones is missing"):
        verify(BONES_SPEC, tmp_path)
    path.write_bytes(b"weights")
    with pytest.raises(
        SetupError, match=r"its sha256 is [0-9a-f]{12}\.\.\., manifest.toml says 000000000000\.\.\."
    ):
        verify(BONES_SPEC, tmp_path)
    assert verify(replace(BONES_SPEC, sha256=sha256_of(path)), tmp_path) == path
    with path.open("wb") as stream:
        stream.truncate(MAX_MODEL_BYTES + 1)
    with pytest.raises(SetupError, match="larger than 64 MB"):
        verify(BONES_SPEC, tmp_path)
