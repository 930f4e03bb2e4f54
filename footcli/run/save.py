"""A case's feet -> its folders: all of them or none, and the earlier results stay until then."""

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
"""What a case's folder holds of footcli's own beside RESULT: without that one they say nothing."""


def save_feet(
    feet: Sequence[Foot], task: Task, out: Path, options: Options, held: dict[str, CaseResult]
) -> tuple[dict[str, str], list[str]]:
    """Save a case's feet with their reports; what the case had before in other folders goes.

    Until all are ready, nothing is touched.

    Returns folder name -> hash of its result.json, and the files with a reader's sign-off that no
    longer belongs to the values.
    """
    signed: list[str] = []
    with _staged(feet, task, out, options) as ready:
        digests = {
            slug(foot.result.case_id): result_digest(staged)
            for foot, staged in zip(feet, ready, strict=True)
        }
        with locked(out), _moves(out) as moves:
            now = held_results(task.ref.case_id, out, task.earlier)
            if not task.overwrite:  # another process may have been here since
                refuse_other(feet[0].volume, now)
            for name in [*(name for name in (held.keys() | now.keys()) - digests.keys()), *digests]:
                moves.away(out / name)
            for foot, staged in zip(feet, ready, strict=True):
                signed += _take_in(foot.result, staged, out / slug(foot.result.case_id), moves)
    if len(digests) > 1:
        for name in digests:  # once all are there: each shows the other
            with suppress(CaseError, OSError):
                write_report(out / name, options.lang)
    return digests, signed


class _Moves:
    """Files that change places; what has moved can go back."""

    def __init__(self, backup: Path) -> None:
        self.backup = backup
        self.done: list[tuple[Path, Path]] = []

    def move(self, source: Path, target: Path) -> None:
        """Raises OSError."""
        source.rename(target)
        self.done.append((source, target))

    def away(self, folder: Path) -> None:
        """What footcli wrote for a case goes into the backup, RESULT first; what a reader signed
        stays. Raises OSError.
        """
        place = self.backup / folder.name
        place.mkdir()
        for name in (RESULT, *OWN_FILES):
            if (folder / name).exists():
                self.move(folder / name, place / name)

    def undo(self) -> None:
        """All back where it was, as far as it goes."""
        for source, target in reversed(self.done):
            with suppress(OSError):
                target.rename(source)


@contextmanager
def _moves(out: Path) -> Iterator[_Moves]:
    """Moves that are undone if anything goes wrong in the with-block; the caller holds the lock of
    `out`.
    """
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
            with suppress(OSError):  # not empty: taken again, or a sign-off is kept
                folder.rmdir()


@contextmanager
def _staged(feet: Sequence[Foot], task: Task, out: Path, options: Options) -> Iterator[list[Path]]:
    """Folders that hold all that belongs to each foot, for the length of a with-block."""
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
    """Put what is ready into the case's folder, RESULT last; what was there has moved away.

    Returns the name of a sign-off that was set aside, if one was: it stays only where the values
    are the same.
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
    """Whether a sign-off in the folder, if there is one, is whole and goes on to be about the
    values. before: the earlier result.
    """
    with suppress(CaseError):
        load_signoff(folder)
        return values_digest(load_result(before)) == values_digest(now)
    return False
