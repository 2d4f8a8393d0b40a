"""Waits until a cluster that was started takes jobs, or says why it never will."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.errors import JobError
from fluxcore.limits import FLINK_POLL_S, FLINK_START_S
from fluxcore.targets.flink.causes import log_cause
from fluxcore.targets.flink.cluster.commands import GATEWAY, JOBMANAGER, TASKMANAGER
from fluxcore.targets.flink.cluster.processes import is_alive
from fluxcore.targets.flink.cluster.rest import ask

if TYPE_CHECKING:
    from fluxcore.targets.flink.cluster.progress import Progress
    from fluxcore.targets.flink.cluster.record import Cluster, ProcessRecord


def wait_until_ready(cluster: Cluster, progress: Progress) -> None:
    """Wait until the JobManager knows all slots and the gateway answers, telling each as it comes.

    Raises: ``JobError`` FX-FLK-0011 with the root cause when a process ends, FX-FLK-0012 when one isn't ready in time.
    """
    started = time.monotonic()
    waiting = [JOBMANAGER, TASKMANAGER, GATEWAY]
    while waiting:
        for process in cluster.processes:
            if not is_alive(process):
                raise _ended(process)
        seconds = time.monotonic() - started
        for role in list(waiting):
            told = _ready(cluster, role)
            if told:
                progress(f"{role} {told} after {seconds:.1f} s")
                waiting.remove(role)
        if waiting and seconds > FLINK_START_S:
            raise _late(cluster, waiting[0])
        if waiting:
            time.sleep(FLINK_POLL_S)


def is_ready(cluster: Cluster) -> bool:
    """Return whether all parts of a cluster answer now."""
    return all(_ready(cluster, role) for role in (JOBMANAGER, TASKMANAGER, GATEWAY))


def _ready(cluster: Cluster, role: str) -> str | None:
    """Return what to tell about a part that is ready."""
    if role == GATEWAY:
        return "answers" if ask(f"{cluster.gateway_url}/info") else None
    overview = ask(f"{cluster.jobmanager}/overview")
    if overview is None:
        return None
    if role == JOBMANAGER:
        return "answers"
    slots = overview.get("slots-total", 0)
    if overview.get("taskmanagers", 0) < cluster.taskmanagers or slots < cluster.slots:
        return None
    return f"offers {slots} slots"


def _ended(process: ProcessRecord) -> JobError:
    log = Path(process.log)
    cause = log_cause(Path(process.output), log) or "it says nothing"
    hint = f"the whole log is {log if log.exists() else process.output}"
    return JobError("FX-FLK-0011", f"the {process.role} has ended: {cause}", hint=hint)


def _late(cluster: Cluster, role: str) -> JobError:
    process = next(each for each in cluster.processes if each.role == role)
    cause = log_cause(Path(process.output), Path(process.log))
    last = f"; the last it says: {cause}" if cause else ""
    hint = f"the machine may be too busy, or short of memory; the whole log is {process.log}"
    return JobError("FX-FLK-0012", f"the {role} is not ready after {FLINK_START_S:.0f} s{last}", hint=hint)
