"""Runs a keyed function written in Python, row by row."""

from __future__ import annotations

import copy
import heapq
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.frozen import beside, keyed
from fluxcore.core.ports import Operator
from fluxcore.core.process import moment, states_of
from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS
from fluxcore.core.types import BIGINT
from fluxcore.errors import DataError, FluxError
from fluxcore.operators.rows import number_state, watermark_state, watermarks_before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fluxcore.core.batch import Int64s
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.process import ProcessFunction
    from fluxcore.core.types import DataType

_SWEPT_MIN = 64
"""Keys at which each batch, besides as many as it has rows, and each watermark look for values out of their lifetime."""

_VALUE_BYTES = 64
"""What a Python value is taken to cost where memory is reported."""


@dataclass(frozen=True)
class ProcessOptions:
    """``types`` of the input's columns, the positions of the keys, and the schema of the rows that the function gives."""

    function: ProcessFunction
    types: tuple[DataType, ...]
    keys: tuple[int, ...]
    output: pa.Schema


class ProcessOperator(Operator):
    """Takes append-only rows. Timers are called between rows, as the watermark before each row says: batches don't matter.

    Cost: a Python call a row, and the conversion of each row to a dict and back.
    """

    def __init__(self, options: ProcessOptions) -> None:
        self._options = options
        self._function = copy.deepcopy(options.function)
        self._function.task = self
        self._states = states_of(self._function)
        self.values: dict[str, list[Any]] = {name: [] for name in self._states}
        self._aging = [each for each in self._states.values() if each.lifetime is not None]
        self.touched: dict[str, list[int]] = {each.name: [] for each in self._aging}
        self._swept = 0
        self._now: int | None = None
        self.slot = -1
        self.watermark = self.event_time = self.first_watermark = MIN_TIME_MS
        self._timers: list[tuple[int, int, int]] = []
        self._asked: dict[tuple[int, int], int] = {}
        self._timer_count: dict[int, int] = {}
        self._next_timer = 0
        self._cleared: set[int] = set()
        self._out: list[dict[str, Any]] = []
        self._sources: list[int] = []

    def open(self, context: OperatorContext) -> None:
        """Make the table of keys and open the function."""
        super().open(context)
        keys = [self._options.types[index] for index in self._options.keys] or [BIGINT.with_nullable(False)]
        self._keys = context.state.table("keys", keys, {"seen": "u1"})
        self._call(self._function.open, None)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Hand the rows to the function, one by one."""
        assert batch.weights is None, "a process function takes rows that are never updated"
        if not batch.rows:
            return ()
        slots = self._upsert([batch.column(index) for index in self._options.keys], batch.rows).tolist()
        before = watermarks_before(batch, self.watermark).tolist()
        for number, (row, slot) in enumerate(zip(batch.data.to_pylist(), slots, strict=True)):
            self._fire(before[number], number - 1)
            self.slot = slot
            self._gather(self._call(self._function.process, row), number, row)
        if self._aging:
            self._sweep(_SWEPT_MIN + batch.rows)
        result = self._given()
        return [result[0].with_steps(batch.steps_for(result[1]))] if result else ()

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Call the timers that are due."""
        self._fire(max(self.watermark, watermark), 0)
        if self._aging and watermark < MAX_TIME_MS:
            self._sweep(_SWEPT_MIN)
        result = self._given()
        return [result[0]] if result else ()

    def close(self) -> None:
        """Close the function."""
        self._function.close()

    def now_ms(self) -> int:
        """Return the time of the clock (ms), the same for a whole batch."""
        if self._now is None:
            self._now = self.context.clock.now_ms()
        return self._now

    def key(self) -> tuple[Any, ...]:
        """Return the current key."""
        if not self._options.keys:
            return ()
        return tuple(column[0].as_py() for column in self._keys.key_columns(np.array([self.slot])))

    def set_timer(self, time: int) -> None:
        """Ask for a call at an event time (ms) for the current key."""
        if (self.slot, time) in self._asked:
            return
        self._add_timer(self.slot, time)

    def delete_timer(self, time: int) -> None:
        """Take a timer back; its entry in the heap is passed over when it comes up."""
        if self._asked.pop((self.slot, time), None) is not None:
            self._timer_count[self.slot] -= 1

    def clear(self) -> None:
        """Forget what is kept for the current key."""
        for values in self.values.values():
            values[self.slot] = None
        self._cleared.add(self.slot)

    @property
    def state_rows(self) -> int:
        """Return the number of keys and timers."""
        return self._keys.count + len(self._asked)

    @property
    def state_bytes(self) -> int:
        """Return about how many bytes are kept."""
        return self._keys.nbytes + _VALUE_BYTES * (self._keys.count * len(self.values) + len(self._asked))

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the keys with their values, the timers by the places of their keys, and the watermark."""
        slots = self._keys.live_slots()
        columns = [self._arrow(name, [values[slot] for slot in slots]) for name, values in self.values.items()]
        for times in self.touched.values():
            touched = [self.first_watermark if times[slot] == MIN_TIME_MS else times[slot] for slot in slots]
            columns.append(pa.array(touched, pa.int64()))
        names = [*self.values, *(f"{name}.touched" for name in self.touched)]
        timers = sorted((number, slot, time) for (slot, time), number in self._asked.items())
        places = np.searchsorted(slots, [slot for _, slot, _ in timers])
        times = pa.array([time for *_, time in timers], pa.int64())
        asked = pa.RecordBatch.from_arrays([pa.array(places, pa.int64()), times], ["place", "time"])
        rows = [*columns, pa.array(np.arange(len(slots)))]
        return {
            "keys": keyed(self._keys.freeze(), range(len(self._options.keys))),
            "values": beside(pa.RecordBatch.from_arrays(rows, [*names, ".place"]), len(names), "keys"),
            "timers": beside(asked, 0, "keys"),
            "watermark": watermark_state(self.watermark),
            "count": number_state(self._next_timer),
        }

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self.watermark = self.event_time = frozen["watermark"].column(0)[0].as_py()
        self._next_timer = frozen["count"].column(0)[0].as_py()
        slots = self._keys.restore(frozen["keys"])
        self._room(slots)
        for name in self.values:
            column = frozen["values"].column(name)
            for slot, each in zip(slots.tolist(), column.to_pylist(), strict=True):
                self.values[name][slot] = dict(each) if pa.types.is_map(column.type) and each is not None else each
        for name, times in self.touched.items():
            for slot, each in zip(slots.tolist(), frozen["values"].column(f"{name}.touched").to_pylist(), strict=True):
                times[slot] = each
        self.first_watermark = self.watermark
        for place, time in zip(*(column.to_pylist() for column in frozen["timers"].columns), strict=True):
            self._add_timer(int(slots[place]), time)

    def _upsert(self, keys: list[pa.Array], rows: int) -> Int64s:
        slots: Int64s = self._keys.upsert(keys or [np.zeros(rows, np.int64)])
        self._room(slots)
        return slots

    def _room(self, slots: Int64s) -> None:
        high = int(slots.max()) + 1 if len(slots) else 0
        for values in self.values.values():
            values.extend([None] * (high - len(values)))
        for times in self.touched.values():
            times.extend([MIN_TIME_MS] * (high - len(times)))

    def _add_timer(self, slot: int, time: int) -> None:
        self._asked[slot, time] = self._next_timer
        self._timer_count[slot] = self._timer_count.get(slot, 0) + 1
        heapq.heappush(self._timers, (time, self._next_timer, slot))
        self._next_timer += 1

    def _fire(self, watermark: int, source: int) -> None:
        """Call the timers up to a watermark by time; those that they set may be among them."""
        self.watermark = watermark
        if self.first_watermark == MIN_TIME_MS:
            self.first_watermark = watermark
        while self._timers and self._timers[0][0] <= watermark:
            time, number, slot = heapq.heappop(self._timers)
            if self._asked.get((slot, time)) != number:
                continue
            del self._asked[slot, time]
            self._timer_count[slot] -= 1
            self.slot, self.event_time = slot, time
            self._gather(self._call(self._function.on_timer, moment(time)), source, None)
        self.event_time = watermark

    def _call(self, method: Callable[..., Any], argument: Any) -> Any:
        """Call the user's method; what it raises names its line and what it was given."""
        try:
            return method() if argument is None else method(argument)
        except FluxError:
            raise
        except Exception as error:
            raise self._told(error, method.__name__, argument) from error

    def _gather(self, found: Iterable[dict[str, Any]] | None, source: int, row: dict[str, Any] | None) -> None:
        if found is None:
            return
        before = len(self._out)
        try:
            self._out.extend(found)
        except FluxError:
            raise
        except Exception as error:
            raise self._told(error, "process" if row is not None else "on_timer", row) from error
        self._sources.extend([source] * (len(self._out) - before))

    def _told(self, error: Exception, method: str, argument: Any) -> DataError:
        places = [each for each in traceback.extract_tb(error.__traceback__) if each.filename != __file__]
        where = f", line {places[-1].lineno} of {places[-1].filename}" if places else ""
        name = f"{type(self._function).__name__}.{method}{where}"
        return DataError("FX-RUN-0210", f"{type(error).__name__}: {error}", hint=f"in {name}, given {argument!r}")

    def _given(self) -> tuple[Batch, Int64s] | None:
        """Return the rows given since the last call and the input rows that they came with; forget cleared keys."""
        out, sources = self._out, np.array(self._sources, np.int64)
        self._out, self._sources, self._now = [], [], None
        self._forget()
        if not out:
            return None
        names = set(self._options.output.names)
        try:
            strange = next((name for row in out for name in row if name not in names), None)
            if strange is not None:
                raise TypeError(f"there is no column '{strange}'")
            return Batch(pa.RecordBatch.from_pylist(out, schema=self._options.output)), sources
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, AttributeError) as error:
            name, schema = type(self._function).__name__, ", ".join(map(str, self._options.output))
            message = f"{name} gave a row that does not fit its schema: {error}"
            raise DataError("FX-RUN-0211", message, hint=f"the schema: {schema}") from error

    def _forget(self) -> None:
        """Remove keys that were cleared, and got neither a value nor a timer since."""
        if not self._cleared:
            return
        gone = [
            slot
            for slot in sorted(self._cleared)
            if not self._timer_count.get(slot) and all(values[slot] is None for values in self.values.values())
        ]
        for slot in gone:
            self._timer_count.pop(slot, None)
        self._keys.delete(np.array(gone, np.int64))
        self._cleared.clear()

    def _sweep(self, slots: int) -> None:
        """Forget what is out of its lifetime at the next so many slots, and the keys that have nothing left."""
        high = len(self.touched[self._aging[0].name])
        for _ in range(min(slots, high)):
            slot = self._swept = (self._swept + 1) % high
            if sum(each.expire(self, slot) for each in self._aging):  # all of them, not up to the first
                self._cleared.add(slot)

    def _arrow(self, name: str, values: list[Any]) -> pa.Array:
        type_ = self._states[name].type
        if pa.types.is_map(type_):
            values = [each if each is None else list(each.items()) for each in values]
        return pa.array(values, type_)
