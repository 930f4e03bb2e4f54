"""Text from files as one harmless line."""

from __future__ import annotations

import re
import unicodedata

_ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]?")
_GONE = {
    "Cc",
    "Cf",
    "Zl",
    "Zp",
}  # control; format (bidi overrides, invisible marks); line and paragraph separators


def clean(text: str) -> str:
    """Text from a file or folder name as one harmless line: no terminal escapes, controls, bidi
    overrides or lone surrogates.
    """
    if text.isascii() and text.isprintable():  # most names are
        return text.strip()
    shown = _ESCAPES.sub("", text).encode("utf-8", "backslashreplace").decode("utf-8")
    shown = "".join(" " if c in "\t\n\r\v\f\x85\u2028\u2029" else c for c in shown)
    return "".join(c for c in shown if unicodedata.category(c) not in _GONE).strip()
