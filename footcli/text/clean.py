"""Clean text that comes from files: one line that is safe to show."""

from __future__ import annotations

import re
import unicodedata

_ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]?")
# Control; format (bidi overrides, invisible marks); line and paragraph separators
_GONE = {
    "Cc",
    "Cf",
    "Zl",
    "Zp",
}


def clean(text: str) -> str:
    """Text from a file or folder name as one safe line.

    Without terminal escapes, control characters, bidi overrides or lone surrogates.
    """
    if text.isascii() and text.isprintable():  # most names are
        return text.strip()
    shown = _ESCAPES.sub("", text).encode("utf-8", "backslashreplace").decode("utf-8")
    shown = "".join(" " if c in "\t\n\r\v\f\x85\u2028\u2029" else c for c in shown)
    return "".join(c for c in shown if unicodedata.category(c) not in _GONE).strip()
