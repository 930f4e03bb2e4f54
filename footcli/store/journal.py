"""journal.jsonl of an output folder: one line each time a case was finished or failed.

Lines are only ever added.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from footcli.store.codec import as_written, from_plain, to_plain
from footcli.store.result import MASKS, RESULT, VIEWS
from footcli.system.files import locked, sweep
from footcli.text.lines import Line

JOURNAL = "journal.jsonl"
Outcome = Literal["done", "redone", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class JournalLine:
    """What became of a case.

    folders: names of its results below the output folder. failure: why it failed. seconds: of each
    stage. redone: why a finished case was done again. set_aside: files with a reader's sign-off
    that is about earlier values. source: see identity.source_digest. result_sha256: folder name ->
    hash over its files, see result_digest; empty where there is no result.
    """

    case_id: str
    outcome: Outcome
    folders: tuple[str, ...] = ()
    failure: Line | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    redone: str | None = None
    set_aside: tuple[str, ...] = ()
    source: str | None = None
    pixels_sha256: str | None = None
    result_sha256: Mapping[str, str] = field(default_factory=dict)


def open_journal(out: Path) -> None:
    """Make the output folder and its journal; what killed runs left half-made is removed.

    Raises OSError.
    """
    with locked(out):
        (out / JOURNAL).open("ab").close()
        sweep(out)


def add(out: Path, record: JournalLine) -> None:
    """Add a line, whole even where several processes write or one was killed in the middle of its
    line. Raises OSError.
    """
    text = json.dumps(to_plain(record), ensure_ascii=False)
    line = text.encode("utf-8", "backslashreplace") + b"\n"
    with locked(out), (out / JOURNAL).open("a+b") as journal:
        journal.seek(max(0, journal.seek(0, 2) - 1))
        broken = journal.read(1) not in (b"", b"\n")
        journal.write(b"\n" * broken + line)


def read_journal(out: Path) -> list[JournalLine]:
    """All lines that can be read, oldest first."""
    path = out / JOURNAL
    # a run that was killed may end in the middle of a line, even of a character
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else []
    found = []
    for line in lines:
        try:
            record = _record(json.loads(line))
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        if all(map(_is_plain_name, record.folders)):
            found.append(record)
    return found


def _record(data: Any) -> JournalLine:
    """A line of this version, or of one that wrote a failure's code and English beside each other.

    Raises ValueError, TypeError, AttributeError.
    """
    kept = {key: value for key, value in data.items() if value is not None}
    if "code" in kept and "failure" not in kept:
        kept["failure"] = as_written(str(kept["code"]), kept.get("message", ""))
    return from_plain(kept, JournalLine)


def latest_done(journal: Sequence[JournalLine], out: Path) -> dict[str, JournalLine]:
    """Case id -> its last record of a result of which something is left, whole or not."""
    found = {}
    for record in journal:
        left = [name for name in record.folders if (out / name / MASKS).exists()]
        if record.result_sha256 and left:
            found[record.case_id] = record
    return found


def _is_plain_name(name: str) -> bool:
    """Whether it can be a folder right below the output folder."""
    return name not in ("", ".", "..") and Path(name).name == name


def finished(journal: Sequence[JournalLine], out: Path) -> dict[str, JournalLine]:
    """Case id -> its last record of a result that is whole: the hash in the journal is the file's.

    A failure after it takes nothing away.
    """
    # a case that was done again has several records of one folder
    digest = cache(lambda name: result_digest(out / name))
    return {record.case_id: record for record in journal if _whole(record, digest)}


def _whole(record: JournalLine, digest: Callable[[str], str]) -> bool:
    """The record's results are there, as they were written.

    digest: folder name -> hash of what lies there now; raises OSError.
    """
    hashes = record.result_sha256
    if not hashes or sorted(hashes) != sorted(record.folders):
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
