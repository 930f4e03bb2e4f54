"""The slice of the result to which a label belongs, by the names of both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from footcli.domain import CaseRef, Plane
from footcli.errors import TruthError


def slice_indices(
    ref: CaseRef, names: Mapping[Plane, tuple[str, ...]], shape: tuple[int, ...]
) -> dict[Plane, dict[str, int]]:
    """Plane -> label stem -> slice index.

    By the source's name, else by position among the plane's images, else by the label's number.
    Labels without a number that match no slice name are left out. Raises TruthError if a label has
    no slice, or if numbers may count from 0 or from 1.
    """
    numbers = {plane: _numbers(files) for plane, files in ref.labels.items()}
    counts = {plane: shape[plane.array_axis] for plane in ref.labels}
    index = {}
    for plane in ref.labels:
        known = names.get(plane) or _image_stems(ref, plane, shape)
        index[plane] = {name: k for k, name in enumerate(known)}
    unnamed = {plane: set(numbers[plane].values()) for plane in ref.labels if not index[plane]}
    first = _first(unnamed, counts)
    for plane in unnamed:
        index[plane] = {stem: number - first for stem, number in numbers[plane].items()}
    out: dict[Plane, dict[str, int]] = {}
    for plane, files in ref.labels.items():
        named = [stem for stem in files if stem in index[plane] or stem in numbers[plane]]
        _refuse_lost(named, index[plane], plane, counts[plane])
        out[plane] = {stem: index[plane][stem] for stem in named}
    return out


def _numbers(stems: Iterable[str]) -> dict[str, int]:
    """Label stem -> the number at its end, of those that have one."""
    found = {}
    for stem in stems:
        if match := re.search(r"(\d+)$", stem):
            found[stem] = int(match[1])
    return found


def _refuse_lost(stems: Sequence[str], places: Mapping[str, int], plane: Plane, count: int) -> None:
    """Raise TruthError for a label that has no slice."""
    for stem in stems:
        if not 0 <= places.get(stem, -1) < count:
            raise TruthError(
                f"label {stem} has no slice among the result's {count} of {plane}: they belong to "
                "another grid"
            )


def _first(numbers: Mapping[Plane, set[int]], counts: Mapping[Plane, int]) -> int:
    """The number of the first slice, 0 or 1, equal for all planes of one source.

    Raises TruthError if no plane shows which.
    """
    if not any(numbers.values()):
        return 0
    if any(0 in found for found in numbers.values()):
        return 0
    if any(max(found, default=0) >= counts[plane] for plane, found in numbers.items()):
        return 1
    raise TruthError(
        "the labels' numbers do not tell whether slices count from 0 or from 1: analyse the case "
        "again, with its images"
    )


def _image_stems(ref: CaseRef, plane: Plane, shape: tuple[int, ...]) -> tuple[str, ...]:
    stems = tuple(path.stem for path in ref.images.get(plane, ()))
    return stems if len(stems) == shape[plane.array_axis] else ()
