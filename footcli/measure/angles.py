"""Points -> measurements: five angles from landmarks, the same five and further ones from masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from footcli.angles import angle_deg
from footcli.domain import Landmark, Measurement, Source
from footcli.frame.axes import FootFrame
from footcli.geometry import Array, apply
from footcli.kinds import (
    AGREE_DEG,
    ANGLE,
    ANGLES,
    BONE_ON_BONE_MM,
    MEASURES,
    landmark_names,
)
from footcli.levels import MIN_SCORE
from footcli.measure.bone_points import UNUSABLE, BonePoints, Found, bones_in_frame
from footcli.measure.points import Toe, key_points
from footcli.text.lines import Line

# Confidence of an angle from whole bones; fragments, scattered masks, a short shaft and an assumed
# floor lower it
MASK_CONFIDENCE = 0.9
FULL_SHAFT_MM = 28.0  # distance of the tibial axis' two points if the scan shows enough shaft
ASSUMED_FLOOR = 0.8
SHAFT_ANGLES = ("HAA", "MTASA", "MTASA_B")  # their line 1 is the tibial axis
COARSE_MM = 0.6  # largest voxel edge at which a joint space can be measured
BEYOND_MM = 10.0  # a floor line without a second point of its own ends this far past the calcaneus


def measure_masks(frame: FootFrame) -> tuple[Measurement, ...]:
    """The five angles from the frame's masks alone, in kinds.ANGLES order."""
    return measure_both((), mask_points(frame), frame)[len(ANGLES) : 2 * len(ANGLES)]


def measure_landmarks(
    landmarks: Sequence[Landmark],
    frame: FootFrame,
    *,
    missing: Mapping[str, Line] | None = None,
) -> tuple[Measurement, ...]:
    """The five angles from the network's landmarks, in kinds.ANGLES order.

    missing: point name -> why it is missing.
    """
    found: Found = dict(missing or {})
    scores: dict[str, float] = {}
    for mark in landmarks:
        if mark.name in found:
            continue
        scores[mark.name] = mark.score
        if mark.score >= MIN_SCORE:
            found[mark.name] = apply(frame.to_foot, mark.xyz_vox)
        else:
            found[mark.name] = Line("landmark_unsure", point=mark.name, score=mark.score)
    values = []
    for a in ANGLES:
        used = [
            scores[n]
            for n in landmark_names(a.name)
            if n in scores and not isinstance(found[n], Line)
        ]
        values.append(_measure(a.name, found, frame, "landmarks", min(used, default=0.0)))
    return tuple(values)


@dataclass(frozen=True, slots=True, eq=False)
class MaskPoints:
    """Bones and landmarks from the masks alone.

    found: landmark name -> foot frame mm (3,), or why it is missing.
    """

    bones: Mapping[str, BonePoints]
    found: Found

    @property
    def unusable(self) -> dict[str, Line]:
        """Point name -> reason, for points whose bone is cut off, missing or a fragment.

        Their position is unknown, whatever the network predicts.
        """
        return {
            n: why
            for n, why in self.found.items()
            if isinstance(why, Line) and why.code in UNUSABLE
        }


def mask_points(frame: FootFrame, toe: Toe | None = None, size: float = 1.0) -> MaskPoints:
    """Landmarks from the masks of a frame.

    toe: finds the first phalanx of the big toe (see key_points); None skips it. size: of the foot,
    the mean foot's is 1.
    """
    bones = bones_in_frame(frame, size)
    return MaskPoints(bones, key_points(bones, toe))


def measure_both(
    landmarks: Sequence[Landmark],
    masks: MaskPoints,
    frame: FootFrame,
    missing: Mapping[str, Line] | None = None,
    unsure: Mapping[str, Line] | None = None,
) -> tuple[Measurement, ...]:
    """Five angles from landmarks, then five from masks, then the further ones from masks.

    unsure: bone name -> why nothing may rest on it.

    A point whose bone is cut off is missing, whatever the network's score. Where the two sources
    differ by more than AGREE_DEG, both lose confidence.
    """
    read = measure_landmarks(landmarks, frame, missing={**masks.unusable, **(missing or {})})
    taken = [
        _measure(
            m.name, masks.found, frame, "masks", _trust(m.name, masks.bones, masks.found, frame)
        )
        for m in MEASURES
    ]
    edge_mm = max((float(bone.size_mm.max()) for bone in frame.bones.values()), default=0.0)
    values = [_plausible(_resting(m, unsure or {}), edge_mm) for m in (*read, *taken)]
    apart = difference(values)
    return tuple(_doubted(m, apart.get(m.name, 0.0)) for m in values)


