"""sides: the other foot is found by its name, both are compared like with like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from make_result import AFFINE, SHAPE_ZYX, make_result, make_views

from footcli.domain import CaseResult
from footcli.report.other_foot import partner, side_rows
from footcli.report.patient import write_report
from footcli.store.pictures import Pictures
from footcli.store.result import save_case


def _saved(folder: Path, side: str = "L", more: float = 0.0) -> CaseResult:
    result = make_result(case_id=folder.name, side=side)
    moved = tuple(
        m if m.value is None else replace(m, value=m.value + more) for m in result.measurements
    )
    result = replace(result, measurements=moved)
    save_case(folder, result, np.zeros(SHAPE_ZYX, np.uint8), AFFINE, Pictures(make_views()))
    return result


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("foot-L", "foot-R"),
        ("A_1_2_0003_01_R_AXL", "A_1_2_0003_01_L_AXL"),
        ("L_R", "L_L"),
        ("A_R_0003_L", "A_R_0003_R"),
    ],
)
def test_the_other_foot_has_the_same_name_but_for_the_side(
    name: str, other: str, tmp_path: Path
) -> None:
    _saved(tmp_path / name)
    assert partner(tmp_path / name) is None
    _saved(tmp_path / other)
    assert partner(tmp_path / name) == tmp_path / other
    assert partner(tmp_path / other) == tmp_path / name


@pytest.mark.parametrize("name", ["case-01", "LEFT", "footL", "RL-1"])
def test_a_name_without_a_side_has_no_other_foot(name: str, tmp_path: Path) -> None:
    assert partner(tmp_path / name) is None


def test_both_feet_are_compared_from_the_same_source() -> None:
    left, right = make_result(side="L"), make_result(side="R")
    wider = tuple(
        replace(m, value=m.value + 7) if m.name == "TCA" and m.value is not None else m
        for m in right.measurements
    )
    wider = tuple(
        replace(m, value=None, why_missing="cut off")
        if (m.name, m.source) == ("CPA", "landmarks")
        else m
        for m in wider
    )
    rows = {row["name"]: row for row in side_rows(replace(right, measurements=wider), left, "en")}
    assert (
        rows["TCA"]["left"],
        rows["TCA"]["right"],
        rows["TCA"]["apart"],
        rows["TCA"]["state"],
    ) == ("38.0°", "45.0°", "7.0°", "outside")
    assert (rows["CPA"]["source"], rows["CPA"]["apart"], rows["CPA"]["state"]) == (
        "bone masks",
        "0.0°",
        "within",
    )
    assert "MTASA" not in rows
    assert side_rows(left, left, "en") == []


def test_reports_show_the_other_foot_where_it_is_there(tmp_path: Path) -> None:
    _saved(tmp_path / "foot-L")
    assert 'id="sides"' not in write_report(tmp_path / "foot-L").read_text("utf-8")
    _saved(tmp_path / "foot-R", "R", 9.0)
    for name, other in (("foot-L", "foot-R"), ("foot-R", "foot-L")):
        text = write_report(tmp_path / name).read_text("utf-8")
        assert 'id="sides"' in text
        assert f'href="../{other}/report.html"' in text
        assert "9.0°" in text


def test_another_foot_that_cannot_be_read_costs_its_own_report_only(tmp_path: Path) -> None:
    _saved(tmp_path / "foot-L")
    _saved(tmp_path / "foot-R", "R")
    (tmp_path / "foot-R" / "result.json").write_text("{", "utf-8")
    assert 'id="sides"' not in write_report(tmp_path / "foot-L").read_text("utf-8")
