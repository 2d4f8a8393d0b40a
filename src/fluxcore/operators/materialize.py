"""Turns a changelog into the table that it leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.ports import Operator
from fluxcore.limits import BATCH_ROWS
from fluxcore.operators.rows import RowBuffer
from fluxcore.operators.sort_words import changes, equality_words, stable_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Bools, Int64s


class Multiset:
    """Rows with weights, of which equal ones of opposite weight cancel out.

    A retraction takes away the earliest equal row; retractions that come before their rows wait for them. Rows are
    compared as keys are (NULL equals NULL, NaN equals NaN, -0.0 equals 0.0).
    Cost: amortised one sort of the rows kept for every doubling.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._buffer = RowBuffer(schema)
        self._settle_at = 2 * BATCH_ROWS
        self._settled = True

    def add(self, batch: Batch) -> None:
        """Add a batch's rows with their weights."""
        if batch.weights is None:
            weights = np.ones(batch.rows, np.int64)
        else:
            weights = batch.weights.astype(np.int64)
            self._settled = self._settled and bool((weights > 0).all())
        self._buffer.append(batch.data, weights)
        if self._buffer.rows > self._settle_at:
            self._settle()
            self._settle_at = max(2 * BATCH_ROWS, 2 * self._buffer.rows)

    def take(self) -> pa.RecordBatch:
        """Remove all rows and return those that remain, in the order in which they came."""
        self._settle()
        data, weights = self._buffer.take_all()
        return data if (weights > 0).all() else data.filter(pa.array(weights > 0))

    @property
    def rows(self) -> int:
        """Return the number of rows and retractions kept."""
        return self._buffer.rows

    @property
    def nbytes(self) -> int:
        """Return the bytes kept."""
        return self._buffer.nbytes

    def freeze(self, keys: Sequence[int] = ()) -> pa.RecordBatch:
        """Return the rows with their weights as the last column, divided by ``keys``."""
        self._settle()
        return self._buffer.freeze(keys)

    def restore(self, frozen: pa.RecordBatch) -> None:
        """Replace the rows by those of a batch that :meth:`freeze` gave."""
        self._buffer.restore(frozen)
        self._settled = False

    def _settle(self) -> None:
        if self._settled:
            return
        data, weights = self._buffer.take_all()
        kept = _remaining(data, weights)
        if not kept.all():
            data, weights = data.filter(pa.array(kept)), weights[kept]
        self._buffer.append(data, weights)
        self._settled = bool((weights > 0).all())


class MaterializeOperator(Operator):
    """Collects a changelog and gives the final table when the input ends: append-only, in order of arrival."""

    def __init__(self, schema: pa.Schema) -> None:
        self._rows = Multiset(schema)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Keep the rows; nothing comes out before the end."""
        self._rows.add(batch)
        return ()

    def finish(self) -> Sequence[Batch]:
        """Return the final table in batches of bounded size."""
        return sliced(self._rows.take())

    @property
    def state_rows(self) -> int:
        return self._rows.rows

    @property
    def state_bytes(self) -> int:
        return self._rows.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the rows that remain so far, with weights."""
        return {"rows": self._rows.freeze()}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._rows.restore(frozen["rows"])


def sliced(data: pa.RecordBatch) -> list[Batch]:
    """Return rows as append-only batches of bounded size, without copying."""
    return [Batch(data.slice(start, BATCH_ROWS)) for start in range(0, data.num_rows, BATCH_ROWS)]


def _remaining(data: pa.RecordBatch, weights: Int64s) -> Bools:
    """Return which rows are left of each set of equal rows: the last ones of the sign that outweighs the other."""
    count = data.num_rows
    words = [word for column in data.columns for word in equality_words(column)]
    order = stable_order(words, count)
    firsts = np.flatnonzero(changes(words, order))
    ordered = weights[order]
    net = np.add.reduceat(ordered, firsts) if count else ordered
    sizes = np.diff(np.append(firsts, count))
    group_net = np.repeat(net, sizes)
    mine = (ordered > 0) == (group_net > 0)
    passed = np.cumsum(mine)
    group_ends = np.repeat(passed[firsts + sizes - 1], sizes) if count else passed
    kept = np.empty(count, np.bool_)
    kept[order] = mine & (group_ends - passed < np.abs(group_net))
    return kept
