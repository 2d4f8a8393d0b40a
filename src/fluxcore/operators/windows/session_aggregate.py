"""Aggregates per key and session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.operators.aggregates.build import Aggregates
from fluxcore.operators.local_time import local_times, local_watermark, with_local_steps
from fluxcore.operators.rows import number_state, watermark_state, watermarks_before, window_arrays
from fluxcore.operators.windows.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Bools
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType
    from fluxcore.core.zones import Zone
    from fluxcore.expr.nodes import AggCall


@dataclass(frozen=True)
class SessionOptions:
    """What to aggregate: ``types`` of the input's columns, ``time`` the position of the event time, ``gap`` in ms.

    ``output`` the keys, the results, window_start, window_end and window_time. With a ``zone`` all times are its local ones.
    """

    types: tuple[DataType, ...]
    time: int
    keys: tuple[int, ...]
    calls: tuple[AggCall, ...]
    gap: int
    output: pa.Schema
    time_name: str = "event time"
    zone: Zone | None = None


class SessionAggregateOperator(Operator):
    """Takes append-only rows; gives one row per key and session when the watermark has reached its end - 1 ms.

    A row is late when it comes after that and joins no session that is open.
    """

    def __init__(self, options: SessionOptions) -> None:
        self._options = options
        self._aggregates = Aggregates(options.calls, options.types)
        self._aggregates.need_merge()
        self._watermark = MIN_TIME_MS
        self._arrived = 0

    def open(self, context: OperatorContext) -> None:
        """Make the tables."""
        super().open(context)
        keys = [self._options.types[index] for index in self._options.keys]
        self._state = context.state
        self._sessions = Sessions(context.state, keys, self._aggregates.columns())
        self._aggregates.open(context.state)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Add rows to their sessions."""
        assert batch.weights is None, "a session aggregate takes rows that are never updated"
        if not batch.rows:
            return ()
        sessions, columns = self._sessions, self._sessions.columns
        times = local_times(batch.column(self._options.time), self._options.time_name, self._options.zone)
        batch = with_local_steps(batch, self._options.zone)
        keys = [batch.column(index) for index in self._options.keys]
        placed = sessions.place(keys, times, watermarks_before(batch, self._watermark), self._options.gap)
        if len(placed.gone):
            self._aggregates.merge(self._aggregates, columns, placed.into, columns, placed.gone)
            self._aggregates.forget(columns, placed.gone)
            sessions.drop(placed.gone)
        if placed.late is not None:
            batch = without_late(batch, placed.late, self.context)
        self._aggregates.update(columns, placed.slots, batch, self._arrived)
        self._arrived += batch.rows
        return ()

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Give the sessions that the watermark has closed."""
        self._watermark = max(self._watermark, local_watermark(watermark, self._options.zone))
        slots = self._sessions.due(self._watermark)
        if not len(slots):
            return ()
        columns = self._sessions.columns
        results = self._aggregates.results(columns, slots)
        window = window_arrays(columns["start"][slots], columns["end"][slots], self._options.output, self._options.zone)
        rows = [*self._sessions.keys_of(slots), *results, *window]
        self._aggregates.forget(columns, slots)
        self._sessions.close(slots)
        return [Batch(pa.RecordBatch.from_arrays(rows, schema=self._options.output))]

    @property
    def state_rows(self) -> int:
        """Return the number of open sessions."""
        return self._sessions.count

    @property
    def state_bytes(self) -> int:
        """Return their bytes."""
        return self._state.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the open sessions with what the aggregates keep, and the watermark."""
        sessions = self._sessions
        kept = self._aggregates.freeze(sessions.columns, sessions.live_slots(), "sessions")
        marks = {"watermark": watermark_state(self._watermark), "arrived": number_state(self._arrived)}
        return {"sessions": sessions.freeze(), **marks, **kept}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._watermark = frozen["watermark"].column(0)[0].as_py()
        self._arrived = frozen["arrived"].column(0)[0].as_py()
        slots = self._sessions.restore(frozen["sessions"])
        self._aggregates.thaw(self._sessions.columns, slots, frozen)


def without_late(batch: Batch, late: Bools, context: OperatorContext) -> Batch:
    """Return the rows that are not late; the others are counted and handed on."""
    context.count("late_rows", int(np.count_nonzero(late)))
    gone = batch.take(np.flatnonzero(late)).with_steps(None)
    context.late(gone)
    context.side("late", gone)
    return batch.take(np.flatnonzero(~late)).with_steps(None)
