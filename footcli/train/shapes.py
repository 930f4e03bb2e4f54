"""Measured bone surfaces in place of parametric bones, for training."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from footcli.anatomy.template import Bone
from footcli.anatomy.worn import blended, wearing
from footcli.errors import SetupError
from footcli.phantom.seeds import TEST_SHAPES
from footcli.train.fits import bone_of, fitted, person_of

WEAR, BLEND = 0.7, 0.4  # share of bones that wear a surface, and of those that blend two
BLOCK, LEAST_BLOCK = 0.35, 8  # share of feet with all bones of one person, who has at least these
MOST_OFF_MM = 1.6  # median distance of a usable fit to the mean foot
AXIS_SD, AXIS_RANGE = 0.05, (0.85, 1.15)  # of the size along each axis, by itself
WAVES, WAVE_MM, WAVE_HEIGHT_MM = 2, (25.0, 60.0), (0.2, 1.0)  # free form of a worn surface


class ShapeSwap:
    """Dresses a foot's bones in measured surfaces, without TEST_SHAPES or with them alone.

    folder: searched with the folders below it. chance: share of feet that wear any.
    """

    def __init__(self, folder: Path, chance: float = 0.5, held_out: bool = False) -> None:
        self._chance = chance
        self._by_bone: defaultdict[str, list[Path]] = defaultdict(list)
        self._by_person: defaultdict[str, dict[str, Path]] = defaultdict(dict)
        for path in sorted(folder.rglob("*.ply")):
            name = bone_of(path)
            if name is not None and path.name.startswith(TEST_SHAPES) == held_out:
                self._by_bone[name].append(path)
                self._by_person[person_of(path)][name] = path
        if not self._by_bone:
            raise SetupError(f"--shapes {folder.name}: no file named like leg01R_talus.ply in it")

    def __call__(self, foot: dict[str, Bone], rng: np.random.Generator) -> dict[str, Bone]:
        """The foot, in the mean pose, with measured surfaces and their landmarks on some bones."""
        if rng.random() >= self._chance:
            return foot
        whole = [bones for bones in self._by_person.values() if len(bones) >= LEAST_BLOCK]
        block: dict[str, Path] = {}
        if whole and rng.random() < BLOCK:
            block = whole[int(rng.integers(len(whole)))]
        return {name: self._dressed(bone, block.get(name), rng) for name, bone in foot.items()}

    def _dressed(self, bone: Bone, path: Path | None, rng: np.random.Generator) -> Bone:
        files = self._by_bone.get(bone.name, [])
        picked = rng.random() < WEAR
        if path is None and (not files or not picked):
            return bone
        one = fitted(path or files[int(rng.integers(len(files)))])
        field = one.field
        if one.off_mm > MOST_OFF_MM:
            return bone
        if path is None and len(files) > 1 and rng.random() < BLEND:
            other = fitted(files[int(rng.integers(len(files)))])
            if other.off_mm <= MOST_OFF_MM:
                field = blended(field, other.field, float(rng.uniform(0.2, 0.8)))
        scale = bone.scale * rng.normal(1, AXIS_SD, 3).clip(*AXIS_RANGE)
        return replace(wearing(bone, field), scale=scale, bumps=_waves(bone, rng))


def _waves(bone: Bone, rng: np.random.Generator) -> np.ndarray:
    """The bone's unevenness with some long waves (rows of Bone.bumps), smaller on small bones."""
    k = rng.normal(size=(WAVES, 3))
    k *= (2 * np.pi / rng.uniform(*WAVE_MM, (WAVES, 1))) / np.linalg.norm(k, axis=1, keepdims=True)
    thick = float(np.sqrt(bone.tube.sections[2] * bone.tube.sections[3]).max())
    height = rng.uniform(*WAVE_HEIGHT_MM, WAVES) * min(1.0, thick / 12)
    return np.concatenate(
        [bone.bumps, np.column_stack([k, rng.uniform(0, 2 * np.pi, WAVES), height])]
    )
