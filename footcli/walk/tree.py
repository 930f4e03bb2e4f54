"""Find the cases below a folder by names alone: never opens a file, never follows a link."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from footcli.domain import CaseRef, Plane
from footcli.errors import SetupError
from footcli.identity import id_from_path
from footcli.system.names import safe_text
from footcli.walk.file_names import is_image, never_image, plane_of, role_of, tells_of_slices
from footcli.walk.home import CaseHome, listed, standing
from footcli.walk.join import joined, with_unique_ids

__all__ = ["CaseEntry", "CaseHome", "find_cases", "find_homes", "list_cases"]


def find_cases(root: Path, notes: Counter[str] | None = None) -> tuple[CaseRef, ...]:
    """All cases below a folder, in a fixed order.

    The folder is the data set's tree in any of its forms, or plain folders of images. A plain
    folder with files is one case, and so is the root; a single file is a case of one file. An empty
    folder becomes a case without images, so that it is reported. Ids are unique, ignoring upper and
    lower case. notes: see find_homes. Raises SetupError if root does not exist or cannot be listed.
    """
    if root.is_file():
        root = root.resolve()
        case_id = id_from_path([safe_text(root.stem)])
        return (CaseRef(case_id, root.parent, "plain", {None: (root,)}),)
    found: list[CaseRef] = []
    for home in find_homes(root, keep_names=True, notes=notes):
        found += home.cases()
    return with_unique_ids(sorted(found, key=lambda case: (str(case.folder), case.case_id)))


@dataclass(frozen=True, slots=True)
class CaseEntry:
    """A case with only its id and folder known.

    case_id: unique in the tree, equal to that of `find_cases`. labelled: it has slice labels or
    angle files.
    """

    case_id: str
    home: CaseHome
    labelled: bool
    _own_id: str

    @property
    def folder_name(self) -> str:
        """Name of the case folder, common to all series in it."""
        return self.home.name

    def open(self) -> CaseRef:
        """The case with its files; lists its folders again."""
        case = next(case for case in self.home.cases() if case.case_id == self._own_id)
        return replace(case, case_id=self.case_id)


def list_cases(root: Path) -> list[CaseEntry]:
    """The cases of `find_cases` without file names, so that memory does not grow with slices.

    Raises SetupError if root does not exist or cannot be listed.
    """
    entries, bare = [], []
    for home in find_homes(root):
        for case in home.cases():
            entries.append(
                CaseEntry(case.case_id, home, bool(case.labels or case.angle_files), case.case_id)
            )
            images = dict.fromkeys(case.images, ())  # ids depend on whether a case has images
            bare.append(
                replace(
                    case, images=images, labels={}, angle_files=(), clinical_files=(), copies=()
                )
            )
    order = sorted(range(len(bare)), key=lambda i: (str(bare[i].folder), bare[i].case_id))
    unique = with_unique_ids([bare[i] for i in order])
    return [
        replace(entries[i], case_id=case.case_id) for i, case in zip(order, unique, strict=True)
    ]


def find_homes(
    root: Path, *, keep_names: bool = False, notes: Counter[str] | None = None
) -> list[CaseHome]:
    """The case folders below a folder, in a fixed order.

    The folders of `find_cases` without file names: for trees of millions of slices, process the
    homes one by one. keep_names: keep the file names, so that no folder is listed twice. notes:
    counts what is left out: "links", folders that are links, and "no_images", folders with nothing
    but files that are never images, beside others that have some. Raises SetupError if root does
    not exist or cannot be listed.
    """
    _check_root(root)
    root = root.resolve()
    homes: dict[str, CaseHome] = {}
    plain: list[CaseHome] = []
    bare: list[CaseHome] = []
    for folder, files, folders in _folders(str(root), notes):
        kept = files if keep_names else None
        if _is_dataset(folder, files, str(root)):
            owner, _, plane = standing(folder)
            home = homes.setdefault(owner, CaseHome(owner, "dataset"))
            home.folders[folder] = kept
            home.has_images = home.has_images or _holds_images(files, plane)
        elif not folders or _may_hold_images(files):
            own = CaseHome(folder, "plain", {folder: kept}, way=_path_names(folder, root))
            (bare if files and not _may_hold_images(files) else plain).append(own)
    if not homes and not plain:
        plain, bare = bare, []  # nothing else: its failure tells why
    if notes is not None and bare:
        notes["no_images"] += len(bare)
    return sorted(joined(list(homes.values())) + plain, key=lambda home: home.owner)


def _may_hold_images(files: list[str]) -> bool:
    """Whether a name among the files is not that of a file that is never an image."""
    return not all(map(never_image, files))


def _check_root(root: Path) -> None:
    """Raises SetupError for a folder that does not exist or cannot be listed."""
    shown = safe_text(str(root))
    if not root.exists():
        raise SetupError(f"{shown} does not exist: give a folder of cases or of DICOM files")
    try:
        os.scandir(root.resolve()).close()
    except OSError:
        raise SetupError(
            f"{shown} cannot be opened: check its permissions and that it is a folder"
        ) from None


def _holds_images(files: list[str], plane: Plane | None) -> bool:
    """Whether the files of a folder of the data set include an image of a slice."""
    return any(is_image(path) and plane_of(path, plane) for path in files)


def _path_names(folder: str, root: Path) -> tuple[str, ...]:
    names = Path(folder).relative_to(root).parts or (root.name,)
    return tuple(safe_text(name) for name in names)


def _folders(root: str, notes: Counter[str] | None) -> Iterator[tuple[str, list[str], list[str]]]:
    """(folder, files, subfolders) of the whole tree, sorted, as `listed` gives them."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        files, folders = listed(folder, notes)
        yield folder, files, folders
        waiting += reversed(folders)


def _is_dataset(folder: str, files: list[str], root: str) -> bool:
    if folder != root and role_of(folder):
        return True
    return any(tells_of_slices(path) for path in files)
