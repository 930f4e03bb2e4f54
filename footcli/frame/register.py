"""Register the mean foot to the bones: approximate medial, forward and up."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from footcli.errors import InferenceError
from footcli.geometry import Array
from footcli.kinds import BONE
from footcli.text.lines import Line

HEEL, RAY1, RAY2, RAY5 = "Calcaneus", "1st Metatarsal", "2nd Metatarsal", "5th Metatarsal"
# Centre of each bone (medial, forward, up; mm) in the measured mean foot of
# footcli/anatomy/foot.json, and the back and front end of the calcaneus
MIDDLE_MM: dict[str, tuple[float, float, float]] = {
    "Tibia": (9.8, 37.7, 102.1),
    "Fibula": (-18.1, 27.7, 87.0),
    "Talus": (8.6, 40.2, 55.6),
    HEEL: (-4.3, 14.9, 27.2),
    "MidFoot": (3.3, 77.7, 31.8),
    RAY1: (21.2, 130.6, 18.4),
    RAY2: (0.4, 125.7, 22.6),
    "3rd Metatarsal": (-12.0, 120.2, 19.2),
    "4th Metatarsal": (-23.0, 111.7, 15.4),
    RAY5: (-34.8, 97.1, 11.1),
}
HEEL_ENDS_MM = ((-3.3, -14.0, 19.1), (-5.5, 49.6, 36.9))
SIDE_SURE = 1.05  # the better side must fit this many times as well, or the side is uncertain


def long_axis(points: Array) -> Array:
    """(3,) first principal axis, unit length, of (N, 3) points; its sign is arbitrary."""
    return np.asarray(np.linalg.eigh(np.cov(points.T))[1][:, -1])


def heel_ends(
    points: Mapping[str, Array], middles: Mapping[str, Array]
) -> tuple[Array, Array] | None:
    """Back and front end of the calcaneus, (3,) LPS mm each; the front is nearer to other bones.

    points, middles: bone name -> surface (N, 3) and centre (3,), LPS mm. None without a calcaneus
    or without another bone.
    """
    others = [middles[n] for n in middles if n != HEEL]
    if HEEL not in points or not others:
        return None
    heel = points[HEEL]
    along = (heel - heel.mean(0)) @ long_axis(heel)
    a, b = (
        heel[chosen].mean(0)
        for chosen in (along < np.quantile(along, 0.1), along > np.quantile(along, 0.9))
    )
    middle = np.mean(others, axis=0)
    return (b, a) if np.linalg.norm(a - middle) < np.linalg.norm(b - middle) else (a, b)


def rough(
    middles: Mapping[str, Array], ends: tuple[Array, Array] | None, known: bool
) -> tuple[Array, bool, list[Line]]:
    """Register the mean foot, mirrored if that fits better: rows medial, forward, up, (3, 3) LPS.

    middles: bone name -> centre (3,), LPS mm; ends: of heel_ends; known: the volume's orientation
    is known. Second value: it is known, but the bones are upside down. Third: notices. Raises
    InferenceError "no_bone_found" for too few bones.
    """
    seen, mean = _paired(middles, ends)
    rising = float(seen[:, 2] @ mean[:, 2])
    notices = []
    turned = known and rising < 0
    if turned:
        notices.append(Line("up_disagrees"))
    flat, model = seen[:, 0] + 1j * seen[:, 1], mean[:, 0] + 1j * mean[:, 1]
    plain, mirrored = complex(flat @ model.conj()), complex(flat @ model)
    best, other = (plain, mirrored) if abs(plain) >= abs(mirrored) else (mirrored, plain)
    if abs(best) < SIDE_SURE * abs(other):
        notices.append(Line("side_uncertain"))
    medial = best / abs(best)
    forward = medial * (1j if best is plain else -1j)
    rows = [
        [medial.real, medial.imag, 0.0],
        [forward.real, forward.imag, 0.0],
        [0.0, 0.0, np.sign(rising) or 1.0],
    ]
    return np.array(rows), turned, notices


def _paired(middles: Mapping[str, Array], ends: tuple[Array, Array] | None) -> tuple[Array, Array]:
    """(N, 3) points of the bones and of the mean foot, each minus their mean.

    The heel gives its two ends if they are known. Raises InferenceError for fewer than three.
    """
    pairs = [(p, MIDDLE_MM[name]) for name, p in middles.items() if name != HEEL or ends is None]
    if ends is not None:
        pairs += list(zip(ends, HEEL_ENDS_MM, strict=True))
    if len(pairs) < 3:
        if not middles:
            raise InferenceError("no_bone_found.none")
        raise InferenceError("no_bone_found.few", bones=tuple(BONE[name].word for name in middles))
    seen, mean = np.array([p for p, _ in pairs]), np.array([m for _, m in pairs])
    return seen - seen.mean(0), mean - mean.mean(0)
