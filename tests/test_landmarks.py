"""Slab views and heat maps: what is seen at a pixel lies where the view says, and a peak becomes a
voxel of the input.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from grids import SOME_ORDERS, Order, reordered, reordered_array
from numpy.typing import NDArray

from footcli.domain import Plane, Volume
from footcli.frame.axes import FootFrame, foot_frame
from footcli.geometry import apply, rotation
from footcli.infer.landmarks import (
    AUGMENTATIONS,
    OUT_OF_VIEW,
    TURNS,
    Located,
    augmented,
    locate,
    peak,
    robust_mean,
    turned,
    turning,
)
from footcli.infer.prepare import canonical
from footcli.infer.spec import ModelSpec
from footcli.infer.spec_checks import VIEW_IMAGES, VIEW_MM
from footcli.infer.views import (
    ALONE_MM,
    BONES_SHOWN,
    CHANNELS,
    DEPTH,
    OWNER,
    point_depth,
    slab,
    view_geometry,
)
from footcli.kinds import BONE_ID, LANDMARKS
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import Scan, scan

PLANES = (Plane.SAG, Plane.COR)
WINDOW = (-500.0, 1500.0)
SPACING_MM = 1.5


def _gauss(
    shape: tuple[int, int], column: float, row: float, sigma: float = 3.0, top: float = 1.0
) -> NDArray[np.float32]:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.asarray(
        top * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * sigma**2)), np.float32
    )


@pytest.mark.parametrize(
    ("column", "row"), [(20.0, 11.0), (20.5, 11.5), (33.27, 14.81), (9.6, 25.4)]
)
def test_a_peak_is_found_to_a_tenth_of_a_pixel(column: float, row: float) -> None:
    at, score = peak(_gauss((40, 50), column, row, top=0.8))
    np.testing.assert_allclose(at, (column, row), atol=0.1)
    assert score == pytest.approx(0.8, abs=0.03)


def test_a_second_faint_peak_does_not_pull_the_first() -> None:
    at, _ = peak(np.maximum(_gauss((40, 50), 20.3, 20.0), _gauss((40, 50), 27.0, 20.0, top=0.4)))
    np.testing.assert_allclose(at, (20.3, 20.0), atol=0.1)


def test_a_peak_at_the_edge_and_a_map_of_nothing_stay_in_the_picture() -> None:
    for heat in (_gauss((40, 50), 0.0, 39.0), np.zeros((40, 50), np.float32)):
        at, score = peak(heat)
        assert 0 <= at[0] < 50
        assert 0 <= at[1] < 40
        assert 0 <= score <= 1


def test_every_key_point_has_one_channel_in_one_view_and_an_owner_that_the_view_shows() -> None:
    named = [name for plane in PLANES for names in CHANNELS[plane] for name in names]
    assert sorted(named) == sorted(LANDMARKS)
    for plane in PLANES:
        assert {bone for names in CHANNELS[plane] for bone in OWNER[names[0]]} <= set(
            BONES_SHOWN[plane]
        )


@pytest.mark.parametrize("plane", PLANES)
def test_the_views_fit_the_network_and_have_square_pixels(plane: Plane) -> None:
    (rows, columns), to_px = view_geometry(plane)
    assert rows % 16 == columns % 16 == 0
    np.testing.assert_allclose(np.abs(to_px[:, :3]).sum(1), 1 / VIEW_MM)


# A foot frame at some angle to a grid of 1.25 mm voxels, and a ball of bone in it
TO_GRID = np.eye(4)
TO_GRID[:3, :3] = rotation([0.2, 0.3, 1.0], 20.0) / 1.25
TO_GRID[:3, 3] = (70.0, 60.0, 30.0)
BALL_MM, RADIUS_MM = np.array([-6.0, 40.0, 50.0]), 9.0


def _ball(bone: str) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    z, y, x = np.indices((120, 150, 130))
    foot = apply(np.linalg.inv(TO_GRID), np.stack([x, y, z], -1))
    inside = np.linalg.norm(foot - BALL_MM, axis=-1) < RADIUS_MM
    return np.where(inside, 1500.0, -1000.0).astype(np.float32), np.where(
        inside, BONE_ID[bone], 0
    ).astype(np.uint8)


@pytest.mark.parametrize("plane", Plane)
def test_a_bone_appears_in_a_view_where_the_view_says_and_at_its_depth(plane: Plane) -> None:
    view = slab(*_ball("Talus"), TO_GRID, plane, WINDOW)
    shape, to_px = view_geometry(plane)
    assert view.image.shape == (VIEW_IMAGES, *shape)
    assert view.image.dtype == np.float32
    assert view.image.min() >= 0
    assert view.image.max() <= 1
    pixel = to_px[:, :3] @ BALL_MM + to_px[:, 3]
    rows, columns = np.nonzero(view.labels == BONE_ID["Talus"])
    np.testing.assert_allclose((columns.mean(), rows.mean()), pixel, atol=0.5)
    rows, columns = np.nonzero(view.image[1] > 0.5)
    np.testing.assert_allclose((columns.mean(), rows.mean()), pixel, atol=0.5)
    np.testing.assert_allclose(np.ptp(rows) + 1, 2 * RADIUS_MM, atol=2.5)
    if plane in CHANNELS:
        assert point_depth(view, "TMA_Line1_Pt1", pixel) == pytest.approx(
            BALL_MM[DEPTH[plane]], abs=0.7
        )


def test_the_depth_of_a_point_beside_its_bone_is_taken_from_the_bones_nearest_part() -> None:
    view = slab(*_ball("Calcaneus"), TO_GRID, Plane.SAG, WINDOW)
    pixel = view.to_px[:, :3] @ (BALL_MM - [0, 0, RADIUS_MM + 6]) + view.to_px[:, 3]
    assert point_depth(view, "CPA_Line1_Pt1", pixel) == pytest.approx(BALL_MM[0], abs=1.5)


@pytest.mark.parametrize("plane", PLANES)
def test_the_third_picture_shows_the_talus_alone_and_how_thick_it_is(plane: Plane) -> None:
    hu, labels = _ball("Talus")
    behind, beside = np.zeros(3), np.array([0.0, 0.0, -2.5 * RADIUS_MM])
    behind[DEPTH[plane]] = 2.5 * RADIUS_MM
    z, y, x = np.indices(hu.shape)
    foot = apply(np.linalg.inv(TO_GRID), np.stack([x, y, z], -1))
    for away in (behind, beside):
        other = np.linalg.norm(foot - BALL_MM - away, axis=-1) < RADIUS_MM
        hu, labels = (
            np.where(other, np.float32(1500), hu),
            np.where(other, np.uint8(BONE_ID["Calcaneus"]), labels),
        )
    view = slab(hu, labels, TO_GRID, plane, WINDOW)
    for at, thick in ((BALL_MM, 2 * RADIUS_MM), (BALL_MM + beside, 0.0)):
        column, row = (view.to_px[:, :3] @ at + view.to_px[:, 3]).round().astype(int)
        assert view.image[1, row, column] > 0.9  # the maximum shows both
        assert view.image[2, row, column] * ALONE_MM == pytest.approx(thick, abs=2.5)


def test_a_bone_that_is_not_in_the_view_gives_no_depth() -> None:
    view = slab(*_ball("Talus"), TO_GRID, Plane.SAG, WINDOW)
    assert point_depth(view, "CPA_Line1_Pt1", np.array([100.0, 80.0])) is None


def test_the_maximum_shows_only_the_bones_that_the_view_is_about() -> None:
    hu, labels = _ball("Talus")
    other = np.roll(labels, 25, axis=1)  # a lump of something further back
    hu = np.maximum(hu, np.where(other > 0, 1500, -1000)).astype(np.float32)
    labels[other > 0] = BONE_ID["2nd Metatarsal"]
    view = slab(hu, labels, TO_GRID, Plane.SAG, WINDOW)
    there = apply(np.linalg.inv(TO_GRID), apply(TO_GRID, BALL_MM) + np.array([0, 25, 0]))
    pixel = (view.to_px[:, :3] @ there + view.to_px[:, 3]).round().astype(int)
    assert view.image[1, pixel[1], pixel[0]] == 0
    assert view.image[0, pixel[1], pixel[0]] > 0.1


class Seer:
    """A perfect network for one plane's views of one scan: a heat map about each true point."""

    def __init__(
        self, plane: Plane, truth: dict[str, NDArray[np.float64]], to_foot: NDArray[np.float64]
    ) -> None:
        (self.shape, to_px), self.plane = view_geometry(plane), plane
        at = np.array([apply(to_foot, truth[names[0]]) for names in CHANNELS[plane]])
        self.pixels = [
            apply(turned(turn), at) @ to_px[:, :3].T + to_px[:, 3] for turn in TURNS[plane]
        ]
        self.seen: list[NDArray[np.float32]] = []

    def run(self, image: NDArray[np.float32]) -> list[NDArray[Any]]:
        assert image.shape == (1, 2, *self.shape)
        view, look = divmod(len(self.seen), len(AUGMENTATIONS[self.plane]))
        move = turning(AUGMENTATIONS[self.plane][look], self.shape)
        self.seen.append(image[0])
        return [
            np.stack(
                [_gauss(self.shape, *p) for p in self.pixels[view] @ move[:, :2].T + move[:, 2]]
            )[None]
        ]


