"""Aggregates that keep values rather than numbers: PERCENTILE, lists, MIN and MAX of texts, the first or last of anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.frozen import beside
from fluxcore.core.types import RowType
from fluxcore.operators import chain_kernels as kernels
from fluxcore.operators.aggregates.base import Accumulator, Rows, numbers
from fluxcore.operators.chains import entries_of
from fluxcore.operators.sort_words import dense_codes, equality_words, stable_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.ports import RowTable, StateBackend
    from fluxcore.operators.aggregates.base import Columns, Int64s


class Values(Accumulator):
    """Keeps the values of each slot in a chain; subclasses say what becomes of them."""

    mergeable = False
    takes_retractions = True
    keeps_nulls = False
    _table: RowTable

    def open(self, state: StateBackend, name: str) -> None:
        """Make the table of values."""
        assert self.arg_type is not None
        schema = pa.schema([("value", self.arg_type.arrow())])
        self._table = state.rows(name, schema, {"next": "i8", "prev": "i8", "owner": "i8", "order": "i8"})

    def columns(self) -> dict[str, str]:
        """Return the chain's head."""
        return {"head": "i8"}

    def update(self, columns: Columns, rows: Rows) -> None:
        """Keep values that count; a value taken back takes the earliest equal one away."""
        valid = rows.where if self.keeps_nulls else rows.valid()
        chosen = np.flatnonzero(valid) if len(valid) else np.arange(len(rows.slots))
        if len(rows.weights):
            back = chosen[rows.weights[chosen] < 0]
            chosen = chosen[rows.weights[chosen] > 0]
        slots, values = rows.slots[chosen], rows.args[0].take(pa.array(chosen))
        self._keep(columns, slots, values, rows.first_row + chosen)
        if len(rows.weights) and len(back):
            self._take_back(columns, rows.slots[back], rows.args[0].take(pa.array(back)))

    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:  # noqa: ARG002
        """Take the values that :meth:`take_over` brings over."""
        raise AssertionError("kept values are merged by take_over")

    def take_over(self, giver: Accumulator, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Add the values of another table's slots."""
        assert isinstance(giver, Values)
        places, entries = giver._entries(source, from_slots)
        values, order = giver._table.take(entries)[0], giver._table.columns["order"][entries]
        self._keep(into, slots[places], values, order)

    def forget(self, columns: Columns, slots: Int64s) -> None:
        """Drop the values of these slots."""
        _, entries = self._entries(columns, slots)
        self._table.remove(entries)
        self.at(columns, "head")[slots] = 0

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:
        """Return the values with their order of arrival."""
        places, entries = self._entries(columns, slots)
        arrays = [pa.array(places), self._table.take(entries)[0], pa.array(self._table.columns["order"][entries])]
        return {"values": beside(pa.RecordBatch.from_arrays(arrays, ["place", "value", "order"]), 0, owner)}

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take values back."""
        places, values, order = frozen["values"].columns
        self.at(columns, "head")[slots] = 0
        self._keep(columns, slots[np.asarray(places)], values, np.asarray(order))

    def _keep(self, columns: Columns, slots: Int64s, values: pa.Array, order: Int64s) -> None:
        if not len(slots):
            return
        entries = self._table.add(pa.RecordBatch.from_arrays([values], ["value"]))
        chain = self._table.columns
        chain["order"][entries] = order
        kernels.link(self.at(columns, "head"), chain["next"], chain["prev"], chain["owner"], entries, slots)

    def _take_back(self, columns: Columns, slots: Int64s, values: pa.Array) -> None:
        """Remove the earliest equal value of each slot and value."""
        groups, inverse = np.unique(slots, return_inverse=True)
        places, entries = self._ordered(columns, groups)
        held = self._table.take(entries)[0]
        words = [np.concatenate((places, inverse.reshape(-1))), *equality_words(pa.concat_arrays([held, values]))]
        codes, count = dense_codes(words, len(places) + len(slots))
        wanted = np.bincount(codes[len(places) :], minlength=count)
        mine = codes[: len(places)]
        by_code = stable_order([mine], len(mine))
        starts = np.zeros(count, np.int64)
        np.cumsum(np.bincount(mine, minlength=count)[:-1], out=starts[1:])
        rank = np.empty(len(mine), np.int64)
        rank[by_code] = np.arange(len(mine)) - starts[mine[by_code]]
        self._drop(columns, entries[rank < wanted[mine]])

    def _drop(self, columns: Columns, entries: Int64s) -> None:
        chain, empty = self._table.columns, np.empty(len(entries), np.int64)
        kernels.unlink(self.at(columns, "head"), chain["next"], chain["prev"], chain["owner"], entries, empty)
        self._table.remove(entries)

    def _entries(self, columns: Columns, slots: Int64s) -> tuple[Int64s, Int64s]:
        """Return for each value of ``slots``: the place within ``slots`` (rising), and its entry."""
        return entries_of(self.at(columns, "head"), self._table.columns["next"], slots)

    def _ordered(self, columns: Columns, slots: Int64s) -> tuple[Int64s, Int64s]:
        """Return what :meth:`_entries` does, the values of a slot in the order of arrival."""
        places, entries = self._entries(columns, slots)
        order = stable_order([places, self._table.columns["order"][entries]], len(places))
        return places[order], entries[order]

    def _lists(self, columns: Columns, slots: Int64s) -> tuple[NDArrayInt32, pa.Array]:
        """Return offsets (one more than slots) and the values of all slots, each slot's in the order of arrival."""
        places, entries = self._ordered(columns, slots)
        offsets = np.zeros(len(slots) + 1, np.int32)
        np.cumsum(np.bincount(places, minlength=len(slots)), out=offsets[1:])
        return offsets, self._table.take(entries)[0]


NDArrayInt32 = Any


class Percentile(Values):
    """PERCENTILE(x, share): exact, interpolated between the two nearest values; of several shares an array.

    A value with a frequency comes as a ROW of both, and counts so often.
    """

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the percentiles; NULL of nothing."""
        shares = self.call.parameters[0]
        groups, entries = self._entries(columns, slots)
        values, times = self._table.take(entries)[0], np.ones(len(entries), np.int64)
        if isinstance(self.arg_type, RowType):
            values, frequencies = values.flatten()
            times = numbers(frequencies)
        if not len(times) or shares == ():
            return pa.nulls(len(slots), self.call.type.arrow())
        doubles = values.cast(pa.float64()) if pa.types.is_decimal(values.type) else values
        found = numbers(doubles).astype(np.float64)
        order = np.lexsort((found, groups))
        ranked, groups, times = found[order], groups[order], times[order]
        counts = np.bincount(groups, times, minlength=len(slots)).astype(np.int64)
        ends, nulls = np.cumsum(times), counts == 0
        firsts = np.cumsum(counts) - counts
        if not isinstance(shares, tuple):
            return pa.array(_percentiles(ranked, ends, firsts, counts, shares), mask=nulls)
        each = [_percentiles(ranked, ends, firsts, counts, share) for share in shares]
        offsets = pa.array(np.arange(len(slots) + 1, dtype=np.int32) * len(shares))
        return pa.ListArray.from_arrays(offsets, pa.array(np.stack(each, axis=1).reshape(-1)), mask=pa.array(nulls))


def _percentiles(ranked: Any, ends: Int64s, firsts: Int64s, counts: Int64s, share: Any) -> Any:
    """Return the percentile of each group.

    In: ``ranked`` the different or equal values of all groups, sorted; ``ends`` how many stand up to the end of each;
    ``firsts`` how many stand before each group, and ``counts`` how many in it.
    """
    place = np.maximum(counts - 1, 0) * float(share)
    low = np.floor(place)
    at = firsts + low.astype(np.int64)
    below, above = (ranked[np.minimum(np.searchsorted(ends, each, "right"), len(ranked) - 1)] for each in (at, at + 1))
    exact = place == low  # so that an infinity beside a value does not turn it into NaN
    part = np.where(exact, 0.0, place - low)
    return np.where(exact, below, below + (np.where(exact, below, above) - below) * part)


class ListAgg(Values):
    """LISTAGG(x, separator): the texts in the order of arrival; NULL of nothing."""

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the joined texts."""
        offsets, values = self._lists(columns, slots)
        separator = str(self.call.parameters[0]) if self.call.parameters else ","
        joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), values), separator)
        empty = np.diff(offsets) == 0
        return pc.if_else(pa.array(empty), pa.scalar(None, pa.string()), joined) if empty.any() else joined


