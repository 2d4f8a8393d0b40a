"""A plan's jobs on a Flink cluster, as the program that started them sees them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from fluxcore.errors import Cancelled, FluxError, JobError
from fluxcore.limits import FLINK_HEARTBEAT_S, FLINK_POLL_MAX_S, JOIN_TIMEOUT_S
from fluxcore.targets.flink.jobmanager import ENDED
from fluxcore.targets.flink.python.clusters import no_python
from fluxcore.targets.flink.rest import RestError
from fluxcore.targets.flink.results import Results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from fluxcore.core.ports import Sink
    from fluxcore.core.schema import Schema
    from fluxcore.targets.flink.address import Cluster
    from fluxcore.targets.flink.gateway import GatewaySession


class FlinkJob:
    """What one call started: the job of its inserts, if any, and one thread for each query that brings rows here.

    ``python`` names the functions in Python that went along.
    """

    def __init__(self, cluster: Cluster, session: GatewaySession, *, bounded: bool, python: Sequence[str] = ()) -> None:
        self._cluster = cluster
        self._session = session
        self._bounded = bounded
        self._python = python
        self._threads: list[threading.Thread] = []
        self._results: list[Results] = []
        self._sinks: list[Sink] = []
        self._error: FluxError | None = None
        self._stopping = False
        self.ids: list[str] = []

    @property
    def bounded(self) -> bool:
        """Return whether the job ends by itself."""
        return self._bounded

    def insert(self, statement: str) -> None:
        """Start the job of an INSERT or a statement set. Raises ``RestError``."""
        page = self._session.run(statement)
        assert page.job is not None
        self.ids.append(page.job)

    def query(self, statement: str, sink: Sink, schema: pa.Schema, *, changes: bool) -> None:
        """Start a query whose rows go into a sink; the rest as in :class:`Results`. Raises ``RestError``."""
        results = Results(self._session, statement, changes=changes, schema=schema)
        thread = threading.Thread(target=self._give, args=(results, sink), name="fluxcore flink results", daemon=True)
        self._results.append(results)
        self._sinks.append(sink)
        self._threads.append(thread)
        thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all has ended; return whether it has. ``timeout`` in seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        beat = time.monotonic()
        while not self._has_ended():
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(FLINK_POLL_MAX_S / 10)
            if time.monotonic() - beat > FLINK_HEARTBEAT_S:
                self._session.heartbeat()
                beat = time.monotonic()
        return True

    def result(self) -> None:
        """Wait for the end; raise ``JobError`` FX-FLK-0301 with the root cause when a job failed, ``Cancelled`` when stopped."""
        self.wait()
        self._session.close()
        if self._error is not None:
            raise self._error
        for id_ in self.ids:
            state = self._cluster.jobmanager.state(id_)
            if state == "FAILED":
                raise job_failed(id_, self._cluster.jobmanager.failure(id_))
            if state == "CANCELED" or self._stopping:
                raise Cancelled

    def stop(self) -> None:
        """End the jobs on the cluster, and the session once no query reads from it."""
        self._stopping = True
        for sink in self._sinks:
            wake = getattr(sink, "cancel", None)
            if wake is not None:
                wake()
        for id_ in [*self.ids, *(each.job for each in self._results if each.job is not None)]:
            self._cluster.jobmanager.cancel(id_)
        for thread in self._threads:
            thread.join(JOIN_TIMEOUT_S)
        self._session.close()

    def cancel(self) -> None:
        """End the jobs on the cluster."""
        self.stop()

    def metrics(self) -> list[Mapping[str, Any]]:
        """Return what the JobManager tells of each job."""
        return [self._cluster.jobmanager.job(id_) for id_ in self.ids]

    def _has_ended(self) -> bool:
        if any(thread.is_alive() for thread in self._threads):
            return False
        return all(self._cluster.jobmanager.state(id_) in ENDED for id_ in self.ids)

    def _give(self, results: Results, sink: Sink) -> None:
        taken = False

        def take(_: Schema) -> Sink:
            nonlocal taken
            taken = True
            return sink

        try:
            results.give(take, stopped=lambda: self._stopping)
        except RestError as error:
            told = no_python(error, self._python) if self._python else None
            self._error = self._error or told or job_failed(results.job, error.message, error.hint)
        except FluxError as error:
            self._error = self._error or error
        except Exception as error:  # noqa: BLE001  (handed to the thread that waits)
            self._error = self._error or JobError("FX-FLK-0302", f"the rows were not taken: {error}")
        finally:
            if not taken:
                sink.close()  # who waits for rows hears that none will come


def job_failed(id_: str | None, cause: str, hint: str | None = None) -> JobError:
    """Return the error of a job that failed on the cluster, maybe before its id was told."""
    return JobError(
        "FX-FLK-0301", f"{'the job' if id_ is None else f'job {id_}'} failed on the cluster: {cause}", hint=hint
    )


def all_inserts(statements: Sequence[str]) -> str:
    """Return one statement that runs several inserts as one job."""
    if len(statements) == 1:
        return statements[0]
    several = "\n".join(f"{each};" for each in statements)
    return f"EXECUTE STATEMENT SET BEGIN\n{several}\nEND"
