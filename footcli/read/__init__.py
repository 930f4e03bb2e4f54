"""CaseRef -> Volume. The only room that imports pydicom to read."""

from __future__ import annotations

from footcli.read.case import read_case

__all__ = ["read_case"]
