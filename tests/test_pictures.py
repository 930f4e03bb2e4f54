"""Pictures of the report: upright, square, cropped, and every voxel at the pixel that vox_to_px
says.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from grids import ORDERS, SOME_ORDERS, Order, reordered, reordered_array, volume_of
from numpy.typing import NDArray

from footcli.domain import Lesion, Plane, Side, Volume
from footcli.frame.axes import FootFrame, foot_frame
from footcli.infer.prepare import canonical
from footcli.infer.views import slab
from footcli.kinds import BONE_ID
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import scan
from footcli.store.pictures import View
from footcli.text.wording import text
from footcli.views import cut as pictures
from footcli.views.cut import BONE_WINDOW
from footcli.views.slices import Shown, build_views

FRAME = FootFrame(np.eye(4), "L", "bones")
SPACINGS = ((0.5, 0.5, 0.5), (0.4, 0.7, 1.0))
UNTURNED = (False, False)


def _labels(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Bones as blocks here and there, off the middle in every direction."""
    labels = np.zeros(shape, np.uint8)
    nz, ny, nx = shape
    blocks = {
        "Talus": (0.5, 0.4),
        "Calcaneus": (0.3, 0.65),
        "Tibia": (0.75, 0.4),
        "1st Metatarsal": (0.3, 0.15),
        "MidFoot": (0.4, 0.25),
    }
    for i, (bone, (z, y)) in enumerate(blocks.items()):
        at = (int(z * nz), int(y * ny), int((0.3 + 0.08 * i) * nx))
        labels[tuple(slice(a - 3, a + 3) for a in at)] = BONE_ID[bone]
    return labels


def _case(spacing: tuple[float, float, float], order: Order) -> tuple[Volume, NDArray[np.uint8]]:
    shape = (60, 70, 50)
    return reordered(volume_of(np.zeros(shape, np.int16), spacing), order), reordered_array(
        _labels(shape), order
    )


def _slices(
    volume: Volume,
    labels: NDArray[np.uint8],
    lesions: tuple[Lesion, ...] = (),
    turned: tuple[bool, ...] = UNTURNED,
    side: Side | None = "L",
) -> tuple[View, ...]:
    return build_views(volume, labels, FRAME, (), lesions, Shown(turned, side))


def _pixel(view: View, xyz: list[int] | NDArray[np.int64]) -> NDArray[np.float64]:
    """(column, row) of a voxel."""
    return np.asarray(view.vox_to_px @ [*xyz, 1.0])


def _check_marks(volume: Volume, labels: NDArray[np.uint8]) -> None:
    """One bright voxel in each picture's slice, off the middle of everything: its light lies about
    the pixel that the view says.
    """
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
def test_a_marked_voxel_lands_at_its_pixel_in_every_plane(
    spacing: tuple[float, float, float], order: Order
) -> None:
    _check_marks(*_case(spacing, order))


def test_a_marked_voxel_lands_at_its_pixel_in_a_picture_that_was_shrunk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "LARGEST_PX", 48)
    volume, labels = _case(SPACINGS[1], SOME_ORDERS[2])
    _check_marks(volume, labels)
    assert max(max(view.image.shape) for view in _slices(volume, labels)) == 48


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("order", SOME_ORDERS)
def test_the_bones_painted_over_a_picture_are_those_of_its_slice(
    spacing: tuple[float, float, float], order: Order
) -> None:
    volume, labels = _case(spacing, order)
    for view in _slices(volume, labels):
        voxels = np.argwhere(labels > 0)[:, ::-1]
        voxels = voxels[voxels[:, view.plane.axis] == view.index]
        assert len(voxels)
        columns, rows = (
            (voxels @ view.vox_to_px[:, :3].T + view.vox_to_px[:, 3]).round().astype(int).T
        )
        np.testing.assert_array_equal(view.labels[rows, columns], labels[tuple(voxels[:, ::-1].T)])


