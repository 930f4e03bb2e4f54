"""evaluate: the whole way from folders to numbers, on cases worked by hand; what does not line up;
the validators' quirks.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_truth import block, stem, write_result, write_truth

from footcli.dataset.clinical import Clinical
from footcli.domain import Lesion, Level, Plane
from footcli.errors import TruthError
from footcli.evaluate.bones import ROW, surface_distances
from footcli.evaluate.boxes import SliceBox, hits, link
from footcli.evaluate.gather import gather
from footcli.evaluate.pairs import line_up
from footcli.evaluate.run import evaluate
from footcli.evaluate.validators import linear_ap
from footcli.evaluate.volumes import case_dice
from footcli.kinds import landmark_names
from footcli.store.journal import JOURNAL

SHAPE = (6, 40, 50)
TRUE = block(
    SHAPE,
    {
        3: (slice(1, 5), slice(10, 20), slice(10, 20)),
        4: (slice(1, 5), slice(25, 35), slice(10, 30)),
    },
)
# the talus a fifth too narrow (IoU 0.8 in every slice), the calcaneus right
FOUND = block(
    SHAPE,
    {
        3: (slice(1, 5), slice(10, 20), slice(10, 18)),
        4: (slice(1, 5), slice(25, 35), slice(10, 30)),
    },
)
OLT = (20.0, 8.0, 30.0, 16.0)


def _run(tmp_path: Path, **options: Any) -> dict[str, Any]:
    return evaluate(tmp_path / "out", tmp_path / "tree", **options)


def _pose(shift: float = 0.0) -> dict[str, tuple[float, float, float]]:
    """The points of CPA: line 1 rises by 45 deg forward (towards low y), line 2 lies flat.

    Voxels.
    """
    places = [
        (20.0, 30.0, 1.0 + shift),
        (20.0, 26.0 + shift, 5.0 + shift),
        (20.0, 30.0, 0.0),
        (20.0, 10.0, 0.0),
    ]
    return dict(zip(landmark_names("CPA"), places, strict=True))


def test_one_case_worked_by_hand(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE, planes=(Plane.AXL,))
    write_result(tmp_path / "out", case, FOUND, sure={"Talus": 0.9, "Calcaneus": 0.8})
    found = _run(tmp_path)
    talus, heel = found["bones"]["per_class"]["Talus"], found["bones"]["per_class"]["Calcaneus"]
    assert talus["dice"] == pytest.approx(2 * 80 / 180)
    assert talus["ap"] == pytest.approx(0.7)  # IoU 0.8: right at 0.50 .. 0.80
    assert (heel["dice"], heel["ap"], heel["hd95_mm"]) == (1.0, pytest.approx(1.0), 0.0)
    assert found["bones"]["dice"] == pytest.approx((1 + 160 / 180) / 2)
    assert found["bones"]["map"] == pytest.approx(0.85)
    assert found["bones"]["map50"] == pytest.approx(1.0)
    assert (talus["n_slices"], talus["n_cases"], talus["n_not_found"]) == (4, 1, 0)
    assert talus["hd95_mm"] == pytest.approx(
        2 * 0.5
    )  # the missing rim is two voxels of 0.5 mm wide
    assert found["bones"]["per_class"]["Tibia"]["dice"] is None
    assert (found["n_cases"], found["landmarks"]["map"], found["landmarks"]["why"]) == (
        1,
        None,
        "the truth holds no key points",
    )
    assert found["lesions"]["map"] is None
    json.dumps(found, allow_nan=False)


def test_a_bone_in_slices_where_there_is_none_and_one_not_found_cost_precision_and_recall(
    tmp_path: Path,
) -> None:
    more = FOUND.copy()
    more[0, 10:20, 10:20] = (
        3  # one slice too many, ranked first: its case is as sure as the others, and it comes first
    )
    more[more == 4] = 0
    case = write_truth(tmp_path / "tree", 1, TRUE, planes=(Plane.AXL,))
    write_result(tmp_path / "out", case, more)
    found = _run(tmp_path)["bones"]["per_class"]
    assert found["Talus"]["ap50"] == pytest.approx(4 / 5)  # precision 0.8 at every recall
    assert found["Talus"]["dice"] == pytest.approx(2 * 320 / (400 + 420))
    assert (
        found["Calcaneus"]["dice"],
        found["Calcaneus"]["ap"],
        found["Calcaneus"]["n_not_found"],
    ) == (0.0, 0.0, 1)
    assert found["Calcaneus"]["hd95_mm"] is None


@pytest.mark.parametrize("seed", range(3))
def test_masks_score_as_in_pycocotools_without_ever_being_kept(tmp_path: Path, seed: int) -> None:
    mask = pytest.importorskip("pycocotools.mask")
    from footcli.evaluate.coco import average_precision
    from footcli.evaluate.tables import bone_problem, image_ids, ranked_bones

    oracle = pytest.importorskip("pycocotools.cocoeval")
    coco = pytest.importorskip("pycocotools.coco")
    rng = np.random.default_rng(seed)
    volumes = []
    for number in range(3):
        pair = []
        for _ in range(2):
            labels = np.zeros((12, 30, 30), np.uint8)
            for z in range(12):
                for bone in (1, 2, 3):
                    if rng.random() < 0.8:
                        y, x, h, w = (
                            *(rng.integers(0, 4, 2) + 9 * (bone - 1)),
                            *rng.integers(4, 9, 2),
                        )
                        labels[z, y : y + h, x : x + w] = bone
            pair.append(labels)
        # near misses, not chance: the result is the truth with some slices of its own
        pair[1] = np.where(
            rng.random((12, 1, 1)) < 0.7, np.roll(pair[0], rng.integers(0, 2), 2), pair[1]
        ).astype(np.uint8)
        case = write_truth(tmp_path / "tree", number, pair[0], planes=(Plane.AXL,))
        write_result(
            tmp_path / "out",
            case,
            pair[1],
            sure={"Tibia": 0.5 + 0.1 * number, "Fibula": 0.9 - 0.1 * number, "Talus": 0.7},
        )
        volumes.append(pair)
    cases = [gather(pair) for pair in line_up(tmp_path / "out", tmp_path / "tree").pairs]
    problem = bone_problem(cases)
    mine, _ = average_precision(problem.truth, problem.found, problem.classes)
    scores = {
        (int(i), int(k)): float(s)
        for i, k, s in zip(
            problem.found.image, problem.found.label, problem.found.scores, strict=True
        )
    }  # type: ignore[arg-type]
    sides = []
    for side in (0, 1):
        annotations = []
        for c, pair in enumerate(volumes):
            for z in range(12):
                for bone in (1, 2, 3):
                    own = pair[side][z] == bone
                    if own.any():
                        rle = mask.encode(np.asfortranarray(own.astype(np.uint8)))
                        image = int(image_ids(c, np.array(0), np.array(z)))
                        score = scores[image, bone] if side else 0.0
                        entry = {
                            "id": len(annotations) + 1,
                            "image_id": image,
                            "category_id": bone,
                            "segmentation": rle,
                        }
                        annotations.append(
                            {**entry, "area": float(own.sum()), "iscrowd": 0, "score": score}
                        )
        made = coco.COCO()
        made.dataset = {
            "images": [
                {"id": i, "height": 30, "width": 30}
                for i in sorted({a["image_id"] for a in annotations})
            ],
            "categories": [{"id": k, "name": str(k)} for k in (1, 2, 3)],
            "annotations": annotations,
        }
        made.createIndex()
        sides.append(made)
    theirs = oracle.COCOeval(*sides, "segm")
    theirs.evaluate()
    theirs.accumulate()
    expected = theirs.eval["precision"][:, :, :, 0, -1]
    np.testing.assert_allclose(mine.precision[:, :, :3], expected, atol=1e-6)
    assert 0.02 < expected.mean() < 0.98
    from footcli.evaluate.coco_matches import weighted_ap

    for bone in (1, 2, 3):
        own = weighted_ap(ranked_bones(problem, bone, 3), np.ones(3, np.int64))
        np.testing.assert_allclose(own, expected[:, :, bone - 1].mean(1), atol=1e-6)


def test_surface_distance_of_two_shifted_blocks_is_the_shift_in_millimetres() -> None:
    a = block((20, 30, 30), {1: (slice(5, 15), slice(5, 20), slice(5, 20))})
    b = np.roll(a, 3, axis=0)
    hd95, mean = surface_distances(a, b, np.array([0.4, 0.4, 2.0]))[1]
    assert hd95 == pytest.approx(
        6.0
    )  # the end faces, over 5 % of the surface, lie 3 slices of 2 mm apart
    assert 0 < mean < 6.0
    assert surface_distances(a, a, np.ones(3)) == {1: (0.0, 0.0)}
    assert surface_distances(a, np.zeros_like(a), np.ones(3)) == {}


def test_one_pose_worked_by_hand(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE, points=_pose())
    # area: the bones seen from the side, 4 rows by 20 columns of the sagittal picture
    area = 4 * 10 + 4 * 10
    found = {name: (point, 0.8) for name, point in _pose().items()}
    first = landmark_names("CPA")[0]
    found[first] = ((23.0, 30.0, 3.0), 0.8)  # 2 voxels off in the plane, 3 across it
    write_result(tmp_path / "out", case, FOUND, landmarks=found)
    landmarks = _run(tmp_path)["landmarks"]
    oks = (3 + np.exp(-4 / (2 * area * (2 * 0.025) ** 2))) / 4
    right = np.mean([oks >= t for t in np.linspace(0.5, 0.95, 10)])
    assert landmarks["per_class"]["CPA"]["ap"] == pytest.approx(right)
    assert landmarks["mre_mm"] == pytest.approx(2 * 0.5 / 4)
    assert landmarks["mre_3d_mm"] == pytest.approx(np.sqrt(13) * 0.5 / 4)
    assert landmarks["per_point"][first]["mre_mm"] == pytest.approx(1.0)
    assert landmarks["success"] == {"2": 1.0, "2.5": 1.0, "3": 1.0, "4": 1.0}


def test_a_key_point_that_was_not_found_is_no_success(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE, points=_pose())
    found = {name: (point, 0.8) for name, point in list(_pose().items())[1:]}
    write_result(tmp_path / "out", case, FOUND, landmarks=found)
    landmarks = _run(tmp_path)["landmarks"]
    assert (landmarks["n_points"], landmarks["n_missing"]) == (4, 1)
    assert landmarks["success"]["4"] == 0.75
    assert landmarks["mre_mm"] == 0.0
    assert landmarks["per_class"]["CPA"]["ap"] == pytest.approx(
        0.6
    )  # OKS 0.75: right at 0.50 .. 0.75


def test_angles_are_compared_with_those_of_the_true_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from footcli.evaluate import gather as room
    from footcli.frame.axes import FootFrame

    # two blocks are no foot: a frame that looks along low y, z up, x to the right
    flat = np.diag([0.5, -0.5, 0.5, 1.0])
    monkeypatch.setattr(room, "foot_frame", lambda *a, **k: FootFrame(flat, "L", "bones"))
    for number, value in enumerate((46.0, 43.0, None)):
        case = write_truth(tmp_path / "tree", number, TRUE, points=_pose())
        write_result(
            tmp_path / "out",
            case,
            FOUND,
            values={("CPA", "landmarks"): value, ("CPA", "masks"): 45.0},
        )
    angle = _run(tmp_path)["angles"]["CPA"]
    assert angle["mae_deg"] == pytest.approx(1.5)
    assert angle["bias_deg"] == pytest.approx(-0.5)
    assert (angle["n"], angle["n_not_measured"]) == (2, 1)
    assert angle["by_source"]["masks"]["mae_deg"] == pytest.approx(0.0, abs=1e-9)
    assert angle["by_source"]["masks"]["limits_deg"] == pytest.approx((0.0, 0.0), abs=1e-9)


def _lesion(score: float, x: float = 20.0, slices: tuple[int, int] = (10, 14)) -> Lesion:
    """An OLT box of the coronal slices given, 10 x 4 as the true one of `_lesion_case`."""
    return Lesion(
        "OLT", score, Plane.COR, slices, (x, slices[0], 1.0, x + 10, slices[1] + 1, 5.0), None
    )


def _lesion_case(
    tmp_path: Path,
    number: int,
    lesions: tuple[Lesion, ...],
    sick: bool = True,
    level: Level = Level.PRESENT,
    faint: tuple[Lesion, ...] = (),
) -> None:
    boxes = (
        {(Plane.COR, i): {"OLT": [(20.0, 1.0, 30.0, 5.0)]} for i in range(10, 15)} if sick else {}
    )
    clinical = (
        Clinical(None, 47.0, "F", ("AD",), ("OLT (synthetic)",))
        if sick
        else Clinical(None, 20.0, "M", ("N",))
    )
    case = write_truth(tmp_path / "tree", number, TRUE, boxes=boxes, clinical=clinical)
    write_result(
        tmp_path / "out", case, FOUND, lesions=lesions, findings={"olt": level}, faint=faint
    )


def test_lesions_worked_by_hand(tmp_path: Path) -> None:
    _lesion_case(tmp_path, 1, (_lesion(0.9),))
    _lesion_case(tmp_path, 2, (_lesion(0.4, x=38.0),))  # beside the true one
    _lesion_case(tmp_path, 3, (_lesion(0.6, x=2.0),), sick=False)
    _lesion_case(tmp_path, 4, (), sick=False, level=Level.NOT_SEEN)
    found = _run(tmp_path)
    olt = found["lesions"]["per_class"]["OLT"]
    assert olt["ap50"] == pytest.approx(
        51 / 101
    )  # five of ten boxes first, all right; then only false ones
    assert (olt["n_lesions"], olt["n_patients"]) == (2, 2)
    assert olt["sensitivity"] == 0.5  # the second patient's find of 0.4 is no finding
    assert olt["specificity"] == 0.5
    assert olt["froc"]["sensitivity_at"] == {
        "0.125": 0.5,
        "0.25": 0.5,
        "0.5": 0.5,
        "1": 0.5,
        "2": 0.5,
        "4": 0.5,
        "8": 0.5,
    }
    assert olt["froc"]["curve"] == [[0.0, 0.0], [0.0, 0.5], [0.25, 0.5], [0.5, 0.5]]
    assert found["lesions"]["per_class"]["Hallux Valgus"]["ap"] is None
    finding = found["findings"]["per_class"]["olt"]
    assert [
        finding[k] for k in ("true_positive", "false_positive", "false_negative", "true_negative")
    ] == [2, 1, 0, 1]
    assert found["findings"]["matrix"]["normal"]["olt"] == 1
    assert found["groups"]["sex"]["F"]["lesions.map50"] > 0.5
    assert found["groups"]["sex"]["M"]["n_cases"] == 2
    assert found["groups"]["sex"]["M"]["lesions.map50"] is None  # no true lesion among them
    assert set(found["groups"]) == {"plane", "disease", "age_band", "sex", "institution", "side"}
    assert found["groups"]["age_band"]["40-60"]["n_cases"] == 2
    assert found["groups"]["disease"]["olt"]["lesions.map50"] == pytest.approx(51 / 101)
    assert {name: line["n_cases"] for name, line in found["groups"]["institution"].items()} == {
        "H07": 4
    }


def test_true_boxes_of_neighbouring_slices_are_one_lesion_and_a_gap_makes_two() -> None:
    near = [SliceBox("OLT", Plane.COR, i, OLT) for i in (3, 4, 6)]
    far = [SliceBox("OLT", Plane.COR, 9, OLT)]
    assert link(near + far) == {
        "OLT": [(20.0, 3.0, 8.0, 30.0, 7.0, 16.0), (20.0, 9.0, 8.0, 30.0, 10.0, 16.0)]
    }


def test_a_true_lesion_is_found_once_and_more_finds_of_it_are_neither_right_nor_false() -> None:
    truth = link([SliceBox("OLT", Plane.COR, i, (20.0, 1.0, 30.0, 5.0)) for i in range(10, 15)])
    found = hits([_lesion(0.5), _lesion(0.9, x=22.0), _lesion(0.7, x=40.0)], truth)
    assert [(h.score, h.truth) for h in found] == [(0.9, 0), (0.7, None)]


def test_cases_that_do_not_line_up_are_refused_by_id_or_left_out_when_told_so(
    tmp_path: Path,
) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE)
    write_truth(tmp_path / "tree", 2, TRUE)
    write_result(tmp_path / "out", case, FOUND)
    write_result(tmp_path / "out", "AN00000009", FOUND)
    with pytest.raises(
        TruthError,
        match=(
            r"2 case\(s\) do not line up: AN00000002 \(truth without a result\), AN00000009 "
            r"\(result without"
        ),
    ):
        _run(tmp_path)
    found = _run(tmp_path, allow_missing=True)
    assert found["n_cases"] == 1
    assert set(found["left_out"]) == {"AN00000002", "AN00000009"}


def test_labels_of_another_grid_are_refused(tmp_path: Path) -> None:
    write_result(tmp_path / "out", write_truth(tmp_path / "tree", 1, TRUE), FOUND[:, :28, :])
    with pytest.raises(TruthError, match=r"AN00000001 .*another grid"):
        _run(tmp_path)
    with pytest.raises(TruthError, match="no case is left"):
        _run(tmp_path, allow_missing=True)


def test_nothing_to_compare_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_truth(tmp_path / "tree", 1, TRUE)
    with pytest.raises(TruthError, match="holds no results"):
        _run(tmp_path)
    write_result(tmp_path / "out", "a", FOUND)
    with pytest.raises(TruthError, match="holds no labels"):
        evaluate(tmp_path / "out", tmp_path / "out")


def test_slices_are_found_by_their_source_name_else_by_their_number_from_nought_or_one(
    tmp_path: Path,
) -> None:
    for number, (first, named) in enumerate([(0, False), (1, False), (295, True)]):
        case = write_truth(
            tmp_path / "tree",
            number,
            TRUE,
            planes=(Plane.AXL,) if named else tuple(Plane),
            first=first,
        )
        names = (
            {Plane.AXL: [f"{stem(number)}_AXL_{i + first:04d}" for i in range(SHAPE[0])]}
            if named
            else None
        )
        write_result(tmp_path / "out", case, TRUE, names=names)
    assert _run(tmp_path)["bones"]["dice"] == 1.0


def test_unknown_classes_and_broken_files_are_counted_and_left_out(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE, planes=(Plane.AXL,))
    folder = tmp_path / "tree" / "2.라벨링데이터" / "AD" / case / "AXL"
    path = folder / f"{stem(1)}_AXL_0002.json"
    content = json.loads(path.read_text("utf-8"))
    content["ArrayOfannotation_info"].append(
        {"object_name": "LabelPolyLine", "preset_name": "Sesamoid", "polyline_list": []}
    )
    path.write_text(json.dumps(content), "utf-8")
    (folder / f"{stem(1)}_AXL_0003.json").write_text("{", "utf-8")
    write_result(tmp_path / "out", case, TRUE)
    found = _run(tmp_path)
    assert found["unknown_labels"] == {"bone Sesamoid": 1, "unreadable label file": 1}
    assert found["bones"]["per_class"]["Talus"]["n_slices"] == 3


@pytest.mark.parametrize("shift", [-0.4, 0.4])
def test_outlines_drawn_between_pixels_cost_nothing(shift: float, tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE)
    for path in (tmp_path / "tree").rglob(f"{case}/*/*.json"):
        content = json.loads(path.read_text("utf-8"))
        for item in content["ArrayOfannotation_info"]:
            for run in item.get("polyline_list", ()):
                run["pos_list"] = [
                    {key: value + shift for key, value in point.items()}
                    for point in run["pos_list"]
                ]
        path.write_text(json.dumps(content), "utf-8")
    write_result(tmp_path / "out", case, TRUE)
    found = _run(tmp_path)
    assert (found["bones"]["map"], found["bones"]["dice"]) == (1.0, 1.0)
    assert found["unknown_labels"] == {}


def test_an_outline_beyond_the_image_says_nothing_of_its_bone_there(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE, planes=(Plane.SAG,))
    path = sorted((tmp_path / "tree").rglob(f"{case}/SAG/*.json"))[15]
    content = json.loads(path.read_text("utf-8"))
    for item in content["ArrayOfannotation_info"]:
        if item["preset_name"] == "Talus":
            item["polyline_list"][0]["pos_list"][0]["X"] = 1e300
    path.write_text(json.dumps(content), "utf-8")
    write_result(tmp_path / "out", case, TRUE)
    found = _run(tmp_path)
    talus, heel = found["bones"]["per_class"]["Talus"], found["bones"]["per_class"]["Calcaneus"]
    assert found["unknown_labels"] == {"outline beyond the image": 1}
    assert (talus["ap"], talus["n_slices"], talus["hd95_mm"]) == (pytest.approx(1.0), 9, None)
    assert (heel["ap"], heel["hd95_mm"]) == (pytest.approx(1.0), 0.0)


@pytest.mark.parametrize("beside", [True, False])
def test_a_box_that_is_no_good_makes_no_find_false(beside: bool, tmp_path: Path) -> None:
    """Where a box of a lesion was left out nobody knows what is right: neither a miss nor a false
    find.
    """
    _lesion_case(tmp_path, 1, (_lesion(0.9),))
    _lesion_case(tmp_path, 2, (_lesion(0.9),))
    before = _run(tmp_path)["lesions"]["per_class"]["OLT"]
    spoilt = 0
    for path in sorted((tmp_path / "tree").rglob("AN00000001/COR/*.json")):
        content = json.loads(path.read_text("utf-8"))
        items = content["ArrayOfannotation_info"]
        boxes = [item for item in items if item["object_name"] == "LabelRect"]
        if boxes and (not beside or not spoilt):
            flat = {**boxes[0], "end_pos": {**boxes[0]["end_pos"], "X": boxes[0]["start_pos"]["X"]}}
            items.append(flat)
            items[:] = (
                items
                if beside
                else [item for item in items if item is flat or item["object_name"] != "LabelRect"]
            )
            spoilt += 1
            path.write_text(json.dumps(content), "utf-8")
    found = _run(tmp_path)
    after = found["lesions"]["per_class"]["OLT"]
    assert found["unknown_labels"] == {"lesion box without area": spoilt}
    assert (before["ap50"], after["ap50"]) == (1.0, 1.0)
    assert after["froc"]["curve"] == [[0.0, 0.0], [0.0, 1.0]], "no find is false"
    assert after["n_lesions"] == (2 if beside else 1)


def test_a_file_that_was_downloaded_twice_is_no_label_of_its_own(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE, points=_pose())
    write_result(tmp_path / "out", case, TRUE)
    before = _run(tmp_path)
    folder = next((tmp_path / "tree").rglob(case))
    for path in [*sorted(folder.rglob("*_0002.json")), *folder.rglob("*_Angle.json")]:
        path.with_name(f"{path.stem} (1).json").write_text(
            path.read_text("utf-8").replace("Talus", "Tibia").replace('"X": 20', '"X": 2')
        )
    after = _run(tmp_path)
    assert after.pop("unknown_labels") == {"label file that is a copy of another": 4}
    before.pop("unknown_labels")
    assert after == before


@pytest.mark.parametrize(
    "copy", ["라벨링데이터 - 복사본", "backup/라벨링데이터", "2.라벨링데이터 (1)"]
)
def test_a_copied_folder_of_labels_does_not_rename_its_neighbours(
    copy: str, tmp_path: Path
) -> None:
    import shutil

    case = write_truth(tmp_path / "tree", 1, TRUE)
    write_result(tmp_path / "out", case, TRUE)
    shutil.copytree(tmp_path / "tree" / "2.라벨링데이터", tmp_path / "tree" / copy)
    lined = line_up(tmp_path / "out", tmp_path / "tree")
    assert [pair.truth.case_id for pair in lined.pairs] == [case]
    assert set(lined.left_out.values()) <= {"truth without a result"}


def test_two_feet_of_one_scan_are_scored_together(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE)
    write_result(
        tmp_path / "out", case, np.where(TRUE == 3, TRUE, 0).astype(np.uint8), folder=f"{case}-L"
    )
    write_result(
        tmp_path / "out", case, np.where(TRUE == 4, TRUE, 0).astype(np.uint8), folder=f"{case}-R"
    )
    assert _run(tmp_path)["bones"]["dice"] == 1.0


def test_dice_comes_from_the_plane_that_is_labelled_throughout(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE, planes=(Plane.COR,))
    write_result(tmp_path / "out", case, FOUND)
    scores = gather(line_up(tmp_path / "out", tmp_path / "tree").pairs[0])
    assert scores.volume_plane is Plane.COR
    assert case_dice(scores) == {3: pytest.approx(160 / 180), 4: 1.0}
    assert set(scores.rows["plane"]) == {1}
    assert scores.rows.dtype == ROW


def test_the_same_run_twice_differs_in_nothing_and_a_better_one_shows(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for number in range(6):
        case = write_truth(tmp_path / "tree", number, TRUE, planes=(Plane.AXL,))
        worse = FOUND.copy()
        worse[1 + rng.integers(0, 3), :, 14:] = 0
        write_result(tmp_path / "out", case, FOUND)
        write_result(tmp_path / "worse", case, worse)
    same = _run(tmp_path, against=tmp_path / "out")["against"]["metrics"]
    assert {m["difference"] for m in same.values()} == {0.0}
    found = _run(tmp_path, against=tmp_path / "worse")["against"]["metrics"]
    for key in ("bones.dice", "bones.map"):
        low, high = found[key]["ci95"]
        assert 0 < low <= found[key]["difference"] + 1e-9
        assert found[key]["difference"] <= high + 1e-9
    assert found["bones.dice"]["n"] == 6


def test_the_validators_count_a_bone_rightly_absent_as_right(tmp_path: Path) -> None:
    half = TRUE.copy()
    half[2, :, 14:] = 0  # one slice of four below IoU 0.5
    half[0, 0:5, 0:5] = 5  # and midfoot where there is none
    case = write_truth(tmp_path / "tree", 1, TRUE, planes=(Plane.AXL,))
    write_result(tmp_path / "out", case, half)
    bones = _run(tmp_path, protocol="validators")["bones"]
    assert bones["per_class"]["Talus"] == pytest.approx(5 / 6)
    assert bones["per_class"]["MidFoot"] == pytest.approx(5 / 6)
    assert bones["per_class"]["Tibia"] == 1.0  # nowhere and never predicted
    assert bones["score"] == pytest.approx(
        (7 * 1 + 3 * 5 / 6) / 10
    )  # talus, calcaneus and midfoot miss a slice each


def test_the_validators_forgive_key_points_far_off(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE, points=_pose())
    # extent 20 x 5 voxels: area 100, so OKS is over 0.5 up to 5.9 voxels
    near = {n: ((x, y + 5.5, z), 0.5) for n, (x, y, z) in _pose().items()}
    write_result(tmp_path / "out", case, FOUND, landmarks=near)
    assert _run(tmp_path, protocol="validators")["landmarks"]["per_class"]["CPA"] == 1.0
    assert _run(tmp_path)["landmarks"]["per_class"]["CPA"]["ap50"] == 0.0
    far = {n: ((x, y + 6.5, z), 0.5) for n, (x, y, z) in _pose().items()}
    write_result(tmp_path / "far", case, FOUND, landmarks=far)
    assert (
        evaluate(tmp_path / "far", tmp_path / "tree", protocol="validators")["landmarks"]["score"]
        == 0.0
    )


def test_the_validators_read_precision_by_linear_interpolation() -> None:
    # right, false, right, and one never found: recalls 1/3, 1/3, 2/3; precisions 1, 1/2, 2/3
    x = np.linspace(0, 1, 101)
    by_hand = np.interp(x, [0, 1 / 3, 1 / 3, 2 / 3, 1], [1, 1, 2 / 3, 2 / 3, 0])
    assert linear_ap(np.array([True, False, True]), 3) == pytest.approx(np.trapezoid(by_hand, x))
    assert linear_ap(np.array([True]), 1) == pytest.approx(1.0, abs=0.006)
    assert linear_ap(np.zeros(0, bool), 1) == 0.0
    # read between its points, a first find that is false still leaves some precision at recall 0:
    # COCO's would be 1/2 throughout
    assert 0.25 < linear_ap(np.array([False, True]), 1) < 0.51


def test_a_plane_of_boxes_alone_says_nothing_of_bones(tmp_path: Path) -> None:
    """Boxes in AXL, outlines in COR: the volume comes from COR, and bones found in AXL slices are
    not false.
    """
    case = write_truth(tmp_path / "tree", 1, TRUE, planes=(Plane.COR,), points=_pose())
    boxes = {(Plane.AXL, 2): {"Accessory Navicular": [(1.0, 1.0, 5.0, 5.0)]}}
    write_truth(tmp_path / "tree", 1, np.zeros_like(TRUE), planes=(Plane.AXL,), boxes=boxes)
    found = {name: ((x + 0.0, y + 0.5, z), 0.8) for name, (x, y, z) in _pose().items()}
    write_result(tmp_path / "out", case, TRUE, landmarks=found)
    got = _run(tmp_path)
    assert (got["bones"]["dice"], got["bones"]["map"], got["bones"]["hd95_mm"]) == (
        1.0,
        pytest.approx(1.0),
        0.0,
    )
    assert got["landmarks"]["per_class"]["CPA"]["ap50"] == pytest.approx(1.0)
    assert got["lesions"]["per_class"]["Accessory Navicular"]["n_lesions"] == 1
    assert _run(tmp_path, protocol="validators")["bones"]["score"] == 1.0


def test_labels_that_end_within_a_bone_give_dice_there_but_no_distance(tmp_path: Path) -> None:
    whole = block((20, 40, 50), {3: (slice(2, 18), slice(10, 20), slice(10, 20))})
    case = write_truth(tmp_path / "tree", 1, whole, planes=(Plane.AXL,))
    folder = tmp_path / "tree" / "2.라벨링데이터" / "AD" / case / "AXL"
    for path in folder.iterdir():
        if not 6 <= int(path.stem[-4:]) < 10:
            path.unlink()
    write_result(
        tmp_path / "out",
        case,
        whole,
        names={Plane.AXL: [f"{stem(1)}_AXL_{i:04d}" for i in range(20)]},
    )
    bones = _run(tmp_path)["bones"]
    assert (bones["dice"], bones["hd95_mm"], bones["hd95_mm_why"]) == (
        1.0,
        None,
        "the labelled slices end within the bone",
    )


def test_an_unreadable_slice_leaves_a_gap_and_no_distance(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE, planes=(Plane.AXL,))
    (
        tmp_path / "tree" / "2.라벨링데이터" / "AD" / case / "AXL" / f"{stem(1)}_AXL_0002.json"
    ).write_text("{", "utf-8")
    write_result(tmp_path / "out", case, TRUE)
    bones = _run(tmp_path)["bones"]
    assert (bones["dice"], bones["hd95_mm"], bones["hd95_mm_why"]) == (
        1.0,
        None,
        "no plane is labelled without gaps",
    )


def test_boxes_of_the_older_layout_are_read_beside_the_outlines(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE)
    boxes = {(Plane.COR, i): {"OLT": [(20.0, 1.0, 30.0, 5.0)]} for i in range(10, 15)}
    write_truth(tmp_path / "more", 1, np.zeros_like(TRUE), planes=(Plane.COR,), boxes=boxes)
    (tmp_path / "more" / "2.라벨링데이터" / "AD" / case).rename(
        tmp_path / "tree" / "2.라벨링데이터" / "AD" / case / "BBOX"
    )
    write_result(tmp_path / "out", case, TRUE, lesions=(_lesion(0.9),))
    found = _run(tmp_path)
    assert found["bones"]["dice"] == 1.0
    assert found["lesions"]["per_class"]["OLT"]["ap"] == pytest.approx(1.0)


def test_faint_lesions_lengthen_the_curves_and_make_no_finding(tmp_path: Path) -> None:
    _lesion_case(tmp_path, 1, (_lesion(0.9),))
    _lesion_case(tmp_path, 2, (), faint=(_lesion(0.2),))
    _lesion_case(tmp_path, 3, (), sick=False, faint=(_lesion(0.25, x=2.0),))
    olt = _run(tmp_path)["lesions"]["per_class"]["OLT"]
    assert olt["froc"]["curve"] == [
        [0.0, 0.0],
        [0.0, 0.5],
        [pytest.approx(1 / 3), 0.5],
        [pytest.approx(1 / 3), 1.0],
    ]
    assert olt["ap50"] == pytest.approx((51 + 50 * 10 / 15) / 101)
    assert (olt["sensitivity"], olt["specificity"]) == (0.5, 1.0)


def test_boxes_of_a_lesion_rank_by_their_own_slices_scores(tmp_path: Path) -> None:
    too_long = replace(_lesion(0.9, slices=(10, 19)), scores=(0.9,) * 5 + (0.4,) * 5)
    _lesion_case(tmp_path, 1, (too_long,))
    _lesion_case(tmp_path, 2, (_lesion(0.6),))
    assert _run(tmp_path)["lesions"]["per_class"]["OLT"]["ap50"] == pytest.approx(
        1.0
    )  # 0.8 where all ten have 0.9


def test_equal_scores_cannot_be_told_apart_on_the_froc_curve(tmp_path: Path) -> None:
    for number in range(2):
        _lesion_case(
            tmp_path, number, (_lesion(0.5), *(_lesion(0.5, x=x) for x in (35.0, 38.0, 40.0)))
        )
    froc = _run(tmp_path)["lesions"]["per_class"]["OLT"]["froc"]
    assert froc["curve"] == [[0.0, 0.0], [3.0, 1.0]]
    assert froc["sensitivity_at"] == {
        "0.125": 0.0,
        "0.25": 0.0,
        "0.5": 0.0,
        "1": 0.0,
        "2": 0.0,
        "4": 1.0,
        "8": 1.0,
    }


def test_rates_are_of_patients_not_of_series(tmp_path: Path) -> None:
    _lesion_case(tmp_path, 1, ())
    case = "AN00000001"
    labels = tmp_path / "tree" / "2.라벨링데이터" / "AD" / case
    for path in sorted(labels.rglob("*_L_*.json")):
        twin = path.with_name(path.name.replace("_L_", "_R_"))
        content = json.loads(path.read_text("utf-8"))
        content["ArrayOfannotation_info"] = [
            a for a in content["ArrayOfannotation_info"] if a["object_name"] != "LabelRect"
        ]
        twin.write_text(json.dumps(content), "utf-8")
    (tmp_path / "out" / JOURNAL).unlink()
    import shutil

    shutil.rmtree(tmp_path / "out" / case)
    write_result(tmp_path / "out", f"{case}_ST01_L", FOUND)
    write_result(
        tmp_path / "out", f"{case}_ST01_R", FOUND, lesions=(_lesion(0.9),)
    )  # the healthy foot is flagged
    found = _run(tmp_path)
    olt = found["lesions"]["per_class"]["OLT"]
    assert (found["n_cases"], found["n_patients"], olt["n_patients"]) == (2, 1, 1)
    assert (olt["sensitivity"], olt["specificity"]) == (1.0, None)
    assert olt["froc"]["curve"] == [[0.0, 0.0], [0.5, 0.0]]  # one false find in two feet


def test_an_interval_is_that_of_the_number_beside_it_and_few_cases_give_none(
    tmp_path: Path,
) -> None:
    heel = np.where(TRUE == 4, TRUE, 0).astype(np.uint8)
    talus = np.where(TRUE == 3, TRUE, 0).astype(np.uint8)
    for number in range(12):
        truth = heel if number < 6 else talus
        case = write_truth(tmp_path / "tree", number, truth, planes=(Plane.AXL,))
        found = truth.copy()
        if number >= 6:
            found[:, :, 14 - number % 3 :] = 0
        write_result(tmp_path / "out", case, found)
    bones = _run(tmp_path)["bones"]
    low, high = bones["dice_ci95"]
    assert low <= bones["dice"] <= high
    assert bones["dice"] == pytest.approx((1 + bones["per_class"]["Talus"]["dice"]) / 2)
    case = write_truth(
        tmp_path / "tree", 12, np.where(TRUE == 3, 1, 0).astype(np.uint8), planes=(Plane.AXL,)
    )
    write_result(tmp_path / "out", case, np.where(TRUE == 3, 1, 0).astype(np.uint8))
    bones = _run(tmp_path)["bones"]
    assert bones["per_class"]["Tibia"]["dice"] == 1.0
    assert bones["per_class"]["Tibia"]["dice_ci95"] is None
    assert "ap_ci95" not in bones["per_class"]["Tibia"]
    assert bones["dice_ci95"] is None


def test_groups_are_defined_as_the_whole(tmp_path: Path) -> None:
    for number, labels in enumerate((TRUE, np.where(TRUE == 4, TRUE, 0).astype(np.uint8))):
        write_result(
            tmp_path / "out",
            write_truth(tmp_path / "tree", number, labels, planes=(Plane.AXL,)),
            FOUND,
        )
    found = _run(tmp_path)
    assert found["groups"]["side"]["L"]["bones.dice"] == pytest.approx(found["bones"]["dice"])
    assert found["groups"]["side"]["L"]["bones.map"] == pytest.approx(found["bones"]["map"])


def test_a_run_gains_nothing_by_finding_less(tmp_path: Path) -> None:
    off = np.roll(TRUE, 3, 2)  # both bones 3 voxels off
    for number in range(6):
        case = write_truth(tmp_path / "tree", number, TRUE, planes=(Plane.AXL,))
        write_result(
            tmp_path / "out", case, np.where(off == 3, off, TRUE * (TRUE == 4)).astype(np.uint8)
        )
        write_result(tmp_path / "less", case, np.where(TRUE == 4, TRUE, 0).astype(np.uint8))
    found = _run(tmp_path, against=tmp_path / "less")["against"]["metrics"]["bones.hd95_mm"]
    assert (found["difference"], found["only_a"], found["only_b"]) == (0.0, 6, 0)


def test_two_runs_without_a_common_case_are_refused(tmp_path: Path) -> None:
    for number, out in enumerate(("out", "other")):
        write_result(tmp_path / out, write_truth(tmp_path / "tree", number, TRUE), FOUND)
    with pytest.raises(TruthError, match="no case in common"):
        _run(tmp_path, against=tmp_path / "other", allow_missing=True)


def test_several_diseases_in_one_line_all_count(tmp_path: Path) -> None:
    clinical = Clinical(None, 47.0, "F", ("AD",), ("OLT (x) ; Accessory Navicular (y);",))
    case = write_truth(tmp_path / "tree", 1, TRUE, clinical=clinical)
    write_result(
        tmp_path / "out",
        case,
        FOUND,
        findings={"olt": Level.PRESENT, "accessory_navicular": Level.PRESENT},
    )
    found = _run(tmp_path)
    assert found["findings"]["per_class"]["accessory_navicular"]["true_positive"] == 1
    assert set(found["groups"]["disease"]) == {"olt", "accessory_navicular"}


def test_a_scan_without_millimetres_has_no_errors_in_millimetres_but_is_no_failure(
    tmp_path: Path,
) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE, points=_pose())
    write_result(
        tmp_path / "out", case, TRUE, landmarks={name: (at, 0.8) for name, at in _pose().items()}
    )
    path = tmp_path / "out" / case / "result.json"
    content = json.loads(path.read_text("utf-8"))
    content["provenance"]["input"]["spacing_mm"] = []
    path.write_text(json.dumps(content), "utf-8")
    found = _run(tmp_path)
    assert found["landmarks"]["mre_mm"] is None
    assert (
        found["landmarks"]["mre_mm_why"]
        == found["bones"]["hd95_mm_why"]
        == "the scan has no millimetres"
    )
    assert (found["landmarks"]["n_missing"], found["landmarks"]["success"]["4"]) == (0, None)
    assert found["landmarks"]["map"] == pytest.approx(1.0)
    assert found["bones"]["dice"] == 1.0


def test_numbers_that_may_count_from_nought_or_one_are_refused(tmp_path: Path) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE, planes=(Plane.AXL,))
    (
        tmp_path / "tree" / "2.라벨링데이터" / "AD" / case / "AXL" / f"{stem(1)}_AXL_0000.json"
    ).unlink()
    write_result(tmp_path / "out", case, TRUE)
    with pytest.raises(TruthError, match="count from 0 or from 1"):
        _run(tmp_path)


def test_larger_sections_of_a_bone_come_first_wherever_they_lie(tmp_path: Path) -> None:
    """A false slice of small section above or below costs the same: order in the stack does not
    matter.
    """
    scores = []
    for number, at in enumerate((0, 5)):
        more = TRUE.copy()
        more[at, 10:13, 10:13] = 3
        case = write_truth(tmp_path / f"tree{number}", 1, TRUE, planes=(Plane.AXL,))
        write_result(tmp_path / f"out{number}", case, more)
        found = evaluate(tmp_path / f"out{number}", tmp_path / f"tree{number}")
        scores.append(found["bones"]["per_class"]["Talus"]["ap"])
    assert scores == [pytest.approx(1.0), pytest.approx(1.0)]


def _damage(folder: Path, how: str) -> None:
    path = folder / "masks.npz"
    if how == "bytes":
        data = bytearray(path.read_bytes())
        data[len(data) // 3 : len(data) // 3 + 40] = b"x" * 40
        path.write_bytes(bytes(data))
    elif how == "flat":
        np.savez(path, labels=np.zeros((3, 3), np.uint8), affine=np.eye(4))
    elif how == "nan":
        np.savez(path, labels=TRUE, affine=np.full((4, 4), np.nan))
    else:
        content = json.loads((folder / "result.json").read_text("utf-8"))
        content["provenance"] = {"bone_confidence": {"Talus": "high"}}
        (folder / "result.json").write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize("how", ["bytes", "flat", "nan", "words"])
def test_a_damaged_result_is_one_line_and_the_others_are_scored(tmp_path: Path, how: str) -> None:
    for number in range(2):
        write_result(tmp_path / "out", write_truth(tmp_path / "tree", number, TRUE), FOUND)
    _damage(tmp_path / "out" / "AN00000001", how)
    found = _run(tmp_path, allow_missing=True)
    assert found["n_cases"] == 1
    assert list(found["left_out"]) == ["AN00000001"]
    assert "analyse" in found["left_out"]["AN00000001"]
    assert str(tmp_path) not in json.dumps(found)


def test_what_is_left_out_of_the_lesions_is_counted(tmp_path: Path) -> None:
    boxes = {
        (Plane.AXL, 2): {"OLT": [(1.0, 1.0, 5.0, 5.0)]},
        (Plane.COR, 12): {"OLT": [(20.0, 1.0, 20.0, 5.0)]},
    }
    case = write_truth(tmp_path / "tree", 1, TRUE, boxes=boxes)
    bunion = Lesion("Bunion", 0.9, Plane.COR, (10, 14), (20.0, 10.0, 1.0, 30.0, 15.0, 5.0), None)
    write_result(tmp_path / "out", case, FOUND, lesions=(bunion,))
    found = _run(tmp_path)
    assert found["unknown_labels"] == {
        "lesion box in another plane than its lesion's": 1,
        "lesion box without area": 1,
        "lesion of the result, of an unknown class or without numbers": 1,
    }
    assert found["lesions"]["why"] == "the truth holds no lesion boxes"
    assert _run(tmp_path, protocol="validators")["unknown_labels"] == found["unknown_labels"]


def test_a_lesion_with_a_slice_without_a_number_is_left_out_and_counted(tmp_path: Path) -> None:
    _lesion_case(tmp_path, 1, (_lesion(0.9),))
    path = next((tmp_path / "out").glob("*/result.json"))
    content = json.loads(path.read_text("utf-8"))
    (told,) = content["lesions"]
    told["scores"] = [math.nan] * (told["slices"][1] - told["slices"][0] + 1)
    path.write_text(json.dumps(content), "utf-8")
    assert _run(tmp_path)["unknown_labels"] == {
        "lesion of the result, of an unknown class or without numbers": 1
    }


def test_every_class_without_a_number_says_why(tmp_path: Path) -> None:
    _lesion_case(tmp_path, 1, (_lesion(0.9),))
    found = _run(tmp_path)
    for task in ("bones", "landmarks", "lesions"):
        for name, own in found[task]["per_class"].items():
            assert own["ap"] is not None or own["why"], (task, name)
    assert found["ci95_why"] == "fewer than 5 patients"
    assert found["angles"]["TMA"]["why"]


def test_results_without_a_run_record_are_taken_by_what_they_say_of_themselves(
    tmp_path: Path,
) -> None:
    case = write_truth(tmp_path / "tree", 1, TRUE)
    for side, bone in (("L", 3), ("R", 4)):
        write_result(
            tmp_path / "out",
            case,
            np.where(np.equal(TRUE, bone), TRUE, 0).astype(np.uint8),
            folder=f"{case}+{side}",
        )
    (tmp_path / "out" / JOURNAL).unlink()
    found = _run(tmp_path)
    assert (found["n_cases"], found["bones"]["dice"]) == (1, 1.0)
