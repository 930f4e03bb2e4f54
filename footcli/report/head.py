"""The rows at the top and bottom of a report: facts of the scan, and the result's provenance."""

from __future__ import annotations

from collections.abc import Mapping

from footcli.domain import CaseResult
from footcli.provenance import ProfileFacts, Provenance

Strings = Mapping[str, str]
HASH_SHOWN = 12


def head_rows(result: CaseResult, t: Strings) -> list[tuple[str, str]]:
    """Facts of the scan: weight bearing, age band, voxels, slices, files left out.

    A foot whose pose excludes that it carries load does not, whatever the files state.
    """
    scan = result.provenance.input
    hangs = any(line.family == "not_standing" for line in result.warnings)
    spacing = " × ".join(f"{v:.3g}" for v in scan.spacing_mm)
    rows = [
        (t["weight_bearing"], t["hangs"] if hangs else _yes_no(scan.weight_bearing, t)),
        (t["age_band"], scan.age_band or t["unknown"]),
        (t["spacing"], f"{spacing} mm" if spacing else t["unknown"]),
        (t["slices"], str(scan.slices or t["unknown"])),
        (t["grid"], " × ".join(map(str, scan.shape)) or t["unknown"]),
    ]
    skipped = [f"{code}: {count}" for code, count in sorted(scan.skipped.items()) if count]
    if skipped:
        rows.append((t["skipped"], ", ".join(skipped)))
    return rows


def _yes_no(value: bool | None, t: Strings) -> str:
    if value is None:
        return t["unknown"]
    return t["yes"] if value else t["no"]


def profile_title(profile: ProfileFacts, t: Strings) -> str:
    """Name and version of the profile of cut-offs."""
    return f"{profile.name} {profile.version}".strip() or t["not_recorded"]


def trace_rows(provenance: Provenance, t: Strings) -> list[tuple[str, str]]:
    """The result's provenance: version, models, profile, input hash."""
    models = [(f"{t['model']}: {m.name}", _short(m.sha256, t)) for m in provenance.models]
    return [
        (t["version"], f"footcli {provenance.version or t['not_recorded']}"),
        *models,
        (t["profile"], profile_title(provenance.profile, t)),
        (t["input_hash"], _short(provenance.input.sha256, t)),
    ]


def _short(digest: str, t: Strings) -> str:
    return digest[:HASH_SHOWN] or t["not_recorded"]
