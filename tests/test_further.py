"""The further angles: their rules in closed form, their values on a synthetic subject, and what
cannot be measured.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from footcli.angles import angle_deg, true_angles
from footcli.frame.axes import FootFrame, foot_frame
from footcli.geometry import Array, apply, rotation
from footcli.kinds import ANGLE, BONE_ID, FURTHER
from footcli.measure.angles import mask_points, measure_both
from footcli.measure.hallux import NOT_FOUND, OUTSIDE, phalanx
from footcli.measure.joint_space import joint_spaces
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import Scan, scan
from footcli.phantom.subject import Subject
from footcli.phantom.truth import further

MM = 1.2
# Directions of line 1 and line 2 in degrees (coronal: from medial up; axial: from medial forward)
# and the angle they make
RULES = [
    ("MTASA_B", -90.0, 180.0, 90.0),
    ("MTASA_B", -90.0, 184.0, 86.0 + 8.0),
    ("TT", 180.0, 180.0, 0.0),
    ("TT", 180.0, 184.0, 4.0),
    ("TT", 183.0, 178.0, -5.0),
    ("TCA_AP", 70.0, 100.0, 30.0),
    ("TCA_AP", 100.0, 70.0, 30.0),
    ("HVA", 80.0, 100.0, 20.0),
    ("HVA", 95.0, 90.0, -5.0),
    ("IMA", 80.0, 92.0, 12.0),
]


@pytest.mark.parametrize(("name", "first", "second", "wanted"), RULES)
def test_each_further_angle_follows_its_definition_and_sign(
    name: str, first: float, second: float, wanted: float
) -> None:
    def at(degrees: float) -> Array:
        a, b = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        return np.array([a, b, 0.3] if name in ("TCA_AP", "HVA", "IMA") else [a, 0.3, b])

    start, other = np.array([3.0, -4.0, 50.0]), np.array([-6.0, 8.0, 20.0])
    if name == "MTASA_B":
        wanted = (
            180.0 - wanted
            # line 2 runs medial -> lateral: above 180 it falls to lateral, the medial edge is the
            # higher one
        )
    got = angle_deg(name, np.stack([start, start + 30 * at(first), other, other + 12 * at(second)]))
    assert got == pytest.approx(wanted, abs=1e-9)


def test_talar_tilt_is_the_difference_of_the_two_angles_to_the_shaft() -> None:
    shaft = np.array([[2.0, 0, 90], [0, 0, 40]])
    roof, dome = np.array([[12.0, 1, 30], [-12, -1, 31]]), np.array([[11.0, 0, 27], [-11, 0, 25]])
    b, a = (
        angle_deg(name, np.concatenate([shaft, line]))
        for name, line in (("MTASA_B", roof), ("MTASA", dome))
    )
    assert angle_deg("TT", np.concatenate([roof, dome])) == pytest.approx(b - a, abs=1e-9)


def test_the_offset_is_a_share_of_the_foot_and_plus_towards_medial() -> None:
    heel, fore = np.array([0.0, 0, 0]), np.array([0.0, 200, 0])
    assert angle_deg(
        "FAO", np.stack([heel, fore, np.array([6.0, 40, 0]), np.array([0.0, 40, 0])])
    ) == pytest.approx(3.0)
    assert angle_deg(
        "FAO", np.stack([heel, fore, np.array([-6.0, 40, 0]), np.array([0.0, 40, 0])])
    ) == pytest.approx(-3.0)


@pytest.fixture(scope="module")
def toe_out() -> tuple[Subject, Scan, FootFrame]:
    subject = draw_subject(5008, "hallux_valgus")
    seen = scan(subject, MM, 5008)
    return (
        subject,
        seen,
        foot_frame(
            seen.raster.labels, seen.raster.grid.affine, orientation_known=True, weight_bearing=True
        ),
    )


def test_further_angles_of_true_masks_are_near_the_truth(
    toe_out: tuple[Subject, Scan, FootFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, seen, frame = toe_out
    grid = seen.raster.grid
    # true masks show the joint space in voxels that are too coarse for masks of the network
    monkeypatch.setattr("footcli.measure.angles.COARSE_MM", 10.0)
    points = mask_points(frame, partial(phalanx, seen.hu, seen.raster.labels, frame))
    found = {
        m.name: m
        for m in measure_both((), points, frame)
        if m.name in {term.name for term in FURTHER}
    }
    move = frame.to_foot @ np.linalg.inv(grid.to_foot @ grid.affine)
    marks = further(subject.bones, seen.subject.landmarks, subject.gap_mm)
    wanted = true_angles({name: apply(move, at) for name, at in marks.items()}, FURTHER)
    assert set(found) == set(wanted)
    for name, m in found.items():
        assert m.unit == ANGLE[name].unit
        assert m.source == "masks"
        assert m.value == pytest.approx(
            wanted[name], abs=6.0 if name == "HVA" else 1.2 if m.unit == "mm" else 4.0
        ), name
    assert wanted["HVA"] > 25  # a toe that is straight would show nothing


def test_a_toe_that_the_scan_cuts_off_or_does_not_show_has_no_angle(
    toe_out: tuple[Subject, Scan, FootFrame],
) -> None:
    _, seen, frame = toe_out
    labels, hu = seen.raster.labels, seen.hu
    head = apply(frame.to_foot, np.argwhere(labels == BONE_ID["1st Metatarsal"])[:, ::-1])
    head = head[head[:, 1] > head[:, 1].max() - 8].mean(0)
    base = head - np.array([0.0, 50, 0])
    front = np.linalg.inv(frame.to_foot)[:3, 1]  # voxels to the front
    axis = int(np.abs(front).argmax())
    cut = round(
        float((np.linalg.inv(frame.to_foot) @ np.array([*head, 1.0]))[axis] + 20 * front[axis])
    )
    where: list[slice] = [slice(None)] * 3
    where[2 - axis] = slice(cut, None) if front[axis] > 0 else slice(None, cut)
    lost = hu.copy()
    lost[tuple(where)] = hu.min()
    assert phalanx(lost, labels, frame, base, head) == OUTSIDE
    soft = np.where(labels > 0, hu, np.clip(hu, None, 60)).astype(np.int16)
    assert phalanx(soft, labels, frame, base, head) == NOT_FOUND


def _plate(height: float, slope: float = 0.0, edge: float = 0.5) -> Array:
    """Outermost voxels of a bone that ends at a height, rising towards lateral."""
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-15, 15, edge), np.arange(-10, 10, edge)))
    return np.stack([x, y, height - slope * x], axis=1)


def test_the_joint_space_is_what_lies_between_the_outermost_voxels() -> None:
    medial, lateral = np.array([12.0, 0, 30]), np.array([-12.0, 0, 30])
    for roof, wanted in (
        (_plate(33.0), (2.5, 2.5, 2.5)),
        (_plate(33.0, 0.1), (1.66, 2.5, 3.34)),
        (_plate(30.25), (0.0, 0.0, 0.0)),
    ):
        found = joint_spaces(roof, _plate(30.0), 0.5, medial, lateral)
        widths = [
            float(np.linalg.norm(ends[0] - ends[1])) for ends in found.values() if ends is not None
        ]
        np.testing.assert_allclose(widths, wanted, atol=0.1)
    assert set(joint_spaces(_plate(33.0)[:0], _plate(30.0), 0.5, medial, lateral).values()) == {
        None
    }
    beside = _plate(33.0)[_plate(33.0)[:, 0] > 4.0]  # lateral half of the tibia is not there
    assert [
        ends is None for ends in joint_spaces(beside, _plate(30.0), 0.5, medial, lateral).values()
    ] == [False, True, True]


def test_a_tilted_joint_is_measured_square_to_the_dome() -> None:
    turn = rotation([0, 1, 0], 12.0)
    roof, dome = (plate @ turn.T for plate in (_plate(33.0), _plate(30.0)))
    found = joint_spaces(
        roof, dome, 0.5, turn @ np.array([12.0, 0, 30]), turn @ np.array([-12.0, 0, 30])
    )
    assert all(
        ends is not None and np.linalg.norm(ends[0] - ends[1]) == pytest.approx(2.5, abs=0.15)
        for ends in found.values()
    )
