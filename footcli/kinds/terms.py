"""Base type of the tables: a name in results, its title in two languages, other spellings."""

from __future__ import annotations

from dataclasses import dataclass

from footcli.text.lines import Line
from footcli.text.wording import wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A thing with its name in results, and the other spellings of it found in data."""

    name: str
    aliases: tuple[str, ...] = ()
    family = "bone"

    @property
    def word(self) -> Line:
        """Its title as a line, for use in a sentence."""
        return Line(f"{self.family}.{self.name}")

    @property
    def en(self) -> str:
        """Its English title."""
        return wording(self.word.code)

    @property
    def ko(self) -> str:
        """Its Korean title."""
        return wording(self.word.code, "ko")
