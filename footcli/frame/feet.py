"""The feet in a coarse volume of parts: which pieces belong to which foot, and how it lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.frame.fit import FIRM, LEG, Fit, Shown, fit_foot
from footcli.frame.mean_foot import CELL_MM3, part_points
from footcli.geometry import Array, apply
from footcli.kinds.parts import PARTS

Parts = NDArray[np.uint8]
LEAST_SHARE = 0.12  # of a part's volume in the mean foot: a smaller piece is noise
APART_MM = 45.0  # pieces of one part further apart are of two feet, unless the smaller is a scrap
SCRAP = 0.35  # of the larger piece
TWICE = 3  # parts that are there twice where two feet are
STRAY_MM = 16.0  # a piece further off its place in the fitted mean foot belongs to something else
# From the ankle outwards, so that each part has found neighbours
OUTWARDS = (*FIRM, *LEG, *(k for k in range(1, len(PARTS) + 1) if k not in (*FIRM, *LEG)))


@dataclass(frozen=True, slots=True, eq=False)
class FoundFoot:
    """One foot. parts: uint8 (z, y, x), ids of kinds.PARTS, of this foot alone. fit: None if its
    parts are too few to be compared with the mean foot.
    """

    parts: Parts
    fit: Fit | None


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A connected piece of a part. voxels: (N, 3) z, y, x; points: (N, 3) mm."""

    part: int
    voxels: NDArray[np.int64]
    points: Array

    @property
    def middle(self) -> Array:
        return np.asarray(self.points.mean(0))


def find_feet(parts: Parts, shown: Shown) -> tuple[FoundFoot, ...]:
    """Each foot of a volume; at most two, left out what belongs to none.

    parts: uint8 (z, y, x), ids of kinds.PARTS, 0 for none.
    """
    pieces = _pieces(parts, shown)
    feet = []
    for own in _shared_out(pieces):
        kept, fit = _belonging(own, shown)
        alone = np.zeros_like(parts)
        for piece in kept:
            alone[tuple(piece.voxels.T)] = piece.part
        if kept:
            feet.append(FoundFoot(alone, fit))
    return tuple(feet)


def _pieces(parts: Parts, shown: Shown) -> dict[int, list[_Piece]]:
    """Part id -> its pieces, the largest first."""
    cell = abs(float(np.linalg.det(shown.to_mm[:3, :3])))
    found = {}
    for part, box in enumerate(ndimage.find_objects(parts, max_label=len(PARTS)), start=1):
        if box is None:
            continue
        labels, count = ndimage.label(parts[box] == part, np.ones((3, 3, 3)))
        least = LEAST_SHARE * len(part_points()[part]) * CELL_MM3 / cell
        start = np.array([s.start for s in box])
        where = [np.argwhere(labels == number) + start for number in range(1, count + 1)]
        big = sorted((at for at in where if len(at) >= least), key=len, reverse=True)
        if big:
            mm = (apply(shown.to_mm, at[:, ::-1]) for at in big)
            found[part] = [_Piece(part, at, p) for at, p in zip(big, mm, strict=True)]
    return found


def _shared_out(pieces: Mapping[int, list[_Piece]]) -> list[list[_Piece]]:
    """The pieces of each foot: of one, or of two where enough parts are there twice."""
    pairs = {k: pair for k, own in pieces.items() if (pair := _pair(own)) is not None}
    if sum(k in pairs for k in (*FIRM, *LEG)) < TWICE:
        return [[piece for own in pieces.values() for piece in own]]
    feet: tuple[list[_Piece], list[_Piece]] = ([], [])
    for part in sorted(pairs, key=OUTWARDS.index):
        best = min(permutations(pairs[part]), key=lambda way: sum(map(_distance, way, feet)))
        for foot, piece in zip(feet, best, strict=True):
            foot.append(piece)
    for part in (k for k in OUTWARDS if k in pieces):
        taken = {id(piece) for foot in feet for piece in foot}
        for piece in pieces[part]:
            if id(piece) not in taken:
                min(feet, key=lambda foot: _distance(piece, foot)).append(piece)
    return list(feet)


def _pair(own: Sequence[_Piece]) -> tuple[_Piece, _Piece] | None:
    """Two pieces of a part that cannot be of one foot."""
    for other in own[1:]:
        far = np.linalg.norm(own[0].middle - other.middle) > APART_MM
        if far and len(other.voxels) >= SCRAP * len(own[0].voxels):
            return own[0], other
    return None


def _distance(piece: _Piece, foot: Sequence[_Piece]) -> float:
    """Distance from a piece to the next piece of a foot, mm; 0 for an empty foot."""
    sample = piece.points[:: max(1, len(piece.points) // 50)]
    apart = [
        np.linalg.norm(
            sample[:, None] - other.points[None, :: max(1, len(other.points) // 50)], axis=-1
        )
        for other in foot
    ]
    return min((float(x.min()) for x in apart), default=0.0)


def _belonging(pieces: Sequence[_Piece], shown: Shown) -> tuple[list[_Piece], Fit | None]:
    """The pieces that lie where the fitted mean foot has their part, and the fit to them."""
    largest: dict[int, _Piece] = {}
    for piece in pieces:
        largest.setdefault(piece.part, piece)
    fit = fit_foot({k: piece.points for k, piece in largest.items()}, shown, part_points())
    if fit is None:
        return list(pieces), None
    kept = [piece for piece in pieces if piece is largest[piece.part] or _is_there(piece, fit)]
    points: dict[int, Array] = {}
    for piece in kept:
        before = points.get(piece.part, piece.points[:0])
        points[piece.part] = np.concatenate([before, piece.points])
    return kept, fit_foot(points, shown, part_points())


def _is_there(piece: _Piece, fit: Fit) -> bool:
    placed = fit.place(part_points()[piece.part])
    away = np.linalg.norm(placed - piece.middle, axis=1).min()
    return bool(away <= STRAY_MM * fit.size)
