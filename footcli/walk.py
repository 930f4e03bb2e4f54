"""A folder on disk -> the cases in it. Looks at names only; never opens a file, never follows a link."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from footcli.domain import CaseRef, Plane
from footcli.errors import SetupError
from footcli.files import safe_text

SPLIT_FRAGMENTS = ("원천데이터", "라벨링데이터")
"""Folders of the data set that hold images apart from labels (compared in NFC)."""
NEVER_IMAGES = frozenset(
    f".{ending}"
    for ending in ("bat", "cfg", "csv", "doc", "docx", "exe", "htm", "html", "ini", "json", "log", "md", "nii", "npz", "pdf", "ply", "py",
                   "rtf", "sh", "sql", "stl", "toml", "tsv", "txt", "xls", "xlsx", "xml", "yaml", "yml")
)
"""Endings that do not make a folder with subfolders a case of its own: a read-me beside the cases, for one."""
_IGNORED = frozenset(("thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information"))
_PLANES = {plane.value: plane for plane in Plane}
_ROLES = frozenset(("ANGLE", "CLINICALINFO", "BBOX"))
_SLICE_NAME = re.compile(r"^(?P<series>.+)_(?P<plane>AXL|COR|SAG)_\d+$", re.IGNORECASE)
_ANGLE_NAME = re.compile(r"^(?P<series>.+)_angle$", re.IGNORECASE)


@dataclass(slots=True)
class _Part:
    """The files of one case folder in the data set's layout, sorted by what they are."""

    owner: str
    images: dict[Plane, list[str]] = field(default_factory=lambda: defaultdict(list))
    labels: dict[Plane, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
    angles: list[str] = field(default_factory=list)
    clinical: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return safe_text(_base(self.owner))

    def stems(self) -> set[str]:
        return {_stem(path) for paths in self.images.values() for path in paths} | {s for stems in self.labels.values() for s in stems}


@dataclass(slots=True)
class CaseHome:
    """A case folder that is found but not opened: small, however many slices it holds.

    owner: the folder, with the images if they lie apart from the labels. has_images is told for the data set's layout alone.
    folders: every folder with files of the case -> those files, or None where they are listed when `cases` asks for them.
    """

    owner: str
    layout: Literal["dataset", "plain"]
    folders: dict[str, list[str] | None] = field(default_factory=dict)
    has_images: bool = False

    @property
    def name(self) -> str:
        return safe_text(_base(self.owner))

    def cases(self) -> list[CaseRef]:
        """The cases of this folder, usually one, by id; ids are unique here, not in the whole tree."""
        if self.layout == "dataset":
            return sorted(_by_series(self.part()), key=lambda case: case.case_id)
        files = [path for folder, kept in self.folders.items() for path in (_listed(folder)[0] if kept is None else kept)]
        return [CaseRef(self.name or "case", Path(self.owner), "plain", {None: tuple(map(Path, files))})]

    def part(self) -> _Part:
        part = _Part(self.owner)
        for folder, kept in self.folders.items():
            _sort_in(part, folder, _listed(folder)[0] if kept is None else kept)
        return part


def find_cases(root: Path) -> tuple[CaseRef, ...]:
    """All cases below a folder, in a fixed order: the data set's tree in any of its forms, or plain folders of images.

    A plain folder with files is one case, the root too; a single file is a case of one file. A folder with nothing in it at
    all becomes a case without images, so that it is reported. Ids are unique, ignoring case.
    Raises SetupError if root does not exist or cannot be listed.
    """
    if root.is_file():
        root = root.resolve()
        return (CaseRef(safe_text(root.stem), root.parent, "plain", {None: (root,)}),)
    found = [case for home in find_homes(root, keep_names=True) for case in home.cases()]
    return _with_unique_ids(sorted(found, key=lambda case: (str(case.folder), case.case_id)))


def find_homes(root: Path, *, keep_names: bool = False) -> list[CaseHome]:
    """The case folders below a folder, in a fixed order: what `find_cases` gives, before any file name is kept.

    For trees of millions of slices: go through the homes one by one. keep_names: keep the file names, so that no folder is
    listed twice. Raises SetupError if root does not exist or cannot be listed.
    """
    if not root.exists():
        raise SetupError(f"{safe_text(str(root))} does not exist: give a folder of cases or of DICOM files")
    root = root.resolve()
    try:
        os.scandir(root).close()
    except OSError:
        raise SetupError(f"{safe_text(str(root))} cannot be opened: check its permissions and that it is a folder") from None
    homes: dict[str, CaseHome] = {}
    plain: list[CaseHome] = []
    for folder, files, folders in _folders(str(root)):
        kept = files if keep_names else None
        if _is_dataset(folder, files, str(root)):
            owner, _, plane = _standing(folder)
            home = homes.setdefault(owner, CaseHome(owner, "dataset"))
            home.folders[folder] = kept
            home.has_images = home.has_images or any(_is_image(path) and _plane_of(path, plane) for path in files)
        elif (files or not folders) and (not folders or not all(_never_image(path) for path in files)):
            plain.append(CaseHome(folder, "plain", {folder: kept}))
    return sorted(_joined(list(homes.values())) + plain, key=lambda home: home.owner)


def _folders(root: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """(folder, files, subfolders) of the whole tree, sorted; hidden names, links and special files left out."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        files, folders = _listed(folder)
        yield folder, files, folders
        waiting += reversed(folders)


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """Files and subfolders of one folder, sorted; a folder that cannot be listed is reported like an empty one."""
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


def _is_dataset(folder: str, files: list[str], root: str) -> bool:
    if folder != root and _role(folder):
        return True
    return any(_SLICE_NAME.match(_stem(path)) or _ANGLE_NAME.match(_stem(path)) for path in files)


def _role(folder: str) -> str | None:
    name = safe_text(_base(folder)).upper()
    return name if name in _PLANES or name in _ROLES else None


def _standing(folder: str) -> tuple[str, str | None, Plane | None]:
    """The case folder that owns a folder, and what the names in between say: the role, the plane."""
    owner, role, plane = folder, None, None
    while name := _role(owner):
        role = role or name
        plane = plane or _PLANES.get(name)
        owner = owner.rpartition(os.sep)[0]
    return owner, role, plane


def _sort_in(part: _Part, folder: str, files: list[str]) -> None:
    """File a folder's content under what it is."""
    _, role, plane = _standing(folder)
    for path in files:
        home = _plane_of(path, plane)
        if not _is_json(path):
            if home and _is_image(path):
                part.images[home].append(path)
        elif role == "ANGLE" or _ANGLE_NAME.match(_stem(path)):
            part.angles.append(path)
        elif home:
            part.labels[home].setdefault(safe_text(_stem(path)), []).append(path)
        else:
            part.clinical.append(path)


def _plane_of(path: str, plane: Plane | None) -> Plane | None:
    """The plane of a slice by its folder, else by its own name."""
    if plane is None and (named := _SLICE_NAME.match(_stem(path))):
        return _PLANES[named["plane"].upper()]
    return plane


def _joined(homes: list[CaseHome]) -> list[CaseHome]:
    """Labels and clinical files that lie apart go to the image folder of the same name, the best match if several."""
    whole = [home for home in homes if home.has_images]
    by_name: dict[str, list[CaseHome]] = defaultdict(list)
    for home in whole:
        by_name[home.name].append(home)
    stems = {id(home): home.part().stems() for home in whole if len(by_name[home.name]) > 1}
    for home in homes:
        if home.has_images:
            continue
        rivals = by_name[home.name]
        if not rivals:
            rivals.append(home)
            whole.append(home)
        elif len(rivals) == 1:
            rivals[0].folders.update(home.folders)
        else:
            mine, way = home.part().stems(), _way(home.owner)
            best = max(rivals, key=lambda rival: (len(mine & stems.get(id(rival), set())), len(way & _way(rival.owner))))
            best.folders.update(home.folders)
    return whole


def _way(folder: str) -> set[str]:
    """The folder names on the way, without what tells images from labels (`TS_`/`TL_`, `VS_`/`VL_`, the split folders)."""
    names = (safe_text(name) for name in Path(folder).parts)
    return {re.sub(r"^([TV])[SL]_", r"\1_", name) for name in names if not any(fragment in name for fragment in SPLIT_FRAGMENTS)}


def _by_series(part: _Part) -> list[CaseRef]:
    """One case, or one for each series (study and side) where the file names tell of several."""
    names = {_series(stem) for stem in part.stems()}
    if len(names) < 2 or None in names:
        return [_case(part, part.name)]
    return [_case(_only(part, name), f"{part.name}_{_tail(name)}") for name in sorted(name for name in names if name)]


def _only(part: _Part, series: str) -> _Part:
    images = {plane: [p for p in paths if _series(_stem(p)) == series] for plane, paths in part.images.items()}
    labels = {plane: {s: files for s, files in stems.items() if _series(s) == series} for plane, stems in part.labels.items()}
    angles = [p for p in part.angles if (m := _ANGLE_NAME.match(_stem(p))) is None or safe_text(m["series"]) == series]
    return replace(part, images=images, labels=labels, angles=angles)


def _series(stem: str) -> str | None:
    match = _SLICE_NAME.match(stem)
    return safe_text(match["series"]) if match else None


def _tail(series: str) -> str:
    return "_".join(series.split("_")[-2:])


def _case(part: _Part, case_id: str) -> CaseRef:
    return CaseRef(
        case_id=case_id or "case",
        folder=Path(part.owner),
        layout="dataset",
        images={plane: tuple(map(Path, sorted(part.images[plane]))) for plane in Plane if part.images.get(plane)},
        labels={
            plane: {stem: tuple(map(Path, sorted(files))) for stem, files in sorted(part.labels[plane].items())}
            for plane in Plane if part.labels.get(plane)
        },
        angle_files=tuple(map(Path, sorted(part.angles))),
        clinical_files=tuple(map(Path, sorted(part.clinical))),
    )  # fmt: skip


def _with_unique_ids(cases: list[CaseRef]) -> tuple[CaseRef, ...]:
    """Cases of one id get the parent folder's name in front, then `~2`, `~3`: outputs must never collide, on any disk."""
    often = Counter(case.case_id.casefold() for case in cases)
    taken: set[str] = set()
    unique = []
    for case in cases:
        wanted = case.case_id
        if often[wanted.casefold()] > 1:
            wanted = f"{safe_text(case.folder.parent.name)}_{wanted}"
        case_id, number = wanted, 1
        while case_id.casefold() in taken or (case_id != case.case_id and case_id.casefold() in often):
            number += 1
            case_id = f"{wanted}~{number}"
        taken.add(case_id.casefold())
        unique.append(replace(case, case_id=case_id))
    return tuple(unique)


def _base(path: str) -> str:
    return path.rpartition(os.sep)[2]


def _stem(path: str) -> str:
    name = _base(path)
    return name.rpartition(".")[0] or name


def _is_json(path: str) -> bool:
    return path.lower().endswith(".json")


def _is_image(path: str) -> bool:
    return not _is_json(path) and not _never_image(path)


def _never_image(path: str) -> bool:
    name = _base(path)
    return f".{name.lower().rpartition('.')[2]}" in NEVER_IMAGES or name.upper() == "DICOMDIR"
