"""The five angles: each rule in closed form, key points from masks of synthetic subjects, and what
cannot be measured.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from footcli.angles import angle_deg, true_angles
from footcli.domain import Landmark, Measurement
from footcli.frame.axes import FootFrame, foot_frame
from footcli.geometry import Array, apply
from footcli.kinds import ANGLE, ANGLES, BONE, BONE_ID, LANDMARKS, landmark_names
from footcli.levels import MIN_SCORE
from footcli.measure.angles import (
    _measure,
    difference,
    measure_landmarks,
    measure_masks,
)
from footcli.measure.ankle import SHAFT_LOW_MM, SHAFT_LOW_SHARE
from footcli.measure.bone_points import bones_in_frame
from footcli.measure.points import key_points
from footcli.phantom.disease import draw_subject
from footcli.phantom.grid import make_grid
from footcli.phantom.raster import rasterize
from footcli.phantom.scanner import FIELDS, Field
from footcli.phantom.subject import Subject
from footcli.phantom.truth import landmarks as true_points
from footcli.phantom.truth import shaft_low_mm
from footcli.text.lines import Line

MM = 1.5
NAMES = tuple(a.name for a in ANGLES)
AXIAL = FootFrame(np.eye(4), "L", "bones")
Case = tuple[Subject, np.ndarray, Array, Array]  # subject, labels, affine, voxel -> true foot frame


def _case(seed: int, field: Field) -> Case:
    subject = draw_subject(seed)
    low, high = (corner * subject.scale for corner in FIELDS[field])
    grid = make_grid(subject, MM, low, high, np.eye(3))
    return subject, rasterize(subject, grid).labels, grid.affine, grid.to_foot @ grid.affine


@pytest.fixture(scope="module")
def foot() -> Case:
    return _case(5004, "foot")


@pytest.fixture(scope="module")
def ankle() -> Case:
    return _case(5003, "ankle")


def _masks(labels: np.ndarray, affine: Array, known: bool = True) -> dict[str, Measurement]:
    frame = foot_frame(labels, affine, orientation_known=known, weight_bearing=True)
    return {m.name: m for m in measure_masks(frame)}


def _values(found: Mapping[str, Measurement]) -> list[float]:
    assert all(m.value is not None for m in found.values())
    return [m.value for m in found.values() if m.value is not None]


def _at(view: str, degrees: float) -> Array:
    """A unit vector in the lateral (y, z) or coronal (x, z) view, turned from forward or medial
    towards up.
    """
    a, b = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([0.3, a, b] if view == "lateral" else [a, 0.3, b])


# Directions of line 1 and line 2 in degrees (lateral: from forward up; coronal: from medial up) and
# the angle they make
RULES = [
    ("CPA", "lateral", 20.0, 0.0, 20.0),
    ("CPA", "lateral", -3.0, 0.0, -3.0),
    ("CPA", "lateral", 20.0, 2.0, 18.0),
    ("CPA", "lateral", 20.0, 180.0, 20.0),
    ("TMA", "lateral", -25.0, -20.0, 5.0),
    ("TMA", "lateral", -15.0, -22.0, -7.0),
    ("TCA", "lateral", -25.0, 20.0, 45.0),
    ("TCA", "lateral", 155.0, 20.0, 45.0),
    ("TCA", "lateral", 20.0, -25.0, 45.0),
    ("HAA", "coronal", -90.0, -90.0, 0.0),
    ("HAA", "coronal", -90.0, -95.0, 5.0),
    ("HAA", "coronal", -92.0, -85.0, -7.0),
    ("MTASA", "coronal", -90.0, 180.0, 90.0),
    ("MTASA", "coronal", -90.0, 184.0, 94.0),
    ("MTASA", "coronal", -90.0, 176.0, 86.0),
]


@pytest.mark.parametrize(("name", "view", "first", "second", "wanted"), RULES)
def test_each_angle_follows_its_definition_and_sign(
    name: str, view: str, first: float, second: float, wanted: float
) -> None:
    # MTASA's line 2 runs medial -> lateral; a medial edge that stands higher makes it point down to
    # lateral: direction above 180
    start, other = np.array([3.0, -4.0, 50.0]), np.array([-6.0, 8.0, 20.0])
    if name == "MTASA":
        wanted = 180.0 - wanted
    points = np.stack([start, start + 30 * _at(view, first), other, other + 12 * _at(view, second)])
    assert angle_deg(name, points) == pytest.approx(wanted)


def test_a_dome_whose_medial_edge_stands_higher_is_varus_below_90() -> None:
    shaft = [[0, 0, 100], [0, 0, 60]]
    assert angle_deg(
        "MTASA", np.array([*shaft, [12, 0, 32], [-12, 0, 30]], float)
    ) == pytest.approx(90 - np.degrees(np.arctan2(2, 24)))


def test_a_line_without_length_is_no_angle() -> None:
    with pytest.raises(ValueError, match="two different points"):
        angle_deg("TMA", np.zeros((4, 3)))


def test_masks_give_five_values_near_the_truth(foot: Case) -> None:
    subject, labels, affine, _ = foot
    found = _masks(labels, affine)
    assert tuple(found) == NAMES
    truth = true_angles(subject.landmarks)
    limits = {
        "CPA": 2.5,
        "TMA": 6.0,
        "TCA": 6.0,
        "HAA": 4.0,
        "MTASA": 6.0,
    }  # single subjects; the means are a half or less
    for name, m in found.items():
        assert m.value == pytest.approx(truth[name], abs=limits[name])
        assert (m.source, m.plane, m.unit, m.why_missing) == (
            "masks",
            ANGLE[name].plane,
            "deg",
            None,
        )
        assert m.confidence is not None
        assert 0.5 < m.confidence <= 1.0
        assert m.slice is not None
        assert m.plane is not None
        assert 0 <= m.slice < labels.shape[2 - m.plane.axis]


def test_key_points_from_masks_lie_near_the_true_ones(foot: Case) -> None:
    subject, labels, affine, to_foot = foot
    frame = foot_frame(labels, affine, orientation_known=True, weight_bearing=True)
    found = key_points(bones_in_frame(frame))
    assert tuple(found)[: len(LANDMARKS)] == LANDMARKS
    height = np.ptp(np.flatnonzero((labels == BONE_ID["Tibia"]).any((1, 2)))) * MM - 18.0
    truth = true_points(subject.bones, min(70.0, height))
    for name in LANDMARKS:
        point, wanted = found[name], apply(frame.to_foot @ np.linalg.inv(to_foot), truth[name])
        assert not isinstance(point, str), name
        off = (point - wanted)[[0, 2]]
        shaft = name in (
            "HAA_Line1_Pt1",
            "HAA_Line1_Pt2",
            "MTASA_Line1_Pt1",
            "MTASA_Line1_Pt2",
        )  # how far up it is read is of no account
        near = (
            3.0 if name == "CPA_Line2_Pt2" else 2.5
        )  # between two heads on the floor: across, it does not count
        assert abs(off[0]) < 2.0 and abs(off[1]) < 8.0 if shaft else np.linalg.norm(off) < near, (
            name
        )


def test_the_shafts_levels_are_those_of_the_truth() -> None:
    for top in (30.0, 45.0, 70.0):
        assert shaft_low_mm(top) == pytest.approx(max(SHAFT_LOW_SHARE * top, SHAFT_LOW_MM))


def test_a_mirrored_foot_has_the_same_angles(foot: Case) -> None:
    _, labels, affine, _ = foot
    assert _values(_masks(labels[:, :, ::-1], affine)) == pytest.approx(
        _values(_masks(labels, affine)), abs=0.02
    )


def test_unknown_orientation_with_z_and_y_flipped_gives_the_same_angles(foot: Case) -> None:
    _, labels, affine, _ = foot
    assert _values(_masks(labels[::-1, ::-1], affine, known=False)) == pytest.approx(
        _values(_masks(labels, affine)), abs=0.02
    )


def test_stray_voxels_change_no_angle_but_lower_the_confidence(foot: Case) -> None:
    _, labels, affine, _ = foot
    dirty = labels.copy()
    dirty[0:12, 0:12, 0:12] = BONE_ID["Calcaneus"]
    before, after = _masks(labels, affine), _masks(dirty, affine)
    assert _values(after) == pytest.approx(_values(before), abs=0.02)
    assert (after["CPA"].confidence or 0) < (before["CPA"].confidence or 0)


def test_a_cut_forefoot_leaves_tma_out_with_the_reason_and_cpa_on_the_horizontal(
    ankle: Case,
) -> None:
    _, labels, affine, _ = ankle
    labels = labels.copy()
    y, x = 0, labels.shape[2] // 2
    labels[4:12, y : y + 8, x : x + 8] = BONE_ID[
        "1st Metatarsal"
    ]  # its base, at the front edge of the scan
    found = _masks(labels, affine)
    assert found["TMA"].value is None
    assert found["TMA"].why_missing == Line("part_outside", part=Line("part.ray1_front"))
    assert found["CPA"].note == Line("floor_horizontal")
    assert len(found["CPA"].points_vox) == 4
    assert (found["CPA"].confidence or 1) < (found["TCA"].confidence or 0)


@pytest.mark.parametrize(
    ("bone", "missing"),
    [
        ("Tibia", {"HAA", "MTASA"}),
        ("1st Metatarsal", {"TMA"}),
        ("5th Metatarsal", set()),
        ("Talus", {"TMA", "TCA", "HAA", "MTASA"}),
        ("Calcaneus", {"CPA", "TCA", "HAA"}),
    ],
)
def test_a_missing_bone_is_the_reason_for_exactly_its_angles(
    foot: Case, bone: str, missing: set[str]
) -> None:
    _, labels, affine, _ = foot
    found = _masks(np.where(labels == BONE_ID[bone], 0, labels).astype(np.uint8), affine)
    assert {n for n, m in found.items() if m.value is None} == missing
    reason = Line("bone_absent", bone=BONE[bone].word)
    assert all(found[n].why_missing == reason and found[n].points_vox == () for n in missing)


def test_a_short_piece_of_shaft_has_no_axis(foot: Case) -> None:
    _, labels, affine, _ = foot
    top = np.flatnonzero((labels == BONE_ID["Talus"]).any((1, 2))).max()
    found = _masks(labels[: top + 12], affine)
    assert found["HAA"].why_missing == found["MTASA"].why_missing == Line("shaft_short")
    assert found["TCA"].value is not None


def test_a_heel_out_of_view_leaves_out_what_needs_it(foot: Case) -> None:
    _, labels, affine, to_foot = foot
    back = round(float(np.linalg.inv(to_foot)[1] @ [0.0, 0.0, 0.0, 1.0]))
    found = _masks(
        labels[:, :back], affine
    )  # LPS y runs backwards: the heel behind its contact point is cut away
    assert (
        found["CPA"].why_missing
        == found["HAA"].why_missing
        == Line("part_outside", part=Line("part.calcaneus_back"))
    )


def _points(moved: Mapping[str, float] | None = None) -> tuple[Landmark, ...]:
    """Landmarks in an axis-aligned frame: every angle has the value of `true_angles` of the same
    points.
    """
    xyz = {
        "CPA": ([0, 0, 3], [0, 40, 15], [0, 0, 0], [0, 130, 0]),
        "TMA": ([8, 30, 60], [15, 62, 46], [16, 106, 26], [27, 158, 8]),
        "TCA": ([8, 30, 60], [15, 62, 46], [0, 0, 3], [0, 40, 15]),
        "HAA": ([9, 38, 140], [9, 38, 112], [8, 40, 56], [-2, 0, 0]),
        "MTASA": ([9, 38, 140], [9, 38, 112], [18, 38, 72], [-7, 38, 72.5]),
    }
    scores = moved or {}
    return tuple(
        Landmark(name, tuple(map(float, p)), None, scores.get(name, 0.9))  # type: ignore[arg-type]
        for a in NAMES
        for name, p in zip(landmark_names(a), xyz[a], strict=True)
    )


def test_landmarks_give_the_angles_of_their_points_and_the_least_score() -> None:
    found = measure_landmarks(_points({"TCA_Line2_Pt2": 0.4}), AXIAL)
    truth = true_angles({p.name: np.array(p.xyz_vox) for p in _points()})
    assert tuple(m.name for m in found) == NAMES
    assert {m.name: m.value for m in found} == pytest.approx(truth)
    assert {m.name: m.confidence for m in found} == {n: 0.4 if n == "TCA" else 0.9 for n in NAMES}
    assert {m.source for m in found} == {"landmarks"}


def test_a_point_of_low_score_is_missing_with_the_reason() -> None:
    found = {
        m.name: m for m in measure_landmarks(_points({"TMA_Line2_Pt2": MIN_SCORE - 0.01}), AXIAL)
    }
    assert found["TMA"].value is None
    assert found["TMA"].why_missing == Line(
        "landmark_unsure", point="TMA_Line2_Pt2", score=MIN_SCORE - 0.01
    )
    assert found["TCA"].value is not None


def test_a_reason_from_outside_beats_a_point() -> None:
    found = {
        m.name: m
        for m in measure_landmarks(_points(), AXIAL, missing={"HAA_Line2_Pt2": Line("shaft_gap")})
    }
    assert (found["HAA"].value, found["HAA"].why_missing) == (
        None,
        Line("shaft_gap"),
    )


@pytest.mark.parametrize("floor", ["bones", "horizontal"])
def test_without_its_own_floor_points_cpa_takes_the_frames_floor_and_says_which(
    floor: str,
) -> None:
    frame = FootFrame(np.eye(4), "L", floor)  # type: ignore[arg-type]
    cpa = measure_landmarks(_points({"CPA_Line2_Pt2": 0.0}), frame)[0]
    assert cpa.value == pytest.approx(np.degrees(np.arctan2(12, 40)))
    assert cpa.note == Line(f"floor_{floor}")


@pytest.mark.parametrize("floor", ["bones", "horizontal"])
def test_from_the_masks_cpa_stands_on_the_frames_floor_and_names_that_one(floor: str) -> None:
    """Heel and heads are in view, but they do not stand on one level: the value is against the
    horizontal, and the note says so.
    """
    frame = FootFrame(np.eye(4), "L", floor)  # type: ignore[arg-type]
    found = {name: np.zeros(3) for name in landmark_names("CPA")}
    found |= {
        "CPA_Line1_Pt2": np.array([0.0, 40.0, 12.0]),
        "CPA_Line2_Pt2": np.array([0.0, 90.0, 0.0]),
    }
    assert _measure("CPA", found, frame, "masks", 1.0).note == Line(f"floor_{floor}")
    assert _measure("CPA", found, frame, "landmarks", 1.0).note == Line("floor_bones"), (
        "its own points, at heel and heads"
    )


def test_no_landmarks_at_all_gives_five_reasons() -> None:
    found = measure_landmarks((), AXIAL)
    assert [m.name for m in found] == list(NAMES)
    assert all(m.value is None and m.why_missing for m in found)


def test_the_slice_is_the_one_nearest_the_points() -> None:
    found = {m.name: m for m in measure_landmarks(_points(), AXIAL)}
    assert found["TMA"].slice == round((8 + 15 + 16 + 27) / 4)
    assert found["MTASA"].slice == 38


def test_the_difference_is_taken_where_both_sources_have_a_value() -> None:
    def one(name: str, source: str, value: float | None) -> Measurement:
        return Measurement(name, "deg", source, value)  # type: ignore[arg-type]

    found = (
        one("CPA", "landmarks", 20.0),
        one("CPA", "masks", 23.5),
        one("TMA", "landmarks", 4.0),
        one("TMA", "masks", None),
    )
    assert difference(found) == {"CPA": 3.5}
