"""A results folder and its truth -> the evaluation as JSON: pair cases, score each, summarise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from footcli import __version__
from footcli.errors import CaseError, TruthError
from footcli.evaluate.against import case_numbers, compare
from footcli.evaluate.case_scores import CaseScores
from footcli.evaluate.gather import gather
from footcli.evaluate.pairs import Pair, line_up, refuse
from footcli.evaluate.summary import summarise, unknown_labels
from footcli.evaluate.validators import validate
from footcli.system.processes import in_processes

SCHEMA = "footcli-evaluation/1"
Protocol = Literal["coco", "validators"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """How cases are processed: number of processes, and a callback after each case."""

    jobs: int = 1
    tell: Callable[[], None] = lambda: None


def evaluate(
    out: Path,
    truth: Path,
    *,
    protocol: Protocol = "coco",
    against: Path | None = None,
    allow_missing: bool = False,
    work: Work | None = None,
) -> Json:
    """The evaluation of a results folder.

    Raises TruthError where truth and results do not match, unless allow_missing, and where no case
    is left to compare.
    """
    work = work or Work()
    cases, left_out = _scores(out, truth, allow_missing, work)
    result: Json = {
        "schema": SCHEMA,
        "version": __version__,
        "protocol": protocol,
        "left_out": left_out,
    }
    result |= (
        {"n_cases": len(cases)} | validate(cases) if protocol == "validators" else summarise(cases)
    )
    result["unknown_labels"] = unknown_labels(cases)
    result["cases"] = [{"case_id": c.case_id, "folder": c.folder, **case_numbers(c)} for c in cases]
    if against is not None:
        others, missing = _scores(against, truth, allow_missing, work)
        result["against"] = {"left_out": missing, "metrics": compare(cases, others)}
    return {key: plain(value) for key, value in result.items()}


def _scores(
    out: Path, truth: Path, allow_missing: bool, work: Work
) -> tuple[list[CaseScores], dict[str, str]]:
    lined = line_up(out, truth)
    left_out = dict(lined.left_out)
    if not allow_missing:
        refuse(left_out)
    cases: list[CaseScores] = []
    for pair, found in zip(lined.pairs, in_processes(_safe, lined.pairs, work.jobs), strict=True):
        if isinstance(found, CaseScores):
            cases.append(found)
        else:
            left_out[pair.truth.case_id] = found
        work.tell()
    if not allow_missing:
        refuse(left_out)
    if not cases:
        raise TruthError(
            "no case is left to compare: truth and results have no case id in common, or show "
            "different grids"
        )
    return cases, left_out


def _safe(pair: Pair) -> CaseScores | str:
    """The case's scores, or one line that says why there are none."""
    try:
        return gather(pair)
    except (TruthError, CaseError) as error:
        return str(error)
    # one bad case must not stop the others; show only the error's type, as its text may hold values
    except Exception as error:  # noqa: BLE001
        return f"cannot be scored ({type(error).__name__}): look at its labels and analyse it again"


def plain(value: Any) -> Any:
    """Python numbers only; NaN and infinity become None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    return None if isinstance(value, float) and not np.isfinite(value) else value
