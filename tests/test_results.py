"""results: what is written comes back, the bytes are stable, bad files are named."""

from __future__ import annotations

import csv
import io
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import schemas
from make_result import AFFINE, PROVENANCE, SHAPE_ZYX, make_result, make_views

from footcli.domain import Level, Measurement
from footcli.errors import CaseError
from footcli.store.codec import dumps
from footcli.store.pictures import Pictures
from footcli.store.result import from_json, is_old, load_case, load_masks, save_case, to_json
from footcli.store.table import csv_cell, measurements_csv
from footcli.text.wording import text


def _labels() -> np.ndarray:
    labels = np.zeros(SHAPE_ZYX, dtype=np.uint8)
    labels[10:20, 5:9, 3:7] = 4
    return labels


def test_a_result_survives_the_way_through_json() -> None:
    result = make_result()
    assert from_json(json.loads(dumps(to_json(result)))) == result


def test_the_json_follows_the_published_schema() -> None:
    validator = schemas.validator("result")
    data = json.loads(dumps(to_json(make_result())))
    assert [error.message for error in validator.iter_errors(data)] == []
    data["measurements"][0]["why_missing"] = dict(data["warnings"][0])
    assert list(validator.iter_errors(data)), "a value and a reason at once"


def test_every_published_schema_is_one() -> None:
    assert {path.name.split(".")[0] for path in schemas.FOLDER.glob("*.json")} == {
        "result",
        "run",
        "journal",
        "signoff",
    }
    for path in schemas.FOLDER.glob("*.json"):
        schemas.validator(path.name.split(".")[0])


OLD = {
    "schema": "footcli-result/1",
    "case_id": "P1",
    "side": "L",
    "measurements": [
        {
            "name": "CPA",
            "value": 12.5,
            "unit": "deg",
            "why_missing": None,
            "source": "landmarks",
            "plane": "SAG",
            "slice": 20,
            "confidence": 0.9,
            "points_vox": [[1, 2, 3]] * 4,
            "note": "floor: through heel and metatarsal heads",
        },
        {
            "name": "TMA",
            "value": None,
            "unit": "deg",
            "why_missing": "talus is not in the scan",
            "source": "masks",
            "plane": "SAG",
            "slice": None,
            "confidence": None,
            "points_vox": [],
            "note": "",
        },
    ],
    "landmarks": [],
    "lesions": [],
    "faint_lesions": [],
    "findings": [
        {"name": "flat_foot", "level": "BORDERLINE", "grade": None, "evidence": ["CPA 12.5 deg"]}
    ],
    "warnings": [{"code": "no_rescale", "text": "3 slices do not say how"}],
    "provenance": {
        "version": "0.1.0",
        "algorithm": 1,
        "models": [{"name": "a.onnx", "task": "bones", "sha256": "1", "entry_sha256": "2"}],
        "profile": {
            "name": "general",
            "version": "1",
            "sha256": "3",
            "ranges": {"CPA": {"low": 18.0, "high": 30.0, "source": "S4"}},
            "guard_band": {"CPA": 1.0},
        },
        "options": {"quality": "standard", "spacing_mm": None, "weight_bearing": None},
        "input": {"sha256": "4", "pixels_sha256": "5", "shape": [1, 2, 3]},
        "bone_confidence": {"Talus": 0.9},
        "drawn_as": "L",
    },
}


def test_a_result_of_schema_1_is_still_read_and_says_that_it_is_old() -> None:
    result = from_json(OLD)
    assert is_old(result)
    assert [line.code for line in result.warnings] == ["old_result", "no_rescale"]
    assert text(result.warnings[1], "ko") == "3 slices do not say how", "as it was written"
    (finding,) = result.findings
    assert (finding.level, finding.probability) == (Level.POSSIBLE, None)
    assert [text(line) for line in finding.evidence] == ["CPA 12.5 deg"]
    assert result.measurements[1].why_missing is not None
    assert text(result.measurements[1].why_missing) == "talus is not in the scan"
    assert text(result.measurements[0].note) == "floor: through heel and metatarsal heads"
    assert result.provenance.profile.ranges["CPA"].high == 30.0
    assert not list(schemas.validator("result").iter_errors(json.loads(dumps(to_json(result)))))


@pytest.mark.parametrize("odd", [{"models": {"bones": "12"}}, {"input": 3}, {}])
def test_an_odd_provenance_of_schema_1_costs_the_provenance_alone(odd: dict[str, Any]) -> None:
    result = from_json({**OLD, "provenance": {"version": "0.1.0", **odd}})
    assert result.provenance.version == "0.1.0"
    assert result.measurements[0].value == 12.5


def test_the_keys_are_those_that_other_programs_read() -> None:
    data = to_json(make_result())
    assert set(data) == {
        "schema",
        "case_id",
        "side",
        "measurements",
        "landmarks",
        "lesions",
        "faint_lesions",
        "findings",
        "warnings",
        "provenance",
    }
    assert {"name", "value", "unit", "why_missing", "source", "slice", "confidence"} <= set(
        data["measurements"][0]
    )
    assert set(data["landmarks"][0]) == {"name", "xyz_vox", "xyz_mm", "score"}
    assert set(data["lesions"][0]) == {
        "label",
        "score",
        "plane",
        "slices",
        "box_vox",
        "boxes",
        "scores",
        "size_mm",
    }
    assert {"name", "level", "evidence"} <= set(data["findings"][0])


