"""Reads, checks and writes models/manifest.toml; never runs a model."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from footcli.domain import Plane
from footcli.errors import SetupError
from footcli.infer.spec import ModelSpec, parse_spec

__all__ = [
    "MAX_MODEL_BYTES",
    "NAME",
    "Manifest",
    "ModelSpec",
    "load_manifest",
    "sha256_of",
    "verify",
    "write_entry",
]

NAME = "manifest.toml"
MAX_MODEL_BYTES = 64 * 2**20
_MAX_MANIFEST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Manifest:
    """All entries of a models folder, in the file's order."""

    folder: Path
    models: tuple[ModelSpec, ...]

    def get(self, task: str, plane: Plane | None = None) -> ModelSpec:
        """The model of a task (and of a plane, for tasks with one model for each plane).

        Raises SetupError if there is none or more than one.
        """
        found = [m for m in self.models if m.task == task and (plane is None or plane in m.planes)]
        what = f"for {task}" + (f" in plane {plane.value}" if plane else "")
        if not found:
            raise SetupError(
                f"{self.folder / NAME}: no model {what}: run footcli train {task}, or name another "
                "folder with --models"
            )
        if len(found) > 1:
            raise SetupError(
                f"{self.folder / NAME}: {len(found)} models {what} "
                f"({', '.join(m.file for m in found)}): keep one"
            )
        return found[0]

    def lesions(self) -> tuple[ModelSpec, ...]:
        """The models that share the lesion kinds. Raises SetupError if there is none."""
        return tuple(m for m in self.models if m.task == "lesions") or (self.get("lesions"),)


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a models folder, every entry checked; no model file is opened.

    Raises SetupError naming the file, the entry, the key and what is allowed.
    """
    path = folder / NAME
    try:
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            raise SetupError(
                f"{path}: larger than {_MAX_MANIFEST_BYTES} bytes: this is no manifest"
            )
        # utf-8-sig: editors on Windows write a byte order mark
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SetupError(
            f"{path}: cannot be read ({error.strerror}): name a folder that holds {NAME} with "
            "--models"
        ) from error
    except (ValueError, RecursionError) as error:
        raise SetupError(f"{path}: not valid TOML ({error}): correct it") from error
    entries = tables.get("model", [])
    if set(tables) - {"model"} or not isinstance(entries, list):
        hint = ": write [[model]] with two brackets" if isinstance(entries, dict) else ""
        raise SetupError(
            f"{path}: only [[model]] entries are allowed at the top, got "
            f"{', '.join(sorted(tables))}{hint}"
        )
    for number, entry in enumerate(entries, start=1):
        _check_hash_given(f"{path}, model {number}", entry, folder)
    return Manifest(
        folder,
        _distinct(
            path,
            tuple(
                parse_spec(f"{path}, model {i}", entry) for i, entry in enumerate(entries, start=1)
            ),
        ),
    )


def _check_hash_given(where: str, entry: Any, folder: Path) -> None:
    """Raises SetupError, with the line to add, if an entry has no sha256."""
    if (
        not isinstance(entry, dict)
        or "sha256" in entry
        or not isinstance(file := entry.get("file"), str)
    ):
        return
    path = folder / Path(file).name
    found = (
        sha256_of(path)
        if path.is_file() and path.stat().st_size <= MAX_MODEL_BYTES
        else "the 64 hex digits of sha256sum"
    )
    raise SetupError(
        f"{where} ({file[:60]!r}): sha256 is missing: if this is the file that you mean, add "
        f'sha256 = "{found}"'
    )


def verify(spec: ModelSpec, folder: Path) -> Path:
    """The path of the model file.

    Raises SetupError if it is missing, too large or its hash differs from the manifest's.
    """
    path = folder / spec.file
    if not path.is_file():
        raise SetupError(
            f"{path}: the model file for {spec.task} is missing: put it there or take it out of "
            f"{NAME}"
        )
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise SetupError(
            f"{path}: larger than {MAX_MODEL_BYTES >> 20} MB, the limit for a model file: export a "
            "smaller one"
        )
    try:
        actual = sha256_of(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be read ({error.strerror})") from error
    if actual != spec.sha256:
        mismatch = f"its sha256 is {actual[:12]}..., {NAME} says {spec.sha256[:12]}..."
        raise SetupError(
            f"{path}: {mismatch}: restore the file, or correct sha256 if the change was meant"
        )
    return path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as lower-case hex, as in the manifest. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_entry(folder: Path, spec: ModelSpec) -> None:
    """Write the entry to the folder's manifest; it replaces those of the same file or in conflict.

    Other entries are kept, comments in the file are lost. The file is replaced atomically. Raises
    SetupError for an entry or a manifest that load_manifest refuses.
    """
    import tomli_w

    path = folder / NAME
    known = load_manifest(folder).models if path.exists() else ()
    spec = parse_spec(f"{path}, new entry", _entry(spec))
    kept = [m for m in known if m.file != spec.file and not clash(m, spec)]
    text = tomli_w.dumps({"model": [_entry(m) for m in (*kept, spec)]})
    beside = folder / f".{NAME}.new"
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def clash(a: ModelSpec, b: ModelSpec) -> bool:
    """Whether two models conflict: they share a task and a plane, and for lesions a kind."""
    if a.task != b.task or set(a.planes).isdisjoint(b.planes):
        return False
    return a.task != "lesions" or not set(a.classes).isdisjoint(b.classes)


def _distinct(path: Path, models: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
    """The models. Raises SetupError if two of them conflict."""
    for a, b in combinations(models, 2):
        if clash(a, b):
            what = f"{a.task} in the same plane"
            if a.task == "lesions":
                what = ", ".join(label for label in a.classes if label in b.classes)
            raise SetupError(f"{path}: {a.file} and {b.file} are both for {what}: keep one")
    return models


def _plain(value: Any) -> Any:
    """Tuples to lists, planes to text, mappings to dicts, numpy scalars to numbers, recursively."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic):
        return value.item()
    return value.value if isinstance(value, Plane) else value


def _entry(spec: ModelSpec) -> dict[str, Any]:
    """The keys of an entry, without None and empty lists and tables."""
    plain = {f.name: _plain(getattr(spec, f.name)) for f in fields(spec)}
    return {key: value for key, value in plain.items() if value not in ([], {}, None)}
