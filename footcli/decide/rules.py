"""Evidence for a finding from its angles: all of them beyond the cut-off, or any one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from footcli.decide.compare import Angles, CutOffSide
from footcli.decide.position import excess
from footcli.decide.verdict import Verdict
from footcli.domain import Level
from footcli.kinds import BONE_ON_BONE_MM, FindingRule
from footcli.text.lines import Line

CLOSED_PLACES = 2  # of a joint, that are bone on bone
Sides = Mapping[str, CutOffSide]


def all_of(rule: FindingRule, angles: Angles) -> Verdict:
    """PRESENT if all angles of rule.all_of are beyond their cut-offs.

    One beyond and one short is a conflict, POSSIBLE. With one missing, the level is POSSIBLE if the
    other is beyond or near, else NOT_MEASURABLE.
    """
    by_angle, lines = _sides(rule, rule.all_of, angles)
    sides = set(by_angle.values())
    if sides == {CutOffSide.BEYOND}:
        return Verdict(Level.PRESENT, lines, rule.all_of)
    if sides <= {CutOffSide.MISSING, CutOffSide.SHORT}:
        missing = CutOffSide.MISSING in sides
        level = Level.NOT_MEASURABLE if missing else Level.NOT_SEEN
        return Verdict(level, lines, rule.all_of)
    if CutOffSide.MISSING in sides:
        needed = Line("angles_needed", finding=rule.word, angles=rule.all_of)
        return Verdict(Level.POSSIBLE, [*lines, needed], rule.all_of)
    if sides == {CutOffSide.NEAR, CutOffSide.SHORT}:
        # the angle that is clearly short rules the finding out
        return Verdict(Level.NOT_SEEN, lines, rule.all_of)
    if CutOffSide.SHORT in sides:
        against = [a for a, side in by_angle.items() if side is CutOffSide.SHORT]
        lines = [_conflict("conflict", rule, by_angle, against), *lines]
    return Verdict(Level.POSSIBLE, lines, rule.all_of)


def any_of(rule: FindingRule, angles: Angles) -> Verdict:
    """PRESENT if one angle is beyond its cut-off and none is beyond the opposite cut-off."""
    by_angle, lines = _sides(rule, rule.any_of, angles)
    sides = set(by_angle.values())
    if CutOffSide.BEYOND in sides:
        against = _opposed(rule, angles)
        if not against:
            return Verdict(Level.PRESENT, lines, rule.any_of)
        lines = [_conflict("conflict.opposite", rule, by_angle, against), *lines]
        return Verdict(Level.POSSIBLE, lines, rule.any_of)
    if CutOffSide.NEAR in sides:
        return Verdict(Level.POSSIBLE, lines, rule.any_of)
    missing = CutOffSide.MISSING in sides
    return Verdict(Level.NOT_MEASURABLE if missing else Level.NOT_SEEN, lines, rule.any_of)


def is_measured(rule: FindingRule, angles: Angles) -> bool:
    """Whether at least one angle of rule.any_of has a value."""
    return any(angles[name].value is not None for name in rule.any_of)


def beyond_range(names: Sequence[str], angles: Angles) -> list[Line]:
    """Evidence lines of the angles that lie outside their range by the guard band or more."""
    lines = []
    for name in names:
        value, limits = angles[name].value, angles.profile.shown.get(name)
        if value is None or limits is None:
            continue
        over = excess(value, limits.low, limits.high)
        if over > 0 and over >= angles.band(name):
            lines.append(angles.in_range(name)[1])
    return lines


def closed(names: Sequence[str], angles: Angles) -> list[Line]:
    """Evidence of a joint that is closed: two of its widths, or more, are bone on bone."""
    found = [n for n in names if (v := angles[n].value) is not None and v < BONE_ON_BONE_MM]
    return [Line("joint_closed", places=tuple(found))] if len(found) >= CLOSED_PLACES else []


def supporting(rule: FindingRule, angles: Angles) -> list[Line]:
    """A line for each angle of rule.supports that lies beyond the finding's cut-off."""
    lines = []
    for name in rule.supports:
        if rule.cutoff not in angles.profile.cutoffs.get(name, {}):
            continue
        side, line = angles.compare(name, rule.cutoff)
        if side is CutOffSide.BEYOND:
            lines.append(Line("supporting", line=line))
    return lines


def _sides(
    rule: FindingRule, wanted: Sequence[str], angles: Angles
) -> tuple[dict[str, CutOffSide], list[Line]]:
    """Angle -> its side, and the evidence in the order of CutOffSide, worst first."""
    compared = {name: angles.compare(name, rule.cutoff) for name in wanted}
    order = list(CutOffSide)
    ranked = sorted(compared.values(), key=lambda pair: order.index(pair[0]))
    return {name: side for name, (side, _) in compared.items()}, [line for _, line in ranked]


def _opposed(rule: FindingRule, angles: Angles) -> list[str]:
    """The angles that lie beyond the opposite cut-off."""
    if not rule.opposite:
        return []
    sides = {name: angles.compare(name, rule.opposite)[0] for name in rule.any_of}
    return [name for name, side in sides.items() if side is CutOffSide.BEYOND]


def _conflict(code: str, rule: FindingRule, by_angle: Sides, against: Sequence[str]) -> Line:
    beyond = tuple(a for a, side in by_angle.items() if side is CutOffSide.BEYOND)
    return Line(code, beyond=beyond, finding=rule.word, against=tuple(against))