def test_numbers_of_numpy_and_long_fractions_are_written_plainly() -> None:
    text = dumps({"b": np.float32(0.1), "a": np.arange(2), "c": (-0.00001,), "한글": "경골"})
    assert json.loads(text) == {"a": [0, 1], "b": 0.1, "c": [0.0], "한글": "경골"}
    assert "한글" in text
    assert "-0.0" not in text


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_never_written(tmp_path: Path, number: float) -> None:
    result = make_result(measurements=(Measurement("CPA", "deg", "masks", value=number),))
    with pytest.raises(ValueError, match="JSON"):
        save_case(tmp_path / "case", result, _labels(), AFFINE, Pictures())
    assert not (tmp_path / "case").exists()


def test_a_name_that_is_no_utf8_becomes_an_escape() -> None:
    text = dumps({"case_id": "\udcb0\udca1"})
    text.encode("utf-8")
    assert json.loads(text)["case_id"] == "\udcb0\udca1"


def test_another_schema_version_is_refused() -> None:
    with pytest.raises(CaseError, match="footcli-result/2"):
        from_json({**to_json(make_result()), "schema": "footcli-result/0"})


@pytest.mark.parametrize(
    "change", [{"side": "left"}, {"measurements": [{}]}, {"findings": None}, {"provenance": 3}]
)
def test_a_result_that_breaks_the_schema_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(CaseError, match="does not follow its schema"):
        from_json({**to_json(make_result()), **change})


def test_a_saved_case_comes_back_whole(tmp_path: Path) -> None:
    save_case(tmp_path / "c", make_result(), _labels(), AFFINE, Pictures(make_views()))
    result, views = load_case(tmp_path / "c")
    labels, affine = load_masks(tmp_path / "c")
    assert result == make_result()
    assert np.array_equal(labels, _labels())
    assert np.array_equal(affine, AFFINE)
    for got, put in zip(views, make_views(), strict=True):
        assert np.array_equal(got.image, put.image)
        assert np.array_equal(got.labels, put.labels)
        assert np.array_equal(got.vox_to_px, put.vox_to_px)
        assert (got.key, got.plane, got.index, got.edges, got.pixel_mm) == (
            put.key,
            put.plane,
            put.index,
            put.edges,
            put.pixel_mm,
        )
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == [
        "masks.npz",
        "result.json",
        "views.npz",
    ]


def test_the_same_case_gives_the_same_bytes_at_any_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_case(tmp_path / "a", make_result(), _labels(), AFFINE, Pictures(make_views()))
    monkeypatch.setattr(time, "time", lambda: 2e9)
    save_case(tmp_path / "b", make_result(), _labels(), AFFINE, Pictures(make_views()))
    for name in ("masks.npz", "views.npz", "result.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_result_json_is_written_last_and_an_old_one_does_not_outlive_new_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_case(tmp_path, make_result(), _labels(), AFFINE, Pictures())

    def full_disk(path: Path, data: bytes) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("footcli.store.result.write_atomic", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_case(tmp_path, make_result(), _labels(), AFFINE, Pictures())
    assert not (tmp_path / "result.json").exists()


def test_masks_of_another_type_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="labels must be uint8"):
        save_case(tmp_path, make_result(), _labels().astype(np.int32), AFFINE, Pictures())


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"no readable result\.json"):
        load_case(tmp_path)
    save_case(tmp_path, make_result(), _labels(), AFFINE, Pictures(make_views()))
    (tmp_path / "views.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(CaseError, match=r"views\.npz is missing or damaged"):
        load_case(tmp_path)
    (tmp_path / "result.json").write_text("{", encoding="utf-8")
    with pytest.raises(CaseError, match="is no JSON text"):
        load_case(tmp_path)


def test_the_csv_has_a_row_for_each_measurement_and_source() -> None:
    rows = list(
        csv.DictReader(io.StringIO(measurements_csv([make_result(), make_result(side=None)])))
    )
    assert len(rows) == 20
    assert rows[0]["name"] == "CPA"
    assert rows[0]["value"] == "12.9"
    assert rows[0]["slice"] == "25"
    assert rows[-1]["value"] == ""
    assert rows[-1]["side"] == ""
    assert "field of view" in rows[-1]["why_missing"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("-cmd", "'-cmd"),
        ("+1", "+1"),
        (-4.25, "-4.25"),
        ("\t=1", "'\t=1"),
        ("a=1", "a=1"),
        (None, ""),
    ],
)
def test_a_cell_that_a_spreadsheet_takes_for_a_formula_is_quoted(
    cell: str | float | None, text: str
) -> None:
    assert csv_cell(cell) == text


def test_no_time_stands_in_a_result() -> None:
    text = dumps(to_json(replace(make_result(), provenance=PROVENANCE))).lower()
    assert not any(word in text for word in ("seconds", "elapsed", "started", "date"))
