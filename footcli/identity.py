"""What a result belongs to: its input, its models and its options.

Tells whether a finished result answers what is asked now.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain

from footcli.dataset.clinical import ADULT_YEARS, age_band
from footcli.domain import CaseRef, Plane, Volume
from footcli.provenance import InputFacts, ModelFacts, Provenance, Settings

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
_WORDED = {True: "yes", False: "no", None: "as the files say"}
# What of the input a result rests on or repeats
_REPEATED = (
    "sha256",
    "pixels_sha256",
    "weight_bearing",
    "age_band",
    "adult",
    "side",
    "warnings",
    "names_sha256",
)
# Option -> what of the input it decides: a difference there is the option's, and not the files'
_DECIDES = {"spacing_mm": "sha256", "weight_bearing": "weight_bearing"}


def input_facts(volume: Volume, names: Mapping[Plane, Sequence[str]]) -> InputFacts:
    """What a result keeps of its input.

    names: of the slices of each plane where the result keeps them, as for masks.npz.
    """
    age = volume.tags.age_years
    return InputFacts(
        sha256=volume.input_sha256,
        pixels_sha256=volume.pixels_sha256,
        weight_bearing=volume.tags.weight_bearing,
        age_band=age_band(age),
        adult=None if age is None else age >= ADULT_YEARS,
        side=volume.tags.side,
        warnings=tuple(sorted(notice.code for notice in volume.notices)),
        names_sha256=_names_digest(names),
        shape=volume.hu.shape,
        slices=volume.hu.shape[volume.stack.array_axis],
        spacing_mm=_spacing(volume),
        orientation_known=volume.orientation_known,
        skipped=dict(volume.skipped),
    )


def _names_digest(names: Mapping[Plane, Sequence[str]]) -> str | None:
    listed = []
    for plane in sorted(names):
        listed += [plane.value, *names[plane]]
    if not listed:
        return None
    return hashlib.sha256("\0".join(listed).encode("utf-8", "backslashreplace")).hexdigest()


def _spacing(volume: Volume) -> tuple[float, ...]:
    known = volume.spacing_mm if volume.spacing_known else ()
    return tuple(round(float(v), 4) for v in known)


def source_digest(ref: CaseRef) -> str:
    """A hash over place, size and times of the files behind a case: where it is the same the files
    need not be read again.

    The change time is in it: names, sizes and modification times of two patients can be the same in
    exports from archives.
    """
    digest = hashlib.sha256()
    for path in sorted(chain(ref.clinical_files, *ref.images.values())):
        digest.update(os.fsencode(path))
        try:
            found = path.stat(follow_symlinks=False)
        except OSError:
            continue  # that it cannot be read is found, and said, on reading
        digest.update(f"\0{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}\0".encode())
    return digest.hexdigest()


def same_scan(provenance: Provenance, volume: Volume) -> bool:
    """Whether a result's pixels are the volume's, whatever their geometry: --spacing is part of
    that.
    """
    held = provenance.input
    return volume.input_sha256 == held.sha256 or volume.pixels_sha256 == held.pixels_sha256


def differences(
    provenance: Provenance, wanted: Settings, facts: InputFacts | None = None
) -> list[str]:
    """In what a finished result differs from what is asked for now; empty where it answers it.

    wanted: as the new result's provenance would hold it. facts: of the input as it is now; None
    where its files are the same as they were.
    """
    if provenance.algorithm != wanted.algorithm:
        return ["made by another version of footcli"]
    found = [
        f"{name} or its entry has changed" for name in _changed(provenance.models, wanted.models)
    ]
    old, new = provenance.profile, wanted.profile
    if old.name != new.name:
        found.append(f"profile {new.name} instead of {old.name}")
    elif old.sha256 != new.sha256:
        found.append(f"profile {new.name} has changed")
    before, asked = asdict(provenance.options), asdict(wanted.options)
    other = [key for key, value in asked.items() if before[key] != value]
    for key in other:
        now, then = _worded(asked[key]), _worded(before[key])
        found.append(f"{_LABEL.get(key, key)} {now} instead of {then}")
    if facts is not None and _says_else(provenance.input, facts, other):
        found.append("the files say something else of the scan or the patient")
    return found


def _says_else(held: InputFacts, facts: InputFacts, options: Sequence[str]) -> bool:
    """Whether the input is another one in what a result rests on or repeats.

    options: those that have changed; what they decide is no news.
    """
    decided = {_DECIDES.get(key) for key in options}
    return any(
        getattr(held, name) != getattr(facts, name) for name in _REPEATED if name not in decided
    )


def _changed(old: Sequence[ModelFacts], new: Sequence[ModelFacts]) -> list[str]:
    """File names of models that changed, came or went."""

    def known(models: Sequence[ModelFacts]) -> set[tuple[str, str, str]]:
        return {(model.name, model.sha256, model.entry_sha256) for model in models}

    return sorted({name for name, *_ in known(old) ^ known(new)})


def _worded(value: str | bool | None) -> str:
    return _WORDED[value] if value is None or isinstance(value, bool) else str(value)


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
