"""From a volume to the networks' grid.

The same picture whatever the file's axes, and the way back.
"""

from __future__ import annotations

import numpy as np
import pytest
from grids import ORDERS, Order, new_to_old, reordered, reordered_array, volume_of

from footcli.domain import Plane
from footcli.geometry import apply, rotation
from footcli.infer.prepare import (
    AIR_HU,
    alone,
    axis_weights,
    canonical,
    neighbours,
    orientation,
    pad_to,
    to_input_order,
    window,
)

SPACING = (0.7, 0.9, 1.3)


def _hu(shape: tuple[int, int, int] = (5, 6, 7)) -> np.ndarray:
    return np.random.default_rng(3).integers(-1000, 1500, shape).astype(np.int16)


def test_the_canonical_picture_is_the_same_for_all_48_orders_of_axes() -> None:
    base = volume_of(_hu(), SPACING)
    wanted = canonical(base, 0.8)
    assert len(ORDERS) == 48
    for order in ORDERS:
        got = canonical(reordered(base, order), 0.8)
        assert got.hu.shape == wanted.hu.shape
        np.testing.assert_allclose(got.hu, wanted.hu, atol=1e-2, err_msg=str(order))


def test_a_canonical_voxel_leads_to_the_same_place_in_mm_for_all_48_orders() -> None:
    base = volume_of(_hu(), SPACING)
    grid = canonical(base, 0.8)
    points = np.random.default_rng(4).uniform(0, 5, (10, 3))
    wanted = base.to_mm(apply(grid.to_input, points))
    np.testing.assert_allclose(wanted, base.affine[:3, 3] + 0.8 * points, atol=1e-9)
    for order in ORDERS:
        volume = reordered(base, order)
        np.testing.assert_allclose(
            volume.to_mm(apply(canonical(volume, 0.8).to_input, points)),
            wanted,
            atol=1e-9,
            err_msg=str(order),
        )


def test_a_canonical_voxel_shows_the_input_voxel_that_to_input_names() -> None:
    base = volume_of(_hu(), (1.0, 1.0, 1.0))
    for order in ORDERS:
        volume = reordered(base, order)
        grid = canonical(volume, 1.0)
        for z, y, x in ((0, 0, 0), (4, 5, 6), (1, 3, 2)):
            at = apply(grid.to_input, [float(x), float(y), float(z)]).round().astype(int)
            assert grid.hu[z, y, x] == volume.hu[at[2], at[1], at[0]]


def test_to_input_order_undoes_the_reordering_for_all_48_orders() -> None:
    base = volume_of(_hu(), (1.0, 1.0, 1.0))
    for order in ORDERS:
        volume = reordered(base, order)
        grid = canonical(volume, 1.0)
        back = to_input_order(grid.hu, grid.order, grid.flip)
        np.testing.assert_array_equal(back, volume.hu, err_msg=str(order))


def test_an_oblique_scan_takes_the_nearest_axes() -> None:
    volume = reordered(volume_of(_hu(), SPACING), ((1, 2, 0), (True, False, True)))
    tilted = np.eye(4)
    tilted[:3, :3] = rotation([0.3, 1.0, 0.5], 25.0)
    assert orientation(tilted @ volume.affine) == orientation(volume.affine)


