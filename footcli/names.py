"""Spellings found in data -> the names that footcli uses."""

from __future__ import annotations

import re
from collections.abc import Sequence

from footcli.kinds import BONES, FINDINGS, LESIONS, Term


def bone_name(text: str) -> str | None:
    """The bone's name for any known spelling, ignoring case and spaces; None if unknown."""
    return _BONES.get(_fold(text))


def lesion_name(comment: str) -> str | None:
    """The lesion class that a rectangle's comment names; None if unknown.

    Only the text before the first `(` or `)` counts.
    """
    return _LESIONS.get(_fold(comment.split("(")[0].split(")")[0]))


def finding_name(text: str) -> str | None:
    """The finding that a line of DiseaseDetail, or a disease group, names; None if unknown.

    Only the text before the first `(`, `)` or `;` counts.
    """
    return _FINDINGS.get(_fold(re.split(r"[(;)]", text, maxsplit=1)[0]))


def _fold(text: str) -> str:
    return re.sub(r"[\s_\-]+", "", text).casefold()


def _lookup(terms: Sequence[Term]) -> dict[str, str]:
    found = {}
    for term in terms:
        for spelling in (term.name, term.en, term.ko, *term.aliases):
            found[_fold(spelling)] = term.name
    return found


_BONES = _lookup(BONES)
_LESIONS = _lookup(LESIONS)
_FINDINGS = _lookup(FINDINGS)
