"""The shipped models on a real weight-bearing CT that no training saw; skipped where it is not at
hand.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

from footcli.cli import app
from footcli.errors import SetupError
from footcli.kinds import BONE_ID
from footcli.store.result import load_masks
from footcli.system.assets import models_dir

SCAN = Path(__file__).resolve().parents[2] / "shared" / "data" / "wbct"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not SCAN.is_dir(), reason="the real scan ../shared/data/wbct is not at hand"
    ),
]

try:
    models_dir()
except SetupError:
    pytest.skip("no models are installed", allow_module_level=True)


def analyze(cases: Path, out: Path) -> dict[str, object]:
    result = CliRunner().invoke(app, ["analyze", str(cases), "-o", str(out), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    (folder,) = (p for p in out.iterdir() if p.is_dir())
    data: dict[str, object] = json.loads((folder / "result.json").read_text("utf-8"))
    return data


def values(data: dict[str, object], source: str) -> dict[str, float | None]:
    return {m["name"]: m["value"] for m in data["measurements"] if m["source"] == source}  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], Path, float]:
    out = tmp_path_factory.mktemp("real")
    began = time.monotonic()
    data = analyze(SCAN, out)
    return data, out / "wbct", time.monotonic() - began


def test_it_is_a_left_foot_done_within_90_seconds(
    done: tuple[dict[str, object], Path, float],
) -> None:
    data, _, seconds = done
    assert data["side"] == "L"
    assert seconds < 90


def test_hindfoot_angles_have_values_and_what_is_out_of_view_has_none(
    done: tuple[dict[str, object], Path, float],
) -> None:
    data, _, _ = done
    for source in ("landmarks", "masks"):
        found = values(data, source)
        assert all(found[name] is not None for name in ("CPA", "TCA", "HAA", "MTASA"))
        assert found["TMA"] is None
        assert 15 < found["CPA"] < 30  # type: ignore[operator]
    missing = [m["why_missing"] for m in data["measurements"] if m["name"] == "TMA"]  # type: ignore[attr-defined]
    assert all("1st metatarsal" in why["text"] for why in missing)


def test_bones_have_the_volumes_of_a_foot(done: tuple[dict[str, object], Path, float]) -> None:
    labels, affine = load_masks(done[1])
    ml = np.bincount(labels.ravel(), minlength=11) * abs(np.linalg.det(affine[:3, :3])) / 1000
    for name, low, high in (
        ("Tibia", 25, 60),
        ("Talus", 20, 50),
        ("Calcaneus", 50, 95),
        ("MidFoot", 25, 60),
        ("Fibula", 6, 16),
    ):
        assert low < ml[BONE_ID[name]] < high, name


def test_mirrored_and_without_its_tags_it_is_a_right_foot_with_the_same_angles(
    done: tuple[dict[str, object], Path, float], tmp_path: Path
) -> None:
    folder = tmp_path / "mirrored"
    folder.mkdir()
    for path in SCAN.glob("*.dcm"):
        ds = pydicom.dcmread(path)
        ds.PixelData = np.ascontiguousarray(ds.pixel_array[:, ::-1]).tobytes()
        for key in (
            "Laterality",
            "ImageLaterality",
            "SeriesDescription",
            "ProtocolName",
            "StudyDescription",
        ):
            if key in ds:
                delattr(ds, key)
        ds.save_as(folder / path.name)
    other = analyze(folder, tmp_path / "out")
    assert other["side"] == "R"
    for source in ("landmarks", "masks"):
        here, there = values(done[0], source), values(other, source)
        for name, value in here.items():
            assert there[name] == (None if value is None else pytest.approx(value, abs=2.5)), (
                source,
                name,
            )
