"""The pieces of a running chain: each takes rows and watermarks and hands them to the pieces after it.

One natural way: ``push`` rows with the watermark steps inside them, ``watermark`` between batches, ``end`` once. A piece
that several inputs feed is told which one speaks. Work that needs no order is done in ``prepare``, which a source calls from
several threads before it hands the result over in order.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.control import End, Idle, Watermark
from fluxcore.core.partial import Partial, Share, Tasks
from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS
from fluxcore.core.user_code import user_line
from fluxcore.errors import Cancelled, FluxError, JobError
from fluxcore.runtime.gate import Gate
from fluxcore.runtime.metrics import NodeMetrics
from fluxcore.runtime.waits import WAITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from fluxcore.core.ports import Operator, OperatorContext, Sink
    from fluxcore.runtime.inbox import Inbox
    from fluxcore.runtime.memory import MemoryBudget


Partials = Callable[[Batch], Partial | None]
"""Aggregates a batch before it is sent, or returns None."""


class Route(Protocol):
    """Tells the task of each row, by the key group of its key."""

    def of_rows(self, batch: Batch) -> NDArray[np.int64]:
        """Return the tasks of input rows."""
        ...

    def rows(self, batch: Batch) -> list[NDArray[np.int64]]:
        """Return each task's rows (rising) of a batch."""
        ...

    def states(self, states: Batch) -> list[NDArray[np.int64]]:
        """Return each task's rows (rising) of aggregated rows: a slice, then the keys."""
        ...


class Receiver(ABC):
    """A piece of a chain that takes rows. ``source`` is the number that :meth:`connect` gave to the input."""

    metrics: NodeMetrics

    @abstractmethod
    def connect(self, port: int = 0) -> int:
        """Add an input to a port and return its number."""

    def prepare(self, batch: Batch) -> Any:
        """Return what :meth:`push_prepared` takes; pure, called from any thread."""
        return batch

    def parts(self, prepared: Any) -> Sequence[Batch | Partial]:
        """Return the batches inside a prepared value; all of them end at the same watermark."""
        return (prepared,)

    def push_prepared(self, source: int, prepared: Any, steps: Sequence[Steps | None]) -> None:
        """Take a prepared value, with the combined watermark steps for each of its parts."""
        self.push(source, prepared.with_steps(steps[0]))

    def push_each(self, source: int, batches: Sequence[Batch]) -> None:
        """Take batches whose bounds mean something: none changes twice within one. They have rows and no steps."""
        for batch in batches:
            self.push(source, batch)

    @abstractmethod
    def push(self, source: int, batch: Batch) -> None:
        """Take rows."""

    @abstractmethod
    def watermark(self, source: int, ms: int) -> None:
        """Take a watermark."""

    @abstractmethod
    def end(self, source: int) -> None:
        """Learn that an input has ended, after its last watermark."""

    def idle(self, source: int) -> None:  # noqa: B027
        """Learn that an input has nothing to say for a while."""

    def ticks(self) -> bool:
        """Return whether the piece, or one behind it in the same thread, may ever want :meth:`tick`."""
        return False

    def next_tick(self) -> int | None:
        """Return the processing time (ms) at which the piece, or one behind it in the same thread, wants :meth:`tick`."""
        return None

    def tick(self, now: int) -> None:  # noqa: B027
        """Learn that the clock has reached ``next_tick``. In: ``now`` (ms)."""

    def wake_by(self, wake: Callable[[], None]) -> None:  # noqa: B027
        """Learn how to have :meth:`next_tick` asked for anew, from any thread."""


