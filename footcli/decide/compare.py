"""An angle against a profile: which of its values counts, on which side of a cut-off it lies, the
report's range, the grade.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from footcli.decide.profile import CutOff, Profile
from footcli.domain import Level, Measurement
from footcli.names import AGREE_DEG


class Side(Enum):
    """Where a value lies with regard to a cut-off; NEAR is within the guard band on either side."""

    BEYOND = "beyond"
    NEAR = "near"
    MISSING = "missing"
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class Angle:
    """An angle as the rules see it. source: where the value is from.

    gap: the line to print where landmarks and masks disagree.
    """

    name: str
    value: float | None = None
    unit: str = "deg"
    source: str = ""
    why: str = "not measured"
    gap: str | None = None

    @property
    def text(self) -> str:
        if self.value is None:
            return f"{self.name} not measurable: {self.why}"
        return f"{self.name} {self.value:.1f} {self.unit}"


@dataclass(frozen=True, slots=True)
class Angles:
    """The angles of one foot, judged by one profile."""

    by_name: Mapping[str, Angle]
    profile: Profile

    @classmethod
    def of(cls, measurements: Sequence[Measurement], profile: Profile) -> Angles:
        names = dict.fromkeys(m.name for m in measurements)
        return cls(
            {name: _choose(name, [m for m in measurements if m.name == name]) for name in names},
            profile,
        )

    def __getitem__(self, name: str) -> Angle:
        return self.by_name.get(name, Angle(name))

    def compare(self, name: str, cutoff_name: str) -> tuple[Side, str]:
        """The side of the profile's cut-off that the angle lies on, and the evidence line."""
        angle, cutoff = self[name], self.profile.cutoffs[name][cutoff_name]
        if angle.value is None:
            return Side.MISSING, angle.text
        limit, band = (
            f"{_limit(cutoff, angle)} ({cutoff.origin}), from the {angle.source}",
            self.profile.guard_band.get(name, 0.0),
        )
        if abs(angle.value - cutoff.value) < band:
            return (
                Side.NEAR,
                f"{angle.text}, borderline: within {band:g} {angle.unit} of the cut-off, {limit}",
            )
        if cutoff.reached(angle.value):
            return Side.BEYOND, f"{angle.text}, {limit}"
        return Side.SHORT, f"{angle.text}, not {limit}"

    def beyond(self, name: str, cutoff_name: str) -> float | None:
        """How far beyond the profile's cut-off the angle lies, in guard bands; minus: short of it.
        None: not measured.
        """
        value, cutoff = self[name].value, self.profile.cutoffs[name][cutoff_name]
        if value is None:
            return None
        apart = (value - cutoff.value) / (self.profile.guard_band.get(name) or 1.0)
        return apart if cutoff.op.startswith(">") else -apart

    def in_range(self, name: str) -> tuple[Level, str]:
        """PRESENT: outside the profile's range by the guard band or more; BORDERLINE: by less;
        NOT_SEEN: inside, or there is no range.
        """
        angle, limits = self[name], self.profile.shown.get(name)
        if angle.value is None:
            return Level.NOT_MEASURABLE, angle.text
        if limits is None:
            return Level.NOT_SEEN, f"{angle.text}, no normal range"
        low = -math.inf if limits["low"] is None else limits["low"]
        high = math.inf if limits["high"] is None else limits["high"]
        words = " and ".join(
            f"{word} {end:g}"
            for word, end in (("at least", low), ("at most", high))
            if math.isfinite(end)
        )
        tail = f"the normal range, {words} {angle.unit} ({limits['source']})"
        excess = max(low - angle.value, angle.value - high)
        if excess <= 0:
            return Level.NOT_SEEN, f"{angle.text}, within {tail}"
        level = (
            Level.PRESENT if excess >= self.profile.guard_band.get(name, 0.0) else Level.BORDERLINE
        )
        return level, f"{angle.text}, outside {tail}"

    def grade(self, finding: str) -> tuple[str | None, list[str]]:
        """The first grade of the profile's list, worst first, that a measured value reaches, and
        the line that says so.
        """
        for grade in self.profile.grades.get(finding, ()):
            angle = self[grade.angle]
            if angle.value is not None and grade.cutoff.reached(angle.value):
                return grade.name, [
                    f"grade {grade.name}: {angle.text}, {_limit(grade.cutoff, angle)} "
                    f"({grade.cutoff.origin})"
                ]
        return None, []


def _limit(cutoff: CutOff, angle: Angle) -> str:
    return f"{cutoff.words} {angle.unit}"


def _choose(name: str, measured: Sequence[Measurement]) -> Angle:
    """The mean of the landmarks' value and the masks', or the one there is; all reasons where there
    is none.

    The two err apart: on feet of the whole range their mean agrees with the truth as well as the
    better one, or better (ICC; README).
    """
    found: dict[str, tuple[float, str]] = {}
    for m in measured:
        if m.value is not None and math.isfinite(m.value):
            found.setdefault(m.source, (m.value, m.unit))
    if not found:
        return Angle(
            name, why="; ".join(dict.fromkeys(m.why_missing or "no value" for m in measured))
        )
    values = [value for value, _ in found.values()]
    unit = next(iter(found.values()))[1]
    apart = max(values) - min(values)
    gap = None
    if apart > AGREE_DEG:
        each = ", ".join(f"{v:.1f} from the {way}" for way, (v, _) in sorted(found.items()))
        gap = (
            f"the two ways to {name} differ by {apart:.1f} {unit} (more than {AGREE_DEG:g}): {each}"
        )
    return Angle(name, sum(values) / len(values), unit, " and the ".join(sorted(found)), gap=gap)
