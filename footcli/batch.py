"""Many cases -> an output folder: what is done is skipped, what fails is recorded, nothing is left half-written."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import Any

from footcli import __version__
from footcli.domain import CaseRef, CaseResult, Plane
from footcli.errors import CaseError, SetupError
from footcli.files import slug, write_atomic
from footcli.index import write_index
from footcli.infer.session import cpu_count
from footcli.pipeline import Clock, Foot, Models, Options, analyze_case, load_models
from footcli.polygons import source_names, write_polygons
from footcli.report import write_report
from footcli.results import dumps, load_result, save_case
from footcli.sides import partner
from footcli.spreadsheet import measurements_csv

JOURNAL = "journal.jsonl"  # one line a finished case; what a later run trusts
Record = dict[str, Any]
_models: Models | None = None  # a worker process's own, opened once


def analyze_to_disk(ref: CaseRef, out: Path, models: Models, options: Options) -> Record:
    """Analyse a case and save it below `out`. Returns its record; a bad case is a record too, never an exception."""
    clock = Clock()
    record: Record = {"case_id": ref.case_id, "outcome": "failed", "folders": [], "code": None, "message": None}
    try:
        feet = analyze_case(ref, models, options, clock)
        with clock("save"):
            record["folders"] = _save(feet, ref, out, options)
        record["outcome"] = "done"
        record["result_sha256"] = {name: _digest(out / name) for name in record["folders"]}
    except CaseError as error:
        record["code"], record["message"] = error.code, str(error)
    except OSError as error:
        record["code"], record["message"] = "no_space" if error.errno == 28 else "io_error", f"could not write the result: {error.strerror}"
    except MemoryError:
        record["code"], record["message"] = (
            "out_of_memory",
            "this case needs more memory than there is: close other programs or use fewer --jobs",
        )
    record["seconds"] = clock.seconds
    return record


def _save(feet: Sequence[Foot], ref: CaseRef, out: Path, options: Options) -> list[str]:
    """Save a case's feet and write their reports; returns the names of their folders."""
    folders = [out / slug(foot.result.case_id) for foot in feet]
    try:
        for foot, folder in zip(feet, folders, strict=True):
            # a plain folder's file names may tell who the patient is; the data set's are pseudonyms
            planes = tuple(Plane) if ref.layout == "dataset" else ()
            names = {plane: source_names(plane, foot.labels.shape, foot.volume, ref) for plane in planes}
            save_case(folder, foot.result, foot.labels, foot.volume.affine, foot.views, names, foot.stack)
            if options.polygons:
                write_polygons(folder / "polygons", foot.labels, foot.result.lesions, foot.volume, ref)
        for folder in folders:  # once all are there: each shows the other
            write_report(folder, options.lang)
    except OSError:
        for folder in folders:  # half a result is none
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return [folder.name for folder in folders]


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / "result.json").read_bytes()).hexdigest()


def read_journal(out: Path) -> dict[str, Record]:
    """Case id -> its last record, of cases whose results are whole: the hash in the journal is the file's."""
    path = out / JOURNAL
    known: dict[str, Record] = {}
    # a run that was killed may end in the middle of a line, even of a character
    for line in path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else ():
        try:
            record = json.loads(line)
            known[record["case_id"]] = record
        except (ValueError, KeyError, TypeError):
            continue
    return {case: record for case, record in known.items() if record.get("outcome") == "done" and _whole(out, record)}


def _whole(out: Path, record: Record) -> bool:
    """The record's results are there, as they were written, and this version can read them."""
    hashes = record.get("result_sha256")
    if not isinstance(hashes, dict) or not hashes:
        return False
    try:
        for name, value in hashes.items():
            load_result(out / name)
            if _digest(out / name) != value:
                return False
    except (CaseError, OSError):
        return False
    return True


