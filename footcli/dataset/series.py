"""Parse the data set's file names into institution, group, case number and side."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SERIES = re.compile(
    r"^A_(?P<institution>[^_]+)_(?P<group>[^_]+)_(?P<case>[^_]+)_(?P<study>[^_]+)_(?P<side>[LR])"
    r"(?:_|$)"
)


@dataclass(frozen=True, slots=True)
class SeriesName:
    """The parts of a file name of the data set, as written."""

    institution: str
    group: str
    number: str
    side: str


def series_name(stem: str) -> SeriesName | None:
    """Parse names such as `A_H07_N_9999999999_ST01_L_AXL_0295`; None for any other name."""
    match = _SERIES.match(stem)
    if match is None:
        return None
    return SeriesName(match["institution"], match["group"], match["case"], match["side"])
