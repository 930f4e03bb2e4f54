"""One case -> its folders in the output folder, or the reason for its failure."""

from __future__ import annotations

import errno
import traceback
from dataclasses import replace
from pathlib import Path

from footcli.dataset.labels_out import all_source_names
from footcli.domain import Volume
from footcli.errors import CaseError
from footcli.identity import input_facts, source_digest
from footcli.run.answered import Asked, Task, held_results, refuse_other, why_again
from footcli.run.pipeline import analyze_volume, read_volume
from footcli.run.save import save_feet
from footcli.run.setup import Clock, Models, Options, fingerprint
from footcli.store.journal import JournalLine
from footcli.text.lines import Line


def analyze_to_disk(task: Task, out: Path, models: Models, options: Options) -> JournalLine:
    """Analyse a case and save it below `out`.

    Returns its record; a failed case is a record too, never an exception. A case whose result
    already satisfies the request, by its pixels, is skipped; the result of another scan is never
    replaced without --overwrite.
    """
    clock = Clock()
    try:
        record = _done(task, out, models, options, clock)
    except Exception as error:  # noqa: BLE001 - no error may stop the other cases
        record = JournalLine(task.ref.case_id, "failed", failure=_failure(error))
    if record.outcome == "skipped":  # keeps the times of its analysis
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
    return Line("internal", place=_where(error))


def _where(error: BaseException) -> str:
    """Type and code line of an error; not its text, which may quote the file."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "footcli" in Path(frame.filename).parts
    ] or [last]
    return f"{type(error).__name__} in {Path(own[-1].filename).name}, line {own[-1].lineno}"


def _done(task: Task, out: Path, models: Models, options: Options, clock: Clock) -> JournalLine:
    """The record of a case that reaches a result.

    Raises whatever reading, analysis and saving raise.
    """
    ref, source = task.ref, source_digest(task.ref)
    volume = read_volume(ref, options, clock)
    held = held_results(ref.case_id, out, task.earlier)
    why: tuple[Line, ...] = ()
    if task.overwrite and (task.earlier or task.damaged):
        why = (Line("redone.overwrite"),)
    if not task.overwrite:
        refuse_other(volume, held)
        _refuse_damaged(volume, task.damaged)
        if task.damaged is not None:
            why = (Line("redone.damaged"),)
        if task.earlier is not None:
            facts = input_facts(volume, all_source_names(volume, ref))
            asked = Asked(out, options, fingerprint(models, options), facts)
            why = why_again(task.earlier, held, asked)
            if not why:
                return replace(task.earlier, outcome="skipped", source=source)
    feet = analyze_volume(ref, volume, models, options, clock)
    with clock("save"):
        digests, signed = save_feet(feet, task, out, options, held)
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


def _refuse_damaged(volume: Volume, damaged: JournalLine | None) -> None:
    """Raise CaseError other_input where a damaged result has other pixels."""
    if damaged is not None and damaged.pixels_sha256 not in (None, volume.pixels_sha256):
        raise CaseError("other_input", folder=", ".join(damaged.folders))


def is_answered(task: Task, out: Path, models: Models, options: Options) -> bool:
    """Whether a finished result satisfies the request and the case's files are unchanged.

    Then no image need be read.
    """
    if task.earlier is None or task.overwrite:
        return False
    if task.earlier.source != source_digest(task.ref):
        return False
    held = held_results(task.ref.case_id, out, task.earlier)
    asked = Asked(out, options, fingerprint(models, options))
    return not why_again(task.earlier, held, asked)
