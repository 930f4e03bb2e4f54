"""One case folder -> its tally.

Who it is of, which files there are, and the slices of each foot.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

from footcli.dataset.annotations import read_angle_points
from footcli.dataset.clinical import (
    Clinical,
    age_band,
    detail_parts,
    findings_named,
    read_clinical,
    says_something,
)
from footcli.dataset.series import SeriesName, series_name
from footcli.domain import CaseRef, Plane
from footcli.errors import TruthError
from footcli.kinds import ANGLES, FINDINGS, LANDMARKS, landmark_names
from footcli.names import finding_name
from footcli.stats.codes import FINDING_GROUP, GROUPS
from footcli.stats.slices import below, tally_slices
from footcli.stats.tally import Tally
from footcli.system.files import safe_text
from footcli.walk.tree import CaseHome


def tally_case(home: CaseHome, root: Path, max_pixels: int | None = None) -> Tally:
    """Everything that is counted of one case folder.

    Reads JSON, and one image header a plane; never raises for what a file holds.

    root: the tree. max_pixels: edge of an image whose size no header tells.
    """
    tally = Tally()
    if home.layout == "plain":
        tally.note("missing", "not_dataset", "", below(Path(home.owner), root))
        return tally
    refs = home.cases()
    tally.add("cases", "cases")
    said = _clinical(tally, refs[0], home.name, root)
    for ref in refs:
        _series(tally, ref, root)
        in_labels = tally_slices(tally, ref, root, max_pixels)
        said = said or in_labels
    _person(tally, said or Clinical(), refs[0], Path(home.owner).parent.name)
    return tally


def _clinical(tally: Tally, ref: CaseRef, folder: str, root: Path) -> Clinical | None:
    """The first clinical file that says something."""
    if not ref.clinical_files:
        tally.note("missing", "no_clinical", ref.case_id, below(ref.folder, root))
    found: Clinical | None = None
    for path in ref.clinical_files:
        try:
            said = read_clinical(path)
        except TruthError:
            tally.note("quality", "unreadable_json", "", below(path, root))
            continue
        if said.case_id is not None and safe_text(said.case_id) != folder:
            tally.note("quality", "case_id_differs", ref.case_id, safe_text(path.stem))
        if found is None and says_something(said):
            found = said
    return found


def _series(tally: Tally, ref: CaseRef, root: Path) -> None:
    """One foot: its side, the planes and labels that are there, its angle label."""
    named = _named(ref)
    tally.add("sides", named.side if named else "unknown")
    for what, there in (
        ("images", {p for p in Plane if ref.images.get(p)}),
        ("labels", {p for p in Plane if ref.labels.get(p)}),
    ):
        if not there:
            tally.note("missing", f"no_{what}", ref.case_id, below(ref.folder, root))
        for plane in Plane if there else ():
            if plane not in there:
                tally.note("missing", f"plane_without_{what}", ref.case_id, plane)
    if not ref.angle_files:
        tally.note("missing", "no_angle_label", ref.case_id, below(ref.folder, root))
    points: set[str] = set()
    for path in ref.angle_files:
        try:
            found, left_out = read_angle_points(path)
        except TruthError:
            tally.note("quality", "unreadable_json", "", below(path, root))
            continue
        points.update(found)
        if left_out:
            tally.add("unknown", "key point without numbers", left_out)
            tally.note("quality", "not_understood", ref.case_id, safe_text(path.stem), left_out)
    for name in sorted(points):
        if name in LANDMARKS:
            tally.add("landmarks", name)
        else:
            tally.add("unknown", f"landmark {name}")
            tally.note("quality", "not_understood", ref.case_id, safe_text(ref.angle_files[0].stem))
    for angle in ANGLES:
        tally.add("angles", angle.name, int(points.issuperset(landmark_names(angle.name))))


def _named(ref: CaseRef) -> SeriesName | None:
    """What the names of the case's files say; the first one that says something."""
    stems = [safe_text(path.stem) for paths in ref.images.values() for path in paths[:1]]
    stems += [stem for labels in ref.labels.values() for stem in list(labels)[:1]]
    return next((named for stem in stems if (named := series_name(stem))), None)


def _person(tally: Tally, said: Clinical, ref: CaseRef, parent: str) -> None:
    """Sex, age, disease groups and diseases of a case."""
    named, band = _named(ref), age_band(said.age_years)
    tally.add("institutions", named.institution if named else "unknown")
    groups = {group for text in said.groups if (group := _group(text))} or {
        group
        for text in (named.group if named else "", safe_text(parent))
        if (group := _group(text))
    }
    findings = findings_named(replace(said, groups=tuple(groups)))
    for topic, value in (("sex", said.sex), ("age", band)):
        if value:
            tally.add(topic, value)
        else:
            tally.note("missing", f"{topic}_unknown", ref.case_id, "")
    for group in groups:
        tally.add("group", group)
    tally.add("grouped", "cases", int(bool(groups)))
    if not groups:
        tally.note("missing", "group_unknown", ref.case_id, "")
    unknown = sum(finding_name(part) is None for part in detail_parts(said))
    if unknown:
        tally.note("missing", "detail_unknown", ref.case_id, "", unknown)
    for name in findings:
        tally.add("findings", name)
    for a, b in combinations([term.name for term in FINDINGS if term.name in findings], 2):
        tally.add("pairs", f"{a}+{b}")
    tally.add(
        "group_pairs", "+".join(group for group in GROUPS if group in groups), int(len(groups) > 1)
    )


def _group(text: str) -> str | None:
    code = text.strip().upper()
    return code if code in GROUPS else FINDING_GROUP.get(finding_name(text) or "")
