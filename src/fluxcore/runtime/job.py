"""A running job: its threads, its end, its first error, its metrics.

1. ``start`` opens operators and sinks and starts the threads.
2. Each thread ends by itself at the end of input, or with the first error, which cancels all others.
3. The last thread to end finishes the job: sinks commit when all is well, else they abort; then all is closed.
"""

from __future__ import annotations

import gc
import secrets
import sys
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from fluxcore.api.local_job import LocalJob
from fluxcore.core.interpreter import quiet_interpreter
from fluxcore.core.log import Log
from fluxcore.errors import Cancelled, FluxError
from fluxcore.limits import JOIN_TIMEOUT_S
from fluxcore.runtime.metrics import JobMetrics, NodeMetrics, combine
from fluxcore.runtime.metrics_text import metrics_lines
from fluxcore.runtime.nodes import errors_of, located
from fluxcore.runtime.reading_order import put_in_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.runtime.late import LateRows
    from fluxcore.runtime.nodes import OperatorNode, SinkNode
    from fluxcore.runtime.source_stage import SourceStage
    from fluxcore.runtime.task import Task


class Parts:
    """What a plan was built into: the pieces of a job, in plan order."""

    def __init__(self) -> None:
        self.sources: list[SourceStage] = []
        self.tasks: list[Task] = []
        self.operators: list[OperatorNode] = []
        self.sinks: list[SinkNode] = []
        self.late: list[LateRows] = []
        self.metrics: dict[int, list[NodeMetrics]] = defaultdict(list)
        self.either_first: list[tuple[SourceStage, SourceStage]] = []
        self.bounded = True

    def new_metrics(self, key: int, name: str) -> NodeMetrics:
        """Return the counters of one more instance of the operator numbered ``key``."""
        metrics = NodeMetrics(name)
        self.metrics[key].append(metrics)
        return metrics


