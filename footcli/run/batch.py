"""Many cases -> an output folder: what is done is skipped, what fails is recorded, nothing is left
half-written.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from footcli import __version__
from footcli.domain import CaseRef
from footcli.errors import SetupError
from footcli.report.other_foot import partner
from footcli.report.patient import report_language, write_report
from footcli.report.summaries import RUN_SCHEMA, Pace, write_summaries
from footcli.run.case_job import Task, analyze_to_disk, is_answered
from footcli.run.pipeline import Models, Options, fingerprint, load_models
from footcli.store.journal import Record, add, finished, latest_done, open_journal, read_journal
from footcli.system.cores import cpu_count
from footcli.system.files import slug

_models: Models | None = None  # a worker process's own, opened once


def run_batch(
    refs: Sequence[CaseRef],
    out: Path,
    options: Options,
    *,
    overwrite: bool = False,
    jobs: int = 1,
    tell: Callable[[Record], None] = lambda record: None,
    opened: Callable[[Models], None] = lambda models: None,
) -> Record:
    """Analyse cases into `out`; returns what run.json holds of these cases.

    `tell` hears each case's record, `opened` the models once.

    The summaries are written as the run goes on and at its end, whatever ends it. Raises SetupError
    before the first case if a model or the output folder cannot be used.
    """
    models = load_models(options)
    opened(models)
    known, failed = _open_folder(refs, out)
    damaged = {
        case_id: record for case_id, record in latest_done(out).items() if case_id not in known
    }
    head = {"version": __version__, "device": models.device, "options": _as_json(options, models)}
    records: dict[str, Record] = {}
    waiting = []
    pace = Pace()
    try:
        for task in (
            Task(ref, known.get(ref.case_id), overwrite, damaged.get(ref.case_id)) for ref in refs
        ):
            if _needs_nothing(task, out, models, options):
                records[task.ref.case_id] = {**known[task.ref.case_id], "outcome": "skipped"}
                if task.ref.case_id in failed:  # a later try did, with what is no longer asked for
                    add(out, known[task.ref.case_id])
                tell(records[task.ref.case_id])
            else:
                waiting.append(task)
        for record in _records(waiting, out, models, options, jobs):
            add(out, _as_kept(record))
            records[record["case_id"]] = record
            tell(record)
            if pace.due():
                began = time.monotonic()
                with suppress(
                    OSError
                ):  # open in a spreadsheet, for one; the last one is the one that counts
                    write_summaries(out, options.lang, head, records)
                pace.spent(time.monotonic() - began)
        skipped = [
            out / name
            for record in records.values()
            if record["outcome"] == "skipped"
            for name in record["folders"]
        ]
        for folder in skipped:
            if report_language(folder) != options.lang:
                _write_again(folder, options.lang)
        _again(
            out,
            [record for record in records.values() if record["outcome"] in ("done", "redone")],
            options.lang,
        )
    except BaseException:
        with suppress(OSError):  # what ended the run is what is to be told
            write_summaries(out, options.lang, head, records)
        raise
    write_summaries(out, options.lang, head, records)
    return {
        **head,
        "schema": RUN_SCHEMA,
        "cases": [records[ref.case_id] for ref in refs if ref.case_id in records],
    }


def _as_json(options: Options, models: Models) -> Record:
    """What run.json says of how the cases were analysed: what results depend on, and what they do
    not.
    """
    beside = {"lang": options.lang, "device": options.device, "polygons": options.polygons}
    settings = fingerprint(models, options)
    return {
        **settings["options"],
        **beside,
        "profile": options.profile,
        "models": settings["models"],
    }


def _as_kept(record: Record) -> Record:
    """The journal's line for a case: that it was skipped is this run's affair, its result stays a
    finished one.
    """
    return {**record, "outcome": "done"} if record["outcome"] == "skipped" else record


def _needs_nothing(task: Task, out: Path, models: Models, options: Options) -> bool:
    """Whether a finished result is there and answers what is asked; whatever goes wrong in looking,
    the case is looked at again.
    """
    try:
        return is_answered(task, out, models, options)
    except Exception:
        return False


def _write_again(folder: Path, lang: str) -> None:
    """Write a report again; one that cannot be written stays as it is, and the case is done."""
    with suppress(Exception):
        write_report(folder, lang)


def _open_folder(refs: Sequence[CaseRef], out: Path) -> tuple[dict[str, Record], set[str]]:
    """Make the output folder ready before the first case; returns what is known of finished ones,
    and which ids failed last.
    """
    for ref in refs:
        target, source = (out / slug(ref.case_id)).resolve(), ref.folder.resolve()
        if target == source or target in source.parents:
            raise SetupError(
                f"{out}: results would lie among the images of case {ref.case_id}; name another "
                "folder with -o"
            )
    try:
        open_journal(out)
        last = {record["case_id"]: record["outcome"] for record in read_journal(out)}
        return finished(out), {case_id for case_id, outcome in last.items() if outcome == "failed"}
    except OSError as error:
        raise SetupError(
            f"{out}: cannot be used for results ({error.strerror}); name another folder with -o"
        ) from error


def _records(
    tasks: Sequence[Task], out: Path, models: Models, options: Options, jobs: int
) -> Iterable[Record]:
    if jobs <= 1 or len(tasks) <= 1:
        for task in tasks:
            yield analyze_to_disk(task, out, models, options)
        return
    context = multiprocessing.get_context(
        "spawn"
    )  # a fork would copy onnxruntime's threads half alive
    with ProcessPoolExecutor(
        jobs, context, initializer=_start_worker, initargs=(options, max(1, cpu_count() // jobs))
    ) as pool:
        futures = [pool.submit(_work, task, out, options) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise SetupError(
                "a worker process died, out of memory perhaps: finished cases are kept, go on with "
                "fewer --jobs"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start_worker(options: Options, threads: int) -> None:
    global _models
    _models = load_models(replace(options, threads=threads))


def _work(task: Task, out: Path, options: Options) -> Record:
    if _models is None:
        raise SetupError("a worker started without models")
    return analyze_to_disk(task, out, _models, options)


def _again(out: Path, fresh: Sequence[Record], lang: str) -> None:
    """Write the reports again of feet whose other side is another case: it may have been finished
    after them.
    """
    again: set[Path] = set()
    for folder in (
        out / name for record in fresh for name in record["folders"] if len(record["folders"]) == 1
    ):
        if (beside := partner(folder)) is not None:
            again |= {folder, beside}
    for folder in sorted(again):
        _write_again(folder, report_language(folder) or lang)
