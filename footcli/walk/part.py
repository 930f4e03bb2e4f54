"""The files of one case folder by kind, and the cases that they make."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

from footcli.dataset.series import series_name
from footcli.domain import CaseRef, Plane
from footcli.identity import id_from_path
from footcli.system.names import safe_text
from footcli.walk.file_names import (
    angle_series_of,
    base_name,
    series_of,
    stem_of,
)


@dataclass(slots=True)
class Part:
    """The files of one case folder in the data set's layout, sorted by kind.

    labels: plane -> slice stem -> its JSON files.
    """

    owner: str
    images: dict[Plane, list[str]] = field(default_factory=lambda: defaultdict(list))
    labels: dict[Plane, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
    angles: list[str] = field(default_factory=list)
    clinical: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the case folder, safe to show."""
        return safe_text(base_name(self.owner))

    def holds(self, plane: Plane | None, path: str) -> bool:
        """Whether it has a JSON file of this name: a label in this plane, or, for None, another."""
        if plane is not None:
            return safe_text(stem_of(path)) in self.labels[plane]
        return any(stem_of(other) == stem_of(path) for other in (*self.angles, *self.clinical))

    def stems(self) -> set[str]:
        """Stems of all slices that have an image or a label."""
        found: set[str] = set()
        for paths in self.images.values():
            found.update(map(stem_of, paths))
        for labels in self.labels.values():
            found.update(labels)
        return found


def by_series(part: Part) -> list[CaseRef]:
    """One case, or one for each series (study and side) if the file names show several."""
    names = {series_of(stem) for stem in part.stems()}
    if len(names) < 2 or None in names:
        return [_case(part, part.name)]
    found = sorted(name for name in names if name)
    pair_of_feet = len(_case_numbers(part, found)) < 2
    cases = []
    for name in found:
        if pair_of_feet:
            cases.append(_case(_only(part, name), f"{part.name}_{_tail(name)}"))
        else:
            case = _case(_only(part, name), f"{part.name}_{name}")
            cases.append(replace(case, several_patients=True))
    return cases


def _case_numbers(part: Part, series: list[str]) -> set[str]:
    """Case numbers in the series names of the images, or of all series if there are no images."""
    shown: set[str] = set()
    for paths in part.images.values():
        shown |= {name for path in paths if (name := series_of(stem_of(path)))}
    named = [series_name(name) for name in shown or series]
    return {found.number for found in named if found is not None}


def _only(part: Part, series: str) -> Part:
    """The part's files that are of one series."""
    images = {}
    for plane, paths in part.images.items():
        images[plane] = [path for path in paths if series_of(stem_of(path)) == series]
    labels = {}
    for plane, stems in part.labels.items():
        labels[plane] = {s: files for s, files in stems.items() if series_of(s) == series}
    angles = [path for path in part.angles if angle_series_of(path) in (None, series)]
    copies = [path for path in part.copies if series_of(stem_of(path)) in (None, series)]
    return replace(part, images=images, labels=labels, angles=angles, copies=copies)


def _tail(series: str) -> str:
    return "_".join(series.split("_")[-2:])


def _case(part: Part, case_id: str) -> CaseRef:
    images, labels = {}, {}
    for plane in Plane:
        if part.images.get(plane):
            images[plane] = tuple(map(Path, sorted(part.images[plane])))
        if part.labels.get(plane):
            own = sorted(part.labels[plane].items())
            labels[plane] = {stem: tuple(map(Path, files)) for stem, files in own}
    return CaseRef(
        case_id=id_from_path([case_id]) or "case",
        folder=Path(part.owner),
        layout="dataset",
        images=images,  # type: ignore[arg-type]
        labels=labels,
        angle_files=tuple(map(Path, sorted(part.angles))),
        clinical_files=tuple(map(Path, sorted(part.clinical))),
        copies=tuple(map(Path, sorted(part.copies))),
    )
