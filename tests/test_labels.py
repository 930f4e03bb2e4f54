"""labels: annotation JSON, and masks to polygons and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from footcli.dataset.angle_labels import read_angle_label, read_angle_points, write_angle_label
from footcli.dataset.annotations import inside_image, read_slice_label, write_slice_label
from footcli.dataset.clinical import (
    Clinical,
    findings_named,
    first_stated,
    read_clinical,
    write_clinical,
)
from footcli.dataset.outlines import mask_of_polygons, polygons_of_mask
from footcli.dataset.series import SeriesName, series_name
from footcli.errors import TruthError
from footcli.names import finding_name

NEW = {
    "ClinicalInfo": {
        "Case_ID": "AN1",
        "Age": 47,
        "Sex": "F",
        "DiseaseMajorCode": "AD",
        "DiseaseDetail": ["OLT (거골) y;"],
    },
    "ArrayOfannotation_info": [
        {
            "object_name": "LabelPolyLine",
            "preset_name": "talus",
            "comment": "",
            "polyline_list": [
                {"pos_list": [{"X": 1, "Y": 2}, {"X": 4, "Y": 2}, {"X": 4, "Y": 6}]},
                {"pos_list": [{"X": 9, "Y": 9}]},
            ],
        },
        {
            "object_name": "LabelPolyLine",
            "preset_name": "1st Metararsal",
            "polyline_list": [{"pos_list": [{"X": 1, "Y": 1}, {"X": "?"}]}],
        },
        {"object_name": "LabelPolyLine", "preset_name": "Sesamoid", "polyline_list": []},
        {"object_name": "LabelPolyLine", "preset_name": "Tibia"},
        {
            "object_name": "LabelRect",
            "comment": "OLT (medial) 2)",
            "start_pos": {"X": 270, "Y": 220},
            "end_pos": {"X": 200, "Y": 265},
        },
        {
            "object_name": "LabelRect",
            "comment": "",
            "start_pos": {"X": 1, "Y": 1},
            "end_pos": {"X": 2, "Y": 2},
        },
        {"object_name": "LabelStar"},
        "nonsense",
    ],
}


def write(path: Path, content: Any, encoding: str = "utf-8") -> Path:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding=encoding)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_a_label_gives_polygons_boxes_and_counts_of_what_is_unknown(
    tmp_path: Path, encoding: str
) -> None:
    label = read_slice_label(write(tmp_path / "a.json", NEW, encoding))
    assert list(label.polygons) == ["Talus"]
    (outline,) = label.polygons["Talus"]
    assert outline.tolist() == [[1, 2], [4, 2], [4, 6]]
    assert label.boxes == {"OLT": ((200, 220, 270, 265),)}
    assert label.unknown == {
        "point without numbers": 1,
        "bone Sesamoid": 1,
        "lesion of an unknown class": 1,
        "object LabelStar": 1,
        "outline of fewer than three points": 1,
        "item that is no object": 1,
    }
    assert label.clinical == Clinical("AN1", 47, "F", ("AD",), ("OLT (거골) y;",))


def test_a_polygon_keeps_its_numbers_however_they_are_written_and_counts_the_rest(
    tmp_path: Path,
) -> None:
    odd = ["5", True, None, float("nan"), float("inf"), 10**400, [1]]
    start = [{"X": 1, "Y": 2.5}, {"x": 7, "y": 8}, *({"X": 4 + n, "Y": 4} for n in range(10))]
    runs = [[*start, {"X": x, "Y": 3}] for x in odd] + [["nonsense", *start]]
    item = {
        "object_name": "LabelPolyLine",
        "preset_name": "Tibia",
        "polyline_list": [{"pos_list": run} for run in runs],
    }
    label = read_slice_label(write(tmp_path / "a.json", {"ArrayOfannotation_info": [item]}))
    first, *others = [polygon.tolist() for polygon in label.polygons["Tibia"]]
    rest = [[1, 2.5], [7, 8], *([4 + n, 4] for n in range(10))]
    assert first == [*rest, [5, 3]]
    assert others == [rest] * 7
    assert label.unknown == {"point without numbers": 7}


def test_the_older_export_form_is_read(tmp_path: Path) -> None:
    points = [{"X": 1, "Y": 2}, {"X": 4, "Y": 2}, {"X": 4, "Y": 6}]
    old = {
        "ArrayOfannotation_info": [
            {
                "objectname": "LabelPolyLine",
                "xyvalue": {"label_val": {"preset_name": "Calcaneus"}, "pos_list": points},
            },
            {"objectname": "LabelLine", "start_pos": {"X": 1, "Y": 2}, "end_pos": {"X": 3, "Y": 4}},
        ]
    }
    label = read_slice_label(write(tmp_path / "a.json", old))
    assert label.polygons["Calcaneus"][0].shape == (3, 2)
    assert label.lines == ((1, 2, 3, 4),)
    assert label.clinical is None
    assert not label.unknown


def test_several_files_of_a_slice_are_one_label(tmp_path: Path) -> None:
    square, clinical = np.array([[1.0, 1], [4, 1], [4, 4]]), Clinical("AN1", 47.0)
    write_slice_label(
        tmp_path / "a.json", {"Talus": [square]}, {"OLT": [(1, 1, 2, 2)]}, Clinical("AN1")
    )
    write_slice_label(
        tmp_path / "b.json",
        {"Talus": [square + 5]},
        {"OLT": [(1, 1, 2, 2), (5, 5, 6, 6)]},
        clinical,
    )
    items = [
        {"object_name": "LabelLine", "start_pos": {"X": 1, "Y": 2}, "end_pos": {"X": 3, "Y": 4}},
        {"object_name": "LabelStar"},
    ]
    write(tmp_path / "c.json", {"ArrayOfannotation_info": [*items, items[1]]})
    write(tmp_path / "d.json", {"ArrayOfannotation_info": items})
    label = read_slice_label(*(tmp_path / f"{name}.json" for name in "abcd"))
    assert [piece.tolist() for piece in label.polygons["Talus"]] == [
        square.tolist(),
        (square + 5).tolist(),
    ]
    assert label.boxes == {"OLT": ((1, 1, 2, 2), (5, 5, 6, 6))}
    assert label.lines == ((1, 2, 3, 4),)
    assert label.unknown == {"object LabelStar": 3, "bone outlined in two files of a slice": 1}
    assert label.clinical == clinical
    (tmp_path / "c.json").write_bytes(b"{")
    with pytest.raises(TruthError, match=r"c\.json"):
        read_slice_label(*(tmp_path / f"{name}.json" for name in "abcd"))


@pytest.mark.parametrize(
    "points", [[[1, 1], [1, 1], [1, 1]], [[1, 1], [None, 4], [4, None], [9, 4]], [[1, 1], [4, 4]]]
)
def test_of_a_bone_whose_only_outline_is_no_good_nobody_can_tell(
    points: list[list[Any]], tmp_path: Path
) -> None:
    item = {
        "object_name": "LabelPolyLine",
        "preset_name": "Talus",
        "polyline_list": [{"pos_list": [{"X": x, "Y": y} for x, y in points]}],
    }
    label = read_slice_label(write(tmp_path / "a.json", {"ArrayOfannotation_info": [item]}))
    assert not label.polygons
    assert label.unknown
    assert label.void == {"Talus"}


@pytest.mark.parametrize(
    "corner", [{"X": "?"}, {"X": 1e400, "Y": 3}, {"X": 4, "Y": 1}, {"X": 400, "Y": 3}]
)
def test_of_a_lesion_whose_box_is_no_good_nobody_can_tell(
    corner: dict[str, Any], tmp_path: Path
) -> None:
    item = {
        "object_name": "LabelRect",
        "comment": "OLT",
        "start_pos": {"X": 1, "Y": 1},
        "end_pos": corner,
    }
    label = inside_image(
        read_slice_label(write(tmp_path / "a.json", {"ArrayOfannotation_info": [item]})), (20, 20)
    )
    assert not label.boxes
    assert label.unknown
    assert label.void == {"OLT"}


def test_what_one_file_of_a_slice_left_out_stays_left_out_beside_another_file(
    tmp_path: Path,
) -> None:
    good, broken = (
        [{"X": x, "Y": y} for x, y in ((1, 1), (9, 1), (9, 9))],
        [{"X": 1, "Y": 1}, {"X": "?"}, {"X": "?"}, {"X": 4, "Y": 4}],
    )
    item = {
        "object_name": "LabelPolyLine",
        "preset_name": "Tibia",
        "polyline_list": [{"pos_list": good}, {"pos_list": broken}],
    }
    write(tmp_path / "a.json", {"ArrayOfannotation_info": [item]})
    write_slice_label(tmp_path / "b.json", {}, {"OLT": [(1, 1, 2, 2)]})
    speck = {
        "object_name": "LabelPolyLine",
        "preset_name": "Talus",
        "polyline_list": [{"pos_list": good[:2]}],
    }
    write(tmp_path / "c.json", {"ArrayOfannotation_info": [speck]})
    write_slice_label(tmp_path / "d.json", {"Talus": [np.array([[1.0, 1], [4, 1], [4, 4]])]}, {})
    label = read_slice_label(*(tmp_path / f"{name}.json" for name in "abcd"))
    assert label.void == {"Tibia"}, "a speck beside an outline says nothing"


def test_a_box_given_twice_counts_once(tmp_path: Path) -> None:
    boxes = {"OLT": [(1, 1, 2, 2), (1, 1, 2, 2), (5, 5, 6, 6)]}
    write_slice_label(tmp_path / "a.json", {}, boxes)
    label = read_slice_label(tmp_path / "a.json")
    assert label.boxes == {"OLT": ((1, 1, 2, 2), (5, 5, 6, 6))}
    assert label.unknown == {"box given twice": 1}


def test_what_lies_beyond_the_image_is_left_out_and_counted(tmp_path: Path) -> None:
    square = np.array([[1.0, 1], [4, 1], [4, 4]])
    polygons = {
        "Talus": [square, square * [[1e300], [1], [1]]],
        "Tibia": [square - 9],
        "Fibula": [square + np.array([15.9, 5.5])],
    }
    boxes = {
        "OLT": [(1, 1, 2, 2), (-5, 1, 2, 2)],
        "Ankle Arthritis": [(1, 1, 1e300, 2)],
        "Tarsal Coalition": [(15, 5, 20, 10)],
    }
    write_slice_label(tmp_path / "a.json", polygons, boxes)
    label = inside_image(read_slice_label(tmp_path / "a.json"), (10, 20))
    assert {name: len(pieces) for name, pieces in label.polygons.items()} == {
        "Talus": 1,
        "Fibula": 1,
    }
    assert label.boxes == {"OLT": ((1, 1, 2, 2),), "Tarsal Coalition": ((15, 5, 20, 10),)}
    assert label.unknown == {"outline beyond the image": 2, "lesion box beyond the image": 2}
    assert label.void == {"Talus", "Tibia", "OLT", "Ankle Arthritis"}


@pytest.mark.parametrize("shift", [-0.49, -0.4, 0.0, 0.4, 0.49])
def test_points_of_an_outline_are_rounded_to_the_nearest_pixel(shift: float) -> None:
    mask = np.zeros((30, 40), np.bool_)
    mask[5:20, 8:25] = True
    moved = [piece + shift for piece in polygons_of_mask(mask)]
    assert np.array_equal(mask_of_polygons(moved, mask.shape), mask)


@pytest.mark.parametrize(
    "pixels",
    [
        [(3, 4)],
        [(3, 4), (3, 5)],
        [(3, 4), (4, 5)],
        [(3, 4), (4, 3)],
        [(3, 4), (3, 5), (3, 6)],
        [(3, 4), (4, 4), (5, 4)],
    ],
)
def test_a_speck_or_row_of_pixels_is_written_with_an_area_and_comes_back(
    tmp_path: Path, pixels: list[tuple[int, int]]
) -> None:
    mask = np.zeros((10, 12), np.bool_)
    mask[tuple(np.transpose(pixels))] = True
    write_slice_label(tmp_path / "a.json", {"Talus": polygons_of_mask(mask)}, {})
    label = read_slice_label(tmp_path / "a.json")
    assert not label.unknown
    assert np.array_equal(mask_of_polygons(label.polygons["Talus"], mask.shape), mask)
    x, y = label.polygons["Talus"][0].T
    assert abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) > 0.1


def test_a_comment_never_reaches_the_counts_and_a_preset_is_cut(tmp_path: Path) -> None:
    corners = {"start_pos": {"X": 1, "Y": 1}, "end_pos": {"X": 2, "Y": 2}}
    items = [
        {"object_name": "LabelRect", "comment": "Kim Minsoo 1961-03-02 OLT?", **corners},
        {"objectname": "LabelRect", "xyvalue": {"label_val": {"comment": "Kim Minsoo"}, **corners}},
        {"object_name": "LabelPolyLine", "preset_name": "Sesamoid " * 9},
    ]
    label = read_slice_label(write(tmp_path / "a.json", {"ArrayOfannotation_info": items}))
    assert label.unknown == {"lesion of an unknown class": 2, f"bone {('Sesamoid ' * 9)[:40]}": 1}
    assert not label.boxes


def test_points_that_are_left_out_are_counted(tmp_path: Path) -> None:
    whole = {"pt_name": "CPA_Line1_Pt1", "pt_pos": {"X": 1, "Y": 2, "Z": 3}}
    entries = [
        whole,
        whole | {"pt_name": 7},
        {"pt_name": "CPA_Line1_Pt2", "pt_pos": {"X": 1, "Y": 2}},
        "nonsense",
    ]
    path = write(
        tmp_path / "a.json",
        {"ArrayOfannotation_info": [{"anglePoint_list": entries}, {"anglePoint_list": 3}]},
    )
    assert read_angle_points(path) == ({"CPA_Line1_Pt1": (1, 2, 3)}, 3)
    assert read_angle_label(path) == {"CPA_Line1_Pt1": (1, 2, 3)}


def test_the_findings_of_a_case_are_what_its_details_name() -> None:
    def named(details: tuple[str, ...], *groups: str) -> set[str]:
        return set(findings_named(Clinical(groups=groups, details=details)))

    assert named(("Flatfoot (x); 무지 외반증;", "OLT"), "FD", "AD") == {
        "flat_foot",
        "hallux_valgus",
        "olt",
    }
    assert named((), "N") == named(("정상",), "AD") == {"normal"}
    assert named(("normal; OLT",), "N") == {"olt"}
    assert named((), "N", "AD") == named(()) == named(("gout",), "N") == named((), "AD") == set()


def test_the_first_clinical_file_that_says_something_counts(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"{")
    write_clinical(tmp_path / "b.json", Clinical("AN1"))
    write_clinical(tmp_path / "c.json", Clinical("AN1", 40.0))
    write_clinical(tmp_path / "d.json", Clinical("AN1", 50.0))
    (tmp_path / "e.json").write_bytes(b"[]")
    paths = [tmp_path / f"{name}.json" for name in "abcde"]
    assert first_stated(paths) == (Clinical("AN1", 40.0), 2)
    assert first_stated(paths[:2]) == (None, 1)


def test_an_empty_label_is_a_label(tmp_path: Path) -> None:
    label = read_slice_label(write(tmp_path / "a.json", {"ArrayOfannotation_info": []}))
    assert not label.polygons
    assert not label.boxes


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"{", r"a\.json is not valid JSON \(line 1, column 2\)"),
        (b"\xff\xfe{}", "neither UTF-8 nor Korean"),
        (
            b'{"shapes": [], "imagePath": "x"}',
            "holds no ArrayOfannotation_info: it is of another tool",
        ),
        (
            b'{"ArrayOfannotation_info": [{"object_name": "a", "object_name": "b"}]}',
            "gives the key object_name twice",
        ),
        (b"[]", "a JSON object is expected"),
        (b'{"ArrayOfannotation_info": 3}', "/ArrayOfannotation_info is no list"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_a_malformed_file_is_named_with_its_fault(tmp_path: Path, data: bytes, match: str) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(TruthError, match=match):
        read_slice_label(tmp_path / "a.json")


def test_a_missing_file_is_a_truth_error(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match="cannot be read"):
        read_clinical(tmp_path / "none.json")


def test_a_written_label_reads_back(tmp_path: Path) -> None:
    polygons = {"Talus": [np.array([[1.0, 2], [4, 2], [4, 6.5]])], "Tibia": []}
    boxes = {"Hallux Valgus": [(1.0, 2.0, 30.0, 40.5)]}
    clinical = Clinical("C1", 31.0, "M", ("FD",), ("Hallux valgus",))
    write_slice_label(tmp_path / "a.json", polygons, boxes, clinical)
    label = read_slice_label(tmp_path / "a.json")
    assert list(label.polygons) == ["Talus"]
    assert np.array_equal(label.polygons["Talus"][0], polygons["Talus"][0])
    assert label.boxes == {"Hallux Valgus": ((1, 2, 30, 40.5),)}
    assert label.clinical == clinical
    assert '"X": 1,' in (tmp_path / "a.json").read_text()


def test_angle_points_read_back_under_their_usual_names(tmp_path: Path) -> None:
    points = {"TMA_Line1_Pt1": (212.0, 150.0, 190.5), "Extra": (1.0, 2.0, 3.0)}
    write_angle_label(tmp_path / "a.json", points)
    assert read_angle_label(tmp_path / "a.json") == points
    entries = [
        {"pt_name": "tma_line1_pt1 ", "pt_pos": {"X": "5", "Y": 6, "Z": 7}},
        {"pt_name": "TMA_Line1_Pt2", "pt_pos": {"X": 5, "Y": 6}},
        {"pt_pos": {"X": 5, "Y": 6, "Z": 1}},
    ]
    write(
        tmp_path / "b.json",
        {"ArrayOfannotation_info": [{"anglePoint_list": entries}, {"object_name": "x"}]},
    )
    assert read_angle_label(tmp_path / "b.json") == {"TMA_Line1_Pt1": (5, 6, 7)}


def test_a_point_given_twice_at_different_places_is_an_error(tmp_path: Path) -> None:
    entries = [{"pt_name": "TMA_Line1_Pt1", "pt_pos": {"X": n, "Y": 6, "Z": 7}} for n in (1, 2)]
    write(tmp_path / "a.json", {"ArrayOfannotation_info": [{"anglePoint_list": entries}]})
    with pytest.raises(TruthError, match="TMA_Line1_Pt1 twice"):
        read_angle_label(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {
                "Case_ID": "C",
                "Age": 47,
                "Sex": "F",
                "Disease": ["AD", "FD"],
                "DiseaseDetail": ["a", "b"],
            },
            Clinical("C", 47, "F", ("AD", "FD"), ("a", "b")),
        ),
        (
            {"Age": "047Y", "Sex": "남", "Disease": [], "DiseaseDetail": None},
            Clinical(None, 47, "M"),
        ),
        ({"Age": 400, "Sex": 3}, Clinical()),
        ({"ClinicalInfo": {"Case_ID": "D"}}, Clinical("D")),
    ],
)
def test_clinical_information_is_read_tolerantly(
    tmp_path: Path, content: Any, expected: Clinical
) -> None:
    assert read_clinical(write(tmp_path / "c.json", content)) == expected


def test_clinical_information_reads_back(tmp_path: Path) -> None:
    clinical = Clinical("C1", 31.5, "F", ("N",), ())
    write_clinical(tmp_path / "c.json", clinical)
    assert read_clinical(tmp_path / "c.json") == clinical


def test_a_mask_without_holes_comes_back_from_its_polygons() -> None:
    rng = np.random.default_rng(3)
    for _ in range(40):
        rough = ndimage.gaussian_filter(rng.normal(size=(60, 50)), rng.uniform(0.6, 4))
        mask = ndimage.binary_fill_holes(rough > np.quantile(rough, rng.uniform(0.3, 0.95)))
        assert np.array_equal(mask_of_polygons(polygons_of_mask(mask), mask.shape), mask)


def test_single_pixels_lines_and_pixels_at_the_border_survive() -> None:
    mask = np.zeros((9, 9), np.bool_)
    mask[4, 4] = mask[0, :4] = mask[8, 8] = mask[7, 7] = True
    assert np.array_equal(mask_of_polygons(polygons_of_mask(mask), mask.shape), mask)
    assert polygons_of_mask(np.zeros((4, 4), np.bool_)) == []


def test_polygons_hold_corners_only_and_leave_holes_out() -> None:
    mask = np.zeros((40, 40), np.bool_)
    mask[5:30, 10:35] = True
    mask[12:20, 15:25] = False
    (polygon,) = polygons_of_mask(mask)
    assert {tuple(point) for point in polygon.tolist()} == {(10, 5), (34, 5), (34, 29), (10, 29)}


def test_points_outside_the_image_are_cut_off_by_it() -> None:
    mask = mask_of_polygons([np.array([[-50.0, -50], [5, -50], [5, 5], [-50, 5]])], (10, 8))
    assert mask.shape == (10, 8)
    assert mask.sum() == 36


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Flatfoot (synthetic)", "flat_foot"),
        ("요족", "cavus_foot"),
        ("OLT (talus) left;", "olt"),
        ("부주상골 증후군", "accessory_navicular"),
        ("정상", "normal"),
        ("Flatfoot or Cavus", None),
        ("gout", None),
        ("", None),
    ],
)
def test_a_line_of_disease_detail_is_read_by_the_table(text: str, name: str | None) -> None:
    assert finding_name(text) == name


def test_a_file_name_tells_institution_and_side() -> None:
    assert series_name("A_H07_N_9999999999_ST01_L_AXL_0295") == SeriesName(
        "H07", "N", "9999999999", "L"
    )
    assert series_name("A_H07_N_9999999999_ST01_L") == SeriesName("H07", "N", "9999999999", "L")
    assert series_name("IM_0001") is None
