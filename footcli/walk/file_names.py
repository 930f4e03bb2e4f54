"""Classify a file by its name: image or label, slice or angle, plane, second download."""

from __future__ import annotations

import os
import re

from footcli.domain import Plane
from footcli.system.names import safe_text

NEVER_IMAGES = frozenset(
    f".{ending}"
    for ending in (
        "bat",
        "cab",
        "chm",
        "class",
        "cfg",
        "css",
        "csv",
        "dll",
        "doc",
        "docx",
        "dtd",
        "exe",
        "htm",
        "html",
        "ico",
        "inf",
        "ini",
        "jar",
        "js",
        "json",
        "lnk",
        "log",
        "md",
        "msi",
        "npz",
        "pdf",
        "ply",
        "py",
        "rtf",
        "sh",
        "sql",
        "toml",
        "tsv",
        "txt",
        "url",
        "xls",
        "xlsx",
        "xml",
        "xsl",
        "yaml",
        "yml",
    )
)
"""Endings of files that are never images. Such files alone (a read-me, for example) do not make a
folder with subfolders a case.
"""
PLANES = {plane.value: plane for plane in Plane}
_ROLES = frozenset(("ANGLE", "CLINICALINFO", "BBOX"))
_SLICE_NAME = re.compile(r"^(?P<series>.+)_(?P<plane>AXL|COR|SAG)_\d+$", re.IGNORECASE)
# What browsers and file managers insert before the ending of a second file of the same name
_COPY = re.compile(r"( ?\(\d+\)| - (?:Copy|복사본|사본)(?: \(\d+\))?)(\.\w+)?$")
ANGLE_NAME = re.compile(r"^(?P<series>.+)_angle$", re.IGNORECASE)


def role_of(folder: str) -> str | None:
    """A folder's name, in capitals, if it is a plane or a role in the data set's layout."""
    name = safe_text(base_name(folder)).upper()
    return name if name in PLANES or name in _ROLES else None


def without_copy_mark(name: str) -> str:
    """The name without the mark of a second download."""
    return _COPY.sub(r"\2", name)


def tells_of_slices(path: str) -> bool:
    """Whether a file's name is in the data set's form, for a slice or the angles of a series."""
    return bool(_SLICE_NAME.match(stem_of(path)) or ANGLE_NAME.match(stem_of(path)))


def plane_of(path: str, plane: Plane | None) -> Plane | None:
    """The plane of a slice: of its folder (`plane`) if known, else by its name."""
    if plane is None and (named := _SLICE_NAME.match(stem_of(path))):
        return PLANES[named["plane"].upper()]
    return plane


def angle_series_of(path: str) -> str | None:
    """The series of an angle file by its name; None for any other file."""
    match = ANGLE_NAME.match(stem_of(path))
    return safe_text(match["series"]) if match else None


def series_of(stem: str) -> str | None:
    """The series of a slice by its stem; None for any other name."""
    match = _SLICE_NAME.match(stem)
    return safe_text(match["series"]) if match else None


def base_name(path: str) -> str:
    """The last part of a path."""
    return path.rpartition(os.sep)[2]


def stem_of(path: str) -> str:
    """The file name without its ending and the mark of a second download."""
    name = without_copy_mark(base_name(path))
    return name.rpartition(".")[0] or name


def is_json(path: str) -> bool:
    """Whether a file's ending is that of JSON."""
    return path.lower().endswith(".json")


def is_image(path: str) -> bool:
    """Whether a file may be an image, judged by its name."""
    return not is_json(path) and not never_image(path)


def never_image(path: str) -> bool:
    """Whether a file cannot be an image, judged by its name; JSON files included."""
    name = base_name(path)
    return f".{name.lower().rpartition('.')[2]}" in NEVER_IMAGES or name.upper() == "DICOMDIR"