class ArrayAgg(Values):
    """ARRAY_AGG(x): all values, NULLs too, in the order of arrival; NULL of nothing."""

    keeps_nulls = True

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the lists."""
        offsets, values = self._lists(columns, slots)
        empty = np.diff(offsets) == 0
        type_ = self.call.type.arrow()
        mask = pa.array(empty) if empty.any() else None
        return pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask).cast(type_)


class Collect(Values):
    """COLLECT(x): how often each value occurs."""

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the multisets."""
        places, entries = self._ordered(columns, slots)
        values = self._table.take(entries)[0]
        codes, count = dense_codes([places, *equality_words(values)], len(places))
        first = np.full(count, len(codes), np.int64)
        np.minimum.at(first, codes, np.arange(len(codes)))
        by_arrival = np.argsort(first)
        first = first[by_arrival]
        offsets = np.zeros(len(slots) + 1, np.int32)
        np.cumsum(np.bincount(places[first], minlength=len(slots)), out=offsets[1:])
        type_ = self.call.type.arrow()
        items = pa.array(np.bincount(codes, minlength=count)[by_arrival].astype(np.int32))
        keys = values.take(pa.array(first)).cast(type_.key_type)
        return pa.MapArray.from_arrays(pa.array(offsets), keys, items).cast(type_)


