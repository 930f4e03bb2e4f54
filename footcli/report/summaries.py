"""run.json, measurements.csv and index.html: the union of all that an output folder holds, whoever
wrote it and when.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from footcli import __version__
from footcli.domain import CaseResult
from footcli.errors import CaseError
from footcli.report.index import write_index
from footcli.store.contents import union
from footcli.store.journal import Record
from footcli.store.result import dumps, load_result
from footcli.store.table import measurements_csv
from footcli.system.files import locked, write_atomic

RUN = "run.json"
RUN_SCHEMA = "footcli-run/1"
SHARE = 0.05  # of a run's time that the summaries may take while it goes on


def write_summaries(
    out: Path,
    lang: str,
    head: Mapping[str, Any] | None = None,
    own: Mapping[str, Record] | None = None,
) -> None:
    """Write the three files anew.

    Other processes that write here wait, so that nobody's cases are lost. Raises OSError.

    head: version, device and options of this run, None to keep those of the last one. own: this
    run's records by case id.
    """
    with locked(out):
        cases = [
            {**record, **(own or {}).get(record["case_id"], {}), "folders": record["folders"]}
            for record in union(out)
        ]
        results: dict[str, CaseResult] = {}
        for name in (name for case in cases for name in case["folders"]):
            with suppress(CaseError):  # the index says that it cannot be read
                results[name] = load_result(out / name)
        run = {**(head or _last_head(out)), "schema": RUN_SCHEMA, "cases": cases}
        write_atomic(out / RUN, dumps(run).encode())
        failed = {name for case in cases if case["outcome"] == "failed" for name in case["folders"]}
        listed = (
            result for name, result in results.items() if name not in failed
        )  # not what other options gave
        write_atomic(out / "measurements.csv", measurements_csv(listed).encode("utf-8-sig"))
        write_index(out, cases, results, lang)


def _last_head(out: Path) -> dict[str, Any]:
    try:
        run = json.loads((out / RUN).read_text("utf-8"))
        return {key: value for key, value in run.items() if key not in ("cases", "schema")}
    except (OSError, ValueError, AttributeError):
        return {"version": __version__}


class Pace:
    """When a run that goes on writes its summaries: never so often that it takes more than SHARE of
    its time.
    """

    def __init__(self) -> None:
        self._next = time.monotonic() + 1.0

    def due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._next

    def spent(self, seconds: float) -> None:
        """Writing them has just taken so long."""
        self._next = time.monotonic() + max(1.0, seconds / SHARE)
