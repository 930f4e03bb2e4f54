"""Identity of cases and results: ids, and whether a stored result matches a new request."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain

from footcli.dataset.clinical import ADULT_YEARS, age_band
from footcli.domain import CaseRef, Plane, Volume
from footcli.provenance import InputFacts, ModelFacts, Provenance, Settings
from footcli.text.lines import Line

ALGORITHM = 3
"""Version of the algorithm. Raise it if the same input, models and options may give other numbers:
results of another version are recomputed.
"""
FOOT_MARK = "+"
"""Separates the id of a scan that shows two feet from the foot's side or number: `P1+L`.

No other case id ends in this mark and a foot.
"""
FEET = ("L", "R", "1", "2")

# Fields of the input that a result depends on or repeats
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
# Option -> the input field that it sets: a difference in it comes from the option, not the files
_DECIDES = {"spacing_mm": "sha256", "weight_bearing": "weight_bearing"}


def input_facts(volume: Volume, names: Mapping[Plane, Sequence[str]]) -> InputFacts:
    """What a result records of its input.

    names: slice names of each plane, if the result stores them, as masks.npz does.
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
    """Hash of path, size and times of a case's files: if it is unchanged, they need no re-reading.

    It includes the change time: files of two patients can have equal names, sizes and modification
    times in exports from archives.
    """
    digest = hashlib.sha256()
    for path in sorted(chain(ref.clinical_files, *ref.images.values())):
        digest.update(os.fsencode(path))
        try:
            found = path.stat(follow_symlinks=False)
        except OSError:
            continue  # reading the file will report it
        digest.update(f"\0{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}\0".encode())
    return digest.hexdigest()


def same_scan(provenance: Provenance, volume: Volume) -> bool:
    """Whether a result has the volume's pixels; geometry may differ, since --spacing changes it."""
    held = provenance.input
    return volume.input_sha256 == held.sha256 or volume.pixels_sha256 == held.pixels_sha256


def differences(
    provenance: Provenance, wanted: Settings, facts: InputFacts | None = None
) -> list[Line]:
    """How a finished result differs from the one requested now; empty if it can be kept.

    wanted: the settings that the new result's provenance would hold. facts: those of the present
    input; None if its files are unchanged.
    """
    if provenance.algorithm != wanted.algorithm:
        return [Line("redone.algorithm")]
    changed = _changed(provenance.models, wanted.models)
    found = [Line("redone.model", file=name) for name in changed]
    old, new = provenance.profile, wanted.profile
    if old.name != new.name:
        found.append(_option("profile", new.name, old.name))
    elif old.sha256 != new.sha256:
        found.append(Line("redone.profile", profile=new.name))
    before, asked = asdict(provenance.options), asdict(wanted.options)
    other = [key for key, value in asked.items() if before[key] != value]
    found += [_option(key, asked[key], before[key]) for key in other]
    if facts is not None and _says_else(provenance.input, facts, other):
        found.append(Line("redone.files"))
    return found


def _option(name: str, now: str | bool | None, before: str | bool | None) -> Line:
    option = Line(f"option.{name}")
    return Line("redone.option", option=option, now=_worded(now), before=_worded(before))


def _says_else(held: InputFacts, facts: InputFacts, options: Sequence[str]) -> bool:
    """Whether the input differs in a field that a result depends on or repeats.

    options: those that have changed; the fields that they set are not compared.
    """
    decided = {_DECIDES.get(key) for key in options}
    return any(
        getattr(held, name) != getattr(facts, name) for name in _REPEATED if name not in decided
    )


def _changed(old: Sequence[ModelFacts], new: Sequence[ModelFacts]) -> list[str]:
    """File names of models that were changed, added or removed."""

    def known(models: Sequence[ModelFacts]) -> set[tuple[str, str, str]]:
        return {(model.name, model.sha256, model.entry_sha256) for model in models}

    return sorted({name for name, *_ in known(old) ^ known(new)})


def _worded(value: str | bool | None) -> Line | str:
    return value if isinstance(value, str) else Line(f"option_value.{value}")


def scan_id(foot_id: str) -> str:
    """The id of the scan that a foot's result belongs to: `P1` for `P1+L` and for `P1`."""
    scan, mark, foot = foot_id.rpartition(FOOT_MARK)
    return scan if mark and foot in FEET else foot_id


def foot_ids(case_id: str) -> tuple[str, ...]:
    """Every id that a case's results can have."""
    return case_id, *(f"{case_id}{FOOT_MARK}{foot}" for foot in FEET)


def id_from_path(parts: Iterable[str]) -> str:
    """The id of a case from the folder names of its path, whatever other folders there are.

    Names are joined by `--`. A path whose id could be that of another path, or of one foot, gets a
    hash at its end, so that different paths have different ids.
    """
    names = list(parts)
    text = "--".join(names)
    if text.split("--") == names and FOOT_MARK not in text:
        return text
    mark = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{text.replace(FOOT_MARK, '_')}~{mark}"
