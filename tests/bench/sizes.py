"""Speed and size of the bone network against Dice: every quality, precision (fp32, static int8),
and other exports.

python tests/bench/sizes.py [--seeds 5001 5002 5003 5004] [--scan FOLDER] [--more NAME=FOLDER ...]

Dice on synthetic subjects that thresholds are chosen on, never on test subjects; seconds of a real
scan's segmentation (the default) or of the first subject. int8: static, QDQ, per channel,
calibrated on slices of two further subjects; needs onnx.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from figures import table, write_table

from footcli.domain import Plane, Volume
from footcli.infer import bones
from footcli.infer.manifest import load_manifest, verify
from footcli.infer.prepare import canonical, neighbours, pad_to, window
from footcli.infer.session import Session, open_session
from footcli.infer.spec import ModelSpec
from footcli.kinds import BONES
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import scan
from footcli.phantom.seeds import TUNE_SEEDS
from footcli.read import read_case
from footcli.system.assets import models_dir
from footcli.train.scores import dice
from footcli.walk.tree import find_cases

CALIBRATION_SEEDS = TUNE_SEEDS[-2:]
EVERY = 12  # step between the slices for int8 calibration
ROUNDS = 3


def volume_of(seed: int, spacing_mm: float = 1.0) -> tuple[Volume, Any]:
    seen = scan(draw_subject(seed), spacing_mm, seed)
    return Volume(seen.hu, seen.raster.grid.affine, (), ""), seen.raster.labels


def pictures(spec: ModelSpec) -> Iterator[dict[str, Any]]:
    """The network's input for the calibration subjects."""
    for seed in CALIBRATION_SEEDS:
        hu = canonical(volume_of(seed)[0], spec.pixel_mm).hu
        for plane in Plane:
            for index in range(
                0, hu.shape[{Plane.AXL: 0, Plane.COR: 1, Plane.SAG: 2}[plane]], EVERY
            ):
                stack = neighbours(hu, plane, index, spec.offsets_mm, spec.pixel_mm)
                yield {
                    "image": window(np, pad_to(stack, bones.STRIDE), *spec.window)[None].astype(
                        np.float32
                    )
                }


def to_int8(source: Path, target: Path, spec: ModelSpec) -> None:
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._pictures = pictures(spec)

        def get_next(self) -> dict[str, Any] | None:
            return next(self._pictures, None)

    prepared = target.with_suffix(".pre.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(target),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    prepared.unlink()


def main() -> None:
    args = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args.add_argument("--seeds", type=int, nargs="+", default=list(TUNE_SEEDS[:4]))
    args.add_argument(
        "--scan",
        type=Path,
        default=Path(__file__).resolve().parents[3] / "shared" / "data" / "wbct",
    )
    args.add_argument("--models", type=Path, default=None)
    args.add_argument("--more", nargs="*", default=[], help="NAME=FOLDER of further exports")
    args.add_argument("--write", action="store_true", help="write the table into models/figures.md")
    given = args.parse_args()
    folders = {"": given.models or models_dir()} | {
        name: Path(folder) for name, folder in (m.split("=") for m in given.more)
    }
    subjects = [volume_of(seed) for seed in given.seeds]
    timed = read_case(find_cases(given.scan)[0]) if given.scan.exists() else subjects[0][0]
    runs: list[tuple[str, Session, ModelSpec, str, int]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, folder in folders.items():
            manifest = load_manifest(folder)
            spec = manifest.get("bones")
            path = verify(spec, manifest.folder)
            small = Path(scratch) / f"int8{name}.onnx"
            to_int8(path, small, spec)
            for precision, file in (("fp32", path), ("int8", small)):
                session = open_session(file, "cpu", None, replace(spec, file=file.name))
                for quality in bones.VOTERS:
                    runs.append(
                        (
                            f"{name} {precision}, {quality}".strip(),
                            session,
                            spec,
                            quality,
                            file.stat().st_size,
                        )
                    )
        seconds: dict[str, list[float]] = {r[0]: [] for r in runs}
        for _ in range(ROUNDS):
            for title, session, spec, quality, _ in runs:
                began = time.perf_counter()
                bones.segment(timed, session, spec, quality)
                seconds[title].append(time.perf_counter() - began)
        rows = []
        for title, session, spec, quality, size in runs:
            scores: dict[int, list[float]] = {}
            for volume, truth in subjects:
                foot = bones.segment(volume, session, spec, quality)[0]
                for k, v in dice(
                    bones.on_input_grid(foot, foot.labels, volume), truth, len(BONES)
                ).items():
                    scores.setdefault(k, []).append(v)
            means = {k: float(np.mean(v)) for k, v in scores.items()}
            worst = min(means, key=lambda k: means[k])
            row = (
                title,
                f"{size / 2**20:.1f}",
                f"{statistics.median(seconds[title]):.1f}",
                f"{np.mean(list(means.values())):.3f}",
                f"{means[worst]:.3f} ({BONES[worst - 1].name})",
            )
            print(*row, sep="  ", flush=True)
            rows.append(row)
        text = table(("precision, quality", "MB", "s", "Dice", "worst bone"), sorted(rows))
        if given.write:
            write_table("sizes", text)


if __name__ == "__main__":
    main()
