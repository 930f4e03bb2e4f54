"""Count the cores that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path


def cpu_count() -> int:
    """Cores this process may use, at least 1: the smaller of its affinity and its cgroup's quota
    (versions 1 and 2).
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    quota = _cgroup_quota(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))
    return max(1, cores if quota is None else min(cores, math.floor(quota)))


def _cgroup_quota(root: Path, membership: Path) -> float | None:
    """Cores that the cgroup of this process and those above it allow; None without a limit."""
    try:
        rows = [row.split(":", 2) for row in membership.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return None
    quotas: list[float | None] = []
    for row in rows:
        if len(row) == 3 and (not row[1] or "cpu" in row[1].split(",")):
            quotas += map(_quota_of, _folders(root / row[1], row[2]))
    return min(filter(None, quotas), default=None)


def _folders(base: Path, inside: str) -> list[Path]:
    """A cgroup's folder and those above it."""
    place = base / inside.lstrip("/")
    return [folder for folder in (place, *place.parents) if folder.is_relative_to(base)]


def _quota_of(folder: Path) -> float | None:
    """cpu.max (version 2) or cpu.cfs_quota_us / cpu.cfs_period_us (version 1) of one cgroup."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota, period = (
                (folder / f"cpu.cfs_{word}_us").read_text(encoding="ascii").strip()
                for word in ("quota", "period")
            )
        return float(quota) / float(period) if float(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # "max" is not a number and means no limit
        return None