def _spec(plane: Plane) -> ModelSpec:
    return ModelSpec(
        "x.onnx",
        "0" * 64,
        "landmarks",
        (plane,),
        VIEW_MM,
        WINDOW,
        "gu2net",
        2,
        "x",
        "x",
        "x",
        points=CHANNELS[plane],
    )


@pytest.fixture(scope="module")
def seen() -> Scan:
    return scan(draw_subject(2, "normal"), SPACING_MM, 2)


def _locate(
    volume: Volume,
    labels: NDArray[np.uint8],
    points: dict[str, NDArray[np.float64]],
    shown: NDArray[np.uint8] | None = None,
) -> tuple[FootFrame, Located]:
    """labels: on the input grid. shown: the labels that the views get, on the canonical grid."""
    frame = foot_frame(labels, volume.affine, orientation_known=True, weight_bearing=True)
    grid = canonical(volume, SPACING_MM)
    on_grid = reordered_array(labels, (grid.order, grid.flip)) if shown is None else shown
    models = {plane: (Seer(plane, points, frame.to_foot), _spec(plane)) for plane in PLANES}
    return frame, locate(volume, grid, on_grid, frame, models)  # type: ignore[arg-type]


def _volume(seen: Scan) -> Volume:
    return Volume(
        seen.hu, seen.raster.grid.affine, tuple(map(str, range(seen.hu.shape[0]))), "0" * 64
    )