@pytest.mark.parametrize("turned", [(True, False), (False, True), (True, True)])
def test_a_scan_whose_directions_are_not_to_be_trusted_can_be_turned(
    turned: tuple[bool, bool],
) -> None:
    base = volume_of(_hu(), (1.0, 1.0, 1.0))
    got = canonical(base, 1.0, turned)
    up_down, front_back = turned
    np.testing.assert_array_equal(
        got.hu, base.hu[:: -1 if up_down else 1, :: -1 if front_back else 1]
    )
    first = apply(got.to_input, [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(first, [0, 5 if front_back else 0, 4 if up_down else 0])


def test_the_last_input_voxel_lies_inside_the_canonical_grid() -> None:
    for n, spacing, pixel in ((7, 0.3, 1.0), (7, 1.3, 1.0), (1, 0.5, 1.0), (50, 0.21, 0.8)):
        grid = canonical(volume_of(_hu((n, 3, 3)), (1.0, 1.0, spacing)), pixel)
        assert (grid.hu.shape[0] - 1) * pixel >= (n - 1) * spacing - 1e-9
        assert (grid.hu.shape[0] - 2) * pixel < (n - 1) * spacing or n == 1


@pytest.mark.parametrize(
    ("spacing", "pixel"), [(1.0, 1.0), (1.3, 0.8), (0.3, 1.0), (0.25, 0.8), (0.4, 0.8)]
)
def test_the_weights_of_an_axis_sum_to_one_and_keep_a_ramp(spacing: float, pixel: float) -> None:
    n_in = 60
    n_out = int(np.ceil((n_in - 1) * spacing / pixel)) + 1
    weights = axis_weights(n_in, spacing, n_out, pixel)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    ramp = weights @ np.arange(n_in)
    at = np.arange(n_out) * pixel / spacing
    reach = max(1.0, pixel / spacing)
    inner = (at >= reach) & (at <= n_in - 1 - reach)
    assert inner.sum() > 5
    np.testing.assert_allclose(ramp[inner], at[inner], atol=0.02 * reach)


def test_same_spacing_leaves_a_volume_as_it_is() -> None:
    volume = volume_of(_hu(), (0.8, 0.8, 0.8))
    np.testing.assert_array_equal(canonical(volume, 0.8).hu, volume.hu)


def test_a_finer_input_is_averaged_not_picked() -> None:
    hu = np.zeros((40, 3, 3), np.int16)
    hu[::2] = 1000
    inner = canonical(volume_of(hu, (1.0, 1.0, 0.25)), 1.0).hu[2:-2]
    np.testing.assert_allclose(inner, 500, atol=1)


def test_slices_are_worked_in_slabs_without_a_seam() -> None:
    ramp = np.arange(40, dtype=np.int16)[:, None, None] * np.ones((1, 3, 3), np.int16)
    np.testing.assert_allclose(
        canonical(volume_of(ramp, (1.0, 1.0, 1.0)), 1.0).hu[:, 1, 1], np.arange(40), atol=1e-4
    )


def test_one_foot_of_two_is_left_alone_in_air() -> None:
    grid = canonical(volume_of(np.zeros((3, 4, 20), np.int16), (0.8, 0.8, 0.8)), 0.8)
    part = alone(grid, (4.0, 8.0))
    assert [int(x) for x in np.flatnonzero(part.hu[0, 0] == 0)] == [5, 6, 7, 8, 9]
    assert set(np.unique(part.hu)) == {AIR_HU, 0.0}
    assert (grid.hu == 0).all(), "the grid of both feet stays as it was"
    assert alone(grid, None) is grid


@pytest.mark.parametrize("plane", list(Plane))
def test_neighbours_lie_along_the_normal_of_the_plane(plane: Plane) -> None:
    hu = _hu().astype(np.float32)
    stack = neighbours(hu, plane, 2, (-1.6, 0.0, 1.6), 0.8)
    axis = {Plane.AXL: 0, Plane.COR: 1, Plane.SAG: 2}[plane]
    assert stack.shape == (3, *(n for a, n in enumerate(hu.shape) if a != axis))
    for channel, index in enumerate((0, 2, 4)):
        np.testing.assert_array_equal(stack[channel], np.take(hu, index, axis))


def test_neighbours_beyond_the_ends_are_air() -> None:
    hu = np.zeros((4, 3, 3), np.float32)
    low, here, high = neighbours(hu, Plane.AXL, 0, (-1.0, 0.0, 4.0), 1.0)
    assert np.all(low == AIR_HU)
    assert np.all(here == 0)
    assert np.all(high == AIR_HU)


def test_padding_adds_air_below_and_right_only_where_needed() -> None:
    image = np.ones((2, 17, 32), np.float32)
    padded = pad_to(image, 16)
    assert padded.shape == (2, 32, 32)
    np.testing.assert_array_equal(padded[:, :17], image)
    assert np.all(padded[:, 17:] == AIR_HU)


def test_a_window_clips_to_zero_and_one() -> None:
    hu = np.array([-2000.0, -500.0, 500.0, 1500.0, 3000.0])
    np.testing.assert_allclose(window(np, hu, -500, 1500), [0, 0, 0.5, 1, 1])


@pytest.mark.parametrize("order", ORDERS[::7])
def test_the_test_volumes_themselves_hold_together(order: Order) -> None:
    hu = _hu()
    moved, matrix = reordered_array(hu, order), new_to_old(hu.shape, order)
    x, y, z = apply(matrix, [1.0, 2.0, 0.0]).astype(int)
    assert moved[0, 2, 1] == hu[z, y, x]
