"""A result belongs to its input, its models and its options: nobody is given another one's report,
and no case is lost.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from analyst import SPEC, Analyst
from make_result import make_result
from typer.testing import CliRunner, Result

from footcli import cli
from footcli.errors import InferenceError
from footcli.evaluate.pairs import results_in
from footcli.identity import FOOT_MARK, id_from_path, scan_id
from footcli.provenance import InputFacts, ModelFacts, OptionFacts, ProfileFacts, Provenance
from footcli.report import summaries
from footcli.report.other_foot import comparable
from footcli.run import batch, case_job, save
from footcli.store.journal import JOURNAL
from footcli.store.result import load_result
from footcli.store.signoff import FILE as SIGNED
from footcli.store.signoff import values_digest
from footcli.system.files import locked


def put(folder: Path, content: str, name: str = "1.dcm") -> Path:
    """A case of one file; what it holds stands for its pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)
    return folder


def analyze(cases: Path, out: Path, *more: str) -> Result:
    return CliRunner().invoke(cli.app, ["analyze", str(cases), "-o", str(out), *more])


def held_input(out: Path, name: str) -> str:
    return load_result(out / name).provenance.input.sha256


def outcomes(out: Path) -> dict[str, str]:
    return {
        c["case_id"]: c["outcome"]
        for c in json.loads((out / "run.json").read_text("utf-8"))["cases"]
    }


# another input


def test_a_second_patient_is_never_given_the_first_ones_report(
    tmp_path: Path, analyst: Analyst
) -> None:
    a, b, out = (
        put(tmp_path / "A" / "CT", "patient a"),
        put(tmp_path / "B" / "CT", "patient b"),
        tmp_path / "out",
    )
    stamp = a / "1.dcm"
    os.utime(
        b / "1.dcm", ns=(stamp.stat().st_atime_ns, stamp.stat().st_mtime_ns)
    )  # as files from an archive have it
    assert analyze(a, out).exit_code == 0
    before = (out / "CT" / "report.html").read_bytes()
    result = analyze(b, out)
    assert result.exit_code == 3
    assert "FAILED CT" in result.stderr
    assert "--overwrite" in result.stderr
    assert "[other_input]" in result.stderr
    assert "report.html" not in result.stdout
    assert "1 failed" in result.stderr.splitlines()[-1]
    assert (out / "CT" / "report.html").read_bytes() == before
    assert outcomes(out) == {"CT": "failed"}
    page = (out / "index.html").read_text("utf-8")
    assert "other_input" in page
    assert "earlier result" in page
    # the first one is still known, and the second one comes with --overwrite
    assert "1 skipped" in analyze(a, out).stderr
    wanted = held_input(out, "CT")
    assert analyze(b, out, "--overwrite").exit_code == 0
    assert held_input(out, "CT") != wanted
    assert "[other_input]" in analyze(a, out).stderr


def test_files_that_were_changed_under_the_same_names_are_another_input(
    tmp_path: Path, analyst: Analyst
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out)
    file = case / "1.dcm"
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_text("patient b")  # as long as before
    os.utime(file, ns=times)
    assert "[other_input]" in analyze(case, out).stderr
    (out / JOURNAL).unlink()
    assert "[other_input]" in analyze(case, out).stderr, (
        "the result says what it belongs to, with the journal or without"
    )


def test_a_copied_tree_is_the_same_input_and_is_read_once(tmp_path: Path, analyst: Analyst) -> None:
    put(tmp_path / "one" / "P1", "patient a")
    out = tmp_path / "out"
    analyze(tmp_path / "one", out)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    analyst.read.clear()
    for _ in range(2):
        assert "1 skipped" in analyze(tmp_path / "two", out).stderr
    assert analyst.read == ["P1"], "its files are other ones: read and found the same; then known"
    assert analyst.seen == ["P1"]


