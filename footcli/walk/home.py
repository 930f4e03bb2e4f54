"""One case folder: its files sorted by what their names say, and the cases they make."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from footcli.dataset.series import series_name
from footcli.domain import CaseRef, Plane
from footcli.identity import id_from_path
from footcli.system.files import safe_text

NEVER_IMAGES = frozenset(
    f".{ending}"
    for ending in (
        "bat",
        "cfg",
        "csv",
        "doc",
        "docx",
        "exe",
        "htm",
        "html",
        "ini",
        "json",
        "log",
        "md",
        "nii",
        "npz",
        "pdf",
        "ply",
        "py",
        "rtf",
        "sh",
        "sql",
        "stl",
        "toml",
        "tsv",
        "txt",
        "xls",
        "xlsx",
        "xml",
        "yaml",
        "yml",
    )
)
"""Endings that do not make a folder with subfolders a case of its own: a read-me beside the cases,
for one.
"""
_IGNORED = frozenset(
    ("thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information")
)
_PLANES = {plane.value: plane for plane in Plane}
_ROLES = frozenset(("ANGLE", "CLINICALINFO", "BBOX"))
_SLICE_NAME = re.compile(r"^(?P<series>.+)_(?P<plane>AXL|COR|SAG)_\d+$", re.IGNORECASE)
# What browsers and file managers put before the ending of a second file of one name
_COPY = re.compile(r"( ?\(\d+\)| - (?:Copy|복사본|사본)(?: \(\d+\))?)(\.\w+)?$")
_ANGLE_NAME = re.compile(r"^(?P<series>.+)_angle$", re.IGNORECASE)


@dataclass(slots=True)
class _Part:
    """The files of one case folder in the data set's layout, sorted by what they are."""

    owner: str
    images: dict[Plane, list[str]] = field(default_factory=lambda: defaultdict(list))
    labels: dict[Plane, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
    angles: list[str] = field(default_factory=list)
    clinical: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return safe_text(_base(self.owner))

    def holds(self, plane: Plane | None, path: str) -> bool:
        """Whether a JSON file of this name is there already, of slices in this plane or of none."""
        if plane is not None:
            return safe_text(_stem(path)) in self.labels[plane]
        return any(_stem(other) == _stem(path) for other in (*self.angles, *self.clinical))

    def stems(self) -> set[str]:
        """Names of all slices that there are images or labels of."""
        found: set[str] = set()
        for paths in self.images.values():
            found.update(map(_stem, paths))
        for labels in self.labels.values():
            found.update(labels)
        return found


@dataclass(slots=True)
class CaseHome:
    """A case folder that is found but not opened: small, however many slices it holds.

    owner: the folder, with the images if they lie apart from the labels. has_images is told for the
    data set's layout alone. folders: every folder with files of the case -> those files, or None
    where they are listed when `cases` asks for them. way: names of the folders from the one that
    was asked for down to the case; that folder's own name where it is the case itself.
    """

    owner: str
    layout: Literal["dataset", "plain"]
    folders: dict[str, list[str] | None] = field(default_factory=dict)
    has_images: bool = False
    way: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return safe_text(_base(self.owner))

    def cases(self) -> list[CaseRef]:
        """The cases of this folder, usually one, by id.

        Ids are unique here, not in the whole tree.
        """
        if self.layout == "dataset":
            return sorted(_by_series(self.part()), key=lambda case: case.case_id)
        files: list[str] = []
        for folder, kept in self.folders.items():
            files += listed(folder)[0] if kept is None else kept
        case_id = id_from_path(self.way) or "case"
        return [CaseRef(case_id, Path(self.owner), "plain", {None: tuple(map(Path, files))})]

    def part(self) -> _Part:
        part = _Part(self.owner)
        for folder, kept in sorted(self.folders.items(), key=lambda item: _rank(item[0])):
            first = _uncopied(folder)
            _sort_in(
                part,
                folder,
                listed(folder)[0] if kept is None else kept,
                first != folder and first in self.folders,
            )
        return part


def listed(folder: str) -> tuple[list[str], list[str]]:
    """Files and subfolders of one folder, sorted; a folder that cannot be listed is reported like
    an empty one.
    """
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.casefold() in _IGNORED:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    files.append(entry.path)
    except OSError:
        return [], []
    return sorted(files), sorted(folders)


def role_of(folder: str) -> str | None:
    name = safe_text(_base(folder)).upper()
    return name if name in _PLANES or name in _ROLES else None


def standing(folder: str) -> tuple[str, str | None, Plane | None]:
    """The case folder that owns a folder, and what the names in between say.

    The role, the plane.
    """
    owner, role, plane = folder, None, None
    while name := role_of(owner):
        role = role or name
        plane = plane or _PLANES.get(name)
        owner = owner.rpartition(os.sep)[0]
    return owner, role, plane


def _sort_in(part: _Part, folder: str, files: list[str], copied: bool) -> None:
    """File a folder's content under what it is.

    copied: another folder of the case is what this one is called a copy of.
    """
    _, role, plane = standing(folder)
    files, copies = without_copies(files)
    part.copies += copies
    for path in files:
        home = plane_of(path, plane)
        if not _is_json(path):
            if home and is_image(path):
                part.images[home].append(path)
        elif copied and part.holds(home, path):
            part.copies.append(path)
        elif role == "ANGLE" or _ANGLE_NAME.match(_stem(path)):
            part.angles.append(path)
        elif home:
            part.labels[home].setdefault(safe_text(_stem(path)), []).append(path)
        else:
            part.clinical.append(path)


def _original(name: str) -> str:
    """The name without the mark of a second download."""
    return _COPY.sub(r"\2", name)


def _uncopied(folder: str) -> str:
    """The folder that one is a copy of, by the names on the way; itself where no name says so."""
    return str(Path(*map(_original, Path(folder).parts)))


def _rank(folder: str) -> tuple[bool, str]:
    """Folders that are called copies after the others, else by name."""
    return _uncopied(folder) != folder, folder


def without_copies(files: list[str]) -> tuple[list[str], list[str]]:
    """The files of a folder without copies of others in it, and those copies."""
    names = {path: _base(path) for path in files}
    there = set(names.values())
    kept: list[str] = []
    copies: list[str] = []
    for path, name in names.items():
        first = _original(name)
        (copies if first != name and first in there else kept).append(path)
    return kept, copies


def tells_of_slices(path: str) -> bool:
    """Whether a file's name is one of the data set's own: of a slice, or of a series' angles."""
    return bool(_SLICE_NAME.match(_stem(path)) or _ANGLE_NAME.match(_stem(path)))


def plane_of(path: str, plane: Plane | None) -> Plane | None:
    """The plane of a slice by its folder, else by its own name."""
    if plane is None and (named := _SLICE_NAME.match(_stem(path))):
        return _PLANES[named["plane"].upper()]
    return plane


def _by_series(part: _Part) -> list[CaseRef]:
    """One case, or one for each series (study and side) where the file names tell of several."""
    names = {_series(stem) for stem in part.stems()}
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


def _case_numbers(part: _Part, series: list[str]) -> set[str]:
    """Case numbers in the names of the images' series, or of all series where there are none."""
    shown: set[str] = set()
    for paths in part.images.values():
        shown |= {name for path in paths if (name := _series(_stem(path)))}
    named = [series_name(name) for name in shown or series]
    return {found.number for found in named if found is not None}


def _only(part: _Part, series: str) -> _Part:
    """The part's files that are of one series."""
    images = {}
    for plane, paths in part.images.items():
        images[plane] = [path for path in paths if _series(_stem(path)) == series]
    labels = {}
    for plane, stems in part.labels.items():
        labels[plane] = {s: files for s, files in stems.items() if _series(s) == series}
    angles = [path for path in part.angles if _angle_series(path) in (None, series)]
    copies = [path for path in part.copies if _series(_stem(path)) in (None, series)]
    return replace(part, images=images, labels=labels, angles=angles, copies=copies)


def _angle_series(path: str) -> str | None:
    match = _ANGLE_NAME.match(_stem(path))
    return safe_text(match["series"]) if match else None


def _series(stem: str) -> str | None:
    match = _SLICE_NAME.match(stem)
    return safe_text(match["series"]) if match else None


def _tail(series: str) -> str:
    return "_".join(series.split("_")[-2:])


def _case(part: _Part, case_id: str) -> CaseRef:
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


def _base(path: str) -> str:
    return path.rpartition(os.sep)[2]


def _stem(path: str) -> str:
    """The name without ending, and without the mark of a second download."""
    name = _original(_base(path))
    return name.rpartition(".")[0] or name


def _is_json(path: str) -> bool:
    return path.lower().endswith(".json")


def is_image(path: str) -> bool:
    return not _is_json(path) and not never_image(path)


def never_image(path: str) -> bool:
    name = _base(path)
    return f".{name.lower().rpartition('.')[2]}" in NEVER_IMAGES or name.upper() == "DICOMDIR"
