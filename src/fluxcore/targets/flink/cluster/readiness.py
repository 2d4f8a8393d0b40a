"""Waits until a cluster that was started takes jobs, or says why it never will."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.errors import JobError
from fluxcore.limits import FLINK_POLL_S, FLINK_READY_ANSWER_S, FLINK_START_S
from fluxcore.targets.flink.cluster.commands import GATEWAY, JOBMANAGER, TASKMANAGER
from fluxcore.targets.flink.cluster.logs import cause_in_logs
from fluxcore.targets.flink.cluster.processes import is_alive
from fluxcore.targets.flink.cluster.rest import ask

if TYPE_CHECKING:
    from fluxcore.targets.flink.cluster.progress import Progress
    from fluxcore.targets.flink.cluster.record import Cluster, ProcessRecord


@dataclass(frozen=True, slots=True)
class Awaited:
    """The TaskManagers that a JobManager is to know: ``new`` ones beside those ``known`` before, ``total`` in all."""

    new: int
    total: int
    known: frozenset[str] = frozenset()


def known_taskmanagers(cluster: Cluster) -> frozenset[str]:
    """Return the names of the TaskManagers that the JobManager knows now, those that have just died among them."""
    found = ask(f"{cluster.jobmanager}/taskmanagers") or {}
    return frozenset(each["id"] for each in found.get("taskmanagers", ()))


def wait_until_ready(cluster: Cluster, awaited: Awaited, progress: Progress) -> None:
    """Wait until the JobManager knows all TaskManagers and the gateway answers, telling each as it comes.

    Raises: ``JobError`` FX-FLK-0011 with the root cause when a process ends, FX-FLK-0012 when one isn't ready in time.
    """
    started = time.monotonic()
    waiting = [JOBMANAGER, TASKMANAGER, GATEWAY]
    while True:
        for process in cluster.processes:
            if not is_alive(process):
                raise _ended(process)
        ready = _ready(cluster, awaited, waiting)
        seconds = time.monotonic() - started
        for role, told in ready.items():
            progress(f"{role} {told} after {seconds:.1f} s")
            waiting.remove(role)
        if not waiting:
            return
        if seconds > FLINK_START_S:
            raise _late(cluster, waiting[0])
        time.sleep(FLINK_POLL_S)


def _ready(cluster: Cluster, awaited: Awaited, waiting: list[str]) -> dict[str, str]:
    """Return the parts that have become ready, with what to tell about them."""
    found = {}
    if GATEWAY in waiting and ask(f"{cluster.gateway_url}/info", FLINK_READY_ANSWER_S):
        found[GATEWAY] = "answers"
    listed = ask(f"{cluster.jobmanager}/taskmanagers", FLINK_READY_ANSWER_S) if TASKMANAGER in waiting else None
    if listed is not None:
        if JOBMANAGER in waiting:
            found[JOBMANAGER] = "answers"
        here = [each for each in listed.get("taskmanagers", ()) if each.get("slotsNumber")]
        new = sum(1 for each in here if each["id"] not in awaited.known)
        if len(here) == awaited.total and new >= awaited.new:
            found[TASKMANAGER] = f"offers {sum(each['slotsNumber'] for each in here)} slots"
    return found


def _ended(process: ProcessRecord) -> JobError:
    log = Path(process.log)
    cause = cause_in_logs(Path(process.output), log) or "it says nothing"
    hint = f"the whole log is {log if log.exists() else process.output}"
    return JobError("FX-FLK-0011", f"the {process.role} has ended: {cause}", hint=hint)


def _late(cluster: Cluster, role: str) -> JobError:
    process = next(each for each in cluster.processes if each.role == role)
    cause = cause_in_logs(Path(process.output), Path(process.log))
    last = f"; the last it says: {cause}" if cause else ""
    hint = f"the machine may be too busy, or short of memory; the whole log is {process.log}"
    return JobError("FX-FLK-0012", f"the {role} is not ready after {FLINK_START_S:.0f} s{last}", hint=hint)
