"""What a result belongs to: its input, its models and its options.

Tells whether a finished result answers what is asked now.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from footcli.dataset.clinical import ADULT_YEARS, age_band
from footcli.domain import CaseRef, Plane, Volume, mapping

ALGORITHM = 1
"""Raised whenever the same input, models and options may give other numbers: results of another one
are done again.
"""
FOOT_MARK = "+"
"""Stands between the id of a scan that shows two feet and the foot's side or number: `P1+L`.

No case id of its own ends so.
"""
FEET = ("L", "R", "1", "2")

_LABEL = {"weight_bearing": "weight bearing", "spacing_mm": "spacing"}
_SAID = {True: "yes", False: "no", None: "as the files say"}
# Option -> what of the input it decides: a difference there is the option's, and not the files'
_DECIDES = {"spacing_mm": "sha256", "weight_bearing": "weight_bearing"}


def input_facts(volume: Volume, names: Mapping[Plane, Sequence[str]]) -> dict[str, Any]:
    """What decides whether two inputs are the same: pixels, geometry, and what else of the files a
    result rests on or repeats.

    names: of the slices of each plane where the result keeps them, as for masks.npz.
    """
    age = volume.tags.age_years
    listed = "\0".join(name for plane in sorted(names) for name in (plane.value, *names[plane]))
    return {
        "sha256": volume.input_sha256,
        "pixels_sha256": volume.pixels_sha256,
        "weight_bearing": volume.tags.weight_bearing,
        "age_band": age_band(age),
        "adult": None if age is None else age >= ADULT_YEARS,
        "side": volume.tags.side,
        "warnings": sorted(notice.code for notice in volume.notices),
        "names_sha256": hashlib.sha256(listed.encode("utf-8", "backslashreplace")).hexdigest()
        if listed
        else None,
    }


def source_digest(ref: CaseRef) -> str:
    """A hash over place, size and times of the files behind a case: where it is the same the files
    need not be read again.

    The change time is in it: names, sizes and modification times of two patients can be the same in
    exports from archives.
    """
    digest = hashlib.sha256()
    files = [path for paths in ref.images.values() for path in paths] + list(ref.clinical_files)
    for path in sorted(files):
        digest.update(os.fsencode(path))
        try:
            found = path.stat(follow_symlinks=False)
        except OSError:
            continue  # that it cannot be read is found, and said, on reading
        digest.update(f"\0{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}\0".encode())
    return digest.hexdigest()


def same_scan(provenance: Mapping[str, Any], volume: Volume) -> bool:
    """Whether a result's pixels are the volume's, whatever their geometry: --spacing is part of
    that.
    """
    held = mapping(provenance.get("input"))
    return volume.input_sha256 == held.get("sha256") or volume.pixels_sha256 == held.get(
        "pixels_sha256"
    )


def differences(
    provenance: Mapping[str, Any], wanted: Mapping[str, Any], facts: Mapping[str, Any] | None = None
) -> list[str]:
    """In what a finished result differs from what is asked for now, in words for people; empty
    where it answers it.

    provenance: of the result. wanted: algorithm, models, profile and options as the new result's
    provenance would hold them. facts: `input_facts` of the input as it is now; None where its files
    are the same as they were.
    """
    if provenance.get("algorithm") != wanted["algorithm"]:
        return ["made by another version of footcli"]
    found = [
        f"{name} or its entry has changed"
        for name in _changed(provenance.get("models"), wanted["models"])
    ]
    old, new = mapping(provenance.get("profile")), wanted["profile"]
    if old.get("name") != new["name"]:
        found.append(f"profile {new['name']} instead of {old.get('name')}")
    elif old.get("sha256") != new["sha256"]:
        found.append(f"profile {new['name']} has changed")
    before = mapping(provenance.get("options"))
    other = {key: value for key, value in wanted["options"].items() if before.get(key) != value}
    found += [
        f"{_LABEL.get(key, key)} {_worded(value)} instead of {_worded(before.get(key))}"
        for key, value in other.items()
    ]
    decided = {_DECIDES.get(key) for key in other}
    held = mapping(provenance.get("input"))
    if facts is not None and any(
        held.get(key) != value for key, value in facts.items() if key not in decided
    ):
        found.append("the files say something else of the scan or the patient")
    return found


def _changed(old: Any, new: Iterable[Mapping[str, Any]]) -> list[str]:
    """File names of models that changed, came or went."""

    def known(models: Iterable[Any]) -> set[tuple[str, str]]:
        return {
            (str(m.get("name")), f"{m.get('sha256')} {m.get('entry_sha256')}")
            for m in models
            if isinstance(m, Mapping)
        }

    before, after = known(old if isinstance(old, list) else ()), known(new)
    return sorted({name for name, _ in before ^ after})


def _worded(value: Any) -> str:
    return _SAID[value] if value is None or isinstance(value, bool) else str(value)


def scan_id(foot_id: str) -> str:
    """The id of the scan that a foot's result belongs to: `P1` for `P1+L`, and for `P1`."""
    scan, mark, foot = foot_id.rpartition(FOOT_MARK)
    return scan if mark and foot in FEET else foot_id


def foot_ids(case_id: str) -> tuple[str, ...]:
    """Every id that a case's results can have."""
    return case_id, *(f"{case_id}{FOOT_MARK}{foot}" for foot in FEET)


def id_from_path(parts: Iterable[str]) -> str:
    """The id of a case from the names on the way to its folder: the same whatever lies beside it,
    another for another way.

    Names are joined by `--`. A way whose names would make the id of another way, or of one foot,
    gets a hash at its end.
    """
    names = list(parts)
    text = "--".join(names)
    if text.split("--") == names and FOOT_MARK not in text:
        return text
    mark = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{text.replace(FOOT_MARK, '_')}~{mark}"
