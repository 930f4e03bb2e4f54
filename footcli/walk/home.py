"""One case folder: sort its files by name and make cases of them."""

from __future__ import annotations

import os
from collections import Counter
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
    """A case folder that is found but not opened; its size does not depend on the slices in it.

    owner: the folder; the one with the images if labels are stored elsewhere. has_images: set only
    for the data set's layout. folders: every folder with files of the case -> those files, or None
    if `cases` is to list them when called. way: folder names from below the root down to the case;
    the root's name if the root is the case.
    """

    owner: str
    layout: Literal["dataset", "plain"]
    folders: dict[str, list[str] | None] = field(default_factory=dict)
    has_images: bool = False
    way: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the case folder, safe to show."""
        return safe_text(base_name(self.owner))

    def cases(self) -> list[CaseRef]:
        """The cases of this folder, usually one, sorted by id.

        Ids are unique within the folder, not in the whole tree.
        """
        if self.layout == "dataset":
            return sorted(by_series(self.part()), key=lambda case: case.case_id)
        files: list[str] = []
        for folder, kept in self.folders.items():
            files += listed(folder)[0] if kept is None else kept
        case_id = id_from_path(self.way) or "case"
        return [CaseRef(case_id, Path(self.owner), "plain", {None: tuple(map(Path, files))})]

    def part(self) -> Part:
        """All files of the case, sorted by kind."""
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


def listed(folder: str, notes: Counter[str] | None = None) -> tuple[list[str], list[str]]:
    """Paths of the files and subfolders of one folder, sorted.

    Hidden and system names, links and special files are left out. Both lists are empty if the
    folder cannot be listed. notes: counts "links", folders that are links.
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
                elif notes is not None and entry.is_symlink() and entry.is_dir():
                    notes["links"] += 1
    except OSError:
        return [], []
    return sorted(files), sorted(folders)


def standing(folder: str) -> tuple[str, str | None, Plane | None]:
    """The case folder that a folder belongs to, and the role and plane by the names in between.

    The role is a name of `role_of`, planes included.
    """
    owner, role, plane = folder, None, None
    while name := role_of(owner):
        role = role or name
        plane = plane or PLANES.get(name)
        owner = owner.rpartition(os.sep)[0]
    return owner, role, plane


def _sort_in(part: Part, folder: str, files: list[str], copied: bool) -> None:
    """Add a folder's files to `part` by kind.

    copied: by its name, the folder is a copy of another folder of the case.
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
    """The folder that this one is a copy of, by the names in its path; itself if it is no copy."""
    return str(Path(*map(without_copy_mark, Path(folder).parts)))


def _rank(folder: str) -> tuple[bool, str]:
    """Sort key: by name, folders named as copies last."""
    return _uncopied(folder) != folder, folder


def without_copies(files: list[str]) -> tuple[list[str], list[str]]:
    """The files of a folder that are not named as copies of others in it, and those copies."""
    names = {path: base_name(path) for path in files}
    there = set(names.values())
    kept: list[str] = []
    copies: list[str] = []
    for path, name in names.items():
        first = without_copy_mark(name)
        (copies if first != name and first in there else kept).append(path)
    return kept, copies