@pytest.mark.parametrize("order", SOME_ORDERS)
def test_key_points_come_back_in_the_inputs_voxels(seen: Scan, order: Order) -> None:
    base = _volume(seen)
    volume = reordered(base, order)
    truth = {k: apply(np.linalg.inv(volume.affine), base.to_mm(v)) for k, v in seen.points.items()}
    frame, found = _locate(volume, reordered_array(seen.raster.labels, order), truth)
    assert sorted(m.name for m in found.landmarks) == sorted(LANDMARKS)
    assert found.missing == {}
    plane_of = {name: plane for plane in PLANES for names in CHANNELS[plane] for name in names}
    for mark in found.landmarks:
        off = apply(frame.to_foot, mark.xyz_vox) - apply(frame.to_foot, truth[mark.name])
        axis = DEPTH[plane_of[mark.name]]
        assert np.abs(np.delete(off, axis)).max() < 0.2, "in the view's own plane"
        if (
            mark.name != "CPA_Line2_Pt2"
        ):  # lies between the 1st and the 5th ray and is given the 1st's depth
            assert abs(off[axis]) < 8, "from the middle of the bone seen there"
        assert mark.xyz_mm == pytest.approx(tuple(volume.to_mm(np.array(mark.xyz_vox))))
        assert mark.score == pytest.approx(1, abs=0.1)


