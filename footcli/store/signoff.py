"""A reader's sign-off of a report, line by line, saved by the page and kept beside the result."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from footcli.domain import CaseResult, Level
from footcli.errors import CaseError, SetupError, TruthError
from footcli.kinds import FINDINGS, MEASURES
from footcli.store.codec import dumps
from footcli.store.result import is_old, load_result, to_json
from footcli.system.files import read_json, write_json
from footcli.system.names import slug

SCHEMA = "footcli-signoff/1"
FILE = "signoff.json"
VERDICTS = ("accept", "edit", "reject")
LONGEST = 2000  # characters of a comment or a name
_KINDS = {"angle": {term.name for term in MEASURES}, "finding": {term.name for term in FINDINGS}}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reader's verdict on one line. word: one of VERDICTS.

    to: the corrected value of an edited line, an angle's value or a finding's Level; else None.
    """

    word: str
    to: float | Level | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class SignOff:
    """A sign-off. lines: "angle:CPA" or "finding:flat_foot" -> verdict.

    signed: time, as the browser wrote it (ISO 8601). values_sha256: see values_digest, or "".
    """

    case_id: str
    input_sha256: str
    values_sha256: str
    reader: str
    signed: str
    lines: Mapping[str, Verdict]


def parse(data: Any) -> SignOff:
    """The sign-off of a page's JSON object. Raises ValueError with the fault."""
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
        raise ValueError(f"is no sign-off of this version ({SCHEMA})")
    lines = data.get("lines")
    if not isinstance(lines, Mapping):
        raise ValueError("holds no lines")
    texts = {
        key: _text(data.get(key), key) for key in ("case_id", "input_sha256", "reader", "signed")
    }
    # pages of older versions have no values_sha256
    texts["values_sha256"] = _text(data.get("values_sha256", ""), "values_sha256")
    return SignOff(
        **texts, lines={str(key): _verdict(str(key), value) for key, value in lines.items()}
    )


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ValueError(f"{key} must be a text of at most {LONGEST} characters")
    return value


def _verdict(key: str, value: Any) -> Verdict:
    kind, _, name = key.partition(":")
    if name not in _KINDS.get(kind, ()):
        raise ValueError("has a line that no report has")
    if not isinstance(value, Mapping) or value.get("verdict") not in VERDICTS:
        raise ValueError(f"{key}: verdict must be one of {', '.join(VERDICTS)}")
    comment = _text(value.get("comment", ""), f"{key}: comment")
    if value["verdict"] != "edit":
        return Verdict(value["verdict"], None, comment)
    to = _level(value.get("to")) if kind == "finding" else _number(value.get("to"))
    if to is None:
        raise ValueError(f"{key}: an edited line needs what it should say")
    return Verdict("edit", to, comment)


def _level(given: Any) -> Level | None:
    given = "POSSIBLE" if given == "BORDERLINE" else given  # from pages of earlier versions
    return Level(given) if given in {level.value for level in Level} else None


def _number(given: Any) -> float | None:
    if not isinstance(given, int | float) or isinstance(given, bool):
        return None
    return float(given) if math.isfinite(given) else None


def merge_signoff(file: Path, out: Path) -> Path:
    """Copy a saved sign-off beside its result; returns that case's folder.

    Raises SetupError if the file cannot be read, or is about another case, scan or values.
    """
    try:
        data = read_json(file)
        signed = parse(data)
    except (TruthError, ValueError) as error:
        raise SetupError(f"{file}: {error}; save it again from the report") from error
    folder = out / slug(signed.case_id)
    try:
        result = load_result(folder)
    except CaseError as error:
        raise SetupError(f"{file}: is about a case that {out} does not hold") from error
    if not signs(signed, result):
        raise SetupError(f"{file}: is about another scan, or other values, than those in {folder}")
    write_json(folder / FILE, data)
    return folder


def signs(signed: SignOff, result: CaseResult) -> bool:
    """Whether a sign-off is about this case, this scan and these values."""
    # old results have no comparable digest: the scan's hash must suffice
    same_values = is_old(result) or signed.values_sha256 in ("", values_digest(result))
    same_scan = result.provenance.input.sha256 == signed.input_sha256
    return same_values and same_scan and result.case_id == signed.case_id


def values_digest(result: CaseResult) -> str:
    """SHA-256 over what a reader signs, as written: all of the result but its provenance."""
    text = dumps({key: value for key, value in to_json(result).items() if key != "provenance"})
    return hashlib.sha256(text.encode()).hexdigest()


def aside(folder: Path) -> Path | None:
    """A free path for the folder's sign-off once its values change; None without a sign-off."""
    if not (folder / FILE).is_file():
        return None
    number = 1
    while (kept := folder / f"signoff-earlier-{number}.json").exists():
        number += 1
    return kept


def load_signoff(folder: Path) -> SignOff | None:
    """A case's sign-off, None if there is none. Raises CaseError (bad_signoff) if it is damaged."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return parse(read_json(path))
    except (TruthError, ValueError) as error:
        raise CaseError("bad_signoff", file=FILE) from error
