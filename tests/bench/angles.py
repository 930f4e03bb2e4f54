"""Score angles and key points on fixed subjects of the whole range of feet, and the points' scores
on scans made hard.

python tests/bench/angles.py [--set range|hard|score] [--models DIR] [--spacing 0.8] [--jobs 2]
  [--points FILE] [--record]

range: RANGE_SEEDS, severe flat to severe cavus, varus to valgus. hard: HARD_SEEDS, a third each
with noise, metal, a cut-off field. score: SCORE_SEEDS, every second one hard, on which scores are
calibrated. points: a JSON list of what each point was scored and missed by.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from figures import table, write_table
from numpy.typing import NDArray
from scipy import signal

from footcli.angles import true_angles
from footcli.domain import Plane, Volume
from footcli.evaluate.agree import icc21, limits_of_agreement
from footcli.frame.axes import foot_frame
from footcli.geometry import Array, apply, rotation
from footcli.infer.bones import on_input_grid, segment
from footcli.infer.landmarks import locate
from footcli.infer.manifest import load_manifest, write_entry
from footcli.kinds import ANGLE, ANGLES, FURTHER
from footcli.measure.angles import mask_points, measure_both
from footcli.measure.hallux import phalanx
from footcli.phantom.disease import Variety, draw_subject
from footcli.phantom.scanner import noise, scan
from footcli.phantom.seeds import HARD_SEEDS, RANGE_SEEDS, SCORE_SEEDS
from footcli.phantom.truth import further
from footcli.run.setup import Options, load_models
from footcli.system.assets import models_dir

GROUPS = (
    "flat_foot",
    "cavus_foot",
    "normal",
    None,
)  # alternating, so that both ends of the range occur
SETS = {"range": RANGE_SEEDS, "hard": HARD_SEEDS, "score": SCORE_SEEDS}
SURE, NEAR_MM = 0.8, 3.0
METAL_HU = 3000


def harder(
    hu: NDArray[np.int16], affine: Array, to_foot: Array, seed: int
) -> tuple[NDArray[np.int16], Array, NDArray[np.int64], str]:
    """A scan degraded by noise, metal or a cut-off field: (hu, affine, first kept voxel (x, y, z),
    how).
    """
    rng = np.random.default_rng([seed, 404])
    first = np.zeros(3, np.int64)
    how = ("noise", "metal", "cut")[seed // 2 % 3 if seed >= SCORE_SEEDS[0] else seed % 3]
    if how == "noise":
        loud = hu + rng.uniform(120, 320) * noise(hu.shape, rng.uniform(1, 1.8), rng)
        return np.clip(loud, -1024, 3071).astype(np.int16), affine, first, how
    if how == "metal":
        return _metal(hu, affine, rng), affine, first, how
    # kept part in the foot frame: forefoot, heel or leg is cut off
    low, high = np.full(3, -1e3), np.full(3, 1e3)
    end = rng.integers(3)
    if end == 0:
        high[1] = rng.uniform(70, 190)
    elif end == 1:
        low[1] = rng.uniform(-22, 8)
    else:
        high[2] = rng.uniform(85, 120)
    corners = np.stack(
        np.meshgrid(*[(0, n - 1) for n in hu.shape[::-1]], indexing="ij"), -1
    ).reshape(-1, 3)
    bounds = apply(to_foot, corners)
    middle = (bounds.min(0) + bounds.max(0)) / 2
    inverse = np.linalg.inv(to_foot)
    last = np.array(hu.shape[::-1])
    for limits, sign in ((low, -1), (high, 1)):
        for axis in np.flatnonzero(np.abs(limits) < 1e3):
            at = middle.copy()
            at[axis] = limits[axis]
            along = inverse[:3, axis] * sign
            vox = int(np.abs(along).argmax())
            where = round(float(apply(inverse, at)[vox]))
            if along[vox] > 0:
                last[vox] = min(last[vox], where)
            else:
                first[vox] = max(first[vox], where)
    box = tuple(slice(int(a), int(b)) for a, b in zip(first[::-1], last[::-1], strict=True))
    moved = affine.copy()
    moved[:3, 3] = apply(affine, first)
    return np.ascontiguousarray(hu[box]), moved, first, how


def _metal(hu: NDArray[np.int16], affine: Array, rng: np.random.Generator) -> NDArray[np.int16]:
    """Two to four screws in bone, with streaks in the axial slices that they cross."""
    mm = float(np.linalg.norm(affine[:3, 0]))
    out = hu.astype(np.float32)
    bone = np.argwhere(hu > np.percentile(hu[hu > -300], 97))
    solid = np.zeros(hu.shape, bool)
    for _ in range(int(rng.integers(2, 5))):
        centre = bone[rng.integers(len(bone))].astype(np.float64)
        way = rotation(rng.normal(size=3), rng.uniform(0, 180))[0]
        half, radius = rng.uniform(8, 20) / mm, rng.uniform(1.5, 3.0) / mm
        low = np.maximum((centre - half - radius).astype(int), 0)
        high = np.minimum((centre + half + radius + 1).astype(int), hu.shape)
        rel = (
            np.stack(
                np.meshgrid(
                    *[np.arange(a, b) for a, b in zip(low, high, strict=True)], indexing="ij"
                ),
                -1,
            )
            - centre
        )
        t = rel @ way
        rod = (np.abs(t) < half) & (((rel**2).sum(-1) - t**2) < radius**2)
        solid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] |= rod
    y, x = np.mgrid[-60:61, -60:61]
    r, angle = np.hypot(y, x) + 2, np.arctan2(y, x)
    star = np.cos(8 * angle + rng.uniform(0, 6)) / r
    for z in np.flatnonzero(solid.any((1, 2))):
        out[z] += (
            120
            * signal.fftconvolve(solid[z].astype(np.float32), star, mode="same").astype(np.float32)
            * (hu[z] > -900)
        )
    out[solid] = METAL_HU
    return np.clip(out, -1024, 3071).astype(np.int16)


def one(seed: int, models: Path, spacing: float, hard: bool) -> dict[str, Any]:
    """Draw, scan, find, measure: true and found angles, each landmark's score and error (mm)."""
    subject = draw_subject(seed, GROUPS[seed % len(GROUPS)], variety=Variety(spread=1.0))
    seen = scan(subject, spacing, seed)
    grid = seen.raster.grid
    hu, affine, first, how = seen.hu, grid.affine, np.zeros(3, np.int64), "as drawn"
    if hard:
        hu, affine, first, how = harder(hu, affine, grid.to_foot @ affine, seed)
    true_frame = foot_frame(
        seen.raster.labels, grid.affine, orientation_known=True, weight_bearing=True
    )
    # every true point, inside the field or not, in voxels of the whole scan
    points = {name: grid.voxels(at) for name, at in seen.subject.landmarks.items()}
    loaded = load_models(Options(models, device="cpu", threads=1))
    volume = Volume(hu, affine, tuple(map(str, range(hu.shape[0]))), "")
    foot = segment(volume, *loaded.bones)[0]
    labels = on_input_grid(foot, foot.labels, volume)
    inside = hu > hu.min()
    frame = foot_frame(labels, affine, orientation_known=True, weight_bearing=True, inside=inside)
    located = locate(volume, foot.grid, foot.labels, frame, loaded.landmarks)
    masks = mask_points(frame, partial(phalanx, hu, labels, frame))
    found: dict[str, dict[str, float | None]] = {"landmarks": {}, "masks": {}}
    for m in measure_both(located.landmarks, masks, frame, located.missing):
        found[m.source][m.name] = m.value
    values = {name: (value, found["masks"].get(name)) for name, value in found["landmarks"].items()}
    found["both"] = {
        name: (a + b) / 2 for name, (a, b) in values.items() if a is not None and b is not None
    }  # the source that findings use
    truth = true_angles({k: apply(true_frame.to_foot, v) for k, v in points.items()})
    move = true_frame.to_foot @ np.linalg.inv(grid.to_foot @ grid.affine)
    truth |= true_angles(
        {
            k: apply(move, v)
            for k, v in further(subject.bones, seen.subject.landmarks, subject.gap_mm).items()
        },
        FURTHER,
    )
    marks = []
    for mark in located.landmarks:
        if mark.name in located.missing:
            continue
        off = apply(true_frame.to_foot, np.array(mark.xyz_vox) + first) - apply(
            true_frame.to_foot, points[mark.name]
        )
        flat = off[1:] if ANGLE[mark.name.split("_")[0]].plane is Plane.SAG else off[[0, 2]]
        apart = {"off_mm": float(np.linalg.norm(flat)), "off_3d_mm": float(np.linalg.norm(off))}
        marks.append({"name": mark.name, "score": mark.score, **apart})
    return {
        "seed": seed,
        "how": how,
        "side": subject.side,
        "truth": truth,
        "found": found,
        "points": marks,
    }


