"""evaluate/coco: AP against pycocotools as oracle, on random cases; AP with weights against AP
without.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest

from footcli.evaluate.coco import OKS_SIGMA, Columns, average_precision
from footcli.evaluate.coco_matches import matched, weighted_ap

oracle = pytest.importorskip("pycocotools.cocoeval")
coco = pytest.importorskip("pycocotools.coco")


def _oracle(truth: Columns, found: Columns, classes: int, kind: str) -> np.ndarray[Any, Any]:
    """(10, 101, classes) precision by pycocotools, -1 where there is no truth."""

    def entries(c: Columns) -> list[dict[str, Any]]:
        out = []
        for i in range(len(c.image)):
            entry: dict[str, Any] = {
                "id": i + 1,
                "image_id": int(c.image[i]),
                "category_id": int(c.label[i]),
                "iscrowd": 0,
            }
            if c.boxes is not None:
                entry |= {"bbox": c.boxes[i].tolist(), "area": float(c.boxes[i][2] * c.boxes[i][3])}
            if c.points is not None:
                there = ~np.isnan(c.points[i]).any(1)
                gone = 0.0 if c.scores is None else 1e7
                flat = np.column_stack(
                    [
                        np.where(there[:, None], c.points[i], gone),
                        np.where(there, 2, 0 if c.scores is None else 2),
                    ]
                )
                entry |= {
                    "keypoints": flat.ravel().tolist(),
                    "num_keypoints": int(there.sum()),
                    "bbox": [0, 0, 1, 1],
                }
                entry["area"] = float(c.areas[i]) if c.areas is not None else 1.0
            if c.scores is not None:
                entry["score"] = float(c.scores[i])
            out.append(entry)
        return out

    images = [
        {"id": int(i), "width": 100, "height": 100}
        for i in np.unique(np.concatenate([truth.image, found.image]))
    ]
    categories = [{"id": k + 1, "name": str(k)} for k in range(classes)]
    with contextlib.redirect_stdout(io.StringIO()):
        sides = []
        for columns in (truth, found):
            side = coco.COCO()
            side.dataset = {
                "images": images,
                "categories": categories,
                "annotations": entries(columns),
            }
            side.createIndex()
            sides.append(side)
        run = oracle.COCOeval(sides[0], sides[1], kind)
        if kind == "keypoints" and truth.points is not None:
            run.params.kpt_oks_sigmas = np.full(truth.points.shape[1], OKS_SIGMA)
        run.evaluate()
        run.accumulate()
    return np.asarray(run.eval["precision"][:, :, :, 0, -1])


def _random_boxes(seed: int, ties: bool) -> tuple[Columns, Columns]:
    """Images with and without truth, with and without detections, some of them near misses; scores
    with ties or without.
    """
    rng = np.random.default_rng(seed)
    n, m = 120, 200
    image, label = rng.integers(1, 60, n), rng.integers(1, 4, n)
    boxes = np.column_stack([rng.uniform(0, 50, (n, 2)), rng.uniform(3, 60, (n, 2))])
    copied = rng.integers(0, n, m)
    near = boxes[copied] + rng.normal(0, 3, (m, 4))
    near[:, 2:] = np.maximum(near[:, 2:], 1)
    scores = rng.random(m).round(1 if ties else 9)
    moved = np.where(rng.random(m) < 0.2, rng.integers(1, 80, m), image[copied])
    return Columns(image, label, boxes, areas=boxes[:, 2] * boxes[:, 3]), Columns(
        moved, label[copied], near, scores=scores
    )


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_boxes_score_as_in_pycocotools(seed: int, ties: bool) -> None:
    truth, found = _random_boxes(seed, ties)
    precision, _ = average_precision(truth, found, ("a", "b", "c", "never"))
    expected = _oracle(truth, found, 4, "bbox")
    assert (expected[:, :, 3] == -1).all()
    assert np.isnan(precision.precision[:, :, 3]).all()
    np.testing.assert_allclose(precision.precision[:, :, :3], expected[:, :, :3], atol=1e-6)
    assert 0.02 < expected[:, :, :3].mean() < 0.98
    assert precision.mean()["map"] == pytest.approx(expected[:, :, :3].mean(), abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_key_points_score_as_in_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    points = rng.uniform(0, 200, (n, 4, 2))
    areas = rng.uniform(2000, 9000, n)
    missing = points.copy()
    missing[rng.random((n, 4)) < 0.1] = np.nan
    found = points[:35] + rng.normal(0, 2, (35, 4, 2))
    found[rng.random((35, 4)) < 0.1] = np.nan
    label = rng.integers(1, 3, n)
    truth = Columns(np.arange(1, n + 1), label, points=missing, areas=areas)
    seen = Columns(np.arange(1, 36), label[:35], points=found, scores=rng.random(35).round(1))
    precision, _ = average_precision(truth, seen, ("a", "b"))
    expected = _oracle(truth, seen, 2, "keypoints")
    np.testing.assert_allclose(precision.precision, expected, atol=1e-6)
    assert 0.02 < expected.mean() < 0.98


@pytest.mark.parametrize("seed", range(3))
def test_ap_with_weights_of_one_is_coco_ap_and_a_weight_of_two_is_a_case_met_twice(
    seed: int,
) -> None:
    truth, found = _random_boxes(seed, ties=False)
    precision, run = average_precision(truth, found, ("a", "b", "c"))
    owner = {int(i): int(i) % 7 for i in np.concatenate([truth.image, found.image])}
    once = list(matched(run, (1, 2, 3), lambda image: owner[image], 7).values())
    for k, ranked in enumerate(once):
        np.testing.assert_allclose(
            weighted_ap(ranked, np.ones(7, np.int64)),
            precision.precision[:, :, k].mean(1),
            atol=1e-9,
        )
    twice = np.array([2, 1, 1, 1, 1, 1, 1])
    again_t, again_f = (np.array([owner[int(i)] == 0 for i in c.image]) for c in (truth, found))
    assert truth.boxes is not None
    assert found.boxes is not None
    assert found.scores is not None
    more_t = Columns(
        np.r_[truth.image, truth.image[again_t] + 1000],
        np.r_[truth.label, truth.label[again_t]],
        np.r_[truth.boxes, truth.boxes[again_t]],
    )
    more_f = Columns(
        np.r_[found.image, found.image[again_f] + 1000],
        np.r_[found.label, found.label[again_f]],
        np.r_[found.boxes, found.boxes[again_f]],
        scores=np.r_[found.scores, found.scores[again_f]],
    )
    doubled, _ = average_precision(more_t, more_f, ("a", "b", "c"))
    for k, ranked in enumerate(once):
        # equal scores of the two copies may stand in another order among themselves, which a weight
        # cannot
        np.testing.assert_allclose(
            weighted_ap(ranked, twice), doubled.precision[:, :, k].mean(1), atol=0.02
        )


@pytest.mark.parametrize("seed", range(4))
def test_the_library_agrees_with_pycocotools_where_some_of_the_truth_are_crowds(seed: int) -> None:
    import hotcoco

    truth, found = _random_boxes(seed, ties=True)
    assert truth.boxes is not None
    assert found.boxes is not None
    assert found.scores is not None
    rng = np.random.default_rng(seed)
    real = [
        {
            "id": i + 1,
            "image_id": int(a),
            "category_id": int(c),
            "bbox": b.tolist(),
            "area": float(b[2] * b[3]),
            "iscrowd": int(w),
        }
        for i, (a, c, b, w) in enumerate(
            zip(truth.image, truth.label, truth.boxes, rng.random(120) < 0.2, strict=True)
        )
    ]
    seen = [
        {
            "id": i + 1,
            "image_id": int(a),
            "category_id": int(c),
            "bbox": b.tolist(),
            "area": float(b[2] * b[3]),
            "score": float(s),
        }
        for i, (a, c, b, s) in enumerate(
            zip(found.image, found.label, found.boxes, found.scores, strict=True)
        )
    ]
    base = {
        "images": [{"id": i} for i in range(1, 81)],
        "categories": [{"id": k, "name": str(k)} for k in (1, 2, 3)],
    }
    mine = hotcoco.COCOeval(
        hotcoco.COCO({**base, "annotations": real}),
        hotcoco.COCO({**base, "annotations": seen}),
        "bbox",
    )
    mine.evaluate()
    mine.accumulate()
    with contextlib.redirect_stdout(io.StringIO()):
        sides = [coco.COCO(), coco.COCO()]
        for side, entries in zip(sides, (real, seen), strict=True):
            side.dataset = {**base, "annotations": entries}
            side.createIndex()
        theirs = oracle.COCOeval(*sides, "bbox")
        theirs.evaluate()
        theirs.accumulate()
    np.testing.assert_allclose((mine.eval or {})["precision"], theirs.eval["precision"], atol=1e-6)


def test_one_box_worked_by_hand() -> None:
    truth = Columns(
        np.array([1]), np.array([1]), np.array([[0.0, 0.0, 10.0, 10.0]]), areas=np.array([100.0])
    )
    # 8 x 10 inside 10 x 10: IoU 0.8, so right at 0.50 .. 0.80, wrong at 0.85, 0.90, 0.95
    found = Columns(
        np.array([1]), np.array([1]), np.array([[0.0, 0.0, 8.0, 10.0]]), scores=np.array([0.9])
    )
    precision, _ = average_precision(truth, found, ("a",))
    assert precision.of("a") == pytest.approx({"ap": 0.7, "ap50": 1.0, "ap75": 1.0})


def test_a_false_box_with_a_better_score_halves_the_precision() -> None:
    truth = Columns(
        np.array([1]), np.array([1]), np.array([[0.0, 0.0, 10.0, 10.0]]), areas=np.array([100.0])
    )
    boxes = np.array([[50.0, 50.0, 9.0, 9.0], [0.0, 0.0, 10.0, 10.0]])
    found = Columns(np.array([1, 1]), np.array([1, 1]), boxes, scores=np.array([0.9, 0.5]))
    precision, _ = average_precision(truth, found, ("a",))
    assert precision.mean() == {
        "map": pytest.approx(0.5),
        "map50": pytest.approx(0.5),
        "map75": pytest.approx(0.5),
    }


def test_groups_are_scored_from_their_own_images() -> None:
    truth = Columns(
        np.array([1, 2]),
        np.array([1, 1]),
        np.array([[0.0, 0.0, 10.0, 10.0]] * 2),
        areas=np.array([100.0] * 2),
    )
    found = Columns(
        np.array([1]), np.array([1]), np.array([[0.0, 0.0, 10.0, 10.0]]), scores=np.array([0.9])
    )
    precision, _ = average_precision(
        truth, found, ("a",), {"good": [1], "bad": [2], "nothing": [77]}
    )
    assert precision.groups["good"]["map"] == pytest.approx(1.0)
    assert precision.groups["bad"]["map"] == pytest.approx(0.0)
    assert precision.groups["nothing"] == {"map": None, "map50": None}


def test_no_detection_at_all_scores_nought() -> None:
    truth = Columns(
        np.array([1]), np.array([1]), np.array([[0.0, 0.0, 10.0, 10.0]]), areas=np.array([100.0])
    )
    nothing = Columns(
        np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)), scores=np.zeros(0)
    )
    precision, _ = average_precision(truth, nothing, ("a",))
    assert precision.mean()["map"] == 0.0
