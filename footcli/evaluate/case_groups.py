"""Groups of a case: institution, side, disease, age band, sex."""

from __future__ import annotations

from collections.abc import Sequence

from footcli.dataset.clinical import Clinical, age_band, findings_named
from footcli.dataset.series import SeriesName, series_name
from footcli.domain import CaseRef, CaseResult


def groups(
    truth: CaseRef, clinical: Clinical | None, results: Sequence[CaseResult]
) -> dict[str, tuple[str, ...]]:
    """Dimension -> the case's values; dimensions without a value are left out."""
    named = _series(truth)
    values: dict[str, Sequence[str | None]] = {"side": sorted({r.side or "" for r in results})}
    if named is not None:
        values["institution"] = [named.institution]
        if len(results) == 1:
            values["side"] = [named.side]
    if clinical is not None:
        values["disease"] = sorted(findings_named(clinical))
        values["age_band"] = [age_band(clinical.age_years)]
        values["sex"] = [clinical.sex]
    known = {key: tuple(filter(None, found)) for key, found in values.items()}
    return {key: found for key, found in known.items() if found}


def _series(truth: CaseRef) -> SeriesName | None:
    """Fields of the first file name that follows the data set's grammar."""
    stems: list[str] = []
    for files in truth.labels.values():
        stems += list(files)[:1]
    stems += [path.stem for path in truth.angle_files]
    for stem in stems:
        if (found := series_name(stem)) is not None:
            return found
    return None
