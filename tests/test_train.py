"""Training: losses fall, a stopped run goes on, what is exported answers as torch did."""

# ruff: noqa: E402 - the imports below need torch, without which the file is skipped
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("onnx", reason="onnx (extra train) is not installed")

from scipy.spatial import cKDTree
from torch import nn

from footcli.anatomy.surface import surface_points
from footcli.domain import Plane
from footcli.errors import SetupError
from footcli.geometry import apply
from footcli.infer.boxes import suppress
from footcli.infer.manifest import load_manifest, verify
from footcli.infer.session import open_session
from footcli.infer.spec import ModelSpec
from footcli.infer.spec_checks import VIEW_IMAGES
from footcli.infer.views import CHANNELS, view_geometry
from footcli.kinds import BONES, LESIONS
from footcli.phantom.disease import Variety, draw_subject
from footcli.phantom.grid import make_grid
from footcli.phantom.pose import LEG, flexed
from footcli.phantom.raster import rasterize
from footcli.phantom.seeds import TEST_SEEDS, TUNE_SEEDS
from footcli.phantom.subject import Subject
from footcli.phantom.write import lesion_boxes
from footcli.train import artefacts, bones, landmarks, lesions, samples
from footcli.train.bank import (
    LYING_SHARE,
    SPACING_MM,
    TRAIN_SEEDS,
    Ahead,
    Bank,
    Entry,
    subject_box,
    to_entry,
    wide_subject,
)
from footcli.train.cut import Cut, sample
from footcli.train.draw import _beside, _Slice, picture
from footcli.train.entries import export_bones, export_landmarks, export_lesions, lesion_spec
from footcli.train.export import Account, WithSoftmax, export
from footcli.train.gu2net import GU2Net, OneDomain
from footcli.train.loop import pick_device, train
from footcli.train.paint import paint
from footcli.train.unet import UNet
from footcli.train.view import AROUND, RANGE, SCANNER, FootView
from footcli.train.watch import Plan
from footcli.train.yolo import STRIDES, Decoded, Detector, assign, flatten, giou, points

pytestmark = pytest.mark.training
SEED = 0
SMALL = (4, 8, 8, 8, 8)  # widths of a network that is quick to train a few steps
CPU = torch.device("cpu")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _same_weights_each_time() -> None:
    torch.manual_seed(SEED)


@pytest.fixture(scope="module")
def bank() -> Bank[Entry]:
    """One subject with a lesion, hindfoot to midfoot, on the grid that training uses."""
    subject = draw_subject(3, "ankle_arthritis")
    low, high = subject_box(subject)
    grid = make_grid(
        subject, SPACING_MM, low + np.array([25, 30, 0]), high - np.array([25, 90, 30]), np.eye(3)
    )
    made: Bank[Entry] = Bank(
        1,
        lambda seed: to_entry(seed, rasterize(subject, grid), np.random.default_rng(seed)),
        first_seed=3,
    )
    made.fill()
    return made


def _descent(
    net: nn.Module,
    batch: Any,
    loss: Callable[[nn.Module, Any], tuple[torch.Tensor, dict[str, float]]],
    steps: int = 8,
) -> list[float]:
    """Losses over some steps on one batch."""
    net.train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2)
    values = []
    for _ in range(steps):
        value, numbers = loss(net, batch)
        assert all(np.isfinite(v) for v in numbers.values())
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(float(value.detach()))
    return values


def _falls(values: list[float]) -> bool:
    return bool(np.isfinite(values).all() and values[-1] < 0.9 * values[0])


# pictures


def test_a_picture_shows_the_bone_that_was_asked_for_about_its_middle(bank: Bank[Entry]) -> None:
    rng = np.random.default_rng(1)
    entry = bank.entries[0]
    for wanted, plane in ((3, "AXL"), (4, "COR"), (1, "SAG")):
        fields, ids = sample(
            entry, plane, entry.points[wanted][0], Cut(1.0, 96, (-8.0, 0.0, 8.0)), rng
        )
        assert fields.shape == (3, 3, 96, 96)
        assert (entry.classes[ids[0, 1]][fields[0, 1] > 0] == wanted).any()
        image = paint(entry, fields, ids, 1.0, rng)
        assert image.shape == (3, 96, 96)
        assert torch.isfinite(image).all()
        assert image[1][fields[0, 1] > 1].median() > image[1][fields[1, 1] < -4].median() + 200, (
            "bone is brighter than air"
        )


