"""Synthetic subjects: the same seed the same files, anatomy that holds together, disease where its
label says, a tree that is read back.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from footcli.anatomy.surface import surface_points
from footcli.anatomy.template import reference_foot
from footcli.angles import true_angles
from footcli.dataset.angle_labels import read_angle_label
from footcli.dataset.annotations import read_slice_label
from footcli.dataset.clinical import read_clinical
from footcli.dataset.outlines import mask_of_polygons
from footcli.domain import CaseRef, Plane
from footcli.geometry import apply
from footcli.infer.views import OWNER
from footcli.kinds import BONE_ID, BONES, FINDING, FURTHER, LANDMARKS, LESION, LESIONS
from footcli.phantom.disease import DISEASES, HEALTHY, ILL_IN, MIX, Variety, draw_subject
from footcli.phantom.grid import make_grid
from footcli.phantom.raster import CLASS_OF, Raster, rasterize
from footcli.phantom.scanner import FIELDS, Scan, noise, scan
from footcli.phantom.seeds import DEMO_SEED, TEST_SEEDS, TUNE_SEEDS
from footcli.phantom.subject import Subject
from footcli.phantom.truth import further
from footcli.phantom.write import case_name, write_case
from footcli.read import read_case
from footcli.stats.run import collect
from footcli.stats.summary import to_json
from footcli.walk.tree import find_cases

COARSE_MM = 2.0
LESION_OF = {
    "hallux_valgus": "Hallux Valgus",
    "ankle_arthritis": "Ankle Arthritis",
    "olt": "OLT",
    "accessory_navicular": "Accessory Navicular",
    "tarsal_coalition": "Tarsal Coalition",
    "flat_foot": "Flatfoot or Cavus",
    "cavus_foot": "Flatfoot or Cavus",
}
# ml in a scan of the whole foot with 75 mm of leg; wide, for small and tall people
VOLUME_ML = {
    "Tibia": (15, 110),
    "Fibula": (4, 30),
    "Talus": (12, 60),
    "Calcaneus": (25, 120),
    "MidFoot": (15, 75),
    "1st Metatarsal": (5, 28),
    **{f"{n} Metatarsal": (2, 16) for n in ("2nd", "3rd", "4th", "5th")},
}
# foot-frame boxes (mm) of a reference-sized foot, and the voxel edge that must part the bones in
# them
JOINTS = {
    "ankle and subtalar": (np.array([-30.0, 10, 10]), np.array([30.0, 60, 90])),
    "tarsus and metatarsal bases": (np.array([-40.0, 60, 0]), np.array([35.0, 125, 60])),
}
FINE_MM = 0.6
# voxel faces: where two bones' shapes run into each other, a corner of a carved joint may touch
FACES = 6


@pytest.fixture(autouse=True, scope="module")
def _no_waiting_for_the_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@cache
def _scan(seed: int, disease: str, spacing: float = COARSE_MM) -> Scan:
    return scan(draw_subject(seed, disease), spacing, seed)


def _ml(raster: Raster) -> dict[str, float]:
    counts = np.bincount(raster.labels.ravel(), minlength=len(BONES) + 1)
    return {
        bone.name: counts[i] * raster.grid.spacing_mm**3 / 1000
        for i, bone in enumerate(BONES, start=1)
    }


def _digests(root: Path) -> dict[str, str]:
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def _part(subject: Subject, joint: str) -> Raster:
    low, high = (corner * subject.scale for corner in JOINTS[joint])
    return rasterize(subject, make_grid(subject, FINE_MM, low, high, np.eye(3)))


def _touching(raster: Raster) -> set[frozenset[str]]:
    """Pairs of the ten classes with voxels face to face, more than FACES of them."""
    pairs: Counter[frozenset[str]] = Counter()
    for axis in range(3):
        line = np.moveaxis(raster.labels, axis, 0)
        a, b = line[:-1], line[1:]
        met = (a > 0) & (b > 0) & (a != b)
        pairs.update(
            frozenset((BONES[i - 1].name, BONES[j - 1].name))
            for i, j in zip(a[met], b[met], strict=True)
        )
    return {pair for pair, faces in pairs.items() if faces > FACES}


def _angles(subject: Subject) -> tuple[float, float]:
    """CPA and TMA (deg) of a subject, in its own sagittal plane."""

    def down(angle: str, line: int) -> float:
        step = (
            subject.landmarks[f"{angle}_Line{line}_Pt2"]
            - subject.landmarks[f"{angle}_Line{line}_Pt1"]
        )
        return float(np.degrees(np.arctan2(-step[2], step[1])))

    return -down("CPA", 1), down("TMA", 1) - down("TMA", 2)


@pytest.mark.parametrize(
    ("shape", "step"), [((24, 33, 41), 2.0), ((30, 20, 25), 18.7), ((9, 14, 11), 1.3)]
)
def test_noise_runs_straight_from_knot_to_knot(shape: tuple[int, ...], step: float) -> None:
    knots = np.random.default_rng(4).standard_normal(
        [int(n / step) + 3 for n in shape], dtype=np.float32
    )
    whole = ndimage.zoom(
        knots, [(n + step) / (k - 1) for n, k in zip(shape, knots.shape, strict=True)], order=1
    )
    drawn = noise(shape, step, np.random.default_rng(4))
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn, 1.5 * whole[tuple(slice(0, n) for n in shape)], atol=1e-5)


def test_the_same_seed_gives_the_same_bytes_on_disk_and_another_seed_gives_others(
    tmp_path: Path,
) -> None:
    for folder, seed in (("a", 4), ("b", 4), ("c", 5)):
        write_case(
            tmp_path / folder, scan(draw_subject(seed, "olt"), 3.0, seed), seed, planes=(Plane.AXL,)
        )
    a, b, c = (_digests(tmp_path / folder) for folder in "abc")
    assert len(a) > 80
    assert a == b
    assert not set(a.values()) & set(c.values())


def test_the_same_seed_gives_the_same_subject_and_another_seed_another() -> None:
    first, again, other = draw_subject(11), draw_subject(11), draw_subject(12)
    for name in LANDMARKS:
        np.testing.assert_array_equal(first.landmarks[name], again.landmarks[name])
    same = ("side", "diseases", "gap_mm", "age_years", "sex")
    assert [getattr(first, key) for key in same] == [getattr(again, key) for key in same]
    assert first.gap_mm != other.gap_mm
    assert abs(first.landmarks["CPA_Line1_Pt2"] - other.landmarks["CPA_Line1_Pt2"]).max() > 0.1


def test_without_a_wish_all_diseases_and_both_sides_come_up() -> None:
    drawn = [draw_subject(seed) for seed in range(60)]
    assert {s.diseases[0] for s in drawn} == set(DISEASES)
    assert {s.side for s in drawn} == {"L", "R"}
    assert abs(sum(MIX) - 1) < 1e-9
    assert MIX[0] == 0.16


def test_an_unknown_disease_is_refused() -> None:
    with pytest.raises(ValueError, match="disease must be one of normal"):
        draw_subject(1, "gout")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_ten_bones_are_there_with_plausible_volumes(seed: int) -> None:
    found = _ml(_scan(seed, "normal").raster)
    assert {
        name: ml for name, ml in found.items() if not VOLUME_ML[name][0] < ml < VOLUME_ML[name][1]
    } == {}


def test_an_ankle_scan_cuts_the_forefoot_off_and_its_points_with_it() -> None:
    seen = scan(draw_subject(3, "normal"), COARSE_MM, 3, "ankle")
    assert (
        _ml(seen.raster)["1st Metatarsal"] < 0.3 * _ml(_scan(3, "normal").raster)["1st Metatarsal"]
    )
    assert "TMA_Line2_Pt2" not in seen.points
    assert {"TMA_Line1_Pt1", "CPA_Line1_Pt1", "HAA_Line1_Pt1"} <= set(seen.points)
    assert FIELDS["ankle"][1][1] < FIELDS["foot"][1][1]


@pytest.mark.parametrize("joint", list(JOINTS))
@pytest.mark.parametrize(
    ("seed", "disease"), [(3, "normal"), (2, "flat_foot"), (5, "tarsal_coalition")]
)
def test_joints_stay_open_in_a_scan_of_usual_fineness(seed: int, disease: str, joint: str) -> None:
    raster = _part(draw_subject(seed, disease), joint)
    assert len(set(raster.labels.ravel())) > 4
    assert _touching(raster) == set()


def test_an_osseous_coalition_joins_its_two_bones_and_no_others() -> None:
    drawn = (draw_subject(seed, "tarsal_coalition", subtle=False) for seed in range(1, 30))
    subject = next(s for s in drawn if "facet, osseous" in s.stage)
    assert ("calcaneus", "talus", "osseous") in [s.bones for s in subject.spots]
    assert _touching(_part(subject, "ankle and subtalar")) == {frozenset(("Talus", "Calcaneus"))}


def test_a_right_foot_is_the_mirror_image_of_the_left() -> None:
    left = replace(draw_subject(6, "normal"), side="L")
    grids = [
        make_grid(s, COARSE_MM, *FIELDS["foot"], np.eye(3)) for s in (left, replace(left, side="R"))
    ]
    a, b = (rasterize(s, g) for s, g in zip((left, replace(left, side="R")), grids, strict=True))
    assert (a.labels != b.labels[:, :, ::-1]).mean() < 1e-4
    assert (a.labels != b.labels).mean() > 0.01
    hallux = [g.voxels(left.bones["metatarsal1"].pos)[0] for g in grids]
    little = [g.voxels(left.bones["metatarsal5"].pos)[0] for g in grids]
    assert hallux[0] < little[0], (
        "x grows to the patient's left: of a left foot the great toe lies on the right"
    )
    assert hallux[1] > little[1]


def test_toes_point_forward_and_the_leg_up_in_patient_space() -> None:
    seen = _scan(3, "normal")
    lps = {
        name: apply(np.linalg.inv(seen.raster.grid.to_foot), bone.pos)
        for name, bone in seen.subject.bones.items()
    }
    assert lps["phalanx_dist1"][1] < lps["calcaneus"][1] - 100, "LPS: y runs back"
    assert lps["tibia"][2] > lps["talus"][2] > lps["calcaneus"][2]


@pytest.mark.parametrize("disease", DISEASES)
def test_each_disease_yields_its_lesion_label_in_its_own_plane_and_group(
    disease: str, tmp_path: Path
) -> None:
    seen = _scan(7, disease, 4.0)
    wanted = {LESION_OF[disease]} if disease in LESION_OF else set()
    assert {label for label, _ in seen.subject.lesions} == wanted
    source = write_case(tmp_path, seen, 7)
    assert source == tmp_path / "1.원천데이터" / FINDING[disease].group / case_name(7, disease)
    labels = tmp_path / "2.라벨링데이터" / FINDING[disease].group / case_name(7, disease)
    found = {
        plane: set().union(*(read_slice_label(p).boxes for p in (labels / plane).glob("*.json")))
        for plane in Plane
    }
    assert found == {
        plane: {name for name in wanted if LESION[name].plane is plane} for plane in Plane
    }
    clinical = read_clinical(next((source / "CLINICALINFO").glob("*.json")))
    assert clinical.groups == (FINDING[disease].group,)


@pytest.mark.parametrize("disease", [d for d in LESION_OF if not d.endswith("_foot")])
def test_a_lesion_lies_at_the_bone_it_belongs_to(disease: str) -> None:
    near = {
        "hallux_valgus": "metatarsal1",
        "accessory_navicular": "navicular",
        "tarsal_coalition": "calcaneus",
    }.get(disease, "talus")
    for seed in (1, 2, 3):
        subject = draw_subject(seed, disease)
        ((_, region),) = subject.lesions
        assert (
            np.linalg.norm(surface_points(subject.bones[near]) - region.centre, axis=1).min() < 12
        )


def test_a_flat_foot_has_a_lower_pitch_and_a_steeper_talus_than_a_cavus_foot_of_the_same_seed() -> (
    None
):
    for seed in range(1, 9):
        (flat_cpa, flat_tma), (cavus_cpa, cavus_tma) = (
            _angles(draw_subject(seed, d)) for d in ("flat_foot", "cavus_foot")
        )
        assert flat_cpa < cavus_cpa - 5
        assert flat_tma > cavus_tma + 10


def test_normal_feet_have_normal_angles_on_average() -> None:
    cpa, tma = np.mean([_angles(draw_subject(seed, "normal")) for seed in range(20)], axis=0)
    assert 14 < cpa < 26
    assert -6 < tma < 8


@pytest.mark.parametrize("disease", ["normal", "flat_foot", "hallux_valgus", "olt"])
def test_a_foot_drawn_by_definition_is_healthy_in_all_that_its_disease_leaves_alone(
    disease: str,
) -> None:
    subject = draw_subject(31, disease, variety=Variety(by_definition=True))
    points = further(subject.bones, subject.landmarks, subject.gap_mm)
    found = true_angles(subject.landmarks) | true_angles(points, FURTHER)
    for name, (_, _, _, least, most) in HEALTHY.items():
        assert name in ILL_IN.get(disease, ()) or least - 0.5 <= found[name] <= most + 0.5, name
    assert abs(found["TT"]) < 2.5
    plain = draw_subject(31, disease)
    assert (subject.side, subject.stage, subject.age_years) == (
        plain.side,
        plain.stage,
        plain.age_years,
    )


def test_a_hallux_valgus_turns_the_great_toe_laterally() -> None:
    def turn(disease: str, seed: int) -> float:
        toe = draw_subject(seed, disease).bones["phalanx_prox1"]
        ray = draw_subject(seed, disease).bones["metatarsal1"]
        a, b = (bone.point("head_centre") - bone.point("base_centre") for bone in (ray, toe))
        return float(np.degrees(np.arctan2(a[0], a[1]) - np.arctan2(b[0], b[1])))

    assert all(turn("hallux_valgus", seed) > turn("normal", seed) + 5 for seed in range(1, 6))


def test_heel_and_both_balls_stand_on_the_floor() -> None:
    for seed in range(1, 7):
        bones = draw_subject(seed).bones
        assert abs(surface_points(bones["calcaneus"])[:, 2].min()) < 0.1
        for ray in ("metatarsal1", "metatarsal5"):
            assert abs(bones[ray].point("plantar_head")[2]) < 0.1
        assert min(surface_points(bone)[:, 2].min() for bone in bones.values()) > -12, (
            "nothing hangs far below: sesamoids, at most"
        )


def test_the_heel_touches_the_floor_of_the_scan_where_the_foot_frame_has_zero() -> None:
    seen = _scan(3, "normal")
    heel = np.argwhere(seen.raster.labels == BONE_ID["Calcaneus"])[:, ::-1]
    z = apply(seen.raster.grid.to_foot, apply(seen.raster.grid.affine, heel))[:, 2]
    assert abs(z.min()) < COARSE_MM


@pytest.mark.parametrize("seed", [1, 2])
def test_every_landmark_lies_on_the_bone_that_owns_it(seed: int) -> None:
    seen = _scan(seed, "normal")
    assert set(seen.points) == set(LANDMARKS)
    for name, (owner, *_) in OWNER.items():
        if name.startswith("CPA_Line2"):  # on the floor below the bones
            continue
        away = ndimage.distance_transform_edt(seen.raster.labels != BONE_ID[owner]) * COARSE_MM
        assert (
            ndimage.map_coordinates(away, seen.points[name][::-1, None], order=1)[0]
            < 1.6 * COARSE_MM
        ), name


def test_the_floor_line_of_the_pitch_lies_on_the_floor() -> None:
    for seed in range(1, 5):
        points = draw_subject(seed).landmarks
        assert points["CPA_Line2_Pt1"][2] == points["CPA_Line2_Pt2"][2] == 0
        assert points["CPA_Line2_Pt2"][1] > points["CPA_Line2_Pt1"][1] + 80


def test_bone_is_brighter_than_flesh_and_flesh_than_air() -> None:
    seen = _scan(2, "normal")
    bone, flesh, air = (
        seen.hu[mask]
        for mask in (
            seen.raster.depth > 1,
            (seen.raster.depth < -2) & (seen.raster.skin > 3),
            seen.raster.skin < -4,
        )
    )
    assert np.median(bone) > np.median(flesh) + 60
    assert np.median(flesh) > np.median(air) + 400
    assert seen.hu.dtype == np.int16


def test_seeds_of_tests_and_of_the_demo_are_kept_apart_from_training() -> None:
    assert not set(TEST_SEEDS) & set(TUNE_SEEDS)
    assert max(*TEST_SEEDS, *TUNE_SEEDS, DEMO_SEED) < 1_000_000


def test_the_reference_foot_has_all_bones_of_the_ten_classes() -> None:
    assert set(CLASS_OF) <= set(reference_foot())
    assert set(CLASS_OF.values()) == set(BONE_ID.values())


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scan, CaseRef]:
    """A scan, written, and the case as it is found again."""
    root = tmp_path_factory.mktemp("tree")
    seen = _scan(3, "tarsal_coalition")
    write_case(root, seen, 3)
    (ref,) = find_cases(root)
    return seen, ref


def test_the_written_tree_is_found_whole(tree: tuple[Scan, CaseRef]) -> None:
    seen, ref = tree
    assert (ref.case_id, ref.layout) == ("AD00000003", "dataset")
    nz, ny, nx = seen.hu.shape
    assert {plane: len(files) for plane, files in ref.images.items()} == {
        Plane.AXL: nz,
        Plane.COR: ny,
        Plane.SAG: nx,
    }
    assert {plane: len(files) for plane, files in ref.labels.items()} == {
        Plane.AXL: nz,
        Plane.COR: ny,
        Plane.SAG: nx,
    }
    assert len(ref.angle_files) == len(ref.clinical_files) == 1


def test_the_written_case_is_read_back_voxel_for_voxel_and_place_for_place(
    tree: tuple[Scan, CaseRef],
) -> None:
    seen, ref = tree
    volume = read_case(ref)
    np.testing.assert_array_equal(volume.hu, seen.hu[::-1])  # written top slice first
    top = [0.0, 0.0, seen.hu.shape[0] - 1.0]
    np.testing.assert_allclose(volume.affine[:3, 3], apply(seen.raster.grid.affine, top), atol=1e-3)
    np.testing.assert_allclose(
        volume.affine[:3, :3], np.diag([COARSE_MM, COARSE_MM, -COARSE_MM]), atol=1e-4
    )
    assert volume.tags.side == seen.subject.side
    assert volume.notices == ()


def test_a_drawn_subject_has_no_faulty_label(tree: tuple[Scan, CaseRef]) -> None:
    content = to_json(collect(tree[1].folder.parents[2], 1))
    found = {item["code"] for item in content["quality"] if item["count"]}
    assert found <= {"empty_label"}, "a slice that shows no bone is right to be empty"


@pytest.mark.parametrize("plane", list(Plane))
def test_filled_polygons_of_each_plane_give_the_masks_again(
    tree: tuple[Scan, CaseRef], plane: Plane
) -> None:
    seen, ref = tree
    truth, axis = seen.raster.labels[::-1], 2 - plane.axis
    for index, (stem, files) in enumerate(ref.labels[plane].items()):
        assert stem.endswith(f"_{plane}_{index:04d}")
        if index % 5:
            continue
        mask, label = np.take(truth, index, axis), read_slice_label(*files)
        assert set(label.polygons) == {BONES[k - 1].name for k in np.unique(mask) if k}
        for name, pieces in label.polygons.items():
            np.testing.assert_array_equal(
                mask_of_polygons(pieces, mask.shape),
                ndimage.binary_fill_holes(mask == BONE_ID[name]),
            )


def test_boxes_enclose_the_lesion_of_their_slice(tree: tuple[Scan, CaseRef]) -> None:
    seen, ref = tree
    bit = 1 << [term.name for term in LESIONS].index("Tarsal Coalition")
    bits = seen.raster.lesion[::-1] & bit
    for index, files in enumerate(ref.labels[Plane.COR].values()):
        rows, columns = np.nonzero(bits[:, index])
        wanted = (
            ((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1),) if len(rows) else ()
        )
        assert read_slice_label(*files).boxes.get("Tarsal Coalition", ()) == wanted


def test_the_angle_points_lie_where_the_scan_has_them(tree: tuple[Scan, CaseRef]) -> None:
    seen, ref = tree
    points = read_angle_label(ref.angle_files[0])
    assert set(points) == set(seen.points) == set(LANDMARKS)
    volume = read_case(ref)
    for name, vox in points.items():
        np.testing.assert_allclose(
            volume.to_mm(np.array(vox)),
            apply(seen.raster.grid.affine, seen.points[name]),
            atol=2e-3,
        )


def test_labels_can_be_left_out(tmp_path: Path) -> None:
    write_case(tmp_path, _scan(7, "normal", 4.0), 7, planes=(Plane.SAG,), labels=False)
    assert not (tmp_path / "2.라벨링데이터").exists()
    (ref,) = find_cases(tmp_path)
    assert set(ref.images) == {Plane.SAG}
