"""Many cases -> an output folder: finished ones are skipped, failures are recorded, and nothing is
left half-written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from footcli import __version__
from footcli.domain import CaseRef
from footcli.errors import SetupError
from footcli.read import spread_series
from footcli.report.other_foot import partner
from footcli.report.patient import report_language, write_report
from footcli.report.summaries import Pace, write_summaries
from footcli.run.answered import Task
from footcli.run.case_job import analyze_to_disk, is_answered
from footcli.run.setup import Models, Options, fingerprint, load_models
from footcli.store.journal import (
    JournalLine,
    add,
    finished,
    latest_done,
    open_journal,
    read_journal,
)
from footcli.store.run_record import RunOptions, RunRecord
from footcli.system.cores import cpu_count
from footcli.system.names import slug
from footcli.system.processes import in_processes

NO_CASE = ("no_images.empty", "no_images.none")  # failures of folders without any DICOM file
_models: Models | None = None  # of a worker process, opened once


def _ignore(options_: object) -> None:
    """The default callback: does nothing."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Callbacks of a run: for each case's record, and of what is no case; once for the models."""

    case: Callable[[JournalLine], None] = _ignore
    no_case: Callable[[JournalLine], None] = _ignore
    models: Callable[[Models], None] = _ignore


def run_batch(
    refs: Sequence[CaseRef],
    out: Path,
    options: Options,
    *,
    overwrite: bool = False,
    jobs: int = 1,
    listener: Listener | None = None,
) -> RunRecord:
    """Analyse cases into `out`; returns what run.json holds of these cases.

    The summaries are written during the run and at its end, however it ends. Raises SetupError
    before the first case if a model or the output folder is unusable.
    """
    listener = listener or Listener()
    models = load_models(options)
    listener.models(models)
    run = _Run(out, models, options, listener.case)
    tasks = _tasks(refs, out, overwrite)
    try:
        waiting = run.skip_finished(tasks)
        waiting = run.refuse_spread(waiting)
        empty = []
        for record in _records(waiting, out, models, options, jobs):
            if record.failure is not None and record.failure.code in NO_CASE:
                empty.append(record)
            else:
                run.take(record)
        tell = listener.no_case if run.records else run.take  # alone nothing else tells why
        for record in empty:
            tell(record)
        run.write_reports_again()
    except BaseException:
        with suppress(OSError):  # report the error that ended the run
            run.write_summaries()
        raise
    run.write_summaries()
    found = [run.records[ref.case_id] for ref in refs if ref.case_id in run.records]
    return replace(run.head, cases=tuple(found))


