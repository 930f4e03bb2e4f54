"""Counters with a few examples each, summed over cases: all that is kept of a tree of any size."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

MOST_EXAMPLES = 20
"""Examples kept per code."""
MOST_NAMES = 200
"""Names kept in a topic whose names come from files; further ones are counted under OTHER, to bound
memory.
"""
OTHER = "(other names)"

Example = tuple[str, str]
"""(case id, or "" where a whole file or folder is meant; the file's stem, or a path relative to the
tree).
"""


@dataclass(slots=True)
class Tally:
    """counts: topic -> name -> how often. examples: code -> the first ones."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    examples: dict[str, list[Example]] = field(default_factory=dict)

    def add(self, topic: str, name: str, number: int = 1) -> None:
        """Count a name in a topic."""
        if number:
            names = self.counts.setdefault(topic, Counter())
            names[name if name in names or len(names) < MOST_NAMES else OTHER] += number

    def note(self, topic: str, code: str, case: str, file: str, number: int = 1) -> None:
        """Count a code and keep its location; one example per call."""
        self.add(topic, code, number)
        kept = self.examples.setdefault(code, [])
        if len(kept) < MOST_EXAMPLES:
            kept.append((case, file))

    def merge(self, other: Tally) -> None:
        """Add another tally's counts, and its examples up to the limit."""
        for topic, names in other.counts.items():
            for name, number in names.items():
                self.add(topic, name, number)
        for code, found in other.examples.items():
            kept = self.examples.setdefault(code, [])
            kept += found[: MOST_EXAMPLES - len(kept)]

    def of(self, topic: str, name: str) -> int:
        """How often a name was counted; 0 if never."""
        return self.counts.get(topic, Counter())[name]

    def total(self, topic: str) -> int:
        """How often all names of a topic were counted."""
        return sum(self.counts.get(topic, Counter()).values())
