"""One side of a join: its rows by key, with how often each stands there and how many partners it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.frozen import keyed
from fluxcore.operators import chain_kernels as kernels
from fluxcore.operators.chains import portions
from fluxcore.operators.expiry import TOUCHED, Expiry, known_rows
from fluxcore.operators.rows import times_ms
from fluxcore.operators.sort_words import all_valid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fluxcore.core.batch import Bools, Int64s
    from fluxcore.core.ports import KeyedTable, RowTable, StateBackend
    from fluxcore.core.time import Clock
    from fluxcore.core.types import DataType

_CHAIN = {"time": "i8", "next": "i8", "prev": "i8", "key": "i8", "count": "i8", "partners": "i8"}


@dataclass(frozen=True, slots=True)
class JoinInput:
    """One input: its Arrow schema, its types, the positions of its keys, and whether its rows are never taken back.

    ``time`` is the position of the event time by which its rows are forgotten, if they are; ``ttl_ms`` after how long by the
    clock a row is forgotten that was not touched: by itself, or where its partners are counted by one of them.
    """

    schema: pa.Schema
    types: tuple[DataType, ...]
    keys: tuple[int, ...] = ()
    append_only: bool = True
    time: int | None = None
    ttl_ms: int | None = None


class JoinSide:
    """Keeps the rows of one input in chains by key. Rows whose key is NULL never come here.

    Rows that may be taken back are kept once with a count (which may be negative for a while) and found by their values in
    O(1); rows that are never taken back are kept as they come.
    """

    def __init__(
        self,
        options: JoinInput,
        key_types: Sequence[DataType],
        name: str,
        state: StateBackend,
        clock: Clock | None = None,
    ) -> None:
        self.options = options
        self._key_types = key_types
        self._keys: KeyedTable | None = state.table(f"{name} keys", key_types, {"head": "i8"}) if key_types else None
        self._alone = np.zeros(1, np.int64)
        self._plain: RowTable | None = None
        self._counted: KeyedTable | None = None
        columns = {**_CHAIN, TOUCHED: "i8"} if options.ttl_ms else _CHAIN
        if options.append_only:
            self._plain = state.rows(f"{name} rows", options.schema, columns)
        else:
            self._counted = state.table(f"{name} rows", options.types, columns)
        self.columns = (self._plain or self._table).columns
        self._expiry: Expiry | None = None
        if options.ttl_ms:
            assert clock is not None
            self._expiry = Expiry(options.ttl_ms, clock, self._plain or self._table)

    @property
    def _table(self) -> KeyedTable:
        assert self._counted is not None
        return self._counted

    @property
    def count(self) -> int:
        """Return the number of rows kept."""
        return self._plain.count if self._plain is not None else self._table.count

    @property
    def nbytes(self) -> int:
        """Return the bytes kept."""
        rows = self._plain.nbytes if self._plain is not None else self._table.nbytes
        return rows + (self._keys.nbytes if self._keys is not None else 0)

    def key_arrays(self, batch: Batch) -> list[pa.Array]:
        """Return the key columns of a batch of this input, in the types that both sides share."""
        return shared_keys(batch, self.options.keys, self._key_types)

    def valid_keys(self, batch: Batch) -> Bools | None:
        """Return which rows have no NULL in their key; None when all do."""
        return all_valid([batch.column(index) for index in self.options.keys])

    def find(self, keys: Sequence[pa.Array], rows: int) -> Int64s:
        """Return the slot of each key, -1 where no row has it."""
        return np.zeros(rows, np.int64) if self._keys is None else self._keys.lookup(keys)

    def pairs(self, found: Int64s) -> Iterator[tuple[Int64s, Int64s]]:
        """Return (row numbers, row slots here) of all pairs of keys from :meth:`find` with the rows kept, in portions."""
        found_pairs = portions(self._heads(), self.columns["next"], found)
        return found_pairs if self._expiry is None else self._living(found_pairs, self._expiry)

    def forget_expired(self, rows: int) -> None:
        """Forget some of the rows that are out of their lifetime, before a batch of ``rows`` is taken."""
        if self._expiry is not None:
            self._expiry.begin()
            self.remove(self._expiry.sweep(rows))

    def aging(self) -> Sequence[tuple[Expiry, Callable[[Int64s], None]]]:
        """Return what has a lifetime, if anything has."""
        return () if self._expiry is None else ((self._expiry, self.remove),)

    def touch(self, slots: Int64s) -> None:
        """Let the lives of rows begin anew, where they have one."""
        if self._expiry is not None:
            self._expiry.touch(slots)

    def partners(self, keys: Sequence[pa.Array], rows: int) -> Iterator[tuple[Int64s, Int64s]]:
        """Return (row numbers, row slots here) of all pairs of ``rows`` keys with the rows kept, in portions."""
        return self.pairs(self.find(keys, rows))

    def rows(self, slots: Int64s, columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the rows at these slots: all columns, or those at some positions."""
        if self._plain is not None:
            return self._plain.take(slots, columns)
        return self._table.key_columns(slots, columns)

    def counts(self, slots: Int64s) -> Int64s:
        """Return how often each of these rows stands here."""
        found: Int64s = self.columns["count"][slots]
        return found

    def add(self, batch: Batch, keys: Sequence[pa.Array], weights: Int64s, partners: Int64s | None) -> Int64s:
        """Add rows with their weights; return their slots. ``partners`` is how many each has on the other side."""
        if self._plain is not None:
            slots = self._plain.add(batch.data)
            fresh = np.arange(len(slots))
            self.columns["count"][slots] = 1
        else:
            slots, fresh = self._counted_slots(batch, weights)
        self.touch(slots)
        if partners is not None:
            self.columns["partners"][slots] = partners
        if self.options.time is not None:
            name = self.options.schema.field(self.options.time).name
            self.columns["time"][slots] = times_ms(batch.column(self.options.time), name)
        new = slots[fresh]
        owners = np.zeros(len(new), np.int64)
        if self._keys is not None:
            at = pa.array(fresh)
            owners = self._keys.upsert([key.take(at) for key in keys] if len(fresh) < batch.rows else keys)
        columns = self.columns
        kernels.link(self._heads(), columns["next"], columns["prev"], columns["key"], new, owners)
        if self._counted is not None:
            touched = np.unique(slots)
            self.remove(touched[columns["count"][touched] == 0])
        return slots

    def _counted_slots(self, batch: Batch, weights: Int64s) -> tuple[Int64s, Int64s]:
        """Count rows in; return their slots and which of them are new. What was forgotten before can't be taken back."""
        if self._expiry is None:
            slots, fresh = self._table.upsert_new(batch.data.columns)
            np.add.at(self.columns["count"], slots, weights)
            return slots, fresh
        old = self._table.lookup(batch.data.columns)
        old = np.unique(old[old >= 0])
        self.remove(old[self._expiry.over(old)])
        slots, fresh = self._table.upsert_new(batch.data.columns)
        known = known_rows(self.columns["count"], slots, weights)
        np.add.at(self.columns["count"], slots[known], weights[known])
        return slots, fresh

    @staticmethod
    def _living(pairs: Iterator[tuple[Int64s, Int64s]], expiry: Expiry) -> Iterator[tuple[Int64s, Int64s]]:
        for rows, slots in pairs:
            over = expiry.over(slots)
            yield (rows[~over], slots[~over]) if over.any() else (rows, slots)

    def remove(self, slots: Int64s) -> None:
        """Forget the rows at these distinct slots, and keys that have none left."""
        if not len(slots):
            return
        columns, empty = self.columns, np.empty(len(slots), np.int64)
        count = kernels.unlink(self._heads(), columns["next"], columns["prev"], columns["key"], slots, empty)
        if self._plain is not None:
            self._plain.remove(slots)
        else:
            self._table.delete(slots)
        if self._keys is not None:
            self._keys.delete(empty[:count])

    def clear(self) -> None:
        """Forget all rows."""
        self.remove(self.live_slots())

    def past(self, bound: int) -> Int64s:
        """Return the slots of the rows with a time of at most ``bound`` (ms)."""
        slots = self.live_slots()
        return slots[self.columns["time"][slots] <= bound]

    def freeze(self) -> pa.RecordBatch:
        """Return all rows with their counts and partners, and when they were touched (the chains are made again)."""
        slots = self.live_slots()
        kept = ["count", "partners", *([TOUCHED] if self._expiry is not None else [])]
        extra = [pa.array(self.columns[name][slots]) for name in kept]
        names = [f"row{index}" for index in range(len(self.options.schema))] + kept
        return keyed(pa.RecordBatch.from_arrays([*self.rows(slots), *extra], names), self.options.keys)

    def restore(self, frozen: pa.RecordBatch) -> Int64s:
        """Add what :meth:`freeze` gave; return the slots of its rows."""
        width = len(self.options.schema)
        batch = Batch(pa.RecordBatch.from_arrays(frozen.columns[:width], schema=self.options.schema))
        if self._expiry is not None:
            self._expiry.begin()
        counts, partners = (np.asarray(frozen.column(name)) for name in ("count", "partners"))
        slots = self.add(batch, self.key_arrays(batch), counts, partners)
        if self._expiry is not None and TOUCHED in frozen.schema.names:
            self.columns[TOUCHED][slots] = np.asarray(frozen.column(TOUCHED))
        return slots

    def live_slots(self) -> Int64s:
        """Return the slots of all rows."""
        return self._plain.live_slots() if self._plain is not None else self._table.live_slots()

    def _heads(self) -> Int64s:
        return self._alone if self._keys is None else self._keys.columns["head"]


def shared_keys(data: Batch | pa.RecordBatch, keys: Sequence[int], types: Sequence[DataType]) -> list[pa.Array]:
    """Return the key columns of one input in the types that both inputs share."""
    arrays = [data.column(index) for index in keys]
    wanted = [type_.arrow() for type_ in types]
    return [array if array.type == type_ else array.cast(type_) for array, type_ in zip(arrays, wanted, strict=True)]
