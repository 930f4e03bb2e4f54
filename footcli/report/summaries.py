"""Writes run.json, measurements.csv and index.html, over all cases of an output folder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from footcli.domain import CaseResult
from footcli.errors import CaseError
from footcli.report.index import write_index
from footcli.store.codec import dumps, from_plain
from footcli.store.contents import union
from footcli.store.journal import JournalLine
from footcli.store.result import load_result
from footcli.store.run_record import RUN, RunRecord
from footcli.store.table import measurements_csv
from footcli.system.files import locked, write_atomic

SHARE = 0.05  # largest share of a run's time spent on summaries


def write_summaries(
    out: Path,
    lang: str,
    run: RunRecord | None = None,
    own: Mapping[str, JournalLine] | None = None,
) -> None:
    """Rewrite the three files, under the folder's lock, so that no process loses cases.

    run: this run without its cases, None to keep the last run's record. own: this run's records by
    case id. Raises OSError.
    """
    with locked(out):
        cases = _cases(out, own or {})
        results: dict[str, CaseResult] = {}
        for case in cases:
            for name in case.folders:
                with suppress(CaseError):  # the index lists it as unreadable
                    results[name] = load_result(out / name)
        record = replace(run or _last_run(out), cases=tuple(cases))
        write_atomic(out / RUN, dumps(record).encode())
        write_atomic(out / "measurements.csv", _table(cases, results).encode("utf-8-sig"))
        write_index(out, cases, results, lang)


def _cases(out: Path, own: Mapping[str, JournalLine]) -> list[JournalLine]:
    """One record for each case of the folder; this run's record replaces the stored one."""
    cases = []
    for record in union(out):
        known = own.get(record.case_id, record)
        cases.append(replace(known, folders=record.folders))
    return cases


def _table(cases: Sequence[JournalLine], results: Mapping[str, CaseResult]) -> str:
    """measurements.csv without the earlier results of cases whose last run failed."""
    failed: set[str] = set()
    for case in cases:
        if case.outcome == "failed":
            failed.update(case.folders)
    return measurements_csv(result for name, result in results.items() if name not in failed)


def _last_run(out: Path) -> RunRecord:
    try:
        data = json.loads((out / RUN).read_text("utf-8"))
        kept = {key: data[key] for key in ("version", "device", "options") if key in data}
        return from_plain(kept, RunRecord)
    except (OSError, ValueError, TypeError, AttributeError):
        return RunRecord()


class Pace:
    """Paces a run's summaries so that they take at most SHARE of its time."""

    def __init__(self) -> None:
        self._next = time.monotonic() + 1.0

    def due(self) -> bool:
        """Whether it is time to write the summaries."""
        return time.monotonic() >= self._next

    def spent(self, seconds: float) -> None:
        """Record that the summaries have just taken so many seconds."""
        self._next = time.monotonic() + max(1.0, seconds / SHARE)
