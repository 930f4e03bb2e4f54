"""journal.jsonl of an output folder: one line for each finished or failed case, append-only."""

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
    """The outcome of a case.

    folders: names of its results below the output folder. failure: why it failed. seconds: duration
    of each stage. redone: why a finished case was processed again. set_aside: sign-off files about
    earlier values. source: see identity.source_digest. result_sha256: folder name -> hash over its
    files, see result_digest; empty without a result.
    """

    case_id: str
    outcome: Outcome
    folders: tuple[str, ...] = ()
    failure: Line | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    redone: tuple[Line, ...] = ()
    set_aside: tuple[str, ...] = ()
    source: str | None = None
    pixels_sha256: str | None = None
    result_sha256: Mapping[str, str] = field(default_factory=dict)


def open_journal(out: Path) -> None:
    """Make the output folder and its journal; remove leftovers of killed runs. Raises OSError."""
    with locked(out):
        (out / JOURNAL).open("ab").close()
        sweep(out)


def add(out: Path, record: JournalLine) -> None:
    """Append a line. Raises OSError.

    Safe with several writers and after one was killed in the middle of its line.
    """
    text = json.dumps(to_plain(record), ensure_ascii=False)
    line = text.encode("utf-8", "backslashreplace") + b"\n"
    with locked(out), (out / JOURNAL).open("a+b") as journal:
        journal.seek(max(0, journal.seek(0, 2) - 1))
        broken = journal.read(1) not in (b"", b"\n")
        journal.write(b"\n" * broken + line)


def read_journal(out: Path) -> list[JournalLine]:
    """All readable lines, oldest first."""
    path = out / JOURNAL
    # a killed run may leave a partial line, even a partial character
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
    """A line of this version, or of one that wrote failures and reasons in English.

    Raises ValueError, TypeError, AttributeError.
    """
    kept = {key: value for key, value in data.items() if value is not None}
    if "code" in kept and "failure" not in kept:
        kept["failure"] = as_written(str(kept["code"]), kept.get("message", ""))
    if isinstance(kept.get("redone"), str):
        kept["redone"] = [as_written("redone", kept["redone"])]
    return from_plain(kept, JournalLine)


def latest_done(journal: Sequence[JournalLine], out: Path) -> dict[str, JournalLine]:
    """Case id -> its last record with a result whose masks still exist, intact or not."""
    found = {}
    for record in journal:
        left = [name for name in record.folders if (out / name / MASKS).exists()]
        if record.result_sha256 and left:
            found[record.case_id] = record
    return found


def _is_plain_name(name: str) -> bool:
    """Whether a name can be a folder directly below the output folder."""
    return name not in ("", ".", "..") and Path(name).name == name


def finished(journal: Sequence[JournalLine], out: Path) -> dict[str, JournalLine]:
    """Case id -> its last record with an intact result: its files have the hash in the journal.

    A later failure does not matter.
    """
    # a case that was redone has several records of one folder
    digest = cache(lambda name: result_digest(out / name))
    return {record.case_id: record for record in journal if _whole(record, digest)}


def _whole(record: JournalLine, digest: Callable[[str], str]) -> bool:
    """Whether the record's results exist unchanged.

    digest: folder name -> hash of its current files; raises OSError.
    """
    hashes = record.result_sha256
    if not hashes or sorted(hashes) != sorted(record.folders):
        return False
    try:
        return all(digest(name) == value for name, value in hashes.items())
    except OSError:
        return False


def result_digest(folder: Path) -> str:
    """SHA-256 over the files of a result, hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    for name in (RESULT, MASKS, VIEWS):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
