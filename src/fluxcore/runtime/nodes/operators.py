"""Operators with state in a chain."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fluxcore.core.batch import Batch
from fluxcore.core.partial import Partial
from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS
from fluxcore.runtime.gate import Gate
from fluxcore.runtime.metrics import NodeMetrics
from fluxcore.runtime.nodes.failures import errors_of
from fluxcore.runtime.nodes.partials import Partials, aggregated
from fluxcore.runtime.nodes.receiver import Outlet, Receiver, earliest
from fluxcore.runtime.waits import WAITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fluxcore.core.ports import Operator, OperatorContext
    from fluxcore.runtime.memory import MemoryBudget


class OperatorNode(Receiver):
    """A stateful operator behind a gate that combines the watermarks of all its inputs."""

    def __init__(
        self, operator: Operator, context: OperatorContext, metrics: NodeMetrics, partials: Partials | None = None
    ) -> None:
        self.operator = operator
        self.out = Outlet()
        self.sides: dict[str, Outlet] = {}
        self.metrics = metrics
        self.memory: MemoryBudget | None = None
        self.one_by_one = False
        self._gathered: list[Batch] | None = None
        self._context = context
        self._partials = partials
        self._ports: list[int] = []
        self._gate = Gate(0)
        self._given = MIN_TIME_MS
        self._idle = False
        self._open = 0
        self._ended: set[int] = set()
        metrics.counters = context.counters
        context.side = self._give_side

    def side(self, tag: str) -> Outlet:
        """Return the outlet of a side output."""
        return self.sides.setdefault(tag, Outlet())

    def connect(self, port: int = 0) -> int:
        """Add an input to a port of the operator."""
        self._ports.append(port)
        self._open += 1
        return self._gate.add()

    def open(self) -> None:
        """Let the operator make its state."""
        self.operator.open(self._context)

    def prepare(self, batch: Batch) -> Batch | Partial:
        """Return the rows, aggregated where that is possible."""
        return aggregated(self._partials, batch, self._context.name) or batch

    def push(self, source: int, batch: Batch | Partial) -> None:
        """Process rows, then advance to the watermark after them."""
        if self.one_by_one and isinstance(batch, Batch) and batch.rows > 1 and not self.operator.tells_each:
            self._gathered = []
            for row in range(batch.rows):
                self.push(source, batch.slice(row, 1))
            self._give_gathered()
            self._gathered = None
            return
        self._gate.set_active(source)
        self._wake_those_behind()
        steps = self._gate.steps(source, batch.steps)
        self.metrics.take(batch)
        operator = self.operator
        if isinstance(batch, Partial):
            self._run(operator.process_partial, batch.with_steps(steps))
        else:
            process = operator.process_each if self.one_by_one and batch.rows > 1 else operator.process
            self._run(process, batch.with_steps(steps), self._ports[source])
        if batch.steps is not None:
            self._advance(self._gate.raise_to(source, batch.steps.last))
        self._measure()

    def watermark(self, source: int, ms: int) -> None:
        """Advance when the combined watermark rises."""
        combined = self._gate.raise_to(source, ms)
        self._wake_those_behind()
        self._advance(combined)
        self._measure()

    def idle(self, source: int) -> None:
        """Leave the input out of the minimum; when none is left that is active, those behind need not wait either."""
        self._advance(self._gate.set_idle(source))
        self._pass_idleness_on()

    def end(self, source: int) -> None:
        """Finish when the last input has ended: plus infinity first, then the last rows, then the end."""
        self._open -= 1
        port = self._ports[source]
        self._ended.add(source)
        if all(number in self._ended for number, each in enumerate(self._ports) if each == port):
            self._run(self.operator.port_ended, port)
        self._advance(self._gate.end(source))
        if self._open:
            self._pass_idleness_on()
        else:
            self._tick(MAX_TIME_MS)
            self._run(self.operator.finish)
            self._measure()
            for outlet in self._outlets():
                outlet.end()

    def ticks(self) -> bool:
        """Return whether the operator, or a piece behind it, may want a tick."""
        return self.operator.ticks or any(outlet.ticks() for outlet in self._outlets())

    def next_tick(self) -> int | None:
        """Return when the operator, or a piece behind it, wants a tick."""
        return earliest((self.operator.next_tick, *(outlet.next_tick() for outlet in self._outlets())))

    def tick(self, now: int) -> None:
        """Give what the operator has at this time, then hand the time on."""
        self._tick(now)
        self._pass_idleness_on()
        self._measure()
        for outlet in self._outlets():
            outlet.tick(now)

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Tell the operator, and the pieces behind it."""
        self._context.wake = wake
        for outlet in self._outlets():
            outlet.wake_by(wake)

    def close(self) -> None:
        """Let the operator give its resources back, and give back its state."""
        try:
            self.operator.close()
        finally:
            self._context.state.close()

    def _advance(self, watermark: int) -> None:
        if watermark <= self.metrics.watermark_ms:
            return
        self.metrics.watermark_ms = watermark
        self._run(self.operator.advance, watermark)
        self._given = self.operator.output_watermark(watermark)
        self._give_gathered()
        for outlet in self._outlets():
            outlet.watermark(self._given)

    def _tick(self, now: int) -> None:
        due = self.operator.next_tick
        if due is None or due > now:
            return
        self._run(self.operator.tick, now)

    def _pass_idleness_on(self) -> None:
        if self._gate.is_idle and not self._idle and not self.operator.awaits:
            self._idle = True
            for outlet in self._outlets():
                outlet.idle()

    def _wake_those_behind(self) -> None:
        """Let those behind wait for this piece again, if they were told that nothing comes."""
        if self._idle and not self._gate.is_idle:
            self._idle = False
            for outlet in self._outlets():
                outlet.watermark(self._given)

    def _outlets(self) -> tuple[Outlet, ...]:
        return (*self.sides.values(), self.out)

    def _give_side(self, tag: str, batch: Batch) -> None:
        outlet = self.sides.get(tag)
        if outlet is not None and batch.rows:
            waited = WAITS.seconds
            outlet.push(batch)
            self.metrics.backpressured_s += WAITS.seconds - waited

    def _give_gathered(self) -> None:
        if self._gathered:
            waited = WAITS.seconds
            self.out.push_each(self._gathered)
            self._gathered.clear()
            self.metrics.backpressured_s += WAITS.seconds - waited

    def _run(self, method: Callable[..., Iterable[Batch]], *arguments: Any) -> None:
        """Call the operator, and hand its rows on as it gives them."""
        batches: Iterator[Batch] | None = None
        while True:
            start = time.perf_counter()
            with errors_of(self._context.name):
                batches = iter(method(*arguments)) if batches is None else batches
                batch = next(batches, None)
            self.metrics.busy_s += time.perf_counter() - start
            if batch is None:
                return
            self.metrics.give(batch)
            waited = WAITS.seconds
            if self._gathered is not None and batch.rows and batch.steps is None:
                self._gathered.append(batch)
            else:
                self._give_gathered()
                self.out.push(batch)
            self.metrics.backpressured_s += WAITS.seconds - waited

    def _measure(self) -> None:
        self.metrics.state_rows = self.operator.state_rows
        self.metrics.state_bytes = self.operator.state_bytes
        if self.memory is not None:
            with errors_of(self._context.name):
                self.memory.check()