def test_a_point_in_the_middle_of_its_bone_is_found_in_space(seen: Scan) -> None:
    volume = _volume(seen)
    _, found = _locate(volume, seen.raster.labels, seen.points)
    at = {m.name: np.array(m.xyz_mm) for m in found.landmarks}
    for name in (
        "HAA_Line1_Pt1",
        "HAA_Line1_Pt2",
        "TMA_Line1_Pt1",
        "TMA_Line2_Pt2",
        "CPA_Line1_Pt1",
    ):
        # the depth is the middle of the ray through the bone, and the tibia's lower section is not
        # the same on both sides of it
        assert np.linalg.norm(at[name] - volume.to_mm(seen.points[name])) < (
            1.3 if name == "HAA_Line1_Pt2" else 1.0
        ), name


class Bright:
    """A network that points at the brightest pixel of what it is shown; at one look, `fooled`, at
    the corner.
    """

    def __init__(self, fooled: int | None) -> None:
        self.fooled, self.looks = fooled, 0

    def run(self, image: NDArray[np.float32]) -> list[NDArray[Any]]:
        row, column = np.unravel_index(int(image[0, 0].argmax()), image.shape[2:])
        at = (0.0, 0.0) if self.looks == self.fooled else (float(column), float(row))
        self.looks += 1
        return [_gauss(image.shape[2:], *at)[None, None]]


@pytest.mark.parametrize("fooled", [None, 0, 3])
def test_a_view_is_looked_at_turned_and_its_points_turn_back(fooled: int | None) -> None:
    image = np.stack([_gauss((96, 128), 88.0, 21.0, sigma=2.0)] * 2)
    found, tops = augmented(image, Bright(fooled), AUGMENTATIONS[Plane.SAG])
    np.testing.assert_allclose(found, [(88.0, 21.0)], atol=0.6)
    assert tops == pytest.approx([1.0], abs=0.05)


def test_what_strays_from_the_other_looks_does_not_count() -> None:
    at = np.array(
        [
            [[1.0, 0, 0], [0, 0, 0]],
            [[2.0, 0, 0], [50, 0, 0]],
            [[3.0, 0, 0], [0, 0, 90]],
            [[30.0, 0, 0], [90, 0, 0]],
        ]
    )
    np.testing.assert_allclose(
        robust_mean(at), [[2, 0, 0], [35, 0, 22.5]]
    )  # the second: no two agree, all count


def test_points_of_a_bone_that_was_not_found_are_missing_with_the_reason(seen: Scan) -> None:
    labels = seen.raster.labels
    _, found = _locate(
        _volume(seen),
        labels,
        seen.points,
        np.where(labels == BONE_ID["1st Metatarsal"], 0, labels).astype(np.uint8),
    )
    assert set(found.missing) == {"CPA_Line2_Pt2", "TMA_Line2_Pt1", "TMA_Line2_Pt2"}
    assert set(found.missing.values()) == {OUT_OF_VIEW}
    assert len(found.landmarks) == len(LANDMARKS) - 3


def test_without_millimetres_a_point_has_its_voxel_only(seen: Scan) -> None:
    _, found = _locate(replace(_volume(seen), spacing_known=False), seen.raster.labels, seen.points)
    assert {m.xyz_mm for m in found.landmarks} == {None}
    assert all(len(m.xyz_vox) == 3 for m in found.landmarks)


def test_the_views_that_were_looked_at_are_handed_on_for_the_report(seen: Scan) -> None:
    _, found = _locate(_volume(seen), seen.raster.labels, seen.points)
    assert [view.plane for view in found.slabs] == list(PLANES)
