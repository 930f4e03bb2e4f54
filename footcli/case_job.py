"""One case -> its folders below the output folder, or the reason why not."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from footcli.domain import CaseRef, CaseResult, Plane, Volume
from footcli.errors import CaseError
from footcli.files import locked, slug, sweep
from footcli.identity import differences, foot_ids, input_facts, same_scan, source_digest
from footcli.journal import Record, result_digest
from footcli.pipeline import Clock, Foot, Models, Options, analyze_volume, fingerprint, read_volume
from footcli.polygons import source_names, write_polygons
from footcli.report import write_report
from footcli.results import load_result, save_case, to_json
from footcli.signoff import load_signoff, set_aside

OWN_FILES = ("report.html", "result.json", "masks.npz", "views.npz")
"""What a case's folder holds of footcli's own, in the order in which it is taken away."""


@dataclass(frozen=True, slots=True)
class Task:
    """A case to be looked at. earlier: the journal's record of its finished result, None without one."""

    ref: CaseRef
    earlier: Record | None = None
    overwrite: bool = False


def analyze_to_disk(task: Task, out: Path, models: Models, options: Options) -> Record:
    """Analyse a case and save it below `out`. Returns its record; a bad case is a record too, never an exception.

    A case whose result already answers what is asked, by its pixels, is skipped; that of another scan is never replaced unasked.
    """
    clock = Clock()
    record: Record = {"case_id": task.ref.case_id, "outcome": "failed", "folders": [], "code": None, "message": None}
    try:
        record |= _done(task, out, models, options, clock)
    except CaseError as error:
        record |= {"code": error.code, "message": str(error)}
    except OSError as error:
        record |= {"code": "no_space" if error.errno == 28 else "io_error", "message": f"could not write the result: {error.strerror}"}
    except MemoryError:
        text = "this case needs more memory than there is: close other programs or use fewer --jobs"
        record |= {"code": "out_of_memory", "message": text}
    except Exception as error:  # whatever it is, the other cases have nothing to do with it
        text = f"a fault inside footcli ({_place(error)}): please report it; the other cases are not touched by it"
        record |= {"code": "internal", "message": text}
    if record["outcome"] != "skipped":  # which keeps the times of the work itself
        record["seconds"] = clock.seconds
    return record


def _place(error: BaseException) -> str:
    """Kind and place of a fault. Not its text, which may quote the file."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if "footcli" in Path(frame.filename).parts] or [last]
    return f"{type(error).__name__} in {Path(own[-1].filename).name}, line {own[-1].lineno}"


def _done(task: Task, out: Path, models: Models, options: Options, clock: Clock) -> Record:
    """What the record of a case that comes to a result holds. Raises whatever reading, analysis and saving do."""
    ref, source = task.ref, source_digest(task.ref)
    volume = read_volume(ref, options, clock)
    held = _held(ref.case_id, out, task.earlier)
    if not task.overwrite:
        _refuse_other(volume, held)
    why = None
    if task.earlier is not None:
        why = _why_again(task, held, fingerprint(models, options), options, volume)
        if why is None:
            return {**task.earlier, "outcome": "skipped", "source": source}
    feet = analyze_volume(ref, volume, models, options, clock)
    with clock("save"):
        folders, signed = _save(feet, task, out, options, held)
    return {
        "outcome": "redone" if why else "done",
        "folders": folders,
        "set_aside": signed,
        "redone": why,
        "source": source,
        "lang": options.lang,
        "polygons": options.polygons,
        "result_sha256": {name: result_digest(out / name) for name in folders},
    }


def is_answered(task: Task, out: Path, models: Models, options: Options) -> bool:
    """Whether a finished result answers what is asked and its files are untouched: then nothing need be read."""
    if task.earlier is None or task.overwrite or task.earlier.get("source") != source_digest(task.ref):
        return False
    held = _held(task.ref.case_id, out, task.earlier)
    return _why_again(task, held, fingerprint(models, options), options) is None


def _held(case_id: str, out: Path, earlier: Record | None) -> dict[str, CaseResult]:
    """Folder name -> result, of every result that `out` holds of this case."""
    names = dict.fromkeys([*(slug(name) for name in foot_ids(case_id)), *(earlier or {}).get("folders", ())])
    return {folder: result for name in names for folder, result in _held_in(out / name).items()}


def _refuse_other(volume: Volume, held: dict[str, CaseResult]) -> None:
    """Raises CaseError other_input where a result of another scan lies under this case's id."""
    other = next((name for name, result in held.items() if not same_scan(result.provenance, volume)), None)
    if other is not None:
        text = f"the result in {other} is that of other images under the same name: give another folder with -o, or --overwrite it"
        raise CaseError("other_input", text)


