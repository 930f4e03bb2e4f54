"""Converts results of schema 1 to the JSON of schema 2; their sentences stay as written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from footcli.provenance import Provenance
from footcli.store.codec import as_written, from_plain, line_json
from footcli.text.lines import Line

SCHEMA_1 = "footcli-result/1"


def upgraded(data: Mapping[str, Any]) -> dict[str, Any]:
    """The result in schema 2: BORDERLINE as POSSIBLE, no probabilities, a warning of its age.

    Raises KeyError, TypeError, ValueError if it does not follow schema 1.
    """
    warning = line_json(Line("old_result", schema=1))
    return {
        **data,
        "measurements": [_measurement(m) for m in data["measurements"]],
        "findings": [_finding(f) for f in data["findings"]],
        "warnings": [warning, *(as_written(w["code"], w["text"]) for w in data["warnings"])],
        "provenance": _provenance(data["provenance"]),
        "faint_lesions": data.get("faint_lesions", []),
    }


def _measurement(m: Mapping[str, Any]) -> dict[str, Any]:
    why, note = m["why_missing"], m.get("note")
    return {
        **m,
        "why_missing": None if why is None else as_written("not_measured", why),
        "note": as_written("note", note) if note else None,
    }


def _finding(f: Mapping[str, Any]) -> dict[str, Any]:
    level = "POSSIBLE" if f["level"] == "BORDERLINE" else f["level"]
    evidence = [as_written("evidence", stated) for stated in f["evidence"]]
    return {**f, "level": level, "evidence": evidence, "probability": None}


def _provenance(data: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance in schema 2; only its version if the rest does not convert."""
    profile = dict(data.get("profile") or {})
    ranges = profile.get("ranges") or {}
    profile["ranges"] = {
        name: {**limits, "origins": [as_written("origin", limits.get("source", ""))]}
        for name, limits in ranges.items()
    }
    found = {**data, "profile": profile}
    try:
        from_plain(found, Provenance)
    except ValueError:
        return {"version": str(data.get("version", ""))}
    return found
