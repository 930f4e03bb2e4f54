"""What the boxes of lesions say for a finding."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from footcli.decide.compare import Angles
from footcli.decide.profile import Profile
from footcli.decide.verdict import Verdict
from footcli.domain import Lesion, Level, Measurement
from footcli.kinds import ARCH, FINDING, LESION, FindingRule
from footcli.levels import SURE, SUSPICIOUS
from footcli.names import lesion_name
from footcli.text.lines import Line


def found(label: str, lesions: Sequence[Lesion]) -> list[Lesion]:
    """Boxes of a kind of lesion from SUSPICIOUS on, best first."""
    own = [x for x in lesions if lesion_name(x.label) == label and x.score >= SUSPICIOUS]
    return sorted(own, key=lambda x: -x.score)


def box_line(lesion: Lesion) -> Line:
    """A box in words: which, how sure, where."""
    first, last = lesion.slices
    return Line(
        "box" if first == last else "box.several",
        lesion=_word(lesion),
        score=lesion.score,
        plane=Line(f"slice_plane.{lesion.plane.value}"),
        first=first,
        last=last,
    )


def _word(lesion: Lesion) -> Line | str:
    name = lesion_name(lesion.label)
    return lesion.label if name is None else LESION[name].word


def by_boxes(rule: FindingRule, lesions: Sequence[Lesion], unseen: Mapping[str, Line]) -> Verdict:
    """PRESENT from a sure box, POSSIBLE from a suspicious one.

    A box wins over the reason why none could be looked for.
    """
    assert rule.lesion is not None
    kind = LESION[rule.lesion]
    counted, lines, thin = [], [], []
    for lesion in found(kind.name, lesions):
        box = box_line(lesion)
        if lesion.slices[1] - lesion.slices[0] + 1 >= kind.least_slices:
            counted.append(lesion)
            lines.append(Line("box_consistent", box=box, finding=rule.word))
        else:
            thin.append(Line("box_too_thin", box=box, least=kind.least_slices))
    lines += thin
    if counted:
        sure = counted[0].score >= SURE
        return Verdict(Level.PRESENT if sure else Level.POSSIBLE, lines)
    if kind.name in unseen:
        reason = Line("not_assessable", why=unseen[kind.name])
        return Verdict(Level.NOT_MEASURABLE, [reason, *lines])
    return Verdict(Level.NOT_SEEN, lines or [Line("no_box", lesion=kind.word, least=SUSPICIOUS)])


def arch_by_angles(
    lesions: Sequence[Lesion], measurements: Sequence[Measurement], profile: Profile
) -> tuple[Lesion, ...]:
    """The lesions, boxes of the arch scored by how far the angles lie beyond a cut-off.

    As for the findings: both angles for a flat foot, any one for a cavus foot; a box is sure where
    they lie beyond by the guard band. For models whose entry says so (ModelSpec.by_angles): the
    shipped one sees the arch and hardly its degrees (numbers: its card). Where one of two that must
    both lie beyond is not measured, the other makes a box suspicious at most; where both are not,
    the box keeps its score.
    """
    angles = Angles.of(measurements, profile)
    flat, cavus = FINDING["flat_foot"], FINDING["cavus_foot"]
    both = [angles.beyond(name, flat.cutoff) for name in flat.all_of]
    either = [angles.beyond(name, cavus.cutoff) for name in cavus.any_of]
    # one that is missing may lie at its cut-off
    least = min(0.0 if gap is None else gap for gap in both)
    known = [gap for gap in either if gap is not None]
    arches = [x for x in lesions if lesion_name(x.label) == ARCH]
    others = [x for x in lesions if lesion_name(x.label) != ARCH]
    if known and arches:  # a foot has one arch: the network's best box
        best = max(arches, key=lambda x: x.score)
        arches = [replace(best, score=_arch_score(max(least, *known)))]
    return tuple(sorted((*arches, *others), key=lambda x: -x.score))


def _arch_score(gap: float) -> float:
    """0.5 at a guard band beyond the cut-off, falling and rising with a logistic curve."""
    return 1 / (1 + math.exp((1 - gap) / 2))
