"""What runs a keyed function row by row: its keys and their state, its timers, the rows that it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import beside, keyed
from fluxcore.core.ports import Operator
from fluxcore.core.process import moment, outputs_of, states_of
from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS
from fluxcore.core.types import BIGINT
from fluxcore.errors import FluxError
from fluxcore.operators.process.given import Given, copied, told
from fluxcore.operators.process.timers import Timers
from fluxcore.operators.rows import watermark_state, watermarks_before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fluxcore.core.batch import Batch, Int64s
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.process import KeyedFunction
    from fluxcore.core.types import DataType

_SWEPT_MIN = 64
"""Keys at which each batch, besides as many as it has rows, and each watermark look for values out of their lifetime."""

_VALUE_BYTES = 64
"""What a Python value is taken to cost where memory is reported."""


class KeyedOperator(Operator):
    """The base of operators that hand append-only rows to a keyed function; it is the function's task.

    Timers in event time are called between rows, as the watermark before each row says: batches don't matter.
    Cost: a Python call a row, and the conversion of each row to a dict and back.
    """

    def __init__(self, function: KeyedFunction, keys: Sequence[DataType], output: pa.Schema) -> None:
        self._function = function = copied(function)
        self._key_types = list(keys)
        function.task = self
        self._states = states_of(function)
        self.values: dict[str, list[Any]] = {name: [] for name in self._states}
        self._aging = [each for each in self._states.values() if each.lifetime is not None]
        self.touched: dict[str, list[int]] = {each.name: [] for each in self._aging}
        self.spread: dict[str, dict[Any, Any]] = {}
        self.spreading = False
        self._swept = 0
        self._now: int | None = None
        self.slot = -1
        self.watermark = self.event_time = self.first_watermark = MIN_TIME_MS
        self._timers, self._clock_timers = Timers(), Timers()
        self._cleared: set[int] = set()
        name = type(function).__name__
        self._given = Given(name, output)
        self._sides = {tag: Given(f"{name}.{tag}", each.schema) for tag, each in outputs_of(function).items()}
        self._source = 0

    def open(self, context: OperatorContext) -> None:
        """Make the table of keys and open the function."""
        super().open(context)
        self._keys = context.state.table("keys", self._key_types or [BIGINT.with_nullable(False)], {"seen": "u1"})
        self._call(self._function.open, None)

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Call the timers that are due."""
        self._source = 0
        self._fire(max(self.watermark, watermark))
        if self._aging and watermark < MAX_TIME_MS:
            self._sweep(_SWEPT_MIN)
        return self._results(None)

    @property
    def next_tick(self) -> int | None:
        """Return the time of the next timer by the clock."""
        return self._clock_timers.next

    def tick(self, now: int) -> Sequence[Batch]:
        """Call the timers by the clock that are due; one that is set by them waits for the next tick."""
        self._source = 0
        self._now = now if now < MAX_TIME_MS else None
        for slot, time in self._clock_timers.due(now):
            if self._clock_timers.delete(slot, time):
                self.slot = slot
                self._gather(self._function.on_processing_timer, moment(time))
        return self._results(None)

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
        if not self._key_types:
            return ()
        return tuple(column[0].as_py() for column in self._keys.key_columns(np.array([self.slot])))

    def set_timer(self, time: int, *, clock: bool = False) -> None:
        """Ask for a call at an event time, or a time of the clock (ms), for the current key."""
        (self._clock_timers if clock else self._timers).add(self.slot, time)

    def delete_timer(self, time: int, *, clock: bool = False) -> None:
        """Take a timer back."""
        (self._clock_timers if clock else self._timers).delete(self.slot, time)

    def give(self, output: str, row: dict[str, Any]) -> None:
        """Give a row to a side output."""
        self._sides[output].add(row, self._source)

    def clear(self) -> None:
        """Forget what is kept for the current key."""
        for values in self.values.values():
            values[self.slot] = None
        self._cleared.add(self.slot)

    @property
    def state_rows(self) -> int:
        """Return the number of keys and timers."""
        return self._keys.count + len(self._timers) + len(self._clock_timers)

    @property
    def state_bytes(self) -> int:
        """Return about how many bytes are kept."""
        timers = len(self._timers) + len(self._clock_timers)
        return self._keys.nbytes + _VALUE_BYTES * (self._keys.count * len(self.values) + timers)

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the keys with their values, the timers by the places of their keys, and the watermark."""
        slots = self._keys.live_slots()
        columns = [
            as_arrow([values[slot] for slot in slots], self._states[name].type) for name, values in self.values.items()
        ]
        for times in self.touched.values():
            touched = [self.first_watermark if times[slot] == MIN_TIME_MS else times[slot] for slot in slots]
            columns.append(pa.array(touched, pa.int64()))
        names = [*self.values, *(f"{name}.touched" for name in self.touched)]
        rows = [*columns, pa.array(np.arange(len(slots)))]
        return {
            "keys": keyed(self._keys.freeze(), range(len(self._key_types))),
            "values": beside(pa.RecordBatch.from_arrays(rows, [*names, ".place"]), len(names), "keys"),
            "timers": self._timers.freeze(slots),
            "clock_timers": self._clock_timers.freeze(slots),
            "watermark": watermark_state(self.watermark),
        }

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self.watermark = self.event_time = frozen["watermark"].column(0)[0].as_py()
        slots = self._keys.restore(frozen["keys"])
        self._room(slots)
        for name in self.values:
            for slot, each in zip(slots.tolist(), as_python(frozen["values"].column(name)), strict=True):
                self.values[name][slot] = each
        for name, times in self.touched.items():
            for slot, each in zip(slots.tolist(), frozen["values"].column(f"{name}.touched").to_pylist(), strict=True):
                times[slot] = each
        self.first_watermark = self.watermark
        self._timers.restore(frozen["timers"], slots)
        self._clock_timers.restore(frozen["clock_timers"], slots)

    def _hand_over(self, method: Callable[[dict[str, Any]], Any], batch: Batch, keys: Sequence[int]) -> Sequence[Batch]:
        """Hand the rows of a batch to a method of the function, one by one; return the rows that it gives."""
        assert batch.weights is None, "a process function takes rows that are never updated"
        if not batch.rows:
            return ()
        slots = self._upsert([batch.column(index) for index in keys], batch.rows).tolist()
        before = watermarks_before(batch, self.watermark).tolist()
        for number, (row, slot) in enumerate(zip(batch.data.to_pylist(), slots, strict=True)):
            self._source = number - 1
            self._fire(before[number])
            self.slot, self._source = slot, number
            self._gather(method, row)
        if self._aging:
            self._sweep(_SWEPT_MIN + batch.rows)
        return self._results(batch)

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

    def _fire(self, watermark: int) -> None:
        """Call the timers up to a watermark by time; those that they set may be among them."""
        self.watermark = watermark
        if self.first_watermark == MIN_TIME_MS:
            self.first_watermark = watermark
        while (due := self._timers.pop(watermark)) is not None:
            self.slot, self.event_time = due
            self._gather(self._function.on_timer, moment(self.event_time))
        self.event_time = watermark

    def _call(self, method: Callable[..., Any], argument: Any) -> Any:
        """Call the user's method; what it raises names its line and what it was given."""
        try:
            return method() if argument is None else method(argument)
        except FluxError:
            raise
        except Exception as error:
            raise told(error, self._name_of(method), repr(argument)) from error

    def _gather(self, method: Callable[[Any], Iterable[dict[str, Any]] | None], argument: Any) -> None:
        """Call a method and keep the rows that it gives."""
        found = self._call(method, argument)
        if found is None:
            return
        given = self._given
        try:
            given.rows.extend(found)
        except FluxError:
            raise
        except Exception as error:
            raise told(error, self._name_of(method), repr(argument)) from error
        given.sources.extend([self._source] * (len(given.rows) - len(given.sources)))

    def _name_of(self, method: Callable[..., Any]) -> str:
        return f"{type(self._function).__name__}.{method.__name__}"

    def _results(self, batch: Batch | None) -> Sequence[Batch]:
        """Return the rows given since the last call, with the steps of the batch that they came with; forget cleared keys."""
        self._now = None
        self._forget()
        for tag, given in self._sides.items():
            for each in _stepped(given, batch):
                self.context.side(tag, each)
        return _stepped(self._given, batch)

    def _forget(self) -> None:
        """Remove keys that were cleared, and got neither a value nor a timer since."""
        if not self._cleared:
            return
        gone = [
            slot
            for slot in sorted(self._cleared)
            if not self._timers.has(slot)
            and not self._clock_timers.has(slot)
            and all(values[slot] is None for values in self.values.values())
        ]
        self._keys.delete(np.array(gone, np.int64))
        self._cleared.clear()

    def _sweep(self, slots: int) -> None:
        """Forget what is out of its lifetime at the next so many slots, and the keys that have nothing left."""
        high = len(self.touched[self._aging[0].name])
        for _ in range(min(slots, high)):
            slot = self._swept = (self._swept + 1) % high
            if sum(each.expire(self, slot) for each in self._aging):  # all of them, not up to the first
                self._cleared.add(slot)


def as_arrow(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Return Python values, dicts among them, as an array."""
    if pa.types.is_map(type_):
        values = [each if each is None else list(each.items()) for each in values]
    return pa.array(values, type_)


def as_python(array: pa.Array) -> list[Any]:
    """Return what :func:`as_arrow` was given."""
    values: list[Any] = array.to_pylist()
    if pa.types.is_map(array.type):
        return [each if each is None else dict(each) for each in values]
    return values


def _stepped(given: Given, batch: Batch | None) -> Sequence[Batch]:
    found = given.take()
    if found is None:
        return ()
    rows, sources = found
    return [rows if batch is None else rows.with_steps(batch.steps_for(sources))]
