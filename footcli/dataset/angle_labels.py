"""Read and write the landmarks of a series as the data set's angle JSON."""

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
    """Landmarks of a series: name -> (x, y, z) voxels.

    Known names get their standard spelling, others stay as written. Points without three finite
    numbers are left out. Raises TruthError if the file is not an annotation JSON, or gives a point
    twice at different positions.
    """
    return read_angle_points(path)[0]


def read_angle_points(path: Path) -> tuple[dict[str, Point], int]:
    """The result of `read_angle_label`, and the number of entries left out.

    Entries without a name or without three finite numbers are left out. Raises TruthError.
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
    """Name, in its standard spelling, and position; None if an entry lacks one of them."""
    name, at = entry.get("pt_name"), numbers(as_dict(entry.get("pt_pos")), "X", "Y", "Z")
    if not isinstance(name, str) or at is None:
        return None
    return _SPELLING.get(name.strip().casefold(), word(name, 60)), (at[0], at[1], at[2])


def write_angle_label(path: Path, points: Mapping[str, Point]) -> None:
    """Write the landmarks of a series, (x, y, z) voxels. Raises OSError, ValueError for NaN."""
    entries = [
        {
            "pt_name": name,
            "pt_pos": {"X": plain_number(x), "Y": plain_number(y), "Z": plain_number(z)},
        }
        for name, (x, y, z) in points.items()
    ]
    write_json(path, {"ArrayOfannotation_info": [{"anglePoint_list": entries}]})
