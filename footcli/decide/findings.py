"""Measurements and boxes -> findings, by the profile's cut-offs.

Says what values are consistent with; a reader decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from footcli.dataset.clinical import ADULT_YEARS
from footcli.decide.compare import Angles, Side
from footcli.decide.profile import Profile
from footcli.domain import Finding, Lesion, Level, Measurement, Plane
from footcli.levels import REPORTED, SUSPICIOUS
from footcli.names import ANGLES, ARCH, FINDINGS, LESIONS, lesion_name

SURE = REPORTED["lesions"]  # a box with this score or more is a finding
MIN_SLICES = {
    "OLT": 2
}  # consecutive slices that a box must span to count, where that is more than one

# Finding -> the angles that must reach the cut-off: all of them together, or any one of them.
_ALL_OF = {"flat_foot": ("TMA", "CPA")}
_ANY_OF = {"cavus_foot": ("TMA", "CPA"), "hallux_valgus": ("HVA",)}
_CUTOFF = {
    "flat_foot": "flat",
    "cavus_foot": "cavus",
    "hallux_valgus": "valgus",
}  # its name in the profile
_OPPOSITE = {"cavus_foot": "flat"}
# Angles that get a line beside a finding and never change its level: beyond the same cut-off, or
# outside the profile's range.
_SUPPORT = {
    "flat_foot": ("TCA", "TCA_AP", "HAA", "FAO"),
    "cavus_foot": ("HAA", "TCA_AP", "TCA"),
    "hallux_valgus": ("IMA",),
}
_BESIDE = {"ankle_arthritis": ("JSW_M", "JSW_C", "JSW_L", "TT", "MTASA")}
_NARROW, _TILTED = ("JSW_M", "JSW_L"), ("TT",)  # what goes with the box of ankle arthritis
_BOX = {
    "hallux_valgus": "Hallux Valgus",
    "ankle_arthritis": "Ankle Arthritis",
    "olt": "OLT",
    "accessory_navicular": "Accessory Navicular",
    "tarsal_coalition": "Tarsal Coalition",
}
_TITLE = {term.name: term.en for term in FINDINGS}
_PLANE_WORD = {Plane.AXL: "axial", Plane.COR: "coronal", Plane.SAG: "sagittal"}
_RAISED = (Level.PRESENT, Level.BORDERLINE)
_RANK = (Level.NOT_MEASURABLE, Level.NOT_SEEN, Level.BORDERLINE, Level.PRESENT)


@dataclass(slots=True)
class _Verdict:
    """A finding in the making. angles: those that the level rests on."""

    level: Level
    lines: list[str] = field(default_factory=list)
    angles: tuple[str, ...] = ()


def decide(
    measurements: Sequence[Measurement],
    lesions: Sequence[Lesion],
    profile: Profile,
    *,
    age_years: float | None,
    lesion_not_assessable: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """One Finding for each of names.FINDINGS, in that order, of one foot.

    A value within the guard band of its cut-off is BORDERLINE; an angle without a value is never
    taken for normal; landmarks and masks that disagree make PRESENT BORDERLINE; adult grades are
    given from 18 years on. lesion_not_assessable: lesion name -> why boxes of it could not be
    looked for ("the toes are outside the field of view"). Raises ValueError for a key there that is
    no lesion name.
    """
    unseen = dict(lesion_not_assessable or {})
    if strange := set(unseen) - {term.name for term in LESIONS}:
        raise ValueError(
            f"{sorted(strange)[0]!r} is no lesion name: use one of "
            f"{', '.join(term.name for term in LESIONS)}"
        )
    angles = Angles.of(measurements, profile)
    findings = tuple(
        _finding(term.name, angles, lesions, age_years, unseen)
        for term in FINDINGS
        if term.name != "normal"
    )
    return (*findings, _normal(findings, angles, lesions, age_years))


def arch_by_angles(
    lesions: Sequence[Lesion], measurements: Sequence[Measurement], profile: Profile
) -> tuple[Lesion, ...]:
    """The lesions, with boxes of the arch scored by the angles that make a foot flat or cavus: how
    far they lie beyond a cut-off.

    As for the findings: both of them for a flat foot, any one for a cavus foot; a box is sure where
    they lie beyond by the guard band. For models whose entry says so (ModelSpec.by_angles): the
    shipped one sees the arch and hardly its degrees (numbers: its card). Where one of two that must
    both lie beyond is not measured, the other makes a box worth a look at most; where both are not,
    it stays.
    """
    angles = Angles.of(measurements, profile)
    flat, cavus = (
        [angles.beyond(a, _CUTOFF[name]) for a in wanted[name]]
        for wanted, name in ((_ALL_OF, "flat_foot"), (_ANY_OF, "cavus_foot"))
    )
    least = [
        0.0 if gap is None else gap for gap in flat
    ]  # one that is missing may lie at its cut-off
    known = [gap for gap in cavus if gap is not None]
    arches, others = (
        [x for x in lesions if (lesion_name(x.label) == ARCH) is arch] for arch in (True, False)
    )
    if known and arches:  # a foot has one arch: the network's best box
        score = 1 / (1 + math.exp((1 - max(min(least), *known)) / 2))
        arches = [replace(max(arches, key=lambda x: x.score), score=score)]
    return tuple(sorted((*arches, *others), key=lambda x: -x.score))


def _finding(
    name: str,
    angles: Angles,
    lesions: Sequence[Lesion],
    age_years: float | None,
    unseen: Mapping[str, str],
) -> Finding:
    verdict = _verdict(name, angles, lesions, unseen)
    gaps = [gap for a in verdict.angles if (gap := angles[a].gap)]
    if gaps and verdict.level is Level.PRESENT:
        verdict.level = Level.BORDERLINE
    lines = [*verdict.lines, *gaps, *_beside(name, verdict, angles, lesions)]
    grade = None
    if verdict.level in _RAISED:
        child = _age_line(age_years)
        reached, reason = angles.grade(name)
        if child and (verdict.angles or reached):
            lines.append(child)
        elif verdict.level is Level.PRESENT:
            grade = reached
            lines += reason
        if name in angles.profile.caveats:
            lines.append(f"note: {angles.profile.caveats[name]}")
    return Finding(name, verdict.level, tuple(dict.fromkeys(lines)), grade)


def _verdict(
    name: str, angles: Angles, lesions: Sequence[Lesion], unseen: Mapping[str, str]
) -> _Verdict:
    """The level from the finding's angles, its boxes, or the stronger of both."""
    if name in _ALL_OF:
        return _all_of(name, angles)
    if name not in _BOX:
        return _any_of(name, angles)
    boxes = _boxes(name, lesions, unseen)
    if name == "ankle_arthritis":
        return _with_joint_space(boxes, angles)
    if all(angles[a].value is None for a in _ANY_OF.get(name, ())):
        return boxes
    pair = sorted((_any_of(name, angles), boxes), key=lambda v: -_RANK.index(v.level))
    return _Verdict(pair[0].level, [*pair[0].lines, *pair[1].lines], pair[0].angles)


