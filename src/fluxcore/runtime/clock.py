"""Processing time: the clock's time is written into the rows as they pass, and is the watermark behind them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS
from fluxcore.limits import CLOCK_TICK_MS
from fluxcore.runtime.nodes import Outlet, Receiver
from fluxcore.runtime.waits import WAITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.time import Clock
    from fluxcore.runtime.metrics import NodeMetrics


class ClockNode(Receiver):
    """Stamps each batch with one time, which never falls. Watermarks from before end here; the clock's go on.

    While no rows come the time is passed on every few milliseconds. One input.
    """

    def __init__(self, column: int, schema: pa.Schema, clock: Clock, metrics: NodeMetrics) -> None:
        self.out = Outlet()
        self.metrics = metrics
        self._column = column
        self._schema = schema
        self._clock = clock
        self._now = MIN_TIME_MS

    def connect(self, port: int = 0) -> int:  # noqa: ARG002
        """Return input number 0: there is one input."""
        return 0

    def push(self, source: int, batch: Batch) -> None:  # noqa: ARG002
        """Stamp rows and hand them on; the watermark before them is the moment before."""
        start = time.perf_counter()
        self._now = max(self._now, self._clock.now_ms())
        type_ = self._schema.field(self._column).type
        per_ms = 1_000_000 if type_.unit == "ns" else 1_000
        stamps = pa.array(np.full(batch.rows, self._now * per_ms)).view(type_)
        columns = list(batch.data.columns)
        columns[self._column] = stamps
        steps = Steps(np.zeros(1, np.int64), np.array([self._now - 1], np.int64))
        data = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        metrics = self.metrics
        metrics.watermark_ms = self._now - 1
        metrics.take(batch)
        stamped = Batch(data, batch.weights, steps)
        metrics.give(stamped)
        metrics.busy_s += time.perf_counter() - start
        waited = WAITS.seconds
        self.out.push(stamped)
        metrics.backpressured_s += WAITS.seconds - waited

    def ticks(self) -> bool:
        """Say that the time must be passed on."""
        return True

    def next_tick(self) -> int | None:
        """Return the time that is to be passed on next."""
        return self._now + CLOCK_TICK_MS

    def tick(self, now: int) -> None:
        """Let the time pass."""
        if now > self._now:
            self._now = now
            self.metrics.watermark_ms = now - 1
            self.out.watermark(now - 1)
        self.out.tick(now)

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Tell the pieces behind."""
        self.out.wake_by(wake)

    def watermark(self, source: int, ms: int) -> None:  # noqa: ARG002
        """Hand only the end of time on."""
        if ms == MAX_TIME_MS:
            self.out.watermark(ms)

    def end(self, source: int) -> None:  # noqa: ARG002
        """Hand the end on."""
        self.out.end()
