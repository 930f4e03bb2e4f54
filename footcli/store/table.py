"""Measurements of many cases -> measurements.csv."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

from footcli.domain import CaseResult
from footcli.text.lines import DECIMALS
from footcli.text.wording import text

CSV_HEADER = (
    "case_id",
    "side",
    "name",
    "source",
    "value",
    "unit",
    "why_missing",
    "confidence",
    "slice",
)


def measurements_csv(results: Iterable[CaseResult]) -> str:
    """measurements.csv: a header and one line per measurement and source, in the given order."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for result in results:
        writer.writerows(measurement_rows(result))
    return buffer.getvalue()


def measurement_rows(result: CaseResult) -> list[list[str]]:
    """One row per measurement, cells as text, columns as in CSV_HEADER; empty for None.

    Safe to open in a spreadsheet.
    """
    rows = []
    for m in result.measurements:
        why = None if m.why_missing is None else text(m.why_missing)
        values = (m.name, m.source, m.value, m.unit, why, m.confidence, m.slice)
        rows.append([csv_cell(cell) for cell in (result.case_id, result.side, *values)])
    return rows


def csv_cell(value: str | float | None) -> str:
    """Text of a cell; a text that a spreadsheet would take for a formula gets a leading '."""
    if value is None:
        return ""
    shown = str(round(value, DECIMALS)) if isinstance(value, float) else str(value)
    formula = shown.startswith(("=", "+", "-", "@", "\t", "\r")) and not re.fullmatch(
        r"[+-]?\d+(\.\d+)?", shown
    )
    return ("'" + shown if formula else shown).encode("utf-8", "backslashreplace").decode("utf-8")
