"""Pictures of the report: upright, square, cropped, and every voxel at the pixel that vox_to_px says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grids import ORDERS, SOME_ORDERS, Order, reordered, reordered_array, volume_of
from numpy.typing import NDArray

from footcli import pictures
from footcli.domain import Lesion, Plane, View, Volume
from footcli.frame import FootFrame, foot_frame
from footcli.infer.prepare import canonical
from footcli.infer.views import slab
from footcli.names import BONE_ID
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import scan
from footcli.pictures import BONE_WINDOW, build_views

FRAME = FootFrame(np.eye(4), "L", "bones")
SPACINGS = ((0.5, 0.5, 0.5), (0.4, 0.7, 1.0))
UNTURNED = (False, False)


def _labels(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Bones as blocks here and there, off the middle in every direction."""
    labels = np.zeros(shape, np.uint8)
    nz, ny, nx = shape
    blocks = {"Talus": (0.5, 0.4), "Calcaneus": (0.3, 0.65), "Tibia": (0.75, 0.4), "1st Metatarsal": (0.3, 0.15), "MidFoot": (0.4, 0.25)}
    for i, (bone, (z, y)) in enumerate(blocks.items()):
        at = (int(z * nz), int(y * ny), int((0.3 + 0.08 * i) * nx))
        labels[tuple(slice(a - 3, a + 3) for a in at)] = BONE_ID[bone]
    return labels


def _case(spacing: tuple[float, float, float], order: Order) -> tuple[Volume, NDArray[np.uint8]]:
    shape = (60, 70, 50)
    return reordered(volume_of(np.zeros(shape, np.int16), spacing), order), reordered_array(_labels(shape), order)


def _slices(
    volume: Volume, labels: NDArray[np.uint8], lesions: tuple[Lesion, ...] = (), turned: tuple[bool, bool] = UNTURNED
) -> tuple[View, ...]:
    return build_views(volume, labels, FRAME, (), lesions, turned)


def _pixel(view: View, xyz: list[int] | NDArray[np.int64]) -> NDArray[np.float64]:
    """(column, row) of a voxel."""
    return np.asarray(view.vox_to_px @ [*xyz, 1.0])


def _check_marks(volume: Volume, labels: NDArray[np.uint8]) -> None:
    """One bright voxel in each picture's slice, off the middle of everything: its light lies about the pixel that the view says."""
    views = _slices(volume, labels)
    assert {view.plane for view in views} == set(Plane)
    for i, view in enumerate(views):
        voxel = [19, 23, 29]
        voxel[view.plane.axis] = view.index or 0
        hu = volume.hu.copy()
        hu[voxel[2], voxel[1], voxel[0]] = BONE_WINDOW[1]
        image = _slices(replace(volume, hu=hu), labels)[i].image.astype(float)
        light = np.clip(image - np.median(image), 0, None)
        rows, columns = np.indices(light.shape)
        middle = (columns * light).sum() / light.sum(), (rows * light).sum() / light.sum()
        np.testing.assert_allclose(middle, _pixel(view, voxel), atol=0.3)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("order", SOME_ORDERS)
def test_a_marked_voxel_lands_at_its_pixel_in_every_plane(spacing: tuple[float, float, float], order: Order) -> None:
    _check_marks(*_case(spacing, order))


def test_a_marked_voxel_lands_at_its_pixel_in_a_picture_that_was_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST_PX", 48)
    volume, labels = _case(SPACINGS[1], SOME_ORDERS[2])
    _check_marks(volume, labels)
    assert max(max(view.image.shape) for view in _slices(volume, labels)) == 48


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("order", SOME_ORDERS)
def test_the_bones_painted_over_a_picture_are_those_of_its_slice(spacing: tuple[float, float, float], order: Order) -> None:
    volume, labels = _case(spacing, order)
    for view in _slices(volume, labels):
        voxels = np.argwhere(labels > 0)[:, ::-1]
        voxels = voxels[voxels[:, view.plane.axis] == view.index]
        assert len(voxels)
        columns, rows = (voxels @ view.vox_to_px[:, :3].T + view.vox_to_px[:, 3]).round().astype(int).T
        np.testing.assert_array_equal(view.labels[rows, columns], labels[tuple(voxels[:, ::-1].T)])


