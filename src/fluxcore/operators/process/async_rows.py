"""Calls an ``async`` function for each row, many at a time, on an event loop in a thread of its own.

1. A row gets a place in a queue and a call on the loop; watermarks get places between the rows.
2. While as many rows as the capacity wait, the operator takes no more: so it holds its source back.
3. Answered rows leave the queue in order or, unordered, as they are; a watermark leaves when all rows before it have.
4. A call that is not answered in time is cancelled. Time is the clock port's.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.frozen import keyed
from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.errors import Cancelled, DataError, FluxError
from fluxcore.limits import JOIN_TIMEOUT_S
from fluxcore.operators.process.given import Given, told
from fluxcore.operators.rows import empty_rows, watermark_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fluxcore.core.async_call import AsyncCall
    from fluxcore.core.ports import OperatorContext


@dataclass(frozen=True)
class AsyncOptions:
    """The call, the schema of the rows that come in, and of those that go out."""

    call: AsyncCall
    input: pa.Schema
    output: pa.Schema


@dataclass(slots=True, eq=False)
class _Row:
    """A row in the queue: where it came from, until when (ms) it may take, and its answer."""

    data: pa.RecordBatch
    number: int
    values: dict[str, Any]
    deadline: int
    done: bool = False
    answer: Any = None
    error: BaseException | None = None
    task: asyncio.Task[None] | None = None


class AsyncOperator(Operator):
    """Takes append-only rows. Its queue of rows and watermarks (int, ms) is shared with the loop, under ``_changed``."""

    def __init__(self, options: AsyncOptions) -> None:
        self._options = options
        self._call = options.call
        self._given = Given(options.call.name, options.output)
        self._queue: deque[_Row | int] = deque()
        self._rows = 0
        self._taken = self._passed = MIN_TIME_MS
        self._changed = threading.Condition()
        self._woken = self._cancelled = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, context: OperatorContext) -> None:
        """Start the event loop."""
        super().open(context)
        self._loop = asyncio.new_event_loop()
        name = f"fluxcore {self._call.name}"
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def process(self, batch: Batch, port: int = 0) -> Iterator[Batch]:  # noqa: ARG002
        """Call the function for the rows; give those that are answered meanwhile."""
        assert batch.weights is None, "a call takes rows that are never updated"
        steps = (
            []
            if batch.steps is None
            else list(zip(batch.steps.rows.tolist(), batch.steps.values.tolist(), strict=True))
        )
        for number, values in enumerate(batch.data.to_pylist()):
            while steps and steps[0][0] <= number:
                self._mark(steps.pop(0)[1])
            while self._rows >= self._call.capacity:
                self._wait()
                yield from self._ready()
            self._start(batch.data, number, values)
        for _, value in steps:
            self._mark(value)
        yield from self._ready()

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Let the watermark wait behind the rows."""
        self._mark(watermark)
        return self._ready()

    def output_watermark(self, watermark: int) -> int:  # noqa: ARG002
        """Return the watermark that has left the queue."""
        return self._passed

    @property
    def awaits(self) -> bool:
        """Return whether answers are to come."""
        return bool(self._queue)

    @property
    def next_tick(self) -> int | None:
        """Return 0 when something may leave the queue, else when the first call has taken too long."""
        with self._changed:
            return 0 if self._can_give() else self._deadline()

    def tick(self, now: int) -> Sequence[Batch]:  # noqa: ARG002
        """Give what is answered, or took too long."""
        return self._ready()

    def finish(self) -> Iterator[Batch]:
        """Wait for the last answers."""
        while self._queue:
            self._wait()
            yield from self._ready()

    def cancel(self) -> None:
        """Wait no longer."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def close(self) -> None:
        """Stop the event loop."""
        loop = self._loop
        if loop is None:
            return
        self._loop = None
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(JOIN_TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(JOIN_TIMEOUT_S)
        loop.close()

    @property
    def state_rows(self) -> int:
        """Return the number of rows in the queue."""
        return self._rows

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the rows in the queue, which are called for anew when restored, and the watermarks between them."""
        with self._changed:
            queue = list(self._queue)
        rows = [each.data.slice(each.number, 1) for each in queue if isinstance(each, _Row)]
        places = np.cumsum([isinstance(each, _Row) for each in queue])
        marks = [(int(place), each) for place, each in zip(places, queue, strict=True) if not isinstance(each, _Row)]
        columns = [pa.array([mark[index] for mark in marks], pa.int64()) for index in range(2)]
        data = pa.concat_batches(rows) if rows else empty_rows(self._options.input)
        return {
            "rows": keyed(pa.RecordBatch.from_arrays(data.columns, schema=self._options.input), ()),
            "watermarks": keyed(pa.RecordBatch.from_arrays(columns, ["place", "watermark"]), ()),
            "taken": watermark_state(self._taken),
            "passed": watermark_state(self._passed),
        }

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._passed = frozen["passed"].column(0)[0].as_py()
        data = frozen["rows"]
        marks = list(zip(*(column.to_pylist() for column in frozen["watermarks"].columns), strict=True))
        for number, values in enumerate(data.to_pylist()):
            while marks and marks[0][0] <= number:
                self._mark(marks.pop(0)[1])
            self._start(data, number, values)
        for _, value in marks:
            self._mark(value)
        self._taken = frozen["taken"].column(0)[0].as_py()

    def _mark(self, watermark: int) -> None:
        with self._changed:
            if watermark > self._taken:
                self._taken = watermark
                self._queue.append(watermark)

    def _start(self, data: pa.RecordBatch, number: int, values: dict[str, Any]) -> None:
        row = _Row(data, number, values, self.context.clock.now_ms() + self._call.timeout_ms)
        with self._changed:
            self._queue.append(row)
            self._rows += 1
        assert self._loop is not None, "it is open"
        self._loop.call_soon_threadsafe(self._launch, row)

    def _launch(self, row: _Row) -> None:
        row.task = asyncio.get_running_loop().create_task(self._answer(row))

    async def _answer(self, row: _Row) -> None:
        """Call the function until it answers, at most as often as it may; runs on the loop."""
        call, tries = self._call, 0
        while True:
            try:
                answer = await call.function(row.values)
            except Exception as error:  # noqa: BLE001  (whatever the user's code raises is told)
                tries += 1
                if tries > call.retries:
                    self._done(row, None, error)
                    return
                await asyncio.sleep(call.retry_delay_ms / 1_000)
            else:
                self._done(row, answer, None)
                return

    def _done(self, row: _Row, answer: Any, error: BaseException | None) -> None:
        with self._changed:
            if row.done:
                return
            row.done, row.answer, row.error = True, answer, error
            wake = not self._woken and self._can_give()
            self._woken = self._woken or wake
            self._changed.notify_all()
        if wake:
            self.context.wake()

    def _can_give(self) -> bool:
        for each in self._queue:
            if not isinstance(each, _Row):
                return each is self._queue[0]
            if each.done:
                return True
            if self._call.ordered:
                return False
        return False

    def _deadline(self) -> int | None:
        return next((each.deadline for each in self._queue if isinstance(each, _Row) and not each.done), None)

    def _wait(self) -> None:
        """Wait until something may leave the queue, or a call has taken too long. Raises ``Cancelled``."""
        with self._changed:
            while not self._cancelled and not self._can_give():
                deadline = self._deadline()
                if deadline is not None and self.context.clock.now_ms() >= deadline:
                    return
                self.context.clock.wait(self._changed, deadline)
            if self._cancelled:
                raise Cancelled

    def _ready(self) -> Sequence[Batch]:
        """Return what may leave the queue, the watermarks as steps behind their rows."""
        self._expire()
        steps: list[tuple[int, int]] = []
        for each in self._leaving():
            if isinstance(each, _Row):
                self._give(each)
            else:
                self._passed = each
                steps.append((len(self._given.rows), each))
        found = self._given.take()
        if found is None and not steps:
            return ()
        batch = Batch(empty_rows(self._options.output)) if found is None else found[0]
        if not steps:
            return [batch]
        rows, values = (np.array(each, np.int64) for each in zip(*steps, strict=True))
        return [batch.with_steps(Steps(rows, values).moved(rows))]

    def _leaving(self) -> list[_Row | int]:
        """Take out of the queue what may leave it."""
        left: list[_Row | int] = []
        waiting: list[_Row | int] = []
        with self._changed:
            self._woken = False
            while self._queue:
                each = self._queue[0]
                if (waiting and not isinstance(each, _Row)) or (waiting and self._call.ordered):
                    break
                self._queue.popleft()
                (left if not isinstance(each, _Row) or each.done else waiting).append(each)
            self._queue.extendleft(reversed(waiting))
            self._rows -= sum(isinstance(each, _Row) for each in left)
        return left

    def _give(self, row: _Row) -> None:
        if isinstance(row.error, FluxError):
            raise row.error
        if row.error is not None:
            raise told(row.error, self._call.name, repr(row.values)) from row.error
        answer = row.answer
        try:
            for each in () if answer is None else (answer,) if isinstance(answer, dict) else answer:
                self._given.add(each, 0)
        except TypeError as error:
            raise told(error, self._call.name, repr(row.values)) from error

    def _expire(self) -> None:
        """Answer for the calls that took too long. Raises ``DataError`` FX-RUN-0230 where nobody does."""
        now = self.context.clock.now_ms()
        late: list[_Row] = []
        with self._changed:
            for each in self._queue:
                if isinstance(each, _Row) and not each.done:
                    if each.deadline > now:
                        break
                    each.done = True
                    late.append(each)
        for row in late:
            self.context.count("timeouts", 1)
            if self._loop is not None and row.task is not None:
                self._loop.call_soon_threadsafe(row.task.cancel)
            row.answer, row.error = self._late_answer(row)

    def _late_answer(self, row: _Row) -> tuple[Any, BaseException | None]:
        call = self._call
        if call.on_timeout is None:
            message = f"{call.name} took longer than {call.timeout_ms} ms"
            hint = f"given {row.values!r}; allow it more time, or answer for it: on_timeout=…"
            return None, DataError("FX-RUN-0230", message, hint=hint)
        try:
            return call.on_timeout(row.values), None
        except Exception as error:  # noqa: BLE001  (whatever the user's code raises is told)
            return None, error


async def _cancel_all() -> None:
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()
