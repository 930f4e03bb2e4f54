"""Decide the findings of one foot from measurements and boxes, by the profile's cut-offs.

A finding states what the values are consistent with; the reader makes the diagnosis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from footcli.dataset.clinical import ADULT_YEARS
from footcli.decide import boxes, rules
from footcli.decide.certainty import Certainty
from footcli.decide.compare import Angles
from footcli.decide.position import Position
from footcli.decide.profile import Profile
from footcli.decide.verdict import RAISED, RANK, Verdict
from footcli.domain import Finding, Lesion, Level, Measurement
from footcli.kinds import ANGLES, ARCH, FINDING, FINDINGS, LESION, FindingRule
from footcli.text.lines import Line


def decide(
    measurements: Sequence[Measurement],
    lesions: Sequence[Lesion],
    profile: Profile,
    *,
    age_years: float | None,
    lesion_not_assessable: Mapping[str, Line] | None = None,
    certainty: Certainty | None = None,
) -> tuple[Finding, ...]:
    """One Finding of one foot for each of kinds.FINDINGS, in that order.

    A value within the guard band of its cut-off makes a finding POSSIBLE. An angle without a value
    never counts as normal. If landmarks and masks disagree, PRESENT becomes POSSIBLE. Adult grades
    are given from ADULT_YEARS.

    certainty: what limits the levels; None for nothing. age_years: None if unknown.
    lesion_not_assessable: lesion name -> why it could not be searched. Raises ValueError for a key
    that is not a lesion name.
    """
    unseen = dict(lesion_not_assessable or {})
    if strange := sorted(unseen.keys() - LESION.keys()):
        raise ValueError(f"{strange[0]!r} is no lesion name: use one of {', '.join(LESION)}")
    angles = Angles.of(measurements, profile)
    judge = _Judge(angles, lesions, unseen, certainty or Certainty(), _age_line(age_years))
    findings = tuple(judge.finding(rule) for rule in FINDINGS if rule.name != "normal")
    return (*findings, judge.normal(findings))


class _Judge:
    """The inputs and rules for the findings of one foot."""

    def __init__(
        self,
        angles: Angles,
        lesions: Sequence[Lesion],
        unseen: Mapping[str, Line],
        certain: Certainty,
        child: Line | None,
    ) -> None:
        self.angles = angles
        self.lesions = lesions
        self.unseen = unseen
        self.certain = certain
        self.child = child

    def finding(self, rule: FindingRule) -> Finding:
        """One finding with its evidence and its grade."""
        verdict = self._verdict(rule)
        level = verdict.level
        differ = [line for a in verdict.angles if (line := self.angles[a].differ) is not None]
        if differ and level is Level.PRESENT:
            level = Level.POSSIBLE
        lines = [*verdict.lines, *differ, *self._beside(rule, level)]
        if level in RAISED and (limits := self._limits(rule, verdict)):
            level = Level.POSSIBLE
            lines += limits
        grade = None
        if level in RAISED:
            grade, reasons = self._grade(rule, level, bool(verdict.angles))
            lines += reasons
            if rule.name in self.angles.profile.caveats:
                lines.append(self.angles.profile.caveats[rule.name])
        return Finding(rule.name, level, tuple(dict.fromkeys(lines)), grade)

    def _limits(self, rule: FindingRule, verdict: Verdict) -> list[Line]:
        """Why the finding cannot be PRESENT."""
        lines = list(self.certain.limits)
        if rule.needs_load:
            lines += self.certain.arch_limits
        if rule.lesion is not None and not verdict.angles:
            lines += self.certain.box_limits
            if rule.lesion in self.certain.unchecked:
                lines.append(Line("box_unchecked"))
        return lines

    def _verdict(self, rule: FindingRule) -> Verdict:
        """The level from the finding's angles, from its boxes, or the higher of both."""
        if rule.all_of:
            return rules.all_of(rule, self.angles)
        if rule.lesion is None:
            return rules.any_of(rule, self.angles)
        found = boxes.by_boxes(rule, self.lesions, self.unseen)
        if rule.narrow:
            return self._with_joint_space(rule, found)
        if not rules.is_measured(rule, self.angles):
            return found
        angled = rules.any_of(rule, self.angles)
        first, second = angled, found
        if RANK.index(found.level) > RANK.index(angled.level):
            first, second = found, angled
        return Verdict(first.level, [*first.lines, *second.lines], first.angles)

    def _with_joint_space(self, rule: FindingRule, found: Verdict) -> Verdict:
        """A narrow joint raises POSSIBLE to PRESENT; if also tilted, or where bone lies on bone,
        NOT_SEEN to POSSIBLE.
        """
        narrow = rules.beyond_range(rule.narrow, self.angles)
        tilted = rules.beyond_range(rule.tilted, self.angles)
        if found.level is Level.POSSIBLE and narrow:
            return Verdict(Level.PRESENT, [*found.lines, *narrow])
        closed = rules.closed(rule.closed, self.angles)
        if found.level is Level.NOT_SEEN and closed:
            return Verdict(Level.POSSIBLE, [*closed, *found.lines])
        if found.level is Level.NOT_SEEN and narrow and tilted:
            return Verdict(Level.POSSIBLE, [*narrow, *tilted, *found.lines])
        return found

    def _beside(self, rule: FindingRule, level: Level) -> list[Line]:
        """Evidence that never changes a level: other angles, and boxes of the arch."""
        lines = []
        if rule.lesion is None:
            for lesion in boxes.found(ARCH, self.lesions):
                box = boxes.box_line(lesion)
                lines.append(Line("box_supports", box=box, finding=rule.word))
        if level in RAISED:
            lines += rules.supporting(rule, self.angles)
        beyond = rules.beyond_range(rule.beside, self.angles)
        return lines + [Line("beside", line=line) for line in beyond]

    def _grade(
        self, rule: FindingRule, level: Level, by_angles: bool
    ) -> tuple[str | None, tuple[Line, ...]]:
        """The grade of a finding that is PRESENT, or why no adult grade can be given."""
        grade, reasons = self.angles.grade(rule.name)
        if self.child is not None and (by_angles or grade):
            return None, (self.child,)
        return (grade, reasons) if level is Level.PRESENT else (None, ())

    def normal(self, findings: Sequence[Finding]) -> Finding:
        """`normal`: PRESENT only if everything was assessed and nothing is abnormal.

        Its evidence is what is abnormal, else what could not be assessed, else what was checked.
        """
        raised = [f for f in findings if f.level in RAISED]
        if raised:
            return Finding("normal", Level.NOT_SEEN, tuple(map(_level_line, raised)))
        blind = self._blind(findings)
        if blind:
            return Finding("normal", Level.NOT_MEASURABLE, tuple(blind))
        level, lines = self._remarks()
        if not lines:
            words = tuple(FINDING[f.name].word for f in findings)
            checked = [self.angles.in_range(kind.name)[1] for kind in ANGLES]
            lines = [Line("all_clear", findings=words), *checked]
        if self.certain.is_limited and level is Level.PRESENT:
            level = Level.POSSIBLE
        said = [*self.certain.lines, *([] if self.child is None else [self.child])]
        return Finding("normal", level, tuple(dict.fromkeys([*lines, *said])))

    def _blind(self, findings: Sequence[Finding]) -> list[Line]:
        """Lines for the findings that could not be assessed and the angles without a value."""
        lines = []
        for f in findings:
            if f.level is Level.NOT_MEASURABLE:
                word = FINDING[f.name].word
                lines.append(Line("finding_blind", finding=word, why=f.evidence[0]))
        every = [self.angles[kind.name] for kind in ANGLES]
        return lines + [angle.missing for angle in every if angle.value is None]

    def _remarks(self) -> tuple[Level, list[Line]]:
        """The level of `normal`, and the abnormalities that are not findings, worst first."""
        names = [kind.name for kind in ANGLES]
        clear = rules.beyond_range(names, self.angles)
        slight = []
        for name in names:
            found, near = self.angles.in_range(name)
            if found is Position.NEAR and self.angles.is_beyond_range(name):
                slight.append(near)
        differ = [line for name in names if (line := self.angles[name].differ) is not None]
        arches = boxes.found(ARCH, self.lesions)
        arch = [Line("box_without_angle", box=boxes.box_line(lesion)) for lesion in arches]
        lines = [*clear, *slight, *differ, *arch]
        if clear:
            return Level.NOT_SEEN, lines
        return Level.POSSIBLE if lines else Level.PRESENT, lines


def _level_line(f: Finding) -> Line:
    level = Line(f"level.{f.level.value}")
    return Line("finding_level", finding=FINDING[f.name].word, level=level)


def _age_line(age_years: float | None) -> Line | None:
    """The line that states why an adult grade cannot be given; None for an adult."""
    if age_years is None or not math.isfinite(age_years):
        return Line("age_unknown")
    return Line("age_below", years=ADULT_YEARS) if age_years < ADULT_YEARS else None
