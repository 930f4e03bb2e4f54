"""walk: a folder tree -> cases; and the file helpers below it."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from footcli.domain import CaseRef, Plane
from footcli.errors import ReadError, SetupError
from footcli.identity import scan_id
from footcli.read.case import read_as_stored
from footcli.system.files import write_atomic
from footcli.system.names import SLUG_LIMIT, safe_text, slug
from footcli.walk.tree import find_cases, find_homes, list_cases

SERIES = "A_H07_N_9999999999_ST01_L"


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def ids(root: Path) -> list[str]:
    return [case.case_id for case in find_cases(root)]


def one(root: Path) -> CaseRef:
    (case,) = find_cases(root)
    return case


def split_tree(
    root: Path,
    case_id: str = "AN00000001",
    group: str = "AD",
    form: str = "NFC",
    image: str = "",
    label: str = "",
) -> None:
    images = root / unicodedata.normalize(form, "1.원천데이터") / image / group / case_id
    labels = root / unicodedata.normalize(form, "2.라벨링데이터") / label / group / case_id
    for plane in Plane:
        for number in (1, 2):
            touch(
                images / plane / f"{SERIES}_{plane}_{number:04d}.dcm",
                labels / plane / f"{SERIES}_{plane}_{number:04d}.json",
            )
    touch(labels / "ANGLE" / f"{SERIES}_Angle.json", images / "CLINICALINFO" / "info.json")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_split_tree_pairs_images_labels_angles_and_clinical_files(
    tmp_path: Path, form: str
) -> None:
    split_tree(tmp_path, form=form)
    case = one(tmp_path)
    assert (case.case_id, case.layout) == ("AN00000001", "dataset")
    assert {plane: len(paths) for plane, paths in case.images.items()} == {
        Plane.AXL: 2,
        Plane.COR: 2,
        Plane.SAG: 2,
    }
    for plane, paths in case.images.items():
        assert [path.stem for path in paths] == list(case.labels[plane])
    assert len(case.angle_files) == len(case.clinical_files) == 1
    assert "AXL" in {path.parent.name for path in case.images[Plane.AXL]}
    assert case.images[Plane.AXL][0].is_file()


def test_training_and_validation_cases_of_one_name_keep_their_own_labels(tmp_path: Path) -> None:
    for part, letter in (("Training", "T"), ("Validation", "V")):
        split_tree(tmp_path / part, image=f"{letter}S_AD", label=f"{letter}L_AD")
    cases = find_cases(tmp_path)
    assert len({case.case_id.casefold() for case in cases}) == 2
    for case in cases:
        part = case.folder.relative_to(tmp_path).parts[0]
        assert all(
            part in path.parts
            for stems in case.labels.values()
            for files in stems.values()
            for path in files
        )
        assert len(case.labels[Plane.AXL]) == 2


def test_everything_together_in_one_case_folder_is_one_case(tmp_path: Path) -> None:
    folder = tmp_path / "Cone-Beam CT" / "AD" / "H07-1"
    for plane in Plane:
        touch(folder / f"{SERIES}_{plane}_0001.dcm", folder / f"{SERIES}_{plane}_0001.json")
    touch(folder / f"{SERIES}_Angle.json", folder / "clinical.json")
    case = one(tmp_path)
    assert (case.case_id, case.folder, case.layout) == ("H07-1", folder, "dataset")
    assert set(case.images) == set(case.labels) == set(Plane)
    assert (len(case.angle_files), len(case.clinical_files)) == (1, 1)
    assert one(folder).case_id == "H07-1"


def test_plane_folders_with_images_and_labels_together_are_one_case(tmp_path: Path) -> None:
    touch(
        tmp_path / "C1" / "AXL" / "x_1.dcm",
        tmp_path / "C1" / "AXL" / "x_1.json",
        tmp_path / "C1" / "ANGLE" / "a_Angle.json",
    )
    case = one(tmp_path)
    assert list(case.labels[Plane.AXL]) == ["x_1"]
    assert one(tmp_path / "C1").case_id == "C1"


def test_the_older_layout_with_a_box_folder_is_read(tmp_path: Path) -> None:
    touch(tmp_path / "C1" / "AXL" / "x_1.dcm", tmp_path / "C1" / "BBOX" / "AXL" / "x_1.json")
    assert list(one(tmp_path).labels[Plane.AXL]) == ["x_1"]


def test_outlines_and_boxes_of_one_slice_that_lie_apart_are_both_kept(tmp_path: Path) -> None:
    files = [tmp_path / "C1" / "BBOX" / "COR" / "x_1.json", tmp_path / "C1" / "COR" / "x_1.json"]
    touch(tmp_path / "C1" / "COR" / "x_1.dcm", *files)
    assert one(tmp_path).labels == {Plane.COR: {"x_1": tuple(files)}}


def test_labels_without_images_are_still_a_case(tmp_path: Path) -> None:
    touch(tmp_path / "라벨링데이터" / "FD" / "C7" / "COR" / "x_1.json")
    case = one(tmp_path)
    assert case.case_id == "C7"
    assert not any(case.images.values())
    with pytest.raises(ReadError, match="no images in AXL, COR or SAG"):
        read_as_stored(case)


def test_label_folders_of_one_name_in_two_groups_are_two_cases(tmp_path: Path) -> None:
    root = tmp_path / "AD"  # a name above the tree tells nothing
    for group in ("AD", "FD"):
        touch(root / "라벨링데이터" / group / "AN1" / "AXL" / "x_1.json")
    cases = find_cases(root)
    assert [case.case_id for case in cases] == ["AD_AN1", "FD_AN1"]
    for case in cases:
        (file,) = case.labels[Plane.AXL]["x_1"]
        assert file.is_relative_to(case.folder)


def test_a_clinical_file_without_a_group_folder_joins_the_labels_of_its_name(
    tmp_path: Path,
) -> None:
    labels = tmp_path / "2.라벨링데이터" / "AD" / "AN1" / "AXL" / "x_1.json"
    clinical = tmp_path / "1.원천데이터" / "AN1" / "CLINICALINFO" / "c.json"
    touch(labels, clinical)
    case = one(tmp_path)
    assert (case.case_id, case.labels, case.clinical_files) == (
        "AN1",
        {Plane.AXL: {"x_1": (labels,)}},
        (clinical,),
    )
    touch(
        tmp_path / "2.라벨링데이터" / "FD" / "AN1" / "AXL" / "x_1.json"
    )  # now nothing tells whose it is
    assert sorted(
        len(case.clinical_files) + 10 * len(case.labels) for case in find_cases(tmp_path)
    ) == [1, 10, 10]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_labels_of_another_group_do_not_mix_with_those_of_the_images(
    tmp_path: Path, form: str
) -> None:
    split_tree(tmp_path, "AN1", "FD", form)
    touch(tmp_path / "2.라벨링데이터" / "AD" / "AN1" / "AXL" / f"{SERIES}_AXL_0001.json")
    whole, lonely = sorted(find_cases(tmp_path), key=lambda case: not case.images)
    assert {files[0].parent.parent.parent.name for files in whole.labels[Plane.AXL].values()} == {
        "FD"
    }
    assert all(len(files) == 1 for files in whole.labels[Plane.AXL].values())
    assert len(whole.clinical_files) == 1
    assert list(lonely.labels[Plane.AXL]) == [f"{SERIES}_AXL_0001"]


def test_outlines_and_boxes_in_trees_of_their_own_both_reach_the_images(tmp_path: Path) -> None:
    touch(
        *(
            tmp_path / part / "AD" / "AN1" / "COR" / f"x_1.{end}"
            for part, end in (("a", "dcm"), ("b", "json"), ("c", "json"))
        )
    )
    assert len(one(tmp_path).labels[Plane.COR]["x_1"]) == 2


def test_two_feet_in_one_case_folder_are_two_cases(tmp_path: Path) -> None:
    for side in "LR":
        stem = f"A_H07_N_1_ST01_{side}"
        touch(
            tmp_path / "C1" / "AXL" / f"{stem}_AXL_0001.dcm",
            tmp_path / "C1" / "ANGLE" / f"{stem}_Angle.json",
        )
    touch(tmp_path / "C1" / "CLINICALINFO" / "c.json")
    cases = find_cases(tmp_path)
    assert [case.case_id for case in cases] == ["C1_ST01_L", "C1_ST01_R"]
    for case in cases:
        assert (len(case.images[Plane.AXL]), len(case.angle_files), len(case.clinical_files)) == (
            1,
            1,
            1,
        )


def test_a_plain_folder_of_files_is_one_case_and_a_file_is_too(tmp_path: Path) -> None:
    touch(
        tmp_path / "wbct" / "b.dcm",
        tmp_path / "wbct" / "a.dcm",
        tmp_path / "wbct" / "notes.txt",
        tmp_path / "wbct" / ".DS_Store",
    )
    case = one(tmp_path / "wbct")
    assert (case.case_id, case.layout) == ("wbct", "plain")
    assert [path.name for path in case.images[None]] == ["a.dcm", "b.dcm", "notes.txt"]
    assert one(tmp_path).case_id == "wbct"
    assert one(tmp_path / "wbct" / "a.dcm").images[None] == (tmp_path / "wbct" / "a.dcm",)


def test_a_read_me_beside_the_cases_is_no_case(tmp_path: Path) -> None:
    touch(tmp_path / "README.md", tmp_path / "DICOMDIR", tmp_path / "a" / "1", tmp_path / "b" / "1")
    assert ids(tmp_path) == ["a", "b"]


def test_an_empty_folder_is_reported_and_never_dropped(tmp_path: Path) -> None:
    assert one(tmp_path).images == {None: ()}
    touch(tmp_path / "good" / "1.dcm")
    (tmp_path / "bad").mkdir()
    bad, good = find_cases(tmp_path)
    assert (bad.case_id, good.case_id) == ("bad", "good")
    with pytest.raises(ReadError, match="no regular files") as caught:
        read_as_stored(bad)
    assert caught.value.code == "no_images"


def test_cases_of_one_id_get_different_ids(tmp_path: Path) -> None:
    touch(
        *(
            tmp_path / folder / "1"
            for folder in (
                "x/foot",
                "y/FOOT",
                "y/foot",
                "x--foot",
                "q/x/foot",
                "q--x/foot",
                "q/x--foot",
            )
        )
    )
    found = ids(tmp_path)
    assert len({case_id.casefold() for case_id in found}) == 7
    assert found == ids(tmp_path)
    assert {"x--foot", "y--FOOT", "q--x--foot"} <= set(found)


def test_a_year_in_the_name_of_a_folder_is_no_copy(tmp_path: Path) -> None:
    root = tmp_path / "Data (2023)" / "AN1"
    name = f"{SERIES}_AXL_0001"
    touch(
        root / "AXL" / f"{name}.dcm",
        root / "AXL" / f"{name}.json",
        root / "BBOX" / "AXL" / f"{name}.json",
    )
    for top in (tmp_path, tmp_path / "Data (2023)"):
        case = one(top)
        assert len(case.labels[Plane.AXL][f"{SERIES}_AXL_0001"]) == 2
        assert case.copies == ()


def test_a_stray_label_of_another_number_does_not_make_two_patients_of_one(tmp_path: Path) -> None:
    touch(*(tmp_path / "AN1" / "AXL" / f"{SERIES}_AXL_000{k}.dcm" for k in range(3)))
    touch(tmp_path / "AN1" / "AXL" / "A_H07_N_8888888888_ST01_L_AXL_0001.json")
    assert not any(case.several_patients for case in find_cases(tmp_path))


def test_a_copied_folder_of_labels_leaves_the_case_with_images_its_name(tmp_path: Path) -> None:
    name = "A_H07_AD_0000000001_ST01_L"
    touch(tmp_path / "1.원천데이터" / "AD" / "AN1" / "AXL" / f"{name}_AXL_0001.dcm")
    for folder in ("2.라벨링데이터", "2.라벨링데이터 - 복사본", "backup/2.라벨링데이터"):
        touch(tmp_path / folder / "AD" / "AN1" / "AXL" / f"{name}_AXL_0001.json")
        touch(tmp_path / folder / "AD" / "AN2" / "AXL" / f"{name}_AXL_0001.json")
    found = {case.case_id: bool(case.images) for case in find_cases(tmp_path)}
    assert found["AN1"]
    assert "AN2" in found
    assert [case_id for case_id, seen in found.items() if seen] == ["AN1"]
    assert {place.case_id for place in list_cases(tmp_path)} == set(found)
    (whole,) = (case for case in find_cases(tmp_path) if case.case_id == "AN1")
    assert [[path.parts[-5] for path in files] for files in whole.labels[Plane.AXL].values()] == [
        ["2.라벨링데이터", "2.라벨링데이터"]
    ]
    assert [path.parts[-5] for path in whole.copies] == ["2.라벨링데이터 - 복사본"], (
        "it is called a copy"
    )


@pytest.mark.parametrize("mark", [" (1)", "(2)", " - Copy", " - 복사본", " - Copy (2)"])
def test_a_second_download_of_a_slice_is_left_out_and_a_lone_one_is_the_slice(
    mark: str, tmp_path: Path
) -> None:
    name = "A_H07_AD_0000000001_ST01_L_AXL_0001"
    touch(tmp_path / "AN1" / "AXL" / f"{name}.dcm", tmp_path / "AN1" / "AXL" / f"{name}{mark}.dcm")
    touch(tmp_path / "AN1" / "AXL" / f"{name[:-1]}2{mark}.dcm")
    case = one(tmp_path)
    assert [path.name for path in case.images[Plane.AXL]] == [
        f"{name}.dcm",
        f"{name[:-1]}2{mark}.dcm",
    ]
    assert [path.name for path in case.copies] == [f"{name}{mark}.dcm"]


@pytest.mark.parametrize(
    "names",
    [
        ("P1", "CT"),
        ("P1", "CT", "a", "b"),
        ("P1-L",),
        ("P1+L",),
        ("P1--CT",),
        ("P1-", "-CT"),
        ("a_b",),
    ],
)
def test_an_id_is_the_same_whatever_lies_beside_the_case(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    touch(tmp_path.joinpath(*names) / "1")
    (alone,) = ids(tmp_path)
    touch(
        *(
            tmp_path / other / "1"
            for other in ("P2/CT", "CT", "P1/MR", "a/b", "P1/L", "P1", "P3/P1-L", "b")
        )
    )
    assert alone in ids(tmp_path)
    assert len(set(ids(tmp_path))) == len(ids(tmp_path))
    assert scan_id(alone) == alone, "no case has the id of another one's foot"


def test_links_and_special_files_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "1.dcm", tmp_path / "outside.txt")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "2.dcm").symlink_to(tmp_path / "outside.txt")
    os.mkfifo(tmp_path / "a" / "pipe")
    assert [path.name for path in one(tmp_path / "a").images[None]] == ["1.dcm"]


def test_a_root_that_does_not_exist_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="does not exist"):
        find_cases(tmp_path / "none")


@pytest.mark.skipif(
    sys.platform != "linux", reason="needs a file system that takes any bytes as a name"
)
def test_a_korean_name_in_another_encoding_becomes_text_and_still_opens(tmp_path: Path) -> None:
    raw = os.path.join(os.fsencode(tmp_path), "환자".encode("cp949"))  # noqa: PTH118
    os.mkdir(raw)  # noqa: PTH102
    with open(os.path.join(raw, b"1.dcm"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(b"x")
    case = one(tmp_path)
    assert case.case_id == "환자"
    assert case.images[None][0].is_file()


def test_half_a_character_becomes_text() -> None:
    assert safe_text("a\ud800b") == "a\\ud800b"


def test_text_from_a_name_holds_no_control_characters() -> None:
    assert safe_text("a\x1b[31m\n\u202eb") == "a\\x1b[31m\\x0a\\x202eb"


@pytest.mark.parametrize("name", ["AN00000001", "환자-1", "a_b.c"])
def test_a_good_id_is_its_own_folder_name(name: str) -> None:
    assert slug(name) == name


def test_the_two_unicode_forms_of_a_name_give_one_folder() -> None:
    assert slug(unicodedata.normalize("NFD", "환자")) == "환자"


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "../x",
        "a/b",
        "a\\b",
        "CON",
        "nul.txt",
        "x" * 300,
        "환" * 200,
        ".hidden",
        "a ",
        "a:b",
        "\udcff",
    ],
)
def test_a_bad_id_becomes_a_safe_folder_name_of_its_own(name: str) -> None:
    made = slug(name)
    assert made != name
    assert 0 < len(made.encode()) <= SLUG_LIMIT
    assert not set(made) & set('/\\:*?"<>| \0')
    assert not made.startswith(".")
    assert made.split(".")[0].casefold() not in ("con", "nul")
    assert slug(name + "!") != made


def test_a_write_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sub" / "a.json"
    write_atomic(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]


def test_homes_hold_no_file_names_and_give_the_same_cases(tmp_path: Path) -> None:
    for part, letter in (("Training", "T"), ("Validation", "V")):
        split_tree(tmp_path / part, image=f"{letter}S_AD", label=f"{letter}L_AD")
    split_tree(tmp_path, "FN00000002", "N")
    both = tmp_path / "C1" / "AXL"
    touch(
        tmp_path / "wbct" / "1.dcm",
        both / f"{SERIES}_AXL_1.dcm",
        both / f"{SERIES[:-1]}R_AXL_1.dcm",
    )
    homes = find_homes(tmp_path)
    assert [home.name for home in homes] == ["FN00000002", "C1", "AN00000001", "AN00000001", "wbct"]
    assert all(files is None for home in homes for files in home.folders.values())
    found = [case for home in homes for case in home.cases()]
    assert [replace(case, case_id="") for case in found] == [
        replace(case, case_id="") for case in find_cases(tmp_path)
    ]
    assert [case.case_id for case in found if case.folder.name == "C1"] == [
        "C1_ST01_L",
        "C1_ST01_R",
    ]


def test_homes_are_looked_for_in_a_folder_only(tmp_path: Path) -> None:
    touch(tmp_path / "a.dcm")
    with pytest.raises(SetupError, match="that it is a folder"):
        find_homes(tmp_path / "a.dcm")


def test_places_are_the_cases_of_the_tree_without_their_files(tmp_path: Path) -> None:
    for group in ("AD", "FD"):
        for name in ("a_ST01_L_AXL_0001.json", "a_ST01_R_AXL_0001.json"):
            touch(tmp_path / "2.라벨링데이터" / group / "AN1" / "AXL" / name)
    touch(tmp_path / "plain" / "x.dcm")
    cases, places = find_cases(tmp_path), list_cases(tmp_path)
    assert [place.case_id for place in places] == [case.case_id for case in cases]
    assert len({place.case_id for place in places}) == 5
    assert [place.open() for place in places] == list(cases)
    assert [place.labelled for place in places] == [bool(case.labels) for case in cases]


def test_what_is_left_out_of_a_tree_is_counted(tmp_path: Path) -> None:
    touch(tmp_path / "cd" / "DICOM" / "1", tmp_path / "cd" / "viewer" / "run.exe")
    touch(tmp_path / "cd" / "viewer" / "lib" / "a.dll", tmp_path / "cd" / "help" / "index.html")
    (tmp_path / "cd" / "linked").symlink_to(tmp_path / "cd" / "DICOM")
    notes: Counter[str] = Counter()
    assert [case.case_id for case in find_cases(tmp_path / "cd", notes)] == ["DICOM"]
    assert notes == {"links": 1, "no_images": 2}


def test_a_tree_without_any_image_is_still_a_case_that_says_so(tmp_path: Path) -> None:
    touch(tmp_path / "scan.txt")
    assert len(find_cases(tmp_path)) == 1
