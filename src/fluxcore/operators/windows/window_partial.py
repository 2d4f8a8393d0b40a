"""The first half of a window aggregate: rows are aggregated by slice and key before they are sent.

It is a pure function of a batch, which many threads call at once. A row that may be late by what its own batch says is put
aside, and judged where the state is.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from fluxcore.core.batch import Batch
from fluxcore.core.partial import Partial
from fluxcore.core.types import BIGINT
from fluxcore.operators.aggregates.build import Aggregates
from fluxcore.operators.local_time import local_times, with_local_steps
from fluxcore.operators.sort_words import raw_values
from fluxcore.operators.windows import slice_kernels as kernels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from fluxcore.core.ports import KeyedTable, StateBackend
    from fluxcore.operators.windows.window_aggregate import WindowAggregateOptions

_PER_MS = {"ms": 1, "us": 1_000, "ns": 1_000_000}
_NO_STEPS = np.zeros(0, np.int64)
_GROUPS_SHARE_MAX = 0.5
_PAUSE_BATCHES = 32


class WindowPartials:
    """Makes the :class:`Partial` of batches; each thread has a small table of its own, emptied after each batch.

    When grouping saves too little, it rests for a while.
    """

    def __init__(self, options: WindowAggregateOptions, backend: Callable[[], StateBackend]) -> None:
        slicing = options.slicing
        self._options = options
        self._backend = backend
        self._aggregates = Aggregates(options.calls, options.types)
        kind = kernels.HOP if slicing.kind == "HOP" else kernels.OTHER
        pane = slicing.pane
        if slicing.attached:
            kind, pane = kernels.ATTACHED, 1
        self._shape = np.array([kind, pane, slicing.size, slicing.slide, slicing.offset], np.int64)
        self._own = threading.local()
        self._pause = 0

    @staticmethod
    def possible(options: WindowAggregateOptions) -> bool:
        """Return whether the states of all calls can be merged in any order."""
        return not options.updated and Aggregates(options.calls, options.types).mergeable

    def __call__(self, batch: Batch) -> Partial | None:
        """Return the partial, or None where the rows had better be sent as they are."""
        time = batch.column(self._options.time)
        if self._pause > 0:
            self._pause -= 1
            return None
        if not batch.rows or batch.weights is not None or time.null_count or time.type.unit not in _PER_MS:
            return None
        slices, kinds, others = self._cut(batch)
        apart = np.flatnonzero(kinds == kernels.APART) if others else _NO_STEPS
        part = batch
        if others:
            rows = np.flatnonzero(kinds == kernels.ON_TIME)
            part, slices = Batch(batch.data).take(rows), slices[rows]
        keys = [part.column(index) for index in self._options.keys]
        table = self._table(nullable=any(key.null_count for key in keys))
        slots = table.upsert([slices, *keys])
        if table.count > _GROUPS_SHARE_MAX * batch.rows and batch.rows >= _PAUSE_BATCHES:
            self._pause = _PAUSE_BATCHES
        self._aggregates.update(table.columns, slots, part, 0)
        states = table.freeze()
        table.clear()
        return Partial(batch, states, apart)

    def _cut(self, batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.uint8], int]:
        time, zone = batch.column(self._options.time), self._options.zone
        slices, kinds = np.empty(batch.rows, np.int64), np.empty(batch.rows, np.uint8)
        steps = with_local_steps(batch, zone).steps
        rows, values = (_NO_STEPS, _NO_STEPS) if steps is None else (steps.rows, steps.values)
        times, per_ms = raw_values(time, "i8"), _PER_MS[time.type.unit]
        if zone is not None:
            times, per_ms = local_times(time, self._options.time_name, zone), 1
        others = kernels.cut(times, per_ms, self._shape, rows, values, slices, kinds)
        return slices, kinds, others

    def _table(self, *, nullable: bool) -> KeyedTable:
        """Return this thread's table for keys that may, or may not, be NULL: the latter is quicker."""
        name = "nullable" if nullable else "plain"
        table: KeyedTable | None = getattr(self._own, name, None)
        if table is None:
            keys = [self._options.types[index].with_nullable(nullable) for index in self._options.keys]
            columns = self._aggregates.columns()
            table = self._backend().table(name, [BIGINT.with_nullable(False), *keys], columns)
            setattr(self._own, name, table)
        return table
