"""onnxruntime's messages on one line, and file names that can be printed."""

from __future__ import annotations

import re

# What onnxruntime says of a file that a newer one may read, with the file's number and its own
_TOO_NEW = {
    "IR version": r"IR version: (\d+).*max supported IR version: (\d+)",
    "opset": r"Opset (\d+) is under .*till opset (\d+)",
}


def printable(text: str) -> str:
    """The text on one line, without what does not print."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def error_line(error: BaseException) -> str:
    """onnxruntime's message on one line, without its codes and not too long; it may quote names
    from the file, so only what prints.
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
