"""What people see while they wait, and the demo's case that comes and goes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from footcli import demo
from footcli.domain import Plane
from footcli.terminal import progress


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
        assert set(ref.images) == set(Plane)
        assert all(path.is_file() for path in ref.images[Plane.AXL])
    assert not folder.exists()
    assert said == ["drawing a synthetic flat foot"]
