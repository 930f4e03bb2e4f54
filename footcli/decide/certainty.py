"""What a scan and a foot allow to be sure of."""

from __future__ import annotations

from dataclasses import dataclass

from footcli.text.lines import Line


@dataclass(frozen=True, slots=True)
class Certainty:
    """What forbids to be sure of a finding.

    loaded: whether the foot carries load; None if unknown. unchecked: lesions whose boxes could not
    be compared with the anatomy. limits: why nothing can be PRESENT; box_limits: why no finding can
    be that rests on a box alone. floor_seen: whether heel and forefoot show where the floor is.
    """

    loaded: bool | None = True
    unchecked: frozenset[str] = frozenset()
    limits: tuple[Line, ...] = ()
    box_limits: tuple[Line, ...] = ()
    floor_seen: bool = True

    @property
    def arch_limits(self) -> tuple[Line, ...]:
        """Why no finding about the arch can be PRESENT."""
        return self.unloaded if self.floor_seen else (*self.unloaded, Line("floor_unseen"))

    @property
    def unloaded(self) -> tuple[Line, ...]:
        """Why an arch cannot be judged for sure; nothing for a foot that carries load."""
        if self.loaded:
            return ()
        return (Line("load_unknown" if self.loaded is None else "load_none"),)

    @property
    def is_limited(self) -> bool:
        """Whether no foot can be normal for sure: unknown load alone forbids that not."""
        return self.loaded is False or bool(self.limits or self.box_limits)

    @property
    def lines(self) -> tuple[Line, ...]:
        """All of it that concerns a normal foot."""
        return (*self.limits, *self.box_limits, *self.unloaded)