def _resting(m: Measurement, unsure: Mapping[str, Line]) -> Measurement:
    """The measurement, or its absence if it rests on a bone of little confidence."""
    for name in ANGLE[m.name].bones:
        if m.value is not None and name in unsure:
            return Measurement(m.name, m.unit, m.source, plane=m.plane, why_missing=unsure[name])
    return m


def _plausible(m: Measurement, edge_mm: float) -> Measurement:
    """The measurement, or its absence if no foot has such a value or the voxels are too coarse.

    edge_mm: longest voxel edge of the scan.
    """
    if m.value is None:
        return m
    kind = ANGLE[m.name]
    gone = Measurement(m.name, m.unit, m.source, plane=m.plane)
    if kind.unit == "mm" and edge_mm > COARSE_MM:
        return replace(gone, why_missing=Line("coarse_voxels", edge=edge_mm, most=COARSE_MM))
    low, high = kind.plausible
    if not low <= m.value <= high:
        unit = Line(f"unit.{kind.unit}")
        why = Line("implausible", value=m.value, unit=unit, low=low, high=high)
        return replace(gone, why_missing=why)
    if kind.unit == "mm" and m.value < BONE_ON_BONE_MM:
        return replace(m, note=Line("bone_on_bone"))
    return m


def _doubted(m: Measurement, apart: float) -> Measurement:
    if m.confidence is None or apart <= AGREE_DEG:
        return m
    return replace(m, confidence=round(m.confidence * AGREE_DEG / apart, 3))


def difference(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Angle -> |landmarks - masks| in degrees, for angles with both values."""
    by = {(m.name, m.source): m.value for m in measurements if m.value is not None}
    return {
        n: abs(by[n, "landmarks"] - by[n, "masks"])
        for n, source in by
        if source == "landmarks" and (n, "masks") in by
    }


def _trust(name: str, bones: Mapping[str, BonePoints], found: Found, frame: FootFrame) -> float:
    """Confidence 0..1 of an angle from masks: a heuristic, not a probability."""
    trust = MASK_CONFIDENCE
    own = [(n, bones[n]) for n in ANGLE[name].bones if n in bones]
    for _, bone in own:
        trust *= bone.share
    whole = [bone.volume_ml / (2 * bone.least_ml) for _, bone in own]
    trust *= min(1.0, *whole) if whole else 1.0
    if name == "CPA" and frame.floor == "horizontal":
        trust *= ASSUMED_FLOOR
    if name in SHAFT_ANGLES:
        trust *= _shaft_share(*(found[n] for n in landmark_names(name)[:2]))
    return round(float(trust), 3)


def _shaft_share(top: Array | Line, low: Array | Line) -> float:
    """Share 0..1 of FULL_SHAFT_MM that the axis' two points span; 1 if a point is missing."""
    if isinstance(top, Line) or isinstance(low, Line):
        return 1.0
    return min(1.0, float(np.linalg.norm(top - low)) / FULL_SHAFT_MM)


def _measure(
    name: str,
    found: Mapping[str, Array | Line],
    frame: FootFrame,
    source: Source,
    confidence: float,
) -> Measurement:
    kind = ANGLE[name]
    points = [found.get(n, Line("point_not_sought", point=n)) for n in landmark_names(name)]
    note = None
    if name == "CPA":
        points, note = _with_floor(points, frame, source)
    missing = Measurement(name, kind.unit, source, plane=kind.plane)
    for point in points:
        if isinstance(point, Line):
            return replace(missing, why_missing=point)
    foot = np.stack([p for p in points if not isinstance(p, Line)])
    try:
        value = angle_deg(name, foot)
    except ValueError:
        return replace(missing, why_missing=Line("points_coincide"))
    vox = apply(np.linalg.inv(frame.to_foot), foot)
    used = vox[:2] if name == "CPA" else vox  # the floor's points have no fixed x
    return replace(
        missing,
        value=value,
        slice=max(0, round(float(used[:, kind.plane.axis].mean()))),
        confidence=confidence,
        points_vox=tuple((float(x), float(y), float(z)) for x, y, z in vox),
        note=note,
    )


def _with_floor(
    points: list[Array | Line], frame: FootFrame, source: Source
) -> tuple[list[Array | Line], Line | None]:
    """CPA's points and a note on their floor; missing floor points come from the frame's floor.

    The network's floor points lie at the heel and the metatarsal heads; those of the masks are
    projected to the frame's floor, of either kind.
    """
    back, front = points[:2]
    if not any(isinstance(p, Line) for p in points[2:]):
        return points, Line(f"floor_{'bones' if source == 'landmarks' else frame.floor}")
    if isinstance(back, Line) or isinstance(front, Line):
        return points, None
    start = np.array([back[0], back[1], 0.0])
    reach = abs(float(front[1] - back[1])) + BEYOND_MM
    return [back, front, start, start + np.array([0.0, reach, 0.0])], Line(f"floor_{frame.floor}")
