"""A materialised table while its session lives: the job that fills it, and what it answers."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow.compute as pc

from fluxcore.api.materialized.kept import KeptTable
from fluxcore.api.materialized.rows import rows_for
from fluxcore.connectors.contents import never_filled
from fluxcore.core.batch import Batch
from fluxcore.errors import Cancelled, FluxError, JobError
from fluxcore.expr.compile import compile_predicate
from fluxcore.limits import JOIN_TIMEOUT_S
from fluxcore.plan.nodes import Filter

if TYPE_CHECKING:
    import pyarrow as pa

    from fluxcore.api.target import RunningJob
    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node
    from fluxcore.sql.materialized import Definition


class Status(Enum):
    """What a table's job does."""

    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    FINISHED = "FINISHED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Ready:
    """A plan that can run, with its readings of other tables in place: whether it ends, and what it needs until it has."""

    plan: Node
    ends: bool
    held: list[object]


class Starter(Protocol):
    """Starts the jobs of a table."""

    def ready(self, node: Node, *, following: bool) -> Ready:
        """Return a query as it can run: it goes on with the tables that it reads, or takes them as of now."""
        ...

    def start(self, ready: Ready, sink: KeptTable, *, final: bool) -> RunningJob:
        """Return the job. With ``final``, for a query that ends, it gives only the rows that stay."""
        ...


