"""One series spread over several case folders: none of them shows the whole foot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

from footcli.domain import CaseRef
from footcli.errors import ReadError
from footcli.read.collect import Slice
from footcli.read.headers import read_header
from footcli.read.patient import axes_of
from footcli.read.source import Skip
from footcli.text.lines import Line

SAME_MM = 0.01


def spread_series(refs: Iterable[CaseRef]) -> dict[str, Line]:
    """Case id -> the refusal, of plain folders that hold parts of one series each.

    Reads two headers a folder. Parts have the same series UID, patient, size, direction and place
    within the slice, and lie one above the other; copies of one folder overlap.
    """
    parts: defaultdict[Hashable, list[tuple[float, float, str]]] = defaultdict(list)
    for ref in refs:
        if ref.layout != "plain":
            continue
        paths = ref.images.get(None, ())
        found = [_place(path) for path in dict.fromkeys((*paths[:1], *paths[-1:]))]
        keys = {place[0] for place in found if place is not None}
        heights = [place[1] for place in found if place is not None]
        if len(keys) == 1:
            parts[keys.pop()].append((min(heights), max(heights), ref.case_id))
    refused: dict[str, Line] = {}
    for own in parts.values():
        own.sort()
        if len(own) > 1 and all(below[1] < above[0] for below, above in pairwise(own)):
            refused |= dict.fromkeys(
                (part[2] for part in own), Line("series_spread", count=len(own))
            )
    return refused


def _place(path: Path) -> tuple[Hashable, float] | None:
    """What identifies a slice's series, and its height in mm; None if its header does not tell."""
    try:
        header = read_header(path)
        piece = Slice(header, 0)
        axes = axes_of(piece)
    except (Skip, ReadError):
        return None
    at = np.asarray(piece.tags.position, np.float64)
    if not header.series or len(header.frames) > 1 or at.shape != (3,) or not np.isfinite(at).all():
        return None
    within = np.round(np.array([at @ axes.right, at @ axes.down]) / SAME_MM).tolist()
    turn = np.round(np.concatenate([axes.right, axes.down]), 3).tolist()
    key = (header.series, header.patient, header.rows, header.columns, *within, *turn)
    return key, round(float(at @ axes.normal), 2)
