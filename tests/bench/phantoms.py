"""Score the shipped models on the fixed test subjects: drawn, written as labelled cases, analysed,
and scored by `evaluate`.

python tests/bench/phantoms.py [--set test|lesions|clear] [--seeds 101 102] [--shapes DIR]
  [--spacing 0.8] [--models DIR]
                               [--quality standard] [--baseline] [--record] [--out DIR [--draw]]

A third of the subjects, TEST_SHAPED, wear measured surfaces that no training saw, where --shapes
has them; their key points are those of the parametric bones and do not count. baseline: threshold
and watershed, each basin named by the truth, an upper bound. lesions: ten subjects of each class,
every second one subtle, then twenty healthy ones, all with what looks like a lesion and is none.
clear: one plain case of each disease.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from figures import table, write_table
from scipy import ndimage
from skimage.segmentation import watershed

from footcli.domain import Level
from footcli.evaluate.listing import listings
from footcli.evaluate.run import Work, evaluate
from footcli.infer.manifest import load_manifest, write_entry
from footcli.kinds import BONES
from footcli.levels import SURE
from footcli.phantom.disease import DISEASES, Variety, draw_subject
from footcli.phantom.scanner import Scan, scan
from footcli.phantom.seeds import CLEAR_SEEDS, LESION_SEEDS, TEST_SEEDS, TEST_SHAPED
from footcli.phantom.subject import Subject
from footcli.phantom.write import case_name, write_case
from footcli.run.batch import Listener, run_batch
from footcli.run.setup import Options
from footcli.store.result import load_result
from footcli.system.assets import models_dir
from footcli.train.scores import dice
from footcli.walk.tree import find_cases

ILL = (
    ("hallux_valgus",),
    ("olt",),
    ("accessory_navicular",),
    ("tarsal_coalition",),
    ("ankle_arthritis",),
    ("flat_foot", "cavus_foot"),
)
SHAPES = Path(__file__).resolve().parents[3] / "shared" / "data" / "shapes"


def lesion_subject(seed: int) -> Subject:
    """One of LESION_SEEDS or CLEAR_SEEDS."""
    if seed in CLEAR_SEEDS:
        return draw_subject(
            seed,
            DISEASES[1 + CLEAR_SEEDS.index(seed)],
            subtle=False,
            variety=Variety(by_definition=True),
        )
    place = LESION_SEEDS.index(seed)
    if place >= 10 * len(ILL):
        return draw_subject(seed, "normal", variety=Variety(with_mimics=True, by_definition=True))
    kinds = ILL[place // 10]
    return draw_subject(
        seed,
        kinds[place % 4 // 2 % len(kinds)],
        subtle=place % 2 == 0,
        variety=Variety(with_mimics=True, by_definition=True),
    )


def draw(seed: int, spacing_mm: float, shapes: Path | None) -> tuple[Scan, bool]:
    """The scan of a seed's subject, and whether the subject has measured surfaces."""
    shaped, wear = shapes is not None and seed in TEST_SHAPED, None
    if shaped and shapes is not None:
        from footcli.train.shapes import ShapeSwap

        wear = ShapeSwap(shapes, 1.0, held_out=True)
    if seed in LESION_SEEDS + CLEAR_SEEDS:
        subject = lesion_subject(seed, wear)
    else:
        subject = draw_subject(seed, variety=Variety(wear=wear))
    return scan(subject, spacing_mm, seed), shaped


def prepare(
    seed: int, tree: Path, spacing_mm: float, shapes: Path | None, with_baseline: bool
) -> dict[int, float]:
    """Write the labelled case of a seed, unless it is there; the Dice of the baseline on it, if
    wanted.
    """
    drawn = tree.parent / "drawn" / str(seed)
    if drawn.exists() and not with_baseline:
        return {}
    seen, shaped = draw(seed, spacing_mm, shapes)
    write_case(tree, replace(seen, points={}) if shaped else seen, seed)
    drawn.parent.mkdir(parents=True, exist_ok=True)
    drawn.touch()
    return baseline(seen.hu.astype(np.float32), seen.raster.labels) if with_baseline else {}


