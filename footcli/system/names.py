"""File names as text that is safe to show, and case ids as folder names."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

SLUG_LIMIT = 100
"""Bytes of a folder name in UTF-8; leaves room for suffixes below the usual limit of 255."""
_SUMMARIES = {
    "index.html",
    "run.json",
    "measurements.csv",
    "journal.jsonl",
    "evaluation.json",
    "evaluation.html",
}
_NUMBERED = [f"com{n}" for n in range(1, 10)] + [f"lpt{n}" for n in range(1, 10)]
_RESERVED = {"con", "prn", "aux", "nul", *_NUMBERED}


def safe_text(name: str) -> str:
    """A file name as text that is safe to write and show: NFC, UTF-8, no control characters.

    Names in other encodings arrive as surrogates; they are decoded as CP949 (Korean Windows) if
    that is valid.
    """
    if name.isascii() and name.isprintable():
        return name  # true of nearly every file name
    try:
        name.encode()
    except UnicodeEncodeError:
        name = _decoded(name)
    name = unicodedata.normalize("NFC", name)
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name)


def _decoded(name: str) -> str:
    """The text that a name with surrogates most likely encodes."""
    try:
        raw = os.fsencode(name)
    except UnicodeEncodeError:  # not from a file system: half a character, escaped in a JSON file
        return name.encode("utf-8", "backslashreplace").decode()
    try:
        return raw.decode("cp949")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "backslashreplace")


def slug(case_id: str) -> str:
    """A folder name for a case: letters (Hangul too), digits, `-` `_` `.` `+`.

    Anything else becomes `_`, and a short hash is added. At most SLUG_LIMIT bytes; never empty,
    `.`, `..`, hidden, a reserved Windows name or the name of a summary file in the output folder.
    Equal ids give equal slugs.
    """
    wanted = unicodedata.normalize("NFC", case_id)
    kept = "".join(c if c.isalnum() or c in "-_.+" else "_" for c in wanted)
    kept = re.sub(r"\.{2,}", "_", kept).strip(".")
    if kept.split(".")[0].casefold() in _RESERVED or kept.casefold() in _SUMMARIES:
        kept = f"_{kept}"
    short = kept.encode()[: SLUG_LIMIT if kept == wanted else SLUG_LIMIT - 9].decode(
        errors="ignore"
    )
    if short == wanted and short:
        return short
    mark = hashlib.sha256(wanted.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return (
        f"{short.encode()[: SLUG_LIMIT - 9].decode(errors='ignore')}-{mark}"
        if short
        else f"case-{mark}"
    )
