"""Rows that were looked up outside, by key, for as long as they may be used again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.operators import chain_kernels as kernels
from fluxcore.operators.chains import entries_of, portions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcore.core.batch import Int64s
    from fluxcore.core.lookups import LookupOptions
    from fluxcore.core.ports import StateBackend
    from fluxcore.core.types import DataType

_KEY = ("head", "written", "touched")
_ROW = ("next", "prev", "key")


class FoundRows:
    """Keys that were asked for, each with its rows, or with none.

    ``written`` and ``touched`` (ms of the clock) are when a key was last asked outside, and asked for here.
    """

    def __init__(
        self, schema: pa.Schema, keys: Sequence[DataType], options: LookupOptions, state: StateBackend
    ) -> None:
        self._options = options
        self._width = len(keys)
        self._schema = schema
        self._keys = state.table("looked up", keys, dict.fromkeys(_KEY, "i8"))
        self._rows = state.rows("found", schema, dict.fromkeys(_ROW, "i8"))

    @property
    def count(self) -> int:
        """Return the number of keys and of rows."""
        return self._keys.count + self._rows.count

    @property
    def nbytes(self) -> int:
        """Return the bytes kept."""
        return self._keys.nbytes + self._rows.nbytes

    def known(self, keys: Sequence[pa.Array], now: int) -> Int64s:
        """Return the slot of each key whose rows are known and not too old, -1 of others."""
        slots = self._keys.lookup(keys)
        there = slots >= 0
        if there.any():
            options, columns, found = self._options, self._keys.columns, slots[there]
            for name, lasts in (("written", options.after_write_ms), ("touched", options.after_access_ms)):
                if lasts is not None:
                    slots[there] = np.where(columns[name][found] <= now - lasts, -1, slots[there])
            kept = slots[slots >= 0]
            columns["touched"][kept] = now
        return slots

    def asked(self, keys: Sequence[pa.Array]) -> tuple[Int64s, Int64s, Int64s]:
        """Return the slot of each key, making new ones; the different slots, and the first place of each."""
        slots = self._keys.upsert(keys)
        return slots, *np.unique(slots, return_index=True)

    def put(self, slots: Int64s, found: pa.RecordBatch, now: int) -> None:
        """Take what was found for the different keys ``slots``. Rows of other keys are left out."""
        columns = self._keys.columns
        _, old = entries_of(columns["head"], self._rows.columns["next"], slots)
        self._forget_rows(old)
        columns["head"][slots] = 0
        columns["written"][slots] = columns["touched"][slots] = now
        owners = self._keys.lookup(found.columns[: self._width])
        asked = np.flatnonzero(np.isin(owners, slots) & (owners >= 0))
        data = pa.RecordBatch.from_arrays(found.columns[self._width :], schema=self._schema)
        rows = self._rows.add(data.take(pa.array(asked)))
        links = (self._rows.columns[name] for name in _ROW)
        kernels.link(columns["head"], *links, rows[::-1].copy(), owners[asked][::-1].copy())

    def pairs(self, slots: Int64s) -> Iterator[tuple[Int64s, Int64s]]:
        """Return (places within ``slots``, rows) of all rows of these keys (-1: none), in portions."""
        return portions(self._keys.columns["head"], self._rows.columns["next"], slots)

    def rows(self, rows: Int64s, columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return rows: all columns, or those at some positions."""
        return self._rows.take(rows, columns)

    def tidy(self, slots: Int64s) -> None:
        """Forget, after the keys ``slots`` were answered, what is not to be used again."""
        options = self._options
        if not options.cached:
            self._forget(self._keys.live_slots())
            return
        if not options.missing:
            asked = np.unique(slots[slots >= 0])
            self._forget(asked[self._keys.columns["head"][asked] == 0])
        if options.rows_max is not None and self._keys.count > options.rows_max:
            live = self._keys.live_slots()
            oldest = live[np.argsort(self._keys.columns["touched"][live], kind="stable")]
            # a few more than must go, so that not every batch sorts
            self._forget(oldest[: len(live) - options.rows_max + options.rows_max // 16])

    def _forget(self, keys: Int64s) -> None:
        if len(keys):
            self._forget_rows(entries_of(self._keys.columns["head"], self._rows.columns["next"], keys)[1])
            self._keys.delete(keys)

    def _forget_rows(self, rows: Int64s) -> None:
        self._rows.remove(rows)
