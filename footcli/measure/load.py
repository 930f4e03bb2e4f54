"""Whether the foot carries load, as far as its pose shows: a foot that hangs does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from footcli.domain import Measurement
from footcli.frame.foot_check import Fit
from footcli.geometry import Array
from footcli.kinds import ANGLE, landmark_names
from footcli.measure.bone_points import Found
from footcli.text.lines import Line

HANGS_DEG = 15.0  # a foot that stands is plantar flexed by less
NO_FLOOR_DEG = 25.0  # beyond this no angle to the floor means anything


@dataclass(frozen=True, slots=True)
class Load:
    """loaded: None if unknown. pose: why the pose excludes load. floor: whether angles to the floor
    can be measured at all.
    """

    loaded: bool | None
    pose: Line | None = None
    floor: bool = True


def load_of(stated: bool | None, pose: Pose) -> Load:
    """Combine what the files or the user state (None: nothing) with the pose.

    The pose overrides the statement: a foot plantar flexed by more than HANGS_DEG does not stand,
    nor one whose sole is tilted as much (NO_FLOOR_DEG if a leg shows the flexion, which a cut
    forefoot changes less). Drawn feet that stand are flexed by -13 to 6 degrees and tilted by at
    most 7, a real one with a cut forefoot by 13; hanging by 40 degrees 24 to 41, tilted 32 to 41.
    """
    flexion, tilt = pose.flexion_deg, pose.tilt_deg or 0.0
    hangs = flexion is not None and flexion > HANGS_DEG
    tilted = tilt > (HANGS_DEG if flexion is None else NO_FLOOR_DEG)
    if tilted and tilt > (flexion or 0.0):
        return Load(False, Line("not_standing.tilted", angle=tilt), floor=tilt <= NO_FLOOR_DEG)
    if hangs and flexion is not None:
        return Load(False, Line("not_standing", angle=flexion), floor=flexion <= NO_FLOOR_DEG)
    return Load(stated)


@dataclass(frozen=True, slots=True)
class Pose:
    """How the foot stands to the leg and to the scan, degrees.

    flexion_deg: plantar flexion; None without a tibial axis. tilt_deg: of the sole against the
    scan's axial plane; None if the scan's orientation is unknown.
    """

    flexion_deg: float | None
    tilt_deg: float | None


def pose_of(found: Found, to_foot: Array, affine: Array, fit: Fit, orientation_known: bool) -> Pose:
    """The pose of a foot by the mean foot that is fitted to its bones.

    found: landmarks from the masks, foot frame; to_foot, affine: (4, 4) voxel -> foot frame, LPS.
    """
    tilt = math.degrees(math.acos(min(abs(float(fit.axes[2, 2])), 1.0)))
    upper, lower = (found[name] for name in landmark_names("HAA")[:2])
    flexion = None
    if not isinstance(upper, Line) and not isinstance(lower, Line):
        to_lps = affine[:3, :3] @ np.linalg.inv(to_foot[:3, :3])
        _, forward, up = fit.axes @ (to_lps @ (upper - lower))
        flexion = math.degrees(math.atan2(-forward, up))
    return Pose(flexion if fit.firm else None, tilt if orientation_known and fit.firm else None)


def with_load(values: Sequence[Measurement], load: Load) -> tuple[Measurement, ...]:
    """The measurements; angles to the floor marked, or absent, if the foot carries no load."""
    return tuple(_judged(m, load) for m in values)


def _judged(m: Measurement, load: Load) -> Measurement:
    if m.value is None or load.loaded is not False or not ANGLE[m.name].to_floor:
        return m
    if load.floor or load.pose is None:
        return replace(m, note=m.note or Line("unloaded"))
    return Measurement(m.name, m.unit, m.source, plane=m.plane, why_missing=load.pose)