def test_what_the_files_say_of_the_patient_is_part_of_the_input(
    tmp_path: Path, analyst: Analyst
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyst.age = 17.0
    analyze(case, out)
    analyst.age = 19.0  # the same band, but grown up
    (case / "1.dcm").touch()
    assert (
        "redone P1: the files say something else of the scan or the patient"
        in analyze(case, out).stderr
    )


@pytest.mark.parametrize("harm", ["{}", "", '{"schema": "footcli-result/0"}'])
def test_a_damaged_result_does_not_let_another_patient_in(
    harm: str, tmp_path: Path, analyst: Analyst
) -> None:
    a, b, out = (
        put(tmp_path / "A" / "CT", "patient a"),
        put(tmp_path / "B" / "CT", "patient b"),
        tmp_path / "out",
    )
    analyze(a, out)
    sign(out, "CT")
    (out / "CT" / "result.json").write_text(harm)
    assert "[other_input]" in analyze(b, out).stderr
    assert (
        "redone CT: its files are not as they were written" in analyze(a, out).stderr.splitlines()
    )
    (out / "CT" / "result.json").write_text(harm)
    assert analyze(b, out, "--overwrite").exit_code == 0
    assert "A. Reader" not in (out / "CT" / "report.html").read_text("utf-8")


# other options


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--profile", "korea"), "profile korea instead of general"),
        (("--quality", "fast"), "quality fast instead of standard"),
        (("--spacing", "0.3125"), "spacing 0.3125 instead of as the files say"),
        (("--weight-bearing", "no"), "weight bearing no instead of as the files say"),
        (("--polygons",), "with --polygons"),
    ],
)
def test_other_options_do_a_case_again_and_say_so(
    words: tuple[str, ...], why: str, tmp_path: Path, analyst: Analyst
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out)
    result = analyze(case, out, *words)
    assert f"redone P1: {why}" in result.stderr.splitlines(), "that reason and no other"
    assert result.stderr.splitlines()[-1] == "0 done, 0 skipped, 1 redone, 0 failed"
    assert analyst.seen == ["P1", "P1"]
    assert outcomes(out) == {"P1": "redone"}
    assert "1 skipped" in analyze(case, out, *words).stderr
    assert len(analyst.seen) == 2


def test_other_models_do_a_case_again_and_name_the_file(tmp_path: Path, analyst: Analyst) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out)
    analyst.models = (("bones.onnx", "2" * 64),)
    assert "redone P1: bones.onnx or its entry has changed" in analyze(case, out).stderr
    assert "1 skipped" in analyze(case, out).stderr


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": (0.5,)},
        {"window": (-400.0, 1500.0)},
        {"decoder": "logits"},
        {"offsets_mm": (1.0,)},
    ],
)
def test_another_use_of_the_same_model_file_does_a_case_again(
    change: dict[str, Any], tmp_path: Path, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out)
    monkeypatch.setattr("analyst.SPEC", replace(SPEC, quality={"measured": 1}, licence="other"))
    assert "1 skipped" in analyze(case, out).stderr, "words about a model change no result"
    monkeypatch.setattr("analyst.SPEC", replace(SPEC, **change))
    assert "redone P1: bones.onnx or its entry has changed" in analyze(case, out).stderr


def test_another_spacing_where_the_files_have_none_is_the_same_scan(
    tmp_path: Path, analyst: Analyst
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out, "--spacing", "0.5")
    assert (
        "redone P1: spacing 0.6 instead of 0.5"
        in analyze(case, out, "--spacing", "0.6").stderr.splitlines()
    )
    assert (
        "redone P1: spacing 0.6001 instead of 0.6"
        in analyze(case, out, "--spacing", "0.6001").stderr.splitlines()
    )
    assert "1 skipped" in analyze(case, out, "--spacing", "0.6001").stderr