def run_batch(
    refs: Sequence[CaseRef], out: Path, options: Options, *, overwrite: bool = False, jobs: int = 1,
    tell: Callable[[Record], None] = lambda record: None, opened: Callable[[Models], None] = lambda models: None,
) -> Record:  # fmt: skip
    """Analyse cases into `out`; returns what run.json holds. `tell` hears each case's record, `opened` the models once.

    Raises SetupError before the first case if a model or the output folder cannot be used. KeyboardInterrupt passes through
    after run.json and index.html are written for what is finished.
    """
    models = load_models(options)
    opened(models)
    known = _open_folder(refs, out, overwrite)
    records: dict[str, Record] = {r.case_id: {**known[r.case_id], "outcome": "skipped"} for r in refs if r.case_id in known}
    for record in records.values():
        tell(record)
    todo = [ref for ref in refs if ref.case_id not in records]
    try:
        for record in _records(todo, out, models, options, jobs):
            records[record["case_id"]] = record
            with (out / JOURNAL).open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(record, ensure_ascii=False) + "\n")
            tell(record)
        _again(out, [records[r.case_id] for r in todo if records[r.case_id]["outcome"] == "done"], options.lang)
    finally:
        run = {
            "schema": "footcli-run/1",
            "version": __version__,
            "device": models.device,
            "cases": [records[r.case_id] for r in refs if r.case_id in records],
        }
        _finish(out, run, options.lang)
    return run


def _open_folder(refs: Sequence[CaseRef], out: Path, overwrite: bool) -> dict[str, Record]:
    """Make the output folder ready before the first case; returns what is known of finished ones."""
    for ref in refs:
        target, source = (out / slug(ref.case_id)).resolve(), ref.folder.resolve()
        if target == source or target in source.parents:
            raise SetupError(f"{out}: results would lie among the images of case {ref.case_id}; name another folder with -o")
    try:
        out.mkdir(parents=True, exist_ok=True)
        known = {} if overwrite else read_journal(out)
        with (out / JOURNAL).open("a+b") as journal:
            journal.seek(max(0, journal.seek(0, 2) - 1))
            if journal.read(1) not in (b"", b"\n"):  # the last line was cut off: begin a new one
                journal.write(b"\n")
    except OSError as error:
        raise SetupError(f"{out}: cannot be used for results ({error.strerror}); name another folder with -o") from error
    return known


def _records(todo: Sequence[CaseRef], out: Path, models: Models, options: Options, jobs: int) -> Iterable[Record]:
    if jobs <= 1 or len(todo) <= 1:
        for ref in todo:
            yield analyze_to_disk(ref, out, models, options)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy onnxruntime's threads half alive
    with ProcessPoolExecutor(jobs, context, initializer=_start_worker, initargs=(options, max(1, cpu_count() // jobs))) as pool:
        futures = [pool.submit(_work, ref, out, options) for ref in todo]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise SetupError("a worker process died, out of memory perhaps: finished cases are kept, go on with fewer --jobs") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start_worker(options: Options, threads: int) -> None:
    global _models
    from dataclasses import replace

    _models = load_models(replace(options, threads=threads))


def _work(ref: CaseRef, out: Path, options: Options) -> Record:
    if _models is None:
        raise SetupError("a worker started without models")
    return analyze_to_disk(ref, out, _models, options)


def _again(out: Path, fresh: Sequence[Record], lang: str) -> None:
    """Write the reports again of feet whose other side is another case: it may have been finished after them."""
    again: set[Path] = set()
    for folder in (out / name for record in fresh for name in record["folders"] if len(record["folders"]) == 1):
        if (beside := partner(folder)) is not None:
            again |= {folder, beside}
    for folder in sorted(again):
        with suppress(CaseError, OSError):  # the report that is there stays whole, and the case is done
            write_report(folder, lang)


def _finish(out: Path, run: Record, lang: str) -> None:
    results: list[CaseResult] = []
    for record in run["cases"]:
        results += [load_result(out / name) for name in record["folders"]]
    write_atomic(out / "run.json", dumps(run).encode())
    write_atomic(out / "measurements.csv", measurements_csv(results).encode("utf-8-sig"))
    write_index(out, run, lang)
