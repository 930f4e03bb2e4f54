"""Feet in a volume of parts: found in any pose, told left from right, their bones' parts named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from footcli.domain import Side
from footcli.frame.feet import FoundFoot, find_feet
from footcli.frame.fit import Shown
from footcli.geometry import Array, rotation
from footcli.infer.parts import name_parts
from footcli.kinds import BONE_ID
from footcli.kinds.parts import PART_ID
from footcli.phantom.disease import draw_subject
from footcli.phantom.grid import make_grid
from footcli.phantom.pose import flexed
from footcli.phantom.raster import Raster, rasterize
from footcli.phantom.scanner import FIELDS, Field

MM = 2.5
Labels = NDArray[np.uint8]


def _drawn(
    seed: int, field: Field = "foot", side: Side = "L", turn: Array | None = None, mm: float = MM
) -> Raster:
    subject = replace(draw_subject(seed), side=side)
    low, high = (corner * subject.scale for corner in FIELDS[field])
    return rasterize(
        subject, make_grid(subject, mm, low, high, np.eye(3) if turn is None else turn)
    )


def _feet(parts: Labels, affine: Array) -> tuple[FoundFoot, ...]:
    return find_feet(parts, Shown(np.ones(parts.shape, bool), affine))


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("field", ["foot", "ankle", "hindfoot"])
@pytest.mark.parametrize("turn", [0.0, 100.0])
def test_a_foot_is_found_in_any_field_and_turn(side: Side, field: Field, turn: float) -> None:
    raster = _drawn(5004, field, side, rotation([1.0, 2.0, 0.5], turn))
    (foot,) = _feet(raster.parts, raster.grid.affine)
    fit = foot.fit
    assert fit is not None
    assert fit.left == (side == "L")
    assert fit.off_mm < 6
    assert fit.other_off_mm > 1.3 * fit.off_mm
    true = raster.grid.to_foot[:3, :3]
    off = np.degrees(np.arccos((np.trace(fit.axes @ np.linalg.inv(true)) - 1) / 2))
    assert off < 12
    assert np.array_equal(foot.parts > 0, (foot.parts > 0) & (raster.parts > 0))


def test_a_hanging_foot_lies_as_its_foot_does() -> None:
    subject = flexed(draw_subject(5004), 40.0)
    low, high = (corner * subject.scale for corner in FIELDS["foot"])
    raster = rasterize(subject, make_grid(subject, MM, low, high, np.eye(3)))
    (foot,) = _feet(raster.parts, raster.grid.affine)
    assert foot.fit is not None
    _, _, up = foot.fit.axes @ np.linalg.inv(raster.grid.to_foot[:3, :3])[:, 2]
    assert np.degrees(np.arccos(up)) == pytest.approx(36, abs=10)


def _two(gap: int) -> tuple[Labels, Array]:
    """A right and a left foot beside each other: the patient's left lies along x."""
    right, left = (_drawn(5004, side=side) for side in ("R", "L"))
    between = np.zeros((*left.parts.shape[:2], gap), np.uint8)
    return np.concatenate([right.parts, between, left.parts], axis=2), left.grid.affine


@pytest.mark.parametrize("gap", [0, 12])
def test_two_feet_are_parted_and_each_has_its_side(gap: int) -> None:
    parts, affine = _two(gap)
    feet = sorted(
        _feet(parts, affine), key=lambda foot: float(np.argwhere(foot.parts)[:, 2].mean())
    )
    assert [foot.fit.left for foot in feet if foot.fit is not None] == [False, True]
    assert all(foot.fit.off_mm < 6 for foot in feet if foot.fit is not None)
    together = feet[0].parts + feet[1].parts
    assert (together == parts).mean() > 0.999


def test_what_lies_elsewhere_is_no_part_of_the_foot() -> None:
    raster = _drawn(5004)
    parts = np.pad(raster.parts, ((0, 0), (0, 0), (0, 30)))
    ray = parts == PART_ID["metatarsal3"]
    stray = np.roll(ray, 30, axis=2)
    parts[stray & (parts == 0)] = PART_ID["metatarsal3"]
    (foot,) = _feet(parts, raster.grid.affine)
    assert np.array_equal(foot.parts == PART_ID["metatarsal3"], ray)


def test_a_ray_in_two_pieces_stays_whole() -> None:
    raster = _drawn(5004)
    parts = raster.parts.copy()
    ray = np.argwhere(parts == PART_ID["metatarsal2"])
    middle = int(ray[:, 1].mean())
    parts[:, middle - 1 : middle + 1][
        parts[:, middle - 1 : middle + 1] == PART_ID["metatarsal2"]
    ] = 0
    (foot,) = _feet(parts, raster.grid.affine)
    kept = (foot.parts == PART_ID["metatarsal2"]).sum() / (parts == PART_ID["metatarsal2"]).sum()
    assert kept > 0.9


def test_nothing_is_no_foot() -> None:
    assert _feet(np.zeros((20, 20, 20), np.uint8), np.diag([MM, MM, MM, 1.0])) == ()


def test_parts_of_a_bone_meet_where_its_background_rises() -> None:
    settled = np.full((12, 12, 30), BONE_ID["MidFoot"], np.uint8)
    settled[[0, -1]] = 0
    background = np.zeros(settled.shape, np.float32)
    background[..., 14] = 0.4
    said = np.zeros_like(settled)
    said[..., :9], said[..., 19:] = PART_ID["navicular"], PART_ID["cuboid"]
    got = name_parts(settled, background, said)
    assert (got[5, 5, :14] == PART_ID["navicular"]).all()
    assert (got[5, 5, 15:] == PART_ID["cuboid"]).all()
    assert not got[0].any()
    assert not name_parts(settled, background, np.zeros_like(settled)).any()
