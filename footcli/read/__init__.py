"""Read a case into a volume (CaseRef -> Volume); the only wing that reads with pydicom."""

from __future__ import annotations

from footcli.read.case import read_case
from footcli.read.spread import spread_series

__all__ = ["read_case", "spread_series"]
