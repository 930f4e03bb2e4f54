"""What run.json holds: the last run and every case of the folder."""

from __future__ import annotations

from dataclasses import dataclass

from footcli import __version__
from footcli.provenance import ModelFacts
from footcli.store.journal import JournalLine

RUN = "run.json"
RUN_SCHEMA = "footcli-run/2"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How the cases of the last run were analysed: what results depend on, and what they do not."""

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
    """What run.json holds: the last run's version, device and options; every case of the folder."""

    schema: str = RUN_SCHEMA
    version: str = __version__
    device: str | None = None
    options: RunOptions | None = None
    cases: tuple[JournalLine, ...] = ()
