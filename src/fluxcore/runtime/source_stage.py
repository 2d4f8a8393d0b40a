"""Reads a source with several threads and still hands its rows over in order.

1. A worker takes the next raw unit of a split (one at a time per split) and its number.
2. It decodes the unit and runs the pure pieces behind the source, with no lock.
3. It puts the result back; whoever completes the next number in order delivers it, and all that follow it, under the
   stage's lock: watermark steps are judged there, so neither batch size nor the number of workers changes an answer.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fluxcore.core.ports import Signal
from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS, SystemClock
from fluxcore.errors import Cancelled
from fluxcore.limits import BATCH_ROWS, BLOCKS_IN_FLIGHT_PER_WORKER, IDLE_POLL_S
from fluxcore.runtime.gate import Gate
from fluxcore.runtime.nodes import MapNode, Outlet, Receiver, errors_of
from fluxcore.runtime.ticker import Ticker
from fluxcore.runtime.waits import WAITS
from fluxcore.runtime.watermarks import CURRENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.batch import Batch
    from fluxcore.core.ports import Source, Split, SplitReader
    from fluxcore.core.time import Clock
    from fluxcore.runtime.alignment import Alignment
    from fluxcore.runtime.memory import MemoryBudget
    from fluxcore.runtime.metrics import NodeMetrics
    from fluxcore.runtime.nodes import OperatorNode


@dataclass(slots=True)
class _Work:
    """Rows that are ready to be delivered: a receiver, its input number, and the prepared value."""

    receiver: Receiver
    source: int
    prepared: Any


@dataclass
class _Split:
    """A split that is being read: what was taken, what is decoded and waits for its turn."""

    number: int
    split: Split
    reader: SplitReader | None = None
    taken: int = 0
    delivered: int = 0
    ended: bool = False
    closed: bool = False
    delivering: bool = False
    last_rows_at: float = 0.0
    idle: bool = False
    ready: dict[int, list[list[_Work]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class SourceStage:
    """A source, its worker threads, and the pieces of the chain right behind it.

    ``first`` are the stages that are read to their end before this one starts.
    A split without rows for ``idle_timeout_s`` by the clock is not waited for until it has rows again. With ``in_order`` one
    block of a split is worked on after the other; with an ``alignment`` splits that are too far ahead wait. When ``limit`` rows
    were read, or none of the ``takers`` (if there are any) wants more, nothing more is taken: the splits end as if they had no more
    rows.
    """

    def __init__(
        self, name: str, source: Source, workers: int, metrics: NodeMetrics, clock: Clock | None = None
    ) -> None:
        self.name = name
        self.source = source
        self.workers = workers
        self.metrics = metrics
        self.out = Outlet()
        self.idle_timeout_s: float | None = None
        self.first: list[SourceStage] = []
        self.memory: MemoryBudget | None = None
        self.ended = threading.Event()
        self.in_order = False
        self.limit: int | None = None
        self.takers: tuple[OperatorNode, ...] = ()
        self.alignment: Alignment | None = None
        self._cancelled = threading.Event()
        self._held = False
        self._splits: list[_Split] = []
        self._changed = threading.Condition()
        self._progress = 0
        self._deliver_lock = threading.Lock()
        self._gates: dict[tuple[Receiver, int], Gate] = {}
        self._open_splits = 0
        self._next_unopened = 0
        self._turn = 0
        self._finished = False
        self._clock = clock or SystemClock()
        self._ticker: Ticker | None = None

    def start(self) -> list[Callable[[], None]]:
        """Find the splits and return the functions that the job's threads run."""
        self._splits = [_Split(number, split) for number, split in enumerate(self.source.splits())]
        self._open_splits = len(self._splits)
        self._gates = {key: Gate(len(self._splits)) for key in self._boundaries(self.out)}
        if self.alignment is not None and self._splits:
            self.alignment.group.add_waker(self._wake)
            self.alignment.group.set(self, MIN_TIME_MS)  # holds the others until a split is read
        if not self._splits:
            return [self._finish]
        work: list[Callable[[], None]] = [self._work] * self.workers
        if not self.out.ticks():
            return work
        self._ticker = Ticker(self._clock, self._tick)
        self._ticker.wake_at(self.out.next_tick())
        self.out.wake_by(self._ticker.wake)
        return [*work, self._ticker.run]

    def cancel(self) -> None:
        """Stop all workers."""
        self._cancelled.set()
        if self._ticker is not None:
            self._ticker.stop()
        self.ended.set()
        with self._changed:
            self._notify()

    def hold(self, held: bool) -> None:
        """Take nothing more while ``held``, from when this returns; what was taken is still delivered."""
        self._held = held
        for state in self._splits:
            with state.lock:  # who took a unit meanwhile has it now
                pass
        self._wake()

    def close(self) -> None:
        """Close readers that are still open; called when all workers have ended."""
        for state in self._splits:
            if state.reader is not None and not state.closed:
                state.closed = True
                state.reader.close()

    def _boundaries(self, outlet: Outlet) -> list[tuple[Receiver, int]]:
        found: list[tuple[Receiver, int]] = []
        for receiver, number in outlet.targets:
            found += self._boundaries(receiver.out) if isinstance(receiver, MapNode) else [(receiver, number)]
        return found

    def _work(self) -> None:
        for stage in self.first:
            stage.ended.wait()
        while not self._cancelled.is_set():
            step = self._next()
            if step is None:
                return
            state, number, unit = step
            self._complete(state, number, self._decode(state, unit))
        raise Cancelled

    def _next(self) -> tuple[_Split, int, Any] | None:
        """Return a split, a number and the raw unit of that number; None when every split was read to its end."""
        while not self._cancelled.is_set():
            tight = self._one_by_one or (self.memory is not None and self.memory.tight)
            limit = 1 if tight else BLOCKS_IN_FLIGHT_PER_WORKER * self.workers
            with self._changed:
                states = self._active()
                if not states:
                    return None
                self._turn += 1
                turn, progress = self._turn, self._progress
            self._wake_group()
            waiting = False
            busy: _Split | None = None
            for index in range(len(states)):
                state = states[(turn + index) % len(states)]
                if state.taken - state.delivered >= limit or self._must_wait(state):
                    waiting = True
                    continue
                if not state.lock.acquire(blocking=False):
                    busy = busy or state
                    continue
                taken = self._take_and_release(state)
                if taken is not None:
                    return taken
                waiting = waiting or state.ended
            if busy is not None:
                if busy.lock.acquire(timeout=0.1):
                    taken = self._take_and_release(busy)
                    if taken is not None:
                        return taken
                elif busy.reader is not None:  # another worker waits for its rows
                    self._check_idle(busy)
                continue
            self._pause(waiting, progress)
        raise Cancelled

    def _pause(self, waiting: bool, progress: int) -> None:
        """Wait until a unit was delivered since ``progress`` was read, or for a moment when a split had nothing now."""
        with self._changed:
            start = time.perf_counter()
            held = waiting and any(state.delivering for state in self._splits)
            if not waiting:
                self._changed.wait(IDLE_POLL_S)
            elif self._progress == progress:
                self._changed.wait(0.1)
            seconds = time.perf_counter() - start
            if held:  # another worker hands rows on and is not done with it
                self.metrics.backpressured_s += seconds
            else:
                self.metrics.idle_s += seconds

    def _notify(self) -> None:
        self._progress += 1
        self._changed.notify_all()

    def _active(self) -> list[_Split]:
        """Return the splits being read, after opening as many as there are workers (all, when unbounded)."""
        active = [state for state in self._splits[: self._next_unopened] if not state.ended]
        room = self.workers if self.source.bounded else len(self._splits)
        while len(active) < room and self._next_unopened < len(self._splits):
            active.append(self._splits[self._next_unopened])
            self._next_unopened += 1
            if self.alignment is not None:
                self.alignment.group.set((self, active[-1].number), MIN_TIME_MS)
        if self.alignment is not None and (active or self._next_unopened == len(self._splits)):
            self.alignment.group.leave(self)
        return active

    def _wake_group(self) -> None:
        if self.alignment is not None:
            self.alignment.group.wake()

    def _wake(self) -> None:
        with self._changed:
            self._notify()

    @property
    def _one_by_one(self) -> bool:
        """Return whether one block of a split is worked on after the other, because something follows its rows."""
        return self.in_order or self.alignment is not None

    def _must_wait(self, state: _Split) -> bool:
        """Return whether a split is held, or ahead of its group; it is not idle then, because nobody asks it for rows."""
        alignment = self.alignment
        ahead = alignment is not None and alignment.group.is_ahead(self._mark(state), alignment.drift_ms)
        if not ahead and not self._held:
            return False
        state.last_rows_at = self._clock.monotonic_s()
        return True

    def _mark(self, state: _Split) -> int:
        return max((gate.mark(state.number) for gate in self._gates.values()), default=MIN_TIME_MS)

    def _take_and_release(self, state: _Split) -> tuple[_Split, int, Any] | None:
        try:
            return self._take(state)
        finally:
            state.lock.release()

    def _take(self, state: _Split) -> tuple[_Split, int, Any] | None:
        if state.ended or self._held or (self._one_by_one and state.taken > state.delivered):
            return None
        with errors_of(self.name):
            unit = Signal.END if self._has_enough() else self._take_unit(state)
        if unit is Signal.NOTHING_NOW:
            self._check_idle(state)
            return None
        number = state.taken
        state.taken += 1
        if unit is Signal.END:
            state.ended = True
            self._complete(state, number, None)
            return None
        state.last_rows_at = self._clock.monotonic_s()
        return state, number, unit

    def _has_enough(self) -> bool:
        if self.limit is not None and self.metrics.rows_out >= self.limit:
            return True
        return bool(self.takers) and all(taker.operator.satisfied for taker in self.takers)

    def _take_unit(self, state: _Split) -> Any:
        if state.reader is None:
            state.last_rows_at = self._clock.monotonic_s()
            state.reader = state.split.open()
        return state.reader.take()

    def _decode(self, state: _Split, unit: Any) -> list[list[_Work]]:
        """Return the work of a unit, one list for each slice of its rows."""
        assert state.reader is not None
        start = time.perf_counter()
        with errors_of(self.name):
            batch = state.reader.decode(unit)
        seconds = time.perf_counter() - start
        with self._changed:
            self.metrics.busy_s += seconds
            self.metrics.batches_in += 1
            self.metrics.rows_out += batch.rows
            self.metrics.bytes_out.total += batch.nbytes
        CURRENT.split = (id(self), state.number)
        slices: list[list[_Work]] = []
        for first in range(0, batch.rows, BATCH_ROWS):
            work: list[_Work] = []
            self._run(self.out, batch.slice(first, BATCH_ROWS), work)
            slices.append(work)
        return slices

    def _run(self, outlet: Outlet, batch: Batch, work: list[_Work]) -> None:
        for receiver, number in outlet.targets:
            if isinstance(receiver, MapNode):
                result = receiver.apply(batch)
                if result.rows or result.steps is not None:
                    self._run(receiver.out, result, work)
            else:
                work.append(_Work(receiver, number, receiver.prepare(batch)))

    def _complete(self, state: _Split, number: int, slices: list[list[_Work]] | None) -> None:
        """Put a finished unit back and deliver what is next in order, unless another worker does already."""
        with self._changed:
            state.ready[number] = slices if slices is not None else [[]]
            if state.delivering:
                return
            state.delivering = True
        while True:
            with self._changed:
                ready = state.ready.pop(state.delivered, None)
                if ready is None:
                    state.delivering = False
                    return
            with self._deliver_lock:
                self._catch_up()
                for work in ready:
                    self._deliver(state, work)
                self._note_tick()
                last = state.ended and state.delivered + 1 == state.taken
                if last:
                    self._end_split(state)
            with self._changed:
                state.delivered += 1
                self._notify()

    def _deliver(self, state: _Split, work: list[_Work]) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        waited = WAITS.seconds
        if state.idle:
            self._set_active(state)
        for each in work:
            gate = self._gates[each.receiver, each.source]
            parts = each.receiver.parts(each.prepared)
            steps = [gate.steps(state.number, part.steps) for part in parts]
            last = next((part.steps.last for part in parts if part.steps is not None), None)
            each.receiver.push_prepared(each.source, each.prepared, steps)
            if last is not None:
                gate.raise_to(state.number, last)
                self.metrics.watermark_ms = gate.combined
        with self._changed:
            self.metrics.backpressured_s += WAITS.seconds - waited
        if self.alignment is not None and not state.idle:
            self.alignment.group.set((self, state.number), self._mark(state))
            self._wake_group()

    def _end_split(self, state: _Split) -> None:
        """End one split: it leaves the minimum of the watermarks; the last one ends the stage."""
        if state.reader is not None and not state.closed:
            state.closed = True
            state.reader.close()
        self._open_splits -= 1
        for (receiver, number), gate in self._gates.items():
            before = gate.combined
            after = gate.end(state.number)
            if before < after < MAX_TIME_MS:
                receiver.watermark(number, after)
        if self.alignment is not None:
            if self._next_unopened < len(self._splits):
                self.alignment.group.set(self, MIN_TIME_MS)  # until the next one is read
            self.alignment.group.leave((self, state.number))
            self._wake_group()
        if self._open_splits == 0:
            self._finish()
        else:
            self._pass_idleness_on()

    def _finish(self) -> None:
        self._finished = True
        if self._ticker is not None:
            self._ticker.stop()
        self.out.watermark(MAX_TIME_MS)
        self.out.end()
        self.ended.set()

    def _tick(self) -> None:
        """Let time pass in the pieces behind the source; called by the ticker."""
        with self._deliver_lock:
            if not self._finished:
                self._catch_up()
                self._note_tick()

    def _catch_up(self) -> None:
        if self._ticker is None:
            return
        due, now = self.out.next_tick(), self._clock.now_ms()
        if due is not None and due <= now:
            self.out.tick(now)

    def _note_tick(self) -> None:
        if self._ticker is not None:
            self._ticker.wake_at(self.out.next_tick())

    def _check_idle(self, state: _Split) -> None:
        if self.idle_timeout_s is None or state.idle:
            return
        if self._clock.monotonic_s() - state.last_rows_at < self.idle_timeout_s:
            return
        with self._deliver_lock:
            if state.delivered < state.taken:
                return  # rows are on their way
            state.idle = True
            for (receiver, number), gate in self._gates.items():
                before = gate.combined
                after = gate.set_idle(state.number)
                if after > before:
                    receiver.watermark(number, after)
            if self.alignment is not None:
                self.alignment.group.leave((self, state.number))
                self._wake_group()
            self._pass_idleness_on()

    def _pass_idleness_on(self) -> None:
        """Tell those behind when none of the splits is to be waited for; called with the lock of deliveries."""
        for (receiver, number), gate in self._gates.items():
            if gate.is_idle:
                receiver.idle(number)

    def _set_active(self, state: _Split) -> None:
        """Let an idle split count again, before its rows are handed on; those behind learn of it by a watermark."""
        state.idle = False
        for (receiver, number), gate in self._gates.items():
            was_idle = gate.is_idle
            gate.set_active(state.number)
            if was_idle:
                receiver.watermark(number, gate.combined)
