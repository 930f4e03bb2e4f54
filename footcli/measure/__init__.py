"""Points -> measurements: five angles from the landmark network's points, and five from the masks alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from footcli.domain import Landmark, Measurement, Source
from footcli.frame import FootFrame
from footcli.geometry import Array, apply
from footcli.measure.points import ABSENT, IN_PART, LEAST_ML, OUTSIDE, BonePoints, Found, bones_in_frame, key_points
from footcli.measure.rules import angle_deg
from footcli.names import ANGLE_PLANE, ANGLES, landmark_names

MIN_SCORE = 0.3  # a key point that the network is less sure of is not used
MASK_CONFIDENCE = 0.9  # of an angle from whole bones; less for fragments, scattered masks, a short shaft, an assumed floor
FULL_SHAFT_MM = 28.0  # distance of the tibial axis' two points where the scan shows enough of the shaft
ASSUMED_FLOOR = 0.8
FLOOR_WORDS = {
    "bones": "floor: through heel and metatarsal heads", "horizontal": "floor: the image's horizontal through the heel contact",
}  # fmt: skip
NEEDED = {
    "CPA": ("Calcaneus",), "TMA": ("Talus", "1st Metatarsal"), "TCA": ("Talus", "Calcaneus"), "HAA": ("Tibia", "Talus", "Calcaneus"),
    "MTASA": ("Tibia", "Talus"),
}  # fmt: skip
BEYOND_MM = 10.0  # how far past the calcaneus a floor line reaches that has no second point of its own


def measure_masks(
    labels: NDArray[np.uint8], affine: Array, frame: FootFrame, inside: NDArray[np.bool_] | None = None,
) -> tuple[Measurement, ...]:  # fmt: skip
    """The five angles from masks alone, in names.ANGLES order; arguments as for mask_points."""
    return measure_both((), mask_points(labels, affine, frame, inside), frame)[len(ANGLES) :]


def measure_landmarks(
    landmarks: Sequence[Landmark], frame: FootFrame, *, missing: Mapping[str, str] | None = None,
) -> tuple[Measurement, ...]:  # fmt: skip
    """The five angles from the network's points, in names.ANGLES order. missing: point name -> why there is none."""
    found: Found = dict(missing or {})
    scores: dict[str, float] = {}
    for mark in landmarks:
        if mark.name in found:
            continue
        scores[mark.name] = mark.score
        if mark.score >= MIN_SCORE:
            found[mark.name] = apply(frame.to_foot, mark.xyz_vox)
        else:
            found[mark.name] = f"the landmark model is not sure of {mark.name} (score {mark.score:.2f})"
    values = []
    for a in ANGLES:
        used = [scores[n] for n in landmark_names(a.name) if n in scores and not isinstance(found[n], str)]
        values.append(_measure(a.name, found, frame, "landmarks", min(used, default=0.0)))
    return tuple(values)


@dataclass(frozen=True, slots=True, eq=False)
class MaskPoints:
    """What the masks alone say. found: LANDMARKS names -> foot frame point (3,), or why it is missing."""

    bones: Mapping[str, BonePoints]
    found: Found

    @property
    def unusable(self) -> dict[str, str]:
        """Point name -> reason, for points whose bone is cut off, missing or a fragment: nobody can tell where they lie."""
        return {n: why for n, why in self.found.items() if isinstance(why, str) and any(w in why for w in (OUTSIDE, IN_PART, ABSENT))}


def mask_points(labels: NDArray[np.uint8], affine: Array, frame: FootFrame, inside: NDArray[np.bool_] | None = None) -> MaskPoints:
    """Key points of masks. labels: uint8 (z, y, x); affine: (4, 4) voxel -> mm; inside: bool (z, y, x), voxels that hold data."""
    bones = bones_in_frame(labels, affine, frame, inside)
    return MaskPoints(bones, key_points(bones))


def measure_both(
    landmarks: Sequence[Landmark], masks: MaskPoints, frame: FootFrame, missing: Mapping[str, str] | None = None
) -> tuple[Measurement, ...]:
    """Five angles from landmarks, then five from masks. A point whose bone is cut off is missing, however sure the network is."""
    from_masks = (_measure(a.name, masks.found, frame, "masks", _trust(a.name, masks.bones, masks.found, frame)) for a in ANGLES)
    return (*measure_landmarks(landmarks, frame, missing={**masks.unusable, **(missing or {})}), *from_masks)


def difference(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Angle -> |landmarks - masks| in degrees, where both have a value."""
    by = {(m.name, m.source): m.value for m in measurements if m.value is not None}
    return {n: abs(by[n, "landmarks"] - by[n, "masks"]) for n, source in by if source == "landmarks" and (n, "masks") in by}


def _trust(name: str, bones: Mapping[str, BonePoints], found: Found, frame: FootFrame) -> float:
    """Confidence 0..1 of an angle from masks: a rule of thumb, no probability."""
    trust = MASK_CONFIDENCE
    for bone in (bones[n] for n in NEEDED[name] if n in bones):
        trust *= bone.share
    trust *= min((min(1.0, bones[n].volume_ml / (2 * LEAST_ML[n])) for n in NEEDED[name] if n in bones), default=1.0)
    if name == "CPA" and frame.floor == "horizontal":
        trust *= ASSUMED_FLOOR
    top, low = (found[n] for n in landmark_names(name)[:2])
    if "Tibia" in NEEDED[name] and not isinstance(top, str) and not isinstance(low, str):
        trust *= min(1.0, float(np.linalg.norm(top - low)) / FULL_SHAFT_MM)
    return round(float(trust), 3)


def _measure(name: str, found: Mapping[str, Array | str], frame: FootFrame, source: Source, confidence: float) -> Measurement:
    plane = ANGLE_PLANE[name]
    points = [found.get(n, f"{n} was not looked for") for n in landmark_names(name)]
    note = ""
    if name == "CPA":
        points, note = _with_floor(points, frame)
    reason = next((p for p in points if isinstance(p, str)), None)
    if reason is not None:
        return Measurement(name, "deg", source, why_missing=reason, plane=plane)
    foot = np.stack([p for p in points if not isinstance(p, str)])
    try:
        value = angle_deg(name, foot)
    except ValueError:
        return Measurement(name, "deg", source, why_missing="two points of a line fall together", plane=plane)
    vox = apply(np.linalg.inv(frame.to_foot), foot)
    used = vox[:2] if name == "CPA" else vox  # the floor's points lie anywhere across
    return Measurement(
        name, "deg", source, value=value, plane=plane, slice=max(0, round(float(used[:, plane.axis].mean()))), confidence=confidence,
        points_vox=tuple((float(x), float(y), float(z)) for x, y, z in vox), note=note,
    )  # fmt: skip


def _with_floor(points: list[Array | str], frame: FootFrame) -> tuple[list[Array | str], str]:
    """CPA's points with the frame's own floor where the floor's points are missing, and which floor it is."""
    back, front = points[:2]
    if not any(isinstance(p, str) for p in points[2:]):
        return points, FLOOR_WORDS["bones"]
    if isinstance(back, str) or isinstance(front, str):
        return points, ""
    start = np.array([back[0], back[1], 0.0])
    reach = abs(float(front[1] - back[1])) + BEYOND_MM
    return [back, front, start, start + np.array([0.0, reach, 0.0])], FLOOR_WORDS[frame.floor]
