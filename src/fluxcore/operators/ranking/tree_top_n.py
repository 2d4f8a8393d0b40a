"""Keeps the rows of each partition of a changelog in an order, and says how the first ones change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import keyed
from fluxcore.core.ports import Operator
from fluxcore.core.types import BIGINT
from fluxcore.operators.ranking import rank_tree_kernels as kernels
from fluxcore.operators.ranking.updated_top_n import expanded, without
from fluxcore.operators.ranking.window_rank import changed_rows
from fluxcore.operators.sort_words import is_lasting, lasting_words, word_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Batch, Int64s
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType
    from fluxcore.operators.ranking.window_rank import RankOptions

_NODE = ("left", "right", "up", "weight", "size", "there", "mark")


class TreeTopNOperator(Operator):
    """Ranks the rows of a changelog per partition and gives a changelog of ranks ``first..last`` after each batch.

    All rows are kept, each once with how often it stands there, in a search tree by partition, so that the next one comes up
    when one goes. Equal rows follow one another; a row that goes and comes back within one batch keeps its place.
    Cost: a change is O(log n) in the rows of its partition; with row numbers it costs the ranks that move besides.
    """

    def __init__(self, options: RankOptions, types: Sequence[DataType]) -> None:
        assert 1 <= options.first <= options.last
        assert self.possible(options)
        self._options = options
        self._types = types
        count = sum(word_count(options.schema.field(key.column).type) for key in options.order)
        self._words = tuple(f"word{index}" for index in range(max(count, 1)))
        self._arrived = 0

    @staticmethod
    def possible(options: RankOptions) -> bool:
        """Return whether rows that come at different times can be compared by words alone: not by texts."""
        return all(is_lasting(options.schema.field(key.column).type) for key in options.order)

    def open(self, context: OperatorContext) -> None:
        """Make the table of partitions and the table of rows."""
        super().open(context)
        keys = [self._types[index] for index in self._options.partition] or [BIGINT.with_nullable(False)]
        self._parts = context.state.table("partitions", keys, {"root": "i8"})
        columns = ("count", "arrived", "part", *_NODE, *self._words)
        self._rows = context.state.table("rows", self._types, dict.fromkeys(columns, "i8"))

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Take rows and retractions; return what changed among the first rows."""
        if batch.rows == 0:
            return ()
        gone, come, slots = self._take(batch.data, batch.counts)
        if self._options.numbered:
            gone, come = without(gone, come), without(come, gone)
        result = changed_rows(self._rows.key_columns, gone, come, self._options)
        dead = slots[self._rows.columns["count"][slots] == 0]
        parts = np.unique(self._rows.columns["part"][dead])
        self._rows.delete(dead)
        self._parts.delete(parts[self._parts.columns["root"][parts] == 0])
        return result

    @property
    def state_rows(self) -> int:
        """Return the number of different rows kept."""
        return self._rows.count

    @property
    def state_bytes(self) -> int:
        """Return the bytes kept."""
        return self._rows.nbytes + self._parts.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return all rows with their counts, in the order in which they came."""
        slots = self._rows.live_slots()
        slots = slots[np.argsort(self._rows.columns["arrived"][slots])]
        names = [f"row{index}" for index in range(len(self._types))] + ["count"]
        counts = pa.array(self._rows.columns["count"][slots])
        rows = pa.RecordBatch.from_arrays([*self._rows.key_columns(slots), counts], names)
        return {"rows": keyed(rows, self._options.partition)}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        *columns, counts = frozen["rows"].columns
        if len(counts):
            self._take(pa.RecordBatch.from_arrays(columns, schema=self._options.schema), np.asarray(counts))

    def _take(
        self, data: pa.RecordBatch, weights: Int64s
    ) -> tuple[tuple[Int64s, Int64s], tuple[Int64s, Int64s], Int64s]:
        """Count rows in; return the (slot, rank) pairs that go and come, and the slots of the rows."""
        columns, options = self._rows.columns, self._options
        keys = [data.column(index) for index in options.partition] or [np.zeros(data.num_rows, np.int64)]
        parts = self._parts.upsert(keys)
        slots, fresh = self._rows.upsert_new(data.columns)
        np.add.at(columns["count"], slots, weights)
        new = slots[fresh]
        columns["arrived"][new] = self._arrived + fresh
        columns["part"][new] = parts[fresh]
        self._arrived += data.num_rows
        if len(fresh):
            made = data.take(pa.array(fresh)) if len(fresh) < data.num_rows else data
            found = [word for key in options.order for word in lasting_words(made.column(key.column), key)]
            for name, word in zip(self._words, found, strict=False):
                columns[name][new] = word
        touched = np.unique(slots)
        owners = columns["part"][touched]
        by_part = np.argsort(owners, kind="stable")
        order = tuple(columns[name] for name in self._words), columns["arrived"], options.later_first
        nodes = tuple(columns[name] for name in _NODE)
        limits = np.array([options.first, options.last, options.numbered], np.int64)
        roots = self._parts.columns["root"]
        changes = kernels.change(touched[by_part], owners[by_part], columns["count"], roots, nodes, order, limits)
        gone, come = (expanded(each[::3], np.stack((each[1::3], each[2::3]))) for each in changes)
        return gone, come, touched