@pytest.mark.parametrize("spacing", SPACINGS)
def test_pictures_stand_upright_for_all_48_orders(spacing: tuple[float, float, float]) -> None:
    # LPS directions of columns and rows, by what lies at the left edge
    runs = {
        ("R", "A"): ([1, 0, 0], [0, 1, 0]),
        ("R", "S"): ([1, 0, 0], [0, 0, -1]),
        ("A", "S"): ([0, 1, 0], [0, 0, -1]),
    }
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
    for straight, turned in zip(
        _slices(volume, labels),
        _slices(upside_down, labels[::-1, ::-1].copy(), turned=(True, True)),
        strict=True,
    ):
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
    assert {view.pixel_mm for view in _slices(replace(volume, spacing_known=False), labels)} == {
        None
    }


def test_without_bones_there_are_no_slices_to_show() -> None:
    volume, labels = _case(SPACINGS[0], SOME_ORDERS[0])
    assert _slices(volume, np.zeros_like(labels)) == ()


@cache
def _drawn(side: Side) -> tuple[Volume, NDArray[np.uint8], FootFrame]:
    """A drawn foot of that side, as its scan shows it."""
    subject = draw_subject(
        next(seed for seed in range(2, 99) if draw_subject(seed, "normal").side == side), "normal"
    )
    seen = scan(subject, 2.0, 2)
    volume = Volume(
        seen.hu, seen.raster.grid.affine, tuple(map(str, range(seen.hu.shape[0]))), "0" * 64
    )
    frame = foot_frame(
        seen.raster.labels, volume.affine, orientation_known=True, weight_bearing=True
    )
    assert frame.side == side
    return volume, seen.raster.labels, frame


def _projected(side: Side, plane: Plane, told: Side | None = None, mirrored: bool = False) -> View:
    """The projection of a drawn foot. told: what is said of its side, by default the truth.

    mirrored: left and right swapped.
    """
    volume, labels, frame = _drawn(side)
    grid = canonical(volume, 2.0)
    view = slab(grid.hu, labels, np.linalg.inv(frame.to_foot @ grid.to_input), plane, BONE_WINDOW)
    (shown,) = build_views(
        volume,
        np.zeros_like(labels),
        frame,
        (view,),
        (),
        Shown((*UNTURNED, mirrored), told or side),
    )
    return shown


