"""Find models/ and templates/: in the package (wheel) or at the repository root (editable)."""

from __future__ import annotations

from pathlib import Path

from footcli.errors import SetupError

_PACKAGE = Path(__file__).resolve().parent.parent


def _folder(name: str, marker: str) -> Path:
    for folder in (_PACKAGE / f"_{name}", _PACKAGE.parent / name):
        if (folder / marker).is_file():
            return folder
    raise SetupError(
        f"the folder {name}/ of this installation is missing ({marker} not found): reinstall "
        "footcli"
    )


def models_dir() -> Path:
    """The folder with manifest.toml and the shipped ONNX files.

    Raises SetupError if it is missing.
    """
    return _folder("models", "manifest.toml")


def templates_dir() -> Path:
    """The folder with the report's templates. Raises SetupError if it is missing."""
    return _folder("templates", "report.html.j2")
