"""One case -> its folders below the output folder, or the reason why not."""

from __future__ import annotations

import errno
import shutil
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from footcli.dataset.labels_out import all_source_names, write_polygons
from footcli.domain import CaseRef, CaseResult, Volume
from footcli.errors import CaseError
from footcli.identity import differences, foot_ids, input_facts, same_scan, source_digest
from footcli.provenance import InputFacts, Settings
from footcli.report.patient import write_report
from footcli.run.pipeline import (
    Clock,
    Foot,
    Models,
    Options,
    analyze_volume,
    fingerprint,
    read_volume,
)
from footcli.store.journal import JournalLine, result_digest
from footcli.store.result import MASKS, RESULT, VIEWS, is_old, load_result, save_case
from footcli.store.signoff import FILE as SIGNED
from footcli.store.signoff import aside, load_signoff, values_digest
from footcli.system.files import locked, slug, stage
from footcli.text.lines import Line

OWN_FILES = ("report.html", MASKS, VIEWS, "polygons")
"""What a case's folder holds of footcli's own beside RESULT: without that one they say nothing."""


@dataclass(frozen=True, slots=True)
class Task:
    """A case to be looked at.

    earlier: the journal's record of its finished result, None without one.

    damaged: the record of a result that is no longer as it was written, if there is no other.
    """

    ref: CaseRef
    earlier: JournalLine | None = None
    overwrite: bool = False
    damaged: JournalLine | None = None


def analyze_to_disk(task: Task, out: Path, models: Models, options: Options) -> JournalLine:
    """Analyse a case and save it below `out`.

    Returns its record; a bad case is a record too, never an exception.

    A case whose result already answers what is asked, by its pixels, is skipped; that of another
    scan is never replaced unasked.
    """
    clock = Clock()
    try:
        record = _done(task, out, models, options, clock)
    except Exception as error:  # whatever it is, the other cases have nothing to do with it
        record = JournalLine(task.ref.case_id, "failed", failure=_failure(error))
    if record.outcome == "skipped":  # which keeps the times of the work itself
        return record
    return replace(record, seconds=clock.seconds)


def _failure(error: Exception) -> Line:
    """Why a case failed, as a line."""
    if isinstance(error, CaseError):
        return error.line
    if isinstance(error, OSError):
        code = "no_space" if error.errno == errno.ENOSPC else "io_error"
        return Line(code, reason=error.strerror or type(error).__name__)
    if isinstance(error, MemoryError):
        return Line("out_of_memory")
    return Line("internal", place=_place(error))


def _place(error: BaseException) -> str:
    """Kind and place of a fault. Not its text, which may quote the file."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "footcli" in Path(frame.filename).parts
    ] or [last]
    return f"{type(error).__name__} in {Path(own[-1].filename).name}, line {own[-1].lineno}"


def _done(task: Task, out: Path, models: Models, options: Options, clock: Clock) -> JournalLine:
    """What the record of a case that comes to a result holds.

    Raises whatever reading, analysis and saving do.
    """
    ref, source = task.ref, source_digest(task.ref)
    volume = read_volume(ref, options, clock)
    held = _held(ref.case_id, out, task.earlier)
    if not task.overwrite:
        _refuse_other(volume, held)
        if task.damaged is not None and task.damaged.pixels_sha256 not in (
            None,
            volume.pixels_sha256,
        ):
            raise CaseError("other_input", folder=", ".join(task.damaged.folders))
    why = "--overwrite" if task.overwrite and (task.earlier or task.damaged) else None
    if task.damaged is not None and why is None:
        why = "its files are not as they were written"
    if task.earlier is not None and not task.overwrite:
        facts = input_facts(volume, all_source_names(volume, ref))
        why = _why_again(task.earlier, held, fingerprint(models, options), out, options, facts)
        if why is None:
            return replace(task.earlier, outcome="skipped", source=source)
    feet = analyze_volume(ref, volume, models, options, clock)
    with clock("save"):
        digests, signed = _save(feet, task, out, options, held)
    return JournalLine(
        ref.case_id,
        "redone" if why else "done",
        tuple(digests),
        redone=why,
        set_aside=tuple(signed),
        source=source,
        pixels_sha256=volume.pixels_sha256,
        result_sha256=digests,
    )


def is_answered(task: Task, out: Path, models: Models, options: Options) -> bool:
    """Whether a finished result answers what is asked and its files are untouched: then nothing
    need be read.
    """
    if task.earlier is None or task.overwrite:
        return False
    if task.earlier.source != source_digest(task.ref):
        return False
    held = _held(task.ref.case_id, out, task.earlier)
    return _why_again(task.earlier, held, fingerprint(models, options), out, options) is None


def _held(case_id: str, out: Path, earlier: JournalLine | None) -> dict[str, CaseResult]:
    """Folder name -> result, of every result that `out` holds of this case."""
    folders = () if earlier is None else earlier.folders
    names = dict.fromkeys([*(slug(name) for name in foot_ids(case_id)), *folders])
    return {folder: result for name in names for folder, result in _held_in(out / name).items()}


def _held_in(folder: Path) -> dict[str, CaseResult]:
    with suppress(CaseError):
        return {folder.name: load_result(folder)}
    return {}


def _refuse_other(volume: Volume, held: dict[str, CaseResult]) -> None:
    """Raises CaseError other_input where a result of another scan lies under this case's id."""
    other = next(
        (name for name, result in held.items() if not same_scan(result.provenance, volume)), None
    )
    if other is not None:
        raise CaseError("other_input", folder=other)


def _why_again(
    earlier: JournalLine,
    held: dict[str, CaseResult],
    wanted: Settings,
    out: Path,
    options: Options,
    facts: InputFacts | None = None,
) -> str | None:
    """Why a finished case must be done again, None where its result answers what is asked.

    facts: of its input, if it was read.
    """
    results = [held[name] for name in earlier.folders if name in held]
    if len(results) < len(earlier.folders):
        return "its result cannot be read by this version"
    if any(map(is_old, results)):
        return "written by an earlier version of footcli"
    found = next(
        (why for result in results if (why := differences(result.provenance, wanted, facts))), []
    )
    if options.polygons and not all((out / name / "polygons").is_dir() for name in held):
        found.append("with --polygons")
    return ", ".join(found) or None


def _save(
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
            now = _held(task.ref.case_id, out, task.earlier)
            if not task.overwrite:  # another process may have been here since
                _refuse_other(feet[0].volume, now)
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
            save_case(
                staged, foot.result, foot.labels, foot.volume.affine, foot.views, names, foot.stack
            )
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
