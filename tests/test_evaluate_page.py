"""footcli evaluate as a user meets it: what is printed and written, exit codes, the page in a
browser.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from browser import needs_chromium, opened
from make_truth import block, write_result, write_truth
from typer.testing import CliRunner, Result

from footcli import cli
from footcli.dataset.clinical import Clinical
from footcli.domain import Lesion, Level, Plane
from footcli.evaluate.html import write_html
from footcli.evaluate.run import Work, evaluate
from footcli.kinds import landmark_names

TRUE = block(
    (6, 40, 50),
    {
        3: (slice(1, 5), slice(10, 20), slice(10, 20)),
        4: (slice(1, 5), slice(25, 35), slice(10, 30)),
    },
)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, ["evaluate", *map(str, words)])


def _data(tmp_path: Path, cases: int = 6) -> None:
    rng = np.random.default_rng(1)
    points = {name: (20.0, 12.0 + 3 * i, 2.0 + i) for i, name in enumerate(landmark_names("CPA"))}
    for number in range(cases):
        boxes = {(Plane.COR, i): {"OLT": [(20.0, 1.0, 30.0, 5.0)]} for i in range(10, 15)}
        clinical = Clinical(None, 47.0, "F", ("AD",), ("OLT",))
        case = write_truth(
            tmp_path / "tree", number, TRUE, boxes=boxes, clinical=clinical, points=points
        )
        found = np.roll(TRUE, int(rng.integers(0, 3)), 2)
        lesion = Lesion("OLT", 0.7, Plane.COR, (10, 14), (21.0, 10.0, 1.0, 31.0, 15.0, 5.0), None)
        seen = {name: ((x, y + 1, z), 0.7) for name, (x, y, z) in points.items()}
        write_result(
            tmp_path / "out",
            case,
            found,
            lesions=(lesion,),
            findings={"olt": Level.PRESENT},
            landmarks=seen,
        )


def test_json_on_stdout_holds_the_promised_keys_and_a_reason_for_what_is_null(
    tmp_path: Path,
) -> None:
    _data(tmp_path, 2)
    done = run(tmp_path / "out", tmp_path / "tree", "--json", "-q", "--jobs", "1")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    for task in ("bones", "landmarks", "lesions"):
        assert {"map", "map50", "per_class"} <= set(found[task])
    assert {"dice", "hd95_mm"} <= set(found["bones"])
    assert found["landmarks"]["mre_mm"] == pytest.approx(0.5)
    assert found["n_cases"] == 2
    assert (
        found["angles"]["TMA"]["mae_deg"],
        found["angles"]["TMA"]["by_source"]["masks"]["why"],
    ) == (
        None,
        "too few bones to tell the foot's axes",
    )
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text("utf-8"))["n_cases"] == 2
    assert (tmp_path / "out" / "evaluation.html").is_file()


def test_without_json_tables_are_printed_and_the_page_is_named(tmp_path: Path) -> None:
    _data(tmp_path, 1)
    done = run(
        tmp_path / "out",
        tmp_path / "tree",
        "-q",
        "--jobs",
        "1",
        "--save",
        tmp_path / "else" / "e.json",
    )
    assert done.exit_code == 0, done.stderr
    assert "Talus" in done.stdout
    assert done.stdout.splitlines()[-1] == str(tmp_path / "else" / "e.html")
    assert "out/AN00000000/report.html" in (tmp_path / "else" / "e.html").read_text("utf-8")
    assert not (tmp_path / "out" / "evaluation.json").exists()


def test_a_map_below_the_least_allowed_exits_with_four(tmp_path: Path) -> None:
    _data(tmp_path, 1)
    assert (
        run(tmp_path / "out", tmp_path / "tree", "-q", "--jobs", "1", "--min-map", "0").exit_code
        == 0
    )
    assert (
        run(tmp_path / "out", tmp_path / "tree", "-q", "--jobs", "1", "--min-map", "0.99").exit_code
        == 4
    )
    done = run(
        tmp_path / "out",
        tmp_path / "tree",
        "-q",
        "--jobs",
        "1",
        "--protocol",
        "validators",
        "--min-map",
        "0.999",
    )
    assert done.exit_code == 4


def test_a_map_that_could_not_be_measured_is_not_reached(tmp_path: Path) -> None:
    write_result(tmp_path / "out", write_truth(tmp_path / "tree", 1, np.zeros_like(TRUE)), TRUE)
    done = run(tmp_path / "out", tmp_path / "tree", "-q", "--jobs", "1", "--min-map", "0.5")
    assert done.exit_code == 4
    assert "no mAP could be measured for bones, landmarks, lesions" in done.stderr


@pytest.mark.parametrize("least", ["0", "0.5"])
def test_a_least_map_fails_where_one_task_of_three_could_not_be_judged(
    least: str, tmp_path: Path
) -> None:
    write_result(tmp_path / "out", write_truth(tmp_path / "tree", 1, TRUE), TRUE)
    done = run(tmp_path / "out", tmp_path / "tree", "-q", "--jobs", "1", "--min-map", least)
    assert done.exit_code == 4
    assert "no mAP could be measured for landmarks, lesions" in done.stderr


def test_what_was_left_out_is_said_on_the_terminal_too(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE)
    write_result(tmp_path / "out", case, TRUE)
    write_truth(tmp_path / "tree", 7, TRUE)
    path = sorted((tmp_path / "tree").rglob(f"{case}/AXL/*.json"))[2]
    path.with_name(f"{path.stem} (1).json").write_bytes(path.read_bytes())
    path.with_name("notes.json").write_text("{}")
    path.write_text('{"shapes": []}')
    done = run(tmp_path / "out", tmp_path / "tree", "--jobs", "1", "--allow-missing")
    assert done.exit_code == 0
    assert "left out: AN00000007 (truth without a result)" in done.stderr
    said = done.stderr.splitlines()[-1]
    assert said.startswith("left out of the labels: ")
    for what in (
        "1 x unreadable label file",
        "1 x label file that is a copy of another",
        "1 x label file that names no slice",
    ):
        assert what in said


def test_a_missing_case_is_one_line_and_exit_one(tmp_path: Path) -> None:
    _data(tmp_path, 1)
    write_truth(tmp_path / "tree", 7, TRUE)
    done = run(tmp_path / "out", tmp_path / "tree", "-q", "--jobs", "1")
    assert done.exit_code == 1
    assert done.stderr.strip().splitlines() == [
        "footcli: 1 case(s) do not line up: AN00000007 (truth without a result); complete them, or "
        "leave them out with --allow-missing"
    ]
    assert (
        run(tmp_path / "out", tmp_path / "tree", "-q", "--jobs", "1", "--allow-missing").exit_code
        == 0
    )


def test_several_processes_give_the_same_numbers(tmp_path: Path) -> None:
    _data(tmp_path, 3)
    one = evaluate(tmp_path / "out", tmp_path / "tree")
    assert evaluate(tmp_path / "out", tmp_path / "tree", work=Work(jobs=2)) == one


@needs_chromium
def test_the_page_opens_in_a_browser_with_its_pictures_and_shows_hostile_text_as_text(
    tmp_path: Path,
) -> None:
    _data(tmp_path)
    found = evaluate(tmp_path / "out", tmp_path / "tree", against=tmp_path / "out")
    found["cases"][0]["case_id"] = "<script>document.title='hacked'</script>"
    found["left_out"] = {"<b>x</b>": "analysis failed"}
    write_html(tmp_path / "evaluation.html", found, tmp_path / "out")
    done = opened(tmp_path / "evaluation.html")
    assert "CONSOLE" not in done.stderr
    assert "<title>Evaluation</title>" in done.stdout
    assert "&lt;script&gt;" in done.stdout
    assert "&lt;b&gt;x&lt;/b&gt;" in done.stdout
    for words in (
        "Against the other run",
        "Bones: precision over recall",
        "sensitivity over false finds",
        "Worst cases",
        "By institution",
    ):
        assert words in done.stdout
    assert done.stdout.count("<svg") >= 6
    assert 'href="out/AN00000001/report.html"' in done.stdout