def report(cases: list[dict[str, Any]], write: bool) -> None:
    """Tables of angles and of the points' scores; `write` puts that of angles into figures.md."""
    heads = (
        "angle",
        "from",
        "true range",
        "mean error, deg",
        "bias",
        "limits of agreement, deg",
        "ICC(2,1)",
        "cases",
        "not measured",
    )
    rows = []
    for term in (*ANGLES, *FURTHER):
        for source in ("landmarks", "masks", "both"):
            pairs = [(c["truth"][term.name], c["found"][source].get(term.name)) for c in cases]
            if all(term.name not in c["found"][source] for c in cases):
                continue
            both = np.array([p for p in pairs if p[1] is not None], np.float64).reshape(-1, 2)
            if not len(both):  # a joint space in coarse voxels
                continue
            gap = both[:, 1] - both[:, 0]
            bounds, icc = limits_of_agreement(gap), icc21(both[:, 0], both[:, 1])
            row = (
                term.name,
                source,
                f"{both[:, 0].min():.0f} … {both[:, 0].max():.0f}",
                f"{np.abs(gap).mean():.2f}",
                f"{gap.mean():.2f}",
                "–" if bounds is None else f"{bounds[0]:.1f}, {bounds[1]:.1f}",
                "–" if icc is None else f"{icc:.3f}",
                str(len(both)),
                str(len(pairs) - len(both)),
            )
            rows.append([cell.replace("-", "\N{MINUS SIGN}") for cell in row])
    text = table(heads, rows)
    print(f"\n{text}\n")
    if write:
        write_table("angles", text)
    for how in dict.fromkeys(c["how"] for c in cases):
        own = [p for c in cases if c["how"] == how for p in c["points"]]
        off, space, sure = (np.array([p[k] for p in own]) for k in ("off_mm", "off_3d_mm", "score"))
        kept = sure >= SURE
        print(
            f"{how}: {len(own)} points, mean error {off.mean():.2f} mm in the view, "
            f"{space.mean():.2f} in space; "
            f"scored {SURE} and more {kept.mean():.2f}, of these within {NEAR_MM:.0f} mm "
            f"{(off[kept] <= NEAR_MM).mean():.3f}"
        )
    every = [p for c in cases for p in c["points"] if p["score"] >= SURE]
    near = np.mean([p["off_mm"] <= NEAR_MM for p in every])
    print(
        f"all: {len(every)} points scored {SURE} and more, of these within {NEAR_MM:.0f} mm "
        f"{near:.3f}"
    )


