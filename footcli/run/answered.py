"""Whether a finished result satisfies the request, and why not."""

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
from footcli.text.lines import Line


def held_results(case_id: str, out: Path, earlier: JournalLine | None) -> dict[str, CaseResult]:
    """Folder name -> result, of every result of this case in `out`."""
    folders = () if earlier is None else earlier.folders
    held = {}
    for name in dict.fromkeys([*map(slug, foot_ids(case_id)), *folders]):
        with suppress(CaseError):
            held[(out / name).name] = load_result(out / name)
    return held


def refuse_other(volume: Volume, held: Mapping[str, CaseResult]) -> None:
    """Raise CaseError other_input where a result of another scan has this case's id."""
    for name, result in held.items():
        if not same_scan(result.provenance, volume):
            raise CaseError("other_input", folder=name)


@dataclass(frozen=True, slots=True)
class Task:
    """A case to analyse. earlier: the journal's record of its finished result, None without one.

    damaged: the record of a result whose files have changed since, if there is no other.
    """

    ref: CaseRef
    earlier: JournalLine | None = None
    overwrite: bool = False
    damaged: JournalLine | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a result must satisfy. facts: of its input, if it was read."""

    out: Path
    options: Options
    settings: Settings
    facts: InputFacts | None = None


def why_again(
    earlier: JournalLine, held: Mapping[str, CaseResult], asked: Asked
) -> tuple[Line, ...]:
    """Why a finished case must be analysed again; empty if its result satisfies the request."""
    results = [held[name] for name in earlier.folders if name in held]
    if len(results) < len(earlier.folders):
        return (Line("redone.unreadable"),)
    if any(map(is_old, results)):
        return (Line("redone.old"),)
    found: list[Line] = []
    for result in results:
        found = found or differences(result.provenance, asked.settings, asked.facts)
    if asked.options.polygons and not _all_have_polygons(asked.out, held):
        found = [*found, Line("redone.polygons")]
    return tuple(found)


def _all_have_polygons(out: Path, folders: Iterable[str]) -> bool:
    return all((out / name / "polygons").is_dir() for name in folders)
