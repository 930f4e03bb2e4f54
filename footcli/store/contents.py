"""What an output folder holds: the union of what its journal and its folders say, whoever wrote
them and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from footcli.errors import CaseError, SetupError
from footcli.identity import scan_id
from footcli.store.journal import JournalLine, read_journal
from footcli.store.result import RESULT, load_result


def folders_in(out: Path) -> list[Path]:
    """The folders that hold a result.

    Raises SetupError where there is none, and no record of a case that failed either.
    """
    journal = read_journal(out)
    found: list[str] = []
    for record in union(out, journal):
        found += record.folders
    if not found and not journal:
        raise SetupError(f"{out}: holds no results; name a results folder of footcli analyze")
    return [out / name for name in sorted(found)]


def union(out: Path, journal: Sequence[JournalLine] | None = None) -> list[JournalLine]:
    """A record for each case, by id: what the journal says of it last, with the folders there are.

    Results that the journal does not know are entered as done, under what they say of themselves. A
    case that failed after it was done keeps the folders of its earlier result. What begins with a
    dot is being made ready.
    """
    records: dict[str, JournalLine] = {}
    owner: dict[str, str] = {}
    for record in read_journal(out) if journal is None else journal:
        records[record.case_id] = record
        owner |= dict.fromkeys(record.folders, record.case_id)
    folders: dict[str, list[str]] = {}
    for name in _results(out):
        case_id = owner.get(name) or _stated_id(out / name)
        folders.setdefault(case_id, []).append(name)
    cases = []
    for case_id in sorted(records.keys() | folders.keys()):
        known = records.get(case_id, JournalLine(case_id, "done"))
        record = replace(known, folders=tuple(folders.get(case_id, ())))
        if record.folders or record.outcome == "failed":
            cases.append(record)
    return cases


def _results(out: Path) -> list[str]:
    """Names of the folders that hold a result, sorted."""
    found = [f for f in out.iterdir() if not f.name.startswith(".")] if out.is_dir() else []
    return sorted(f.name for f in found if not f.is_symlink() and (f / RESULT).is_file())


def _stated_id(folder: Path) -> str:
    """The id of the scan that a folder's result is of, as the result says."""
    try:
        return scan_id(load_result(folder).case_id)
    except CaseError:
        return folder.name
