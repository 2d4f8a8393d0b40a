"""The results that windows gave last, so that the next ones can stand in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import beside
from fluxcore.operators import chain_kernels
from fluxcore.operators.chains import entries_of
from fluxcore.operators.sort_words import equality_words

if TYPE_CHECKING:
    from fluxcore.core.batch import Bools, Int64s
    from fluxcore.core.ports import StateBackend
    from fluxcore.operators.aggregates.base import Columns


class GivenResults:
    """Rows in chains, one a window; a session that others became a part of has theirs too.

    Cost: a result is copied once, and read again when another stands in its place.
    """

    def __init__(self, state: StateBackend, schema: pa.Schema, columns: Columns) -> None:
        self._schema = schema
        self._columns = columns
        self._table = state.rows("given", schema, dict.fromkeys(("next", "prev", "owner"), "i8"))

    @staticmethod
    def columns() -> dict[str, str]:
        """Return the state column of the table of windows."""
        return {"given": "i8"}

    def replace(self, slots: Int64s, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, Int64s, Int64s]:
        """Give results of distinct windows; return changes, their weights (+1, -1) and the place of each among ``slots``.

        A result that is the same as the one before it gives nothing.
        """
        places, old = entries_of(self._columns["given"], self._table.columns["next"], slots)
        if not len(old):
            self._link(slots, rows)
            return rows, np.ones(len(slots), np.int64), np.arange(len(slots))
        before = pa.RecordBatch.from_arrays(self._table.take(old), schema=self._schema)
        alone = np.bincount(places, minlength=len(slots))[places] == 1
        same = np.zeros(len(slots), np.bool_)
        same[places] = alone & _equal(before, rows.take(pa.array(places)))
        gone, new = np.flatnonzero(~same[places]), np.flatnonzero(~same)
        chain_kernels.unlink(*self._links(), old[gone], np.empty(len(gone), np.int64))
        self._table.remove(old[gone])
        fresh = rows.take(pa.array(new))
        self._link(slots[new], fresh)
        both = pa.Table.from_batches([before.take(pa.array(gone)), fresh]).combine_chunks().to_batches()
        weights = np.repeat(np.array([-1, 1], np.int64), [len(gone), len(new)])
        owners = np.concatenate([places[gone], new])
        order = np.lexsort((weights, owners))
        changes = both[0].take(pa.array(order)) if both else fresh
        return changes, weights[order], owners[order]

    def forget(self, slots: Int64s) -> None:
        """Let the results of these distinct windows stand for good."""
        _, old = entries_of(self._columns["given"], self._table.columns["next"], slots)
        if len(old):
            chain_kernels.unlink(*self._links(), old, np.empty(len(old), np.int64))
            self._table.remove(old)

    def join(self, into: Int64s, gone: Int64s) -> None:
        """Let the results of windows be replaced together with those of others, which they have become."""
        places, entries = entries_of(self._columns["given"], self._table.columns["next"], gone)
        self._columns["given"][gone] = 0
        chain_kernels.link(*self._links(), entries, into[places])

    def freeze(self, slots: Int64s) -> pa.RecordBatch:
        """Return the results with the places of their windows among ``slots``."""
        places, entries = entries_of(self._columns["given"], self._table.columns["next"], slots)
        names = ["window", *(f"row{index}" for index in range(len(self._schema)))]
        rows = pa.RecordBatch.from_arrays([pa.array(places), *self._table.take(entries)], names)
        return beside(rows, 0, "windows")

    def restore(self, slots: Int64s, frozen: pa.RecordBatch) -> None:
        """Take results back for windows that are now at ``slots``."""
        self._columns["given"][slots] = 0
        places, *columns = frozen.columns
        if len(places):
            self._link(slots[np.asarray(places)], pa.RecordBatch.from_arrays(columns, schema=self._schema))

    @property
    def count(self) -> int:
        """Return the number of results kept."""
        return self._table.count

    @property
    def nbytes(self) -> int:
        """Return their bytes."""
        return self._table.nbytes

    def _link(self, slots: Int64s, rows: pa.RecordBatch) -> None:
        entries = self._table.add(rows)
        chain_kernels.link(*self._links(), entries, slots)

    def _links(self) -> tuple[Any, Any, Any, Any]:
        chain = self._table.columns
        return self._columns["given"], chain["next"], chain["prev"], chain["owner"]


def _equal(left: pa.RecordBatch, right: pa.RecordBatch) -> Bools:
    same: Bools = np.ones(left.num_rows, np.bool_)
    for a, b in zip(left.columns, right.columns, strict=True):
        for word in equality_words(pa.concat_arrays([a, b])):
            same &= word[: len(a)] == word[len(a) :]
    return same