def _with_joint_space(boxes: _Verdict, angles: Angles) -> _Verdict:
    """A narrow ankle joint makes a suspicious box sure; narrow and tilted, it is worth a look
    without any box.
    """
    narrow, tilted = (
        [line for level, line in map(angles.in_range, wanted) if level is Level.PRESENT]
        for wanted in (_NARROW, _TILTED)
    )
    if boxes.level is Level.BORDERLINE and narrow:
        return _Verdict(Level.PRESENT, [*boxes.lines, *narrow])
    if boxes.level is Level.NOT_SEEN and narrow and tilted:
        return _Verdict(Level.BORDERLINE, [*narrow, *tilted, *boxes.lines])
    return boxes


def _sides(name: str, wanted: Sequence[str], angles: Angles) -> tuple[dict[str, Side], list[str]]:
    """Each angle's side, and the lines in the order of Side, worst first."""
    compared = {angle: angles.compare(angle, _CUTOFF[name]) for angle in wanted}
    order = list(Side)
    lines = [line for _, line in sorted(compared.values(), key=lambda pair: order.index(pair[0]))]
    return {angle: side for angle, (side, _) in compared.items()}, lines


def _all_of(name: str, angles: Angles) -> _Verdict:
    """PRESENT where all angles are beyond their cut-offs.

    A lone one is a conflict; a missing one leaves the matter open.
    """
    wanted = _ALL_OF[name]
    by_angle, lines = _sides(name, wanted, angles)
    sides = set(by_angle.values())
    level = Level.BORDERLINE
    if sides == {Side.BEYOND}:
        level = Level.PRESENT
    elif sides <= {Side.MISSING, Side.SHORT}:
        level = Level.NOT_MEASURABLE if Side.MISSING in sides else Level.NOT_SEEN
    elif Side.MISSING in sides:
        lines.append(f"borderline at most: {_TITLE[name]} takes {' and '.join(wanted)} together")
    elif sides == {Side.NEAR, Side.SHORT}:
        level = (
            Level.NOT_SEEN
        )  # the one that is clearly short rules it out, whatever the other would be
    elif Side.SHORT in sides:
        lines.insert(
            0,
            _conflict(
                name, by_angle, [a for a, side in by_angle.items() if side is Side.SHORT], "is not"
            ),
        )
    return _Verdict(level, lines, wanted)


def _any_of(name: str, angles: Angles) -> _Verdict:
    """PRESENT where one angle is beyond its cut-off and none of the others says the opposite."""
    wanted = _ANY_OF[name]
    by_angle, lines = _sides(name, wanted, angles)
    sides = set(by_angle.values())
    level = Level.NOT_SEEN
    if Side.BEYOND in sides:
        against = [
            a
            for a in wanted
            if name in _OPPOSITE and angles.compare(a, _OPPOSITE[name])[0] is Side.BEYOND
        ]
        level = Level.BORDERLINE if against else Level.PRESENT
        if against:
            lines.insert(0, _conflict(name, by_angle, against, "with the opposite"))
    elif Side.NEAR in sides:
        level = Level.BORDERLINE
    elif Side.MISSING in sides:
        level = Level.NOT_MEASURABLE
    return _Verdict(level, lines, wanted)


