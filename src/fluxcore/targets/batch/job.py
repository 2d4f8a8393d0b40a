"""A job in batch mode: its stages one after the other, and all sinks committed at its end.

1. The sinks are opened.
2. Each stage that several others read is kept as a table of DuckDB, in the order of the plan.
3. What leaves the plan is written: first by queries of DuckDB, then by one job of operators.
4. All sinks commit; after an error, or when the job was cancelled, they abort. Then everything is closed.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.api.local_job import LocalJob
from fluxcore.connectors.memory import MemoryConnector
from fluxcore.core.batch import Batch
from fluxcore.core.ports import TableDescription
from fluxcore.core.schema import Schema
from fluxcore.errors import Cancelled, FluxError, JobError
from fluxcore.limits import JOIN_TIMEOUT_S
from fluxcore.plan.graph import rewrite
from fluxcore.plan.nodes import Scan
from fluxcore.targets.batch.carriers import decode
from fluxcore.targets.batch.database import Database
from fluxcore.targets.batch.stages import Rows, rows_read
from fluxcore.targets.batch.streams import Forward, OperatorStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fluxcore.api.target import RunningJob, Target
    from fluxcore.core.ports import Sink
    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node
    from fluxcore.targets.batch.stages import Stage


@dataclass(frozen=True)
class StageMetrics:
    """What a stage did: rows that it took from other stages or gave, and seconds."""

    name: str
    rows_in: int
    rows_out: int
    busy_s: float


@dataclass(frozen=True)
class BatchMetrics:
    """What a job did; the last of ``operators`` are its sinks."""

    elapsed_s: float
    operators: tuple[StageMetrics, ...] = ()


@dataclass(frozen=True)
class Work:
    """What a job does: the stages, the SQL of those that DuckDB carries out, and where each root's rows go."""

    stages: Mapping[int, Stage]
    queries: Mapping[int, str]
    roots: Sequence[tuple[Node, str, Sink]]
    settings: Settings
    operators: Target = field(repr=False)


