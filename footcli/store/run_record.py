"""The types of run.json: the last run and every case of the folder."""

from __future__ import annotations

from dataclasses import dataclass

from footcli import __version__
from footcli.provenance import ModelFacts
from footcli.store.journal import JournalLine

RUN = "run.json"
RUN_SCHEMA = "footcli-run/2"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of the last run, including those that do not affect results."""

    quality: str
    spacing_mm: str | None
    weight_bearing: bool | None
    profile: str
    models: tuple[ModelFacts, ...]
    lang: str
    device: str
    polygons: bool


@dataclass(frozen=True, slots=True)
class RunRecord:
    """run.json: version, device and options of the last run, and every case of the folder."""

    schema: str = RUN_SCHEMA
    version: str = __version__
    device: str | None = None
    options: RunOptions | None = None
    cases: tuple[JournalLine, ...] = ()
