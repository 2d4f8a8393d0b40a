"""Work that needs no order, such as projections and filters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.runtime.metrics import NodeMetrics
from fluxcore.runtime.nodes.failures import errors_of
from fluxcore.runtime.nodes.receiver import Outlet, Receiver
from fluxcore.runtime.waits import WAITS

if TYPE_CHECKING:
    from collections.abc import Sequence


class MapNode(Receiver):
    """A pure function of a batch: filter, projection, watermark candidates, window assignment. One input."""

    def __init__(self, name: str, function: Callable[[Batch], Batch], metrics: NodeMetrics) -> None:
        self.name = name
        self.out = Outlet()
        self.metrics = metrics
        self._function = function
        self._lock = threading.Lock()

    def connect(self, port: int = 0) -> int:  # noqa: ARG002
        """Return input number 0: a map has one input."""
        return 0

    def apply(self, batch: Batch) -> Batch:
        """Return the function's rows; errors name this operator. Called from any thread."""
        start = time.perf_counter()
        with errors_of(self.name):
            result = self._function(batch)
        with self._lock:
            self.metrics.busy_s += time.perf_counter() - start
            self.metrics.take(batch)
            self.metrics.give(result)
        return result

    def push(self, source: int, batch: Batch) -> None:  # noqa: ARG002
        """Apply the function and hand the rows on."""
        result = self.apply(batch)
        waited = WAITS.seconds
        self.out.push(result)
        self.metrics.backpressured_s += WAITS.seconds - waited

    def push_each(self, source: int, batches: Sequence[Batch]) -> None:  # noqa: ARG002
        """Apply the function to each batch; rows that are never taken back go on together."""
        results = [found for found in map(self.apply, batches) if found.rows]
        if len(results) > 1 and all(found.weights is None for found in results):
            self.out.push(Batch(pa.concat_batches([found.data for found in results])))
        elif results:
            self.out.push_each(results)

    def watermark(self, source: int, ms: int) -> None:  # noqa: ARG002
        """Hand the watermark on."""
        self.metrics.watermark_ms = ms
        self.out.watermark(ms)

    def end(self, source: int) -> None:  # noqa: ARG002
        """Hand the end on."""
        self.out.end()

    def idle(self, source: int) -> None:  # noqa: ARG002
        """Hand idleness on."""
        self.out.idle()

    def ticks(self) -> bool:
        """Return whether a piece behind may want a tick."""
        return self.out.ticks()

    def next_tick(self) -> int | None:
        """Return when a piece behind wants a tick."""
        return self.out.next_tick()

    def tick(self, now: int) -> None:
        """Hand the time on."""
        self.out.tick(now)

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Tell the pieces behind."""
        self.out.wake_by(wake)
