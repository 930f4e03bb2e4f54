"""Join the image and label folders of one case, and make case ids unique."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from footcli.domain import CaseRef
from footcli.system.names import safe_text
from footcli.walk.home import CaseHome

SPLIT_FRAGMENTS = ("원천데이터", "라벨링데이터")
"""Names of the data set's separate image and label folders (compared in NFC)."""


def joined(homes: Sequence[CaseHome]) -> list[CaseHome]:
    """Join the homes that belong to one case; returns them unsorted and changes them in place.

    Labels and clinical files join the image folder of their name, or the best match of several.
    Folders without images remain separate cases unless their paths show that they belong to one
    case: AD/AN1 and FD/AN1 are two cases.
    """
    by_name: dict[str, list[CaseHome]] = defaultdict(list)
    for home in homes:
        by_name[home.name].append(home)
    cases: list[CaseHome] = []
    for namesakes in by_name.values():
        cases += _cases(namesakes)
    return cases


def _cases(namesakes: list[CaseHome]) -> list[CaseHome]:
    """As `joined`, for homes of one name."""
    whole = [home for home in namesakes if home.has_images]
    apart = [home for home in namesakes if not home.has_images]
    if not whole:
        return _without_images(apart)
    claims = _claims(whole, apart)
    alone = []
    for owner, claimants in zip(whole, claims, strict=True):
        for home in claimants:
            if any(_displaces(other, home, owner) for other in claimants if other is not home):
                alone.append(home)
            else:
                owner.folders.update(home.folders)
    return whole + _without_images(alone)


def _claims(whole: list[CaseHome], apart: list[CaseHome]) -> list[list[CaseHome]]:
    """For each home with images, the homes without images that match it best.

    By the number of slices of the same name, then by the folder names that their paths share.
    """
    if len(whole) == 1:
        return [apart]
    stems, all_names = (
        [home.part().stems() for home in whole],
        [_path_names(home.owner) for home in whole],
    )
    claims: list[list[CaseHome]] = [[] for _ in whole]
    for home in apart:
        mine, names = home.part().stems(), _path_names(home.owner)
        claims[
            max(
                range(len(whole)),
                key=lambda i: (len(mine & stems[i]), (names & all_names[i]).total()),
            )
        ].append(home)
    return claims


def _displaces(other: CaseHome, home: CaseHome, owner: CaseHome) -> bool:
    """Whether `other`, not `home`, holds the owner's labels.

    Both label the same slices in different folders, and the path of `other` is nearer to the owner.
    """
    names, others, owners = (
        _path_names(home.owner),
        _path_names(other.owner),
        _path_names(owner.owner),
    )
    nearer = (others & owners).total() > (names & owners).total()
    return (
        nearer and not names <= others and not home.part().stems().isdisjoint(other.part().stems())
    )


def _without_images(homes: list[CaseHome]) -> list[CaseHome]:
    """Join homes without images: one joins the only other whose path contains its folder names.

    It remains a case of its own if there is no such home, or more than one.
    """
    all_names = {id(home): _path_names(home.owner) for home in homes}
    cases: list[CaseHome] = []
    for home in sorted(homes, key=lambda home: -all_names[id(home)].total()):
        within = [case for case in cases if all_names[id(home)] <= all_names[id(case)]]
        if len(within) == 1:
            within[0].folders.update(home.folders)
        else:
            cases.append(home)
    return cases


def _path_names(folder: str) -> Counter[str]:
    """The folder names of a path and how often each occurs.

    Without the parts that distinguish images from labels (`TS_`/`TL_`, SPLIT_FRAGMENTS).
    """
    names: Counter[str] = Counter()
    for name in map(safe_text, Path(folder).parts):
        if not any(fragment in name for fragment in SPLIT_FRAGMENTS):
            names[re.sub(r"^([TV])[SL]_", r"\1_", name)] += 1
    return names


def with_unique_ids(cases: list[CaseRef]) -> tuple[CaseRef, ...]:
    """Make ids unique: prefix the parent folder's name, then append `~2`, `~3`.

    Outputs must never collide on any disk. Ids of plain folders are unique by their path
    (`id_from_path`); collisions remain for two folders of one Case_ID in a data set, and for names
    that differ only in upper and lower case.
    """
    namesakes: dict[str, list[CaseRef]] = defaultdict(list)
    for case in cases:
        namesakes[case.case_id.casefold()].append(case)
    wanted: dict[int, str] = {}
    for own in namesakes.values():
        wanted |= {id(case): name for case, name in _wanted_ids(own)}
    taken: set[str] = set()
    given: dict[int, str] = {}
    # cases that keep their id come first, so that a copy never renames its original
    for case in sorted(cases, key=lambda case: wanted[id(case)] != case.case_id):
        case_id, number = wanted[id(case)], 1
        while case_id.casefold() in taken or (
            case_id != case.case_id and case_id.casefold() in namesakes
        ):
            number += 1
            case_id = f"{wanted[id(case)]}~{number}"
        taken.add(case_id.casefold())
        given[id(case)] = case_id
    return tuple(replace(case, case_id=given[id(case)]) for case in cases)


def _wanted_ids(namesakes: list[CaseRef]) -> list[tuple[CaseRef, str]]:
    """The id that each case of one id should get.

    In a data set, cases with images take precedence over labels without images. If several are in
    parent folders of different names (AD, FD), each gets that name as a prefix; otherwise the first
    keeps the id and the others, which are probably copies of it, get the prefix.
    """
    own = [case for case in namesakes if case.images] or namesakes
    several = len({case.folder.parent.name.casefold() for case in own}) > 1
    wanted = []
    for case in namesakes:
        name = case.case_id
        if case.layout == "dataset" and (several or case is not own[0]):
            name = f"{safe_text(case.folder.parent.name)}_{case.case_id}"
        wanted.append((case, name))
    return wanted
