"""What a window holds between two results: accumulators, or all of its rows where an evictor chooses among them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fluxcore.operators.aggregates.build import Aggregates
from fluxcore.operators.rows import number_state
from fluxcore.operators.windows import trigger_kernels as kernels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from fluxcore.core.batch import Batch, Bools, Int64s
    from fluxcore.core.ports import StateBackend
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall
    from fluxcore.operators.aggregates.base import Columns
    from fluxcore.operators.windows.decisions import Decided


@dataclass(frozen=True, slots=True)
class Fired:
    """Results of windows: their ``slots``, the row of the batch with which each fired, and a column for each aggregate.

    ``final`` says that no later result will stand in the place of these.
    """

    slots: Int64s
    rows: Int64s
    results: list[pa.Array]
    final: bool = False


@dataclass(frozen=True, slots=True)
class Purged:
    """Windows that were purged: what they gave so far is final."""

    slots: Int64s


class Contents(ABC):
    """What the windows of one operator hold. State stands in columns of the table of windows, by slot."""

    @abstractmethod
    def columns(self) -> dict[str, str]:
        """Return the state columns (name -> NumPy dtype)."""

    @abstractmethod
    def open(self, state: StateBackend, columns: Columns) -> None:
        """Make what is kept outside the columns of the table of windows."""

    @abstractmethod
    def take(self, slots: Int64s, batch: Batch, decided: Decided) -> Sequence[Fired | Purged]:
        """Add rows to windows, one slot a row, and do what was decided with each, in this order."""

    @abstractmethod
    def fire(self, slots: Int64s) -> list[pa.Array]:
        """Return the results of these distinct windows as they stand."""

    @abstractmethod
    def changed(self, slots: Int64s) -> Bools:
        """Return which windows have something to give that they have not given."""

    @abstractmethod
    def purge(self, slots: Int64s) -> None:
        """Forget what these distinct windows hold; they go on empty."""

    @abstractmethod
    def join(self, into: Int64s, gone: Int64s) -> None:
        """Add what the windows ``gone`` hold to others, which they have become."""

    @abstractmethod
    def freeze(self, slots: Int64s) -> dict[str, pa.RecordBatch]:
        """Return what is kept outside the columns, by the places of windows among ``slots``."""

    @abstractmethod
    def restore(self, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take what :meth:`freeze` gave for windows that are now at ``slots``; their columns are back already."""

    @property
    def rows(self) -> int:
        """Return the number of rows kept beside the table of windows."""
        return 0

    @property
    def nbytes(self) -> int:
        """Return their bytes."""
        return 0


class Accumulated(Contents):
    """Accumulators alone. Firings between two purges that one batch causes are one: the last stands for all of them."""

    def __init__(self, calls: Sequence[AggCall], types: Sequence[DataType], *, joins: bool) -> None:
        self._aggregates = Aggregates(calls, types)
        if joins:
            self._aggregates.need_merge()
        self._parts = self._aggregates.scratch()
        self._arrived = 0

    def columns(self) -> dict[str, str]:
        """Return the accumulators, how many rows came since the last result, and room for counting."""
        return {**self._aggregates.columns(), "fresh": "i8", "purges": "i8", "mark": "i8"}

    def open(self, state: StateBackend, columns: Columns) -> None:
        """Make what the aggregates keep outside the columns."""
        self._columns = columns
        self._aggregates.open(state)
        self._parts.open(state, "parts")

    def take(self, slots: Int64s, batch: Batch, decided: Decided) -> Sequence[Fired | Purged]:
        """Add rows: those of the windows' first segments, those between two purges, and those behind the last one."""
        if decided.none:
            self._add(slots, batch, None)
            return ()
        rows = len(slots)
        segments = np.empty(rows, np.int64)
        early, last, open_ = (np.empty(rows, np.bool_) for _ in range(3))
        columns = self._columns
        given = slots, decided.kinds, columns["purges"], columns["mark"], segments, early, last, open_
        most = kernels.divide(*given)
        done: list[Fired | Purged] = []
        first = segments == 0
        done += self._segment(slots, batch, first & early, first & last)
        if most == 0:
            self._add(slots, batch, ~early)
            return done
        self._add(slots, batch, first & open_ & ~early)
        purged = np.unique(slots[first & ~open_])
        self.purge(purged)
        done.append(Purged(purged))
        done += self._between(slots, batch, segments, (~first & ~open_ & early, ~first & ~open_ & last))
        done += self._segment(slots, batch, ~first & open_ & early, ~first & open_ & last)
        self._add(slots, batch, ~first & open_ & ~early)
        return done

    def fire(self, slots: Int64s) -> list[pa.Array]:
        """Return the aggregates."""
        self._columns["fresh"][slots] = 0
        return self._aggregates.results(self._columns, slots)

    def changed(self, slots: Int64s) -> Bools:
        """Return which windows got rows since their last result."""
        found: Bools = self._columns["fresh"][slots] > 0
        return found

    def purge(self, slots: Int64s) -> None:
        """Set the accumulators back."""
        self._aggregates.forget(self._columns, slots)
        for name in (*self._aggregates.columns(), "fresh"):
            self._columns[name][slots] = 0

    def join(self, into: Int64s, gone: Int64s) -> None:
        """Merge accumulators."""
        columns = self._columns
        self._aggregates.merge(self._aggregates, columns, into, columns, gone)
        np.add.at(columns["fresh"], into, columns["fresh"][gone])
        self._aggregates.forget(columns, gone)

    def freeze(self, slots: Int64s) -> dict[str, pa.RecordBatch]:
        """Return what the aggregates keep outside the columns, and how many rows came."""
        kept = self._aggregates.freeze(self._columns, slots, "windows")
        return {"arrived": number_state(self._arrived), **kept}

    def restore(self, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Hand it to them."""
        self._arrived = frozen["arrived"].column(0)[0].as_py()
        self._aggregates.thaw(self._columns, slots, frozen)

    def _segment(self, slots: Int64s, batch: Batch, early: Bools, last: Bools) -> list[Fired]:
        """Add the rows up to a firing; return what it gives."""
        self._add(slots, batch, early)
        rows = np.flatnonzero(last)
        return [Fired(slots[rows], rows, self.fire(slots[rows]))] if len(rows) else []

    def _between(self, slots: Int64s, batch: Batch, segments: Int64s, chosen: tuple[Bools, Bools]) -> list[Fired]:
        """Return what the segments between two purges give; nothing else remains of them."""
        early, last = (np.flatnonzero(each) for each in chosen)
        if not len(last):
            return []
        both = np.column_stack([slots[early], segments[early]])
        _, into = np.unique(both, axis=0, return_inverse=True)
        into = into.reshape(-1)
        parts, count = self._parts, len(last)
        columns = {name: np.zeros(count, dtype) for name, dtype in parts.columns().items()}
        parts.update(columns, into, batch.take(early), self._arrived)
        self._arrived += len(early)
        places = into[np.searchsorted(early, last)]
        results = parts.results(columns, places)
        parts.forget(columns, np.arange(count))
        return [Fired(slots[last], last, results, final=True)]

    def _add(self, slots: Int64s, batch: Batch, chosen: Bools | None) -> None:
        if chosen is not None and not chosen.all():
            rows = np.flatnonzero(chosen)
            slots, batch = slots[rows], batch.take(rows)
        if len(slots):
            self._aggregates.update(self._columns, slots, batch, self._arrived)
            self._arrived += len(slots)
            np.add.at(self._columns["fresh"], slots, 1)
