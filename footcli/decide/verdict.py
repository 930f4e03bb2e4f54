"""Intermediate result of a decision: a level with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from footcli.domain import Level
from footcli.text.lines import Line

RAISED = (Level.PRESENT, Level.POSSIBLE)
RANK = (Level.NOT_MEASURABLE, Level.NOT_SEEN, Level.POSSIBLE, Level.PRESENT)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A level with its evidence. angles: those that determined the level."""

    level: Level
    lines: Sequence[Line]
    angles: tuple[str, ...] = ()
