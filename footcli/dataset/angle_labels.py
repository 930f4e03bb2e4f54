"""The key points of a series <-> the data set's angle JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from footcli.dataset.annotation_items import (
    annotations_of,
    as_dict,
    as_list,
    numbers,
    read_object,
    word,
)
from footcli.dataset.outlines import plain_number
from footcli.domain import Point
from footcli.errors import TruthError
from footcli.kinds import LANDMARKS
from footcli.system.files import write_json
from footcli.system.names import safe_text

_SPELLING = {name.casefold(): name for name in LANDMARKS}


def read_angle_label(path: Path) -> dict[str, Point]:
    """Key points of a series: name -> (x, y, z) voxels.

    Known names in their usual spelling, others as written.

    Points without three finite numbers are left out. Raises TruthError if the file is no annotation
    JSON, or names a point twice at different places.
    """
    return read_angle_points(path)[0]


def read_angle_points(path: Path) -> tuple[dict[str, Point], int]:
    """What `read_angle_label` gives, and how many entries were left out.

    Left out is what has no name, or no three finite numbers. Raises TruthError.
    """
    points: dict[str, Point] = {}
    left_out = 0
    for item in annotations_of(read_object(path), path):
        for entry in as_list(item.get("anglePoint_list")):
            found = _point(as_dict(entry))
            if found is None:
                left_out += 1
                continue
            name, point = found
            if points.setdefault(name, point) != point:
                raise TruthError(
                    f"{safe_text(path.name)} gives the point {name} twice, at different places: "
                    "remove one"
                )
    return points, left_out


def _point(entry: dict[str, object]) -> tuple[str, Point] | None:
    """A point in its usual spelling, None where it has no name or no place."""
    name, at = entry.get("pt_name"), numbers(as_dict(entry.get("pt_pos")), "X", "Y", "Z")
    if not isinstance(name, str) or at is None:
        return None
    return _SPELLING.get(name.strip().casefold(), word(name, 60)), (at[0], at[1], at[2])


def write_angle_label(path: Path, points: Mapping[str, Point]) -> None:
    """Write the key points of a series. Raises OSError, ValueError for NaN."""
    entries = [
        {
            "pt_name": name,
            "pt_pos": {"X": plain_number(x), "Y": plain_number(y), "Z": plain_number(z)},
        }
        for name, (x, y, z) in points.items()
    ]
    write_json(path, {"ArrayOfannotation_info": [{"anglePoint_list": entries}]})