class Chosen(Values):
    """One value of each slot: MIN or MAX of anything that has an order, FIRST_VALUE or LAST_VALUE."""

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the chosen values; NULL of nothing."""
        groups, entries = self._entries(columns, slots)
        chosen = entries[self._best(groups, entries)]
        places = np.full(len(slots), -1, np.int64)
        places[self._groups_of(groups)] = np.arange(len(chosen))
        values = self._table.take(chosen)[0]
        return values.take(pa.array(places, mask=places < 0)).cast(self.call.type.arrow())

    def _best(self, groups: Int64s, entries: Int64s) -> Int64s:
        """Return the place of the best entry of each group, by group."""
        if self.call.function in ("FIRST_VALUE", "LAST_VALUE"):
            rank = self._table.columns["order"][entries]
        else:
            rank = np.asarray(pc.rank(self._table.take(entries)[0], tiebreaker="dense")).astype(np.int64)
        if self.call.function in ("MAX", "LAST_VALUE"):
            rank = -rank
        order = np.lexsort((rank, groups))
        return order[_firsts(groups[order])]

    @staticmethod
    def _groups_of(groups: Int64s) -> Int64s:
        return groups[_firsts(groups)]


class ChosenForever(Chosen):
    """The same over rows that are never taken back: only the best value of each slot is kept."""

    takes_retractions = False

    def update(self, columns: Columns, rows: Rows) -> None:
        """Keep values, and of each slot touched only the best."""
        super().update(columns, rows)
        self._shrink(columns, np.unique(rows.slots))

    def take_over(self, giver: Accumulator, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Add the best values of another table's slots."""
        super().take_over(giver, into, slots, source, from_slots)
        self._shrink(into, np.unique(slots))

    def _shrink(self, columns: Columns, slots: Int64s) -> None:
        groups, entries = self._entries(columns, slots)
        if len(entries) > len(slots) or len(entries) > len(self._groups_of(groups)):
            worse = np.ones(len(entries), np.bool_)
            worse[self._best(groups, entries)] = False
            self._drop(columns, entries[worse])


def _firsts(groups: Int64s) -> Any:
    """Return where a new group starts in grouped places."""
    first = np.ones(len(groups), np.bool_)
    first[1:] = groups[1:] != groups[:-1]
    return first
