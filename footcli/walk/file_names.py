"""What a file's name says: image or label, slice or angle, which plane, a second download."""

from __future__ import annotations

import os
import re

from footcli.domain import Plane
from footcli.system.names import safe_text

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
PLANES = {plane.value: plane for plane in Plane}
_ROLES = frozenset(("ANGLE", "CLINICALINFO", "BBOX"))
_SLICE_NAME = re.compile(r"^(?P<series>.+)_(?P<plane>AXL|COR|SAG)_\d+$", re.IGNORECASE)
# What browsers and file managers put before the ending of a second file of one name
_COPY = re.compile(r"( ?\(\d+\)| - (?:Copy|복사본|사본)(?: \(\d+\))?)(\.\w+)?$")
ANGLE_NAME = re.compile(r"^(?P<series>.+)_angle$", re.IGNORECASE)


def role_of(folder: str) -> str | None:
    """A folder's name where it is a plane's or a role's in the data set's layout."""
    name = safe_text(base_name(folder)).upper()
    return name if name in PLANES or name in _ROLES else None


def without_copy_mark(name: str) -> str:
    """The name without the mark of a second download."""
    return _COPY.sub(r"\2", name)


def tells_of_slices(path: str) -> bool:
    """Whether a file's name is one of the data set's own: of a slice, or of a series' angles."""
    return bool(_SLICE_NAME.match(stem_of(path)) or ANGLE_NAME.match(stem_of(path)))


def plane_of(path: str, plane: Plane | None) -> Plane | None:
    """The plane of a slice by its folder, else by its own name."""
    if plane is None and (named := _SLICE_NAME.match(stem_of(path))):
        return PLANES[named["plane"].upper()]
    return plane


def angle_series_of(path: str) -> str | None:
    """The series of an angle file by its name; None for another file."""
    match = ANGLE_NAME.match(stem_of(path))
    return safe_text(match["series"]) if match else None


def series_of(stem: str) -> str | None:
    """The series of a slice by its stem; None for another name."""
    match = _SLICE_NAME.match(stem)
    return safe_text(match["series"]) if match else None


def base_name(path: str) -> str:
    """The last part of a path."""
    return path.rpartition(os.sep)[2]


def stem_of(path: str) -> str:
    """The name without ending, and without the mark of a second download."""
    name = without_copy_mark(base_name(path))
    return name.rpartition(".")[0] or name


def is_json(path: str) -> bool:
    """Whether a file is JSON by its ending."""
    return path.lower().endswith(".json")


def is_image(path: str) -> bool:
    """Whether a file may be an image by its name."""
    return not is_json(path) and not never_image(path)


def never_image(path: str) -> bool:
    """Whether a file is no image by its name."""
    name = base_name(path)
    return f".{name.lower().rpartition('.')[2]}" in NEVER_IMAGES or name.upper() == "DICOMDIR"
