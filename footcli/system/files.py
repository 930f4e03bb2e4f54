"""Files and names on disk: atomic writing, bounded regular-file reading, JSON, safe names."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from footcli.errors import SetupError, TruthError
from footcli.system.names import safe_text

JSON_LIMIT = 256 * 2**20
"""Bytes. Annotation files are far smaller; a larger one is a mistake or an attack."""

UNFINISHED = ".tmp"
"""Ending of a file's name while it is being written."""


def write_atomic(path: Path, data: bytes) -> None:
    """Write a whole file or nothing: write a temporary file in its folder, then rename it.

    Makes missing parent folders. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # random, not the process id: machines may share a folder
    beside = path.with_name(f".{path.name[:60]}.{secrets.token_hex(4)}{UNFINISHED}")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def stage(folder: Path, name: str) -> Path:
    """Make a temporary folder in `folder`, to be filled and then renamed. Raises OSError."""
    made = folder / f".{name}.{secrets.token_hex(4)}{UNFINISHED}"
    made.mkdir(parents=True)
    return made


def sweep(folder: Path, older_s: float = 86_400.0) -> None:
    """Remove unfinished files and folders of killed processes.

    Those younger than older_s (seconds) are kept, as another process may be writing them.
    """
    for path in folder.glob(f".*{UNFINISHED}"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > older_s:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder against other footcli processes during a with-block; make it if missing.

    Without effect if the system or the file system has no such locks. Raises OSError if the folder
    cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        gone = not folder.exists() or not os.path.samestat(os.fstat(handle), folder.stat())
        if not gone:
            yield
    finally:
        os.close(handle)  # also releases the lock
    if gone:  # the process that held the lock before removed or replaced the folder
        with locked(folder):
            yield


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. Never opens, or blocks on, a link, pipe, socket or device.

    Raises OSError (FileNotFoundError, PermissionError ...); IsADirectoryError for anything that is
    not a regular file.
    """
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise IsADirectoryError(f"{path.name} is not a regular file")
    flags = (
        os.O_RDONLY
        | getattr(os, "O_NONBLOCK", 0)
        | getattr(os, "O_NOFOLLOW", 0)
        | getattr(os, "O_BINARY", 0)
    )
    handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise IsADirectoryError(f"{path.name} is not a regular file")
    return os.fdopen(handle, "rb")


def read_json(path: Path) -> Any:
    """The content of a JSON file in UTF-8, with or without BOM, or cp949.

    Raises TruthError that names the file and the fault.
    """
    name = safe_text(path.name)
    try:
        with open_regular(path) as file:
            data = file.read(JSON_LIMIT + 1)
    except OSError as error:
        raise TruthError(
            f"{name} cannot be read ({error.strerror or 'not a regular file'}): check the file and "
            "its permissions"
        ) from None
    if len(data) > JSON_LIMIT:
        raise TruthError(
            f"{name} is larger than {JSON_LIMIT >> 20} MB, which no annotation is: remove it or "
            "export it again"
        )
    try:
        return json.loads(_text(data), object_pairs_hook=_unique)
    except UnicodeDecodeError:
        raise TruthError(
            f"{name} is neither UTF-8 nor Korean (cp949) text: save it again as UTF-8"
        ) from None
    except _TwiceGiven as error:
        raise TruthError(
            f"{name} gives the key {error} twice in one object: remove one, for nobody can tell "
            "which counts"
        ) from None
    except json.JSONDecodeError as error:
        raise TruthError(
            f"{name} is not valid JSON (line {error.lineno}, column {error.colno}): export it "
            "again or remove it"
        ) from None
    except (ValueError, RecursionError):
        raise TruthError(
            f"{name} is not usable JSON (a number too long or nested too deep): export it again or "
            "remove it"
        ) from None


class _TwiceGiven(Exception):
    """A key occurs twice in one JSON object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceGiven(safe_text(next(key for key in keys if keys.count(key) > 1))[:40])
    return content


def _text(data: bytes) -> str:
    """Decode UTF-8, with or without BOM, else cp949 (Korean Windows). Raises UnicodeDecodeError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp949")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, UTF-8 without BOM, atomically. Raises ValueError for NaN, OSError."""
    write_atomic(path, json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1).encode())


def check_folders(cases: Path, out: Path) -> None:
    """Check that results cannot overwrite the input.

    Raises SetupError if `out` is a file, equals `cases` or lies inside it.
    """
    if out.exists() and not out.is_dir():
        raise SetupError(f"{out}: is a file; name a folder with -o")
    inner, outer = out.resolve(), cases.resolve()
    if inner == outer or outer in inner.parents:
        raise SetupError(
            f"{out}: lies inside the input {cases}; name a folder outside of it with -o"
        )