def _looked_along(view: View, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vector (LPS) along which an eye looks that sees the picture so: with it, the picture's
    up and right are right-handed.
    """
    right, down = view.vox_to_px[:, :3] @ np.linalg.inv(affine[:3, :3])
    along = np.cross(-down, right)
    return np.asarray(along / np.linalg.norm(along))


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize(
    ("plane", "along"),
    [(Plane.AXL, [0, 0, -1]), (Plane.COR, [0, -1, 0]), (Plane.SAG, [-1, 0, 0])],
    ids=["above", "behind", "lateral"],
)
def test_a_projection_is_what_an_eye_sees_of_that_sides_foot(
    plane: Plane, along: list[float], side: Side
) -> None:
    """In patient space, without the foot's frame: from above one looks down, from behind forward; a
    left foot's outer side faces the
    reader who looks to the patient's right, and so does a right foot's inner side.
    """
    volume, labels, _ = _drawn(side)
    view = _projected(side, plane)
    assert _looked_along(view, volume.affine) @ along > 0.9

    def middle(bone: str) -> NDArray[np.float64]:
        return (
            np.argwhere(labels == BONE_ID[bone])[:, ::-1].mean(0) @ view.vox_to_px[:, :3].T
            + view.vox_to_px[:, 3]
        )

    if plane is Plane.SAG:
        assert middle("1st Metatarsal")[0] < middle("Calcaneus")[0]
        assert ("outer side" in text(view.caption)) == (side == "L")
        shown = {
            bone: (view.labels == BONE_ID[bone]).sum()
            for bone in ("1st Metatarsal", "5th Metatarsal")
        }
        assert (shown["5th Metatarsal"] > shown["1st Metatarsal"]) == (side == "L"), (
            "the metatarsal that is nearer hides the other"
        )
        return
    medial, lateral = (
        ("1st Metatarsal", "5th Metatarsal") if plane is Plane.AXL else ("Tibia", "Fibula")
    )
    assert (middle(medial)[0] < middle(lateral)[0]) == (side == "R"), (
        "a right foot's big toe is on the left"
    )
    assert view.edges[:2] == (("Me", "La") if side == "R" else ("La", "Me"))


@pytest.mark.parametrize("plane", [Plane.AXL, Plane.COR])
def test_where_the_file_says_the_other_side_the_picture_is_that_sides(plane: Plane) -> None:
    """The slices of a scan without directions may be mirrored: the view is the one of the foot that
    it is said to be.
    """
    mine, said = _projected("R", plane), _projected("R", plane, told="L", mirrored=True)
    np.testing.assert_array_equal(said.image, mine.image[:, ::-1])
    assert said.edges[:2] == ("La", "Me")


def test_of_an_unknown_side_the_picture_says_so_and_letters_are_left_open() -> None:
    volume, labels, frame = _drawn("R")
    grid = canonical(volume, 2.0)
    view = slab(
        grid.hu, labels, np.linalg.inv(frame.to_foot @ grid.to_input), Plane.AXL, BONE_WINDOW
    )
    unknown = replace(volume, orientation_known=False)
    shown, *slices = build_views(unknown, labels, frame, (view,), (), Shown(UNTURNED, None))
    assert "the side is not known" in text(shown.caption)
    assert shown.edges == ("Me", "La", "A", "P"), "as it is if the slices run as usual"
    assert {view.edges[:2] for view in slices} == {("?", "?"), ("A", "P")}
    known = build_views(unknown, labels, frame, (), (), Shown(UNTURNED, "R"))
    assert {view.edges[:2] for view in known} == {("R", "L"), ("A", "P")}


@pytest.mark.parametrize("side", ["L", "R"])
def test_slices_stay_as_ct_is_shown_whatever_the_side(side: Side) -> None:
    volume, labels, frame = _drawn(side)
    for view in build_views(volume, labels, frame, (), (), Shown(UNTURNED, side)):
        along = {Plane.AXL: [0, 0, 1], Plane.COR: [0, 1, 0], Plane.SAG: [-1, 0, 0]}[
            view.plane
        ]  # from the feet, from in front
        assert _looked_along(view, volume.affine) @ along > 0.9
        assert view.edges[:2] == (("A", "P") if view.plane is Plane.SAG else ("R", "L"))


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("plane", list(Plane))
def test_in_a_view_along_the_foot_bones_lie_where_their_voxels_are(
    plane: Plane, side: Side
) -> None:
    _, labels, _ = _drawn(side)
    shown = _projected(side, plane)
    assert shown.index is None
    assert shown.image.shape == shown.labels.shape
    heel = (
        np.argwhere(labels == BONE_ID["Calcaneus"])[:, ::-1] @ shown.vox_to_px[:, :3].T
        + shown.vox_to_px[:, 3]
    )
    rows, columns = np.nonzero(shown.labels == BONE_ID["Calcaneus"])
    assert rows.max() == pytest.approx(heel[:, 1].max(), abs=2.5)
    assert columns.max() == pytest.approx(heel[:, 0].max(), abs=2.5)
    if plane is Plane.AXL:
        return
    top = (
        np.argwhere(labels == BONE_ID["Tibia"])[:, ::-1] @ shown.vox_to_px[:, :3].T
        + shown.vox_to_px[:, 3]
    )
    assert np.nonzero(shown.labels == BONE_ID["Tibia"])[0].min() == pytest.approx(
        top[:, 1].min(), abs=2.5
    )
