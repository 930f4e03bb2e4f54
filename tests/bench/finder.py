"""Dice of the finder's parts, on the real CT with labels and on drawn scenes.

python tests/bench/finder.py MODELS [--scenes 12]

MODELS: folder with a manifest that holds a finder. The CT is ../shared/data/vhf; each run on it is
noted in vhf.csv beside this file.
"""

from __future__ import annotations

import argparse
import csv
import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from footcli.domain import CaseRef, Volume
from footcli.infer.finder import find_parts
from footcli.infer.manifest import load_manifest, verify
from footcli.infer.prepare import canonical
from footcli.infer.session import Session, open_session
from footcli.infer.spec import ModelSpec
from footcli.kinds.parts import PART_ID, PARTS
from footcli.read import read_case

VHF = Path(__file__).resolve().parents[3] / "shared" / "data" / "vhf"
NOTED = Path(__file__).parent / "vhf.csv"
# Of labels.npz -> our id; 20 there is all of the forefoot that is no metatarsal
FIRM = {3: "talus", 4: "calcaneus", 5: "navicular", 6: "cuneiform_medial"}
FIRM |= {7: "cuneiform_intermediate", 8: "cuneiform_lateral", 9: "cuboid"}
FIRM |= {9 + i: f"metatarsal{i}" for i in range(1, 6)}
SCENE_SEEDS = range(7501, 7600)  # that no training and no tuning saw


def dice(found: NDArray[np.uint8], true: NDArray[np.uint8]) -> dict[str, float]:
    """Part -> Dice, of the parts that are in the truth."""
    numbers = {}
    for name, k in PART_ID.items():
        own, real = found == k, true == k
        if real.any():
            numbers[name] = float(2 * (own & real).sum() / (own.sum() + real.sum()))
    return numbers


def on_vhf(session: Session, spec: ModelSpec) -> dict[str, dict[str, float]]:
    """Side -> part -> Dice on the real CT, voxels of the other foot and of toes left out."""
    files = tuple(sorted((VHF / "ct").glob("*.dcm")))
    volume = read_case(CaseRef("vhf", VHF, "plain", {None: files}))
    saved = np.load(VHF / "labels.npz")
    grid = canonical(volume, spec.pixel_mm)
    found = find_parts(grid.hu, session, spec).argmax(0).astype(np.uint8)
    truth = _truth(saved["parts"], saved["affine"], volume, grid.to_input, grid.hu.shape)
    middle = {side: np.argwhere(truth // 100 == number) for side, number in (("L", 0), ("R", 1))}
    middle = {side: at[truth[tuple(at.T)] > 0] for side, at in middle.items()}
    numbers = {}
    for side, number in (("L", 0), ("R", 1)):
        own = np.zeros(truth.shape, np.uint8)
        for k, name in FIRM.items():
            own[truth == 100 * number + k] = PART_ID[name]
        at = middle[side][:, 2]
        seen = found.copy()
        seen[..., : max(0, at.min() - 4)], seen[..., at.max() + 4 :] = 0, 0
        numbers[side] = dice(np.where(np.isin(truth % 100, (0, *FIRM)), seen, 0), own)
    return numbers


def _truth(
    parts: NDArray[np.uint8],
    affine: NDArray[np.float64],
    volume: Volume,
    to_input: NDArray[np.float64],
    shape: tuple[int, ...],
) -> NDArray[np.uint8]:
    """The labels, on their own grid, at the centres of the finder's voxels."""
    z, y, x = np.indices(shape)
    at = np.stack([x, y, z, np.ones_like(x)]).reshape(4, -1)
    own = np.linalg.inv(affine) @ volume.affine @ to_input @ at
    i, j, k = np.rint(own[:3]).astype(int)
    inside = (
        (i >= 0) & (j >= 0) & (k >= 0)
        & (i < parts.shape[2]) & (j < parts.shape[1]) & (k < parts.shape[0])
    )  # fmt: skip
    out = np.zeros(i.shape, np.uint8)
    out[inside] = parts[k[inside], j[inside], i[inside]]
    return out.reshape(shape)


def main() -> None:
    """Print Dice of each part, and note the run on the real CT."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("--scenes", type=int, default=12)
    chosen = parser.parse_args()
    spec = load_manifest(chosen.models).get("finder")
    session = open_session(verify(spec, chosen.models), "cpu", None, spec)
    rows = {}
    if (VHF / "ct").is_dir():
        for side, numbers in on_vhf(session, spec).items():
            rows[f"vhf {side}"] = numbers
            _note(spec.sha256[:12], side, numbers)
    rows["drawn"] = on_scenes(session, spec, chosen.scenes)
    for name in (part.name for part in PARTS):
        print(name, "  ".join(f"{row} {rows[row].get(name, float('nan')):.2f}" for row in rows))
    for row, numbers in rows.items():
        print(f"mean {row}: {np.mean(list(numbers.values())):.3f}")


def on_scenes(session: Session, spec: ModelSpec, count: int) -> dict[str, float]:
    """Part -> mean Dice over unseen drawn scenes that show it."""
    from footcli.train.finder_scenes import draw_scene

    each: dict[str, list[float]] = {}
    for seed in SCENE_SEEDS[:count]:
        scene = draw_scene(seed)
        found = find_parts(scene.hu.astype(np.float32), session, spec).argmax(0)
        for name, value in dice(found.astype(np.uint8), scene.parts).items():
            each.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in each.items()}


def _note(model: str, side: str, numbers: dict[str, float]) -> None:
    new = not NOTED.exists()
    with NOTED.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["date", "model", "side", *FIRM.values()])
        values = [f"{numbers.get(name, float('nan')):.3f}" for name in FIRM.values()]
        writer.writerow([datetime.date.today().isoformat(), model, side, *values])


if __name__ == "__main__":
    main()