class BatchJob(LocalJob):
    """A job that runs in a thread of its own. All methods may be called from any thread."""

    bounded = True

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work
        self._outputs = [Forward(sink) for _, _, sink in work.roots]
        self._lock = threading.Lock()
        self._jobs: list[RunningJob] = []
        self._database: Database | None = None
        self._held: list[object] = []
        self._seconds: dict[str, float] = {}
        self._started_at = time.monotonic()
        self._ended_at: float | None = None

    def start(self) -> BatchJob:
        """Open the sinks and start. An error while opening is raised here, after all was closed again."""
        opened: list[Sink] = []
        try:
            for _, _, sink in self._work.roots:
                sink.open()
                opened.append(sink)
        except BaseException:
            for sink in opened:
                sink.abort()
                sink.close()
            raise
        threading.Thread(target=self._run, name="fluxcore batch", daemon=True).start()
        return self

    def cancel(self) -> None:
        """Stop the job where it is; its sinks abort. Returns at once."""
        self._fail(Cancelled())
        for output in self._outputs:
            output.cancel()

    def stop(self) -> None:
        """Cancel the job and wait for its end."""
        self.cancel()
        self._done.wait(JOIN_TIMEOUT_S)

    def metrics(self) -> BatchMetrics:
        """Return what was done so far."""
        end = self._ended_at or time.monotonic()
        stages = tuple(StageMetrics(name, 0, 0, seconds) for name, seconds in self._seconds.items())
        sinks = tuple(
            StageMetrics(name, output.rows, 0, 0.0)
            for (_, name, _), output in zip(self._work.roots, self._outputs, strict=True)
        )
        return BatchMetrics(end - self._started_at, (*stages, *sinks))

    def _run(self) -> None:
        try:
            self._database = Database(self._work.settings)
            self._carry_out(self._database)
        except FluxError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  (whatever ends the thread must end the job)
            found = JobError("FX-RUN-0901", f"{type(error).__name__}: {error}")
            found.__cause__ = error
            self._fail(found)
        self._finish()

    def _carry_out(self, database: Database) -> None:
        for stage in self._work.stages.values():
            if stage.kept:
                self._timed(f"stage {stage.number}", lambda stage=stage: self._keep(database, stage))  # type: ignore[misc]
        last: list[tuple[Node, Forward]] = []
        for (root, name, _), output in zip(self._work.roots, self._outputs, strict=True):
            if isinstance(root, Rows):
                self._timed(name, lambda root=root, output=output: self._write(database, root, output))  # type: ignore[misc]
            else:
                last.append((root, output))
        if last:
            self._timed("operators", lambda: self._operate(database, last))

    def _keep(self, database: Database, stage: Stage) -> None:
        query, streams = self._query(database, stage)
        database.keep(_table(stage.number), query, streams)
        self._check()

    def _write(self, database: Database, root: Rows, output: Forward) -> None:
        for batch in self._rows(database, root):
            output.write(Batch(batch))
            self._check()
        self._check()

    def _operate(self, database: Database, roots: Sequence[tuple[Node, Forward]]) -> None:
        plans = self._with_sources(database, [node for node, _ in roots])
        outputs = [output for _, output in roots]
        job = self._started(list(zip(plans, outputs, strict=True)))
        job.result()
        self._check()

    def _rows(self, database: Database, rows: Rows) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a stage in the plan's types."""
        stage = self._work.stages[rows.stage]
        schema = pa.schema([pa.field(column.name, column.type.arrow()) for column in rows.schema])
        streams: dict[str, object] = {}
        if stage.kept:
            query = f"SELECT * FROM {_table(stage.number)}"
        else:
            query, streams = self._query(database, stage)
        for batch in database.read(query, streams):
            yield decode(batch, schema)

    def _query(self, database: Database, stage: Stage) -> tuple[str, dict[str, object]]:
        """Return a stage's SQL and the streams that it reads."""
        if not stage.duckdb:
            name = f"{_table(stage.number)}_in"
            return f"SELECT * FROM {name}", {name: self._stream(database, stage)}
        inputs = [self._work.stages[each.stage] for each in rows_read(stage.node)]
        streams = {_table(each.number): self._stream(database, each) for each in inputs if not each.kept}
        return self._work.queries[stage.number], streams

    def _stream(self, database: Database, stage: Stage) -> object:
        assert not stage.duckdb, "what DuckDB carries out is part of the query"
        (plan,) = self._with_sources(database, [stage.node])
        return OperatorStream(stage.node.schema, lambda sink: self._started([(plan, sink)]), self._fail)

    def _with_sources(self, database: Database, plans: Sequence[Node]) -> list[Node]:
        """Return plans in which the rows of other stages are sources of the operators."""

        def change(node: Node) -> Node:
            if not isinstance(node, Rows):
                return node
            schema = pa.schema([pa.field(column.name, column.type.arrow()) for column in node.schema])
            reader = pa.RecordBatchReader.from_batches(schema, self._rows(database, node))
            memory = MemoryConnector().hold(reader)
            self._held.append(memory)
            options = {"connector": "memory", "memory.key": memory.key}
            table = TableDescription(f"stage {node.stage}", Schema.of(node.schema), options)
            return Scan(table, tuple(range(len(node.schema))))

        return rewrite(plans, change)

    def _started(self, roots: Sequence[tuple[Node, Sink]]) -> RunningJob:
        """Start a job of operators. Raises ``Cancelled`` when this one is over already."""
        self._check()
        job = self._work.operators.start(roots, self._work.settings)
        with self._lock:
            self._jobs.append(job)
        if self._error is not None:
            job.cancel()
        return job

    def _timed(self, name: str, action: Callable[[], None]) -> None:
        start = time.perf_counter()
        try:
            action()
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - start

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _fail(self, error: FluxError) -> None:
        """Remember the first error, and stop everything that runs."""
        with self._lock:
            if self._error is not None or self._done.is_set():
                return
            self._error = error
            jobs = list(self._jobs)
        for job in jobs:
            job.cancel()
        database = self._database
        if database is not None:
            database.interrupt()

    def _finish(self) -> None:
        """Commit or abort the sinks, and close everything; a failure here fails the job."""
        for job in self._jobs:
            job.wait(JOIN_TIMEOUT_S)
        for _, _, sink in self._work.roots:
            self._try(sink.commit if self._error is None else sink.abort)
        for _, _, sink in self._work.roots:
            self._try(sink.close)
        if self._database is not None:
            self._try(self._database.close)
            self._database = None
        self._held.clear()
        self._ended_at = time.monotonic()
        self._done.set()

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except FluxError as error:
            self._error = self._error or error
        except Exception as error:  # noqa: BLE001  (all the rest must still be closed)
            found = JobError("FX-RUN-0901", f"{type(error).__name__}: {error}")
            found.__cause__ = error
            self._error = self._error or found


def _table(number: int) -> str:
    return f"s{number}"
