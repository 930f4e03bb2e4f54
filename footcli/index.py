"""A run -> index.html, its cases worst first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from footcli import messages, names
from footcli.domain import Level
from footcli.errors import CaseError
from footcli.files import write_atomic
from footcli.page import LEVEL_STATE, page, report_link, term_title
from footcli.results import load_result

Strings = Mapping[str, str]


def write_index(out: Path, run: Mapping[str, Any], lang: str = "en") -> Path:
    """index.html of a run: its cases, worst first.

    run: {"cases": [{"case_id": str, "outcome": "done" | "failed" | "skipped", "folders": [names of folders under `out`],
    "code": str | None, "message": str | None}, ...]}; each folder's findings are read from its result.json.
    """
    t = messages.strings(lang)
    rows = [row for case in run.get("cases", ()) for row in _index_rows(out, case, t, lang)]
    failed = sum(case.get("outcome") == "failed" for case in run.get("cases", ()))
    text = page(
        "index.html.j2",
        lang,
        ("index.js",),
        heads=(("0", t["case"]), ("1", t["side"]), ("2", t["outcome"]), ("rank", t["findings"])),
        findings=[(term.name, term_title(names.FINDINGS, term.name, lang)) for term in names.FINDINGS],
        levels=[(level.value, t[f"level.{level.value}"]) for level in (Level.PRESENT, Level.BORDERLINE, Level.NOT_MEASURABLE)],
        rows=sorted(rows, key=lambda row: (row["rank"], row["title"])),
        total=t["total"].format(len(run.get("cases", ())), failed),
    )
    path = out / "index.html"
    write_atomic(path, text.encode("utf-8"))
    return path


def _index_rows(out: Path, case: Mapping[str, Any], t: Strings, lang: str) -> list[dict[str, Any]]:
    """A row for each foot of a case, or one for a case that failed."""
    case_id, outcome = str(case.get("case_id", "?")), str(case.get("outcome", "done"))
    if outcome == "failed":
        reason = " ".join(str(case[key]) for key in ("message", "code") if case.get(key))
        row: dict[str, Any] = {"title": case_id, "link": None, "side": "", "chips": [], "text": reason, "rank": (-1, 0), "found": ""}
        return [{**row, "state": "outside", "word": t["outcome.failed"]}]
    word = t.get(f"outcome.{outcome}", outcome)
    return [_index_row(out, str(folder), word, t, lang) for folder in case.get("folders", (case_id,))]


def _index_row(out: Path, folder: str, word: str, t: Strings, lang: str) -> dict[str, Any]:
    row: dict[str, Any] = {"title": folder, "link": report_link(folder), "state": "within", "word": word}
    row |= {"side": "", "chips": [], "text": "", "found": ""}
    try:
        if Path(folder).name != folder:
            raise CaseError("bad_folder", "a result lies in a folder of the output folder")
        result = load_result(out / folder)
    except CaseError:
        return {**row, "link": None, "state": "missing", "word": t["unreadable"], "rank": (0, 0)}
    found = [f for level in (Level.PRESENT, Level.BORDERLINE) for f in result.findings if f.level is level and f.name != "normal"]
    rank = (1, -2 * sum(f.level is Level.PRESENT for f in found) - sum(f.level is Level.BORDERLINE for f in found))
    chips = [(LEVEL_STATE[f.level], term_title(names.FINDINGS, f.name, lang)) for f in found]
    if not found and any(f.name == "normal" and f.level is Level.PRESENT for f in result.findings):
        chips = [("within", term_title(names.FINDINGS, "normal", lang))]
    told = " ".join(f"{f.name}:{f.level.value}" for f in result.findings)
    return {**row, "side": t[f"side.{result.side}"], "chips": chips, "rank": rank, "found": told}