def _why_again(
    task: Task, held: dict[str, CaseResult], wanted: Record, options: Options, volume: Volume | None = None
) -> str | None:
    """Why a finished case must be done again, None where its result answers what is asked. volume: what was read, if it was."""
    earlier = task.earlier or {}
    if task.overwrite:
        return "--overwrite"
    facts = None if volume is None else input_facts(volume)
    results = [held[name] for name in earlier["folders"] if name in held]
    if len(results) < len(earlier["folders"]):
        return "its result cannot be read by this version"
    found = next((why for result in results if (why := differences(result.provenance, wanted, facts))), [])
    if options.polygons and not earlier.get("polygons"):
        found.append("with --polygons")
    return ", ".join(found) or None


def _save(
    feet: Sequence[Foot], task: Task, out: Path, options: Options, held: dict[str, CaseResult]
) -> tuple[list[str], list[str]]:
    """Save a case's feet and write their reports. What the case had before, in other folders, goes.

    Returns the names of the folders, and of files with a reader's sign-off that no longer belongs to the values.
    """
    saved: list[Path] = []
    signed = []
    try:
        for foot in feet:
            folder = out / slug(foot.result.case_id)
            with locked(folder):
                if not task.overwrite:  # another process may have been here since
                    _refuse_other(foot.volume, _held_in(folder))
                saved.append(folder)
                signed += _save_foot(foot, folder, task, options)
        for folder in saved:  # once all are there: each shows the other
            write_report(folder, options.lang)
    except (OSError, CaseError):
        for folder in saved:  # half a result is none
            _clear(folder)
        raise
    names = [folder.name for folder in saved]
    for name in held.keys() - set(names):
        _clear(out / name)
    return names, signed


def _held_in(folder: Path) -> dict[str, CaseResult]:
    with suppress(CaseError):
        return {folder.name: load_result(folder)}
    return {}


def _save_foot(foot: Foot, folder: Path, task: Task, options: Options) -> list[str]:
    """Save one foot; the caller holds the folder's lock. Returns the name of a sign-off that was set aside, if one was."""
    before = _held_in(folder).get(folder.name)
    changed = before is not None and _answers(before) != _answers(foot.result)
    kept = set_aside(folder) if changed or not _signoff_is_whole(folder) else None
    signed = [f"{folder.name}/{kept.name}"] if kept else []
    sweep(folder)
    (folder / "report.html").unlink(missing_ok=True)  # never an old page beside a new result
    # a plain folder's file names may tell who the patient is; the data set's are pseudonyms
    planes = tuple(Plane) if task.ref.layout == "dataset" else ()
    names = {plane: source_names(plane, foot.labels.shape, foot.volume, task.ref) for plane in planes}
    save_case(folder, foot.result, foot.labels, foot.volume.affine, foot.views, names, foot.stack)
    if options.polygons:
        shutil.rmtree(folder / "polygons", ignore_errors=True)
        write_polygons(folder / "polygons", foot.labels, foot.result.lesions, foot.volume, task.ref)
    return signed


def _signoff_is_whole(folder: Path) -> bool:
    try:
        load_signoff(folder)
    except CaseError:
        return False
    return True


def _answers(result: CaseResult) -> Any:
    """What a reader signs: all but where it comes from."""
    return {key: value for key, value in to_json(result).items() if key != "provenance"}


def _clear(folder: Path) -> None:
    """Take away what footcli wrote for a case; what a reader signed stays."""
    with suppress(OSError):
        for name in OWN_FILES:
            (folder / name).unlink(missing_ok=True)
        sweep(folder)
        shutil.rmtree(folder / "polygons", ignore_errors=True)
        folder.rmdir()
