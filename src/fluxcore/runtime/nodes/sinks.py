"""Sinks at the end of a chain."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from fluxcore.core.batch import Batch
from fluxcore.core.time import MAX_TIME_MS
from fluxcore.runtime.metrics import NodeMetrics
from fluxcore.runtime.nodes.failures import errors_of
from fluxcore.runtime.nodes.receiver import Receiver
from fluxcore.runtime.waits import WAITS

if TYPE_CHECKING:
    from fluxcore.core.ports import Sink
    from fluxcore.runtime.memory import MemoryBudget


class SinkNode(Receiver):
    """Writes rows into a sink; several tasks may feed it, one at a time."""

    def __init__(self, name: str, sink: Sink, metrics: NodeMetrics) -> None:
        self.name = name
        self.sink = sink
        self.metrics = metrics
        self.memory: MemoryBudget | None = None
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._open = 0
        self._inputs = 0

    def connect(self, port: int = 0) -> int:  # noqa: ARG002
        """Add an input."""
        self._open += 1
        self._inputs += 1
        return self._inputs - 1

    def push(self, source: int, batch: Batch) -> None:  # noqa: ARG002
        """Write rows."""
        came = time.perf_counter()
        with self._lock:
            start = time.perf_counter()
            with errors_of(self.name):
                self.sink.write(batch)
                if self.memory is not None:
                    self.metrics.state_bytes = self.sink.state_bytes
                    self.memory.check()
            end = time.perf_counter()
            self.metrics.busy_s += end - start
            self.metrics.take(batch)
        WAITS.seconds += end - came

    def watermark(self, source: int, ms: int) -> None:  # noqa: ARG002
        """Note the watermark."""
        if ms != MAX_TIME_MS:
            self.metrics.watermark_ms = max(self.metrics.watermark_ms, ms)

    def end(self, source: int) -> None:  # noqa: ARG002
        """Count ended inputs."""
        with self._lock:
            self._open -= 1
            if self._open == 0:
                self.ended.set()
