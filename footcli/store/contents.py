"""The cases of an output folder: the union of its journal and its result folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from footcli.errors import CaseError, SetupError
from footcli.identity import scan_id
from footcli.store.journal import JournalLine, read_journal
from footcli.store.result import RESULT, load_result


def folders_in(out: Path) -> list[Path]:
    """The folders with a result, sorted.

    Raises SetupError if there is neither a result nor a journal record.
    """
    journal = read_journal(out)
    found: list[str] = []
    for record in union(out, journal):
        found += record.folders
    if not found and not journal:
        raise SetupError(f"{out}: holds no results; name a results folder of footcli analyze")
    return [out / name for name in sorted(found)]


def union(out: Path, journal: Sequence[JournalLine] | None = None) -> list[JournalLine]:
    """One record for each case, by id: its last journal line, with its existing folders.

    Results missing from the journal are listed as done, under the id in the result. A case that
    failed after it was done keeps the folders of its earlier result. Folders that begin with a dot
    are unfinished and left out.
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
    """Names of the folders with a result, sorted."""
    found = [f for f in out.iterdir() if not f.name.startswith(".")] if out.is_dir() else []
    return sorted(f.name for f in found if not f.is_symlink() and (f / RESULT).is_file())


def _stated_id(folder: Path) -> str:
    """The scan id in a folder's result; the folder's name if the result cannot be read."""
    try:
        return scan_id(load_result(folder).case_id)
    except CaseError:
        return folder.name