def record(folder: Path, cases: list[dict[str, Any]]) -> None:
    """Write the errors of the landmarks' angles and points into the manifest's quality tables."""
    seeds = [c["seed"] for c in cases]
    for spec in load_manifest(folder).models:
        if spec.task != "landmarks":
            continue
        quality: dict[str, object] = {
            "measured_on": f"{len(seeds)} unseen subjects, seeds {min(seeds)}-{max(seeds)}"
        }
        for name in (
            n
            for n in ANGLE
            if n in cases[0]["found"]["landmarks"] and ANGLE[n].plane in spec.planes
        ):
            gaps = [
                c["found"]["landmarks"][name] - c["truth"][name]
                for c in cases
                if c["found"]["landmarks"].get(name) is not None
            ]
            quality[f"mae_deg {name}"] = round(float(np.abs(gaps).mean()), 2)
        named = {name for names in spec.points for name in names}
        quality["mean_radial_error_mm"] = round(
            float(np.mean([p["off_mm"] for c in cases for p in c["points"] if p["name"] in named])),
            2,
        )
        write_entry(folder, replace(spec, quality=quality))


def main() -> None:
    args = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args.add_argument("--set", choices=tuple(SETS), default="range")
    args.add_argument("--seeds", type=int, nargs="+", default=None)
    args.add_argument("--models", type=Path, default=None)
    args.add_argument("--spacing", type=float, default=0.8)
    args.add_argument("--jobs", type=int, default=2)
    args.add_argument("--points", type=Path, default=None)
    args.add_argument("--record", action="store_true", help="write the numbers into manifest.toml")
    args.add_argument("--write", action="store_true", help="write the table into models/figures.md")
    given = args.parse_args()
    seeds = given.seeds or list(SETS[given.set])
    began = time.perf_counter()
    hard = [given.set == "hard" or (given.set == "score" and seed % 2 == 1) for seed in seeds]
    work = partial(one, models=given.models or models_dir(), spacing=given.spacing)
    with ProcessPoolExecutor(given.jobs) as pool:
        futures = [pool.submit(work, seed, hard=h) for seed, h in zip(seeds, hard, strict=True)]
        cases = [f.result() for f in futures]
    if given.points is not None:
        given.points.write_text(json.dumps(cases), "utf-8")
    if given.record:
        record(given.models or models_dir(), cases)
    report(cases, given.write)
    print(f"{len(cases)} subjects in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
