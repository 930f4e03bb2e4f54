"""One case folder: its files sorted by what their names say, and the cases they make."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from footcli.domain import CaseRef, Plane
from footcli.identity import id_from_path
from footcli.system.names import safe_text
from footcli.walk.file_names import (
    ANGLE_NAME,
    PLANES,
    base_name,
    is_image,
    is_json,
    plane_of,
    role_of,
    stem_of,
    without_copy_mark,
)
from footcli.walk.part import Part, by_series

_IGNORED = frozenset(
    ("thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information")
)


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
        """The name of the case folder, harmless to show."""
        return safe_text(base_name(self.owner))

    def cases(self) -> list[CaseRef]:
        """The cases of this folder, usually one, by id.

        Ids are unique here, not in the whole tree.
        """
        if self.layout == "dataset":
            return sorted(by_series(self.part()), key=lambda case: case.case_id)
        files: list[str] = []
        for folder, kept in self.folders.items():
            files += listed(folder)[0] if kept is None else kept
        case_id = id_from_path(self.way) or "case"
        return [CaseRef(case_id, Path(self.owner), "plain", {None: tuple(map(Path, files))})]

    def part(self) -> Part:
        """All files of the folder, sorted by what they are."""
        part = Part(self.owner)
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


def standing(folder: str) -> tuple[str, str | None, Plane | None]:
    """The case folder that owns a folder, and what the names in between say.

    The role, the plane.
    """
    owner, role, plane = folder, None, None
    while name := role_of(owner):
        role = role or name
        plane = plane or PLANES.get(name)
        owner = owner.rpartition(os.sep)[0]
    return owner, role, plane


def _sort_in(part: Part, folder: str, files: list[str], copied: bool) -> None:
    """File a folder's content under what it is.

    copied: another folder of the case is what this one is called a copy of.
    """
    _, role, plane = standing(folder)
    files, copies = without_copies(files)
    part.copies += copies
    for path in files:
        home = plane_of(path, plane)
        if not is_json(path):
            if home and is_image(path):
                part.images[home].append(path)
        elif copied and part.holds(home, path):
            part.copies.append(path)
        elif role == "ANGLE" or ANGLE_NAME.match(stem_of(path)):
            part.angles.append(path)
        elif home:
            part.labels[home].setdefault(safe_text(stem_of(path)), []).append(path)
        else:
            part.clinical.append(path)


def _uncopied(folder: str) -> str:
    """The folder that one is a copy of, by the names on the way; itself where no name says so."""
    return str(Path(*map(without_copy_mark, Path(folder).parts)))


def _rank(folder: str) -> tuple[bool, str]:
    """Folders that are called copies after the others, else by name."""
    return _uncopied(folder) != folder, folder


def without_copies(files: list[str]) -> tuple[list[str], list[str]]:
    """The files of a folder without copies of others in it, and those copies."""
    names = {path: base_name(path) for path in files}
    there = set(names.values())
    kept: list[str] = []
    copies: list[str] = []
    for path, name in names.items():
        first = without_copy_mark(name)
        (copies if first != name and first in there else kept).append(path)
    return kept, copies
