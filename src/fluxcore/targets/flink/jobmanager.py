"""Flink's JobManager: its jobs, over its REST API."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxcore.errors import JobError, ScriptError
from fluxcore.limits import FLINK_POLL_MAX_S, FLINK_POLL_MIN_S, FLINK_RESCALE_S
from fluxcore.targets.flink.rest import Rest, RestError
from fluxcore.targets.flink.traces import root_cause

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENDED = ("FINISHED", "CANCELED", "FAILED", "SUSPENDED")
"""States that a job does not leave."""

_NEVER_MS = 2**63 - 1
"""The interval of checkpoints of a job that takes none."""


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One job of a cluster. Times in ms since the epoch; ``duration_ms`` until now or its end."""

    id: str
    name: str
    state: str
    started_ms: int
    duration_ms: int


class JobManager:
    """The JobManager at ``host:port``."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.rest = Rest(f"http://{address}", "JobManager")

    def overview(self) -> dict[str, Any]:
        """Return the cluster's counts of task managers, slots and jobs, and Flink's version."""
        return dict(self.rest.get("/overview"))

    def jobs(self) -> list[JobSummary]:
        """Return all jobs that the cluster remembers, the latest first."""
        found = [
            JobSummary(each["jid"], each["name"], each["state"], each["start-time"], each["duration"])
            for each in self.rest.get("/jobs/overview")["jobs"]
        ]
        return sorted(found, key=lambda job: -job.started_ms)

    def job(self, id_: str) -> dict[str, Any]:
        """Return what the JobManager tells of a job. Raises ``ScriptError`` FX-FLK-0120 when there is none."""
        try:
            return dict(self.rest.get(f"/jobs/{id_}"))
        except RestError as error:
            if error.status not in (400, 404):
                raise
            message = f"the cluster at {self.address} has no job '{id_}'"
            raise ScriptError("FX-FLK-0120", message, hint="`fluxcore flink jobs` lists them") from error

    def state(self, id_: str) -> str:
        """Return a job's state, such as RUNNING. Raises as :meth:`job`."""
        return str(self.job(id_)["state"])

    def failure(self, id_: str) -> str:
        """Return why a job failed: its root cause."""
        entries = self.rest.get(f"/jobs/{id_}/exceptions").get("exceptionHistory", {}).get("entries", [])
        return (
            root_cause(entries[0]["stacktrace"]) if entries else "no reason given; `fluxcore flink logs` may tell more"
        )

    def wait(
        self, id_: str, timeout_s: float | None = None, seen: Callable[[dict[str, Any]], None] | None = None
    ) -> str:
        """Wait until a job has ended, at most ``timeout_s``; return its state then. ``seen`` gets each answer on the way."""
        pause, end = FLINK_POLL_MIN_S, None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            job = self.job(id_)
            if seen is not None:
                seen(job)
            left = FLINK_POLL_MAX_S if end is None else end - time.monotonic()
            if job["state"] in ENDED or left <= 0:
                return str(job["state"])
            time.sleep(min(pause, left))
            pause = min(2 * pause, FLINK_POLL_MAX_S)

    def cancel(self, id_: str) -> None:
        """Cancel a job; one that has ended is left alone. Raises as :meth:`job`."""
        if self.state(id_) not in ENDED:
            self.rest.call("PATCH", f"/jobs/{id_}?mode=cancel")

    def savepoint(self, id_: str, folder: str | None, *, stop: bool, drain: bool = False) -> str:
        """Take a savepoint, and stop the job behind it if wanted; return the savepoint's path.

        ``folder`` where to write, else what the cluster's configuration says; ``drain`` lets all windows fire before.
        Raises: ``JobError`` FX-FLK-0121 with the root cause, such as a folder that can't be written; ``ScriptError``
        FX-FLK-0120 for an unknown job.
        """
        state = self.state(id_)
        if state in ENDED:
            raise JobError("FX-FLK-0121", f"job {id_} takes no savepoint: it is {state.lower()}")
        body: dict[str, Any] = {} if folder is None else {"targetDirectory" if stop else "target-directory": folder}
        if stop:
            body["drain"] = drain
        try:
            answer = self.rest.call("POST", f"/jobs/{id_}/{'stop' if stop else 'savepoints'}", body)
        except RestError as error:
            hint = "say where: --to FOLDER" if folder is None else None
            raise JobError("FX-FLK-0121", f"no savepoint was taken: {error.message}", hint=hint) from error
        done = self._operation(f"/jobs/{id_}/savepoints/{answer['request-id']}")
        if "location" not in done:
            cause = root_cause(done.get("failure-cause", {}).get("stack-trace", ""))
            raise JobError("FX-FLK-0121", f"no savepoint was taken: {cause}", hint="can the cluster write there?")
        return str(done["location"])

    def rescale(self, id_: str, parallelism: int) -> int:
        """Change the parallelism of a running job, and return the one that it has when it runs again.

        1. The job takes checkpoints: without one it would begin anew.
        2. The wish is told, for each operator as far as it can have more than one task.
        3. A checkpoint is taken at once, which the scheduler waits for.
        4. The job starts again from there.

        Raises: ``JobError`` FX-FLK-0122 when the job has ended, takes no checkpoints, its scheduler can't do that, or it has not
        come to run so for a minute, such as for want of slots; the cluster keeps the wish then.
        """
        job = self.job(id_)
        if job["state"] in ENDED:
            raise JobError("FX-FLK-0122", f"job {id_} can't be rescaled: it is {job['state'].lower()}")
        if not self._takes_checkpoints(id_):
            hint = "start it with --set execution.checkpointing.interval=10s"
            raise JobError("FX-FLK-0122", f"job {id_} takes no checkpoints: rescaled it would begin anew", hint=hint)
        wanted = {each["id"]: min(parallelism, each["maxParallelism"]) for each in job["vertices"]}
        bounds = {vertex: {"parallelism": {"lowerBound": 1, "upperBound": most}} for vertex, most in wanted.items()}
        try:
            self.rest.call("PUT", f"/jobs/{id_}/resource-requirements", bounds)
        except RestError as error:
            message = f"the cluster can't rescale job {id_}: {error.message}"
            hint = "it needs jobmanager.scheduler: adaptive in the cluster's configuration"
            raise JobError("FX-FLK-0122", message, hint=hint) from error
        self.rest.call("POST", f"/jobs/{id_}/checkpoints", {})
        return self._rescaled(id_, wanted)

    def _takes_checkpoints(self, id_: str) -> bool:
        interval: int = self.rest.get(f"/jobs/{id_}/checkpoints/config")["interval"]
        return interval < _NEVER_MS

    def _rescaled(self, id_: str, wanted: Mapping[str, int]) -> int:
        """Wait until each operator runs with as many tasks as are wanted; return the most of them."""
        pause, end = FLINK_POLL_MIN_S, time.monotonic() + FLINK_RESCALE_S
        while True:
            job = self.job(id_)
            runs = {each["id"]: each["parallelism"] for each in job["vertices"] if each["status"] == "RUNNING"}
            if runs == wanted:
                return max(runs.values())
            if job["state"] in ENDED:
                raise JobError(
                    "FX-FLK-0122", f"job {id_} has ended before it was rescaled: it is {job['state'].lower()}"
                )
            if time.monotonic() > end:
                message = f"job {id_} has parallelism {max(runs.values(), default=0)} after {FLINK_RESCALE_S:.0f} s"
                hint = f"{self.overview()['slots-available']} slots of the cluster are free; the wish stands"
                raise JobError("FX-FLK-0122", message, hint=hint)
            time.sleep(pause)
            pause = min(2 * pause, FLINK_POLL_MAX_S)

    def logs(self) -> dict[str, str]:
        """Return the logs of the JobManager and of each TaskManager, by name."""
        found = {"jobmanager": self.rest.text("/jobmanager/log")}
        for each in self.rest.get("/taskmanagers")["taskmanagers"]:
            found[each["id"]] = self.rest.text(f"/taskmanagers/{each['id']}/log")
        return found

    def _operation(self, path: str) -> dict[str, Any]:
        pause = FLINK_POLL_MIN_S
        while True:
            answer = self.rest.get(path)
            if answer["status"]["id"] == "COMPLETED":
                return dict(answer.get("operation") or {})
            time.sleep(pause)
            pause = min(2 * pause, FLINK_POLL_MAX_S)
