"""The bone network's votes: they land where they belong, anatomy settles them, and they come back
to the input's own grid.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from grids import SOME_ORDERS, Order, new_to_old, reordered, volume_of
from numpy.typing import NDArray

from footcli.domain import Plane, Volume
from footcli.errors import InferenceError
from footcli.geometry import apply
from footcli.infer.bones import Segmented, feet_of, on_input_grid, segment, settle
from footcli.infer.prepare import canonical
from footcli.infer.spec import ModelSpec
from footcli.infer.votes import Voters, body_box, vote
from footcli.kinds import BONE_ID, BONES, RAYS

CLASSES = len(BONES) + 1
STEP_HU = 100  # a test scan says of each voxel which bone it is: HU = 100 x label; air is air


def _spec(offsets_mm: tuple[float, ...] = (-3.0, 0.0, 3.0)) -> ModelSpec:
    return ModelSpec(
        "bones.onnx",
        "0" * 64,
        "bones",
        tuple(Plane),
        1.0,
        (-500.0, 1500.0),
        "softmax",
        len(offsets_mm),
        "x",
        "x",
        "x",
        classes=tuple(b.name for b in BONES),
        offsets_mm=offsets_mm,
    )


class Reader:
    """A perfect network: reads the label off the middle channel's brightness."""

    def __init__(self, channel: int = 1) -> None:
        self.channel, self.calls = channel, 0

    def run(self, image: NDArray[np.float32]) -> list[NDArray[Any]]:
        self.calls += 1
        assert image.dtype == np.float32
        assert image.shape[2] % 16 == image.shape[3] % 16 == 0
        label = np.clip(
            np.rint((image[0, self.channel] * 2000 - 500) / STEP_HU), 0, CLASSES - 1
        ).astype(int)
        return [np.eye(CLASSES, dtype=np.float32)[label].transpose(2, 0, 1)[None]]


