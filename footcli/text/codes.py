"""Write CODES.md, the table of codes, from the wordings: `python -m footcli.text.codes`."""

from __future__ import annotations

import tomllib
from pathlib import Path

from footcli.text.wording import wording

FILE = Path(__file__).resolve().parent / "CODES.md"
_LINES = FILE.with_name("lines.toml")
_HEAD = """# Codes

Each sentence of a result, a warning or a failed case has a code. Programs look at the part before
the first dot; several wordings share it. Made by `python -m footcli.text.codes`.
"""
_SECTION = "# ---- "


def table() -> str:
    """The text of CODES.md: a table for each section of lines.toml."""
    parts = [_HEAD]
    for section in _LINES.read_text("utf-8").split(_SECTION)[1:]:
        title, _, rest = section.partition("\n")
        rows = [f"| `{code}` | {_cell(code)} |" for code in _codes(rest)]
        head = f"## {title.rstrip(' -')}\n\n| code | says |\n|---|---|"
        parts.append("\n".join([head, *rows]) + "\n")
    return "\n".join(parts)


def _codes(text: str) -> list[str]:
    """The codes of a section, in file order."""
    tomllib.loads(text)  # raises if the split cut a table in two
    return [line[1:-1] for line in text.splitlines() if line.startswith("[")]


def _cell(code: str) -> str:
    return wording(code).replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(table(), "utf-8")
