"""What an output folder holds: the union of what its journal and its folders say, whoever wrote
them and when.
"""

from __future__ import annotations

from pathlib import Path

from footcli.errors import CaseError, SetupError
from footcli.identity import scan_id
from footcli.store.journal import Record, read_journal
from footcli.store.result import RESULT, load_result


def folders_in(out: Path) -> list[Path]:
    """The folders that hold a result.

    Raises SetupError where there is none, and no record of a case that failed either.
    """
    found = [name for record in union(out) for name in record["folders"]]
    if not found and not read_journal(out):
        raise SetupError(f"{out}: holds no results; name a results folder of footcli analyze")
    return [out / name for name in sorted(found)]


def union(out: Path) -> list[Record]:
    """A record for each case, by id: what the journal says of it last, with the folders that are
    there.

    Results that the journal does not know are entered as done, under what they say of themselves. A
    case that failed after it was done keeps the folders of its earlier result. What begins with a
    dot is being made ready.
    """
    records: dict[str, Record] = {}
    owner: dict[str, str] = {}
    for record in read_journal(out):
        records[record["case_id"]] = record
        owner |= {str(name): record["case_id"] for name in record["folders"]}
    folders: dict[str, list[str]] = {}
    for folder in sorted(out.iterdir()) if out.is_dir() else ():
        if (
            not folder.name.startswith(".")
            and not folder.is_symlink()
            and (folder / RESULT).is_file()
        ):
            folders.setdefault(owner.get(folder.name) or _said_id(folder), []).append(folder.name)
    cases = []
    for case_id in sorted(records.keys() | folders.keys()):
        record = {
            "case_id": case_id,
            "outcome": "done",
            **records.get(case_id, {}),
            "folders": folders.get(case_id, []),
        }
        if record["folders"] or record["outcome"] == "failed":
            cases.append(record)
    return cases


def _said_id(folder: Path) -> str:
    """The id of the scan that a folder's result is of, as the result says."""
    try:
        return scan_id(load_result(folder).case_id)
    except CaseError:
        return folder.name
