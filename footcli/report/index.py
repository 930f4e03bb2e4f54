"""Cases and their results -> index.html, worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from footcli.domain import CaseResult, Finding, Level
from footcli.kinds import FINDINGS
from footcli.store.journal import JournalLine
from footcli.system.files import write_atomic
from footcli.text.wording import text
from footcli.web.page import LEVEL_STATE, page, report_link, strings, term_title

Strings = Mapping[str, str]


def write_index(
    out: Path,
    cases: Sequence[JournalLine],
    results: Mapping[str, CaseResult],
    lang: str = "en",
) -> Path:
    """Write index.html of an output folder, worst cases first; returns its path.

    A failed case may have folders of an earlier result. results: folder name -> result, without
    unreadable ones. Raises OSError, and SetupError for an unknown language.
    """
    t = strings(lang)
    rows: list[dict[str, Any]] = []
    for case in cases:
        rows += _index_rows(case, results, t, lang)
    failed = sum(case.outcome == "failed" for case in cases)
    text = page(
        "index.html.j2",
        lang,
        ("index.js",),
        heads=(("0", t["case"]), ("1", t["side"]), ("2", t["outcome"]), ("rank", t["findings"])),
        findings=[(term.name, term_title("finding", term.name, lang)) for term in FINDINGS],
        levels=[
            (level.value, t[f"level.{level.value}"])
            for level in (Level.PRESENT, Level.POSSIBLE, Level.NOT_MEASURABLE)
        ],
        rows=sorted(rows, key=lambda row: (row["rank"], row["title"])),
        total=t["total"].format(len(cases), failed),
    )
    path = out / "index.html"
    write_atomic(path, text.encode("utf-8"))
    return path


def _index_rows(
    case: JournalLine, results: Mapping[str, CaseResult], t: Strings, lang: str
) -> list[dict[str, Any]]:
    """A row for each foot of a case, after one for its failure."""
    rows: list[dict[str, Any]] = []
    word = t.get(f"outcome.{case.outcome}", case.outcome)
    if case.outcome == "failed":
        row: dict[str, Any] = {
            "title": case.case_id,
            "link": None,
            "side": "",
            "chips": [],
            "found": "",
        }
        rows.append(
            {**row, "text": _reason(case, lang), "rank": (-1, 0), "state": "outside", "word": word}
        )
        word = t["outcome.earlier"]
    for folder in case.folders:
        rows.append(_index_row(folder, results.get(folder), word, t, lang))
    return rows


def _reason(case: JournalLine, lang: str) -> str:
    if case.failure is None:
        return ""
    return f"{text(case.failure, lang)} {case.failure.family}"


def _index_row(
    folder: str, result: CaseResult | None, word: str, t: Strings, lang: str
) -> dict[str, Any]:
    row: dict[str, Any] = {"title": folder, "side": "", "chips": [], "text": "", "found": ""}
    if result is None:
        return {**row, "link": None, "state": "missing", "word": t["unreadable"], "rank": (0, 0)}
    present, possible = _diseases(result, Level.PRESENT), _diseases(result, Level.POSSIBLE)
    chips = [
        (LEVEL_STATE[f.level], term_title("finding", f.name, lang)) for f in (*present, *possible)
    ]
    levels = [f"{f.name}:{f.level.value}" for f in result.findings]
    if not chips and f"normal:{Level.PRESENT.value}" in levels:
        chips = [("within", term_title("finding", "normal", lang))]
    return {
        **row,
        "link": report_link(folder),
        "state": "within",
        "word": word,
        "side": t[f"side.{result.side}"],
        "chips": chips,
        "rank": (1, -2 * len(present) - len(possible)),
        "found": " ".join(levels),
    }


def _diseases(result: CaseResult, level: Level) -> list[Finding]:
    """The findings of a level, without `normal`."""
    return [f for f in result.findings if f.level is level and f.name != "normal"]
