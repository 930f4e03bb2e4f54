"""Score the shipped models on the fixed test subjects: Dice of each bone, errors of each angle in both ways, lesions found, a baseline.

python tests/bench/phantoms.py [--seeds 101 102] [--spacing 0.8] [--models DIR] [--no-baseline]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from footcli.assets import models_dir
from footcli.domain import Plane
from footcli.evaluate.scores import angle_errors, dice
from footcli.geometry import apply
from footcli.infer.manifest import load_manifest, write_entry
from footcli.measure.rules import true_angles
from footcli.names import ANGLE_PLANE, BONES
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import scan
from footcli.phantom.seeds import TEST_SEEDS
from footcli.phantom.write import write_case
from footcli.pipeline import Clock, Options, analyze_case, load_models
from footcli.walk import find_cases


def baseline(hu: np.ndarray, truth: np.ndarray) -> dict[int, float]:
    """Threshold at half way between soft tissue and bone, watershed of the distance; each basin named by the truth: an upper bound."""
    body = hu[hu > -300]
    solid = ndimage.binary_fill_holes(hu > np.median(body) + 0.35 * (np.percentile(body, 99) - np.median(body)))
    depth = ndimage.distance_transform_edt(solid)
    seeds, _ = ndimage.label(ndimage.maximum_filter(depth, 9) == np.where(depth > 2.5, depth, -1))
    basins = watershed(-depth, seeds, mask=solid)
    votes = np.zeros((basins.max() + 1, 11), np.int64)
    np.add.at(votes, (basins.ravel(), truth.ravel()), 1)
    return dice(votes.argmax(1).astype(np.uint8)[basins] * (basins > 0), truth, 10)


def record(folder: Path, seeds: list[int], scores: dict, errors: dict) -> None:
    """Write what was measured into the manifest's quality tables."""
    subjects = f"{len(seeds)} unseen synthetic subjects, seeds {seeds[0]}-{seeds[-1]}"
    for spec in load_manifest(folder).models:
        quality: dict[str, object] = {"measured_on": subjects}
        if spec.task == "bones":
            quality |= {"mean_dice": round(float(np.mean([np.mean(v) for v in scores.values()])), 3)}
            quality |= {f"dice {b.name}": round(float(np.mean(scores[k])), 3) for k, b in enumerate(BONES, start=1)}
        elif spec.task == "landmarks":
            for (source, name), values in errors.items():
                seen = [v for v in values if v is not None]
                if source == "landmarks" and ANGLE_PLANE[name] in spec.planes and seen:
                    quality[f"mae_deg {name}"] = round(float(np.mean(seen)), 2)
        else:
            continue
        write_entry(folder, replace(spec, quality=quality))


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--seeds", type=int, nargs="+", default=list(TEST_SEEDS))
    args.add_argument("--spacing", type=float, default=0.8)
    args.add_argument("--models", type=Path, default=None)
    args.add_argument("--no-baseline", action="store_true")
    args.add_argument("--record", action="store_true", help="write the numbers into manifest.toml")
    given = args.parse_args()
    options = Options(given.models or models_dir(), device="cpu")
    models = load_models(options)
    scores, base, errors = defaultdict(list), defaultdict(list), defaultdict(list)
    for seed in given.seeds:
        seen = scan(draw_subject(seed), given.spacing, seed)
        truth = seen.raster.labels[::-1]
        angles = true_angles(seen.subject.landmarks)
        with tempfile.TemporaryDirectory() as folder:
            write_case(Path(folder), seen, seed, (Plane.AXL,), labels=False)
            began = time.perf_counter()
            (foot,) = analyze_case(find_cases(Path(folder))[0], models, options, Clock())
            seconds = time.perf_counter() - began
        own = dice(foot.labels, truth, 10)
        for k in own:
            scores[k].append(own[k])
        if not given.no_baseline:
            for k, v in baseline(seen.hu[::-1].astype(np.float32), truth).items():
                base[k].append(v)
        line = [
            f"{seed} {seen.subject.diseases[0]:20s} {seen.subject.side}/{foot.result.side} "
            f"dice {np.mean(list(own.values())):.3f} {seconds:5.1f} s"
        ]
        for source in ("landmarks", "masks"):
            found = angle_errors(foot.result.measurements, angles, source)
            for name, error in found.items():
                errors[source, name].append(error)
            line.append(source + " " + " ".join(f"{n} {'-' if e is None else f'{e:.1f}'}" for n, e in found.items()))
        tells = {(p.name): np.linalg.norm(apply(seen.raster.grid.affine, seen.points[p.name]) - np.array(p.xyz_mm))
                 for p in foot.result.landmarks if p.name in seen.points and p.xyz_mm is not None}  # fmt: skip
        line.append(f"points {np.mean(list(tells.values())):.1f} mm")
        line.append("lesions " + (", ".join(f"{x.label} {x.score:.2f}" for x in foot.result.lesions) or "none"))
        print(" | ".join(line), flush=True)
    if given.record:
        record(given.models or models_dir(), given.seeds, scores, errors)
    print("\n| bone | Dice | worst | baseline |\n|---|---|---|---|")
    for k, bone in enumerate(BONES, start=1):
        print(f"| {bone.name} | {np.mean(scores[k]):.3f} | {min(scores[k]):.3f} | {np.mean(base[k]) if base[k] else float('nan'):.3f} |")
    print(
        f"| mean | {np.mean([np.mean(v) for v in scores.values()]):.3f} | "
        f"| {np.mean([np.mean(v) for v in base.values()]) if base else float('nan'):.3f} |"
    )
    print("\n| angle | source | MAE, deg | worst | measured |\n|---|---|---|---|---|")
    for (source, name), values in errors.items():
        seen_values = [v for v in values if v is not None]
        mae, worst = (np.mean(seen_values), max(seen_values)) if seen_values else (float("nan"), float("nan"))
        print(f"| {name} | {source} | {mae:.2f} | {worst:.1f} | {len(seen_values)}/{len(values)} |")


if __name__ == "__main__":
    main()
