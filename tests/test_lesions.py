"""Boxes of slices become lesions: doubles suppressed, slices linked, noise dropped, everything in
the input's own voxels.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from grids import SOME_ORDERS, Order, new_to_old, reordered, volume_of
from numpy.typing import NDArray

from footcli.decide.findings import decide
from footcli.decide.profile import load_profile
from footcli.domain import Lesion, Level, Plane, Volume
from footcli.infer.boxes import iou, suppress
from footcli.infer.lesions import _link, _Track, find_lesions
from footcli.infer.prepare import Canonical, canonical
from footcli.infer.search_region import not_assessable
from footcli.infer.spec import ModelSpec
from footcli.kinds import ARCH, BONE_ID, LESION, LESIONS
from footcli.levels import SUSPICIOUS
from footcli.measure import hallux
from footcli.measure.angles import MaskPoints
from footcli.run.lesions import NO_MODEL, not_shown, not_sought
from footcli.text.wording import text

CLASSES = tuple(term.name for term in LESIONS)
SPEC = ModelSpec(
    "lesions.onnx",
    "0" * 64,
    "lesions",
    tuple(Plane),
    1.0,
    (-500.0, 1500.0),
    "yolo",
    3,
    "x",
    "x",
    "x",
    classes=CLASSES,
    offsets_mm=(-1.0, 0.0, 1.0),
)
SHAPE = (90, 100, 110)
BONES_AT = (
    slice(40, 70),
    slice(45, 75),
    slice(50, 80),
)  # so far in that the searched part does not begin at voxel 0
BLOCK = (
    slice(50, 56),
    slice(60, 66),
    slice(64, 74),
)  # z, y, x of the thing that the test's network finds
Found = tuple[tuple[float, float, float, float], float, str]


class Finder:
    """Boxes whatever is bright in the middle channel, for the classes named."""

    def __init__(self, *names: str, score: float = 0.9) -> None:
        self.names, self.score = names, score

    def boxes(self, bright: NDArray[np.bool_]) -> list[Found]:
        if not bright.any():
            return []
        rows, columns = np.nonzero(bright)
        box = (
            float(columns.min()),
            float(rows.min()),
            float(columns.max() + 1),
            float(rows.max() + 1),
        )
        return [(box, self.score, name) for name in self.names]

    def run(self, image: NDArray[np.float32]) -> list[NDArray[Any]]:
        assert image.shape[1] == 3
        assert image.shape[2] % 32 == image.shape[3] % 32 == 0
        found = self.boxes(image[0, 1] > 0.8)
        out = np.zeros((1, 5 + len(found), 4 + len(CLASSES)), np.float32)
        out[0, :, 2:4] = 8  # cells that found nothing
        for row, (box, score, name) in zip(out[0, 5:], found, strict=True):
            row[:4] = box
            row[4 + CLASSES.index(name)] = score
        return [out]


def _volume(block: tuple[slice, slice, slice] = BLOCK, spacing: float = 1.0) -> Volume:
    hu = np.zeros(tuple(round(n / spacing) for n in SHAPE), np.int16)
    hu[tuple(slice(round(s.start / spacing), round(s.stop / spacing)) for s in block)] = 1500
    return volume_of(hu, (spacing, spacing, spacing))


def _labels(bone: str = "Talus") -> NDArray[np.uint8]:
    labels = np.zeros(SHAPE, np.uint8)
    labels[BONES_AT] = BONE_ID[bone]
    return labels


def _find(
    volume: Volume, session: Finder, bone: str = "Talus", spec: ModelSpec = SPEC
) -> tuple[Lesion, ...]:
    grid: Canonical = canonical(volume, spec.pixel_mm)
    labels = np.zeros(grid.hu.shape, np.uint8)
    labels[tuple(slice(0, n) for n in SHAPE)] = _labels(bone)[
        tuple(slice(0, n) for n in grid.hu.shape)
    ]
    return find_lesions(volume, grid, labels, session, spec)  # type: ignore[arg-type]


def test_overlap_is_intersection_over_union() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(iou(boxes[0], boxes), [1, 1 / 3, 0, 0], atol=1e-6)


def test_suppression_keeps_the_best_of_boxes_that_are_one_and_all_that_stand_apart() -> None:
    boxes = np.array(
        [[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 9], [40, 0, 50, 10], [4, 0, 14, 10]], np.float32
    )
    scores = np.array([0.5, 0.9, 0.6, 0.3, 0.4], np.float32)
    assert suppress(boxes, scores) == [1, 3]
    assert suppress(boxes[:0], scores[:0]) == []


def test_a_chain_of_overlaps_does_not_pull_everything_into_one() -> None:
    boxes = np.array(
        [[0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10]], np.float32
    )  # neighbours overlap by 0.54, the ends by 0.25
    assert suppress(boxes, np.array([0.9, 0.8, 0.7], np.float32)) == [0, 2]


@pytest.mark.parametrize("order", SOME_ORDERS)
@pytest.mark.parametrize("name", ["OLT", "Accessory Navicular", "Flatfoot or Cavus"])
def test_a_lesion_gets_its_box_in_the_inputs_own_voxels(name: str, order: Order) -> None:
    base = _volume()
    volume = reordered(base, order)
    bone = {"OLT": "Talus", "Accessory Navicular": "MidFoot", "Flatfoot or Cavus": "Talus"}[name]
    (lesion,) = _find(volume, Finder(name), bone)
    bright = np.nonzero(volume.hu == 1500)[::-1]  # x, y, z
    low, high = [float(a.min()) for a in bright], [float(a.max()) + 1 for a in bright]
    assert lesion.label == name
    assert lesion.box_vox == pytest.approx((*low, *high), abs=1e-6)
    assert lesion.score == pytest.approx(0.9 * (0.6 if name == "Accessory Navicular" else 1)), (
        "seen in 6 of 10 slices; an OLT takes 5"
    )
    normal = int(
        np.flatnonzero(
            np.linalg.inv(new_to_old(base.hu.shape, order))[:3, LESION[name].plane.axis]
        )[0]
    )
    assert lesion.plane.axis == normal
    assert lesion.slices == (int(low[normal]), int(high[normal]) - 1)
    assert lesion.size_mm == pytest.approx([b - a for a, b in zip(low, high, strict=True)])


@pytest.mark.parametrize("order", SOME_ORDERS)
def test_each_slice_has_its_own_box(order: Order) -> None:
    base = _volume()
    hu = base.hu.copy()
    hu[50:52, 60:62, 64:74] = hu[50:56, 64:66, 70:74] = (
        0  # lower in the first slices, narrower in the last
    )
    volume = reordered(replace(base, hu=hu), order)
    (lesion,) = _find(volume, Finder("OLT"))
    assert len(lesion.boxes) == 6
    for index in range(lesion.slices[0], lesion.slices[1] + 1):
        bright = np.nonzero(np.take(volume.hu == 1500, index, 2 - lesion.plane.axis))[::-1]
        assert lesion.box_in(index) == (
            bright[0].min(),
            bright[1].min(),
            bright[0].max() + 1,
            bright[1].max() + 1,
        ), index
    assert len({lesion.box_in(i) for i in range(lesion.slices[0], lesion.slices[1] + 1)}) == 3
    assert lesion.box_in(lesion.slices[1] + 1) is None


def test_a_slice_where_a_lesion_fades_is_less_sure_than_the_lesion() -> None:
    class Fading(Finder):
        def run(self, image: NDArray[np.float32]) -> list[NDArray[Any]]:
            (out,) = super().run(image)
            out[..., 4:] *= (
                1.0 if image[0, 2].max() > 0.8 else 0.6
            )  # the last slices: none bright beyond them
            return [out]

    (lesion,) = _find(_volume(), Fading("OLT"))
    assert len(lesion.scores) == len(lesion.boxes) == 6
    assert max(lesion.scores) == pytest.approx(lesion.score)
    assert [round(s / lesion.score, 3) for s in lesion.scores].count(0.6) in (1, 2)
    assert lesion.score_in(lesion.slices[0]) == lesion.scores[0]


def test_a_finer_scan_gets_its_box_in_its_own_finer_voxels() -> None:
    (lesion,) = _find(_volume(spacing=0.5), Finder("OLT"))
    wanted = [2 * edge for edge in (64, 60, 50, 74, 66, 56)]
    assert np.abs(np.array(lesion.box_vox) - wanted).max() <= 2
    assert lesion.size_mm == pytest.approx((10, 6, 6), abs=1.1)
    assert lesion.slices == (pytest.approx(120, abs=2), pytest.approx(131, abs=2))


def test_a_lesion_of_another_plane_is_not_taken_from_this_one() -> None:
    lesions = _find(_volume(), Finder(*CLASSES))
    assert {lesion.label: lesion.plane for lesion in lesions} == {
        kind.name: kind.plane for kind in LESIONS if "Talus" in kind.searched
    }


def test_a_box_seen_in_one_slice_only_is_noise() -> None:
    thin = (BLOCK[0], slice(60, 61), BLOCK[2])
    assert _find(_volume(thin), Finder("OLT")) == ()
    two = (BLOCK[0], slice(60, 62), BLOCK[2])
    (lesion,) = _find(_volume(two), Finder("OLT"))
    assert lesion.score == pytest.approx(0.9 * 2 / 5), "seen in two slices of five"


def test_fainter_boxes_than_an_evaluation_asks_for_are_left_out() -> None:
    spec = replace(SPEC, thresholds=(0.9,) * len(CLASSES))  # 0.1 is then said of a raw 0.18
    assert _find(_volume(), Finder("OLT", score=0.17), spec=spec) == ()
    assert len(_find(_volume(), Finder("OLT", score=0.19), spec=spec)) == 1


@pytest.mark.parametrize(("gap", "count"), [(1, 1), (2, 2)])
def test_a_lesion_may_be_missed_in_a_slice_but_not_in_three_millimetres(
    gap: int, count: int
) -> None:
    volume = _volume((BLOCK[0], slice(60, 66 + gap), BLOCK[2]))
    hu = volume.hu.copy()
    hu[:, 63 : 63 + gap] = 0
    lesions = _find(replace(volume, hu=hu), Finder("OLT"))
    assert [lesion.slices for lesion in sorted(lesions, key=lambda x: x.slices)] == (
        [(60, 66)] if count == 1 else [(60, 62), (65, 67)]
    )


def test_boxes_that_do_not_overlap_from_slice_to_slice_are_two_lesions() -> None:
    hu = np.zeros(SHAPE, np.int16)
    hu[50:56, 60:63, 52:60] = hu[50:56, 63:66, 70:78] = 1500
    lesions = _find(volume_of(hu, (1.0, 1.0, 1.0)), Finder("OLT"))
    assert sorted(lesion.box_vox[0] for lesion in lesions) == [52, 70]


def test_weak_outer_slices_do_not_widen_the_box() -> None:
    class Fading(Finder):
        def boxes(self, bright: NDArray[np.bool_]) -> list[Found]:
            return [
                (box, 0.9 if box[2] - box[0] > 8 else 0.3, name)
                for box, _, name in super().boxes(bright)
            ]

    hu = _volume().hu.copy()
    hu[50:56, 60:62, 72:] = 0  # the first two slices show a narrower box, which scores low
    (lesion,) = _find(volume_of(hu, (1.0, 1.0, 1.0)), Fading("OLT"))
    assert lesion.slices == (62, 65)


def test_far_from_its_bones_nothing_is_searched() -> None:
    far = (slice(2, 8), slice(2, 8), slice(2, 12))
    assert _find(_volume(far), Finder(*CLASSES)) == ()
    assert _find(_volume(), Finder(*CLASSES), bone="5th Metatarsal") == ()


def test_a_model_of_one_plane_is_asked_in_that_plane_alone() -> None:
    lesions = _find(_volume(), Finder(*CLASSES), "MidFoot", replace(SPEC, planes=(Plane.AXL,)))
    assert {lesion.label for lesion in lesions} == {
        kind.name for kind in LESIONS if kind.plane is Plane.AXL
    }


def test_a_box_never_leaves_the_scan() -> None:
    class Wide(Finder):
        def boxes(self, bright: NDArray[np.bool_]) -> list[Found]:
            return [
                ((-50.0, -50.0, 500.0, 500.0), score, name)
                for _, score, name in super().boxes(bright)
            ]

    (lesion,) = _find(_volume(), Wide("OLT"))
    assert lesion.box_vox == pytest.approx((0, 60, 0, 110, 66, 90))


def test_without_millimetres_a_lesion_has_no_size() -> None:
    (lesion,) = _find(replace(_volume(), spacing_known=False), Finder("OLT"))
    assert lesion.size_mm is None


def test_a_lesion_that_cannot_be_judged_is_not_looked_for() -> None:
    grid = canonical(_volume(), 1.0)
    found = find_lesions(
        _volume(), grid, _labels(), Finder("OLT", "Ankle Arthritis"), SPEC, ["OLT"]
    )  # type: ignore[arg-type]
    assert [x.label for x in found] == ["Ankle Arthritis"]


def test_lesions_of_one_kind_that_touch_are_one() -> None:
    class Split(Finder):
        def boxes(self, bright: NDArray[np.bool_]) -> list[Found]:
            found = super().boxes(bright)
            return [
                part
                for (x0, y0, x1, y1), _, name in found
                for part in (((x0, y0, x0 + 6, y1), 0.6, name), ((x0 + 4, y0, x1, y1), 0.9, name))
            ]

    found = _find(_volume(), Split("OLT", "Ankle Arthritis"))
    assert sorted((x.label, x.box_vox[0]) for x in found) == [("Ankle Arthritis", 68), ("OLT", 68)]


def test_lesions_come_surest_first() -> None:
    class TwoSides(Finder):
        def boxes(self, bright: NDArray[np.bool_]) -> list[Found]:
            found = super().boxes(bright)
            return [(box, 0.5 if name == "OLT" else 0.95, name) for box, _, name in found]

    assert [x.label for x in _find(_volume(), TwoSides("OLT", "Ankle Arthritis"))] == [
        "Ankle Arthritis",
        "OLT",
    ]


def test_a_box_is_the_mean_of_those_that_answer_for_it() -> None:
    class Doubled(Finder):
        def boxes(self, bright: NDArray[np.bool_]) -> list[Found]:
            found = super().boxes(bright)
            beside = [
                ((x0 + 2, y0, x1 + 2, y1), score / 2, name)
                for (x0, y0, x1, y1), score, name in found
            ]
            return (
                found
                + beside
                + [((x0 + 40, y0, x1 + 40, y1), 0.2, name) for (x0, y0, x1, y1), _, name in found]
            )

    lesion, away = _find(_volume(), Doubled("OLT"))
    assert lesion.box_vox[0] == pytest.approx(64 + 2 / 3)
    assert away.score < SUSPICIOUS < lesion.score


def test_a_network_may_answer_with_an_empty_box() -> None:
    class Flat(Finder):
        def boxes(self, bright: NDArray[np.bool_]) -> list[Found]:
            return [
                ((x0, y0, x0, y1), score, name)
                for (x0, y0, _, y1), score, name in super().boxes(bright)
            ]

    assert _find(_volume(), Flat("OLT")) == ()


def test_a_box_goes_to_the_track_that_it_overlaps_most() -> None:
    tracks: list[_Track] = []
    left, right = (np.array([x, 0, x + 10, 10], np.float32) for x in (0, 4))
    for index, order in enumerate(((left, right), (right, left))):
        for box in order:
            _link(tracks, "OLT", index, box, 0.9, 2.5)
    assert [[float(box[0]) for _, box, _ in track.boxes] for track in tracks] == [[0, 0], [4, 4]]


def test_a_faint_box_is_kept_where_the_angles_judge_it() -> None:
    session, spec = Finder(ARCH, "OLT", score=0.17), replace(SPEC, thresholds=(0.9,) * len(CLASSES))
    assert _find(_volume(), session, spec=spec) == ()
    assert [x.label for x in _find(_volume(), session, spec=replace(spec, by_angles=(ARCH,)))] == [
        ARCH
    ]


def test_an_arch_that_the_angles_judge_reaches_over_all_slices_of_its_bones() -> None:
    (own,) = _find(_volume(), Finder(ARCH))
    (whole,) = _find(_volume(), Finder(ARCH), spec=replace(SPEC, by_angles=(ARCH,)))
    assert own.slices == (64, 73)
    assert whole.slices == (50, 79)
    assert set(whole.boxes) == set(own.boxes)


def test_what_cannot_be_judged_is_said_with_the_reason() -> None:
    everything = dict.fromkeys(BONE_ID, True)
    assert not_assessable(everything) == {}
    assert set(not_assessable({})) == set(CLASSES)
    without = not_assessable(everything | {"1st Metatarsal": False})
    assert set(without) == {"Hallux Valgus", "Flatfoot or Cavus"}
    assert "1st metatarsal is outside the field of view" in text(without["Hallux Valgus"])


def test_a_bunion_is_looked_for_and_not_ruled_out_where_the_toe_is_outside_the_scan() -> None:
    foot: Any = SimpleNamespace(confidence=dict.fromkeys(BONE_ID.values(), 0.9))
    assert not_shown(foot, MaskPoints({}, {"HVA_Line2_Pt1": np.zeros(3)})) == ({}, {})
    assert not_shown(foot, MaskPoints({}, {"HVA_Line2_Pt1": hallux.NOT_FOUND})) == ({}, {})
    assert not_shown(foot, MaskPoints({}, {"HVA_Line2_Pt1": hallux.OUTSIDE})) == (
        {},
        {"Hallux Valgus": hallux.OUTSIDE},
    )


def test_a_class_threshold_becomes_one_half_and_the_ends_stay() -> None:
    spec = replace(SPEC, thresholds=(0.7,) * len(CLASSES))
    assert [spec.reported(raw, 0) for raw in (0.0, 0.35, 0.7, 1.0)] == pytest.approx(
        [0.0, 0.25, 0.5, 1.0]
    )
    points = replace(spec, task="landmarks")
    assert [points.reported(raw, 0) for raw in (0.0, 0.35, 0.7, 1.0)] == pytest.approx(
        [0.0, 0.4, 0.8, 1.0]
    )
    assert SPEC.reported(0.35, 0) == 0.35
    look = replace(spec, suspicious=(0.6,) * len(CLASSES))
    assert [look.reported(raw, 0) for raw in (0.0, 0.3, 0.6, 0.65, 0.7, 1.0)] == pytest.approx(
        [0.0, 0.15, 0.3, 0.4, 0.5, 1.0]
    )


def test_a_lesion_that_no_model_looks_for_is_never_said_to_be_absent() -> None:
    def models(*classes: str) -> Any:
        return SimpleNamespace(lesions=[(None, replace(SPEC, classes=(name,))) for name in classes])

    assert not_sought(models(*CLASSES)) == {}
    unseen = not_sought(models("OLT", "Hallux Valgus"))
    assert unseen == dict.fromkeys(
        ("Accessory Navicular", "Tarsal Coalition", "Ankle Arthritis", ARCH), NO_MODEL
    )
    found = {
        f.name: f
        for f in decide((), (), load_profile("general"), age_years=40, lesion_not_assessable=unseen)
    }
    for name in ("accessory_navicular", "tarsal_coalition", "ankle_arthritis"):
        assert found[name].level is Level.NOT_MEASURABLE
        assert any(text(NO_MODEL) in line for line in map(text, found[name].evidence))
    assert found["olt"].level is Level.NOT_SEEN
    assert found["normal"].level is not Level.PRESENT
