"""Points -> measurements: five angles from the landmark network's points, and five from the masks alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Landmark, Measurement, Source
from footcli.frame import FootFrame
from footcli.geometry import Array, apply
from footcli.measure.points import bones_in_frame, key_points
from footcli.measure.rules import angle_deg
from footcli.names import ANGLE_PLANE, ANGLES, landmark_names

MIN_SCORE = 0.2  # a key point that the network is less sure of is not used
CUT_CONFIDENCE, WHOLE_CONFIDENCE = 0.6, 0.9  # of a value from masks: a bone it needs is cut somewhere else, or all are whole
FLOOR_WORDS = {
    "bones": "floor: plane through heel and metatarsal heads", "horizontal": "floor: the image's horizontal through the heel",
}  # fmt: skip
NEEDED = {
    "CPA": ("Calcaneus",), "TMA": ("Talus", "1st Metatarsal"), "TCA": ("Talus", "Calcaneus"), "HAA": ("Tibia", "Talus", "Calcaneus"),
    "MTASA": ("Tibia", "Talus"),
}  # fmt: skip
FORWARD_MM = 100.0  # length of a floor line that has no second point of its own


def measure_masks(
    labels: NDArray[np.uint8], affine: Array, frame: FootFrame, inside: NDArray[np.bool_] | None = None,
) -> tuple[Measurement, ...]:  # fmt: skip
    """The five angles from masks alone. labels: uint8 (z, y, x); affine: voxel -> LPS mm; inside: voxels that hold data."""
    bones = bones_in_frame(labels, affine, frame, inside)
    found = key_points(bones)
    sure = {
        angle: CUT_CONFIDENCE if any(bones[b].cut for b in needed if b in bones) else WHOLE_CONFIDENCE for angle, needed in NEEDED.items()
    }
    return tuple(_measure(a.name, found, frame, "masks", sure[a.name]) for a in ANGLES)


def measure_landmarks(
    landmarks: Sequence[Landmark], frame: FootFrame, *, missing: Mapping[str, str] | None = None,
) -> tuple[Measurement, ...]:  # fmt: skip
    """The five angles from the network's points. missing: point name -> why there is none."""
    found: dict[str, Array | str] = dict(missing or {})
    scores: dict[str, float] = {}
    for mark in landmarks:
        if mark.name not in found:
            scores[mark.name] = mark.score
            good = mark.score >= MIN_SCORE
            found[mark.name] = apply(frame.to_foot, mark.xyz_vox) if good else f"the network is not sure where {mark.name} lies ({mark.score:.2f})"
    values = []
    for a in ANGLES:
        used = [scores.get(n, 0.0) for n in landmark_names(a.name) if not isinstance(found.get(n, ""), str)]
        values.append(_measure(a.name, found, frame, "landmarks", min(used, default=0.0)))
    return tuple(values)


def _measure(name: str, found: Mapping[str, Array | str], frame: FootFrame, source: Source, confidence: float) -> Measurement:
    points = [found.get(n, "its key points were not looked for") for n in landmark_names(name)]
    note = ""
    if name == "CPA":
        points, note = _with_floor(points, frame)
    reason = next((p for p in points if isinstance(p, str)), None)
    if reason is not None:
        return Measurement(name, "deg", source, why_missing=reason, plane=ANGLE_PLANE[name], note=note)
    foot = np.stack([p for p in points if not isinstance(p, str)])
    try:
        value = angle_deg(name, foot)
    except ValueError:
        return Measurement(name, "deg", source, why_missing="two points of a line fall together", plane=ANGLE_PLANE[name], note=note)
    vox = apply(np.linalg.inv(frame.to_foot), foot)
    plane = ANGLE_PLANE[name]
    used = vox[:2] if name == "CPA" else vox  # the floor's points lie anywhere across
    return Measurement(
        name, "deg", source, value=value, plane=plane, slice=round(float(used[:, plane.axis].mean())), confidence=confidence,
        points_vox=tuple((float(x), float(y), float(z)) for x, y, z in vox), note=note,
    )  # fmt: skip


def _with_floor(points: list[Array | str], frame: FootFrame) -> tuple[list[Array | str], str]:
    """CPA's points with the frame's own floor where the floor's points are missing."""
    if not any(isinstance(p, str) for p in points[2:]):
        return points, FLOOR_WORDS["bones"]
    heel = points[0]
    if isinstance(heel, str):
        return [*points[:2], heel, heel], FLOOR_WORDS[frame.floor]
    start = heel * np.array([1.0, 1.0, 0.0])
    return [*points[:2], start, start + np.array([0.0, FORWARD_MM, 0.0])], FLOOR_WORDS[frame.floor]


def difference(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Angle -> |landmarks - masks| in degrees, where both have a value."""
    by = {(m.name, m.source): m.value for m in measurements if m.value is not None}
    return {n: abs(by[n, "landmarks"] - by[n, "masks"]) for n, source in by if source == "landmarks" and (n, "masks") in by}
