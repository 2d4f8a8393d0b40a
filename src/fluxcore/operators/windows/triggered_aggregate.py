"""Aggregates per key and window with triggers, allowed lateness and evictors, as Flink's DataStream windows work.

1. A row goes to its windows. One that is over for longer than the allowed lateness takes none; a row that no window takes is
   late.
2. The trigger decides what happens with each row, and when the watermark or the clock reaches a timer.
3. A window that fires gives its result: in the place of the one that it gave before, or after a purge as a row of its own.
4. When the watermark has passed a window's end by the allowed lateness, the window is forgotten; what it gave stands.

A batch is taken in portions between which the watermark passes a time that matters to somebody, so batches don't matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.ports import Operator
from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS
from fluxcore.core.triggers import WindowInfo, moment_or_none
from fluxcore.operators.local_time import local_times, local_watermark, with_local_steps
from fluxcore.operators.rows import watermark_state, watermarks_before, window_arrays
from fluxcore.operators.windows.agenda import Agenda
from fluxcore.operators.windows.contents import Accumulated, Contents, Purged
from fluxcore.operators.windows.custom_trigger import CustomTrigger
from fluxcore.operators.windows.decisions import Placed
from fluxcore.operators.windows.given_results import GivenResults
from fluxcore.operators.windows.kept_rows import KeptOptions, KeptRows
from fluxcore.operators.windows.open_windows import (
    GLOBAL_LAST,
    Candidates,
    FixedWindows,
    OpenWindows,
    SessionWindows,
)
from fluxcore.operators.windows.results import Results
from fluxcore.operators.windows.triggering import BuiltIn, Triggering
from fluxcore.operators.windows.window_assign import windows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fluxcore.core.batch import Bools, Int64s
    from fluxcore.core.evictors import EvictorSpec
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.triggers import TriggerSpec
    from fluxcore.core.types import DataType
    from fluxcore.core.zones import Zone
    from fluxcore.expr.nodes import AggCall
    from fluxcore.operators.windows.window_assign import Shape

_PORTION_ROWS = 4096
"""Rows of a portion at the most, so that finding the next one stays cheap where there are many."""


@dataclass(frozen=True)
class TriggeredOptions:
    """What to aggregate, and when to say so.

    ``types`` and ``schema`` of the input; ``time`` the position of the event time (-1: none, of a global window); ``shape``
    None for sessions, which are ``gap`` (ms) apart, and for a global window, without a gap. ``output`` the keys, the results
    and, but for a global window, window_start, window_end and window_time. ``updates``: a result may stand in the place of one
    before it. With a ``zone`` all event times are its local ones, the watermark and what user code is told included.
    """

    types: tuple[DataType, ...]
    schema: pa.Schema
    time: int
    keys: tuple[int, ...]
    calls: tuple[AggCall, ...]
    trigger: TriggerSpec
    output: pa.Schema
    shape: Shape | None = None
    gap: int = 0
    evictor: EvictorSpec | None = None
    lateness: int = 0
    updates: bool = True
    zone: Zone | None = None

    @property
    def is_global(self) -> bool:
        """Return whether there is one window for all times."""
        return self.shape is None and self.gap == 0


class TriggeredAggregateOperator(Operator):
    """Takes append-only rows; gives a row per key, window and firing, or the changes of a row per key and window.

    Cost: a row is added to each of its windows (slices are not shared). Each time that the watermark passes an end of a
    window, or a timer, all open windows are looked at.
    """

    def __init__(self, options: TriggeredOptions) -> None:
        self._options = options
        self._watermark = MIN_TIME_MS
        self._now = MIN_TIME_MS
        self._infos: dict[int, WindowInfo] = {}
        self._contents: Contents
        if options.evictor is None:
            self._contents = Accumulated(options.calls, options.types, joins=options.gap > 0)
        else:
            kept = KeptOptions(options.schema, options.types, options.calls, options.evictor, options.time)
            self._contents = KeptRows(kept, self._info)

    def open(self, context: OperatorContext) -> None:
        """Make the tables."""
        super().open(context)
        options = self._options
        columns = {**self._contents.columns(), **GivenResults.columns(), **BuiltIn.state_columns(options.trigger)}
        columns |= {**Agenda.columns("event"), **Agenda.columns("clock")}
        keys = [options.types[index] for index in options.keys]
        self._windows: OpenWindows
        parts = context.state, keys, columns
        self._windows = SessionWindows(*parts, options.gap) if options.gap else FixedWindows(*parts)
        self._events, self._clock = (Agenda(self._windows.columns, name) for name in ("event", "clock"))
        self._contents.open(context.state, self._windows.columns)
        given = GivenResults(context.state, options.output, self._windows.columns) if options.updates else None
        self._results = Results(given)
        trigger = options.trigger
        self._trigger: Triggering
        if trigger.custom is not None:
            self._trigger = CustomTrigger(trigger, self._windows, options.lateness, self._info, options.zone)
        else:
            self._trigger = BuiltIn(trigger, self._windows, options.zone)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Take rows, portion by portion."""
        assert batch.weights is None, "a window takes rows that are never updated"
        if not batch.rows:
            return ()
        rows, candidates = self._candidates(batch)
        before = watermarks_before(with_local_steps(batch, self._options.zone), self._watermark)
        if self._options.trigger.by_clock:
            self._tick(self.context.clock.now_ms(), -1)
        at = 0
        while at < batch.rows:
            self._pass(int(before[at]), at - 1)
            end = self._portion(batch, at, rows, candidates, before)
            first, last = np.searchsorted(rows, (at, end))
            self._take(batch, rows[first:last], _part(candidates, int(first), int(last)))
            at = end
        return self._results.give(batch)

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Fire what is due, and forget windows that are over for good."""
        self._pass(local_watermark(watermark, self._options.zone), 0)
        return self._results.give(None)

    @property
    def next_tick(self) -> int | None:
        """Return when the clock's next timer is due."""
        return _earlier(self._clock.next, self._trigger.next_clock_timer)

    @property
    def ticks(self) -> bool:
        """Return whether the trigger looks at the clock."""
        return self._options.trigger.by_clock

    def tick(self, now: int) -> Sequence[Batch]:
        """Fire what the clock says; at the end of the input all of it."""
        self._tick(now, 0)
        return self._results.give(None)

    @property
    def state_rows(self) -> int:
        """Return the number of open windows, and of the rows and results kept with them."""
        return self._windows.count + self._contents.rows + self._results.count

    @property
    def state_bytes(self) -> int:
        """Return their bytes."""
        return self._windows.nbytes + self._contents.nbytes + self._results.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the open windows, what they hold and gave, what the trigger keeps, and the watermark."""
        slots = self._windows.live_slots()
        given = self._results.given
        return {
            "windows": self._windows.freeze(),
            "watermark": watermark_state(self._watermark),
            **({} if given is None else {"given": given.freeze(slots)}),
            **self._contents.freeze(slots),
            **self._trigger.freeze(slots),
        }

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._watermark = frozen["watermark"].column(0)[0].as_py()
        slots = self._windows.restore(frozen["windows"])
        if self._results.given is not None:
            self._results.given.restore(slots, frozen["given"])
        self._contents.restore(slots, frozen)
        self._trigger.restore(slots, frozen)
        for agenda in (self._events, self._clock):
            agenda.forget(slots)
        self._list(slots)

    def _candidates(self, batch: Batch) -> tuple[Int64s, Candidates]:
        """Return each row once for every window that it may belong to: its number, not falling, and the window."""
        options = self._options
        rows = np.arange(batch.rows, dtype=np.int64)
        if options.time < 0:
            times = np.zeros(batch.rows, np.int64)
        else:
            times = local_times(batch.column(options.time), options.schema.field(options.time).name, options.zone)
        if options.shape is not None:
            rows, starts, ends = windows_of(options.shape, times)
            return rows, Candidates(times[rows], starts, ends - 1)
        if options.gap:
            return rows, Candidates(times, times, times + (options.gap - 1))
        return rows, Candidates(times, np.zeros(batch.rows, np.int64), np.full(batch.rows, GLOBAL_LAST))

    def _portion(self, batch: Batch, at: int, rows: Int64s, candidates: Candidates, before: Int64s) -> int:
        """Return the row at which a portion that starts ``at`` a row ends.

        Up to there the watermark passes nothing that matters to one of the rows: no timer, no end of a window that it belongs
        to, and no end of the lateness. Other windows may fire afterwards.
        """
        end = min(at + _PORTION_ROWS, len(before))
        now = self._watermark
        if int(before[end - 1]) <= now:
            return end
        if self._options.trigger.custom is not None:
            return at + int(np.searchsorted(before[at:end], now, side="right"))
        first, last = (int(each) for each in np.searchsorted(rows, (at, end)))
        part, mine = _part(candidates, first, last), rows[first:last]
        keys = [column.take(pa.array(mine)) for column in map(batch.column, self._options.keys)]
        lowest = self._windows.next_ends(keys, part, now, self._options.lateness)
        self._trigger.watermark = now
        beats = self._trigger.beats(part)
        if beats is not None:
            np.minimum(lowest, beats, out=lowest)
            first_due = self._events.next
            np.minimum(lowest, MAX_TIME_MS if first_due is None else first_due, out=lowest)
            np.minimum.accumulate(lowest, out=lowest)
        found = np.flatnonzero(before[mine] >= np.maximum(lowest, now + 1))
        return int(mine[found[0]]) if len(found) else end

    def _take(self, batch: Batch, rows: Int64s, candidates: Candidates) -> None:
        """Put rows into windows and do what the trigger says; the watermark stands still meanwhile."""
        at = 0
        missed = np.ones(len(rows), np.bool_)
        closed = self._closed()
        while at < len(rows):
            rest = _part(candidates, at, len(rows))
            keys = [column.take(pa.array(rows[at:])) for column in map(batch.column, self._options.keys)]
            opened = self._windows.place(keys, rest, closed)
            if len(opened.gone):
                self._join(opened.into, opened.gone)
            chosen = np.flatnonzero(~opened.late)
            if len(chosen):
                missed[at + chosen] = False
                mine = rows[at + chosen]
                data = batch.data.take(pa.array(mine))
                part = Batch(pa.RecordBatch.from_arrays(data.columns, schema=self._options.schema))
                self._decide(Placed(part, opened.slots, rest.times[chosen], opened.starts, opened.lasts), mine)
            at += opened.rows
        if missed.any():
            self._give_late(batch, rows, missed)

    def _decide(self, placed: Placed, rows: Int64s) -> None:
        """Add rows to their windows, and give what the trigger fires meanwhile."""
        trigger = self._trigger
        trigger.watermark, trigger.now = self._watermark, self._now
        decided = trigger.on_rows(placed)
        for done in self._contents.take(placed.slots, placed.batch, decided):
            if isinstance(done, Purged):
                self._results.forget(done.slots)
            else:
                at = done.rows
                given = self._rows(done.slots, done.results, placed.starts[at], placed.lasts[at])
                self._results.add(done.slots, given, rows[at], final=done.final)
        self._list(np.unique(placed.slots))

    def _give_late(self, batch: Batch, rows: Int64s, missed: Bools) -> None:
        """Hand on the rows that no window took."""
        taken = np.zeros(batch.rows, np.bool_)
        taken[rows[~missed]] = True
        late = np.unique(rows[missed])
        late = late[~taken[late]]
        if len(late):
            self.context.count("late_rows", len(late))
            gone = batch.take(late).with_steps(None)
            self.context.late(gone)
            self.context.side("late", gone)

    def _pass(self, watermark: int, source: int) -> None:
        """Let the watermark rise: timers first, then the ends of windows. Results come with the row ``source``."""
        if watermark <= self._watermark:
            return
        self._watermark = watermark
        due = self._events.pop(watermark)
        timer = self._trigger.next_timer
        if not len(due) and (timer is None or timer > watermark):
            return
        self._trigger.watermark, self._trigger.now = watermark, self._now
        self._apply(self._trigger.on_watermark(due), source)
        self._list(self._close(due, source))

    def _tick(self, now: int, source: int) -> None:
        self._now = max(self._now, now)
        first = self.next_tick
        if first is None or first > self._now:
            return
        due = self._clock.pop(self._now)
        self._trigger.watermark, self._trigger.now = self._watermark, self._now
        self._apply(self._trigger.on_clock(due), source)
        self._list(due)

    def _apply(self, decided: Iterator[tuple[Int64s, int]], source: int) -> None:
        """Do what a trigger decided of windows whose timers were due."""
        for slots, kind in decided:
            if kind & 1:
                self._fire(slots[self._contents.changed(slots)], source)
            if kind & 2:
                self._contents.purge(slots)
                self._results.forget(slots)

    def _fire(self, slots: Int64s, source: int) -> None:
        if len(slots):
            bounds = self._windows.starts(slots), self._windows.lasts(slots)
            given = self._rows(slots, self._contents.fire(slots), *bounds)
            self._results.add(slots, given, np.full(len(slots), source, np.int64), final=False)

    def _close(self, slots: Int64s, source: int) -> Int64s:
        """Forget those of the windows that are over for longer than rows may be late; return the others."""
        if self._options.is_global:
            return slots
        is_over = self._windows.lasts(slots) <= self._closed()
        over = slots[is_over]
        if not len(over):
            return slots
        if self._options.trigger.late:  # what waits for the clock would be lost
            self._fire(over[self._contents.changed(over)], source)
        self._trigger.forget(over)
        self._contents.purge(over)
        self._results.forget(over)
        self._windows.close(over)
        for slot in over.tolist() if self._infos else ():
            self._infos.pop(slot, None)
        return slots[~is_over]

    def _join(self, into: Int64s, gone: Int64s) -> None:
        """Let sessions become a part of others."""
        self._contents.join(into, gone)
        self._results.join(into, gone)
        self._trigger.join(into, gone)
        self._windows.drop(gone)

    def _rows(self, slots: Int64s, results: list[pa.Array], starts: Int64s, lasts: Int64s) -> pa.RecordBatch:
        schema = self._options.output
        window = () if self._options.is_global else window_arrays(starts, lasts + 1, schema, self._options.zone)
        return pa.RecordBatch.from_arrays([*self._windows.keys_of(slots), *results, *window], schema=schema)

    def _closed(self) -> int:
        """Return the time (ms) up to which windows that end take no row any more."""
        return max(self._watermark, MIN_TIME_MS + self._options.lateness) - self._options.lateness

    def _list(self, slots: Int64s) -> None:
        """Note when there is next something to do for distinct windows."""
        if not len(slots):
            return
        dues = self._trigger.dues(slots)
        if not self._options.is_global:
            dues = np.minimum(dues, self._windows.lasts(slots) + self._options.lateness)
        self._events.add(slots, dues)
        if self._options.trigger.by_clock:
            self._clock.add(*self._trigger.clock_dues(slots))

    def _info(self, slot: int) -> WindowInfo:
        """Return what a user's code is told of a window."""
        found = self._infos.get(slot)
        if found is None:
            slots = np.array([slot])
            key = tuple(column[0].as_py() for column in self._windows.keys_of(slots))
            start = end = None
            if not self._options.is_global:
                start = moment_or_none(int(self._windows.starts(slots)[0]))
                end = moment_or_none(int(self._windows.lasts(slots)[0]) + 1)
            found = WindowInfo(key, start, end)
            if not self._options.gap:  # a session grows
                self._infos[slot] = found
        return found


def _part(candidates: Candidates, first: int, last: int) -> Candidates:
    return Candidates(candidates.times[first:last], candidates.starts[first:last], candidates.lasts[first:last])


def _earlier(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