def baseline(hu: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> dict[int, float]:
    """Threshold midway between soft tissue and bone, watershed of the distance; each basin named by
    the truth.
    """
    body = hu[hu > -300]
    solid = ndimage.binary_fill_holes(
        hu > np.median(body) + 0.35 * (np.percentile(body, 99) - np.median(body))
    )
    depth = ndimage.distance_transform_edt(solid)
    seeds, _ = ndimage.label(ndimage.maximum_filter(depth, 9) == np.where(depth > 2.5, depth, -1))
    basins = watershed(-depth, seeds, mask=solid)
    votes = np.zeros((basins.max() + 1, 11), np.int64)
    np.add.at(votes, (basins.ravel(), truth.ravel()), 1)
    return dice(votes.argmax(1).astype(np.uint8)[basins] * (basins > 0), truth, 10)


def told(out: Path, case: str) -> tuple[set[str], set[str]]:
    """Lesions of a case with at least the score of a finding, and its findings that are PRESENT."""
    result = load_result(out / case)
    present = {f.name for f in result.findings if f.level is Level.PRESENT and f.name != "normal"}
    return {x.label for x in result.lesions if x.score >= SURE}, present


def bone_figures(bones: dict[str, Any]) -> str:
    """The table of models/figures.md."""
    heads = ("bone", "Dice (95 %)", "HD95, mm", "surface, mm", "AP")
    rows = []
    for name, own in (*bones["per_class"].items(), ("mean", {**bones, "ap": bones["map"]})):
        low, high = own["dice_ci95"]
        dice = f"{own['dice']:.3f} ({low:.3f}, {high:.3f})"
        far = (f"{own['hd95_mm']:.2f}", f"{own['surface_mm']:.2f}", f"{own['ap']:.3f}")
        rows.append((name, dice, *far))
    return table(heads, rows)


def healthy(out: Path, seeds: list[int]) -> dict[str, dict[str, float]]:
    """False-positive rates on healthy feet: "lesions" and "findings", each name -> share."""
    cases = [told(out, case_name(s, "normal")) for s in seeds if s in LESION_SEEDS[10 * len(ILL) :]]
    counts = {
        what: Counter(name for case in cases for name in case[i])
        for i, what in enumerate(("lesions", "findings"))
    }
    return {
        what: {name: n / len(cases) for name, n in sorted(own.items())}
        for what, own in counts.items()
    }


def froc_rows(lesions: dict[str, Any]) -> list[str]:
    """A Markdown table of the sensitivity at each rate of false positives per foot, by class."""
    told = {
        name: own["froc"]["sensitivity_at"]
        for name, own in lesions["per_class"].items()
        if own["froc"]
    }
    rates = list(next(iter(told.values()), ()))
    rows = [("FROC: false a foot", *rates), ("---",) * (1 + len(rates))]
    rows += [(name, *(f"{at[rate]:.2f}" for rate in rates)) for name, at in told.items()]
    return [f"| {' | '.join(row)} |" for row in rows]


def record_lesions(
    folder: Path, found: dict[str, Any], false: dict[str, dict[str, float]], who: str
) -> None:
    """Write the measures of lesions into the manifest's quality tables: each model's own, and to
    all the false-positive sums.
    """
    for spec in load_manifest(folder).lesions():
        quality: dict[str, object] = {"measured_on": who}
        for name in spec.classes:
            own = found["lesions"]["per_class"].get(name)
            if own and own["n_patients"]:
                quality |= {
                    f"ap50 {name}": round(own["ap50"], 3),
                    f"sensitivity {name}": round(own["sensitivity"], 2),
                }
        quality |= {
            f"all_false_{what}_in_a_healthy_foot": round(sum(shares.values()), 2)
            for what, shares in false.items()
        }
        write_entry(folder, replace(spec, quality=quality))


def record(folder: Path, found: dict[str, Any], who: str) -> None:
    """Write the measures of bones into the manifest's quality table; angles.py does landmarks."""
    bones = found["bones"]
    for spec in load_manifest(folder).models:
        quality: dict[str, object] = {"measured_on": who}
        if spec.task == "bones":
            quality |= {
                "mean_dice": round(bones["dice"], 3),
                "mean_hd95_mm": round(bones["hd95_mm"], 2),
            }
            quality |= {
                f"dice {b.name}": round(bones["per_class"][b.name]["dice"], 3) for b in BONES
            }
            write_entry(folder, replace(spec, quality=quality))


def main() -> None:
    args = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args.add_argument("--set", choices=("test", "lesions", "clear"), default="test")
    args.add_argument("--seeds", type=int, nargs="+", default=None)
    args.add_argument("--shapes", type=Path, default=SHAPES if SHAPES.exists() else None)
    args.add_argument("--spacing", type=float, default=0.8)
    args.add_argument("--models", type=Path, default=None)
    args.add_argument("--quality", default="standard", choices=("fast", "standard", "best"))
    args.add_argument(
        "--out",
        type=Path,
        default=None,
        help="keep tree and results here; what is drawn already is taken as it is",
    )
    args.add_argument("--draw", action="store_true", help="draw the cases into --out, and no more")
    args.add_argument("--baseline", action="store_true")
    args.add_argument("--record", action="store_true", help="write the numbers into manifest.toml")
    args.add_argument("--write", action="store_true", help="write the table into models/figures.md")
    given = args.parse_args()
    if given.record and given.set == "clear":
        args.error(
            "--record goes with the test subjects or the lesions: plain cases are no measure"
        )
    if given.draw and given.out is None:
        args.error("--draw needs --out: the folder that the cases go to")
    models = given.models or models_dir()
    seeds = given.seeds or list(
        {"test": TEST_SEEDS, "lesions": LESION_SEEDS, "clear": CLEAR_SEEDS}[given.set]
    )
    os.fsync = lambda handle: None  # type: ignore[assignment]  # thousands of temporary files
    base: dict[int, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.out or Path(scratch)
        tree, out = folder / "tree", folder / "out"
        began = time.perf_counter()
        ready = partial(
            prepare,
            tree=tree,
            spacing_mm=given.spacing,
            shapes=given.shapes,
            with_baseline=given.baseline,
        )
        with ProcessPoolExecutor(2) as pool:
            for own in pool.map(ready, seeds):
                for k, v in own.items():
                    base.setdefault(k, []).append(v)
        print(f"{len(seeds)} cases drawn in {time.perf_counter() - began:.0f} s", flush=True)
        if given.draw:
            return
        options = Options(models, device="cpu", quality=given.quality)
        run_batch(
            find_cases(tree),
            out,
            options,
            jobs=2,
            listener=Listener(lambda case: print(case.case_id, case.outcome, flush=True)),
        )
        print(f"all done in {time.perf_counter() - began:.0f} s", flush=True)
        found = evaluate(out, tree, work=Work(jobs=2))
        false = healthy(out, seeds)
        if given.set == "clear":
            for seed in seeds:
                kind = lesion_subject(seed).diseases[0]
                boxes, present = told(out, case_name(seed, kind))
                print(
                    f"{kind}: lesions {', '.join(sorted(boxes)) or 'none'}; findings "
                    f"{', '.join(sorted(present)) or 'none'}"
                )
    if given.set == "lesions":
        for what, shares in false.items():
            said = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
            print(
                f"\nfalse {what} in a healthy foot: {sum(shares.values()):.2f} ({said or 'none'})"
            )
        print("", *froc_rows(found["lesions"]), sep="\n")
    if given.record:
        who = (
            f"{len(seeds)} unseen synthetic subjects, seeds {seeds[0]}-{seeds[-1]}, "
            f"{given.spacing:g} mm"
        )
        record_lesions(models, found, false, who) if given.set == "lesions" else record(
            models, found, who
        )
    if given.write:
        write_table("phantoms", bone_figures(found["bones"]))
    for listing in listings(found):
        sys.stdout.write(
            f"\n**{listing.title}**\n\n| {' | '.join(listing.columns)} "
            f"|\n|{'---|' * len(listing.columns)}\n"
        )
        sys.stdout.writelines(f"| {' | '.join(row)} |\n" for row in listing.rows)
    if base:
        print(
            "\nbaseline, Dice: "
            + ", ".join(f"{BONES[k - 1].name} {np.mean(v):.3f}" for k, v in base.items())
            + f", mean {np.mean([np.mean(v) for v in base.values()]):.3f}"
        )


if __name__ == "__main__":
    main()
