"""What the descriptions of a series say of load and side."""

from __future__ import annotations

import re

from footcli.domain import Side

_LOAD = r"(weight|wb|standing|load|belast|stehend)"
# A negation or a pose without load wins over any word of load beside it
_NOT_LOADED = re.compile(
    r"(?<![a-z])(non?|not|without|w/o|kein\w*|ohne|sans|un|nicht)[\s_-]*" + _LOAD + r"|"
    r"(?<![a-z])nwb|(?<![a-z])(sitting|seated|supine|prone|lying|liegend|sitzend)(?![a-z])|"
    r"(weight[\s_-]*bearing|wb(ct)?|standing)\s*[:=]?\s*(no|n|none|false|0)(?=\s*([,;.)]|$))|"
    r"[비무]\s*체중|체중\s*부하\s*(안|없|불|못|하지\s*않|x)",
    re.IGNORECASE,
)
_SIMULATED = re.compile(r"simulat|모의|모사", re.IGNORECASE)
_LOADED = re.compile(
    r"weight[\s_-]*bearing|(?<![a-z])wb(ct)?(?![a-z])|standing(?!\s*(order|req))|"
    r"(?<!un)belastet|stehend|체중\s*부하",
    re.IGNORECASE,
)
_EDGE = r"(?<![^\W\d_])(?:{})(?![^\W_])"
_SIDES: dict[Side, re.Pattern[str]] = {
    "L": re.compile(_EDGE.format("l|lt|left|links|linker") + "|왼|좌측|좌족", re.IGNORECASE),
    "R": re.compile(  # not R/O, rule out
        _EDGE.format("r(?!/)|rt|right|rechts|rechter") + "|오른|우측|우족", re.IGNORECASE
    ),
}


def load_in(words: str) -> bool | None:
    """Whether the words say that the patient stood; None if they do not tell."""
    if _NOT_LOADED.search(words):
        return False
    if _SIMULATED.search(words) or not _LOADED.search(words):
        return None
    return True


def side_in(words: str) -> Side | None:
    """The side that the words name; None if they name none, or both."""
    found = [side for side, pattern in _SIDES.items() if pattern.search(words)]
    return found[0] if len(found) == 1 else None
