"""What this machine, or the group of processes that we are in, has: processors and memory."""

from __future__ import annotations

import os
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def free_bytes() -> int | None:
    """Return the bytes of memory that are left; None where nobody tells."""
    found = _meminfo("MemAvailable")
    limits = [_number(_CGROUP / name) for name in ("memory.max", "memory.current")]
    if limits[0] is not None and limits[1] is not None:
        found.append(max(limits[0] - limits[1], 0))
    return min(found, default=None)


def memory_bytes() -> int | None:
    """Return the bytes of memory that there are; None where nobody tells."""
    found = _meminfo("MemTotal")
    limit = _number(_CGROUP / "memory.max")
    if limit is not None:
        found.append(limit)
    if not found and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found, default=None)


def _meminfo(name: str) -> list[int]:
    if not _MEMINFO.is_file():
        return []
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
    return [int(lines[name].split()[0]) * 1024] if name in lines else []


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
