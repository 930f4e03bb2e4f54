"""Compare angles with a profile: the value used, its side of a cut-off, its range, its grade."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from footcli.decide.position import Position, excess, is_near, position
from footcli.decide.profile import CutOff, Profile
from footcli.domain import Measurement, Source
from footcli.kinds import AGREE_DEG, ANGLE, APART_DEG
from footcli.provenance import Range
from footcli.text.lines import Line, Value


class CutOffSide(Enum):
    """Position of a value relative to a cut-off; NEAR is within the guard band on either side.

    The order of the members is the order of the evidence.
    """

    BEYOND = "beyond"
    NEAR = "near"
    MISSING = "missing"
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class Angle:
    """The value of an angle that the rules use.

    value: in the angle's unit. source: landmarks, masks or both. why: the reasons if there is no
    value. differ: the line that states that landmarks and masks disagree, if they do.
    """

    name: str
    value: float | None = None
    source: str = ""
    why: tuple[Line, ...] = (Line("not_measured"),)
    differ: Line | None = None

    @property
    def unit(self) -> str:
        """deg, percent or mm."""
        return ANGLE[self.name].unit

    @property
    def missing(self) -> Line:
        """The line that states why there is no value."""
        return Line("angle_missing", angle=self.name, why=self.why)

    def line(self, code: str, **values: Value) -> Line:
        """A line about the value."""
        assert self.value is not None
        unit = Line(f"unit.{self.unit}")
        return Line(code, angle=self.name, value=self.value, unit=unit, **values)


@dataclass(frozen=True, slots=True)
class Angles:
    """The angles of one foot, judged by one profile."""

    by_name: Mapping[str, Angle]
    profile: Profile

    @classmethod
    def of(cls, measurements: Sequence[Measurement], profile: Profile) -> Angles:
        """The angles of a foot's measurements."""
        found = {}
        for name in dict.fromkeys(m.name for m in measurements):
            found[name] = _choose(name, [m for m in measurements if m.name == name])
        return cls(found, profile)

    def __getitem__(self, name: str) -> Angle:
        return self.by_name.get(name, Angle(name))

    def band(self, name: str) -> float:
        """The guard band of an angle, in its unit."""
        return self.profile.guard_band.get(name, 0.0)

    def compare(self, name: str, cutoff_name: str) -> tuple[CutOffSide, Line]:
        """The side of the profile's cut-off on which the angle lies, and the evidence.

        Raises KeyError if the profile has no such cut-off.
        """
        angle, cutoff = self[name], self.profile.cutoffs[name][cutoff_name]
        if angle.value is None:
            return CutOffSide.MISSING, angle.missing
        limit = {**_limit(cutoff), "source": Line(f"taken_from.{angle.source}")}
        band = self.band(name)
        if is_near(angle.value, cutoff.value, band):
            return CutOffSide.NEAR, angle.line("angle_near", band=band, **limit)
        if cutoff.reached(angle.value):
            return CutOffSide.BEYOND, angle.line("angle_beyond", **limit)
        return CutOffSide.SHORT, angle.line("angle_short", **limit)

    def beyond(self, name: str, cutoff_name: str) -> float | None:
        """Distance of the angle beyond the profile's cut-off, in guard bands; minus: short of it.

        None if the angle is not measured. Raises KeyError if the profile has no such cut-off.
        """
        value, cutoff = self[name].value, self.profile.cutoffs[name][cutoff_name]
        if value is None:
            return None
        apart = (value - cutoff.value) / (self.profile.guard_band.get(name) or 1.0)
        return apart if cutoff.op.startswith(">") else -apart

    def in_range(self, name: str) -> tuple[Position, Line]:
        """Position of the angle relative to the profile's range, and the evidence."""
        angle, limits = self[name], self.profile.shown.get(name)
        if angle.value is None:
            return Position.MISSING, angle.missing
        if limits is None:
            return Position.NO_RANGE, angle.line("angle_no_range")
        found = position(angle.value, limits.low, limits.high, self.band(name))
        stated: dict[str, Value] = {
            "range": _range_line(limits, angle.unit),
            "origin": limits.origins,
        }
        if found is Position.NEAR:
            return found, angle.line("angle_near_range", band=self.band(name), **stated)
        inside = found is Position.WITHIN
        return found, angle.line("angle_in_range" if inside else "angle_out_of_range", **stated)

    def is_beyond_range(self, name: str) -> bool:
        """Whether the angle lies outside its range, including within the guard band."""
        value, limits = self[name].value, self.profile.shown.get(name)
        return (
            value is not None and limits is not None and excess(value, limits.low, limits.high) > 0
        )

    def grade(self, finding: str) -> tuple[str | None, tuple[Line, ...]]:
        """The first grade in the profile's list, worst first, that a value reaches; and why."""
        for grade in self.profile.grades.get(finding, ()):
            angle = self[grade.angle]
            if angle.value is not None and grade.cutoff.reached(angle.value):
                word = Line(f"grade.{grade.name}")
                reason = angle.line("grade_reached", grade=word, **_limit(grade.cutoff))
                return grade.name, (reason,)
        return None, ()


def _limit(cutoff: CutOff) -> dict[str, Value]:
    return {"op": Line(f"op.{cutoff.word}"), "limit": cutoff.value, "origin": cutoff.origin}


def _range_line(limits: Range, unit: str) -> Line:
    word = Line(f"unit.{unit}")
    if limits.high is None:
        return Line("range_low", low=limits.low or 0.0, unit=word)
    if limits.low is None:
        return Line("range_high", high=limits.high, unit=word)
    return Line("range_both", low=limits.low, high=limits.high, unit=word)


def _choose(name: str, measured: Sequence[Measurement]) -> Angle:
    """The mean of the values from landmarks and from masks, or the only one.

    Their errors differ: over the full range of feet, their mean agrees with the truth at least as
    well as the better of the two (ICC; models/trials.md).
    """
    found: dict[Source, float] = {}
    for m in measured:
        if m.value is not None and math.isfinite(m.value):
            found.setdefault(m.source, m.value)
    if not found:
        reasons = [m.why_missing or Line("not_measured") for m in measured]
        return Angle(name, why=tuple(dict.fromkeys(reasons)))
    differ = _difference(name, found)
    if differ is not None and abs(found["landmarks"] - found["masks"]) > APART_DEG:
        return Angle(name, why=(differ,), differ=differ)
    source = "both" if len(found) > 1 else next(iter(found))
    mean = sum(found.values()) / len(found)
    return Angle(name, mean, source, differ=differ)


def _difference(name: str, found: Mapping[Source, float]) -> Line | None:
    """The line that states that landmarks and masks disagree; None if they agree."""
    if len(found) < 2:
        return None
    first, second = found["landmarks"], found["masks"]
    if abs(first - second) <= AGREE_DEG:
        return None
    return Line(
        "ways_differ",
        angle=name,
        apart=abs(first - second),
        unit=Line(f"unit.{ANGLE[name].unit}"),
        limit=APART_DEG if abs(first - second) > APART_DEG else AGREE_DEG,
        first=first,
        first_source=Line("taken_from.landmarks"),
        second=second,
        second_source=Line("taken_from.masks"),
    )