class MaterializedTable:
    """One version of a materialised table. All methods may be called from any thread."""

    def __init__(self, definition: Definition, starter: Starter) -> None:
        self.definition = definition
        self.started_at: datetime | None = None
        self._starter = starter
        self._lock = threading.RLock()
        self._job: RunningJob | None = None
        self._kept: KeptTable | None = None
        self._error: FluxError | None = None
        self._suspended = False
        self._gone: str | None = None
        self._halted = False
        self._timer: _Timer | None = None
        definition.memory.feed.read = self.read

    @property
    def job(self) -> Any:
        """Return the job that fills the table, or filled it last; None before the first."""
        return self._job

    @property
    def status(self) -> Status:
        """Return what the job does."""
        if self._failure() is not None:
            return Status.FAILED
        if self._job is None:
            return Status.INITIALIZING
        if self._gone is not None or self._halted:
            return Status.STOPPED
        if self._suspended:
            return Status.SUSPENDED
        return Status.FINISHED if self._job.wait(0) and not self.definition.full else Status.RUNNING

    @property
    def running(self) -> bool:
        """Return whether changes may still come to those who follow the table."""
        return not self.definition.full and self.status in (Status.RUNNING, Status.SUSPENDED)

    @property
    def kept(self) -> KeptTable:
        """Return the rows. Raises ``JobError`` FX-RUN-0120 before the first, and why there are none."""
        self.check()
        if self._kept is None:
            raise never_filled(self.definition.name)
        return self._kept

    def read(self) -> list[pa.RecordBatch]:
        """Return the rows as of now. Raises ``JobError`` FX-RUN-0120 to 0122."""
        job, kept = self._job, self.kept
        rows = kept.read()
        if kept.forgotten and job is not None:
            self.check_end(job)
        return rows

    @property
    def count(self) -> int:
        """Return the number of rows."""
        return self._kept.count if self._kept is not None else 0

    def check(self) -> None:
        """Raise ``JobError`` FX-RUN-0121 when the job has failed, FX-RUN-0122 when the table was dropped or changed."""
        name = self.definition.name
        if self._gone is not None:
            raise JobError("FX-RUN-0122", f"the materialised table '{name}' was {self._gone}")
        error = self._failure()
        if error is not None:
            raise self._told(error) from error

    def check_end(self, job: RunningJob) -> None:
        """Raise what :meth:`check` does when a job of the table ends otherwise than it should; a stopped one may."""
        job.wait(JOIN_TIMEOUT_S)  # its sinks are closed before it says that it has ended
        try:
            job.result()
        except Cancelled:
            self.check()
        except FluxError as error:
            raise self._told(error) from error
        self.check()

    def _told(self, error: FluxError) -> JobError:
        name = self.definition.name
        message = f"the materialised table '{name}' failed: {error.message} ({error.code})"
        hint = f"ALTER MATERIALIZED TABLE {name} RESUME starts it anew"
        return JobError("FX-RUN-0121", message, place=error.place, hint=hint)

    def fill(self, *, final: bool) -> None:
        """Start the job from the beginning; a table that is refreshed in full is filled when this returns.

        ``final``: nobody reads the table before its job has ended, if that ends. Raises what keeps the job from starting, and
        what a refresh in full fails with.
        """
        self.started_at = datetime.now(UTC)
        self._halted = False
        if self.definition.full:
            self.refresh()
            if self._timer is None:
                self._timer = _Timer(self, self.definition.freshness_ms / 1000)
            return
        with self._lock:
            self._suspended, self._error, self._gone = False, None, None
            if self._kept is not None:
                self._kept.forget()
            try:
                ready = self._starter.ready(self.definition.plan, following=True)
                only_last = final and ready.ends
                self._kept = KeptTable(rows_for(ready.plan, self.definition.key, final=only_last))
                self._job = self._starter.start(ready, self._kept, final=only_last)
            except FluxError as error:
                self._error = error
                raise

    def wait(self) -> None:
        """Wait for the end of a job that ends by itself. Raises its error."""
        job = self._job
        if job is None or not job.bounded or self.definition.full:
            return
        try:
            job.result()
        except FluxError:
            raise
        except BaseException:
            job.stop()
            raise

    def refresh(self, condition: Expr | None = None) -> None:
        """Compute all rows anew, or those under ``condition``, and put them in the place of the old ones.

        Raises the job's error: a table that is refreshed in full is failed then, and any other as it was.
        """
        with self._lock:
            plan = self.definition.plan
            fresh = self._final_rows()
            try:
                wanted = plan if condition is None else Filter(plan, condition)
                job = self._starter.start(self._starter.ready(wanted, following=False), fresh, final=True)
                if self.definition.full:
                    self._job = job
                try:
                    job.result()
                except BaseException:
                    job.stop()
                    raise
                if condition is not None and self._kept is not None:
                    fresh = self._joined(condition, fresh)
            except FluxError as error:
                fresh.forget()
                if self.definition.full and not isinstance(error, Cancelled):
                    self._error = error
                raise
            old, self._kept = self._kept, fresh
            if old is not None:
                old.forget()
            self._error = None
            self._job = self._job or job

    def suspend(self) -> str | None:
        """Hold the job; return why there is nothing to hold."""
        if self.definition.full:
            self._suspended = True
            return None
        job: Any = self._job
        if self.status is not Status.RUNNING:
            return None if self._suspended else f"its job is {self.status.value.lower()}"
        if not hasattr(job, "hold"):
            return "a job in batch mode can't be held"
        job.hold()
        self._suspended = True
        return None

    def resume(self, *, final: bool) -> None:
        """Let the job go on where it was held; one that has ended, failed or never run starts from the beginning."""
        if self._suspended and self._failure() is None:
            self._suspended = False
            if not self.definition.full:
                assert self._job is not None, "only a running job is held"
                job: Any = self._job
                job.release()
            return
        self._suspended = False
        if self.status is not Status.RUNNING:
            self.fill(final=final)

    def stop(self, why: str) -> None:
        """End the job for good and forget the rows; ``why`` tells those who still ask, such as ``dropped``."""
        self._gone = why
        self.halt()
        if self._kept is not None:
            self._kept.forget()

    def halt(self) -> None:
        """End the job, and refreshing; the rows stay. A job that has ended already stays so."""
        self._halted = self._halted or self.status in (Status.RUNNING, Status.SUSPENDED)
        self._suspended = False
        if self._kept is not None:
            self._kept.stays = True
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.stop()
        if self._job is not None and not self._job.wait(0):
            self._job.stop()

    def _failure(self) -> FluxError | None:
        """Return what the job failed with."""
        if self._error is None and self._job is not None and not self.definition.full and self._job.wait(0):
            try:
                self._job.result()
            except Cancelled:
                return None
            except FluxError as error:
                self._error = error
        return self._error

    def _final_rows(self) -> KeptTable:
        """Return a table for rows that stay."""
        return KeptTable(rows_for(self.definition.plan, self.definition.key, final=True))

    def _joined(self, condition: Expr, fresh: KeptTable) -> KeptTable:
        """Return the old rows outside ``condition`` with the fresh ones, which are inside it."""
        assert self._kept is not None
        inside = compile_predicate(condition, self.definition.settings)
        joined = self._final_rows()
        for data in self._kept.read():
            joined.write(Batch(data).filter(pc.invert(pc.fill_null(inside(data), False))))
        for data in fresh.read():
            joined.write(Batch(data))
        fresh.forget()
        return joined


class _Timer:
    """Refreshes a table again and again, until it is stopped; a failure is the table's, and the next time may go well."""

    def __init__(self, table: MaterializedTable, seconds: float) -> None:
        self._table = table
        self._seconds = seconds
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name=f"fluxcore {table.definition.name}", daemon=True).start()

    def stop(self) -> None:
        """Refresh no more."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            if self._table.status is Status.SUSPENDED:
                continue
            try:
                self._table.refresh()
            except FluxError:
                continue  # the table keeps the error for whoever asks