def test_a_batch_for_the_bones_has_classes_that_are_there_and_values_from_zero_to_one(
    bank: Bank[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bones, "SIDE_PX", 64)
    bank.entries[0].points.update(
        {c: bank.entries[0].points[3] for c in range(1, 11) if c not in bank.entries[0].points}
    )
    images, targets = bones.draw_batch(bank, 2, np.random.default_rng(2), CPU)
    assert images.shape == (2, len(bones.OFFSETS_MM), 64, 64)
    assert targets.shape == (2, 64, 64)
    assert images.min() >= 0
    assert images.max() <= 1
    assert 0 < targets.max() < bones.CLASSES


def test_two_lesions_of_a_class_in_a_picture_have_a_box_each() -> None:
    bits = torch.zeros(64, 64, dtype=torch.long)
    olt = [term.name for term in LESIONS].index("OLT")
    bits[10:20, 10:20] = bits[12:22, 40:50] = 1 << olt
    boxes, classes = lesions.boxes_of(bits, torch.ones_like(bits, dtype=torch.bool), "COR")
    assert boxes.tolist() == [[10, 10, 20, 20], [40, 12, 50, 22]]
    assert classes.tolist() == [olt, olt]
    assert lesion_boxes(bits.numpy().astype(np.uint8), Plane.COR) == {
        "OLT": [(10, 10, 20, 20), (40, 12, 50, 22)]
    }


def test_lesion_boxes_enclose_the_lesion_bits_of_their_own_plane() -> None:
    bits = torch.zeros(60, 80, dtype=torch.long)
    names = [term.name for term in LESIONS]
    bits[10:20, 30:50] |= 1 << names.index("OLT")
    bits[40:50, 5:25] |= 1 << names.index("Hallux Valgus")
    everything = torch.ones(60, 80, dtype=torch.bool)
    boxes, classes = lesions.boxes_of(bits, everything, "COR")
    assert boxes.tolist() == [[30, 10, 50, 20]]
    assert classes.tolist() == [names.index("OLT")]
    half = everything.clone()
    half[:, :45] = False
    assert lesions.boxes_of(bits, half, "COR")[0].shape == (0, 4), (
        "a box of which most is cut off is no box"
    )


def test_heat_maps_stand_at_their_points_and_are_empty_without() -> None:
    at = np.array([[20.0, 10.0], [np.nan, np.nan]])
    heat = landmarks.heat_maps(at, (32, 48), CPU)
    assert heat.shape == (2, 32, 48)
    assert heat[0].argmax() == 10 * 48 + 20
    assert heat[0].max() == 1
    assert heat[1].max() == 0


def test_turned_views_keep_their_points() -> None:
    rng = np.random.default_rng(3)
    for _ in range(8):
        image = torch.zeros(2, 96, 128)
        image[:, 28:35, 85:92] = 1.0
        out, moved = landmarks._augment(image, np.array([[88.0, 31.0]]), rng)
        bright = torch.nonzero(out[0] > 0.5 * out[0].max()).float()
        np.testing.assert_allclose(bright.flip(1).mean(0).numpy(), moved[0], atol=0.5)


def test_training_never_draws_the_subjects_kept_for_tests() -> None:
    assert max(*TEST_SEEDS, *TUNE_SEEDS) < TRAIN_SEEDS
    assert Bank(1, lambda seed: seed).next_seed >= TRAIN_SEEDS


def test_a_bank_takes_in_new_things_and_lets_the_oldest_go() -> None:
    made: Bank[int] = Bank(3, lambda seed: seed, first_seed=5)
    made.fill()
    assert made.entries == [5, 6, 7]
    made.refresh()
    made._coming.result()  # type: ignore[union-attr]
    made.refresh()
    assert made.entries == [6, 7, 8]
    made.close()


# the wide population and what scanners do


def _pitch(subject: Subject, bone: str, back: str, front: str) -> float:
    """Degrees by which a bone's line points down in front."""
    line = subject.bones[bone].point(front) - subject.bones[bone].point(back)
    return float(np.degrees(np.arctan2(-line[2], line[1])))


@pytest.mark.parametrize("angle", [-15.0, 20.0, 45.0])
def test_a_flexed_foot_is_turned_by_the_angle_under_a_leg_that_stays(angle: float) -> None:
    subject = draw_subject(8, "olt")
    turned = flexed(subject, angle)
    for bone, back, front in (
        ("talus", "body_centre", "head_centre"),
        ("metatarsal1", "base_centre", "head_centre"),
    ):
        assert _pitch(turned, bone, back, front) - _pitch(
            subject, bone, back, front
        ) == pytest.approx(angle, abs=0.1)
    for name in LEG:
        np.testing.assert_array_equal(turned.bones[name].pos, subject.bones[name].pos)
    np.testing.assert_array_equal(
        turned.landmarks["HAA_Line1_Pt1"], subject.landmarks["HAA_Line1_Pt1"]
    )
    mark = "TMA_Line1_Pt2"
    np.testing.assert_allclose(
        turned.landmarks[mark], turned.bones["talus"].point("head_centre"), atol=1e-6
    )
    np.testing.assert_allclose(
        apply(turned.sole, turned.landmarks[mark]), subject.landmarks[mark], atol=1e-6
    )
    hole, dome = turned.lesions[0][1].centre, turned.bones["talus"].point("trochlea_top")
    before = subject.lesions[0][1].centre - subject.bones["talus"].point("trochlea_top")
    assert np.linalg.norm(hole - dome) == pytest.approx(np.linalg.norm(before)), (
        "a lesion goes with its bone"
    )
    assert subject.loaded
    assert not turned.loaded


def test_the_joints_of_a_flexed_foot_stay_closed() -> None:
    def gap(subject: Subject, a: str, b: str) -> float:
        return float(
            cKDTree(surface_points(subject.bones[a]))
            .query(surface_points(subject.bones[b]))[0]
            .min()
        )

    for seed in (1, 8):
        subject = draw_subject(seed, "normal")
        for angle in (-15, 25, 45):
            turned = flexed(subject, angle)
            for pair in (("tibia", "talus"), ("talus", "calcaneus"), ("talus", "navicular")):
                assert abs(gap(turned, *pair) - gap(subject, *pair)) < 2.5, (seed, angle, pair)


def test_a_flexed_foot_lies_whole_in_its_box_with_skin_around() -> None:
    subject = flexed(draw_subject(4, "normal"), 40)
    raster = rasterize(subject, make_grid(subject, 3.0, *subject_box(subject), np.eye(3)))
    assert set(np.unique(raster.labels)) == set(range(len(BONES) + 1))
    edges = np.ones(raster.skin.shape, bool)
    edges[:-1, 1:-1, 1:-1] = False  # the leg goes on above
    edges[-1] = False
    assert (raster.skin[edges] < 0).all()
    assert (raster.skin[raster.depth > 0] > 0).all()


def test_training_feet_are_wider_than_test_feet_which_stay_as_they_were() -> None:
    drawn = [wide_subject(TRAIN_SEEDS + i) for i in range(24)]
    assert 0 < sum(not s.loaded for s in drawn) < 4 * LYING_SHARE * len(drawn) / 2
    assert {s.side for s in drawn} == {"L", "R"}
    again = wide_subject(TRAIN_SEEDS + 5)
    np.testing.assert_array_equal(again.bones["talus"].pos, drawn[5].bones["talus"].pos)
    plain, spread = (
        draw_subject(TEST_SEEDS[0]),
        draw_subject(TEST_SEEDS[0], variety=Variety(spread=1.0)),
    )
    assert plain.loaded
    assert plain.diseases == spread.diseases
    assert not np.allclose(plain.bones["calcaneus"].axes, spread.bones["calcaneus"].axes)


@pytest.fixture(scope="module")
def drawn(bank: Bank[Entry]) -> dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """For each plane: HU before any fault, depth and skin."""
    entry, found = bank.entries[0], {}
    for plane in ("AXL", "COR", "SAG"):
        fields, ids = sample(
            entry,
            plane,
            entry.points[3][0],
            Cut(1.0, 96, (-8.0, 0.0, 8.0)),
            np.random.default_rng(7),
        )
        found[plane] = (
            paint(entry, fields, ids, 1.0, np.random.default_rng(7)),
            fields[0],
            fields[1],
        )
    return found


def _view(plane: str, depth: torch.Tensor, skin: torch.Tensor, seed: int) -> FootView:
    return FootView(
        plane,
        1.0,
        torch.tensor([-8.0, 0.0, 8.0]),
        depth,
        skin,
        np.random.default_rng(seed),
        torch.Generator().manual_seed(seed),
    )


@pytest.mark.parametrize("name", [*AROUND, *SCANNER])
def test_each_artefact_changes_the_picture_the_same_way_for_the_same_seed(
    name: str, drawn: dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
) -> None:
    for plane, (image, depth, skin) in drawn.items():
        changed = 0
        for seed in range(6):
            before = image.clone()
            out, again = (
                artefacts.BY_NAME[name](image, _view(plane, depth, skin, seed)) for _ in range(2)
            )
            torch.testing.assert_close(out, again, rtol=0, atol=0)
            torch.testing.assert_close(image, before, rtol=0, atol=0)
            assert out.shape == image.shape
            assert torch.isfinite(out).all()
            changed += not torch.equal(out, image)
        assert changed >= 3, plane


def test_metal_is_brighter_than_bone_and_lies_in_it(
    drawn: dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
) -> None:
    image, depth, skin = drawn["COR"]
    out = artefacts.metal(torch.zeros_like(image), _view("COR", depth, skin, 3))
    bright = out > RANGE["metal"]["hu"][0] * 0.8
    assert bright.any()
    assert (bright & (depth > 0)).any()


def test_a_round_field_shows_a_circle_in_axl_and_upright_edges_elsewhere() -> None:
    skin = torch.full((3, 240, 240), 5.0)
    for plane in ("AXL", "COR", "SAG"):
        image, keep = artefacts.field(torch.zeros(3, 240, 240), _view(plane, skin, skin, 1))
        rows, columns = keep[1].any(1).sum(), keep[1].any(0).sum()
        assert len(image[~keep].unique()) == 1
        assert columns < 240
        if plane == "AXL":
            assert abs(int(rows) - int(columns)) <= 2
            assert keep[1].sum() == pytest.approx(np.pi / 4 * float(rows * columns), rel=0.05)
        else:
            assert rows == 240
            assert (keep[1] == keep[1][:1]).all()


def test_scanner_faults_do_not_move_edges(
    drawn: dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
) -> None:
    step = torch.zeros(3, 96, 96)
    step[:, 30:60, 30:60] = 1000.0
    _, depth, skin = drawn["AXL"]
    for name in ("coarse", "motion", "sharp", "shading", "uncalibrated"):
        for seed in range(4):
            out = artefacts.BY_NAME[name](step, _view("COR", depth, skin, seed))
            profile = (out[1, :, 40:50].mean(1) - out[1, :12].mean()).clamp(min=0)
            half = profile[44] / 2
            edges = torch.nonzero(profile > half)[:, 0]
            assert abs(int(edges[0]) - 30) <= 3, (name, seed)
            assert abs(int(edges[-1]) - 59) <= 3, (name, seed)


def test_pictures_have_the_same_classes_whatever_their_look(
    bank: Bank[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = bank.entries[0]
    cut = Cut(1.0, 96, (-8.0, 0.0, 8.0))
    one = [picture(entry, "COR", entry.points[3][0], cut, np.random.default_rng(s)) for s in (1, 1)]
    torch.testing.assert_close(one[0][0], one[1][0], rtol=0, atol=0)
    monkeypatch.setattr(
        "footcli.train.draw.cut_field_of_view",
        lambda image, rng: (image, torch.ones(96, 96, dtype=torch.bool)),
    )
    monkeypatch.setattr("footcli.train.draw.FIELD", 0.0)
    for seed in range(8):
        image, target = picture(entry, "COR", entry.points[3][0], cut, np.random.default_rng(seed))
        with monkeypatch.context() as patch:
            patch.setattr("footcli.train.draw.CLEAN", 1.0)
            plain, same = picture(
                entry, "COR", entry.points[3][0], cut, np.random.default_rng(seed)
            )
        assert torch.isfinite(image).all()
        assert torch.equal(target, same)
        assert image.shape == plain.shape


def test_a_second_foot_stands_beside_the_first_with_its_labels() -> None:
    def foot(columns: slice, label: int) -> _Slice:
        skin = torch.full((1, 20, 60), -30.0)
        skin[:, :, columns] = 5.0
        inside = skin > 0
        return _Slice(
            torch.where(inside, 50.0, -1000.0),
            torch.where(inside, 3.0, -40.0),
            skin,
            torch.where(inside[0], label, 0),
        )

    both = _beside(foot(slice(5, 20), 3), foot(slice(30, 45), 7), 1, 4)
    assert both.target[0].tolist() == [0] * 5 + [3] * 15 + [0] * 3 + [7] * 15 + [0] * 22
    assert ((both.image[0, 0] > 0) == (both.target[0] > 0)).all()
    away = _beside(foot(slice(30, 45), 3), foot(slice(10, 20), 7), -1, 4)
    assert away.target[0].tolist() == [0] * 17 + [7] * 10 + [0] * 3 + [3] * 15 + [0] * 15
    alone = foot(slice(5, 20), 3)
    assert _beside(alone, foot(slice(0, 30), 7), 1, 4) is alone, (
        "a foot that its own picture cuts off is not pasted"
    )


def test_batches_drawn_ahead_come_in_order() -> None:
    for workers in (1, 3):
        batches: Ahead[int] = Ahead(lambda step: step * step, workers)
        assert [batches() for _ in range(7)] == [0, 1, 4, 9, 16, 25, 36]
        batches.close()


# losses


def test_the_bone_networks_loss_falls(bank: Bank[Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bones, "SIDE_PX", 64)
    batch = bones.draw_batch(bank, 2, np.random.default_rng(4), CPU)
    assert _falls(_descent(UNet(len(bones.OFFSETS_MM), bones.CLASSES, SMALL), batch, bones.loss))


def test_the_lesion_networks_loss_falls_with_boxes_and_without(
    bank: Bank[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesions, "CUT", replace(lesions.CUT, side_px=96))
    rng = np.random.default_rng(5)
    drawn = [lesions.draw_one(bank, rng) for _ in range(3)]
    images, truths = torch.stack([d[0] for d in drawn]), [(d[1], d[2]) for d in drawn]
    truths[0] = (torch.tensor([[20.0, 20.0, 60.0, 50.0]]), torch.tensor([4]))
    truths[1] = (torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    net = Detector(len(lesions.OFFSETS_MM), len(lesions.CLASSES), SMALL, 8)
    assert _falls(_descent(net, (images, truths), lesions.loss))
    empty = [(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))] * 3
    assert np.isfinite(_descent(net, (images, empty), lesions.loss, 2)).all()


def test_the_landmark_networks_loss_falls_in_both_domains() -> None:
    torch.manual_seed(1)
    net = GU2Net(2, (3, 2), SMALL, 8)
    for domain, count in enumerate((3, 2)):
        at = np.random.default_rng(6).uniform(8, 40, (count, 2))
        heat = landmarks.heat_maps(at, (48, 64), CPU)[None]
        image = torch.cat([heat.amax(1, keepdim=True), torch.rand(1, 1, 48, 64)], 1)
        assert _falls(_descent(net, (domain, image, heat), landmarks.loss))


# the three networks


def test_domains_share_the_pointwise_weights_and_nothing_else_of_a_separable_layer() -> None:
    net = GU2Net(2, (3, 2), SMALL, 8)
    net.eval()
    x = torch.rand(1, 2, 48, 64)
    before = [net(x, d) for d in (0, 1)]
    assert [b.shape for b in before] == [(1, 3, 48, 64), (1, 2, 48, 64)]
    with torch.no_grad():
        net.down[0].first.own[0].weight.add_(1.0)
    assert not torch.equal(net(x, 0), before[0])
    assert torch.equal(net(x, 1), before[1])
    with torch.no_grad():
        net.down[0].first.shared.weight.add_(1.0)
    assert not torch.equal(net(x, 1), before[1])
    shared = [name for name, _ in net.named_parameters() if ".shared." in name]
    assert len(shared) == 2 * (len(net.down) + len(net.up))


def test_heat_maps_are_the_product_of_near_and_far() -> None:
    net = GU2Net(2, (3,), SMALL, 8).eval()
    x = torch.rand(1, 2, 48, 64)
    near, far = net.both(x, 0)
    torch.testing.assert_close(net(x, 0), near * far)
    assert near.min() >= 0
    assert near.max() <= 1


def test_equal_boxes_overlap_fully_and_boxes_apart_less_than_none() -> None:
    a = torch.tensor([[10.0, 10, 30, 20], [0, 0, 10, 10], [0, 0, 10, 10]])
    b = torch.tensor([[10.0, 10, 30, 20], [5, 0, 15, 10], [90, 0, 100, 10]])
    torch.testing.assert_close(giou(a, b), torch.tensor([1.0, 1 / 3, -0.8]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "box",
    [
        (3.0, 3, 5, 5),
        (1, 1, 60, 40),
        (0, 0, 128, 96),
        (100, 80, 127, 95),
        (62.9, 30.1, 63.3, 90),
        (120, 90, 128, 96),
    ],
)
def test_each_box_gets_at_least_one_cell_of_the_right_stride(box: tuple[float, ...]) -> None:
    centres, strides = points(
        [(torch.zeros(1, 4, 96 // s, 128 // s), torch.zeros(1)) for s in STRIDES]
    )
    owner = assign(centres, strides, torch.tensor([box]))
    mine = owner == 0
    assert mine.any()
    assert len(set(strides[mine].tolist())) == 1
    longer = max(box[2] - box[0], box[3] - box[1])
    assert strides[mine][0] == (8 if longer < 44 else 16 if longer < 96 else 32)


def test_a_small_box_inside_a_large_one_keeps_its_cells_and_no_box_has_none() -> None:
    centres, strides = points(
        [(torch.zeros(1, 4, 96 // s, 128 // s), torch.zeros(1)) for s in STRIDES]
    )
    owner = assign(centres, strides, torch.tensor([[50.0, 40, 60, 50], [40, 30, 80, 60]]))
    assert {0, 1} <= set(owner.tolist())
    assert set(assign(centres, strides, torch.zeros(0, 4)).tolist()) == {-1}


def test_cells_lie_where_their_boxes_are_counted_from() -> None:
    outputs = [
        (torch.full((1, 4, 96 // s, 128 // s), 1.0), torch.zeros(1, 6, 96 // s, 128 // s))
        for s in STRIDES
    ]
    boxes, logits = flatten(outputs)
    assert boxes.shape == (1, 252, 4)
    assert logits.shape == (1, 252, 6)
    assert boxes[0, 0].tolist() == [-4, -4, 12, 12]
    assert boxes[0, 1].tolist() == [4, -4, 20, 12], "the second cell is the next column"


# the loop


class _Line(nn.Module):
    """Two numbers to learn."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layer(x)
        return out


def _plan(folder: Path, steps: int, minutes: float = 0.0) -> Plan:
    return Plan(steps, 4, 0.05, folder, "cpu", minutes)


def _train(
    folder: Path, steps: int, stop_at: int | None = None, minutes: float = 0.0
) -> tuple[list[int], list[str], nn.Module]:
    """Train the line; returns the steps that drew a batch, what was said, and the network."""
    drawn: list[int] = []
    said: list[str] = []

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        if step == stop_at:
            raise KeyboardInterrupt
        drawn.append(step)
        x = torch.linspace(-1, 1, 4)[:, None]
        return x, 3 * x + 1

    def loss(
        net: nn.Module, pair: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, float]]:
        value = ((net(pair[0]) - pair[1]) ** 2).mean()
        return value, {"mse": float(value.detach())}

    torch.manual_seed(2)
    if stop_at is None:
        net = train(_Line(), _plan(folder, steps, minutes), batch, loss, said.append)
        return drawn, said, net
    with pytest.raises(KeyboardInterrupt):
        train(_Line(), _plan(folder, steps), batch, loss, said.append)
    return drawn, said, _Line()


def test_a_stopped_training_goes_on_from_its_checkpoint_at_the_right_step(tmp_path: Path) -> None:
    drawn, _, _ = _train(tmp_path / "a", 250, stop_at=150)
    assert drawn == list(range(150))
    drawn, said, net = _train(tmp_path / "a", 250)
    assert drawn == list(range(100, 250)), "the last checkpoint stood at step 100"
    assert said[0] == "going on from step 100"
    _, _, straight = _train(tmp_path / "b", 250)
    torch.testing.assert_close(net.layer.weight, straight.layer.weight)
    assert not (tmp_path / "a" / "checkpoint.tmp").exists()


def test_a_finished_training_is_not_done_again_and_gives_the_same_weights(tmp_path: Path) -> None:
    _, _, first = _train(tmp_path, 120)
    drawn, _, again = _train(tmp_path, 120)
    assert drawn == []
    torch.testing.assert_close(again.layer.weight, first.layer.weight)


def test_training_learns_and_returns_the_averaged_weights_ready_for_use(tmp_path: Path) -> None:
    _, said, net = _train(tmp_path, 900)
    assert not net.training
    assert net.layer.weight.item() == pytest.approx(3, abs=0.3)
    assert net.layer.bias.item() == pytest.approx(1, abs=0.2)
    assert said[-1].startswith("step 900/900  loss ")


@pytest.mark.parametrize("damage", [b"", b"no checkpoint", None])
def test_a_checkpoint_that_cannot_be_used_is_one_line(tmp_path: Path, damage: bytes | None) -> None:
    if damage is None:  # of another network
        other = UNet(1, 2, SMALL)
        torch.save(
            {"net": other.state_dict(), "average": {}, "optimiser": {}, "step": 3},
            tmp_path / "checkpoint.pt",
        )
    else:
        (tmp_path / "checkpoint.pt").write_bytes(damage)
    with pytest.raises(
        SetupError,
        match=(
            r"checkpoint.pt: damaged, or of another network; remove it or name another folder with "
            r"--runs"
        ),
    ):
        _train(tmp_path, 5)


def test_cuda_that_is_not_there_is_said() -> None:
    if torch.cuda.is_available():
        pytest.skip("CUDA is there")
    with pytest.raises(SetupError, match="this torch has no CUDA"):
        pick_device("cuda")
    assert pick_device("auto") == CPU


def test_training_stops_when_its_time_is_over_and_keeps_what_it_has(tmp_path: Path) -> None:
    drawn, _, _ = _train(tmp_path, 5000, minutes=1e-9)
    assert len(drawn) == 1
    assert (tmp_path / "checkpoint.pt").exists()
    drawn, said, _ = _train(tmp_path, 30)
    assert drawn[0] == 1
    assert said[0] == "going on from step 1"


# export


def _answers(folder: Path, spec: ModelSpec, shape: tuple[int, ...]) -> tuple[Any, torch.Tensor]:
    x = torch.rand(*shape, generator=torch.Generator().manual_seed(3))
    return open_session(verify(spec, folder), "cpu", 1, spec).run(x.numpy())[0], x


def test_an_exported_bone_network_answers_as_torch_does_at_any_size(tmp_path: Path) -> None:
    net = UNet(len(bones.OFFSETS_MM), bones.CLASSES, SMALL).eval()
    files = export_bones(net, tmp_path, "test subjects", Account({"steps": 3}), lambda text: None)
    assert [f.name for f in files] == ["bones.onnx", "bones.md"]
    spec = load_manifest(tmp_path).get("bones")
    assert spec.classes == tuple(b.name for b in BONES)
    assert spec.trained_on == "test subjects"
    for shape in ((1, 5, 48, 80), (2, 5, 16, 16)):
        got, x = _answers(tmp_path, spec, shape)
        with torch.no_grad():
            wanted = net(x).softmax(1).numpy()
        np.testing.assert_allclose(got, wanted, atol=1e-3)
        np.testing.assert_allclose(got.sum(1), 1, atol=1e-4)


def test_exported_landmark_networks_answer_as_their_domain_does(tmp_path: Path) -> None:
    net = GU2Net(VIEW_IMAGES, tuple(len(CHANNELS[p]) for p in samples.PLANES), SMALL, 8).eval()
    export_landmarks(net, tmp_path, "test subjects", Account({}), lambda text: None)
    manifest = load_manifest(tmp_path)
    for domain, plane in enumerate(samples.PLANES):
        spec = manifest.get("landmarks", plane)
        assert spec.points == CHANNELS[plane]
        got, x = _answers(tmp_path, spec, (1, VIEW_IMAGES, *view_geometry(plane)[0]))
        with torch.no_grad():
            np.testing.assert_allclose(got, OneDomain(net, domain)(x).numpy(), atol=1e-3)


def test_an_exported_detector_gives_boxes_in_pixels_and_scores(tmp_path: Path) -> None:
    nets = [
        Detector(len(lesions.OFFSETS_MM), len(lesions.CLASSES), SMALL, 8).eval() for _ in range(2)
    ]
    export_lesions(
        Decoded(*nets), tmp_path, lesion_spec("test subjects"), Account({}), lambda text: None
    )
    spec = load_manifest(tmp_path).get("lesions")
    assert set(spec.planes) == set(Plane)
    for shape in ((1, len(lesions.OFFSETS_MM), 64, 96), (1, len(lesions.OFFSETS_MM), 128, 32)):
        got, x = _answers(tmp_path, spec, shape)
        with torch.no_grad():
            np.testing.assert_allclose(got, Decoded(*nets)(x).numpy(), atol=1e-3, rtol=1e-3)
            boxes = [Decoded(net)(x)[..., :4].numpy() for net in nets]
        np.testing.assert_allclose(got[..., :4], np.mean(boxes, axis=0), atol=1e-3, rtol=1e-3)
        assert got.shape[2] == 4 + len(lesions.CLASSES)
        assert (got[0, :, 2:4] > got[0, :, :2]).all()
        assert 0 <= got[0, :, 4:].min() <= got[0, :, 4:].max() <= 1
        assert len(suppress(got[0, :, :4], got[0, :, 4])) >= 1


def test_a_mirrored_detector_tells_left_and_right_alike(tmp_path: Path) -> None:
    net = Detector(len(lesions.OFFSETS_MM), len(lesions.CLASSES), SMALL, 8).eval()
    export_lesions(
        Decoded(net, mirrored=True),
        tmp_path,
        lesion_spec("test subjects"),
        Account({}),
        lambda text: None,
    )
    got, x = _answers(
        tmp_path, load_manifest(tmp_path).get("lesions"), (1, len(lesions.OFFSETS_MM), 64, 96)
    )
    with torch.no_grad():
        plain, alike, other = (
            Decoded(net, mirrored=m)(image).numpy()[0]
            for m, image in ((False, x), (True, x), (True, x.flip(-1)))
        )
    np.testing.assert_allclose(got[0], alike, atol=1e-3, rtol=1e-3)
    assert not np.allclose(plain, alike, atol=1e-3, rtol=1e-3)
    other[:, [0, 2]] = 96 - other[:, [2, 0]]
    order = [
        np.lexsort(np.round((box[:, :4] @ [[1, 1], [0, 0], [1, -1], [0, 0]]), 2).T)
        for box in (alike, other)
    ]
    np.testing.assert_allclose(alike[order[0]], other[order[1]], atol=1e-3)


def test_a_second_export_replaces_the_entry_and_leaves_the_others(tmp_path: Path) -> None:
    def say(text: str) -> None:
        """The export says what it did; nobody listens here."""

    for data in ("first", "second"):
        export_bones(
            UNet(len(bones.OFFSETS_MM), bones.CLASSES, SMALL), tmp_path, data, Account({}), say
        )
        export_lesions(
            Detector(len(lesions.OFFSETS_MM), 6, SMALL, 8),
            tmp_path,
            lesion_spec(data),
            Account({}),
            say,
        )
    models = load_manifest(tmp_path).models
    assert sorted((m.task, m.trained_on) for m in models) == [
        ("bones", "second"),
        ("lesions", "second"),
    ]
    assert "sha256 `" + load_manifest(tmp_path).get("bones").sha256 in (
        tmp_path / "bones.md"
    ).read_text("utf-8")


def test_a_network_that_answers_otherwise_in_onnx_is_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_bones(
        UNet(len(bones.OFFSETS_MM), bones.CLASSES, SMALL),
        tmp_path,
        "good",
        Account({}),
        lambda text: None,
    )
    spec = replace(load_manifest(tmp_path).get("bones"), file="other.onnx")
    monkeypatch.setattr("footcli.train.export.TOLERANCE", -1.0)
    dynamic = {"image": {0: "n", 2: "h", 3: "w"}}
    with pytest.raises(SetupError, match="ONNX and torch differ"):
        export(WithSoftmax(UNet(5, 11, SMALL)), spec, tmp_path, torch.rand(1, 5, 32, 32), dynamic)
    monkeypatch.setattr("footcli.train.export.MAX_BYTES", 100)
    with pytest.raises(SetupError, match="train a smaller one"):
        export(WithSoftmax(UNet(5, 11, SMALL)), spec, tmp_path, torch.rand(1, 5, 32, 32), dynamic)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bones.md", "bones.onnx", "manifest.toml"]
    assert load_manifest(tmp_path).get("bones").file == "bones.onnx"


@pytest.mark.parametrize("wrong", [export_landmarks, export_lesions])
def test_the_wrong_network_is_refused(wrong: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="must be a"):
        wrong(nn.Linear(1, 1), tmp_path, "x", Account({}), lambda text: None)
