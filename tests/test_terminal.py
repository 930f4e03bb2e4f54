"""What people see while they wait, and the demo's case that comes and goes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from footcli.cli.terminal import progress, table
from footcli.domain import Plane
from footcli.run import demo


def test_no_progress_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(2, shown=True) as bar:
        bar.advance()
    told = capsys.readouterr()
    assert told.out == told.err == ""


@pytest.mark.parametrize("shown", [False, True])
def test_progress_goes_to_a_terminals_stderr_and_never_to_stdout(
    shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress(2, shown=shown) as bar:
        bar.advance()
        bar.advance()
    told = capsys.readouterr()
    assert told.out == ""
    assert ("2/2" in told.err) == shown


def test_the_demo_draws_one_case_and_removes_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)
    monkeypatch.setattr(demo, "DEMO_SPACING_MM", 3.0)
    said: list[str] = []
    with demo.demo_cases(said.append) as refs:
        (ref,) = refs
        folder: Path = ref.folder
        assert ref.case_id == demo.DEMO_ID
        assert set(ref.images) == set(Plane)
        assert all(path.is_file() for path in ref.images[Plane.AXL])
    assert not folder.exists()
    assert said == ["drawing a synthetic flat foot"]


def test_a_table_goes_to_stdout_with_its_cells_as_plain_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table(
        "Bones [bold]x[/bold]",
        ("bone", "count", "share"),
        [("[/x]:smile:", 3, 0.25), ("Talus\x1b[31m\n", 12, None)],
    )
    told = capsys.readouterr()
    assert told.err == ""
    lines = [line.strip() for line in told.out.splitlines() if line.strip()]
    assert lines[0] == "Bones [bold]x[/bold]"
    assert lines[1].split() == ["bone", "count", "share"]
    assert [line.split() for line in lines[-2:]] == [
        ["[/x]:smile:", "3", "0.25"],
        ["Talus", "12", "-"],
    ]
    assert "\x1b" not in told.out


def test_a_table_without_rows_still_has_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    table("Nothing", ("what", "count"), [])
    assert capsys.readouterr().out.split()[:3] == ["Nothing", "what", "count"]
