"""One case folder -> its tally: the person, the files, and the slices of each foot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from footcli.dataset.angle_labels import read_angle_points
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
from footcli.kinds import ANGLES, FINDING, FINDINGS, LANDMARKS, landmark_names
from footcli.names import finding_name
from footcli.stats.codes import GROUPS
from footcli.stats.slices import below, tally_slices
from footcli.stats.tally import Tally
from footcli.system.names import safe_text
from footcli.walk.tree import CaseHome


def tally_case(home: CaseHome, root: Path, max_pixels: int | None = None) -> Tally:
    """Count everything in one case folder.

    Reads JSON and one image header per plane; never raises for file contents. root: the tree.
    max_pixels: image edge where no header gives the size.
    """
    tally = Tally()
    if home.layout == "plain":
        tally.note("missing", "not_dataset", "", below(Path(home.owner), root))
        return tally
    refs = home.cases()
    tally.add("cases", "cases")
    stated = _clinical(tally, refs[0], home.name, root)
    for ref in refs:
        _series(tally, ref, root)
        in_labels = tally_slices(tally, ref, root, max_pixels)
        stated = stated or in_labels
    _person(tally, stated or Clinical(), refs[0], Path(home.owner).parent.name)
    return tally


def _clinical(tally: Tally, ref: CaseRef, folder: str, root: Path) -> Clinical | None:
    """The first clinical file with content; faults of the files are noted."""
    if not ref.clinical_files:
        tally.note("missing", "no_clinical", ref.case_id, below(ref.folder, root))
    found: Clinical | None = None
    for path in ref.clinical_files:
        try:
            stated = read_clinical(path)
        except TruthError:
            tally.note("quality", "unreadable_json", "", below(path, root))
            continue
        if stated.case_id is not None and safe_text(stated.case_id) != folder:
            tally.note("quality", "case_id_differs", ref.case_id, safe_text(path.stem))
        if found is None and says_something(stated):
            found = stated
    return found


def _series(tally: Tally, ref: CaseRef, root: Path) -> None:
    """Count one foot: its side, its planes and labels, its angle label."""
    named = _named(ref)
    tally.add("sides", named.side if named else "unknown")
    _planes(tally, ref, root, "images", {p for p in Plane if ref.images.get(p)})
    _planes(tally, ref, root, "labels", {p for p in Plane if ref.labels.get(p)})
    if not ref.angle_files:
        tally.note("missing", "no_angle_label", ref.case_id, below(ref.folder, root))
    points = _points(tally, ref, root)
    for name in sorted(points):
        if name in LANDMARKS:
            tally.add("landmarks", name)
        else:
            tally.add("unknown", f"landmark {name}")
            tally.note("quality", "not_understood", ref.case_id, safe_text(ref.angle_files[0].stem))
    for angle in ANGLES:
        tally.add("angles", angle.name, int(points.issuperset(landmark_names(angle.name))))


def _planes(tally: Tally, ref: CaseRef, root: Path, what: str, there: set[Plane]) -> None:
    """Note the planes without images, or without labels; one note where there are none at all."""
    if not there:
        tally.note("missing", f"no_{what}", ref.case_id, below(ref.folder, root))
        return
    for plane in Plane:
        if plane not in there:
            tally.note("missing", f"plane_without_{what}", ref.case_id, plane)


def _points(tally: Tally, ref: CaseRef, root: Path) -> set[str]:
    """Names of the landmarks in a series' angle labels."""
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
    return points


def _named(ref: CaseRef) -> SeriesName | None:
    """Fields of the first file name of the case that follows the data set's grammar."""
    stems: list[str] = []
    for paths in ref.images.values():
        stems += [safe_text(path.stem) for path in paths[:1]]
    for labels in ref.labels.values():
        stems += list(labels)[:1]
    for stem in stems:
        if (named := series_name(stem)) is not None:
            return named
    return None


def _person(tally: Tally, stated: Clinical, ref: CaseRef, parent: str) -> None:
    """Sex, age, disease groups and diseases of a case."""
    named = _named(ref)
    tally.add("institutions", named.institution if named else "unknown")
    for topic, value in (("sex", stated.sex), ("age", age_band(stated.age_years))):
        if value:
            tally.add(topic, value)
        else:
            tally.note("missing", f"{topic}_unknown", ref.case_id, "")
    groups = _known_groups(stated.groups)
    groups = groups or _known_groups((named.group if named else "", safe_text(parent)))
    for group in groups:
        tally.add("group", group)
    tally.add("grouped", "cases", int(bool(groups)))
    if not groups:
        tally.note("missing", "group_unknown", ref.case_id, "")
    unknown = sum(finding_name(part) is None for part in detail_parts(stated))
    if unknown:
        tally.note("missing", "detail_unknown", ref.case_id, "", unknown)
    _diseases(tally, replace(stated, groups=tuple(groups)), groups)


def _known_groups(texts: Sequence[str]) -> set[str]:
    """The disease groups that texts name."""
    found = {_group(text) for text in texts}
    return {group for group in found if group is not None}


def _diseases(tally: Tally, stated: Clinical, groups: set[str]) -> None:
    """Count the diseases of a case, and their pairs."""
    findings = findings_named(stated)
    for name in findings:
        tally.add("findings", name)
    ordered = [rule.name for rule in FINDINGS if rule.name in findings]
    for a, b in combinations(ordered, 2):
        tally.add("pairs", f"{a}+{b}")
    pair = "+".join(group for group in GROUPS if group in groups)
    tally.add("group_pairs", pair, int(len(groups) > 1))


def _group(text: str) -> str | None:
    code = text.strip().upper()
    if code in GROUPS:
        return code
    name = finding_name(text)
    return None if name is None else FINDING[name].group
