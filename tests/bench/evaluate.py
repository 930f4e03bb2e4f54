"""Measure statistics and evaluation on a large label tree: time and memory, and AP of masks and
boxes against pycocotools.

python tests/bench/evaluate.py [--labels 100000] [--scored 20000] [--rounds 9]

AP of masks is raced twice: from outlines and label volumes in memory, overlaps counted or run
lengths made on the way; and from what each side keeps of the same detections, areas and overlaps
here, run lengths there. AP of boxes starts from columns, and from COCO's own objects. Exits with 1
if the statistics take over 60 s or 500 MB, AP differs by more than 1e-6, or a median ratio lies
below 20.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from stats import draw_apart, measure

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from make_truth import write_result

from footcli.dataset.annotations import read_slice_label
from footcli.dataset.outlines import mask_of_polygons
from footcli.domain import Plane
from footcli.evaluate.bones import SliceCounter
from footcli.evaluate.coco import Columns, average_precision
from footcli.evaluate.gather import gather
from footcli.evaluate.pairs import line_up
from footcli.evaluate.tables import Problem, bone_problem, image_ids
from footcli.kinds import BONE_ID, BONES
from footcli.walk.tree import find_cases

LEAST_RATIO = 20.0
Slices = list[tuple[Plane, int, Mapping[str, Any]]]
SAMPLE = 12  # cases of the AP part: pycocotools takes seconds for them


def truth_volume(labels: Mapping[Plane, Mapping[str, tuple[Path, ...]]]) -> np.ndarray[Any, Any]:
    """uint8 (z, y, x) of a case's axial labels; y and x are the numbers of COR and SAG slices."""
    found = [read_slice_label(*files).polygons for _, files in sorted(labels[Plane.AXL].items())]
    shape = len(labels[Plane.COR]), len(labels[Plane.SAG])
    volume = np.zeros((len(found), *shape), np.uint8)
    for z, slices in enumerate(found):
        for name, pieces in slices.items():
            volume[z][mask_of_polygons(pieces, shape)] = BONE_ID[name]
    return volume


def make_results(out: Path, tree: Path, labels: int) -> list[tuple[Slices, Any]]:
    """A result for each of the first cases, `labels` slices in all: its truth moved by a voxel or
    two, with some slices removed. Returns outlines and result of the first SAMPLE cases.
    """
    left = labels
    rng = np.random.default_rng(1)
    kept = []
    for number, ref in enumerate(find_cases(tree)):
        if left <= 0:
            break
        left -= sum(map(len, ref.labels.values()))
        volume = truth_volume(ref.labels)
        found = np.roll(volume, rng.integers(-1, 2, 3), (0, 1, 2))
        found[rng.random(len(found)) < 0.05] = 0
        sure = {bone.name: float(rng.uniform(0.5, 1.0)) for bone in BONES}
        write_result(out, ref.case_id, found, sure=sure)
        if number < SAMPLE:
            kept.append((parsed(ref.labels), found))
    return kept


def parsed(labels: Mapping[Plane, Mapping[str, tuple[Path, ...]]]) -> Slices:
    """A case's outlines in memory."""
    return [
        (plane, i, read_slice_label(*files).polygons)
        for plane in labels
        for i, (_, files) in enumerate(sorted(labels[plane].items()))
    ]


def oracle_sides(pairs: list[tuple[Slices, Any]], problem: Problem) -> list[COCO]:
    """The problem's masks as run lengths, with images under the same ids."""
    scores = {
        (int(i), int(k)): float(s)
        for i, k, s in zip(
            problem.found.image, problem.found.label, problem.found.scores, strict=True
        )
    }
    sides: list[list[dict[str, Any]]] = [[], []]

    def add(side: int, image: int, bone: int, mask: Any) -> None:
        own = np.asfortranarray(mask)
        if own.any():
            entry = {
                "id": len(sides[side]) + 1,
                "image_id": image,
                "category_id": bone,
                "iscrowd": 0,
                "segmentation": rle.encode(own.view(np.uint8)),
                "area": float(own.sum()),
            }
            sides[side].append(entry | ({"score": scores[image, bone]} if side else {}))

    for number, (slices, volume) in enumerate(pairs):
        for plane, index, outlines in slices:
            picture = np.moveaxis(volume, 2 - plane.axis, 0)[index]
            image = int(image_ids(number, np.array(tuple(Plane).index(plane)), np.array(index)))
            for name, pieces in outlines.items():
                add(0, image, BONE_ID[name], mask_of_polygons(pieces, picture.shape))
            for bone in np.unique(picture).tolist():
                if bone:
                    add(1, image, bone, picture == bone)
    out = []
    sizes = {e["image_id"]: e["segmentation"]["size"] for s in sides for e in s}
    images = [{"id": i, "height": size[0], "width": size[1]} for i, size in sorted(sizes.items())]
    categories = [{"id": k, "name": bone.name} for k, bone in enumerate(BONES, start=1)]
    for entries in sides:
        made = COCO()
        made.dataset = {"images": images, "categories": categories, "annotations": entries}
        made.createIndex()
        out.append(made)
    return out