def test_a_warning_of_the_files_that_is_gone_does_a_case_again(
    tmp_path: Path, analyst: Analyst
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyst.notices = ("plane_unreadable",)
    analyze(case, out)
    analyst.notices = ()
    (case / "1.dcm").touch()
    assert "redone P1: the files say something else" in analyze(case, out).stderr


def test_another_algorithm_does_a_case_again(
    tmp_path: Path, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out)
    monkeypatch.setattr("footcli.run.setup.ALGORITHM", 99)
    assert "redone P1: made by another version of footcli" in analyze(case, out).stderr


def test_a_profile_whose_content_has_changed_does_a_case_again(
    tmp_path: Path, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out)
    before = analyst.load_models

    def changed(options: object) -> object:
        models = before(options)  # type: ignore[arg-type]
        models.profile = replace(
            models.profile, guard_band={**models.profile.guard_band, "CPA": 9.0}
        )
        return models

    monkeypatch.setattr(batch, "load_models", changed)
    assert "redone P1: profile general has changed" in analyze(case, out).stderr


def test_another_language_is_written_without_doing_the_case_again(
    tmp_path: Path, analyst: Analyst
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out)
    analyst.read.clear()
    assert "1 skipped" in analyze(case, out, "--lang", "ko").stderr
    assert analyst.read == []
    assert 'lang="ko"' in (out / "P1" / "report.html").read_text("utf-8")
    written = (out / "P1" / "report.html").stat().st_mtime_ns
    analyze(case, out, "--lang", "ko")
    assert (out / "P1" / "report.html").stat().st_mtime_ns == written
    CliRunner().invoke(cli.app, ["report", str(out), "--lang", "en"])
    analyze(case, out, "--lang", "ko")
    assert 'lang="ko"' in (out / "P1" / "report.html").read_text("utf-8"), (
        "whoever wrote the page last"
    )
    (out / "P1" / "report.html").unlink()
    assert "1 skipped" in analyze(case, out, "--lang", "ko").stderr
    assert (out / "P1" / "report.html").is_file()


def sign(out: Path, name: str, verdict: str = "accept") -> None:
    """A reader's word on a result, as its page saves it."""
    result = load_result(out / name)
    words = {
        "case_id": result.case_id,
        "input_sha256": result.provenance.input.sha256,
        "reader": "A. Reader",
        "signed": "2026",
    }
    words["values_sha256"] = values_digest(result)
    lines = {"angle:CPA": {"verdict": verdict}}
    (out / name / SIGNED).write_text(
        json.dumps({"schema": "footcli-signoff/1", **words, "lines": lines})
    )


def measured(value: float) -> dict[str, Any]:
    """What a result of other values differs in."""
    first, *others = make_result().measurements
    return {"measurements": (replace(first, value=value), *others)}


def test_a_readers_word_goes_with_the_values_that_it_was_about(
    tmp_path: Path, analyst: Analyst
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyst.changes = measured(17.23456789)
    analyze(case, out)
    sign(out, "P1")
    assert "sign-off" not in analyze(case, out, "--overwrite").stderr, (
        "the same values, more digits than are written"
    )
    assert "A. Reader" in (out / "P1" / "report.html").read_text("utf-8")
    analyst.changes = measured(18.0)
    result = analyze(case, out, "--quality", "fast")
    assert not (out / "P1" / SIGNED).exists()
    assert (out / "P1" / "signoff-earlier-1.json").is_file()
    assert "sign-off is kept as P1/signoff-earlier-1.json" in result.stderr
    assert "A. Reader" not in (out / "P1" / "report.html").read_text("utf-8")


def test_a_readers_word_never_comes_upon_another_scan_or_foot(
    tmp_path: Path, analyst: Analyst
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyst.feet = ("+L", "+R")
    analyze(case, out)
    sign(out, "P1+L")
    analyst.feet = ("",)
    analyze(case, out, "--quality", "fast")
    analyst.feet, analyst.changes = ("+L", "+R"), measured(3.0)
    analyze(case, out)
    assert not (out / "P1+L" / SIGNED).exists()
    assert "A. Reader" not in (out / "P1+L" / "report.html").read_text("utf-8")
    # and a file that lies beside a result by mistake is not shown
    sign(out, "P1+R")
    shutil.copyfile(out / "P1+R" / SIGNED, out / "P1+L" / SIGNED)
    CliRunner().invoke(cli.app, ["report", str(out)])
    assert "A. Reader" in (out / "P1+R" / "report.html").read_text("utf-8")
    assert "A. Reader" not in (out / "P1+L" / "report.html").read_text("utf-8")


def test_a_sign_off_of_earlier_values_is_not_merged_afterwards(
    tmp_path: Path, analyst: Analyst
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out)
    sign(out, "P1")
    saved = (out / "P1" / SIGNED).rename(tmp_path / "saved.json")
    assert CliRunner().invoke(cli.app, ["report", str(out), "--signoff", str(saved)]).exit_code == 0
    analyst.changes = measured(18.0)
    analyze(case, out, "--quality", "fast")
    merged = CliRunner().invoke(cli.app, ["report", str(out), "--signoff", str(saved)])
    assert merged.exit_code == 1
    assert "other values" in merged.stderr


def test_feet_that_were_not_taken_alike_do_not_stand_side_by_side(
    tmp_path: Path, analyst: Analyst
) -> None:
    provenance = Provenance(
        models=(ModelFacts("a"),),
        options=OptionFacts("fast"),
        algorithm=1,
        input=InputFacts(age_band="20-40"),
    )
    here = make_result(provenance=provenance)
    assert comparable(here, make_result(provenance=provenance))
    unknown = replace(provenance, input=InputFacts())
    assert comparable(here, make_result(provenance=unknown))
    for other in (
        {"models": (ModelFacts("b"),)},
        {"options": OptionFacts("best")},
        {"profile": ProfileFacts("korea")},
        {"input": InputFacts(age_band="0-20")},
    ):
        assert not comparable(here, make_result(provenance=replace(provenance, **other)))


@pytest.mark.parametrize("name", ["index.html", "run.json", "Journal.jsonl", "con"])
def test_a_case_may_have_the_name_of_a_file_of_the_results(
    name: str, tmp_path: Path, analyst: Analyst
) -> None:
    put(tmp_path / "cases" / name, "x")
    out = tmp_path / "out"
    assert analyze(tmp_path / "cases", out).exit_code == 0
    assert outcomes(out) == {name: "done"}


def test_outlines_of_an_earlier_result_do_not_stay(tmp_path: Path, analyst: Analyst) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out, "--polygons")
    assert (out / "P1" / "polygons").is_dir()
    analyze(case, out, "--quality", "best")
    assert not (out / "P1" / "polygons").exists()


@pytest.mark.parametrize("where", ["save_case", "write_polygons", "write_report"])
@pytest.mark.parametrize(
    "fault",
    [OSError(28, "No space left on device"), ValueError("NaN"), MemoryError(), KeyError("x")],
)
def test_a_result_that_cannot_be_saved_leaves_the_earlier_one_whole(
    fault: Exception, where: str, tmp_path: Path, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out, "--polygons")
    sign(out, "P1")
    before = {
        path.relative_to(out): path.read_bytes()
        for path in (out / "P1").rglob("*")
        if path.is_file()
    }

    def fail(*args: object, **options: object) -> None:
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(save, where, fail)
        assert analyze(case, out, "--quality", "fast", "--polygons").exit_code == 3
    assert {
        path.relative_to(out): path.read_bytes()
        for path in (out / "P1").rglob("*")
        if path.is_file()
    } == before
    assert not list(out.glob(".*"))
    assert "1 skipped" in analyze(case, out, "--polygons").stderr
    assert outcomes(out) == {"P1": "skipped"}


@pytest.mark.parametrize("nth", range(8))
def test_a_move_that_fails_half_way_puts_all_back(
    nth: int, tmp_path: Path, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyst.feet = ("+L", "+R")
    analyze(case, out, "--polygons")
    sign(out, "P1+R")

    def files() -> dict[Path, bytes]:
        return {
            path.relative_to(out): path.read_bytes()
            for path in out.glob("P1*/**/*")
            if path.is_file()
        }

    before = files()
    real, moved = save._Moves.move, []

    def move(self: object, source: Path, target: Path) -> None:
        moved.append(source)
        if len(moved) == 2 * nth + 1:
            raise PermissionError(13, "in use")
        real(self, source, target)  # type: ignore[arg-type]

    analyst.changes = measured(18.0)
    with monkeypatch.context() as patch:
        patch.setattr(save._Moves, "move", move)
        assert analyze(case, out, "--quality", "fast", "--polygons").exit_code == 3
    assert files() == before
    assert not list(out.glob(".*"))
    assert "1 skipped" in analyze(case, out, "--polygons").stderr


def test_polygons_that_are_gone_are_written_again(tmp_path: Path, analyst: Analyst) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out, "--polygons")
    shutil.rmtree(out / "P1" / "polygons")
    assert "redone P1: with --polygons" in analyze(case, out, "--polygons").stderr
    assert (out / "P1" / "polygons").is_dir()


def test_a_result_that_was_taken_away_stands_in_nobodys_way(
    tmp_path: Path, analyst: Analyst
) -> None:
    a, b, out = (
        put(tmp_path / "A" / "CT", "patient a"),
        put(tmp_path / "B" / "CT", "patient b"),
        tmp_path / "out",
    )
    analyze(a, out)
    shutil.rmtree(out / "CT")
    assert analyze(b, out).exit_code == 0
    assert outcomes(out) == {"CT": "done"}


@pytest.mark.parametrize("harm", ['{"slices": [Infinity, 2]}', "[" * 100_000])
def test_a_malformed_result_costs_its_own_case_alone(
    harm: str, tmp_path: Path, analyst: Analyst
) -> None:
    out = tmp_path / "out"
    for name in ("a", "b"):
        put(tmp_path / "cases" / name, name)
    analyze(tmp_path / "cases", out)
    text = (out / "a" / "result.json").read_text("utf-8")
    lesion = json.loads(text)
    lesion["lesions"][0]["slices"] = [float("inf"), 2]
    (out / "a" / "result.json").write_text(json.dumps(lesion) if "slices" in harm else harm)
    put(tmp_path / "cases" / "c", "c")
    assert analyze(tmp_path / "cases", out).exit_code == 0
    assert outcomes(out) == {"a": "redone", "b": "skipped", "c": "done"}


# names


def test_two_feet_beside_cases_of_their_names(tmp_path: Path, analyst: Analyst) -> None:
    cases, out = tmp_path / "cases", tmp_path / "out"
    for name in ("P1", "P1-L", "P1-R", "P1+L"):
        put(cases / name, name)
    only_p1 = {"P1": ("+L", "+R")}

    def feet(ref: object, *args: object) -> object:
        analyst.feet = only_p1.get(ref.case_id, ("",))  # type: ignore[attr-defined]
        return analyst.analyze_volume(ref, *args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case_job, "analyze_volume", feet)
        assert analyze(cases, out).exit_code == 0
    made = {
        folder.name: held_input(out, folder.name) for folder in out.iterdir() if folder.is_dir()
    }
    assert len(made) == 5
    assert made["P1+L"] == made["P1+R"] != made["P1-L"] != made["P1-R"]
    assert len(outcomes(out)) == 4
    csv = (out / "measurements.csv").read_text("utf-8-sig").splitlines()[1:]
    assert len({line.split(",")[0] for line in csv}) == 5


def test_what_a_case_had_before_goes_when_it_comes_out_otherwise(
    tmp_path: Path, analyst: Analyst
) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyst.feet = ("+L", "+R")
    analyze(case, out)
    analyst.feet = ("",)
    analyze(case, out, "--quality", "best")
    assert [folder.name for folder in out.iterdir() if folder.is_dir()] == ["P1"]


@pytest.mark.parametrize("foot", ["L", "R", "1", "2"])
def test_the_scan_of_a_foot_is_known_by_its_id(foot: str) -> None:
    assert scan_id(f"P1{FOOT_MARK}{foot}") == "P1"
    assert scan_id("P1") == "P1"
    assert scan_id(id_from_path([f"P1{FOOT_MARK}{foot}"])) != "P1"


# summaries


def test_summaries_hold_every_case_whoever_did_it(tmp_path: Path, analyst: Analyst) -> None:
    out = tmp_path / "out"
    for name in ("a", "b", "c"):
        put(tmp_path / "cases" / name, name)
    put(tmp_path / "more" / "d", "d")
    analyze(tmp_path / "cases", out)
    analyze(tmp_path / "cases", out, "--case", "b")
    assert sorted(outcomes(out)) == ["a", "b", "c"]
    analyze(tmp_path / "more", out)
    assert sorted(outcomes(out)) == ["a", "b", "c", "d"]
    page, csv = (
        (out / "index.html").read_text("utf-8"),
        (out / "measurements.csv").read_text("utf-8-sig"),
    )
    for name in "abcd":
        assert f'href="{name}/report.html"' in page
        assert f"\n{name}," in csv


def test_a_run_that_was_killed_leaves_what_it_finished_in_the_summaries(
    tmp_path: Path, analyst: Analyst
) -> None:
    out = tmp_path / "out"
    for name in ("a", "b", "c"):
        put(tmp_path / "cases" / name, name)
    analyze(tmp_path / "cases", out)
    # killed once b was saved, before its line in the journal; and in the middle of c
    lines = (out / JOURNAL).read_text("utf-8").splitlines(keepends=True)
    (out / JOURNAL).write_text(lines[0] + lines[1][:20])
    (out / "c" / "result.json").unlink()
    (out / ".c.0a1b2c3d.tmp").mkdir()
    (out / ".c.0a1b2c3d.tmp" / "result.json").write_bytes((out / "a" / "result.json").read_bytes())
    os.utime(out / ".c.0a1b2c3d.tmp", (0, 0))
    for name in ("run.json", "index.html", "measurements.csv"):
        (out / name).unlink()
    analyst.seen.clear()
    assert analyze(tmp_path / "cases", out, "--case", "c").exit_code == 0
    assert analyst.seen == ["c"]
    assert sorted(outcomes(out)) == ["a", "b", "c"]
    assert not list(out.rglob("*.tmp"))


@pytest.mark.parametrize("folders", ["[5]", '["../b"]', '[".."]', "{}"])
def test_an_odd_line_of_the_journal_does_nothing(
    folders: str, tmp_path: Path, analyst: Analyst
) -> None:
    line = f'{{"case_id": "a", "outcome": "done", "folders": {folders}}}'
    out = tmp_path / "out"
    put(tmp_path / "cases" / "a", "a")
    analyze(tmp_path / "cases", out)
    shutil.copytree(out / "a", tmp_path / "b")
    with (out / JOURNAL).open("a") as journal:
        journal.write(line)  # and no end of line, as a killed run leaves it
    put(tmp_path / "cases" / "c", "c")
    assert analyze(tmp_path / "cases", out).exit_code == 0
    assert sorted(outcomes(out)) == ["a", "c"]
    assert (tmp_path / "b" / "result.json").is_file()
    assert "2 skipped" in analyze(tmp_path / "cases", out).stderr


def test_summaries_are_written_while_a_run_goes_on(
    tmp_path: Path, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    for name in ("a", "b"):
        put(tmp_path / "cases" / name, name)
    monkeypatch.setattr(summaries.Pace, "due", lambda self: True)
    seen: list[list[str]] = []

    def look(*args: object) -> object:
        seen.append(sorted(outcomes(out)) if (out / "run.json").exists() else [])
        return analyst.analyze_volume(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(case_job, "analyze_volume", look)
    analyze(tmp_path / "cases", out)
    assert seen == [[], ["a"]]


def test_two_processes_in_one_folder_lose_nothing(tmp_path: Path) -> None:
    """Both do the same cases and cases of their own; one of them is killed in the middle of its
    work in most runs.
    """
    out = tmp_path / "out"
    for name in "abcd":
        put(tmp_path / "one" / name, name)
        put(tmp_path / "two" / name, name)
        put(tmp_path / "two" / f"{name}2", f"{name}2")
    script = """
import sys
sys.path.insert(0, sys.argv[1])
import pytest
from analyst import install
from footcli import cli
with pytest.MonkeyPatch.context() as patch:
    stand_in = install(patch)
    stand_in.feet = ("+L", "+R")
    cli.app(["analyze", sys.argv[2], "-o", sys.argv[3], "--overwrite"], standalone_mode=False)
"""
    here = str(Path(__file__).resolve().parent)
    running = [
        subprocess.Popen([sys.executable, "-c", script, here, str(tmp_path / name), str(out)])
        for name in ("one", "two")
    ]
    assert [process.wait(120) for process in running] == [0, 0]
    names = sorted([*"abcd", *(f"{name}2" for name in "abcd")])
    assert sorted(outcomes(out)) == names
    for name in names:
        for foot in "LR":
            assert sorted(p.name for p in (out / f"{name}+{foot}").iterdir()) == [
                "masks.npz",
                "report.html",
                "result.json",
                "views.npz",
            ]
    assert not list(out.glob(".*"))


def test_a_folder_that_was_taken_away_meanwhile_is_made_again_under_the_lock(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "case"
    order: list[str] = []

    def second() -> None:
        with locked(folder):
            order.append("second")
            (folder / "file").write_text("x")

    thread = threading.Thread(target=second)
    with locked(folder):
        thread.start()
        time.sleep(0.2)  # so that it waits
        order.append("first")
        folder.rmdir()
    thread.join(10)
    assert order == ["first", "second"]
    assert (folder / "file").is_file()


def test_a_case_that_another_process_finished_meanwhile_is_not_replaced(
    tmp_path: Path, analyst: Analyst
) -> None:
    case, out = put(tmp_path / "B" / "CT", "patient b"), tmp_path / "out"

    def meanwhile(*args: object) -> object:
        feet = analyst.analyze_volume(*args)  # type: ignore[arg-type]
        other = put(tmp_path / "A" / "CT", "patient a")
        if not (out / "CT").exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(case_job, "analyze_volume", analyst.analyze_volume)
                assert analyze(other, out).exit_code == 0
        return feet

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case_job, "analyze_volume", meanwhile)
        result = analyze(case, out)
    assert "[other_input]" in result.stderr
    first = held_input(out, "CT")
    assert "1 skipped" in analyze(tmp_path / "A" / "CT", out).stderr
    assert held_input(out, "CT") == first


def test_a_failure_after_a_result_keeps_both(tmp_path: Path, analyst: Analyst) -> None:
    case, out = put(tmp_path / "P1", "patient a"), tmp_path / "out"
    analyze(case, out)
    analyst.faults["P1"] = lambda: InferenceError("no_bone_found")
    assert analyze(case, out, "--quality", "fast").exit_code == 3
    (record,) = json.loads((out / "run.json").read_text("utf-8"))["cases"]
    assert (record["outcome"], record["failure"]["code"], record["folders"]) == (
        "failed",
        "no_bone_found",
        ["P1"],
    )
    assert results_in(out) == {"P1": ()}, "not scored: it is not what was asked for"
    assert len((out / "measurements.csv").read_text("utf-8-sig").splitlines()) == 1
    assert "1 skipped" in analyze(case, out).stderr, "what was asked first is still there"
    assert results_in(out) == {"P1": (out / "P1",)}
    assert len((out / "measurements.csv").read_text("utf-8-sig").splitlines()) > 1


def test_a_report_that_cannot_be_written_again_ends_nothing(
    tmp_path: Path, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    for name in ("a-L", "a-R"):
        put(tmp_path / "cases" / name, name)
    analyze(tmp_path / "cases", out)

    def fail(*args: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(batch, "write_report", fail)
    put(tmp_path / "cases" / "b", "b")
    assert analyze(tmp_path / "cases", out, "--lang", "ko").exit_code == 0
    assert sorted(outcomes(out)) == ["a-L", "a-R", "b"]


# any exception


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_any_exception_in_a_case_is_that_cases_failure(
    jobs: str, tmp_path: Path, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    for name in ("a", "b", "c"):
        put(tmp_path / "cases" / name, name)
    analyst.faults["b"] = lambda: KeyError("KIM^MINSU 1987-05-04")
    if jobs == "2":  # the stand-in lives in this process: its records come as from a pool

        def pooled(tasks: object, out: Path, models: object, options: object, jobs: int) -> object:
            return [case_job.analyze_to_disk(task, out, models, options) for task in tasks]  # type: ignore

        monkeypatch.setattr(batch, "_records", pooled)
    result = analyze(tmp_path / "cases", out, "--jobs", jobs)
    assert result.exit_code == 3
    assert "KIM" not in result.output
    assert "KIM" not in (out / "run.json").read_text("utf-8")
    line = next(line for line in result.stderr.splitlines() if line.startswith("FAILED b"))
    assert "KeyError in case_job.py, line" in line
    assert line.endswith("[internal]")
    assert outcomes(out) == {"a": "done", "b": "failed", "c": "done"}
