"""Keeps the first rows of each partition in an order for ever, and says how they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.ports import Operator
from fluxcore.operators.rows import TAG, empty_rows
from fluxcore.operators.sort_words import dense_codes, equality_words, raw_values
from fluxcore.operators.window_rank import RankOptions, ranked_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Bools, Int64s


class TopNOperator(Operator):
    """Ranks append-only rows per partition and gives a changelog of ranks ``first..last`` after each batch.

    A row that falls out, or whose appended number changes, is retracted; all retractions of a batch come before its new
    rows. The rows carry no watermark steps.
    Cost: each batch is ranked together with the kept rows of the partitions that it touches; finding those looks at all
    kept rows.
    """

    def __init__(self, options: RankOptions) -> None:
        assert 1 <= options.first <= options.last
        self._options = options
        self._kept = empty_rows(options.schema)
        self._ranks = np.zeros(0, np.int64)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Rank the batch's rows among the kept ones; return what changed."""
        assert batch.weights is None or bool((batch.weights > 0).all()), "the ranking takes rows that are never updated"
        if batch.rows == 0:
            return ()
        touched = self._touched(batch.data)
        fresh = pa.RecordBatch.from_arrays(batch.data.columns, schema=self._options.schema)
        rest, rest_ranks = self._kept, self._ranks
        if touched is None:
            data, old = pa.concat_batches([rest, fresh]), rest_ranks
            rest, rest_ranks = rest.slice(0, 0), rest_ranks[:0]
        else:
            data, old = pa.concat_batches([rest.filter(pa.array(touched)), fresh]), rest_ranks[touched]
            rest, rest_ranks = rest.filter(pa.array(~touched)), rest_ranks[~touched]
        old = np.concatenate((old, np.zeros(batch.rows, np.int64)))
        rows, ranks = ranked_rows(data, [], self._options)
        new = np.empty(len(rows), np.int64)
        new[rows] = ranks
        kept = new <= self._options.last
        self._kept = pa.concat_batches([rest, data.filter(pa.array(kept))])
        self._ranks = np.concatenate((rest_ranks, new[kept]))
        return self._changes(data, rows, old, new)

    @property
    def state_rows(self) -> int:
        return self._kept.num_rows

    @property
    def state_bytes(self) -> int:
        return int(self._kept.nbytes + self._ranks.nbytes)

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the kept rows with their ranks as the last column."""
        schema = self._options.schema.append(pa.field(TAG, pa.int64(), False))
        return {"rows": pa.RecordBatch.from_arrays([*self._kept.columns, pa.array(self._ranks)], schema=schema)}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        columns = frozen["rows"].columns
        self._kept = pa.RecordBatch.from_arrays(columns[:-1], schema=self._options.schema)
        self._ranks = raw_values(columns[-1], "i8").copy()

    def _touched(self, fresh: pa.RecordBatch) -> Bools | None:
        """Return which kept rows share a partition with a fresh row; None means all."""
        if not self._options.partition:
            return None
        words: list[Int64s] = []
        for column in self._options.partition:
            words += equality_words(pa.concat_arrays([self._kept.column(column), fresh.column(column)]))
        held = self._kept.num_rows
        codes, count = dense_codes(words, held + fresh.num_rows)
        hit = np.zeros(count, np.bool_)
        hit[codes[held:]] = True
        return hit[codes[:held]]

    def _changes(self, data: pa.RecordBatch, rows: Int64s, old: Int64s, new: Int64s) -> list[Batch]:
        first, last = self._options.first, self._options.last
        was = (old >= first) & (old <= last)
        now = (new >= first) & (new <= last)
        moved = old != new if self._options.numbered else was != now
        gone = rows[(was & moved)[rows]]
        come = rows[(now & moved)[rows]]
        if len(gone) + len(come) == 0:
            return []
        columns = list(data.take(pa.array(np.concatenate((gone, come)))).columns)
        if self._options.numbered:
            columns.append(pa.array(np.concatenate((old[gone], new[come]))))
        result = pa.RecordBatch.from_arrays(columns, schema=self._options.output)
        if len(gone) == 0:
            return [Batch(result)]
        return [Batch(result, np.repeat(np.array([-1, 1], np.int8), [len(gone), len(come)]))]
