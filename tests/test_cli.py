"""The command line: help, exit codes, what goes to stdout, what is done again and what is not."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import schemas
from analyst import Analyst
from typer.main import get_command
from typer.testing import CliRunner, Result

from footcli import __version__, cli
from footcli.domain import Plane
from footcli.errors import InferenceError
from footcli.run import batch, case_job
from footcli.store.journal import JOURNAL, result_digest
from footcli.walk.tree import find_cases

ROOT = Path(__file__).resolve().parent.parent
COMMANDS: dict[str, Any] = get_command(cli.app).commands  # type: ignore[attr-defined]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(w) for w in words])


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        (tmp_path / "cases" / name).mkdir(parents=True)
        (tmp_path / "cases" / name / "1.dcm").write_bytes(name.encode())
    return tmp_path / "cases"


def analyze(cases: Path, out: Path, *more: str) -> Result:
    return run("analyze", cases, "-o", out, "--models", out.parent, *more)


def outcomes(out: Path) -> dict[str, str]:
    return {
        c["case_id"]: c["outcome"]
        for c in json.loads((out / "run.json").read_text("utf-8"))["cases"]
    }


# help and usage


def test_no_arguments_give_help_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["footcli"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    assert "Usage" in capsys.readouterr().out
    assert run().exit_code == 2


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_with_an_example(name: str) -> None:
    for flag in ("--help", "-h"):
        result = run(name, flag)
        assert result.exit_code == 0
        assert f"Example: footcli {name}" in " ".join(result.stdout.split())


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_option_says_what_it_does(name: str) -> None:
    assert [
        p.name for p in COMMANDS[name].params if p.name != "help" and not getattr(p, "help", None)
    ] == []


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_readme_names_every_command(name: str) -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("README.md is not there")
    assert f"`footcli {name} " in readme.read_text(
        "utf-8"
    ) or f"`footcli {name}`" in readme.read_text("utf-8")


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"footcli {__version__}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("analyze",), "give a folder of cases, or --demo"),
        (("analyze", "x", "--demo"), "leave CASES out"),
        (("analyze", "x"), "with -o"),
        (("analyze", "x", "-o", "y", "--device", "tpu"), "tpu"),
        (("analyze", "x", "-o", "y", "--jobs", "0"), "--jobs"),
        (("analyze", "x", "-o", "y", "--spacing", "0"), "--spacing"),
        (("analyze", "x", "-o", "y", "--frobnicate"), "frobnicate"),
        (("analyze", "x", "-o", "y", "--profile", "mars"), "korea"),
        (("analyze", "--demo", "--case", "x"), "leave --case out"),
        (("phantom",), "out"),
        (("phantom", "x", "--disease", "gout"), "flat_foot"),
        (("phantom", "x", "--field", "knee"), "ankle"),
        (("phantom", "x", "--spacing", "9"), "--spacing"),
        (("train",), "task"),
        (("train", "hands"), "hands"),
        (("nonsense",), "nonsense"),
    ],
)
def test_wrong_use_is_exit_2_with_a_line_on_stderr(words: tuple[str, ...], told: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert told.lower() in result.stderr.lower()
    assert result.stdout == ""


# could not start


def _one_line(result: Result, *told: str) -> None:
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("footcli: ")
    for word in told:
        assert word in line


def test_missing_models_are_one_line_and_nothing_is_made(cases: Path, tmp_path: Path) -> None:
    _one_line(analyze(cases, tmp_path / "out"), "manifest.toml", "--models")
    assert not (tmp_path / "out").exists()


def test_a_missing_folder_of_cases_is_one_line(tmp_path: Path) -> None:
    _one_line(analyze(tmp_path / "nowhere", tmp_path / "out"), "does not exist")


def test_results_inside_the_input_are_refused(cases: Path, analyst: Analyst) -> None:
    for out in (cases, cases / "a" / "out"):
        _one_line(
            run("analyze", cases, "-o", out, "--models", cases), "lies inside the input", "-o"
        )
    assert analyst.seen == []


def test_results_that_would_lie_among_a_cases_own_images_are_refused(
    cases: Path, analyst: Analyst
) -> None:
    result = run("analyze", cases / "a", "-o", cases, "--models", cases, "-q")
    _one_line(result, "among the images of case a", "-o")
    assert [p.name for p in (cases / "a").iterdir()] == ["1.dcm"]
    assert sorted(p.name for p in cases.iterdir()) == ["a", "b", "c"]


def test_an_output_that_is_a_file_or_cannot_be_written_is_refused(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    (tmp_path / "file").write_text("x")
    _one_line(analyze(cases, tmp_path / "file"), "is a file")
    (tmp_path / "out" / JOURNAL).mkdir(parents=True)
    _one_line(analyze(cases, tmp_path / "out", "-q"), "cannot be used for results")
    assert analyst.seen == []


def test_an_unknown_case_or_profile_is_one_line(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    _one_line(analyze(cases, tmp_path / "out", "--case", "z"), "--case z", "3")


def test_a_phantom_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    _one_line(run("phantom", tmp_path / "file", "--spacing", "3", "--field", "ankle"), "file")


def test_training_without_torch_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [m for m in sys.modules if m.startswith("footcli.train.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    _one_line(run("train", "bones", "--runs", tmp_path), "torch", "pip install 'footcli[train]'")


def test_training_is_asked_for_what_the_options_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch (extra train) is not installed")
    pytest.importorskip("onnx", reason="onnx (extra train) is not installed")
    from footcli.train import run as training
    from footcli.train.job import Material
    from footcli.train.watch import Plan

    asked: list[Any] = []
    monkeypatch.setattr(
        training,
        "train_and_export",
        lambda job: asked.append(job) or (tmp_path / "bones.onnx",),
    )
    words = (
        "--steps",
        "7",
        "--batch",
        "2",
        "--bank",
        "3",
        "--device",
        "cpu",
        "--runs",
        tmp_path,
        "--models",
        tmp_path / "m",
    )
    result = run(
        "train", "bones", tmp_path / "tree", "--phantoms", "0.5", "--patience", "3", *words
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip() == str(tmp_path / "bones.onnx")
    plan = Plan(7, 2, 2e-3, tmp_path / "bones", "cpu", bank=3, patience=3)
    (job,) = asked
    wanted = ("bones", plan, tmp_path / "m", Material(tmp_path / "tree", 0.5))
    assert (job.task, job.plan, job.models, job.material) == wanted
    assert (job.terms.licence, job.terms.anyway) == ("none stated", False)
    assert job.terms.command.startswith("footcli train bones DATA --phantoms 0.5 --steps 7")
    assert str(tmp_path) not in job.terms.command


# analyze


def test_all_cases_done_is_exit_0_with_the_reports_on_stdout(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    out = tmp_path / "out"
    result = analyze(cases, out)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(out / name / "report.html") for name in "abc"] + [
        str(out / "index.html")
    ]
    assert "3 case(s), models run on cpu" in result.stderr
    for name in "abc":
        assert sorted(p.name for p in (out / name).iterdir()) == [
            "masks.npz",
            "report.html",
            "result.json",
            "views.npz",
        ]
    assert sorted(p.name for p in out.iterdir()) == [
        "a",
        "b",
        "c",
        "index.html",
        "journal.jsonl",
        "measurements.csv",
        "run.json",
    ]
    assert outcomes(out) == dict.fromkeys("abc", "done")
    assert (out / "measurements.csv").read_bytes().startswith(b"\xef\xbb\xbf"), (
        "so that Excel reads Korean"
    )


def test_quiet_says_nothing_and_verbose_the_times(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    assert analyze(cases, tmp_path / "one", "-q").stderr == ""
    assert "done a: bones" in analyze(cases, tmp_path / "two", "-v").stderr
    again = analyze(cases, tmp_path / "two", "-v")
    assert "skipped a: bones" in again.stderr


def test_a_failing_case_is_exit_3_leaves_no_folder_and_the_others_are_done(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    analyst.faults["b"] = lambda: InferenceError("no_bone_found")
    result = analyze(cases, tmp_path / "out", "-q")
    assert result.exit_code == 3
    assert result.stderr == (
        "FAILED b: no bone was found in this scan: check that it shows a foot or ankle, in "
        "Hounsfield units [no_bone_found]\n"
    )
    assert outcomes(tmp_path / "out") == {"a": "done", "b": "failed", "c": "done"}
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.is_dir()) == ["a", "c"]
    assert "no bone was found in this scan" in (tmp_path / "out" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (OSError(28, "No space left on device"), "no_space"),
        (OSError(5, "I/O error"), "io_error"),
        (MemoryError(), "out_of_memory"),
    ],
)
def test_a_full_disk_or_memory_fails_the_case_not_the_run(
    cases: Path, tmp_path: Path, analyst: Analyst, fault: BaseException, code: str
) -> None:
    analyst.faults["a"] = lambda: fault
    assert analyze(cases, tmp_path / "out", "-q").exit_code == 3
    found = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))["cases"]
    assert [c["failure"] and c["failure"]["code"] for c in found] == [code, None, None]


def test_every_file_follows_its_published_schema(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    out = tmp_path / "out"
    analyst.faults["b"] = lambda: MemoryError()
    analyst.notices = ("no_rescale",)
    analyze(cases, out, "-q")
    analyst.faults = {}
    analyze(cases, out, "-q", "--quality", "fast")
    analyze(cases, out, "-q", "--quality", "fast")
    outcomes_ = set()
    for line in (out / "journal.jsonl").read_text("utf-8").splitlines():
        assert schemas.faults("journal", json.loads(line)) == []
        outcomes_.add(json.loads(line)["outcome"])
    assert outcomes_ == {"done", "failed", "redone"}
    assert schemas.faults("run", json.loads((out / "run.json").read_text("utf-8"))) == []
    for result in out.glob("*/result.json"):
        assert schemas.faults("result", json.loads(result.read_text("utf-8"))) == []


def test_only_the_cases_that_were_asked_for_are_done(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    assert analyze(cases, tmp_path / "out", "--case", "c", "--case", "a").exit_code == 0
    assert sorted(analyst.seen) == ["a", "c"]


def test_two_feet_of_a_case_give_two_folders(cases: Path, tmp_path: Path, analyst: Analyst) -> None:
    analyst.feet = ("+L", "+R")
    result = analyze(cases, tmp_path / "out", "--case", "a")
    assert result.stdout.splitlines() == [
        str(tmp_path / "out" / f"a+{side}" / "report.html") for side in "LR"
    ]
    analyze(cases, tmp_path / "out", "--case", "a")
    assert analyst.seen == ["a"]


def test_json_prints_the_run_and_nothing_else_on_stdout(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    analyst.faults["b"] = lambda: InferenceError("no_bone_found")
    result = analyze(cases, tmp_path / "out", "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert told == json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert told["device"] == "cpu"
    assert [c["outcome"] for c in told["cases"]] == ["done", "failed", "done"]


def test_polygons_are_written_on_demand(cases: Path, tmp_path: Path, analyst: Analyst) -> None:
    analyze(cases, tmp_path / "out", "--case", "a", "--polygons")
    written = {
        plane: len(list((tmp_path / "out" / "a" / "polygons" / plane).glob("*.json")))
        for plane in Plane
    }
    assert written[Plane.SAG] == 10
    assert min(written.values()) >= 10


def test_a_korean_report_is_written_in_korean(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    analyze(cases, tmp_path / "out", "--lang", "ko")
    assert 'lang="ko"' in (tmp_path / "out" / "a" / "report.html").read_text("utf-8")
    assert 'lang="ko"' in (tmp_path / "out" / "index.html").read_text("utf-8")


# what is done again


def test_finished_cases_are_skipped_and_failed_ones_tried_again(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    analyst.faults["b"] = lambda: InferenceError("no_bone_found")
    analyze(cases, tmp_path / "out")
    analyst.seen.clear()
    analyst.faults.clear()
    assert analyze(cases, tmp_path / "out").exit_code == 0
    assert analyst.seen == ["b"]
    assert outcomes(tmp_path / "out") == {"a": "skipped", "b": "done", "c": "skipped"}


def test_overwrite_does_finished_cases_again(cases: Path, tmp_path: Path, analyst: Analyst) -> None:
    analyze(cases, tmp_path / "out")
    analyze(cases, tmp_path / "out", "--overwrite")
    assert analyst.seen == ["a", "b", "c"] * 2
    assert outcomes(tmp_path / "out") == dict.fromkeys("abc", "redone")


def _of_another_version(out: Path) -> None:
    path = out / "b" / "result.json"
    path.write_text(path.read_text("utf-8").replace('"schema": "', '"schema": "older-'), "utf-8")
    journal = out / JOURNAL
    records = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    for record in records:
        if record["case_id"] == "b":
            record["result_sha256"] = {"b": result_digest(out / "b")}
    journal.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")


@pytest.mark.parametrize(
    "harm",
    [
        lambda out: (out / "b" / "result.json").write_text("{}"),
        lambda out: (out / "b" / "result.json").unlink(),
        lambda out: (out / "b" / "masks.npz").unlink(),
        lambda out: (out / "b" / "views.npz").write_bytes(b"cut"),
        lambda out: (out / "b" / "result.json").write_bytes(
            (out / "b" / "result.json").read_bytes() + b" "
        ),
        _of_another_version,
    ],
    ids=[
        "emptied",
        "removed",
        "without masks",
        "with cut views",
        "tampered with",
        "of another version",
    ],
)
def test_a_result_that_is_not_as_it_was_written_is_done_again(
    cases: Path, tmp_path: Path, analyst: Analyst, harm: Callable[[Path], None]
) -> None:
    analyze(cases, tmp_path / "out")
    analyst.seen.clear()
    harm(tmp_path / "out")
    assert analyze(cases, tmp_path / "out").exit_code == 0
    assert analyst.seen == ["b"]


def test_a_folder_that_merely_exists_is_not_taken_for_a_finished_case(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    analyze(cases, tmp_path / "out")
    (tmp_path / "out" / JOURNAL).unlink()
    analyst.seen.clear()
    analyze(cases, tmp_path / "out")
    assert analyst.seen == ["a", "b", "c"]


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_journal_that_was_cut_off_costs_one_case(
    cut: int, tmp_path: Path, analyst: Analyst
) -> None:
    for name in ("가", "나"):
        (tmp_path / "cases" / name).mkdir(parents=True)
        (tmp_path / "cases" / name / "1.dcm").write_bytes(name.encode())
    out = tmp_path / "out"
    analyze(tmp_path / "cases", out)
    journal = out / JOURNAL
    whole = journal.read_bytes()
    last = whole.index("나".encode()) + 1  # in the middle of a character
    for rest in (whole[:-cut], whole[:last]):
        journal.write_bytes(rest)
        analyst.seen.clear()
        assert analyze(tmp_path / "cases", out).exit_code == 0
        assert analyst.seen in ([], ["나"])
        analyst.seen.clear()
        analyze(tmp_path / "cases", out)
        assert analyst.seen == [], "what was written after the cut line counts"


def test_two_runs_give_the_same_results(cases: Path, tmp_path: Path, analyst: Analyst) -> None:
    for out in ("one", "two"):
        analyze(cases, tmp_path / out)
    for name in (
        "a/result.json",
        "a/masks.npz",
        "a/views.npz",
        "a/report.html",
        "measurements.csv",
    ):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


# interrupted


def _terminate() -> BaseException:
    os.kill(os.getpid(), signal.SIGTERM)
    return AssertionError("went on after SIGTERM")


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt, 130), (_terminate, 143)])
def test_an_interrupted_run_keeps_what_is_finished_and_goes_on(
    cases: Path, tmp_path: Path, analyst: Analyst, stop: Callable[[], BaseException], code: int
) -> None:
    analyst.faults["b"] = stop
    result = analyze(cases, tmp_path / "out", "-q")
    assert result.exit_code == code
    assert "finished cases are kept" in result.stderr
    assert outcomes(tmp_path / "out") == {"a": "done"}
    assert not list((tmp_path / "out").rglob("*.tmp"))
    analyst.faults.clear()
    analyst.seen.clear()
    assert analyze(cases, tmp_path / "out").exit_code == 0
    assert analyst.seen == ["b", "c"]


def test_a_worker_that_dies_is_one_line_and_finished_cases_are_kept(
    cases: Path, tmp_path: Path, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pool:
        """The first case comes back, then the workers are dead."""

        def __init__(self, *args: Any, **options: Any) -> None:
            self.count = 0

        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *error: object) -> None:
            return None

        def submit(self, work: partial[Any], task: case_job.Task) -> Future[Any]:
            future: Future[Any] = Future()
            self.count += 1
            if self.count == 1:
                out, options = work.keywords["out"], work.keywords["options"]
                models = analyst.load_models(options)
                future.set_result(batch.analyze_to_disk(task, out, models, options))
            else:
                future.set_exception(BrokenProcessPool("a process was killed"))
            return future

        def shutdown(self, **how: bool) -> None:
            return None

    monkeypatch.setattr("footcli.system.processes.ProcessPoolExecutor", Pool)
    result = analyze(cases, tmp_path / "out", "-q", "--jobs", "2")
    _one_line(result, "a worker process died", "--jobs")
    assert outcomes(tmp_path / "out") == {"a": "done"}


# the other commands


def test_a_report_is_written_again_in_another_language_without_models(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    out = tmp_path / "out"
    analyze(cases, out)
    before = (out / "a" / "result.json").read_bytes()
    result = run("report", out, "--lang", "ko")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        *(str(out / name / "report.html") for name in "abc"),
        str(out / "index.html"),
    ]
    assert 'lang="ko"' in (out / "a" / "report.html").read_text("utf-8")
    assert (out / "a" / "result.json").read_bytes() == before


def test_a_report_of_no_results_is_one_line(tmp_path: Path) -> None:
    _one_line(run("report", tmp_path), "holds no results", "footcli analyze")
    _one_line(run("report", tmp_path / "missing"), "holds no results")


@pytest.mark.parametrize(
    "damage", [None, "{", "[]", '{"cases": [{}]}', '{"cases": [{"folders": [5]}]}']
)
def test_a_report_needs_no_run_json(
    damage: str | None, cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    out = tmp_path / "out"
    analyze(cases, out)
    before = json.loads((out / "run.json").read_text("utf-8"))
    for name in ("run.json", "index.html", "measurements.csv"):
        (out / name).unlink()
    if damage is not None:
        (out / "run.json").write_text(damage)
    assert run("report", out).exit_code == 0
    after = json.loads((out / "run.json").read_text("utf-8"))
    assert after["cases"] == before["cases"]
    (out / JOURNAL).unlink()
    assert run("report", out).exit_code == 0
    assert outcomes(out) == dict.fromkeys("abc", "done")
    assert (out / "index.html").is_file()
    assert len((out / "measurements.csv").read_text("utf-8-sig").splitlines()) > 3


def test_a_damaged_result_does_not_keep_the_other_reports_from_being_written(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    out = tmp_path / "out"
    analyze(cases, out)
    (out / "b" / "result.json").write_text("{}")
    result = run("report", out, "--lang", "ko")
    assert result.exit_code == 3
    assert "FAILED b:" in result.stderr
    assert 'lang="ko"' in (out / "c" / "report.html").read_text("utf-8")


def test_a_report_is_never_written_outside_of_the_results(
    cases: Path, tmp_path: Path, analyst: Analyst
) -> None:
    out = tmp_path / "out"
    analyze(cases, out)
    (tmp_path / "elsewhere").mkdir()
    for name in ("masks.npz", "result.json", "views.npz"):
        (tmp_path / "elsewhere" / name).write_bytes((out / "a" / name).read_bytes())
    journal = (out / JOURNAL).read_text("utf-8")
    (out / JOURNAL).write_text(journal.replace('["a"]', '["../elsewhere"]'))
    (out / "link").symlink_to(tmp_path / "elsewhere")
    run("report", out)
    assert not (tmp_path / "elsewhere" / "report.html").exists()


def test_a_phantom_is_written_as_a_tree_that_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    words = (
        "phantom",
        tmp_path,
        "--cases",
        "2",
        "--seed",
        "5",
        "--disease",
        "olt",
        "--spacing",
        "3",
        "--field",
        "ankle",
    )
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    folders = [Path(line) for line in result.stdout.splitlines()]
    assert [f.name for f in folders] == ["AD00000005", "AD00000006"]
    refs = find_cases(tmp_path)
    assert [ref.case_id for ref in refs] == ["AD00000005", "AD00000006"]
    assert [ref.folder for ref in refs] == folders


def test_the_doctor_finds_missing_models_and_says_what_is_there(tmp_path: Path) -> None:
    result = run("doctor", "--models", tmp_path)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"ok    footcli {__version__}, Python ")
    assert any(line.startswith("ok    numpy ") for line in lines)
    assert [line for line in lines if line.startswith("FAULT")] == [lines[-1]]
    assert "manifest.toml" in lines[-1]


def test_control_characters_of_names_never_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli.say("case \x1b[31mred\x07\u202e end")
    told = capsys.readouterr().err
    assert not set(told) & {"\x1b", "\x07", "\u202e"}
    assert "red" in told