@dataclass(slots=True)
class _Run:
    """State of a run: the records of its cases so far."""

    out: Path
    models: Models
    options: Options
    tell: Callable[[JournalLine], None]
    records: dict[str, JournalLine] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)

    @property
    def head(self) -> RunRecord:
        """The record of this run in run.json, without its cases."""
        settings, options = fingerprint(self.models, self.options), self.options
        options_ = RunOptions(
            quality=settings.options.quality,
            spacing_mm=settings.options.spacing_mm,
            weight_bearing=settings.options.weight_bearing,
            profile=options.profile,
            models=settings.models,
            lang=options.lang,
            device=options.device,
            polygons=options.polygons,
        )
        return RunRecord(version=__version__, device=self.models.device, options=options_)

    def skip_finished(self, tasks: Iterable[tuple[Task, bool]]) -> list[Task]:
        """Record the cases whose result satisfies the request; returns the others.

        tasks: each with whether its case failed last, which was then with options no longer
        requested.
        """
        waiting = []
        for task, failed in tasks:
            if task.earlier is None or not self._is_answered(task):
                waiting.append(task)
                continue
            if failed:
                add(self.out, task.earlier)
            self._note(replace(task.earlier, outcome="skipped"))
        return waiting

    def refuse_spread(self, tasks: Sequence[Task]) -> list[Task]:
        """Record the folders that hold parts of one series as failed; returns the others."""
        refused = spread_series(task.ref for task in tasks) if len(tasks) > 1 else {}
        for case_id, why in refused.items():
            self.take(JournalLine(case_id, "failed", failure=why))
        return [task for task in tasks if task.ref.case_id not in refused]

    def take(self, record: JournalLine) -> None:
        """Journal a finished case, and write the summaries when they are due."""
        # skipped holds for this run alone: in the journal the result stays done
        kept = replace(record, outcome="done") if record.outcome == "skipped" else record
        add(self.out, kept)
        self._note(record)
        if self.pace.due():
            began = time.monotonic()
            with suppress(OSError):  # open in a spreadsheet, for example; the last write counts
                self.write_summaries()
            self.pace.spent(time.monotonic() - began)

    def write_summaries(self) -> None:
        """Write run.json, measurements.csv and index.html. Raises OSError."""
        write_summaries(self.out, self.options.lang, self.head, self.records)

    def write_reports_again(self) -> None:
        """Rewrite reports of skipped cases in another language, and of feet whose other foot is
        new.
        """
        again: dict[Path, str] = {}
        for record in self.records.values():
            for name in record.folders:
                folder = self.out / name
                if record.outcome == "skipped":
                    if report_language(folder) != self.options.lang:
                        again[folder] = self.options.lang
                elif len(record.folders) == 1 and (beside := partner(folder)) is not None:
                    for foot in (folder, beside):
                        again.setdefault(foot, report_language(foot) or self.options.lang)
        for folder, lang in sorted(again.items()):
            with suppress(Exception):  # the old report stays, and the case is done
                write_report(folder, lang)

    def _note(self, record: JournalLine) -> None:
        self.records[record.case_id] = record
        self.tell(record)

    def _is_answered(self, task: Task) -> bool:
        """Whether the result satisfies the request; on any error the case is analysed again."""
        try:
            return is_answered(task, self.out, self.models, self.options)
        except Exception:  # noqa: BLE001
            return False


def _tasks(refs: Sequence[CaseRef], out: Path, overwrite: bool) -> list[tuple[Task, bool]]:
    """Each case with what the output folder holds of it, and whether it failed last.

    Prepares the folder. Raises SetupError.
    """
    for ref in refs:
        _check_apart(ref, out)
    try:
        open_journal(out)
        journal = read_journal(out)
        known, left = finished(journal, out), latest_done(journal, out)
    except OSError as error:
        raise SetupError(
            f"{out}: cannot be used for results ({error.strerror}); name another folder with -o"
        ) from error
    last = {record.case_id: record.outcome for record in journal}
    tasks = []
    for ref in refs:
        earlier = known.get(ref.case_id)
        damaged = None if earlier else left.get(ref.case_id)
        task = Task(ref, earlier, overwrite, damaged)
        tasks.append((task, last.get(ref.case_id) == "failed"))
    return tasks


def _check_apart(ref: CaseRef, out: Path) -> None:
    """Raise SetupError where a case's result would lie among its images."""
    target, source = (out / slug(ref.case_id)).resolve(), ref.folder.resolve()
    if target == source or target in source.parents:
        raise SetupError(
            f"{out}: results would lie among the images of case {ref.case_id}; name another "
            "folder with -o"
        )


def _records(
    tasks: Sequence[Task], out: Path, models: Models, options: Options, jobs: int
) -> Iterator[JournalLine]:
    """Each case's record, as soon as the case is finished."""
    if jobs <= 1 or len(tasks) <= 1:
        for task in tasks:
            yield analyze_to_disk(task, out, models, options)
        return
    threads = max(1, cpu_count() // jobs)
    start = partial(_start_worker, replace(options, threads=threads))
    work = partial(_work, out=out, options=options)
    yield from in_processes(work, tasks, jobs, start=start, ordered=False)


def _start_worker(options: Options) -> None:
    global _models
    _models = load_models(options)


def _work(task: Task, out: Path, options: Options) -> JournalLine:
    if _models is None:
        raise SetupError("a worker started without models")
    return analyze_to_disk(task, out, _models, options)
