"""Large synthetic trees for measurements: the label sets of a few synthetic subjects, repeated
under new case ids.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from footcli.kinds import FINDING
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import scan
from footcli.phantom.write import case_name, write_case

SPACING_MM = 1.2
"""Outlines then have a corner about every 1.2 mm, three pixels of the real 0.4 mm grid, as in the
data set.
"""
SUBJECTS = ((1, "normal"), (2, "olt"), (3, "flat_foot"))
"""(seed, disease) of the subjects whose label sets are repeated in turn."""


def repeat_labels(root: Path, labels: int, with_images: bool = True) -> int:
    """Fill `root` with cases until there are at least `labels` slice labels; returns their number.

    Whole cases in the data set's split layout; every case has its own id, in folder, file names and
    JSON alike, a clinical file and an angle label. with_images: an image beside every label, a hard
    link to one of the synthetic slices. The synthetic subjects are kept beside `root` meanwhile.
    """
    made = 0
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        models = [_draw(Path(folder) / str(seed), seed, disease) for seed, disease in SUBJECTS]
        number = 1
        while made < labels:
            seed, disease = SUBJECTS[number % len(SUBJECTS)]
            made += _copy(
                models[number % len(SUBJECTS)],
                root,
                seed,
                10_000_000 + number,
                disease,
                with_images,
            )
            number += 1
    return made


def _draw(folder: Path, seed: int, disease: str) -> Path:
    sync, os.fsync = os.fsync, lambda handle: None  # thousands of temporary files
    try:
        write_case(folder, scan(draw_subject(seed, disease), SPACING_MM, seed), seed)
    finally:
        os.fsync = sync
    return folder


def _copy(model: Path, root: Path, seed: int, number: int, disease: str, with_images: bool) -> int:
    """One case under a new number; returns its slice labels."""
    group = FINDING[disease].group
    old = (case_name(seed, disease), f"A_S00_{group}_{seed:010d}_")
    new = (case_name(number, disease), f"A_S{number % 5:02d}_{group}_{number:010d}_")
    labels = 0
    for path in sorted(model.rglob("*")):
        target = str(path.relative_to(model))
        for was, becomes in zip(old, new, strict=True):
            target = target.replace(was, becomes)
        place = root / target
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif path.suffix == ".json":
            place.write_bytes(path.read_bytes().replace(old[0].encode(), new[0].encode()))
            labels += path.parent.name in ("AXL", "COR", "SAG")
        elif with_images:
            _link(path, place)
    return labels


def _link(path: Path, place: Path) -> None:
    try:
        os.link(path, place)
    except OSError:  # a disk without hard links
        shutil.copyfile(path, place)
