"""What a training would learn from a tree of labels, without training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Volume
from footcli.errors import CaseError, SetupError, TruthError
from footcli.infer.views import CHANNELS
from footcli.kinds import BONES, LESIONS
from footcli.train.cases import Labelled, read_labelled
from footcli.train.hindfoot_region import PARTS
from footcli.train.job import Material
from footcli.train.lesions import CLASSES
from footcli.walk.tree import CaseEntry

POINTS = tuple(chain.from_iterable(chain.from_iterable(CHANNELS.values())))


def check_labels(task: str, material: Material) -> Iterator[str]:
    """Lines that say what would be learnt from the labels, what judged by, what left out and why.

    Raises SetupError for a tree without labels, or without a case that this task can use.
    """
    if task == "finder":
        raise SetupError("train finder: learns from drawn scenes alone: there is nothing to check")
    if material.data is None:
        raise SetupError("--check: reads the labels of DATA: name the folder")
    usable = 0
    for word, places in zip(("learn from", "judge by"), material.split(), strict=True):
        cases: Counter[str] = Counter()
        faults = []
        good = []
        for place in places:
            try:
                found = _taught(task, place)
            except (CaseError, TruthError) as error:
                faults.append(f"  left out: {place.case_id}: {error}")
                continue
            good.append(place)
            cases.update(found)
        usable += len(good)
        yield f"to {word}: {_count(good)}"
        yield from (f"  {name}: {_cases(cases[name])}" for name in _names(task))
        yield from faults
    if not usable:
        raise SetupError(f"none of the labelled cases can be used for {task}")


def _cases(count: int) -> str:
    return f"{count} case" if count == 1 else f"{count} cases"


def _count(places: Sequence[CaseEntry]) -> str:
    patients = len({place.folder_name for place in places})
    return f"{_cases(len(places))} of {patients} patient{'' if patients == 1 else 's'}"


def _names(task: str) -> tuple[str, ...]:
    """What a task learns, by name."""
    if task == "bones":
        return tuple(bone.name for bone in BONES)
    if task == "landmarks":
        return POINTS
    return CLASSES if task == "lesions" else PARTS[task].classes


def _taught(task: str, place: CaseEntry) -> set[str]:
    """The names that a case has labels of. Raises CaseError or TruthError."""
    case = read_labelled(place) if task == "bones" else read_labelled(place, _no_outline)
    if task == "bones":
        return {BONES[k - 1].name for k in np.unique(case.labels) if k}
    found = set(POINTS) & case.points.keys() if task == "landmarks" else _boxed(case)
    if task == "landmarks" and not found:
        raise TruthError("no key point is labelled")
    return found


def _boxed(case: Labelled) -> set[str]:
    if case.lesions is None:
        return set()
    bits = int(np.bitwise_or.reduce(case.lesions, axis=None))
    return {kind.name for i, kind in enumerate(LESIONS) if bits & (1 << i)}


def _no_outline(volume: Volume) -> NDArray[np.uint8]:
    """Stands for a segmentation, which is not needed to count labels."""
    return np.zeros(volume.hu.shape, np.uint8)
