"""Whether a finished result answers what is asked, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from footcli.domain import CaseRef, CaseResult, Volume
from footcli.errors import CaseError
from footcli.identity import differences, foot_ids, same_scan
from footcli.provenance import InputFacts, Settings
from footcli.run.setup import Options
from footcli.store.journal import JournalLine
from footcli.store.result import is_old, load_result
from footcli.system.names import slug


def held_results(case_id: str, out: Path, earlier: JournalLine | None) -> dict[str, CaseResult]:
    """Folder name -> result, of every result that `out` holds of this case."""
    folders = () if earlier is None else earlier.folders
    held = {}
    for name in dict.fromkeys([*map(slug, foot_ids(case_id)), *folders]):
        with suppress(CaseError):
            held[(out / name).name] = load_result(out / name)
    return held


def refuse_other(volume: Volume, held: Mapping[str, CaseResult]) -> None:
    """Raises CaseError other_input where a result of another scan lies under this case's id."""
    for name, result in held.items():
        if not same_scan(result.provenance, volume):
            raise CaseError("other_input", folder=name)


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


@dataclass(frozen=True, slots=True)
class Asked:
    """What a result must answer. facts: of its input, if it was read."""

    out: Path
    options: Options
    settings: Settings
    facts: InputFacts | None = None


def why_again(earlier: JournalLine, held: Mapping[str, CaseResult], asked: Asked) -> str | None:
    """Why a finished case must be done again, None where its result answers what is asked."""
    results = [held[name] for name in earlier.folders if name in held]
    if len(results) < len(earlier.folders):
        return "its result cannot be read by this version"
    if any(map(is_old, results)):
        return "written by an earlier version of footcli"
    found: list[str] = []
    for result in results:
        found = found or differences(result.provenance, asked.settings, asked.facts)
    if asked.options.polygons and not _all_have_polygons(asked.out, held):
        found = [*found, "with --polygons"]
    return ", ".join(found) or None


def _all_have_polygons(out: Path, folders: Iterable[str]) -> bool:
    return all((out / name / "polygons").is_dir() for name in folders)