def _scan(
    labels: NDArray[np.uint8], spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> Volume:
    return volume_of((labels.astype(np.int16) * STEP_HU), spacing)


def _unsure(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Votes in which each metatarsal's own name is ahead, but no voxel is sure of its ray."""
    probability = _probability(labels)
    rays = np.isin(labels, RAYS)
    for ray in RAYS:
        probability[ray][rays] = np.where(labels[rays] == ray, 0.5, 0.125)
    return probability


def _probability(labels: NDArray[np.uint8], sure: float = 0.9) -> NDArray[np.float32]:
    """(classes, z, y, x): `sure` for the label, the rest for all others."""
    hot = np.moveaxis(np.eye(CLASSES, dtype=np.float32)[labels], -1, 0)
    return np.asarray(
        hot * (sure - (1 - sure) / (CLASSES - 1)) + (1 - sure) / (CLASSES - 1), np.float32
    )


def _ball(
    shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float
) -> NDArray[np.bool_]:
    at = np.indices(shape)
    return np.asarray(sum((a - c) ** 2 for a, c in zip(at, centre, strict=True)) < radius**2)


def _rods(names: tuple[int, ...] = RAYS) -> NDArray[np.uint8]:
    """Five metatarsals side by side along x, each 30 mm long."""
    labels = np.zeros((20, 40, 60), np.uint8)
    for i, name in enumerate(names):
        labels[6:13, 5:35, 4 + 11 * i : 11 + 11 * i] = name
    return labels


def _dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


@pytest.mark.parametrize("planes", [(Plane.AXL,), (Plane.COR,), (Plane.SAG,), tuple(Plane)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_votes_of_every_plane_land_on_the_voxel_that_was_seen(
    planes: tuple[Plane, ...], mirrored: bool
) -> None:
    labels = np.random.default_rng(1).integers(0, CLASSES, (19, 23, 37)).astype(np.uint8)
    hu = labels.astype(np.float32) * STEP_HU
    got = vote(hu, Reader(), _spec(), Voters(planes, mirrored))  # type: ignore[arg-type]
    np.testing.assert_array_equal(got.argmax(0), labels)
    np.testing.assert_allclose(got.sum(0), 1, atol=1e-4)


def test_a_vote_is_the_mean_over_the_planes() -> None:
    class Half(Reader):
        def run(self, image: NDArray[np.float32]) -> list[NDArray[Any]]:
            sure = np.full((1, CLASSES, *image.shape[2:]), 0.0, np.float32)
            sure[:, 3 if image.shape[3] == 32 else 4] = (
                1.0  # pictures of 23 columns pad to 32, of 37 to 48
            )
            return [sure]

    got = vote(np.zeros((19, 23, 37), np.float32), Half(), _spec(), Voters(tuple(Plane)))  # type: ignore[arg-type]
    np.testing.assert_allclose(got[3], 1 / 3, atol=1e-6)
    np.testing.assert_allclose(got[4], 2 / 3, atol=1e-6)


def test_with_mirrored_votes_a_foot_and_its_mirror_image_get_the_same_bones() -> None:
    class Lopsided(Reader):
        """Sees more on the left, and in the first neighbour."""

        def run(self, image: NDArray[np.float32]) -> list[NDArray[Any]]:
            seen = image[:, 1] + 0.5 * image[:, 0] + np.arange(image.shape[3]) / 100
            return [np.stack([seen, *[np.zeros_like(seen)] * (CLASSES - 1)], 1)]

    hu = np.random.default_rng(2).normal(0, 200, (19, 23, 37)).astype(np.float32)
    for plane in Plane:
        straight, turned = (
            vote(x, Lopsided(), _spec(), Voters((plane,), mirrored=True))
            for x in (hu, hu[..., ::-1])
        )  # type: ignore[arg-type]
        np.testing.assert_allclose(straight, turned[..., ::-1], atol=1e-5)
        once, other = (vote(x, Lopsided(), _spec(), Voters((plane,))) for x in (hu, hu[..., ::-1]))  # type: ignore[arg-type]
        assert np.abs(once - other[..., ::-1]).max() > 0.05


def test_neighbouring_slices_come_as_channels_in_the_order_of_their_offsets() -> None:
    labels = np.repeat(np.arange(11, dtype=np.uint8), 3)[:, None, None] * np.ones(
        (1, 20, 20), np.uint8
    )
    hu = labels.astype(np.float32) * STEP_HU
    got = vote(hu, Reader(channel=2), _spec(), Voters((Plane.AXL,))).argmax(0)  # type: ignore[arg-type]
    np.testing.assert_array_equal(got[:30], labels[3:])  # the last channel looks 3 mm up
    assert (got[30:] == 0).all()


def test_air_around_the_body_is_not_looked_at() -> None:
    hu = np.full((60, 50, 40), -1000.0, np.float32)
    hu[20:30, 22:25, 18:20] = 300
    assert body_box(hu) == (slice(12, 38), slice(14, 33), slice(10, 28))
    reader = Reader()
    got = vote(hu, reader, _spec(), Voters((Plane.AXL,)))  # type: ignore[arg-type]
    assert reader.calls == 26
    assert (got[3, 20:30, 22:25, 18:20] > 0.99).all()
    assert got[0, 0, 0, 0] == 1


def test_only_every_nth_slice_is_looked_at_for_a_quick_look() -> None:
    reader = Reader()
    got = vote(
        np.full((16, 16, 16), 300, np.float32), reader, _spec(), Voters((Plane.AXL,)), every=8
    )  # type: ignore[arg-type]
    assert reader.calls == 2
    assert [int(z) for z in np.flatnonzero(got[3].any((1, 2)))] == [0, 8]


def test_a_scan_of_air_is_refused() -> None:
    with pytest.raises(InferenceError, match="nothing denser than air"):
        body_box(np.full((4, 4, 4), -900, np.float32))


def test_a_scan_without_bone_is_refused() -> None:
    with pytest.raises(InferenceError, match="no bone was found") as told:
        segment(_scan(np.zeros((20, 20, 20), np.uint8)), Reader(), _spec())  # type: ignore[arg-type]
    assert told.value.code == "no_bone_found"


def test_fast_asks_one_plane_standard_three_and_best_their_mirror_images_too() -> None:
    labels = np.zeros((20, 24, 28), np.uint8)
    labels[5:15, 6:16, 7:17] = 3
    for quality, calls in (("fast", 20), ("standard", 72), ("best", 144)):
        reader = Reader()
        segment(_scan(labels), reader, _spec(), quality)  # type: ignore[arg-type]
        assert reader.calls == calls


def test_of_a_bone_only_the_largest_piece_stays() -> None:
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[_ball(labels.shape, (12, 12, 12), 8)] = BONE_ID["Talus"]
    labels[_ball(labels.shape, (30, 30, 30), 5)] = BONE_ID["Talus"]
    got = settle(_probability(labels), 1.0)
    np.testing.assert_array_equal(got > 0, _ball(labels.shape, (12, 12, 12), 8))


def test_the_midfoot_keeps_its_five_bones_and_loses_specks() -> None:
    labels = np.zeros((24, 24, 110), np.uint8)
    bones = [_ball(labels.shape, (12, 12, 12 + 20 * i), r) for i, r in enumerate((8, 7, 6, 5, 4))]
    for bone in bones:
        labels[bone] = BONE_ID["MidFoot"]
    wanted = labels.copy()
    labels[1:3, 1:3, 1:3] = BONE_ID["MidFoot"]
    np.testing.assert_array_equal(settle(_probability(labels), 1.0), wanted)


def test_a_speck_is_no_bone_at_all() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[4:8, 4:8, 4:8] = BONE_ID["Fibula"]  # 0.064 ml
    assert not settle(_probability(labels), 1.0).any()
    assert settle(_probability(labels), 2.0).any(), "0.5 ml at 2 mm pixels"


def test_a_metatarsal_of_two_names_gets_the_one_with_more_votes() -> None:
    labels = _rods()
    votes = labels.copy()
    votes[:, 28:35][votes[:, 28:35] == RAYS[1]] = RAYS[2]
    np.testing.assert_array_equal(settle(_unsure(votes), 1.0), labels)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    "votes", [(6, 7, 7, 9, 10), (6, 7, 9, 9, 10), (6, 6, 8, 9, 10), (6, 7, 8, 10, 10)]
)
def test_names_taken_twice_are_put_in_order_by_place(
    votes: tuple[int, ...], mirrored: bool
) -> None:
    step = -1 if mirrored else 1  # rays run one way in a left foot, the other way in a right one
    got = settle(_unsure(_rods(votes[::step])), 1.0)
    np.testing.assert_array_equal(got, _rods(RAYS[::step]))


def test_voxels_that_are_sure_of_their_ray_keep_it() -> None:
    votes = _rods((6, 7, 7, 9, 10))
    np.testing.assert_array_equal(settle(_probability(votes), 1.0) == RAYS[2], False)


def test_metatarsals_of_which_one_is_missing_keep_their_votes() -> None:
    labels = _rods()
    labels[labels == RAYS[2]] = 0
    np.testing.assert_array_equal(settle(_probability(labels), 1.0), labels)


def test_two_heels_are_parted_half_way_between() -> None:
    labels = np.zeros((40, 40, 120), np.uint8)
    labels[_ball(labels.shape, (20, 20, 25), 16)] = BONE_ID["Calcaneus"]
    labels[_ball(labels.shape, (20, 20, 90), 16)] = BONE_ID["Calcaneus"]
    assert feet_of(_probability(labels), 1.0) == (slice(0, 58), slice(58, 120))


@pytest.mark.parametrize(
    ("centre", "radius"),
    [((20, 20, 90), 8), ((20, 90, 40), 16)],
    ids=["too small for a heel", "behind the first, not beside it"],
)
def test_one_heel_and_something_else_is_one_foot(centre: tuple[int, int, int], radius: int) -> None:
    labels = np.zeros((40, 110, 110), np.uint8)
    labels[_ball(labels.shape, (20, 20, 30), 16)] = BONE_ID["Calcaneus"]
    labels[_ball(labels.shape, centre, radius)] = BONE_ID["Calcaneus"]
    assert feet_of(_probability(labels), 1.0) == (None,)


def test_two_feet_are_settled_apart() -> None:
    labels = np.zeros((40, 60, 120), np.uint8)
    for x in (25, 90):
        labels[_ball(labels.shape, (20, 20, x), 16)] = BONE_ID["Calcaneus"]
        labels[_ball(labels.shape, (20, 48, x), 7)] = BONE_ID["Talus"]
    first, second = segment(_scan(labels), Reader(), _spec())  # type: ignore[arg-type]
    np.testing.assert_array_equal(first.labels[..., :58], labels[..., :58])
    np.testing.assert_array_equal(second.labels[..., 58:], labels[..., 58:])
    assert not first.labels[..., 58:].any()
    assert not second.labels[..., :58].any()
    assert first.confidence == pytest.approx({3: 1.0, 4: 1.0}, abs=1e-4)


def _soft_balls(
    volume: Volume, pixel: float, balls: dict[int, tuple[tuple[float, float, float], float]]
) -> Segmented:
    """A segmentation as a network would give it: sure inside, soft at the surface.

    Balls: centre x, y, z and radius in mm.
    """
    grid = canonical(volume, pixel)
    z, y, x = np.indices(grid.hu.shape) * pixel
    probability = np.full((CLASSES, *grid.hu.shape), 1e-4, np.float32)
    for bone, (centre, radius) in balls.items():
        inside = radius - np.sqrt(
            (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2
        )
        probability[bone] = 1 / (1 + np.exp(-inside / 0.5))
    probability[0] = 1 - np.minimum(probability[1:].sum(0), 1)
    return Segmented(grid, probability, probability.argmax(0).astype(np.uint8), {}, (False, False))


@pytest.mark.parametrize("order", SOME_ORDERS)
@pytest.mark.parametrize("spacing", [(0.4, 0.4, 0.4), (0.5, 0.4, 0.8)])
def test_labels_come_back_to_the_inputs_fine_grid(
    order: Order, spacing: tuple[float, float, float]
) -> None:
    balls = {
        3: ((12.3, 11.1, 13.7), 8.0),
        4: ((30.2, 14.4, 12.1), 7.0),
        8: ((14.0, 30.3, 20.2), 3.2),
    }
    shape = tuple(round(40 / s) for s in spacing[::-1])
    base = volume_of(np.zeros(shape, np.int16), spacing)
    volume = reordered(base, order)
    found = _soft_balls(volume, 1.0, balls)
    got = on_input_grid(found, found.labels, volume)
    assert got.shape == volume.hu.shape
    assert got.dtype == np.uint8
    z, y, x = np.indices(volume.hu.shape)
    at = apply(new_to_old(shape, order), np.stack([x, y, z], -1)) * np.array(spacing)
    for bone, (centre, radius) in balls.items():
        truth = np.linalg.norm(at - np.array(centre), axis=-1) < radius
        assert _dice(got == bone, truth) > (0.95 if radius > 5 else 0.9)
    assert set(np.unique(got)) == {0, *balls}


def test_bones_that_touch_meet_half_way_with_at_most_one_voxel_open() -> None:
    labels = np.zeros((13, 13, 21), np.uint8)
    labels[2:10, 2:10, 2:10], labels[2:10, 2:10, 10:18] = 3, 4
    volume = volume_of(np.zeros((24, 24, 40), np.int16), (0.5, 0.5, 0.5))
    got = on_input_grid(
        Segmented(canonical(volume, 1.0), _probability(labels), labels, {}, (False, False)),
        labels,
        volume,
    )
    assert got[10, 10, 6:34].tolist() in ([3] * 13 + [middle] + [4] * 14 for middle in (0, 3, 4))


@pytest.mark.parametrize("turned", list(product((False, True), repeat=2)))
def test_a_scan_without_directions_is_turned_until_the_network_is_sure(
    turned: tuple[bool, bool],
) -> None:
    class Upright(Reader):
        """Sure of bone only where it is in the upper part and, seen from the side, in the back."""

        def run(self, image: NDArray[np.float32]) -> list[NDArray[Any]]:
            (out,) = super().run(image)
            rows, columns = np.nonzero(out[0, 1:].any(0))
            sideways = image.shape[3] == 48  # 40 voxels along y, 24 along x
            good = len(rows) and rows.mean() > 20 and (not sideways or columns.mean() > 20)
            if not good:
                out[0] = np.eye(CLASSES, dtype=np.float32)[0][:, None, None]
            return [out]

    labels = np.zeros((40, 40, 24), np.uint8)
    labels[_ball(labels.shape, (30, 29, 12), 8)] = 3
    up_down, front_back = turned
    stored = labels[:: -1 if up_down else 1, :: -1 if front_back else 1]
    base = _scan(stored)
    volume = Volume(
        base.hu, base.affine, base.slice_names, base.input_sha256, orientation_known=False
    )
    (foot,) = segment(volume, Upright(), _spec(), "best")  # type: ignore[arg-type]
    assert foot.turned == turned
    assert _dice(on_input_grid(foot, foot.labels, volume) == 3, stored == 3) > 0.99
