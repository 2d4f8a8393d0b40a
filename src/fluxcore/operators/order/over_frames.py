"""Any aggregate function over frames: its accumulators take each frame's rows, or go on from row to row."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.operators.aggregates.build import Aggregates
from fluxcore.operators.order.over_call import OverCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.ports import StateBackend
    from fluxcore.core.types import DataType
    from fluxcore.operators.aggregates.base import Columns
    from fluxcore.operators.order.frames import OverFunction, Sorted
    from fluxcore.operators.order.over_call import Int64s

_CHUNK_ROWS = 1_000_000
"""Rows of frames that are aggregated in one pass."""


class Frames(OverCall):
    """Aggregates each frame by itself; frames that follow each other and are equal are aggregated once.

    Cost: proportional to the sum of the frames' lengths.
    """

    def __init__(self, function: OverFunction, types: Sequence[DataType], prefix: str) -> None:
        super().__init__(function, types, prefix)
        call = self.call
        self._inputs = [*call.args, *([] if call.where is None else [call.where])]
        where = None if call.where is None else len(call.args)
        own = replace(call, args=tuple(range(len(call.args))), where=where)
        self._aggregates = Aggregates([own], [types[index] for index in self._inputs])

    def open(self, state: StateBackend, name: str) -> None:
        """Make what the accumulators keep outside columns."""
        self._aggregates.open(state, name)

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:  # noqa: ARG002
        """Return the results."""
        starts, ends = rows.frame(self.function)
        fresh = np.flatnonzero(rows.fresh)
        starts, ends = starts[fresh], ends[fresh]
        new = np.ones(len(fresh), np.bool_)
        new[1:] = (starts[1:] != starts[:-1]) | (ends[1:] != ends[:-1])
        numbers = np.cumsum(new) - 1
        starts, ends = starts[new], ends[new]
        data = self._data(rows)
        cuts = np.cumsum(ends - starts) // _CHUNK_ROWS
        bounds = [0, *(np.flatnonzero(np.diff(cuts)) + 1).tolist(), len(starts)]
        parts = [self._aggregate(data, starts[a:b], ends[a:b]) for a, b in pairwise(bounds)]
        places = np.full(rows.count, -1, np.int64)
        places[fresh] = numbers
        return pa.concat_arrays(parts).take(pa.array(places, mask=places < 0))

    def _data(self, rows: Sorted) -> pa.RecordBatch:
        columns = [rows.data.column(index) for index in self._inputs]
        if not columns:
            columns = [pa.nulls(rows.count)]
        return pa.RecordBatch.from_arrays(columns, [str(place) for place in range(len(columns))])

    def _aggregate(self, data: pa.RecordBatch, starts: Int64s, ends: Int64s) -> pa.Array:
        sizes, slots = ends - starts, np.arange(len(starts))
        owners = np.repeat(slots, sizes)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        chosen = data.take(pa.array(np.repeat(starts, sizes) + within))
        columns = {name: np.zeros(len(starts), dtype) for name, dtype in self._aggregates.columns().items()}
        self._aggregates.update(columns, owners, Batch(chosen), 0)
        (found,) = self._aggregates.results(columns, slots)
        self._aggregates.forget(columns, slots)
        return found


class Running(Frames):
    """Aggregates from the beginning of the partition on: the next rows of all partitions at once, peers together.

    Cost: a pass over the accumulators for each row (or group of peers) of the largest partition.
    """

    def columns(self) -> dict[str, str]:
        """Return the accumulators' columns."""
        return {**self._aggregates.columns(), "arrived": "i8"}

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:
        """Return the results."""
        mine = self._mine(columns)
        fresh = np.flatnonzero(rows.fresh)
        if self.function.rows:
            rounds = fresh - rows.fresh_starts[fresh]
        else:
            peers = np.cumsum(rows.peer_starts == np.arange(rows.count))
            rounds = peers[fresh] - peers[rows.fresh_starts[fresh]]
        order = np.argsort(rounds, kind="stable")
        bounds = np.append(0, np.cumsum(np.bincount(rounds))).tolist()
        data, arrived = self._data(rows), self.at(columns, "arrived")
        parts, places, count = [], np.full(rows.count, -1, np.int64), 0
        for first, last in pairwise(bounds):
            chosen = fresh[order[first:last]]
            slots, at = np.unique(rows.slots[chosen], return_inverse=True)
            batch = Batch(data.take(pa.array(chosen)))
            self._aggregates.update(mine, rows.slots[chosen], batch, int(arrived[slots].max()))
            arrived[slots] = int(arrived[slots].max()) + len(chosen)
            parts += self._aggregates.results(mine, slots)
            places[chosen] = count + at.reshape(-1)
            count += len(slots)
        return pa.concat_arrays(parts).take(pa.array(places, mask=places < 0))

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:
        """Return what the accumulators keep outside columns."""
        return self._aggregates.freeze(self._mine(columns), slots, owner)

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take that back."""
        self._aggregates.thaw(self._mine(columns), slots, frozen)

    def _mine(self, columns: Columns) -> Columns:
        return {name: self.at(columns, name) for name in self._aggregates.columns()}
