"""Evidence for a finding from lesion boxes."""

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
    """Boxes of a kind of lesion that score at least SUSPICIOUS, best first."""
    own = [x for x in lesions if lesion_name(x.label) == label and x.score >= SUSPICIOUS]
    return sorted(own, key=lambda x: -x.score)


def box_line(lesion: Lesion) -> Line:
    """Describe a box: kind, score, plane and slices."""
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
    """PRESENT for a box of at least SURE, POSSIBLE for one of at least SUSPICIOUS.

    unseen: lesion name -> why it could not be searched; a box takes precedence over it.
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
    """Score the best arch box by how far the angles lie beyond a cut-off; drop other arch boxes.

    The rules are those of the findings: both angles for a flat foot, either one for a cavus foot.
    The score is SURE at one guard band beyond the cut-off. For models with ModelSpec.by_angles: the
    shipped one detects the arch but hardly measures it (numbers: its model card). If one of two
    angles that must both lie beyond is missing, that rule makes the box at most suspicious; if both
    are missing, the arch boxes keep their scores. Returns all lesions, best first.
    """
    angles = Angles.of(measurements, profile)
    flat, cavus = FINDING["flat_foot"], FINDING["cavus_foot"]
    both = [angles.beyond(name, flat.cutoff) for name in flat.all_of]
    either = [angles.beyond(name, cavus.cutoff) for name in cavus.any_of]
    # a missing angle counts as lying at its cut-off
    least = min(0.0 if gap is None else gap for gap in both)
    known = [gap for gap in either if gap is not None]
    arches = [x for x in lesions if lesion_name(x.label) == ARCH]
    others = [x for x in lesions if lesion_name(x.label) != ARCH]
    if known and arches:  # a foot has one arch: keep the network's best box
        best = max(arches, key=lambda x: x.score)
        arches = [replace(best, score=_arch_score(max(least, *known)))]
    return tuple(sorted((*arches, *others), key=lambda x: -x.score))


def _arch_score(gap: float) -> float:
    """Logistic in `gap` (guard bands beyond the cut-off): 0.5 at gap 1; 0..1."""
    return 1 / (1 + math.exp((1 - gap) / 2))
