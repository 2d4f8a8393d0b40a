"""Ways to keep the rows that a changelog leaves behind, so that they can be read at any time.

Each takes changes, gives those that it made of them, and returns the rows as Arrow batches. None is safe between threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch, data_bytes
from fluxcore.core.types import BIGINT
from fluxcore.limits import BATCH_ROWS
from fluxcore.operators.materialize import Multiset
from fluxcore.plan.changelog import is_append_only, unique_key
from fluxcore.state.rows import RowTable
from fluxcore.state.table import KeyedTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.schema import Schema
    from fluxcore.plan.nodes import Node


class Rows(Protocol):
    """Rows that are kept."""

    follows: bool
    """Whether :meth:`add` tells what changed."""
    updates: bool
    """Whether it may tell that a row goes."""

    def add(self, batch: Batch) -> Batch:
        """Take changes; return what they changed."""
        ...

    def batches(self) -> list[pa.RecordBatch]:
        """Return the rows as of now."""
        ...

    @property
    def count(self) -> int:
        """Return the number of rows."""
        ...

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        ...

    def close(self) -> None:
        """Give the memory back."""
        ...


def rows_for(plan: Node, key: Sequence[int], *, final: bool = False) -> Rows:
    """Return what keeps the rows of a plan as it runs: batches as they come, rows by key, or a bag of rows.

    ``key`` are the positions of the primary key. With ``final`` the job takes nothing back, whatever its query does.
    """
    schema = plan.schema
    if final or is_append_only(plan):
        return KeyedRows(schema, key, replaces=True) if key else AppendedRows(schema)
    unique = unique_key(plan)
    if unique is not None and (not key or set(unique) <= set(key)):
        return KeyedRows(schema, unique)
    return BagOfRows(schema, key)


class AppendedRows:
    """Rows that only ever come, as batches; small ones are joined, so that there are never many."""

    follows = True
    updates = False

    def __init__(self, schema: Schema) -> None:
        self._schema = _plain(schema)
        self._batches: list[pa.RecordBatch] = []
        self.count = 0
        self.nbytes = 0

    def add(self, batch: Batch) -> Batch:
        """Take rows and return them."""
        data = pa.RecordBatch.from_arrays(batch.data.columns, schema=self._schema)
        self.count += data.num_rows
        self.nbytes += data_bytes(data)
        kept = self._batches
        while kept and kept[-1].num_rows <= 2 * data.num_rows and kept[-1].num_rows + data.num_rows <= BATCH_ROWS:
            data = pa.concat_batches([kept.pop(), data])
        kept.append(data)
        return batch

    def batches(self) -> list[pa.RecordBatch]:
        """Return the rows as of now, in the order in which they came; nothing is copied."""
        return list(self._batches)

    def close(self) -> None:
        """Forget all rows."""
        self._batches.clear()


class KeyedRows:
    """One row of each key at a time. In: ``key`` positions in ``schema``, none for a single row.

    Without ``replaces`` the input takes back what it gave before, and retractions that come before their rows are counted; with
    it each row takes the place of the one before. Rows stand in the order in which their keys came.
    Cost: a look-up, and a copy in and out, for each key of a batch.
    """

    follows = True
    updates = True

    def __init__(self, schema: Schema, key: Sequence[int], *, replaces: bool = False) -> None:
        self._schema = _plain(schema)
        self._key = tuple(key)
        self._replaces = replaces
        types = [schema[index].type for index in self._key] or [BIGINT.with_nullable(False)]
        self._keys = KeyedTable(types, {"count": "i8", "place": "i8"})
        self._rows = RowTable(self._schema, {})

    def add(self, batch: Batch) -> Batch:
        """Take changes; return each key's old row, if it had one that goes, and then all new ones."""
        keys = [batch.column(index) for index in self._key] or [np.zeros(batch.rows, np.int64)]
        slots = self._keys.upsert(keys)
        order = np.argsort(slots, kind="stable")
        ordered = slots[order]
        firsts = np.flatnonzero(np.diff(ordered, prepend=-1))
        touched = ordered[firsts]
        weights = batch.counts[order]
        newest = np.maximum.reduceat(np.where(weights > 0, order, -1), firsts)
        counts, places = self._keys.columns["count"], self._keys.columns["place"]
        counts[touched] = 1 if self._replaces else counts[touched] + np.add.reduceat(weights, firsts)
        stays, had = counts[touched] > 0, places[touched]
        comes = stays & (newest >= 0)
        goes = (had > 0) & (comes | ~stays)
        old = self._rows.take(had[goes] - 1)
        self._rows.remove(had[goes] - 1)
        places[touched[goes]] = 0
        new = batch.data.take(pa.array(newest[comes]))
        new = pa.RecordBatch.from_arrays(new.columns, schema=self._schema)
        places[touched[comes]] = self._rows.add(new) + 1
        self._keys.delete(touched[counts[touched] == 0])
        gone = pa.RecordBatch.from_arrays(old, schema=self._schema)
        signs = np.concatenate([np.full(gone.num_rows, -1, np.int8), np.ones(new.num_rows, np.int8)])
        return Batch(pa.concat_batches([gone, new]), signs)

    def batches(self) -> list[pa.RecordBatch]:
        """Return a copy of the rows as of now."""
        places = self._keys.columns["place"][self._keys.live_slots()]
        places = places[places > 0] - 1
        parts = [places[start : start + BATCH_ROWS] for start in range(0, len(places), BATCH_ROWS)]
        return [pa.RecordBatch.from_arrays(self._rows.take(part), schema=self._schema) for part in parts]

    @property
    def count(self) -> int:
        """Return the number of rows."""
        return self._rows.count

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        return self._rows.nbytes + self._keys.nbytes

    def close(self) -> None:
        """Give the memory back."""
        self._keys.close()
        self._rows.close()


class BagOfRows:
    """Rows of which equal ones may repeat; with ``last`` only the last row of each key at these positions is shown.

    Cost: amortised a sort for every doubling, and one for each reading after a change.
    """

    updates = True

    def __init__(self, schema: Schema, last: Sequence[int] = ()) -> None:
        self._schema = _plain(schema)
        self._last = tuple(last)
        self._types = [schema[index].type for index in self._last]
        self._rows = Multiset(self._schema)
        self.follows = not last

    def add(self, batch: Batch) -> Batch:
        """Take changes and return them."""
        self._rows.add(batch)
        return batch

    def batches(self) -> list[pa.RecordBatch]:
        """Return the rows as of now, in the order in which they came."""
        frozen = self._rows.freeze()
        weights = np.asarray(frozen.column(frozen.num_columns - 1))
        data = pa.RecordBatch.from_arrays(frozen.columns[:-1], schema=self._schema)
        if (weights < 0).any():
            data = data.filter(pa.array(weights > 0))
        if self._last and data.num_rows:
            data = data.take(pa.array(self._lasts(data)))
        return [data.slice(start, BATCH_ROWS) for start in range(0, data.num_rows, BATCH_ROWS)]

    @property
    def count(self) -> int:
        """Return the number of rows and of retractions that wait for theirs."""
        return self._rows.rows

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        return self._rows.nbytes

    def close(self) -> None:
        """Forget all rows."""
        self._rows.take()

    def _lasts(self, data: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        keys = KeyedTable(self._types, {})
        slots = keys.upsert([data.column(index) for index in self._last])
        last = np.zeros(keys.high, np.int64)
        np.maximum.at(last, slots, np.arange(data.num_rows))
        keys.close()
        return np.sort(last)


def _plain(schema: Schema) -> pa.Schema:
    return pa.schema([pa.field(column.name, column.type.arrow()) for column in schema])
