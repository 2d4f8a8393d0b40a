"""MIN and MAX over rows that may be taken back: a heap of values for each slot, cleaned when its root is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import beside
from fluxcore.core.types import BIGINT
from fluxcore.core.words import text_buffers
from fluxcore.operators.aggregates import heap_kernels as kernels
from fluxcore.operators.aggregates.base import Accumulator, Rows
from fluxcore.operators.sort_words import OrderKey, order_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.ports import KeyedTable, StateBackend
    from fluxcore.operators.aggregates.base import Columns, Int64s

_DEAD_MIN = 4096
_ARENA_BYTES_MIN = 1024
_NO_PLACES = np.zeros(0, np.int64)
_NO_BYTES = np.zeros(0, np.uint8)


class HeapExtreme(Accumulator):
    """Counts each value of each slot. Values of one width and decimals.

    A value that is gone stays in the heap until it stands at the root, or until the gone ones are the most.
    Cost: a new value O(1), a value taken back O(1), the next best O(log n) amortised.
    """

    mergeable = False
    takes_retractions = True
    key_columns: ClassVar[dict[str, str]] = {}
    """Columns by entry that order values beyond the two words."""
    _table: KeyedTable

    def open(self, state: StateBackend, name: str) -> None:
        """Make the table of values."""
        assert self.arg_type is not None
        keys = [BIGINT.with_nullable(False), self.arg_type.with_nullable(False)]
        columns = {
            "count": "i8",
            "inside": "u1",
            "owner": "i8",
            "child": "i8",
            "sibling": "i8",
            "high": "i8",
            "low": "u8",
        }
        self._table = state.table(name, keys, {**columns, **self.key_columns})
        self._gone = 0
        self._owed = 0  # values that were taken back before they came: they stand in no heap

    def columns(self) -> dict[str, str]:
        """Return the heap's root."""
        return {"root": "i8"}

    def update(self, columns: Columns, rows: Rows) -> None:
        """Count values."""
        slots, values, weights = rows.counted()
        if not len(slots):
            return
        entries, fresh = self._table.upsert_new([slots, values])
        held = self._table.columns
        touched = np.unique(entries)
        before = held["count"][touched]
        np.add.at(held["count"], entries, weights if len(weights) else 1)
        after = held["count"][touched]
        new = entries[fresh]
        held["owner"][new] = slots[fresh]
        self._note(new, values.take(pa.array(fresh)))
        inside = held["inside"][touched] != 0
        self._gone += int((inside & (before > 0) & (after <= 0)).sum()) - int(
            (inside & (before <= 0) & (after > 0)).sum()
        )
        self._owed += int((~inside & (after < 0)).sum()) - int((~inside & (before < 0)).sum())
        self._push(columns, touched[~inside & (after > 0)])
        self._drop(touched[~inside & (after == 0)])
        if self._gone > max(_DEAD_MIN, self._table.count // 2):
            self._rebuild(columns)

    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:  # noqa: ARG002
        """Slices of windows keep values instead, so nothing merges these."""
        raise AssertionError("MIN and MAX over updated rows are not merged")

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the best values; NULL of nothing."""
        roots, held = self.at(columns, "root"), self._table.columns
        dead = np.empty(max(len(slots), 1024), np.int64)
        while True:
            heap = roots, held["child"], held["sibling"], self._keys(), held["count"]
            count = kernels.settle(*heap, np.asarray(slots, np.int64), dead)
            popped = dead[:count]
            held["inside"][popped] = 0
            self._owed += int((held["count"][popped] < 0).sum())
            self._drop(popped[held["count"][popped] == 0])
            self._gone -= count
            if count < len(dead):
                break
        best = roots[slots]
        known = np.flatnonzero(best)
        values = self._table.key_columns(best[known] - 1)[1]
        if len(known) == len(slots):
            return values.cast(self.call.type.arrow())
        places = np.full(len(slots), -1, np.int64)
        places[known] = np.arange(len(known))
        return values.take(pa.array(places, mask=places < 0)).cast(self.call.type.arrow())

    def forget(self, columns: Columns, slots: Int64s) -> None:
        """Drop the values of these slots."""
        self._drop(self._emptied(columns, slots))
        if self._owed:
            live, held = self._table.live_slots(), self._table.columns
            owed = live[(held["inside"][live] == 0) & np.isin(held["owner"][live], slots)]
            self._owed -= len(owed)
            self._drop(owed)

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:  # noqa: ARG002
        """Return the values and their counts; the heaps are made again."""
        live, held = self._table.live_slots(), self._table.columns
        order = np.argsort(slots)
        places = order[np.searchsorted(slots, held["owner"][live], sorter=order)] if len(live) else live
        arrays = [pa.array(places), self._table.key_columns(live)[1], pa.array(held["count"][live])]
        return {"values": beside(pa.RecordBatch.from_arrays(arrays, ["place", "value", "count"]), 0, owner)}

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take values back."""
        places, values, counts = frozen["values"].columns
        self.at(columns, "root")[slots] = 0
        if not len(values):
            return
        held, owners = self._table.columns, slots[np.asarray(places)]
        entries = self._table.upsert([owners, values])
        held["owner"][entries], held["count"][entries] = owners, np.asarray(counts)
        self._note(entries, values)
        self._owed += int((held["count"][entries] < 0).sum())
        self._push(columns, entries[held["count"][entries] > 0])

    def _emptied(self, columns: Columns, slots: Int64s) -> Int64s:
        """Empty the heaps of slots; return the entries that they had."""
        out = np.empty(self._table.count, np.int64)
        held = self._table.columns
        slots = np.asarray(slots, np.int64)
        count = kernels.members(self.at(columns, "root"), held["child"], held["sibling"], slots, out)
        self._gone -= int((held["count"][out[:count]] <= 0).sum())
        return out[:count]

    def _push(self, columns: Columns, entries: Int64s) -> None:
        held = self._table.columns
        held["inside"][entries] = 1
        heap = self.at(columns, "root"), held["child"], held["sibling"], self._keys()
        kernels.push(*heap, entries, held["owner"][entries])

    def _rebuild(self, columns: Columns) -> None:
        """Make all heaps anew, without the values that are gone."""
        held = self._table.columns
        live = self._table.live_slots()
        self.at(columns, "root")[np.unique(held["owner"][live])] = 0
        count = held["count"][live]
        held["inside"][live] = 0
        self._push(columns, live[count > 0])
        self._drop(live[count == 0])
        self._gone, self._owed = 0, int((count < 0).sum())

    def _drop(self, entries: Int64s) -> None:
        """Forget values."""
        self._table.delete(entries)

    def _keys(self) -> tuple[Any, ...]:
        """Return what orders entries, for the kernels."""
        held = self._table.columns
        return held["high"], held["low"], _NO_PLACES, _NO_PLACES, _NO_BYTES, self._largest

    @property
    def _largest(self) -> bool:
        return self.call.function == "MAX"

    def _note(self, entries: Int64s, values: pa.Array) -> None:
        """Remember two words that order the values of new entries, the best one first."""
        words = order_words(values, OrderKey(0, descending=self._largest))
        held = self._table.columns
        held["high"][entries] = words[0]
        if len(words) > 1:
            held["low"][entries] = words[1].view(np.uint64) ^ np.uint64(1 << 63)


class TextExtreme(HeapExtreme):
    """The same for texts and bytes, in the order of their bytes: the first 16 stand in the words, the others in an arena.

    The arena is made anew, without values that are gone, when these have left most of it.
    """

    key_columns: ClassVar[dict[str, str]] = {"start": "i8", "length": "i4"}

    def open(self, state: StateBackend, name: str) -> None:
        """Make the table of values and an empty arena."""
        super().open(state, name)
        self._arena = np.empty(_ARENA_BYTES_MIN, np.uint8)
        self._used = self._live = 0

    def _keys(self) -> tuple[Any, ...]:
        held = self._table.columns
        return held["high"], held["low"], held["start"], held["length"], self._arena, self._largest

    def _note(self, entries: Int64s, values: pa.Array) -> None:
        offsets, data = text_buffers(values)
        highs, lows = np.empty(len(values), np.uint64), np.empty(len(values), np.uint64)
        kernels.prefixes(offsets, data, highs, lows)
        if self._largest:
            highs, lows = ~highs, ~lows
        held = self._table.columns
        held["high"][entries] = (highs ^ np.uint64(1 << 63)).view(np.int64)
        held["low"][entries] = lows
        size = int(np.maximum(np.diff(offsets) - kernels.PREFIX_BYTES, 0).sum())
        if self._used + size > len(self._arena):
            self._compact(entries, self._live + size)
        self._used = kernels.keep_rests(
            offsets, data, self._arena, self._used, held["start"], held["length"], np.asarray(entries, np.int64)
        )
        self._live += size

    def _drop(self, entries: Int64s) -> None:
        lengths = self._table.columns["length"][entries].astype(np.int64)
        self._live -= int(np.maximum(lengths - kernels.PREFIX_BYTES, 0).sum())
        super()._drop(entries)

    def _compact(self, fresh: Int64s, wanted: int) -> None:
        """Move what is alive, but for ``fresh`` entries, into an arena with room for ``wanted`` bytes and as many again."""
        held = self._table.columns
        held["length"][fresh] = 0
        arena = np.empty(max(2 * wanted, _ARENA_BYTES_MIN), np.uint8)
        self._used = kernels.move_rests(self._arena, held["start"], held["length"], self._table.live_slots(), arena)
        self._arena = arena
