"""Starts processes that outlive this one, and ends them and no others."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.errors import JobError
from fluxcore.limits import FLINK_STOP_S
from fluxcore.targets.flink.cluster.record import ProcessRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.targets.flink.cluster.progress import Progress

_PROC = Path("/proc")
_POLL_S = 0.02
# the shell ends at once, so the process belongs to nobody who would have to wait for it
_LAUNCH = 'out=$1; shift; "$@" </dev/null >"$out" 2>&1 & echo $!'


def spawn(role: str, command: Sequence[str], log: Path, work: Path, environment: Mapping[str, str]) -> ProcessRecord:
    """Start a command in a session of its own, with ``log`` + ``.out`` for what it prints; an older log is kept as ``.old``.

    Raises: ``JobError`` FX-FLK-0011 when the system has no room for one more process.
    """
    output = log.with_suffix(".out")
    for path in (log, output):
        if path.exists():
            path.replace(path.with_name(path.name + ".old"))
    try:
        told = subprocess.run(
            ["/bin/sh", "-c", _LAUNCH, "launch", str(output), *command],
            cwd=work,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise JobError("FX-FLK-0011", f"the {role} could not be started: {error}") from error
    pid = int(told.stdout)
    return ProcessRecord(role, pid, born(pid) or "", tuple(command), str(log), str(output))


def is_alive(process: ProcessRecord) -> bool:
    """Return whether the process that was started still runs; another one with its number doesn't count."""
    return bool(process.born) and born(process.pid) == process.born


def born(pid: int) -> str | None:
    """Return what tells a process from others with its number: when it was started. None when it has ended."""
    if not (_PROC / "stat").exists():
        return _born_by_ps(pid)
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return None if state in "ZX" else f"{boot}:{rest[18]}"


def memory_mb(process: ProcessRecord) -> int | None:
    """Return the megabytes of memory that a process has now; None when it has ended or the system doesn't tell."""
    try:
        lines = (_PROC / str(process.pid) / "status").read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS:")]
    return found[0] if found else None


def stop(processes: Sequence[ProcessRecord], grace_s: float, progress: Progress) -> None:
    """Ask the processes to end, and kill those that don't within ``grace_s``; with 0 they are killed at once.

    Raises: ``JobError`` FX-FLK-0016 when one belongs to another user or doesn't even end when killed.
    """
    if grace_s and not _ended(processes, signal.SIGTERM, grace_s):
        names = ", ".join(f"{each.role} ({each.pid})" for each in processes if is_alive(each))
        progress(f"no end within {grace_s:.0f} s; killing {names}")
    if not _ended(processes, signal.SIGKILL, FLINK_STOP_S):
        left = next(each for each in processes if is_alive(each))
        raise JobError("FX-FLK-0016", f"the {left.role} (process {left.pid}) does not end")


def _ended(processes: Sequence[ProcessRecord], number: signal.Signals, within_s: float) -> bool:
    """Send a signal to those that live, and return whether all end in time."""
    left = [each for each in processes if is_alive(each)]
    for process in left:
        _signal(process, number)
    deadline = time.monotonic() + within_s
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        left = [each for each in left if is_alive(each)]
    return not left


def _signal(process: ProcessRecord, number: signal.Signals) -> None:
    try:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
    except PermissionError as error:
        message = f"the {process.role} (process {process.pid}) belongs to another user"
        raise JobError("FX-FLK-0016", message, hint="let that user end the cluster") from error


def _born_by_ps(pid: int) -> str | None:
    """Return the same from ``ps``, where there is no ``/proc``."""
    told = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, start = told.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else start.strip()
