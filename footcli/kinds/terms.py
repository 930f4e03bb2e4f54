"""A thing that has a name in results, a word in two languages, and other spellings."""

from __future__ import annotations

from dataclasses import dataclass

from footcli.text.lines import Line
from footcli.text.wording import wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A thing with the name that results use, and other spellings of it that are met in data."""

    name: str
    aliases: tuple[str, ...] = ()
    family = "bone"

    @property
    def word(self) -> Line:
        """Its title, to be put into a sentence."""
        return Line(f"{self.family}.{self.name}")

    @property
    def en(self) -> str:
        """Its English title."""
        return wording(self.word.code)

    @property
    def ko(self) -> str:
        """Its Korean title."""
        return wording(self.word.code, "ko")
