"""Aggregates per key and window, with slices that windows share.

1. A row adds to its slice: state is keyed by (slice, key).
2. When the watermark reaches a window's end - 1 ms, the slices of the window are merged by key and come out; all windows
   that fire together are merged in one pass.
3. A slice is freed when its last window has fired.
A row that is late for all its windows is dropped. One that is late for some goes to a slice of its own, which counts from
the first window on that had not fired before the row: so neither batches nor threads change an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.frozen import keyed
from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.core.types import BIGINT
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.aggregates.build import Aggregates
from fluxcore.operators.local_time import local_times, local_watermark, with_local_steps
from fluxcore.operators.rows import number_state, times_ms, watermark_state, window_arrays
from fluxcore.operators.sort_words import distinct, raw_values
from fluxcore.operators.windows import slice_kernels as kernels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from fluxcore.core.partial import Partial
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType
    from fluxcore.core.zones import Zone
    from fluxcore.operators.windows.slicing import Slicing

    Int64s = NDArray[np.int64]

_FIRED_ENTRIES = 1_000_000
"""Keys in slices that are merged in one pass when many windows fire together."""


@dataclass(frozen=True)
class WindowAggregateOptions:
    """What to aggregate.

    ``types`` of the input's columns; ``time`` the position of the event time, or of the window's end when the slicing is
    attached; ``output`` the keys, the results, window_start, window_end and window_time. The start of an attached session
    is the last of ``keys``, which is not a key of the output. With a ``zone`` the windows lie in its local time. With
    ``updated`` rows are taken back too, and a window of which as many went as came gives nothing.
    """

    types: tuple[DataType, ...]
    time: int
    keys: tuple[int, ...]
    calls: tuple[AggCall, ...]
    slicing: Slicing
    output: pa.Schema
    time_name: str = "event time"
    zone: Zone | None = None
    updated: bool = False


_ROWS = AggCall(function="COUNT", type=BIGINT.with_nullable(False))


class WindowAggregateOperator(Operator):
    """Gives one row per key and window, by window end. A row that is taken back leaves the windows of its own time."""

    def __init__(self, options: WindowAggregateOptions) -> None:
        self._options = options
        calls = (*options.calls, _ROWS) if options.updated else options.calls
        shared = options.slicing.shared
        self._aggregates = Aggregates(calls, options.types, append_only=not options.updated, merged=shared)
        if options.updated:
            self._aggregates.need_retractions()
        if shared:
            self._aggregates.need_merge()
        self._scratch_aggregates = self._aggregates.scratch()
        self._slices: dict[int, _Slice] = {}
        self._numbers: dict[tuple[int, int], int] = {}
        self._next_number = 0
        self._watermark = MIN_TIME_MS
        self._arrived = 0

    def open(self, context: OperatorContext) -> None:
        """Make the table of slices and the table of keys."""
        super().open(context)
        number = BIGINT.with_nullable(False)
        keys = [self._options.types[index] for index in self._options.keys]
        columns = self._aggregates.columns()
        self._state = context.state
        self._table = context.state.table("slices", [number, *keys], {**columns, "key": "i8"})
        self._keys = context.state.table("keys", keys or [number], {"slices": "i8"})
        self._aggregates.open(context.state)
        self._scratch_aggregates.open(context.state, "merged")
        self._row_of_key = np.zeros(0, np.int64)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Add rows to their slices."""
        assert batch.weights is None or self._options.updated, (
            "rows are taken back of what was said to be never updated"
        )
        slicing = self._options.slicing
        zone = self._options.zone
        times = local_times(batch.column(self._options.time), self._options.time_name, zone)
        batch = with_local_steps(batch, zone)
        slices = slicing.slices(times)
        if not len(slices):
            return ()
        firsts = slicing.first_ends(slices)
        if slicing.has_gaps:
            inside = slicing.last_ends(slices) >= firsts
            if not inside.all():
                batch, slices, firsts = batch.filter(inside), slices[inside], firsts[inside]
                if not len(slices):
                    return ()
        highest = self._watermark if batch.steps is None else max(self._watermark, batch.steps.last)
        if int(firsts.min()) - 1 > highest:
            self._add(batch, slices, None)
        else:
            self._add_late(batch, slices, firsts)
        return ()

    def process_partial(self, partial: Partial) -> Sequence[Batch]:
        """Merge what was aggregated before, and add the rows apart one by one.

        A slice of which a window has fired already sends all rows the slow way.
        """
        states = partial.states
        if states.num_rows:
            slices = raw_values(states.column(0), "i8")
            if int(self._options.slicing.first_ends(slices).min()) - 1 <= self._watermark:
                return self.process(partial.all_rows())
            self._merge(states, slices)
        apart = partial.rows_apart()
        return self.process(apart) if apart.rows else ()

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Fire the windows that end up to the watermark."""
        watermark = local_watermark(watermark, self._options.zone)
        if watermark <= self._watermark:
            return ()
        before, self._watermark = self._watermark, watermark
        due: dict[int, list[_Slice]] = {}
        done: list[int] = []
        for number, each in self._slices.items():
            for end in each.ends:
                if before < end - 1 <= watermark:
                    due.setdefault(end, []).append(each)
            if each.ends[-1] - 1 <= watermark:
                done.append(number)
        results = self._fire(due)
        self._free(done)
        return results

    @property
    def state_rows(self) -> int:
        """Return the number of keys in open slices."""
        return self._table.count

    @property
    def state_bytes(self) -> int:
        """Return the bytes of the slices and of what their functions keep, such as different values."""
        return self._state.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the keys of open slices with what the aggregates keep, and the watermark."""
        table, slots = self._table, self._table.live_slots()
        numbers, *keys = table.key_columns(slots)
        unique, inverse = np.unique(raw_values(numbers, "i8"), return_inverse=True)
        pairs = np.array([self._slices[number].pair for number in unique.tolist()], np.int64).reshape(-1, 2)[inverse]
        columns = [pa.array(pairs[:, 0]), pa.array(pairs[:, 1]), *keys]
        names = ["slice", "from", *(f"key{index}" for index in range(len(keys)))]
        for name in self._aggregates.columns():
            columns.append(pa.array(table.columns[name][slots]))
            names.append(name)
        routed = len(keys) - self._options.slicing.starts_in_key
        return {
            "entries": keyed(pa.RecordBatch.from_arrays(columns, names), range(2, 2 + routed)),
            "watermark": watermark_state(self._watermark),
            "arrived": number_state(self._arrived),
            **self._aggregates.freeze(table.columns, slots, "entries"),
        }

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._watermark = frozen["watermark"].column(0)[0].as_py()
        self._arrived = frozen["arrived"].column(0)[0].as_py()
        entries = frozen["entries"]
        if not entries.num_rows:
            return
        slices, froms = (raw_values(column, "i8") for column in entries.columns[:2])
        slots = self._slots(slices, froms, entries.columns[2 : 2 + len(self._options.keys)])
        for name in self._aggregates.columns():
            self._table.columns[name][slots] = np.asarray(entries.column(name))
        self._aggregates.thaw(self._table.columns, slots, frozen)

    def _add_late(self, batch: Batch, slices: Int64s, firsts: Int64s) -> None:
        """Add rows of which some may be late: each to the windows that had not fired before it."""
        slicing = self._options.slicing
        before = np.full(batch.rows, self._watermark, np.int64)
        if batch.steps is not None:
            before = np.maximum(batch.steps.before_each(batch.rows, self._watermark), self._watermark)
        missed = slicing.fired(slices, before)
        late = missed > 0
        if not late.any():
            self._add(batch, slices, None)
            return
        self.context.count("late_rows", int(late.sum()))
        self.context.count("late_drops", int(missed.sum()))
        self.context.late(batch.take(np.flatnonzero(late)).with_steps(None))
        froms = np.where(late, firsts + missed * slicing.step, MIN_TIME_MS)
        alive = slicing.last_ends(slices) - 1 > before
        rows = np.flatnonzero(alive)
        if len(rows) < batch.rows:
            self.context.side("late", batch.take(np.flatnonzero(~alive)).with_steps(None))
        self._add(batch.take(rows), slices[rows], froms[rows])

    def _add(self, batch: Batch, slices: Int64s, froms: Int64s | None) -> None:
        """Add rows to their slices; ``froms`` is the first window end that a late row counts in."""
        if not batch.rows:
            return
        slots = self._slots(slices, froms, [batch.column(index) for index in self._options.keys])
        self._aggregates.update(self._table.columns, slots, batch, self._arrived)
        self._arrived += batch.rows

    def _merge(self, states: pa.RecordBatch, slices: Int64s) -> None:
        """Add what was aggregated before to its slices."""
        keys = states.columns[1 : 1 + len(self._options.keys)]
        slots = self._slots(slices, None, keys)
        columns = {field.name: np.asarray(column) for field, column in zip(states.schema, states.columns, strict=True)}
        self._aggregates.merge(self._aggregates, self._table.columns, slots, columns, np.arange(len(slots)))

    def _slots(self, slices: Int64s, froms: Int64s | None, keys: Sequence[pa.Array]) -> Int64s:
        """Return the slot of each row's slice and key."""
        numbers = self._number(slices, froms)
        slots, fresh = self._table.upsert_new([numbers, *keys])
        if len(fresh):
            self._note(slots[fresh], numbers[fresh], [key.take(pa.array(fresh)) for key in keys])
        return slots

    def _number(self, slices: Int64s, froms: Int64s | None) -> Int64s:
        """Return the number of each row's slice, making slices that are new."""
        if froms is None:
            unique, inverse = distinct(slices)
            pairs = [(each, MIN_TIME_MS) for each in unique.tolist()]
        else:
            both = np.column_stack([slices, froms])
            found, inverse = np.unique(both, axis=0, return_inverse=True)
            pairs = [(int(a), int(b)) for a, b in found]
        numbers = np.empty(len(pairs), np.int64)
        for index, pair in enumerate(pairs):
            number = self._numbers.get(pair)
            if number is None:
                number = self._next_number
                self._open_slice(number, pair)
            numbers[index] = number
        return numbers[inverse.reshape(-1)]

    def _open_slice(self, number: int, pair: tuple[int, int]) -> None:
        slice_, start = pair
        self._numbers[pair] = number
        self._next_number = max(self._next_number, number + 1)
        self._slices[number] = _Slice(pair, [end for end in self._options.slicing.ends(slice_) if end >= start])

    def _note(self, slots: Int64s, numbers: Int64s, keys: list[pa.Array]) -> None:
        """Remember new slots with the numbers of their slices and keys."""
        known = self._keys.upsert(keys or [np.zeros(len(slots), np.int64)])
        np.add.at(self._keys.columns["slices"], known, 1)
        self._table.columns["key"][slots] = known
        unique, inverse = distinct(numbers)
        order = np.argsort(inverse.astype(np.int32), kind="stable")
        bounds = np.cumsum(np.bincount(inverse))[:-1]
        for number, part in zip(unique.tolist(), np.split(slots[order], bounds), strict=True):
            self._slices[number].add(part)

    def _fire(self, due: dict[int, list[_Slice]]) -> list[Batch]:
        """Return the rows of windows by their ends; windows of one slice need no merging."""
        results: list[Batch] = []
        group: dict[int, list[_Slice]] = {}
        size = 0
        apart = self._aggregates.keeps_values and any(len(slices) > 1 for slices in due.values())
        for end in sorted(due):
            entries = sum(each.size for each in due[end])
            if group and (apart or size + entries > _FIRED_ENTRIES):
                results.append(self._fire_group(group))
                group, size = {}, 0
            group[end] = due[end]
            size += entries
        if group:
            results.append(self._fire_group(group))
        return results

    def _fire_group(self, group: dict[int, list[_Slice]]) -> Batch:
        parts = [(end, slots) for end, slices in group.items() for each in slices for slots in each.slots]
        slots = np.concatenate([part for _, part in parts])
        ends = np.repeat(np.array([end for end, _ in parts], np.int64), [len(part) for _, part in parts])
        if all(len(slices) == 1 for slices in group.values()):
            keys = self._table.key_columns(slots)[1:]
            return self._output(keys, self._aggregates.results(self._table.columns, slots), ends)
        scratch = self._scratch_aggregates
        into, firsts = self._merged_places(ends, self._table.columns["key"][slots])
        found = np.arange(len(firsts))
        columns = {name: np.zeros(len(firsts), dtype) for name, dtype in scratch.columns().items()}
        self._aggregates.merge(scratch, columns, into, self._table.columns, slots)
        keys = self._table.key_columns(slots[firsts])[1:]
        batch = self._output(keys, scratch.results(columns, found), ends[firsts])
        scratch.forget(columns, found)
        return batch

    def _merged_places(self, ends: Int64s, keys: Int64s) -> tuple[Int64s, Int64s]:
        """Return the output row of each entry, and the first entry of each output row: one for each window and key."""
        most = int(keys.max()) + 1
        if len(self._row_of_key) < most:
            self._row_of_key = np.full(2 * most, -1, np.int64)
        into, firsts = np.empty(len(keys), np.int64), np.empty(len(keys), np.int64)
        count = kernels.merge_places(ends, keys, self._row_of_key, into, firsts)
        return into, firsts[:count]

    def _free(self, done: list[int]) -> None:
        if not done:
            return
        freed = [self._slices.pop(number) for number in done]
        for each in freed:
            del self._numbers[each.pair]
        gone = np.concatenate([slots for each in freed for slots in each.slots])
        keys = self._table.columns["key"][gone]
        self._aggregates.forget(self._table.columns, gone)
        self._table.delete(gone)
        counts = self._keys.columns["slices"]
        np.subtract.at(counts, keys, 1)
        self._keys.delete(np.unique(keys[counts[keys] == 0]))

    def _output(self, keys: Sequence[pa.Array], results: Sequence[pa.Array], ends: Int64s) -> Batch:
        schema, slicing = self._options.output, self._options.slicing
        if self._options.updated:
            *results, rows = results
            there = np.flatnonzero(raw_values(rows, "i8"))
            places, ends = pa.array(there), ends[there]
            keys, results = [key.take(places) for key in keys], [result.take(places) for result in results]
        if slicing.starts_in_key:
            *keys, start = keys
            starts = times_ms(start, "window_start")
        else:
            starts = slicing.starts_of(ends)
        window = window_arrays(starts, ends, schema, self._options.zone)
        return Batch(pa.RecordBatch.from_arrays([*keys, *results, *window], schema=schema))


@dataclass(slots=True)
class _Slice:
    """A slice: its start and the first window end that it counts in, the ends of its windows, its slots and their number."""

    pair: tuple[int, int]
    ends: list[int]
    slots: list[Int64s] = field(default_factory=list)
    size: int = 0

    def add(self, slots: Int64s) -> None:
        """Add the slots of new keys."""
        self.slots.append(slots)
        self.size += len(slots)
