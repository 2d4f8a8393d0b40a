"""A trigger that a user wrote, at work: called for each row and timer, with its state by window."""

from __future__ import annotations

import copy
import heapq
import traceback
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import beside
from fluxcore.core.keyed_state import Kept
from fluxcore.core.time import MAX_TIME_MS
from fluxcore.core.triggers import Trigger, TriggerResult, moment_or_none
from fluxcore.errors import DataError, FluxError
from fluxcore.operators.windows.decisions import Decided
from fluxcore.operators.windows.open_windows import GLOBAL_LAST, visible
from fluxcore.operators.windows.triggering import Triggering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fluxcore.core.batch import Int64s
    from fluxcore.core.triggers import TriggerSpec, WindowInfo
    from fluxcore.core.zones import Zone
    from fluxcore.operators.windows.decisions import Placed
    from fluxcore.operators.windows.open_windows import Candidates, OpenWindows


class _Timers:
    """Timers by window, of one kind of time: each time of a window once, by time and then as they were set."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int]] = []
        self._set: dict[tuple[int, int], int] = {}
        self._next = 0

    def add(self, slot: int, time: int) -> None:
        if (slot, time) not in self._set:
            self._set[slot, time] = self._next
            heapq.heappush(self._heap, (time, self._next, slot))
            self._next += 1

    def remove(self, slot: int, time: int) -> None:
        self._set.pop((slot, time), None)

    def pop(self, until: int) -> tuple[int, int] | None:
        """Take out the first timer up to a time; return its window and its time."""
        first = self.first()
        if first is None or first > until:
            return None
        time, _, slot = heapq.heappop(self._heap)
        del self._set[slot, time]
        return slot, time

    def first(self) -> int | None:
        while self._heap:
            time, number, slot = self._heap[0]
            if self._set.get((slot, time)) == number:
                return time
            heapq.heappop(self._heap)
        return None

    def forget(self, slots: set[int]) -> None:
        for each in [each for each in self._set if each[0] in slots]:
            del self._set[each]

    def all(self) -> list[tuple[int, int]]:
        return [each for each, _ in sorted(self._set.items(), key=lambda item: item[1])]


class CustomTrigger(Triggering):
    """Calls a copy of the user's trigger. With a ``zone`` event times are local ones. Cost: a Python call a row and timer."""

    def __init__(
        self,
        spec: TriggerSpec,
        windows: OpenWindows,
        lateness: int,
        info: Callable[[int], WindowInfo],
        zone: Zone | None = None,
    ) -> None:
        assert spec.custom is not None
        self.zone = zone
        self._purges = spec.purges
        self._trigger = copy.deepcopy(spec.custom)
        self._trigger.task = self
        self._states = states_of(self._trigger)
        self.values: dict[str, list[Any]] = {name: [] for name in self._states}
        self.slot = -1
        self.windows = windows
        self._lateness = lateness
        self._info = info
        self._timers = (_Timers(), _Timers())

    def columns(self) -> dict[str, str]:
        """Return nothing: what the trigger keeps are Python's values."""
        return {}

    def beats(self, rows: Candidates) -> Int64s | None:
        """Return nothing: the operator stops at every step of the watermark."""
        del rows
        return None

    def on_rows(self, rows: Placed) -> Decided:
        """Call the trigger with each row."""
        if len(rows.slots):
            self._room(int(rows.slots.max()) + 1)
        kinds = np.zeros(len(rows.slots), np.int8)
        shown = visible(rows.batch.data).to_pylist()
        for number, (slot, row) in enumerate(zip(rows.slots.tolist(), shown, strict=True)):
            kinds[number] = self._call(slot, self._trigger.on_row, row)
        return Decided(kinds)

    def on_watermark(self, slots: Int64s) -> Iterator[tuple[Int64s, int]]:
        """Call the trigger with each timer up to the watermark, those that it sets meanwhile included."""
        del slots
        yield from self._due(0, self.watermark, self._trigger.on_event_time)

    def on_clock(self, slots: Int64s) -> Iterator[tuple[Int64s, int]]:
        """Call the trigger with each timer of the clock that is due.

        At the end of the input those that are set meanwhile are left out, so that there is an end.
        """
        del slots
        if self.now == MAX_TIME_MS:
            for slot, time in self._timers[1].all():
                self._timers[1].remove(slot, time)
                yield self._one(slot, time, self._trigger.on_processing_time)
        else:
            yield from self._due(1, self.now, self._trigger.on_processing_time)

    def dues(self, slots: Int64s) -> Int64s:
        """Return nothing: the timers stand outside the columns."""
        return np.full(len(slots), MAX_TIME_MS)

    def clock_dues(self, slots: Int64s) -> tuple[Int64s, Int64s]:
        """Return nothing, for the same reason."""
        return slots[:0], slots[:0]

    @property
    def next_timer(self) -> int | None:
        """Return the earliest timer of event time."""
        return self._timers[0].first()

    @property
    def next_clock_timer(self) -> int | None:
        """Return the earliest timer of the clock."""
        return self._timers[1].first()

    def join(self, into: Int64s, gone: Int64s) -> None:  # noqa: ARG002
        """Sessions have no triggers of this kind."""
        raise AssertionError("windows with a user's trigger are never joined")

    def forget(self, slots: Int64s) -> None:
        """Tell the trigger, and forget its values and timers."""
        for slot in slots.tolist():
            self.slot = slot
            self._guarded(self._trigger.clear, self._info(slot))
            for values in self.values.values():
                values[slot] = None
        gone = set(slots.tolist())
        for timers in self._timers:
            timers.forget(gone)

    def set_timer(self, time: int, *, clock: bool) -> None:
        """Ask for a call at a time (ms) for the current window."""
        self._timers[clock].add(self.slot, time)

    def delete_timer(self, time: int, *, clock: bool) -> None:
        """Take a timer back."""
        self._timers[clock].remove(self.slot, time)

    def freeze(self, slots: Int64s) -> dict[str, pa.RecordBatch]:
        """Return the values of all windows, and the timers."""
        self._room(int(slots.max()) + 1 if len(slots) else 0)
        names = list(self.values)
        kept = [
            _arrow(self._states[name].type, [values[slot] for slot in slots]) for name, values in self.values.items()
        ]
        values = pa.RecordBatch.from_arrays([pa.array(np.arange(len(slots))), *kept], ["window", *names])
        frozen = {"values": beside(values, 0, "windows")}
        for name, timers in zip(("timers", "clock timers"), self._timers, strict=True):
            found = timers.all()
            places = pa.array(np.searchsorted(slots, [slot for slot, _ in found]), pa.int64())
            times = pa.array([time for _, time in found], pa.int64())
            frozen[name] = beside(pa.RecordBatch.from_arrays([places, times], ["window", "time"]), 0, "windows")
        return frozen

    def restore(self, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take values and timers back."""
        self._room(int(slots.max()) + 1 if len(slots) else 0)
        places, *columns = frozen["values"].columns
        at = slots[np.asarray(places)].tolist()
        for name, column in zip(self.values, columns, strict=True):
            for slot, each in zip(at, column.to_pylist(), strict=True):
                self.values[name][slot] = dict(each) if pa.types.is_map(column.type) and each is not None else each
        for name, timers in zip(("timers", "clock timers"), self._timers, strict=True):
            for place, time in zip(*(column.to_pylist() for column in frozen[name].columns), strict=True):
                timers.add(int(slots[place]), time)

    def _due(self, which: int, until: int, method: Callable[..., Any]) -> Iterator[tuple[Int64s, int]]:
        while True:
            found = self._timers[which].pop(until)
            if found is None:
                return
            if which == 0 and self._is_over(*found):
                continue
            yield self._one(*found, method)

    def _is_over(self, slot: int, time: int) -> bool:
        """Return whether a window is forgotten before a time."""
        last = int(self.windows.lasts(np.array([slot]))[0])
        return last != GLOBAL_LAST and time > last + self._lateness

    def _one(self, slot: int, time: int, method: Callable[..., Any]) -> tuple[Int64s, int]:
        at = moment_or_none(time)
        assert at is not None, "timers are set as Python's times"
        return np.array([slot], np.int64), self._call(slot, method, at)

    def _call(self, slot: int, method: Callable[..., Any], argument: Any) -> int:
        self.slot = slot
        found = self._guarded(method, argument, self._info(slot))
        if found is None:
            return 0
        if not isinstance(found, TriggerResult):
            message = f"{type(self._trigger).__name__}.{method.__name__} gave {found!r}"
            raise DataError("FX-RUN-0220", message, hint="a trigger returns a fluxcore.TriggerResult or None")
        kind = int(found.value)
        return kind | 2 if self._purges and kind & 1 else kind

    def _guarded(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Call the user's method; what it raises names its line and what it was given."""
        try:
            return method(*arguments)
        except FluxError:
            raise
        except Exception as error:
            places = [each for each in traceback.extract_tb(error.__traceback__) if each.filename != __file__]
            where = f", line {places[-1].lineno} of {places[-1].filename}" if places else ""
            name = f"{type(self._trigger).__name__}.{method.__name__}{where}"
            hint = f"in {name}, given {arguments[0]!r}"
            raise DataError("FX-RUN-0210", f"{type(error).__name__}: {error}", hint=hint) from error

    def _room(self, high: int) -> None:
        for values in self.values.values():
            values.extend([None] * (high - len(values)))


def states_of(trigger: Trigger) -> dict[str, Kept]:
    """Return the states that a trigger's class and its bases declare, by name."""
    found: dict[str, Kept] = {}
    for owner in reversed(type(trigger).__mro__):
        found |= {name: each for name, each in vars(owner).items() if isinstance(each, Kept)}
    return found


def _arrow(type_: pa.DataType, values: list[Any]) -> pa.Array:
    if pa.types.is_map(type_):
        values = [each if each is None else list(each.items()) for each in values]
    return pa.array(values, type_)