class Outlet:
    """What stands behind a piece: any number of receivers, each by the input number that it knows us under."""

    def __init__(self) -> None:
        self.targets: list[tuple[Receiver, int]] = []

    def add(self, receiver: Receiver, port: int = 0) -> None:
        """Connect a receiver."""
        self.targets.append((receiver, receiver.connect(port)))

    def push(self, batch: Batch) -> None:
        """Hand rows to all; a batch without rows becomes a bare watermark."""
        if batch.rows == 0:
            if batch.steps is not None:
                self.watermark(batch.steps.last)
            return
        for receiver, source in self.targets:
            receiver.push(source, batch)

    def push_each(self, batches: Sequence[Batch]) -> None:
        """Hand batches to all, as :meth:`Receiver.push_each` takes them."""
        for receiver, source in self.targets:
            receiver.push_each(source, batches)

    def watermark(self, ms: int) -> None:
        """Hand a watermark to all."""
        for receiver, source in self.targets:
            receiver.watermark(source, ms)

    def end(self) -> None:
        """Tell all that nothing follows."""
        for receiver, source in self.targets:
            receiver.end(source)

    def idle(self) -> None:
        """Tell all that nothing comes for a while."""
        for receiver, source in self.targets:
            receiver.idle(source)

    def ticks(self) -> bool:
        """Return whether one of them may want a tick."""
        return any(receiver.ticks() for receiver, _ in self.targets)

    def next_tick(self) -> int | None:
        """Return when the first of them wants a tick."""
        return earliest(receiver.next_tick() for receiver, _ in self.targets)

    def tick(self, now: int) -> None:
        """Tell all the time."""
        for receiver, _ in self.targets:
            receiver.tick(now)

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Tell all how to be asked anew."""
        for receiver, _ in self.targets:
            receiver.wake_by(wake)


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
        if self.one_by_one and isinstance(batch, Batch) and batch.rows > 1:
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
            self._run(operator.process, batch.with_steps(steps), self._ports[source])
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


class ExchangeNode(Receiver):
    """Sends rows to the tasks of another stage, by the key group of their key columns; without keys all go to task 0."""

    def __init__(
        self, targets: Sequence[tuple[Inbox, int]], route: Route | None, partials: Partials | None, metrics: NodeMetrics
    ) -> None:
        self._targets = targets
        self._route = route if len(targets) > 1 else None
        self._partials = partials
        self.metrics = metrics

    def connect(self, port: int = 0) -> int:  # noqa: ARG002
        """Return input number 0: an exchange has one input in each task that writes to it."""
        return 0

    def prepare(self, batch: Batch) -> Sequence[Batch | Partial]:
        """Return the rows of each target task, aggregated where that is possible."""
        partial = aggregated(self._partials, batch, "partial aggregate")
        if self._route is None:
            return [partial or batch]
        if partial is not None:
            return self._spread(partial, self._route)
        return [batch.chosen(rows) for rows in self._route.rows(batch)]

    def _spread(self, partial: Partial, route: Route) -> list[Partial]:
        states = Batch(partial.states)
        tasks = Tasks(partial.whole, route.of_rows, len(self._targets))
        return [
            Partial(partial.whole, states.take(rows).data, partial.apart, Share(tasks, number))
            for number, rows in enumerate(route.states(states))
        ]

    def parts(self, prepared: Sequence[Batch | Partial]) -> Sequence[Batch | Partial]:
        """Return the rows of each target task."""
        return prepared

    def push_prepared(
        self,
        source: int,  # noqa: ARG002
        prepared: Sequence[Batch | Partial],
        steps: Sequence[Steps | None],
    ) -> None:
        """Put each task's rows, and the watermark, into its inbox."""
        for (inbox, number), part, rising in zip(self._targets, prepared, steps, strict=True):
            if part.rows:
                inbox.put(number, part.with_steps(rising))
            elif rising is not None:
                inbox.put(number, Watermark(rising.last))

    def push(self, source: int, batch: Batch) -> None:
        """Send rows."""
        prepared = self.prepare(batch)
        self.push_prepared(source, prepared, [part.steps for part in prepared])

    def watermark(self, source: int, ms: int) -> None:  # noqa: ARG002
        """Send a watermark to all tasks."""
        for inbox, number in self._targets:
            inbox.put(number, Watermark(ms))

    def end(self, source: int) -> None:  # noqa: ARG002
        """Send the end to all tasks."""
        for inbox, number in self._targets:
            inbox.put(number, End())

    def idle(self, source: int) -> None:  # noqa: ARG002
        """Send idleness to all tasks."""
        for inbox, number in self._targets:
            inbox.put(number, Idle())


class BroadcastNode(ExchangeNode):
    """Sends all rows to each task of another stage."""

    def __init__(self, targets: Sequence[tuple[Inbox, int]], metrics: NodeMetrics) -> None:
        super().__init__(targets, None, None, metrics)

    def prepare(self, batch: Batch) -> Sequence[Batch | Partial]:
        """Return the rows for each target task."""
        return [batch] * len(self._targets)


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


def earliest(times: Iterable[int | None]) -> int | None:
    """Return the smallest of some times, of which each may be none."""
    return min((each for each in times if each is not None), default=None)


def aggregated(partials: Partials | None, batch: Batch, operator: str) -> Partial | None:
    """Return the batch aggregated, where that is possible; errors name the operator."""
    if partials is None or not batch.rows:
        return None
    with errors_of(operator):
        return partials(batch)


class errors_of:  # noqa: N801
    """Names the operator in every error inside the ``with`` block; what is no ``FluxError`` becomes one."""

    __slots__ = ("_operator",)

    def __init__(self, operator: str) -> None:
        self._operator = operator

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            told = located(error, self._operator)
            if told is not error:  # an error is never its own cause: whoever follows causes would not come to an end
                raise told from error


def located(error: BaseException, operator: str) -> FluxError:
    """Return the error that a user sees for an exception inside an operator."""
    if isinstance(error, Cancelled):
        return error
    if isinstance(error, FluxError):
        return error.in_operator(operator)
    if isinstance(error, MemoryError):
        return JobError("FX-RUN-0901", "memory ran out").in_operator(operator)
    kind = type(error).__name__
    line, debug = user_line(error), "run again with --debug for the details"
    hint = f"in {line}; {debug}" if line else debug
    return JobError("FX-RUN-0900", f"{kind}: {error}", hint=hint).in_operator(operator)
