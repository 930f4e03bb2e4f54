"""journal.jsonl of an output folder: one line each time a case was finished or failed.

Lines are only ever added.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from footcli.store.result import MASKS, RESULT, VIEWS
from footcli.system.files import locked, sweep

JOURNAL = "journal.jsonl"
Record = dict[str, Any]
"""case_id, outcome (done, redone, skipped, failed), folders, code, message, seconds; and of a
finished case
redone (why it was done again, or None), set_aside (files with a sign-off that is about earlier
values), source (see identity.source_digest), pixels_sha256, result_sha256 (folder name -> hash over
its files, see result_digest).
"""


def open_journal(out: Path) -> None:
    """Make the output folder and its journal; what killed runs left half-made is removed.

    Raises OSError.
    """
    with locked(out):
        (out / JOURNAL).open("ab").close()
        sweep(out)


def add(out: Path, record: Mapping[str, Any]) -> None:
    """Add a line, whole even where several processes write or one was killed in the middle of its
    line. Raises OSError.
    """
    line = json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    with locked(out), (out / JOURNAL).open("a+b") as journal:
        journal.seek(max(0, journal.seek(0, 2) - 1))
        broken = journal.read(1) not in (b"", b"\n")
        journal.write(b"\n" * broken + line)


def read_journal(out: Path) -> list[Record]:
    """All lines that can be read, oldest first."""
    path = out / JOURNAL
    records = []
    # a run that was killed may end in the middle of a line, even of a character
    for line in path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else ():
        try:
            record = json.loads(line)
            names = record["folders"]
            texts = isinstance(record["case_id"], str) and isinstance(record["outcome"], str)
            whole = texts and isinstance(names, list) and all(map(_is_plain_name, names))
        except (ValueError, KeyError, TypeError):
            continue
        if whole:
            records.append(record)
    return records


def latest_done(out: Path) -> dict[str, Record]:
    """Case id -> its last record of a result of which something is left, whether its files are as
    they were written or not.
    """
    return {
        record["case_id"]: record
        for record in read_journal(out)
        if isinstance(record.get("result_sha256"), dict)
        and any((out / name / MASKS).exists() for name in record["folders"])
    }


def _is_plain_name(name: object) -> bool:
    """Whether it can be a folder right below the output folder."""
    return isinstance(name, str) and name not in ("", ".", "..") and Path(name).name == name


def finished(out: Path) -> dict[str, Record]:
    """Case id -> its last record of a result that is whole: the hash in the journal is the file's.

    A failure after it takes nothing away.
    """
    digest = cache(
        lambda name: result_digest(out / name)
    )  # a case that was done again has several records of one folder
    return {record["case_id"]: record for record in read_journal(out) if _whole(record, digest)}


def _whole(record: Record, digest: Callable[[str], str]) -> bool:
    """The record's results are there, as they were written.

    digest: folder name -> hash of what lies there now; raises OSError.
    """
    hashes = record.get("result_sha256")
    if not isinstance(hashes, dict) or not hashes or sorted(hashes) != sorted(record["folders"]):
        return False
    try:
        return all(digest(name) == value for name, value in hashes.items())
    except OSError:
        return False


def result_digest(folder: Path) -> str:
    """Hash over the files that a result is kept in. Raises OSError."""
    digest = hashlib.sha256()
    for name in (RESULT, MASKS, VIEWS):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
