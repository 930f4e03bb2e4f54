"""onnxruntime's messages on one line, and file names that can be printed."""

from __future__ import annotations

import re

# onnxruntime's messages for a file that needs a newer version: the file's number, the supported one
_TOO_NEW = {
    "IR version": r"IR version: (\d+).*max supported IR version: (\d+)",
    "opset": r"Opset (\d+) is under .*till opset (\d+)",
}


def printable(text: str) -> str:
    """The text on one line, without unprintable characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def error_line(error: BaseException) -> str:
    """onnxruntime's message on one line, without its codes, at most 200 characters.

    It may quote names from the file, so unprintable characters are removed.
    """
    text = printable(str(error)) or type(error).__name__
    if isinstance(error, MemoryError) or re.search(r"bad_alloc|bfc_arena|allocate memory", text):
        return "it asks for more memory than a model may have"
    for what, pattern in _TOO_NEW.items():
        if newer := re.search(pattern, text):
            found, known = newer.groups()
            return (
                f"its {what} {found} is newer than this onnxruntime's {known}: pip install -U "
                f"onnxruntime, or export it for {known}"
            )
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ", "", text)[:200]
