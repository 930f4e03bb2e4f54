"""Saves a case's feet in its folders, all or none; earlier results stay until all are ready."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from footcli.dataset.labels_out import all_source_names, write_polygons
from footcli.domain import CaseResult
from footcli.errors import CaseError
from footcli.report.patient import write_report
from footcli.run.answered import Task, held_results, refuse_other
from footcli.run.pipeline import Foot
from footcli.run.setup import Options
from footcli.store.journal import result_digest
from footcli.store.pictures import Pictures
from footcli.store.result import MASKS, RESULT, VIEWS, load_result, save_case
from footcli.store.signoff import FILE as SIGNED
from footcli.store.signoff import aside, load_signoff, values_digest
from footcli.system.files import locked, stage
from footcli.system.names import slug

OWN_FILES = ("report.html", MASKS, VIEWS, "polygons")
"""What footcli writes to a case's folder besides RESULT; without RESULT these files are void."""


def save_feet(
    feet: Sequence[Foot], task: Task, out: Path, options: Options, held: dict[str, CaseResult]
) -> tuple[dict[str, str], list[str]]:
    """Save a case's feet with their reports, and remove its results in other folders.

    Nothing changes until all are ready. Returns folder name -> hash of its result.json, and the
    files with a reader's sign-off that no longer belongs to the values.
    """
    signed: list[str] = []
    with _staged(feet, task, out, options) as ready:
        digests = {
            slug(foot.result.case_id): result_digest(staged)
            for foot, staged in zip(feet, ready, strict=True)
        }
        with locked(out), _moves(out) as moves:
            now = held_results(task.ref.case_id, out, task.earlier)
            if not task.overwrite:  # another process may have written since
                refuse_other(feet[0].volume, now)
            for name in [*(name for name in (held.keys() | now.keys()) - digests.keys()), *digests]:
                moves.away(out / name)
            for foot, staged in zip(feet, ready, strict=True):
                signed += _take_in(foot.result, staged, out / slug(foot.result.case_id), moves)
    if len(digests) > 1:
        for name in digests:  # after all are saved, since each shows the other
            with suppress(CaseError, OSError):
                write_report(out / name, options.lang)
    return digests, signed


class _Moves:
    """Moves files, and can undo the moves."""

    def __init__(self, backup: Path) -> None:
        self.backup = backup
        self.done: list[tuple[Path, Path]] = []

    def move(self, source: Path, target: Path) -> None:
        """Move a file. Raises OSError."""
        source.rename(target)
        self.done.append((source, target))

    def away(self, folder: Path) -> None:
        """Move footcli's files of a case to the backup, RESULT first; a reader's sign-off stays.
        Raises OSError.
        """
        place = self.backup / folder.name
        place.mkdir()
        for name in (RESULT, *OWN_FILES):
            if (folder / name).exists():
                self.move(folder / name, place / name)

    def undo(self) -> None:
        """Move all files back, as far as possible."""
        for source, target in reversed(self.done):
            with suppress(OSError):
                target.rename(source)


@contextmanager
def _moves(out: Path) -> Iterator[_Moves]:
    """Moves that any error in the with-block undoes; the caller holds the lock of `out`."""
    backup = stage(out, "before")
    moves = _Moves(backup)
    try:
        yield moves
    except BaseException:
        moves.undo()
        raise
    finally:
        shutil.rmtree(backup, ignore_errors=True)
        for folder in {source.parent for source, _ in moves.done if source.parent.parent == out}:
            with suppress(OSError):  # not empty: in use again, or a sign-off is kept
                folder.rmdir()


@contextmanager
def _staged(feet: Sequence[Foot], task: Task, out: Path, options: Options) -> Iterator[list[Path]]:
    """Temporary folders with all files of each foot, for the length of a with-block."""
    ready: list[Path] = []
    try:
        for foot in feet:
            home = out / slug(foot.result.case_id)
            staged = stage(out, home.name)
            ready.append(staged)
            names = all_source_names(foot.volume, task.ref)
            pictures = Pictures(foot.views, foot.stack)
            save_case(staged, foot.result, foot.labels, foot.volume.affine, pictures, names)
            if options.polygons:
                write_polygons(
                    staged / "polygons", foot.labels, foot.result.lesions, foot.volume, task.ref
                )
            write_report(staged, options.lang, home, signed=_stays_signed(home, home, foot.result))
        yield ready
    finally:
        for staged in ready:
            shutil.rmtree(staged, ignore_errors=True)


def _take_in(result: CaseResult, staged: Path, folder: Path, moves: _Moves) -> list[str]:
    """Move staged files into the case's folder, RESULT last; the earlier ones are in the backup.

    Returns the name of a sign-off that was set aside, if any: it stays only if the values are the
    same.
    """
    with locked(folder):
        kept = None if _stays_signed(folder, moves.backup / folder.name, result) else aside(folder)
        if kept is not None:
            moves.move(folder / SIGNED, kept)
        for name in (*OWN_FILES, RESULT):
            if (staged / name).exists():
                moves.move(staged / name, folder / name)
    return [f"{folder.name}/{kept.name}"] if kept else []


def _stays_signed(folder: Path, before: Path, now: CaseResult) -> bool:
    """Whether the folder's sign-off, if any, is intact and its values are unchanged. before: folder
    of the earlier result.
    """
    with suppress(CaseError):
        load_signoff(folder)
        return values_digest(load_result(before)) == values_digest(now)
    return False
