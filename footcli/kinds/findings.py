"""Table of the findings, one row each, with the criteria of each."""

from __future__ import annotations

from dataclasses import dataclass

from footcli.kinds.lesions import ARCH
from footcli.kinds.terms import Term


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRule(Term):
    """The criteria of a finding.

    cutoff: name of its cut-off in the profile, which all_of or any_of these angles must reach;
    opposite: the cut-off that contradicts it. supports: angles that add a line if they lie
    beyond the same cut-off; beside: angles that add one if they lie outside their range;
    neither changes the level. lesion: the kind whose boxes indicate it. narrow, tilted:
    measures that confirm a joint's box, or replace it if both are beyond their range; closed:
    widths that show a fused joint. angle: the one that its picture shows. group: the data set's
    code of its disease group. picture, written: the lesion that the picture shows and the name
    in clinical files, if they differ from `lesion`.
    """

    cutoff: str = ""
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    opposite: str = ""
    supports: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    lesion: str | None = None
    picture: str | None = None
    narrow: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    tilted: tuple[str, ...] = ()
    angle: str | None = None
    group: str = ""
    written: str = ""
    needs_load: bool = False
    family = "finding"

    @property
    def shown_lesion(self) -> str | None:
        """The lesion whose boxes its picture shows, None if none."""
        return self.picture or self.lesion

    @property
    def clinical_name(self) -> str:
        """Its name in the data set's clinical files; empty for `normal`."""
        return self.written or self.lesion or ""


# The seven findings are the data set's diseases; the aliases are spellings in clinical files.
FINDINGS: tuple[FindingRule, ...] = (
    FindingRule(
        name="flat_foot",
        needs_load=True,
        group="FD",
        written="Flatfoot",
        aliases=("flatfoot", "pes planus", "pes planovalgus", "편평족"),
        cutoff="flat",
        all_of=("TMA", "CPA"),
        supports=("TCA", "TCA_AP", "HAA", "FAO"),
        picture=ARCH,
        angle="CPA",
    ),
    FindingRule(
        name="cavus_foot",
        needs_load=True,
        group="FD",
        written="Cavus",
        aliases=("cavus", "pes cavus", "cavovarus"),
        cutoff="cavus",
        any_of=("TMA", "CPA"),
        opposite="flat",
        supports=("HAA", "TCA_AP", "TCA"),
        picture=ARCH,
        angle="CPA",
    ),
    FindingRule(
        name="hallux_valgus",
        group="FD",
        aliases=("HV", "무지외반증"),
        cutoff="valgus",
        any_of=("HVA",),
        supports=("IMA",),
        lesion="Hallux Valgus",
        angle="HVA",
    ),
    FindingRule(
        name="ankle_arthritis",
        group="AD",
        aliases=("ankle osteoarthritis", "ankle OA"),
        beside=("JSW_M", "JSW_C", "JSW_L", "TT", "MTASA"),
        lesion="Ankle Arthritis",
        narrow=("JSW_M", "JSW_L"),
        closed=("JSW_M", "JSW_C", "JSW_L"),
        tilted=("TT",),
        angle="TT",
    ),
    FindingRule(
        name="olt",
        group="AD",
        aliases=("osteochondral lesion of talus", "거골 연골 병변"),
        lesion="OLT",
    ),
    FindingRule(
        name="accessory_navicular",
        group="AD",
        aliases=(
            "accessory navicular syndrome",
            "prehallux",
            "prehallux syndrome",
            "부주상골 증후군",
        ),
        lesion="Accessory Navicular",
    ),
    FindingRule(
        name="tarsal_coalition",
        group="AD",
        aliases=("coalition",),
        lesion="Tarsal Coalition",
    ),
    # PRESENT if everything was assessed and nothing is abnormal
    FindingRule(name="normal", group="N", aliases=("healthy", "정상", "N")),
)
FINDING: dict[str, FindingRule] = {rule.name: rule for rule in FINDINGS}
