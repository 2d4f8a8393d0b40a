"""DISTINCT: an aggregate over the different values of each slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import beside
from fluxcore.core.types import BIGINT
from fluxcore.operators import chain_kernels as kernels
from fluxcore.operators.aggregates.base import NO_MASK, Accumulator, Rows
from fluxcore.operators.chains import entries_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.ports import KeyedTable, StateBackend
    from fluxcore.operators.aggregates.base import Columns, Int64s


class Distinct(Accumulator):
    """Counts how often each value stands in a slot, and tells ``inner`` when the first comes and the last goes."""

    mergeable = False
    _table: KeyedTable

    def __init__(self, inner: Accumulator) -> None:
        super().__init__(inner.call, inner.arg_type, inner.prefix)
        self._inner = inner
        self.takes_retractions = inner.takes_retractions
        self.merges = True  # values are merged, and told to the inner function one by one

    def open(self, state: StateBackend, name: str) -> None:
        """Make the table of values."""
        assert self.arg_type is not None
        keys = [BIGINT.with_nullable(False), self.arg_type.with_nullable(False)]
        self._table = state.table(name, keys, {"next": "i8", "prev": "i8", "owner": "i8", "count": "i8"})
        self._inner.open(state, f"{name} values")

    def columns(self) -> dict[str, str]:
        """Return the chain's head and the inner state."""
        return {"values": "i8", **self._inner.columns()}

    def update(self, columns: Columns, rows: Rows) -> None:
        """Count values."""
        valid = rows.valid()
        chosen = np.flatnonzero(valid) if len(valid) else None
        slots, values, weights = rows.slots, rows.args[0], rows.weights
        if chosen is not None:
            slots, values = slots[chosen], values.take(pa.array(chosen))
            weights = weights[chosen] if len(weights) else weights
        self._add(columns, slots, values, weights.astype(np.int64) if len(weights) else None, rows.first_row)

    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:  # noqa: ARG002
        """Take the values that :meth:`take_over` brings over."""
        raise AssertionError("distinct values are merged by take_over")

    def take_over(self, giver: Accumulator, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Add the values of another table's slots."""
        assert isinstance(giver, Distinct)
        places, entries = giver._entries(source, from_slots)
        values, counts = giver._table.key_columns(entries)[1], giver._table.columns["count"][entries]
        self._add(into, slots[places], values, counts, 0)

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the inner results."""
        return self._inner.result(columns, slots)

    def forget(self, columns: Columns, slots: Int64s) -> None:
        """Drop the values of these slots."""
        _, entries = self._entries(columns, slots)
        self._table.delete(entries)
        self.at(columns, "values")[slots] = 0
        self._inner.forget(columns, slots)

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:
        """Return the values and their counts, and what the inner function keeps."""
        places, entries = self._entries(columns, slots)
        values, counts = self._table.key_columns(entries)[1], self._table.columns["count"][entries]
        own = pa.RecordBatch.from_arrays([pa.array(places), values, pa.array(counts)], ["place", "value", "count"])
        return {"distinct": beside(own, 0, owner), **self._inner.freeze(columns, slots, owner)}

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take values back; the inner function knows them already."""
        places, values, counts = frozen["distinct"].columns
        owners, chain = slots[np.asarray(places)], self._table.columns
        self.at(columns, "values")[slots] = 0
        entries = self._table.upsert([owners, values])
        chain["count"][entries] = np.asarray(counts)
        kernels.link(self.at(columns, "values"), chain["next"], chain["prev"], chain["owner"], entries, owners)
        self._inner.thaw(columns, slots, frozen)

    def scratch(self) -> Accumulator:
        """Return the same for a table in which windows are merged."""
        return Distinct(self._inner.scratch())

    def _add(self, columns: Columns, slots: Int64s, values: pa.Array, weights: Int64s | None, first_row: int) -> None:
        if not len(slots):
            return
        entries, fresh = self._table.upsert_new([slots, values])
        chain, heads = self._table.columns, self.at(columns, "values")
        kernels.link(heads, chain["next"], chain["prev"], chain["owner"], entries[fresh], slots[fresh])
        if weights is None:
            np.add.at(chain["count"], entries, 1)
            come, gone = entries[fresh], entries[:0]
        else:
            touched, inverse = np.unique(entries, return_inverse=True)
            change = np.zeros(len(touched), np.int64)
            np.add.at(change, inverse.reshape(-1), weights)
            before = chain["count"][touched]
            after = before + change
            chain["count"][touched] = after
            come, gone = touched[(before <= 0) & (after > 0)], touched[(before > 0) & (after <= 0)]
        changed = np.concatenate((come, gone))
        if len(changed):
            signs = np.repeat(np.array([1, -1], np.int8), [len(come), len(gone)])
            args = [self._table.key_columns(changed)[1]]
            self._inner.update(columns, Rows(chain["owner"][changed], args, NO_MASK, signs, first_row))
        if weights is not None:
            dead = touched[chain["count"][touched] == 0]
            kernels.unlink(heads, chain["next"], chain["prev"], chain["owner"], dead, np.empty(len(dead), np.int64))
            self._table.delete(dead)

    def _entries(self, columns: Columns, slots: Int64s) -> tuple[Int64s, Int64s]:
        """Return for each value of ``slots``: the place within ``slots``, and its entry."""
        return entries_of(self.at(columns, "values"), self._table.columns["next"], slots)