@pytest.mark.parametrize("spacing", SPACINGS)
def test_pictures_stand_upright_for_all_48_orders(spacing: tuple[float, float, float]) -> None:
    # LPS directions of columns and rows, by what lies at the left edge
    runs = {("R", "A"): ([1, 0, 0], [0, 1, 0]), ("R", "S"): ([1, 0, 0], [0, 0, -1]), ("A", "S"): ([0, 1, 0], [0, 0, -1])}
    for order in ORDERS:
        volume, labels = _case(spacing, order)
        views = _slices(volume, labels)
        assert {(view.edges[0], view.edges[2]) for view in views} == set(runs)
        for view in views:
            per_mm = view.vox_to_px[:, :3] @ np.linalg.inv(volume.affine[:3, :3])
            columns, rows = runs[view.edges[0], view.edges[2]]
            assert view.pixel_mm is not None
            np.testing.assert_allclose(per_mm * view.pixel_mm, [columns, rows], atol=0.03)
            assert view.image.shape == view.labels.shape
            assert view.image.dtype == view.labels.dtype == np.uint8


def test_every_bone_lies_inside_the_crop() -> None:
    for order in SOME_ORDERS:
        volume, labels = _case(SPACINGS[0], order)
        for view in _slices(volume, labels):
            for voxel in np.argwhere(labels > 0)[:, ::-1]:
                column, row = _pixel(view, voxel)
                assert -0.5 <= column <= view.image.shape[1] - 0.5
                assert -0.5 <= row <= view.image.shape[0] - 0.5


def test_a_scan_that_was_turned_is_shown_upright() -> None:
    volume, labels = _case(SPACINGS[0], SOME_ORDERS[0])
    upside_down = replace(volume, hu=volume.hu[::-1, ::-1].copy(), orientation_known=False)
    for straight, turned in zip(_slices(volume, labels), _slices(upside_down, labels[::-1, ::-1].copy(), turned=(True, True)), strict=True):
        if straight.plane is Plane.SAG:
            np.testing.assert_array_equal(turned.labels, straight.labels)


@pytest.mark.parametrize("plane", list(Plane))
def test_the_middle_slice_of_a_lesion_is_shown(plane: Plane) -> None:
    volume, labels = _case(SPACINGS[0], SOME_ORDERS[0])
    lesion = Lesion("OLT", 0.9, plane, (7, 11), (0, 0, 0, 1, 1, 1), None)
    assert f"{plane}-9" in {view.key for view in _slices(volume, labels, (lesion,))}
    assert f"{plane}-9" not in {view.key for view in _slices(volume, labels)}


def test_no_picture_comes_twice() -> None:
    volume, labels = _case(SPACINGS[0], SOME_ORDERS[0])
    keys = [view.key for view in _slices(volume, labels)]
    assert len(keys) == len(set(keys)) > 3


def test_without_millimetres_pictures_have_no_scale() -> None:
    volume, labels = _case((1.0, 1.0, 1.0), SOME_ORDERS[0])
    assert {view.pixel_mm for view in _slices(replace(volume, spacing_known=False), labels)} == {None}


def test_without_bones_there_are_no_slices_to_show() -> None:
    volume, labels = _case(SPACINGS[0], SOME_ORDERS[0])
    assert _slices(volume, np.zeros_like(labels)) == ()


@pytest.mark.parametrize("plane", [Plane.SAG, Plane.COR])
def test_in_a_view_along_the_foot_bones_lie_where_their_voxels_are(plane: Plane) -> None:
    seen = scan(draw_subject(2, "normal"), 2.0, 2)
    volume = Volume(seen.hu, seen.raster.grid.affine, tuple(map(str, range(seen.hu.shape[0]))), "0" * 64)
    labels = seen.raster.labels
    frame = foot_frame(labels, volume.affine, orientation_known=True, weight_bearing=True)
    grid = canonical(volume, 2.0)
    view = slab(grid.hu, labels, np.linalg.inv(frame.to_foot @ grid.to_input), plane, BONE_WINDOW)
    (shown,) = build_views(volume, np.zeros_like(labels), frame, (view,), (), UNTURNED)
    assert shown.index is None
    assert shown.image.shape == shown.labels.shape
    heel = np.argwhere(labels == BONE_ID["Calcaneus"])[:, ::-1] @ shown.vox_to_px[:, :3].T + shown.vox_to_px[:, 3]
    rows, columns = np.nonzero(shown.labels == BONE_ID["Calcaneus"])
    assert rows.max() == pytest.approx(heel[:, 1].max(), abs=2.5)
    assert columns.max() == pytest.approx(heel[:, 0].max(), abs=2.5)
    top = np.argwhere(labels == BONE_ID["Tibia"])[:, ::-1] @ shown.vox_to_px[:, :3].T + shown.vox_to_px[:, 3]
    assert np.nonzero(shown.labels == BONE_ID["Tibia"])[0].min() == pytest.approx(top[:, 1].min(), abs=2.5)
