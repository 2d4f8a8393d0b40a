"""Aggregates per key and window, with slices that windows share.

1. A row adds to its slice: state is keyed by (slice, key).
2. When the watermark reaches a window's end - 1 ms, the slices of the window are merged by key and come out.
3. A slice is freed when its last window has fired.
A row that is late for all its windows is dropped; one that is late for some still counts in the others. Where that happens
inside one batch, the windows are fired in between, so that the size of batches changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.core.types import BIGINT
from fluxcore.operators.aggregates.build import Aggregates
from fluxcore.operators.rows import times_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall
    from fluxcore.operators.slicing import Slicing

    Int64s = NDArray[np.int64]


@dataclass(frozen=True)
class WindowAggregateOptions:
    """What to aggregate.

    ``types`` of the input's columns; ``time`` the position of the event time, or of the window's end when the slicing is
    attached; ``output`` the keys, the results, window_start, window_end and window_time.
    """

    types: tuple[DataType, ...]
    time: int
    keys: tuple[int, ...]
    calls: tuple[AggCall, ...]
    slicing: Slicing
    output: pa.Schema
    time_name: str = "event time"


class WindowAggregateOperator(Operator):
    """Takes append-only rows; gives one row per key and window, by window end."""

    def __init__(self, options: WindowAggregateOptions) -> None:
        self._options = options
        self._aggregates = Aggregates(options.calls, options.types)
        self._scratch_aggregates = self._aggregates.scratch()
        self._slots: dict[int, list[Int64s]] = {}
        self._watermark = MIN_TIME_MS
        self._arrived = 0

    def open(self, context: OperatorContext) -> None:
        """Make the table of slices, and the one in which windows are merged."""
        super().open(context)
        keys = [self._options.types[index] for index in self._options.keys]
        columns = self._aggregates.columns()
        self._table = context.state.table("slices", [BIGINT.with_nullable(False), *keys], {**columns, "seen": "u1"})
        self._merged = context.state.table("window", keys or [BIGINT.with_nullable(False)], columns)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Add rows to their slices; rows come out only where a window fires inside the batch."""
        assert batch.weights is None, "a window aggregate takes rows that are never updated"
        slicing = self._options.slicing
        times = times_ms(batch.column(self._options.time), self._options.time_name)
        slices = slicing.slices(times)
        if not len(slices):
            return ()
        highest = self._watermark if batch.steps is None else max(self._watermark, batch.steps.last)
        firsts = slicing.first_ends(slices)
        if int(firsts.min()) - 1 > highest and slicing.kind != "HOP":
            self._add(batch, slices)
            return ()
        lasts = slicing.last_ends(slices)
        if slicing.kind == "HOP":
            in_no_window = lasts < firsts
            if in_no_window.any():
                kept = np.flatnonzero(~in_no_window)
                return self._process_rows(batch.take(kept), slices[kept], highest)
        if int(firsts.min()) - 1 > highest:
            self._add(batch, slices)
            return ()
        return self._process_rows(batch, slices, highest)

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Fire the windows that end up to the watermark."""
        if watermark <= self._watermark:
            return ()
        before, self._watermark = self._watermark, watermark
        ends = sorted(
            {
                end
                for slice_ in self._slots
                for end in self._options.slicing.ends(slice_)
                if before < end - 1 <= watermark
            }
        )
        fired = [self._fire(end) for end in ends]
        done = [s for s in self._slots if self._options.slicing.ends(s)[-1] - 1 <= watermark]
        if done:
            gone = np.concatenate([slots for s in done for slots in self._slots.pop(s)])
            self._aggregates.forget(gone)
            self._table.delete(gone)
        return [Batch(batch) for batch in _joined([each for each in fired if each is not None])]

    @property
    def state_rows(self) -> int:
        """Return the number of keys in open slices."""
        return self._table.count

    @property
    def state_bytes(self) -> int:
        """Return the bytes of the slices."""
        return self._table.nbytes

    def _process_rows(self, batch: Batch, slices: Int64s, highest: int) -> Sequence[Batch]:
        """Add rows of which some may be late, firing in between where a row must miss a window that is still open here."""
        slicing = self._options.slicing
        before = (
            np.full(batch.rows, self._watermark, np.int64)
            if batch.steps is None
            else np.maximum(batch.steps.before_each(batch.rows, self._watermark), self._watermark)
        )
        missed = slicing.fired(slices, before)
        late = missed > 0
        if late.any():
            self.context.count("late_rows", int(late.sum()))
            self.context.count("late_drops", int(missed.sum()))
            self.context.late(batch.take(np.flatnonzero(late)).with_steps(None))
        alive = np.flatnonzero(slicing.last_ends(slices) - 1 > before)
        if len(alive) < batch.rows:
            batch, slices, before, missed = batch.take(alive), slices[alive], before[alive], missed[alive]
        results: list[Batch] = []
        start = 0
        for row in np.flatnonzero(missed > slicing.fired(slices, np.full(len(slices), self._watermark))):
            if missed[row] <= int(slicing.fired(slices[row : row + 1], np.array([self._watermark]))[0]):
                continue  # a firing for an earlier row has closed these windows
            self._add(batch.slice(start, int(row) - start), slices[start:row])
            start = int(row)
            results += self.advance(int(before[row]))
        self._add(batch.slice(start, batch.rows - start), slices[start:])
        assert highest >= self._watermark
        return results

    def _add(self, batch: Batch, slices: Int64s) -> None:
        if not batch.rows:
            return
        table = self._table
        slots = table.upsert([slices, *(batch.column(index) for index in self._options.keys)])
        seen = table.columns["seen"]
        fresh = np.flatnonzero(seen[slots] == 0)
        if len(fresh):
            new, first = np.unique(slots[fresh], return_index=True)
            seen[new] = 1
            of = slices[fresh[first]]
            for slice_ in np.unique(of):
                self._slots.setdefault(int(slice_), []).append(new[of == slice_])
        self._aggregates.update(table.columns, slots, batch, self._arrived)
        self._arrived += batch.rows

    def _fire(self, end: int) -> pa.RecordBatch | None:
        members = [s for s in self._options.slicing.members(end) if s in self._slots]
        if not members:
            return None
        slots = np.concatenate([part for s in members for part in self._slots[s]])
        width = len(self._options.keys)
        if len(members) == 1:
            keys = self._table.key_columns(slots)[1:]
            results = self._aggregates.results(self._table.columns, slots)
            return self._output(keys, results, end, len(slots))
        merged, scratch = self._merged, self._scratch_aggregates
        parts = self._table.key_columns(slots)[1:] if width else [np.zeros(len(slots), np.int64)]
        into = merged.upsert(parts)
        self._aggregates.merge(scratch, merged.columns, into, self._table.columns, slots)
        found = merged.live_slots()
        keys = merged.key_columns(found) if width else []
        batch = self._output(keys, scratch.results(merged.columns, found), end, len(found))
        scratch.forget(found)
        merged.clear()
        return batch

    def _output(self, keys: Sequence[pa.Array], results: Sequence[pa.Array], end: int, rows: int) -> pa.RecordBatch:
        schema = self._options.output
        start = self._options.slicing.start_of(end)
        window = [
            pa.repeat(pa.scalar(ms * 1000, pa.int64()), rows).view(schema.field(len(schema) - 3 + index).type)
            for index, ms in enumerate((start, end, end - 1))
        ]
        return pa.RecordBatch.from_arrays([*keys, *results, *window], schema=schema)


def _joined(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    if len(batches) < 2:
        return batches
    table = pa.Table.from_batches(batches).combine_chunks()
    return table.to_batches()