def _conflict(name: str, by_angle: Mapping[str, Side], against: Sequence[str], how: str) -> str:
    beyond = [a for a, side in by_angle.items() if side is Side.BEYOND]
    return (
        f"conflict: {' and '.join(beyond)} is consistent with {_TITLE[name]}, "
        f"{' and '.join(against)} {how}"
    )


def _found(label: str, lesions: Sequence[Lesion]) -> list[Lesion]:
    """Boxes of the label that are worth a look, best first."""
    return sorted(
        (x for x in lesions if lesion_name(x.label) == label and x.score >= SUSPICIOUS),
        key=lambda x: -x.score,
    )


def _box_line(lesion: Lesion) -> str:
    first, last = lesion.slices
    where = f"slice {first}" if first == last else f"slices {first}-{last}"
    return f"box {lesion.label}, score {lesion.score:.2f}, {_PLANE_WORD[lesion.plane]} {where}"


def _boxes(name: str, lesions: Sequence[Lesion], unseen: Mapping[str, str]) -> _Verdict:
    """PRESENT from a sure box, BORDERLINE from a suspicious one; a box wins over the reason why
    none could be looked for.
    """
    label = _BOX[name]
    least = MIN_SLICES.get(label, 1)
    found = _found(label, lesions)
    counted = [x for x in found if x.slices[1] - x.slices[0] + 1 >= least]
    lines = [f"{_box_line(x)}: consistent with {_TITLE[name]}" for x in counted]
    lines += [
        f"{_box_line(x)}: not counted, it takes {least} consecutive slices"
        for x in found
        if x not in counted
    ]
    if counted:
        return _Verdict(Level.PRESENT if counted[0].score >= SURE else Level.BORDERLINE, lines)
    if label in unseen:
        return _Verdict(Level.NOT_MEASURABLE, [f"not assessable: {unseen[label]}", *lines])
    return _Verdict(
        Level.NOT_SEEN, lines or [f"no box {label} with a score of {SUSPICIOUS:g} or more"]
    )


def _beside(name: str, verdict: _Verdict, angles: Angles, lesions: Sequence[Lesion]) -> list[str]:
    """Lines that never change a level: other angles, and the box of flat and cavus feet."""
    lines = []
    if name not in _BOX:
        lines += [
            f"{_box_line(x)}: supports {_TITLE[name]} only beside the angles"
            for x in _found(ARCH, lesions)
        ]
    if verdict.level in _RAISED and name in _CUTOFF:
        key = _CUTOFF[name]
        compared = [
            angles.compare(a, key)
            for a in _SUPPORT.get(name, ())
            if key in angles.profile.cutoffs.get(a, {})
        ]
        lines += [f"supporting: {line}" for side, line in compared if side is Side.BEYOND]
    outside = [angles.in_range(a) for a in _BESIDE.get(name, ())]
    return lines + [f"beside it: {line}" for level, line in outside if level is Level.PRESENT]


def _age_line(age_years: float | None) -> str | None:
    """Why an adult grade cannot be given; None for an adult."""
    if age_years is None or not math.isfinite(age_years):
        return "age unknown: cut-offs are for adults, no grade given"
    return (
        f"age below {ADULT_YEARS:g}: cut-offs are for adults, no grade given"
        if age_years < ADULT_YEARS
        else None
    )


def _normal(
    findings: Sequence[Finding], angles: Angles, lesions: Sequence[Lesion], age_years: float | None
) -> Finding:
    """PRESENT only where all was looked at and nothing stands out.

    evidence: what stands out, or what was not seen, or what was.
    """
    raised = [f for f in findings if f.level in _RAISED]
    if raised:
        return Finding(
            "normal", Level.NOT_SEEN, tuple(f"{_TITLE[f.name]}: {f.level.value}" for f in raised)
        )
    blind = [
        f"{_TITLE[f.name]} not measurable: {f.evidence[0]}"
        for f in findings
        if f.level is Level.NOT_MEASURABLE
    ]
    blind += [angles[a.name].text for a in ANGLES if angles[a.name].value is None]
    if blind:
        return Finding("normal", Level.NOT_MEASURABLE, tuple(blind))
    checks = [angles.in_range(a.name) for a in ANGLES]
    lines = [
        line
        for wanted in (Level.PRESENT, Level.BORDERLINE)
        for level, line in checks
        if level is wanted
    ]
    lines += [gap for a in ANGLES if (gap := angles[a.name].gap)]
    lines += [f"{_box_line(x)}: no angle is beyond its cut-off" for x in _found(ARCH, lesions)]
    level = Level.BORDERLINE if lines else Level.PRESENT
    if any(found is Level.PRESENT for found, _ in checks):
        level = Level.NOT_SEEN
    if level is Level.PRESENT:
        lines = [
            "no abnormality detected by this tool among: "
            f"{', '.join(_TITLE[f.name] for f in findings)}",
            *(x for _, x in checks),
        ]
    return Finding("normal", level, (*lines, *filter(None, [_age_line(age_years)])))
