"""Rows of keys as they were at any time that may still be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.hashing import hash_columns
from fluxcore.core.time import MAX_TIME_MS
from fluxcore.operators import chain_kernels
from fluxcore.operators.chains import entries_of
from fluxcore.operators.joins import version_kernels as kernels
from fluxcore.operators.rows import RowBuffer
from fluxcore.operators.sort_words import stable_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.batch import Batch, Bools, Int64s
    from fluxcore.core.ports import StateBackend
    from fluxcore.core.types import DataType

_NEVER = np.int64(MAX_TIME_MS)
_PENDING = pa.schema([("slot", pa.int64())])
_KEY = ("head", "top", "gone", "gone_at", "versions")
_ROW = ("time", "since", "until", "serial", "hash", "key", "next", "prev", "below")
_FROZEN = ("time", "since", "until", "serial", "gone", "gone_at")


class Versions:
    """The versions of each key: a row holds from its time on, until the next one's or until it is taken back.

    A version can be seen from ``since`` on: its time, or the time after the watermark that it came behind. One whose time
    has come stands in a chain of its key. Of an ``updated`` table a row replaces the one that its key had: where it is
    older, the row that it replaces holds no more. All times are in ms.
    Cost: a change is O(1) but for what it ends; each version is sorted once, when its time comes.
    """

    def __init__(self, schema: pa.Schema, keys: Sequence[DataType], state: StateBackend, *, updated: bool) -> None:
        self._schema = schema
        self._updated = updated
        self._keys = state.table("versions", keys, dict.fromkeys(_KEY, "i8"))
        self._rows = state.rows("rows", schema, dict.fromkeys(_ROW, "i8"))
        self._pending = RowBuffer(_PENDING)
        self._touched: list[Int64s] = []
        self._gone: list[Int64s] = []
        self._serial = 0

    @property
    def count(self) -> int:
        """Return the number of versions."""
        return self._rows.count

    @property
    def nbytes(self) -> int:
        """Return the bytes kept."""
        return self._rows.nbytes + self._keys.nbytes + self._pending.nbytes

    def add(self, batch: Batch, keys: Sequence[pa.Array], times: Int64s, seen: Int64s) -> None:
        """Take rows and retractions. In: of each its key, its time, and the first time that it can still be seen at."""
        weights = batch.counts
        come = np.flatnonzero(weights > 0)
        owners = self._keys.upsert(keys)
        every = len(come) == batch.rows
        slots = np.full(batch.rows, -1, np.int64)
        slots[come] = self._rows.add(batch.data if every else batch.data.take(pa.array(come)))
        fresh = slots[come]
        columns = self._rows.columns
        since = np.maximum(times, seen)
        hashes = hash_columns(batch.data.columns).view(np.int64) if self._updated else np.zeros(batch.rows, np.int64)
        self._serial += batch.rows
        serials = self._serial - batch.rows + come
        values = {
            "time": times[come],
            "since": since[come],
            "serial": serials,
            "hash": hashes[come],
            "key": owners[come],
        }
        for name, each in values.items():
            columns[name][fresh] = each
        columns["until"][fresh] = _NEVER
        np.add.at(self._keys.columns["versions"], owners[come], 1)
        self._pending.append(pa.RecordBatch.from_arrays([pa.array(fresh)], schema=_PENDING), since[come])
        if self._updated:
            of_keys = tuple(self._keys.columns[name] for name in ("top", "gone", "gone_at"))
            of_rows = tuple(columns[name] for name in ("time", "until", "below", "hash"))
            kernels.take(owners, slots, weights, times, seen, hashes, of_keys, of_rows)
            self._note_gone(owners[weights < 0])
            self._forget_empty(owners)

    def arrive(self, watermark: int) -> None:
        """Put the versions whose time has come into the chains of their keys."""
        if not self._pending.due(watermark):
            return
        slots = np.asarray(self._pending.take_due(watermark)[0].column(0))
        owners = self._rows.columns["key"][slots]
        links = (self._rows.columns[name] for name in ("next", "prev", "key"))
        chain_kernels.link(self._keys.columns["head"], *links, slots, owners)
        self._touched.append(owners)

    def holding(self, keys: Sequence[pa.Array], times: Int64s, valid: Bools | None) -> Int64s:
        """Return the slot of the version that holds for each key at each time, -1 for none."""
        mine = self._keys.lookup(keys)
        if valid is not None:
            mine[~valid] = -1
        found = np.full(len(mine), -1, np.int64)
        rows = np.flatnonzero(mine >= 0)
        if not len(rows):
            return found
        asked, inverse = np.unique(mine[rows], return_inverse=True)
        places, slots = entries_of(self._keys.columns["head"], self._rows.columns["next"], asked)
        columns = self._rows.columns
        order = stable_order([places, columns["since"][slots]], len(slots))
        places, slots = places[order], slots[order]
        ranks = np.empty(len(slots), np.int64)
        ranks[stable_order([columns["time"][slots], columns["serial"][slots]], len(slots))] = np.arange(len(slots))
        questions = stable_order([inverse.reshape(-1), times[rows]], len(rows))
        rows, askers = rows[questions], inverse.reshape(-1)[questions].astype(np.int64)
        numbers = np.empty(len(rows), np.int64)
        kernels.find(places, columns["since"][slots], self._untils(slots), ranks, askers, times[rows], numbers)
        some = numbers >= 0
        found[rows[some]] = slots[numbers[some]]
        return found

    def settle(self, watermark: int) -> None:
        """Forget the versions that no time after the watermark needs, and keys that have none left."""
        touched = np.unique(np.concatenate([np.zeros(0, np.int64), *self._touched, *self._gone]))
        if not len(touched):
            return
        self._touched, self._gone = [], []
        keys, columns = self._keys.columns, self._rows.columns
        removed = np.empty(self._rows.count, np.int64)
        of_keys = tuple(keys[name] for name in ("head", "top", "gone", "gone_at", "versions"))
        of_rows = tuple(columns[name] for name in ("next", "prev", "below", "until", "time", "serial"))
        count = kernels.settle(touched, min(watermark + 1, MAX_TIME_MS - 1), of_keys, of_rows, removed)
        self._rows.remove(removed[:count])
        self._note_gone(touched)
        self._forget_empty(touched)

    def take(self, slots: Int64s, columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the rows at these slots: all columns, or those at some positions."""
        return self._rows.take(slots, columns)

    def freeze(self) -> pa.RecordBatch:
        """Return all versions in the order in which they came, with their times and whether their key is gone."""
        slots = self._rows.live_slots()
        slots = slots[np.argsort(self._rows.columns["serial"][slots])]
        columns, keys = self._rows.columns, self._keys.columns
        owners = columns["key"][slots]
        extra = [columns[name][slots] if name in columns else keys[name][owners] for name in _FROZEN]
        names = [f"row{index}" for index in range(len(self._schema))] + list(_FROZEN)
        return pa.RecordBatch.from_arrays([*self._rows.take(slots), *map(pa.array, extra)], names)

    def parts(self, frozen: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[str, Int64s]]:
        """Return the rows of a frozen state, and what is known of each."""
        width = len(self._schema)
        data = pa.RecordBatch.from_arrays(frozen.columns[:width], schema=self._schema)
        return data, {name: np.asarray(frozen.column(width + index)) for index, name in enumerate(_FROZEN)}

    def restore(self, data: pa.RecordBatch, keys: Sequence[pa.Array], extra: dict[str, Int64s], watermark: int) -> None:
        """Add the versions of a frozen state."""
        columns, by_key = self._rows.columns, self._keys.columns
        slots, owners = self._rows.add(data), self._keys.upsert(keys)
        order = stable_order([extra["serial"]], len(slots))
        self._serial = len(slots)
        columns["serial"][slots[order]] = np.arange(len(slots))
        for name in ("time", "since", "until"):
            columns[name][slots] = extra[name]
        columns["key"][slots] = owners
        for name in ("gone", "gone_at"):
            by_key[name][owners] = extra[name]
        np.add.at(by_key["versions"], owners, 1)
        if self._updated:
            columns["hash"][slots] = hash_columns(data.columns).view(np.int64)
            there = np.flatnonzero(extra["until"] == _NEVER)
            there = there[stable_order([extra["time"][there], columns["serial"][slots[there]]], len(there))]
            kernels.stack(owners[there], slots[there], by_key["top"], columns["below"])
            self._note_gone(owners)
        self._pending.append(pa.RecordBatch.from_arrays([pa.array(slots)], schema=_PENDING), extra["since"])
        self.arrive(watermark)

    def _untils(self, slots: Int64s) -> Int64s:
        """Return the first time at which each version holds no more."""
        untils, owners = self._rows.columns["until"][slots], self._rows.columns["key"][slots]
        gone = self._keys.columns["gone"][owners] == 1
        return np.where(gone, np.minimum(untils, self._keys.columns["gone_at"][owners]), untils)

    def _note_gone(self, owners: Int64s) -> None:
        """Look again, when the watermark rises, at those of the keys whose row was taken back."""
        gone = np.unique(owners[self._keys.columns["gone"][owners] == 1])
        if len(gone):
            self._gone.append(gone)

    def _forget_empty(self, owners: Int64s) -> None:
        owners = np.unique(owners)
        self._keys.delete(owners[self._keys.columns["versions"][owners] == 0])
