"""The foot frame from masks: axes, floor, side, and what the field of view cuts off, on synthetic
subjects.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from footcli.domain import Side
from footcli.errors import InferenceError
from footcli.frame.axes import FootFrame, foot_frame
from footcli.frame.masks import find_bones
from footcli.geometry import Array, apply
from footcli.kinds import BONE_ID, BONES
from footcli.phantom.disease import draw_subject
from footcli.phantom.grid import make_grid
from footcli.phantom.raster import rasterize
from footcli.phantom.scanner import FIELDS, Field
from footcli.phantom.subject import Subject

MM = 1.5
Case = tuple[Subject, np.ndarray, Array, Array]  # subject, labels, affine, voxel -> true foot frame


def _case(seed: int, field: Field, side: Side) -> Case:
    subject = replace(draw_subject(seed), side=side)
    low, high = (corner * subject.scale for corner in FIELDS[field])
    grid = make_grid(subject, MM, low, high, np.eye(3))
    return subject, rasterize(subject, grid).labels, grid.affine, grid.to_foot @ grid.affine


@pytest.fixture(scope="module")
def left() -> Case:
    return _case(5004, "foot", "L")


@pytest.fixture(scope="module")
def right_ankle() -> Case:
    return _case(5003, "ankle", "R")


def _frame(case: Case, **change: object) -> FootFrame:
    return foot_frame(
        case[1], case[2], **{"orientation_known": True, "weight_bearing": True, **change}
    )  # type: ignore[arg-type]


def _seen(case: Case, frame: FootFrame, bone: str, point: str) -> Array:
    """A point of the subject, as the frame places it (mm)."""
    subject, _, _, to_foot = case
    return apply(frame.to_foot @ np.linalg.inv(to_foot), subject.bones[bone].point(point))


def test_the_second_metatarsal_head_lies_straight_ahead_of_the_heel(left: Case) -> None:
    frame = _frame(left)
    head = _seen(left, frame, "metatarsal2", "head_centre")
    assert abs(head[0]) < 2.5
    assert head[1] > 130 * left[0].scale
    assert np.linalg.norm(_seen(left, frame, "calcaneus", "heel_contact")) < 5


def test_the_floor_touches_heel_and_both_metatarsal_heads(left: Case) -> None:
    frame = _frame(left)
    assert frame.floor == "bones"
    for bone in ("metatarsal1", "metatarsal5"):
        assert abs(_seen(left, frame, bone, "plantar_head")[2]) < 2.0


def test_the_frame_is_in_millimetres_and_at_right_angles(left: Case) -> None:
    turn = _frame(left).to_foot[:3, :3] / MM
    assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-9)


def test_left_and_right_feet_are_told_apart(left: Case, right_ankle: Case) -> None:
    assert (left[0].side, _frame(left).side) == ("L", "L")
    assert (right_ankle[0].side, _frame(right_ankle).side) == ("R", "R")


def test_a_foot_mirrored_left_to_right_has_the_other_side_and_the_same_frame(left: Case) -> None:
    subject, labels, affine, to_foot = left
    frame, mirrored = _frame(left), _frame((subject, labels[:, :, ::-1], affine, to_foot))
    flip = np.eye(4)
    flip[0, 0], flip[0, 3] = -1, labels.shape[2] - 1
    assert mirrored.side == "R"
    assert np.allclose(mirrored.to_foot @ flip, frame.to_foot, atol=1e-6)


def test_the_patient_may_face_any_way(left: Case) -> None:
    subject, labels, affine, to_foot = left
    quarter = np.swapaxes(labels, 1, 2)[:, :, ::-1]  # turned about the vertical by 90 degrees
    frame = _frame((subject, quarter, affine, to_foot))
    assert frame.side == "L"
    assert frame.to_foot[1, 0] ** 2 > 0.9 * MM**2


def test_with_unknown_orientation_up_and_front_come_from_the_bones_and_the_side_stays_open(
    left: Case,
) -> None:
    subject, labels, affine, to_foot = left
    frame = _frame(left)
    turned = _frame((subject, labels[::-1, ::-1], affine, to_foot), orientation_known=False)
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    flip[1:3, 3] = labels.shape[1] - 1, labels.shape[0] - 1
    assert turned.side is None
    assert np.allclose(turned.to_foot @ flip, frame.to_foot, atol=1e-6)


def test_bones_upside_down_in_a_volume_of_known_orientation_are_reported(left: Case) -> None:
    subject, labels, affine, to_foot = left
    frame = _frame((subject, labels[::-1], affine, to_foot))
    assert frame.side is None
    assert "up_disagrees" in {n.code for n in frame.notices}


def test_a_cut_forefoot_gives_the_horizontal_floor_and_nearly_the_same_axis(
    right_ankle: Case,
) -> None:
    frame = _frame(right_ankle)
    head = _seen(right_ankle, frame, "metatarsal2", "head_centre")
    assert frame.floor == "horizontal"
    assert abs(np.degrees(np.arctan2(head[0], head[1]))) < 5


@pytest.mark.parametrize(
    ("stood", "code"), [(None, "floor_assumed"), (False, "not_weight_bearing"), (True, None)]
)
def test_a_floor_that_nobody_stood_on_is_said(
    right_ankle: Case, stood: bool | None, code: str | None
) -> None:
    codes = {n.code for n in _frame(right_ankle, weight_bearing=stood).notices}
    assert codes == ({code} if code else set())


def test_stray_voxels_change_nothing(left: Case) -> None:
    subject, labels, affine, to_foot = left
    dirty = labels.copy()
    for k in range(1, len(BONES) + 1):
        dirty[5 * k : 5 * k + 2, 3, 4], dirty[2, 4, 6 * k] = k, k
    assert np.allclose(
        _frame((subject, dirty, affine, to_foot)).to_foot, _frame(left).to_foot, atol=0.02
    )


@pytest.mark.parametrize(
    "kept",
    [("Calcaneus", "Talus"), ("Calcaneus", "Tibia"), ("Talus", "Tibia", "Fibula", "MidFoot")],
)
def test_few_bones_still_orient_the_foot(left: Case, kept: tuple[str, ...]) -> None:
    subject, labels, affine, to_foot = left
    few = np.where(np.isin(labels, [BONE_ID[n] for n in kept]), labels, 0).astype(np.uint8)
    turn = _frame((subject, few, affine, to_foot)).to_foot[:3, :3] / MM
    assert (
        np.trace(turn @ np.linalg.inv(to_foot[:3, :3] / MM)) > 2.8
    )  # within some 25 degrees, and never mirrored


@pytest.mark.parametrize("kept", [(), ("Calcaneus",), ("1st Metatarsal", "2nd Metatarsal")])
def test_too_few_bones_are_an_error_that_names_them(left: Case, kept: tuple[str, ...]) -> None:
    subject, labels, affine, to_foot = left
    few = np.where(np.isin(labels, [BONE_ID[n] for n in kept]), labels, 0).astype(np.uint8)
    with pytest.raises(InferenceError, match=", ".join(kept).lower() or "no bone") as error:
        _frame((subject, few, affine, to_foot))
    assert error.value.code == "no_bone_found"


def test_cut_ends_are_named_by_the_foots_own_directions(left: Case, right_ankle: Case) -> None:
    for case, bone, ends in (
        (left, "Tibia", {"top"}),
        (left, "Calcaneus", set()),
        (left, "1st Metatarsal", set()),
        (right_ankle, "Tibia", {"top"}),
        (right_ankle, "2nd Metatarsal", {"front"}),
        (right_ankle, "Talus", set()),
    ):
        frame = _frame(case)
        assert frame.bones[bone].cut(frame.to_foot) == ends, bone


def test_an_end_of_the_data_inside_the_volume_cuts_too(left: Case) -> None:
    _, labels, affine, _ = left
    frame = _frame(left)
    z, y, x = np.indices(labels.shape)
    forward = apply(frame.to_foot, np.stack([x, y, z], axis=-1).astype(float))[..., 1]
    inside = forward < 120 * left[0].scale
    seen = np.where(inside, labels, 0).astype(np.uint8)
    ends = [
        find_bones(seen, affine, data)["1st Metatarsal"].cut(frame.to_foot)
        for data in (None, inside)
    ]
    assert ends == [set(), {"front"}]
    assert _frame((left[0], seen, affine, left[3]), inside=inside).floor == "horizontal"


def test_the_midfoot_keeps_all_its_pieces_and_loses_strays(left: Case) -> None:
    _, labels, affine, _ = left
    dirty = labels.copy()
    dirty[0:2, 0:2, 0:2] = BONE_ID["MidFoot"]
    clean, found = (find_bones(v, affine)["MidFoot"] for v in (labels, dirty))
    assert found.volume_mm3 == clean.volume_mm3
    assert clean.share == 1.0
    assert found.share < 1.0


def test_an_absent_bone_is_not_there(left: Case) -> None:
    _, labels, affine, _ = left
    assert find_bones(np.zeros_like(labels), affine) == {}
