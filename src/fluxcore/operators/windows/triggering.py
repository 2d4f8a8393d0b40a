"""Triggers at work: what the built-in ones decide, a batch at a time, for the windows of one operator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.time import MAX_TIME_MS
from fluxcore.core.triggers import TriggerKind
from fluxcore.operators.aggregates.base import NO_MASK, numbers
from fluxcore.operators.windows import trigger_kernels as kernels
from fluxcore.operators.windows.decisions import Decided

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from fluxcore.core.batch import Bools, Int64s
    from fluxcore.core.triggers import TriggerSpec
    from fluxcore.core.zones import Zone
    from fluxcore.operators.windows.decisions import Placed
    from fluxcore.operators.windows.open_windows import Candidates, OpenWindows


class Triggering(ABC):
    """A trigger for all windows of one operator. ``watermark`` and ``now`` (ms) are set before each call."""

    watermark: int
    now: int
    windows: OpenWindows

    @abstractmethod
    def columns(self) -> dict[str, str]:
        """Return the trigger's state columns in the table of windows (name -> NumPy dtype)."""

    @abstractmethod
    def beats(self, rows: Candidates) -> Int64s | None:
        """Return the event times that rows may set a timer to, besides the ends of their windows."""

    @abstractmethod
    def on_rows(self, rows: Placed) -> Decided:
        """Decide for each row of a window, in their order."""

    @abstractmethod
    def on_watermark(self, slots: Int64s) -> Iterator[tuple[Int64s, int]]:
        """Yield windows among ``slots`` and what is decided of them, as the watermark has come to stand where it does."""

    @abstractmethod
    def on_clock(self, slots: Int64s) -> Iterator[tuple[Int64s, int]]:
        """Yield windows among ``slots`` and what is decided of them, as the clock has come to stand where it does."""

    @abstractmethod
    def dues(self, slots: Int64s) -> Int64s:
        """Return the watermarks (ms) at which there is something to do for windows: the greatest time where there is none."""

    @abstractmethod
    def clock_dues(self, slots: Int64s) -> tuple[Int64s, Int64s]:
        """Return those of the windows that wait for the clock, and when (ms)."""

    @property
    def next_timer(self) -> int | None:
        """Return the earliest event time (ms) of timers that stand outside the columns."""
        return None

    @property
    def next_clock_timer(self) -> int | None:
        """Return the earliest time of the clock (ms) of timers that stand outside the columns."""
        return None

    @abstractmethod
    def join(self, into: Int64s, gone: Int64s) -> None:
        """Let windows become a part of others."""

    def forget(self, slots: Int64s) -> None:  # noqa: B027
        """Learn that windows are closed."""

    def freeze(self, slots: Int64s) -> dict[str, pa.RecordBatch]:  # noqa: ARG002
        """Return what is kept outside the columns, by the places of windows among ``slots``."""
        return {}

    def restore(self, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:  # noqa: B027
        """Take that back for windows that are now at ``slots``."""


class BuiltIn(Triggering):
    """The built-in triggers: a timer of event time and one of the clock for each window, in columns.

    ``due`` and ``clock_due`` (ms) count where ``armed`` and ``clock_armed`` are set. With a ``zone`` event times are local ones.
    """

    def __init__(self, spec: TriggerSpec, windows: OpenWindows, zone: Zone | None = None) -> None:
        self._spec = spec
        self._zone = zone
        self._fires = 3 if spec.purges else 1
        self.windows = windows

    @staticmethod
    def state_columns(spec: TriggerSpec) -> dict[str, str]:
        """Return the state columns that a trigger needs."""
        timers = {"due": "i8", "armed": "u1", "clock_due": "i8", "clock_armed": "u1"}
        if spec.kind is TriggerKind.COUNT:
            return {**timers, "count": "i8"}
        return {**timers, "value": "f8", "known": "u1"} if spec.kind is TriggerKind.DELTA else timers

    def columns(self) -> dict[str, str]:
        """Return the timers, and what else there is."""
        return self.state_columns(self._spec)

    def beats(self, rows: Candidates) -> Int64s | None:
        """Return the next beat of a continuous trigger; one that is over comes with the next rise of the watermark."""
        if self._spec.kind is not TriggerKind.CONTINUOUS:
            return None
        return np.maximum(self._beat(rows.times, rows.lasts), self.watermark + 1)

    def on_rows(self, rows: Placed) -> Decided:
        """Decide for each row."""
        kinds = np.zeros(len(rows.slots), np.int8)
        columns, slots, spec = self.windows.columns, rows.slots, self._spec
        match spec.kind:
            case TriggerKind.EVENT_TIME:
                self._on_rows_by_event_time(rows, kinds)
            case TriggerKind.PROCESSING_TIME:
                columns["clock_due"][slots] = rows.lasts if self._zone is None else self._zone.passed(rows.lasts)
                columns["clock_armed"][slots] = 1
            case TriggerKind.COUNT:
                kernels.count_rows(slots, columns["count"], spec.count, kinds)
            case TriggerKind.DELTA:
                column = rows.batch.column(spec.place)
                if pa.types.is_decimal(column.type):
                    column = column.cast(pa.float64())
                valid = ~np.asarray(column.is_null()) if column.null_count else NO_MASK
                values = numbers(column).astype(np.float64)
                kernels.measure_deltas(slots, values, valid, columns["known"], columns["value"], spec.threshold, kinds)
            case TriggerKind.CONTINUOUS:
                over = rows.lasts <= self.watermark
                kinds[over] = 1
                beats = self._beat(rows.times, rows.lasts)
                kernels.arm_first(slots, ~over, beats, columns["armed"], columns["due"])
            case TriggerKind.CONTINUOUS_CLOCK:
                beat = self.now // spec.interval * spec.interval + spec.interval
                self._arm_clock(slots, np.ones(len(slots), np.bool_), beat)
        return Decided(np.where(kinds > 0, np.int8(self._fires), np.int8(0)))

    def on_watermark(self, slots: Int64s) -> Iterator[tuple[Int64s, int]]:
        """Fire the windows whose timers are due."""
        columns, spec = self.windows.columns, self._spec
        fired = slots[(columns["armed"][slots] > 0) & (columns["due"][slots] <= self.watermark)]
        if not len(fired):
            return
        lasts = self.windows.lasts(fired)
        fired = fired[np.argsort(lasts, kind="stable")]
        lasts = self.windows.lasts(fired)
        if spec.kind is TriggerKind.CONTINUOUS:
            over = lasts <= self.watermark
            missed = (self.watermark - columns["due"][fired]) // spec.interval + 1
            columns["due"][fired] = np.minimum(columns["due"][fired] + np.where(over, 0, missed) * spec.interval, lasts)
            columns["armed"][fired[over]] = 0
        else:
            columns["armed"][fired] = 0
            columns["clock_armed"][fired] = 0
        yield fired, self._fires

    def on_clock(self, slots: Int64s) -> Iterator[tuple[Int64s, int]]:
        """Fire the windows whose timers of the clock are due."""
        columns, spec = self.windows.columns, self._spec
        fired = slots[(columns["clock_armed"][slots] > 0) & (columns["clock_due"][slots] <= self.now)]
        if not len(fired):
            return
        interval = np.full(len(fired), spec.interval, np.int64)
        if spec.kind is TriggerKind.EVENT_TIME:
            late = self.windows.lasts(fired) <= self.watermark
            interval = np.where(late, 0, spec.early or 0)
        again = (interval > 0) & (self.now < MAX_TIME_MS)
        some, length = fired[again], interval[again]
        columns["clock_due"][some] += ((self.now - columns["clock_due"][some]) // np.maximum(length, 1) + 1) * length
        columns["clock_armed"][fired[~again]] = 0
        yield fired, self._fires

    def dues(self, slots: Int64s) -> Int64s:
        """Return the timers of event time."""
        columns = self.windows.columns
        return np.where(columns["armed"][slots] > 0, columns["due"][slots], MAX_TIME_MS)

    def clock_dues(self, slots: Int64s) -> tuple[Int64s, Int64s]:
        """Return the timers of the clock."""
        columns = self.windows.columns
        slots = slots[columns["clock_armed"][slots] > 0]
        return slots, columns["clock_due"][slots]

    def join(self, into: Int64s, gone: Int64s) -> None:
        """Add counts; of timers the earlier one goes on."""
        columns = self.windows.columns
        if "count" in columns:
            np.add.at(columns["count"], into, columns["count"][gone])
        for due, armed in (("due", "armed"), ("clock_due", "clock_armed")):
            for target, source in zip(into.tolist(), gone.tolist(), strict=True):
                if columns[armed][source] and (
                    not columns[armed][target] or columns[due][source] < columns[due][target]
                ):
                    columns[armed][target] = 1
                    columns[due][target] = columns[due][source]

    def _on_rows_by_event_time(self, rows: Placed, kinds: NDArray[np.int8]) -> None:
        """Set the timer at the window's end; late rows fire at once, or when the clock says so."""
        columns, slots, spec = self.windows.columns, rows.slots, self._spec
        over = rows.lasts <= self.watermark
        columns["due"][slots[~over]] = rows.lasts[~over]
        columns["armed"][slots[~over]] = 1
        if not spec.late:
            kinds[over] = 1
        elif over.any():
            self._arm_clock(slots, over, self.now + spec.late)
        if spec.early == 0:
            kinds[~over] = 1
        elif spec.early is not None:
            self._arm_clock(slots, ~over, self.now + spec.early)

    def _arm_clock(self, slots: Int64s, chosen: Bools, time: int) -> None:
        columns = self.windows.columns
        times = np.full(len(slots), time, np.int64)
        kernels.arm_first(slots, chosen, times, columns["clock_armed"], columns["clock_due"])

    def _beat(self, times: Int64s, lasts: Int64s) -> Int64s:
        """Return the end of the interval that each time lies in, or that of the window if it comes first."""
        interval = self._spec.interval
        return np.minimum(times // interval * interval + interval, lasts)
