"""Check that the bones found are those of a foot: enough of it, placed as in the mean foot."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from footcli.errors import ImplausibleError
from footcli.frame.masks import CUT_AREA_MM2, BoneMask
from footcli.frame.register import MIDDLE_MM
from footcli.geometry import Array, apply, turn_and_size
from footcli.kinds import BONE

LEG_ENDS_MM = {"Tibia": (16.8, 41.0, 70.3), "Fibula": (-11.9, 34.6, 64.4)}
"""Mean of the twentieth of the bone's surface that is nearest to the talus' centre, mean foot."""
LEG_END_SHARE = 0.05
# The bones that count, and the least volume (mL) of each that is no fragment: two fifths of that in
# a child's foot of 0.65 times the length
LEAST_ML = {"Talus": 3.0, "Calcaneus": 5.0, "MidFoot": 3.0} | {
    name: 0.5 for name in MIDDLE_MM if name.endswith("Metatarsal")
}
LEAST_RAYS = 3  # that show a foot without talus and calcaneus
LEAST_PARTS = 3  # that can be compared with the mean foot
FIRM_PARTS, FIRM_WIDTH = 4, 0.12  # that tell how the foot is turned; width by length
STRETCHED_PARTS = 7  # that tell the foot's width and height apart
FITTED = 7  # numbers of a similarity: few bones always fit somehow, so the rest counts for more
# Distance to the fitted mean foot, mm in its size, and the size: drawn feet reach 9.2 mm (hanging
# by 45 degrees; standing ones, however cut, 6) and 0.64 to 1.11, a real one 4 mm; heads, hands,
# knees, clouds and slabs of toes have 12 mm and more
MOST_MM = 11.0
SIZES = (0.4, 1.6)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The mean foot fitted to the bones of one foot.

    off_mm: root mean square distance for the degrees of freedom, in the mean foot's size. size: of
    the foot, the mean foot's is 1. axes: rows medial, forward, up of the mean foot, LPS. firm:
    False if the bones are too few, or too nearly on one line, to tell how the foot is turned.
    stretch: width and height by the length, the mean foot's are 1; None if the bones are too few.
    """

    off_mm: float
    size: float
    axes: Array
    firm: bool = True
    stretch: tuple[float, float] | None = None


def check_foot(bones: Mapping[str, BoneMask], affine: Array, *, spacing_known: bool) -> Fit:
    """Fit the mean foot; raise ImplausibleError unless the bones are a foot's.

    bones: of `find_bones`; affine: (4, 4) voxel -> LPS mm. spacing_known: False if the affine is in
    pixels; sizes are not compared then. Raises "too_little_foot" with the bones that are seen, or
    "no_foot".
    """
    parts = {name: bone for name, bone in bones.items() if _counts(name, bone, spacing_known)}
    pairs = _pairs(parts, bones, affine)
    if not parts:
        raise ImplausibleError("too_little_foot.none")
    if not _is_enough(parts) or len(pairs) < LEAST_PARTS:
        raise ImplausibleError("too_little_foot", bones=tuple(BONE[name].word for name in parts))
    found, mean = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
    both = (_fit(found, mean), _fit(found, mean * (-1.0, 1.0, 1.0)))
    best = min(both, key=lambda fit: fit.off_mm)
    if best.off_mm > MOST_MM:
        raise ImplausibleError("no_foot", off=best.off_mm, most=MOST_MM)
    if spacing_known and not SIZES[0] <= best.size <= SIZES[1]:
        raise ImplausibleError("no_foot.size", percent=100 * best.size)
    return best


def _is_enough(parts: Collection[str]) -> bool:
    """Whether talus or calcaneus is among the bones, or LEAST_RAYS metatarsals."""
    rays = [name for name in parts if name.endswith("Metatarsal")]
    return "Talus" in parts or "Calcaneus" in parts or len(rays) >= LEAST_RAYS


def _counts(name: str, bone: BoneMask, spacing_known: bool) -> bool:
    """Whether a bone is more than a fragment."""
    least = LEAST_ML.get(name)
    return least is not None and (not spacing_known or bone.volume_mm3 / 1000 >= least)


def _pairs(
    parts: Mapping[str, BoneMask], bones: Mapping[str, BoneMask], affine: Array
) -> list[tuple[Array, tuple[float, float, float]]]:
    """Centre (3,) LPS mm of each part, and of the same in the mean foot.

    Metatarsals that the field of view cuts off are left out if enough others remain: their centres
    are not those of the whole bone. Tibia and fibula count by their end at the talus.
    """
    whole = {
        name: bone
        for name, bone in parts.items()
        if not name.endswith("Metatarsal") or bone.open_mm2.max() <= CUT_AREA_MM2
    }
    legs = [name for name in LEG_ENDS_MM if name in bones and "Talus" in parts]
    used = whole if len(whole) + len(legs) >= FIRM_PARTS else parts
    middles = {name: apply(affine, bone.inner).mean(0) for name, bone in used.items()}
    pairs = [(middle, MIDDLE_MM[name]) for name, middle in middles.items()]
    for name in legs:
        end = _near_end(bones[name], affine, middles["Talus"])
        pairs.append((end, LEG_ENDS_MM[name]))
    return pairs


def _near_end(bone: BoneMask, affine: Array, talus: Array) -> Array:
    """Mean (3,) of the part of a bone's surface that is nearest to the talus' centre."""
    skin = apply(affine, bone.surface)
    apart = np.linalg.norm(skin - talus, axis=1)
    return np.asarray(skin[apart <= np.quantile(apart, LEG_END_SHARE)].mean(0))


def _fit(found: Array, mean: Array) -> Fit:
    """The best similarity (no reflection) of the mean foot. found, mean: (N, 3)."""
    p, q = found - found.mean(0), mean - mean.mean(0)
    turn, size = turn_and_size(q, p)
    if size <= 0:
        return Fit(np.inf, size, turn.T)
    spread = np.linalg.svd(q, compute_uv=False)
    firm = len(p) >= FIRM_PARTS and spread[1] >= FIRM_WIDTH * spread[0]
    rest = p - size * q @ turn.T
    free = 3 * len(p) - FITTED
    off = float(np.sqrt(3 * (rest**2).sum() / free)) / size
    return Fit(off, size, turn.T, firm, _stretch(p, q) if firm else None)


def _stretch(p: Array, q: Array) -> tuple[float, float] | None:
    """Width and height by the length, of the affine map from q to p (N, 3), both about 0."""
    if len(p) < STRETCHED_PARTS:
        return None
    medial, forward, up = np.linalg.norm(np.linalg.lstsq(q, p, rcond=None)[0], axis=1)
    return float(medial / forward), float(up / forward)
