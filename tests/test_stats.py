"""stats: counts and shares worked out by hand, each fault of a label met once, and a page that
shows names as text.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import needs_chromium, opened
from dicom_files import ct, save

from footcli.dataset.angle_labels import write_angle_label
from footcli.dataset.annotations import write_slice_label
from footcli.dataset.clinical import Clinical, write_clinical
from footcli.domain import Plane
from footcli.errors import SetupError
from footcli.kinds import LANDMARKS
from footcli.read import pixels
from footcli.stats.codes import MISSING, QUALITY
from footcli.stats.html import render, write_page
from footcli.stats.run import collect
from footcli.stats.shapes import box_outside, box_without_area, crosses_itself, outside
from footcli.stats.slices import below
from footcli.stats.summary import DECIMALS, percent, points, tables, to_json
from footcli.stats.tally import MOST_EXAMPLES, MOST_NAMES, OTHER, Tally

SQUARE = np.array([[2.0, 2], [30, 2], [30, 20], [2, 20]])
BOW_TIE = np.array([[2.0, 2], [30, 20], [30, 2], [2, 20]])
PIXELS = 64  # edge of the images, of which none is readable


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)


def stem(case: str, group: str = "AD", side: str = "L", institution: str = "H07") -> str:
    return f"A_{institution}_{group}_{case}_ST01_{side}"


def make_case(
    root: Path,
    case: str,
    group: str = "AD",
    age: float | None = 50,
    sex: Any = "F",
    details: tuple[str, ...] = ("OLT (medial);",),
    *,
    groups: tuple[str, ...] | None = None,
    side: str = "L",
    slices: int = 1,
    split: str = "",
) -> Path:
    """A whole and faultless case: a label and a file that is no image for every slice.

    Returns its label folder.
    """
    name = stem(case, group, side)
    source, label = (
        root / split / f"{part}데이터" / group / case for part in ("1.원천", "2.라벨링")
    )
    clinical = Clinical(
        case,
        None if age is None else float(age),
        sex,
        (group,) if groups is None else groups,
        details,
    )
    write_clinical(source / "CLINICALINFO" / f"{name}.json", clinical)
    write_angle_label(
        label / "ANGLE" / f"{name}_Angle.json", {point: (1.0, 2.0, 3.0) for point in LANDMARKS}
    )
    for plane in Plane:
        for number in range(slices):
            boxes = {"OLT": [(4.0, 4.0, 9.0, 9.0)]} if plane is Plane.COR else {}
            write_slice_label(
                label / plane / f"{name}_{plane}_{number:04d}.json",
                {"Talus": [SQUARE]},
                boxes,
                clinical,
            )
            (source / plane).mkdir(exist_ok=True)
            (source / plane / f"{name}_{plane}_{number:04d}.dcm").write_bytes(b"no image at all")
    return label


def stats(root: Path, **options: Any) -> dict[str, Any]:
    content = to_json(collect(root, 1, max_pixels=PIXELS, **options))
    json.dumps(content, allow_nan=False)
    return content


def counts(content: dict[str, Any], key: str = "quality") -> dict[str, int]:
    return {item["code"]: item["count"] for item in content[key] if item["count"]}


def examples(content: dict[str, Any], code: str) -> list[tuple[str | None, str | None]]:
    (item,) = [item for item in content["quality"] + content["missing"] if item["code"] == code]
    return [(example["case"], example["file"]) for example in item["examples"]]


def found(content: dict[str, Any], key: str) -> dict[str, int]:
    return {item["name"]: item["found"] for item in content[key] if item["found"]}


def test_a_clean_case_has_no_fault_and_lacks_nothing_but_image_sizes(tmp_path: Path) -> None:
    make_case(tmp_path, "AN1")
    content = stats(tmp_path)
    assert counts(content) == {}
    assert counts(content, "missing") == {"size_unknown": 3}
    assert (content["cases"], content["series"]) == (1, 1)
    assert content["planes"] == [
        {"plane": plane, "images": 1, "labels": 1} for plane in ("AXL", "COR", "SAG")
    ]
    assert content["sides"] == {"L": 1}
    assert content["institutions"] == {"H07": 1}
    assert found(content, "angles") == dict.fromkeys(("CPA", "TMA", "TCA", "HAA", "MTASA"), 1)


def test_shares_stand_against_the_targets_as_worked_out_by_hand(tmp_path: Path) -> None:
    make_case(tmp_path, "A1", "AD", 10, "F")
    make_case(tmp_path, "A2", "AD", 20, "F")
    make_case(tmp_path, "F1", "FD", 45, "F", ("Flatfoot (x)", "Hallux Valgus"))
    make_case(tmp_path, "F2", "FD", 60, "M", ("Flatfoot; 무지 외반증; OLT",), groups=("FD", "AD"))
    make_case(tmp_path, "N1", "N", None, None, ())
    content = stats(tmp_path)
    rows = {(row["topic"], row["label"]): row for row in content["targets"]}
    expected = {
        ("sex", "female"): (3, 4, 0.75, 0.5, 0.25),
        ("sex", "male"): (1, 4, 0.25, 0.5, -0.25),
        ("age", "child and young (0-40)"): (2, 4, 0.5, 0.3, 0.2),
        ("age", "middle and old (40 and over)"): (2, 4, 0.5, 0.7, -0.2),
        ("age", "0-20"): (1, 4, 0.25, 0.25, 0.0),
        ("age", "20-40"): (1, 4, 0.25, 0.25, 0.0),
        ("age", "40-60"): (1, 4, 0.25, 0.25, 0.0),
        ("age", "60 and over"): (1, 4, 0.25, 0.25, 0.0),
        ("group", "foot disease (FD)"): (2, 5, 0.4, 0.4, 0.0),
        ("group", "ankle disease (AD)"): (3, 5, 0.6, 0.4, 0.2),
        ("group", "normal (N)"): (1, 5, 0.2, 0.2, 0.0),
    }
    assert {
        key: tuple(row[k] for k in ("found", "of", "share", "target", "difference"))
        for key, row in rows.items()
    } == expected
    assert all(row["source"] == "published description of the data set" for row in rows.values())
    assert any("contradict" in note for note in content["notes"])
    assert counts(content, "missing") == {"sex_unknown": 1, "age_unknown": 1, "size_unknown": 15}
    assert found(content, "diseases") == {"flat_foot": 2, "hallux_valgus": 2, "olt": 3, "normal": 1}
    assert content["overlap"] == [
        {"names": ["flat_foot", "hallux_valgus"], "cases": 2},
        {"names": ["flat_foot", "olt"], "cases": 1},
        {"names": ["hallux_valgus", "olt"], "cases": 1},
        {"names": ["FD", "AD"], "cases": 1},
    ]


def test_what_is_not_known_is_null_with_a_reason(tmp_path: Path) -> None:
    make_case(tmp_path, "N1", "N", None, None, ())
    row = stats(tmp_path)["targets"][0]
    assert (row["share"], row["difference"], row["why_missing"]) == (
        None,
        None,
        "no case tells its sex",
    )
    (tmp_path / "empty").mkdir()
    content = stats(tmp_path / "empty")
    assert content["cases"] == 0
    assert {item["share"] for item in content["bones"] + content["diseases"]} == {None}
    assert counts(content, "missing") == {"not_dataset": 1}
    assert "no case was found" in render(content)


def test_bones_and_lesions_are_counted_by_series_slice_and_plane(tmp_path: Path) -> None:
    label = make_case(tmp_path, "AN1", slices=2)
    make_case(tmp_path, "AN2")
    outlines = {"Tibia": [SQUARE, SQUARE + 1], "Talus": [SQUARE]}
    write_slice_label(
        label / "AXL" / f"{stem('AN1')}_AXL_0000.json",
        outlines,
        {"Hallux Valgus": [(1, 1, 5, 5), (2, 2, 5, 5)]},
    )
    content = stats(tmp_path)
    bones = {item["name"]: item for item in content["bones"] if item["found"]}
    assert {name: (b["found"], b["pieces"], b["slices"]) for name, b in bones.items()} == {
        "Tibia": (1, 2, {"AXL": 1, "COR": 0, "SAG": 0}),
        "Talus": (2, 9, {"AXL": 3, "COR": 3, "SAG": 3}),
    }
    assert bones["Tibia"]["share"] == 0.5
    assert bones["Tibia"]["slice_share"] == {"AXL": 0.333333, "COR": 0, "SAG": 0}
    lesions = {item["name"]: item for item in content["lesions"] if item["found"]}
    assert lesions["Hallux Valgus"]["pieces"] == 2
    assert lesions["Hallux Valgus"]["slices"]["AXL"] == 1
    assert lesions["OLT"]["slices"] == {"AXL": 0, "COR": 3, "SAG": 0}


def test_two_feet_of_a_folder_are_two_series_of_one_case(tmp_path: Path) -> None:
    for side in "LR":
        make_case(tmp_path, "AN1", side=side)
    content = stats(tmp_path)
    assert (content["cases"], content["series"]) == (1, 2)
    assert content["sides"] == {"L": 1, "R": 1}
    assert content["targets"][0]["of"] == 1
    assert counts(content) == {}


FAR, NEAR = SQUARE + 40, SQUARE - 3
ONE_LABEL: list[tuple[str, Plane, dict[str, Any], dict[str, Any]]] = [
    ("polygon_outside_image", Plane.AXL, {"Talus": [SQUARE, FAR]}, {}),
    ("polygon_outside_image", Plane.AXL, {"Talus": [NEAR]}, {}),
    ("polygon_crosses_itself", Plane.AXL, {"Talus": [SQUARE], "Tibia": [BOW_TIE]}, {}),
    ("empty_label", Plane.AXL, {}, {}),
    ("box_without_area", Plane.COR, {}, {"OLT": [(4, 4, 4, 9)]}),
    ("box_outside_image", Plane.COR, {}, {"OLT": [(4, 4, 65, 9)]}),
    ("box_given_twice", Plane.COR, {}, {"OLT": [(4, 4, 9, 9), (4, 4, 9, 9)]}),
    ("lesion_in_other_plane", Plane.SAG, {}, {"OLT": [(4, 4, 9, 9)]}),
]


@pytest.mark.parametrize(("code", "plane", "polygons", "boxes"), ONE_LABEL)
def test_a_faulty_label_meets_its_own_code_alone(
    tmp_path: Path, code: str, plane: Plane, polygons: dict[str, Any], boxes: dict[str, Any]
) -> None:
    label = make_case(tmp_path, "AN1")
    name = f"{stem('AN1')}_{plane}_0000"
    write_slice_label(label / plane / f"{name}.json", polygons, boxes)
    content = stats(tmp_path)
    assert counts(content) == {code: 1}
    assert examples(content, code) == [("AN1", name)]


@pytest.mark.parametrize("points", [1, 2])
def test_an_outline_of_too_few_points_meets_its_own_code_alone(tmp_path: Path, points: int) -> None:
    label = make_case(tmp_path, "AN1")
    name = f"{stem('AN1')}_AXL_0000"
    corners = [{"X": x, "Y": y} for x, y in SQUARE[:points].tolist()]
    item = {
        "object_name": "LabelPolyLine",
        "preset_name": "Talus",
        "polyline_list": [{"pos_list": corners}],
    }
    (label / "AXL" / f"{name}.json").write_text(json.dumps({"ArrayOfannotation_info": [item]}))
    content = stats(tmp_path)
    assert counts(content) == {"polygon_too_few_points": 1}
    assert examples(content, "polygon_too_few_points") == [("AN1", name)]


def test_an_outline_too_long_is_counted_and_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("footcli.stats.shapes.MOST_POINTS", 4)
    label = make_case(tmp_path, "AN1")
    write_slice_label(
        label / "AXL" / f"{stem('AN1')}_AXL_0000.json",
        {"Talus": [np.vstack((BOW_TIE, [[1.0, 1]]))]},
        {},
    )
    assert counts(stats(tmp_path)) == {"polygon_too_many_points": 1}


def test_labels_and_images_that_lack_each_other_are_named(tmp_path: Path) -> None:
    label = make_case(tmp_path, "AN1", slices=2)
    (label / "AXL" / f"{stem('AN1')}_AXL_0001.json").rename(
        label / "AXL" / f"{stem('AN1')}_AXL_0009.json"
    )
    content = stats(tmp_path)
    assert counts(content) == {"label_without_image": 1, "image_without_label": 1}
    assert examples(content, "label_without_image") == [("AN1", f"{stem('AN1')}_AXL_0009")]
    assert examples(content, "image_without_label") == [("AN1", f"{stem('AN1')}_AXL_0001")]


def test_a_whole_plane_that_is_missing_is_counted_once_and_not_slice_by_slice(
    tmp_path: Path,
) -> None:
    label = make_case(tmp_path, "AN1", slices=3)
    shutil.rmtree(label / "AXL")
    shutil.rmtree(tmp_path / "1.원천데이터" / "AD" / "AN1" / "SAG")
    content = stats(tmp_path)
    assert counts(content) == {}
    assert counts(content, "missing") == {
        "plane_without_images": 1,
        "plane_without_labels": 1,
        "size_unknown": 2,
    }
    assert examples(content, "plane_without_images") == [("AN1", "SAG")]


def test_cases_that_lack_their_parts_are_counted(tmp_path: Path) -> None:
    make_case(tmp_path, "A1")
    shutil.rmtree(tmp_path / "2.라벨링데이터")
    make_case(tmp_path, "A2")
    shutil.rmtree(tmp_path / "1.원천데이터" / "AD" / "A2")
    content = stats(tmp_path)
    assert counts(content, "missing") == {
        "no_clinical": 1,
        "no_images": 1,
        "no_labels": 1,
        "no_angle_label": 1,
        "size_unknown": 3,
    }
    assert content["targets"][0]["of"] == 2  # A2's labels tell the sex


def test_json_that_cannot_be_read_is_named_by_its_place_in_the_tree(tmp_path: Path) -> None:
    label = make_case(tmp_path, "AN1")
    name = f"{stem('AN1')}_AXL_0000.json"
    (label / "AXL" / name).write_bytes(b"{")
    (label / "ANGLE" / f"{stem('AN1')}_Angle.json").write_bytes(b"[]")
    (tmp_path / "1.원천데이터" / "AD" / "AN1" / "CLINICALINFO" / f"{stem('AN1')}.json").write_bytes(
        b"\xff"
    )
    content = stats(tmp_path)
    assert counts(content) == {"unreadable_json": 3}
    assert (None, f"2.라벨링데이터/AD/AN1/AXL/{name}") in examples(content, "unreadable_json")
    assert content["angles"][0]["found"] == 0


def test_outlines_and_boxes_that_lie_apart_are_one_label(tmp_path: Path) -> None:
    label = make_case(tmp_path, "AN1")
    name = f"{stem('AN1')}_COR_0000.json"
    write_slice_label(label / "COR" / name, {"Talus": [SQUARE]}, {})
    write_slice_label(label / "BBOX" / "COR" / name, {}, {"OLT": [(4, 4, 9, 9)]})
    content = stats(tmp_path)
    assert counts(content) == {}
    assert content["planes"][1]["labels"] == 1
    assert found(content, "lesions") == {"OLT": 1}
    assert found(content, "bones") == {"Talus": 1}
    (label / "BBOX" / "COR" / name).write_bytes(b"{")
    content = stats(tmp_path)
    assert examples(content, "unreadable_json") == [
        (None, f"2.라벨링데이터/AD/AN1/BBOX/COR/{name}")
    ]
    assert found(content, "bones") == {"Talus": 1}


def test_a_label_that_says_nothing_of_the_person_does_not_hide_one_that_does(
    tmp_path: Path,
) -> None:
    label = make_case(tmp_path, "AN1")
    shutil.rmtree(tmp_path / "1.원천데이터" / "AD" / "AN1" / "CLINICALINFO")
    write_slice_label(
        label / "AXL" / f"{stem('AN1')}_AXL_0000.json", {"Talus": [SQUARE]}, {}, Clinical("AN1")
    )
    assert counts(stats(tmp_path), "missing") == {"no_clinical": 1, "size_unknown": 3}


def test_key_points_without_numbers_are_counted(tmp_path: Path) -> None:
    label = make_case(tmp_path, "AN1")
    points = [{"pt_name": "CPA_Line1_Pt1", "pt_pos": {"X": 1, "Y": 2}}] * 2
    (label / "ANGLE" / f"{stem('AN1')}_Angle.json").write_text(
        json.dumps({"ArrayOfannotation_info": [{"anglePoint_list": points}]})
    )
    content = stats(tmp_path)
    assert content["not_understood"] == {"key point without numbers": 2}
    assert counts(content) == {"not_understood": 2}


@pytest.mark.parametrize("inside", ["", "AXL"])
def test_a_case_or_plane_folder_alone_can_be_named(tmp_path: Path, inside: str) -> None:
    label = make_case(tmp_path, "AN1")
    (label / "AXL" / f"{stem('AN1')}_AXL_0000.json").write_bytes(b"{")
    content = stats(label / inside)
    assert examples(content, "no_images") == [("AN1", "AD/AN1" if inside else ".")]
    assert str(tmp_path) not in json.dumps(content)


def test_a_place_outside_the_tree_is_never_named_from_the_top() -> None:
    assert below(Path("/data/kim/tree/AN1"), Path("/data/kim/tree/AN1/AXL")) == "tree/AN1"
    assert below(Path("/AN1"), Path("/other")) == "AN1"
    assert below(Path("/a/b/c"), Path("/a")) == "b/c"


def test_classes_that_nobody_knows_are_counted_by_name(tmp_path: Path) -> None:
    label = make_case(tmp_path, "AN1")
    items = [
        {"object_name": "LabelPolyLine", "preset_name": "Sesamoid"},
        {"object_name": "LabelRect", "comment": "cyst"},
    ]
    (label / "AXL" / f"{stem('AN1')}_AXL_0000.json").write_text(
        json.dumps({"ArrayOfannotation_info": [*items, items[0]]})
    )
    write_angle_label(label / "ANGLE" / f"{stem('AN1')}_Angle.json", {"XYZ_Line1_Pt1": (1, 2, 3)})
    content = stats(tmp_path)
    assert content["not_understood"] == {
        "bone Sesamoid": 2,
        "landmark XYZ_Line1_Pt1": 1,
        "lesion of an unknown class": 1,
    }
    assert counts(content) == {"not_understood": 4}


def test_an_id_inside_a_file_that_is_not_the_folders_is_met(tmp_path: Path) -> None:
    label = make_case(tmp_path, "AN1")
    write_slice_label(
        label / "AXL" / f"{stem('AN1')}_AXL_0000.json",
        {"Talus": [SQUARE]},
        {},
        Clinical("SOMEONE ELSE"),
    )
    content = stats(tmp_path)
    assert counts(content) == {"case_id_differs": 1}
    assert "SOMEONE ELSE" not in json.dumps(content)


def test_two_folders_of_one_id_are_met(tmp_path: Path) -> None:
    for split in ("Training", "Validation"):
        make_case(tmp_path, "AN1", split=split)
    content = stats(tmp_path)
    assert counts(content) == {"duplicate_case_id": 2}
    assert examples(content, "duplicate_case_id") == [
        ("AN1", f"{split}/1.원천데이터/AD/AN1") for split in ("Training", "Validation")
    ]


def test_two_groups_with_a_folder_of_one_id_are_two_cases_without_images_too(
    tmp_path: Path,
) -> None:
    for group in ("AD", "FD"):
        make_case(tmp_path, "AN1", group)
    shutil.rmtree(tmp_path / "1.원천데이터")
    content = stats(tmp_path)
    assert counts(content) == {"duplicate_case_id": 2}
    assert (content["cases"], content["series"], content["planes"][0]["labels"]) == (2, 2, 2)


def test_details_that_name_no_disease_are_counted_and_never_shown(tmp_path: Path) -> None:
    make_case(tmp_path, "AN1", details=("Kim Cheolsu 1970-01-01", "OLT"))
    content = stats(tmp_path)
    assert counts(content, "missing")["detail_unknown"] == 1
    assert found(content, "diseases") == {"olt": 1}
    assert "Kim" not in json.dumps(content) + render(content)


def test_the_group_comes_from_the_names_where_no_file_tells_it(tmp_path: Path) -> None:
    make_case(tmp_path, "N1", "N", groups=(), details=())
    content = stats(tmp_path)
    assert [row["found"] for row in content["targets"] if row["topic"] == "group"] == [0, 0, 1]
    assert found(content, "diseases") == {"normal": 1}


def test_a_group_that_nothing_tells_is_counted(tmp_path: Path) -> None:
    label = tmp_path / "2.라벨링데이터" / "X" / "C1" / "AXL" / "1.json"
    write_slice_label(label, {"Talus": [SQUARE]}, {}, Clinical("C1", groups=("gout",)))
    content = stats(tmp_path)
    assert counts(content, "missing")["group_unknown"] == 1
    assert content["institutions"] == content["sides"] == {"unknown": 1}


def test_every_code_of_the_tables_has_a_test() -> None:
    text = Path(__file__).read_text("utf-8")
    assert [code for code in (*MISSING, *QUALITY) if f'"{code}"' not in text] == []


def test_no_pixel_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **options: object) -> None:
        raise AssertionError

    for name in [
        name
        for name in dir(pixels)
        if callable(getattr(pixels, name)) and getattr(pixels, name).__module__ == pixels.__name__
    ]:
        monkeypatch.setattr(pixels, name, never)
    make_case(tmp_path, "AN1")
    make_case(tmp_path, "AN2", groups=("??",), details=())
    assert stats(tmp_path)["cases"] == 2


def test_one_image_header_a_plane_tells_the_size(tmp_path: Path) -> None:
    label = make_case(tmp_path, "AN1")
    write_slice_label(label / "AXL" / f"{stem('AN1')}_AXL_0000.json", {"Talus": [SQUARE]}, {})
    save(tmp_path / "1.원천데이터" / "AD" / "AN1" / "AXL" / f"{stem('AN1')}_AXL_0000.dcm", ct())
    content = stats(tmp_path)
    assert counts(content) == {"polygon_outside_image": 1}
    assert counts(content, "missing") == {"size_unknown": 2}


def test_several_processes_give_what_one_gives(tmp_path: Path) -> None:
    for number in range(5):
        make_case(tmp_path, f"AN{number}", slices=2)
    write_slice_label(
        tmp_path / "2.라벨링데이터" / "AD" / "AN3" / "AXL" / f"{stem('AN3')}_AXL_0001.json", {}, {}
    )
    told: list[int] = []
    assert to_json(collect(tmp_path, 2, tell=lambda: told.append(1))) == to_json(
        collect(tmp_path, 1)
    )
    assert len(told) == 5


def test_a_tree_that_is_none_stops_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="does not exist"):
        collect(tmp_path / "none")
    (tmp_path / "a.json").write_bytes(b"{}")
    (tmp_path / "sub" / "b").mkdir(parents=True)
    with pytest.raises(SetupError, match="that it is a folder"):
        collect(tmp_path / "a.json")


def test_examples_and_foreign_names_stay_bounded() -> None:
    whole = Tally()
    for number in range(3):
        part = Tally()
        for k in range(150):
            part.add("unknown", f"bone {number}-{k}")
            part.note("quality", "empty_label", f"case{number}", str(k))
        whole.merge(part)
    assert whole.total("unknown") == 450
    assert len(whole.counts["unknown"]) == MOST_NAMES + 1
    assert whole.of("unknown", OTHER) == 450 - MOST_NAMES
    assert whole.of("quality", "empty_label") == 450
    assert whole.examples["empty_label"] == [("case0", str(k)) for k in range(MOST_EXAMPLES)]


@pytest.mark.parametrize(
    ("outline", "crosses"),
    [
        (SQUARE, False),
        (BOW_TIE, True),
        ([[0, 0], [4, 0], [4, 4]], False),
        ([[0, 0], [9, 0], [9, 9], [5, 0], [0, 9]], False),  # a corner on another edge touches
        ([[0, 0], [9, 0], [9, 9], [5, -1], [0, 9]], True),
        ([[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], False),  # the first point again
        ([[0, 0], [4, 0], [4, 0], [4, 4], [4, 0]], False),  # there and back
        ([[0.1, 0.1], [9.3, 0.1], [9.3, 9.7], [4.7, 0.1], [0.1, 9.7]], False),
        ([[3, 3]], False),
        ([[0, 0], [1e308, 1e308], [1e308, 0], [0, -1e308], [-1e308, 5]], False),
    ],
)
def test_edges_that_cross_are_told_from_edges_that_touch(outline: Any, crosses: bool) -> None:
    assert crosses_itself(np.array(outline, np.float64)) is crosses


@pytest.mark.parametrize("block", [2**20, 40])
def test_crossings_agree_with_a_search_pair_by_pair(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("footcli.stats.shapes._BLOCK", block)
    rng = np.random.default_rng(5)
    outlines = [
        rng.integers(0, 12, (rng.integers(3, 12), 2)).astype(np.float64) for _ in range(300)
    ]
    told = [crosses_itself(outline) for outline in outlines]
    assert told == [_pair_by_pair(outline.tolist()) for outline in outlines]
    assert 30 < sum(told) < 290


def _pair_by_pair(points: list[list[float]]) -> bool:
    edges = list(zip(points, points[1:] + points[:1], strict=True))

    def turn(a: list[float], b: list[float], c: list[float]) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    return any(
        turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0
        for a, b in edges
        for c, d in edges
    )


def test_the_edge_of_the_image_belongs_to_it() -> None:
    size = (64.0, 32.0)
    assert outside([np.array([[-0.5, -0.5], [64.0, 32.0]])], size) == 0
    assert (
        outside([np.array([[0.0, 0.0]]), np.array([[-0.6, 0.0]]), np.array([[0.0, 32.1]])], size)
        == 2
    )
    assert outside([], size) == 0
    assert not box_outside((0, 0, 64, 32), size)
    assert box_outside((0, -1, 4, 4), size)
    assert box_outside((0, 0, 4, 33), size)
    assert box_without_area((1, 1, 5, 1))
    assert not box_without_area((1, 1, 5, 2))


def test_shares_are_rounded_once() -> None:
    assert percent(round(42 / 61, DECIMALS)) == "68.9 %"
    assert percent(None) is None


def test_differences_are_written_with_their_sign() -> None:
    assert [points(x) for x in (0.2, -0.05, 0.0, None)] == ["+20.0", "−5.0", "0.0", None]


def test_the_terminal_tables_leave_out_what_was_not_met(tmp_path: Path) -> None:
    make_case(tmp_path, "AN1")
    content = stats(tmp_path)
    assert not any(title.startswith("Quality") for title, _, _ in tables(content))
    shown = tables(content)
    assert all(len(row) == len(columns) for _, columns, rows in shown for row in rows)
    targets = shown[0]
    assert targets[2][0] == ("Sex: female", 1, 1, "100.0 %", "50.0 %", "+50.0")
    (missing,) = [table for table in shown if table[0].startswith("Missing")]
    assert missing[2][0][:2] == ("size_unknown", 3)
    assert missing[2][0][3] == "AN1 AXL"


HOSTILE = "<script>document.title='hacked'"  # a slash would end a folder's name


def hostile_content(tmp_path: Path) -> dict[str, Any]:
    label = make_case(tmp_path, HOSTILE)
    item = {"object_name": "LabelPolyLine", "preset_name": "<img src=x onerror=alert(1)>{{7*7}}"}
    (label / "AXL" / f"{stem(HOSTILE)}_AXL_0000.json").write_text(
        json.dumps({"ArrayOfannotation_info": [item]})
    )
    write_slice_label(label / "SAG" / f"{stem(HOSTILE)}_SAG_0000.json", {}, {})
    return stats(tmp_path)


def test_a_name_from_a_file_is_shown_as_text(tmp_path: Path) -> None:
    html = render(hostile_content(tmp_path))
    assert "&lt;script&gt;document.title=" in html
    assert "bone &lt;img src=x onerror=alert(1)&gt;{{7*7}}" in html
    assert "<script" not in html
    assert "<img" not in html


def test_the_page_is_self_contained_and_its_tables_have_headers(tmp_path: Path) -> None:
    make_case(tmp_path, "AN1")
    write_page(tmp_path / "out" / "stats.html", stats(tmp_path))
    html = (tmp_path / "out" / "stats.html").read_text("utf-8")
    assert "http" not in html.replace('http-equiv="Content-Security-Policy"', "")
    assert html.count("<table") == html.count("<thead")
    assert "The two published age targets contradict each other" in html
    assert html.count('class="target"') == 11


@needs_chromium
def test_the_page_opens_in_a_browser_without_a_console_message(tmp_path: Path) -> None:
    write_page(tmp_path / "stats.html", hostile_content(tmp_path / "tree"))
    run = opened(tmp_path / "stats.html")
    assert "CONSOLE" not in run.stderr
    assert "<title>Data set statistics</title>" in run.stdout
    assert "&lt;script&gt;document.title=" in run.stdout