def box_columns(count: int) -> tuple[Columns, Columns, list[COCO]]:
    """Random boxes, some of them near misses, for both libraries."""
    rng = np.random.default_rng(2)
    image, label = rng.integers(1, count // 3, count), rng.integers(1, 7, count)
    boxes = np.column_stack([rng.uniform(0, 300, (count, 2)), rng.uniform(8, 80, (count, 2))])
    near = np.abs(boxes + rng.normal(0, 4, boxes.shape)) + 1
    scores = rng.random(count)
    columns = (
        Columns(image, label, boxes, areas=boxes[:, 2] * boxes[:, 3]),
        Columns(image, label, near, scores=scores),
    )
    sides = []
    for flat, extra in ((boxes, None), (near, scores)):
        made = COCO()
        made.dataset = {
            "images": [{"id": int(i)} for i in np.unique(image)],
            "categories": [{"id": k, "name": str(k)} for k in range(1, 7)],
            "annotations": [
                {
                    "id": n + 1,
                    "image_id": int(image[n]),
                    "category_id": int(label[n]),
                    "bbox": flat[n].tolist(),
                    "iscrowd": 0,
                    "area": float(flat[n, 2] * flat[n, 3]),
                    **({"score": float(extra[n])} if extra is not None else {}),
                }
                for n in range(count)
            ],
        }
        made.createIndex()
        sides.append(made)
    return *columns, sides


def theirs(sides: list[COCO], kind: str) -> np.ndarray[Any, Any]:
    run = COCOeval(*sides, kind)
    run.evaluate()
    run.accumulate()
    precision = run.eval["precision"][:, :, :, 0, -1]
    return np.where(precision < 0, np.nan, precision)


def race(name: str, mine: Any, other: Any, rounds: int) -> float:
    """Time both by turns; prints both medians, the median ratio and its spread. Raises if the
    results differ.
    """
    ratios, a, b = [], [], []
    for _ in range(rounds):
        began = time.perf_counter()
        own = mine()
        between = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            judged = other()
        a.append(between - began)
        b.append(time.perf_counter() - between)
        ratios.append(b[-1] / a[-1])
        if not np.allclose(own, judged, atol=1e-6, equal_nan=True):
            raise SystemExit(
                f"{name}: AP differs from pycocotools by {np.nanmax(np.abs(own - judged)):.2g}"
            )
    middle = statistics.median(ratios)
    print(
        f"AP of {name}: footcli {statistics.median(a):.3f} s, pycocotools "
        f"{statistics.median(b):.3f} s, "
        f"ratio {middle:.1f} ({min(ratios):.1f} to {max(ratios):.1f}, {rounds} rounds), equal to "
        "1e-6",
        flush=True,
    )
    return middle


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--labels", type=int, default=100_000)
    args.add_argument(
        "--scored", type=int, default=20_000, help="labels of the cases that get a result"
    )
    args.add_argument("--rounds", type=int, default=9)
    given = args.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree, out = Path(folder) / "tree", Path(folder) / "out"
        draw_apart(tree, given.labels)
        good = measure(tree, 2)
        first = make_results(out, tree, given.scored)
        command = [
            str(Path(sys.executable).with_name("footcli")),
            "evaluate",
            str(out),
            str(tree),
            "-q",
            "--json",
            "--allow-missing",
        ]
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds, made = time.perf_counter() - began, given.scored
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        each = seconds / made * 1e3
        print(
            f"evaluate: {made} slice labels in {seconds:.1f} s, {each:.2f} ms a label, largest "
            f"process {peak:.0f} MB",
            flush=True,
        )
        cases = [gather(pair) for pair in line_up(out, tree).pairs[:SAMPLE]]
        problem = bone_problem(cases)
        with contextlib.redirect_stdout(io.StringIO()):
            sides = oracle_sides(first, problem)
            truth, found, boxes = box_columns(30_000)
    print(
        f"{len(problem.truth.image)} true masks, {len(problem.found.image)} found ones", flush=True
    )

    def masks() -> Any:
        own = bone_problem(cases)
        return average_precision(own.truth, own.found, own.classes)[0].precision

    def counted() -> Any:
        again = []
        for case, (slices, volume) in zip(cases, first, strict=True):
            counter = SliceCounter(volume)
            for plane, index, outlines in slices:
                counter.take(plane, index, outlines, None)
            again.append(replace(case, rows=counter.table()))
        own = bone_problem(again)
        return average_precision(own.truth, own.found, own.classes)[0].precision

    names = tuple(map(str, range(1, 7)))
    ratios = [
        race(
            "masks, overlaps and run lengths included",
            counted,
            lambda: theirs(oracle_sides(first, problem), "segm"),
            given.rounds,
        ),
        race("masks", masks, lambda: theirs(sides, "segm"), given.rounds),
        race(
            "boxes",
            lambda: average_precision(truth, found, names)[0].precision,
            lambda: theirs(boxes, "bbox"),
            given.rounds,
        ),
    ]
    if not good or min(ratios[1:]) < LEAST_RATIO:
        raise SystemExit(f"statistics over their limits, or a ratio of AP below {LEAST_RATIO:g}")


if __name__ == "__main__":
    main()