class Job(LocalJob):
    """A job from its start to its end. All methods may be called from any thread."""

    def __init__(self, parts: Parts, name: str = "", *, show_metrics: bool = False) -> None:
        super().__init__()
        self._parts = parts
        self._show_metrics = show_metrics
        self.id = secrets.token_hex(4)
        self._log = Log("job", job=self.id, **({"name": name} if name else {}))
        self._lock = threading.Lock()
        self._running = 0
        self._stopping = False
        self._started_at = 0.0
        self._ended_at: float | None = None
        self._threads: list[threading.Thread] = []

    @property
    def bounded(self) -> bool:
        """Return whether the job ends by itself."""
        return self._parts.bounded

    def start(self) -> Job:
        """Open everything and start the threads. An error while opening is raised here, after all was closed again."""
        self._started_at = time.monotonic()
        self._log.info("started", sources=len(self._parts.sources), tasks=len(self._parts.tasks), bounded=self.bounded)
        quiet_interpreter()
        runs: list[tuple[str, Callable[[], None]]] = []
        try:
            for sink in self._parts.sinks:
                _guarded(sink.sink.open, sink.name)
            for operator in self._parts.operators:
                _guarded(operator.open, operator.metrics.name)
            for source in self._parts.sources:
                starts = source.start
                runs += [(source.name, work) for work in _guarded_list(starts, source.name)]
            put_in_order(self._parts.either_first)
        except FluxError as error:
            self._error = error
            self._finish()
            raise
        runs += [(task.name, task.run) for task in self._parts.tasks]
        self._running = len(runs)
        for name, run in runs:
            thread = threading.Thread(target=self._run, args=(run, name), name=f"fluxcore {name}", daemon=True)
            self._threads.append(thread)
        for thread in self._threads:
            thread.start()
        if not runs:
            self._finish()
        return self

    def run(self) -> None:
        """Start the job, wait for it, and cancel it when the waiting is interrupted."""
        self.start()
        try:
            self.result()
        except BaseException:
            self.stop()
            raise

    def hold(self) -> None:
        """Let the sources take nothing more until :meth:`release`; the job keeps its state and its place."""
        for source in self._parts.sources:
            source.hold(True)

    def release(self) -> None:
        """Let a held job go on."""
        for source in self._parts.sources:
            source.hold(False)

    def cancel(self) -> None:
        """Stop the job where it is; its sinks abort. Returns at once."""
        self._fail(Cancelled())

    def stop(self) -> None:
        """End the job and wait: an unbounded job's sinks commit what they have, a bounded one's abort."""
        with self._lock:
            self._stopping = not self._parts.bounded and self._error is None
        self.cancel()
        self._done.wait(JOIN_TIMEOUT_S)

    def metrics(self) -> JobMetrics:
        """Return a snapshot of the counters."""
        end = self._ended_at or time.monotonic()
        sources = [source.source.statistics() for source in self._parts.sources]
        return JobMetrics(
            elapsed_s=end - self._started_at,
            source_rows=sum(source.metrics.rows_out for source in self._parts.sources),
            source_bytes=sum(source.metrics.bytes_out.total for source in self._parts.sources),
            skipped_rows=sum(each.get("skipped_rows", 0) for each in sources),
            dead_letter_rows=sum(each.get("dead_letter_rows", 0) for each in sources),
            operators=tuple(combine(instances) for _, instances in sorted(self._parts.metrics.items())),
        )

    def _run(self, work: Callable[[], None], name: str) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (whatever ends a thread must end the job)
            found = located(error, name)
            if found is not error:
                found.__cause__ = error
            self._fail(found)
        with self._lock:
            self._running -= 1
            last = self._running == 0
        if last:
            self._finish()

    def _fail(self, error: FluxError) -> None:
        with self._lock:
            if self._error is None and not self._done.is_set():
                self._error = error
        for source in self._parts.sources:
            source.cancel()
        for task in self._parts.tasks:
            task.inbox.cancel()
        for operator in self._parts.operators:
            operator.operator.cancel()
        for sink in self._parts.sinks:
            wake = getattr(sink.sink, "cancel", None)
            if wake is not None:
                wake()

    def _finish(self) -> None:
        """Commit or abort the sinks and close everything; a failure here fails the job."""
        commit = self._error is None or (self._stopping and isinstance(self._error, Cancelled))
        for sink in self._parts.sinks:
            self._try(sink.sink.commit if commit else sink.sink.abort, sink.name)
            commit = commit and (self._error is None or self._stopping)
        for sink in self._parts.sinks:
            self._try(sink.sink.close, sink.name)
        for operator in self._parts.operators:
            self._try(operator.close, operator.metrics.name)
        for source in self._parts.sources:
            self._try(source.close, source.name)
        for late in self._parts.late:
            self._try(late.close, "late rows")
        self._ended_at = time.monotonic()
        gc.unfreeze()
        try:
            self._tell_end()
        finally:
            self._done.set()

    def _tell_end(self) -> None:
        found = self.metrics()
        if self._show_metrics:
            sys.stderr.write("\n".join(metrics_lines(found)) + "\n")
            sys.stderr.flush()
        if found.skipped_rows:
            self._log.warning("rows that can't be read were skipped", rows=found.skipped_rows)
        if found.dead_letter_rows:
            self._log.warning("rows that can't be read went to the dead letters", rows=found.dead_letter_rows)
        late = {operator.name: operator.late_rows for operator in found.operators if operator.late_rows}
        for operator, rows in late.items():
            self._log.info("rows came too late", operator=operator, rows=rows)
        error = self._error
        how = "ended" if error is None else "stopped" if isinstance(error, Cancelled) else "failed"
        more = {} if how != "failed" or error is None else {"code": error.code, "error": error.message}
        self._log.info(how, rows=found.source_rows, seconds=round(found.elapsed_s, 3), **more)

    def _try(self, action: Callable[[], None], name: str) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001  (all the rest must still be closed)
            if self._error is None:
                self._error = located(error, name)
                if self._error is not error:
                    self._error.__cause__ = error


def _guarded(action: Callable[[], None], name: str) -> None:
    with errors_of(name):
        action()


def _guarded_list(action: Callable[[], list[Callable[[], None]]], name: str) -> list[Callable[[], None]]:
    with errors_of(name):
        return action()
