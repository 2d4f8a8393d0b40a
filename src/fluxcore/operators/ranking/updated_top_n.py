"""Keeps the first rows of each partition of a changelog in an order, and says how they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import keyed
from fluxcore.core.types import BIGINT
from fluxcore.operators import chain_kernels
from fluxcore.operators.chains import entries_of
from fluxcore.operators.expiry import TOUCHED, AgingOperator, Expiry, known_rows
from fluxcore.operators.ranking.window_rank import changed_rows, rows_with_numbers
from fluxcore.operators.sort_words import changes, order_words, stable_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fluxcore.core.batch import Batch, Int64s
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType
    from fluxcore.operators.ranking.window_rank import RankOptions

_COLUMNS = ("next", "prev", "part", "count", "arrived", "rank", "shown")


class UpdatedTopNOperator(AgingOperator):
    """Ranks the rows of a changelog per partition and gives a changelog of ranks ``first..last`` after each batch.

    All rows are kept, each once with how often it stands there, so that the next one comes up when one goes. Equal rows
    follow one another. With ``at_end`` only the final rows come, at the end of the input.
    With a lifetime a partition is forgotten without a word when no row of it came or went for so long, and starts afresh.
    Cost: each batch sorts the rows of the partitions that it touches; with ``at_end`` everything is sorted once.
    """

    def __init__(self, options: RankOptions, types: Sequence[DataType], *, at_end: bool = False) -> None:
        assert 1 <= options.first <= options.last
        self._options = options
        self._types = types
        self._at_end = at_end
        self._arrived = 0

    def open(self, context: OperatorContext) -> None:
        """Make the table of partitions and the table of rows."""
        super().open(context)
        keys = [self._types[index] for index in self._options.partition] or [BIGINT.with_nullable(False)]
        columns = {"head": "i8", TOUCHED: "i8"} if self._options.ttl_ms else {"head": "i8"}
        self._parts = context.state.table("partitions", keys, columns)
        self._expiry = Expiry(self._options.ttl_ms, context.clock, self._parts) if self._options.ttl_ms else None
        self._rows = context.state.table("rows", self._types, dict.fromkeys(_COLUMNS, "i8"))

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Take rows and retractions; return what changed among the first rows."""
        if batch.rows == 0:
            return ()
        weights = batch.counts
        touched, slots = self._take(batch.data, weights)
        if self._at_end:
            self._drop(slots)
            return ()
        kept, starts, counts = self._ranked(touched)
        columns = self._rows.columns
        first, last = self._options.first, self._options.last
        old = np.stack((columns["rank"][kept], columns["shown"][kept]))
        begins, ends = np.maximum(starts, first), np.minimum(starts + counts - 1, last)
        new = np.stack((begins, np.maximum(ends - begins + 1, 0)))
        columns["rank"][kept], columns["shown"][kept] = new
        gone, come = expanded(kept, old), expanded(kept, new)
        if self._options.numbered:
            gone, come = without(gone, come), without(come, gone)
        else:
            more = new[1] - old[1]
            zeros = np.zeros(len(kept), np.int64)
            gone = expanded(kept, np.stack((zeros, np.maximum(-more, 0))))
            come = expanded(kept, np.stack((zeros, np.maximum(more, 0))))
        result = changed_rows(self._rows.key_columns, gone, come, self._options)
        self._drop(kept)
        return result

    def aging(self) -> Sequence[tuple[Expiry, Callable[[Int64s], None]]]:
        """Return the partitions, if they have a lifetime."""
        return () if self._expiry is None else ((self._expiry, self._forget),)

    def finish(self) -> Sequence[Batch]:
        """Return the final rows by partition and rank, where only those were asked for."""
        if not self._at_end:
            return ()
        kept, starts, counts = self._ranked(self._parts.live_slots())
        begins = np.maximum(starts, self._options.first)
        sizes = np.maximum(np.minimum(starts + counts - 1, self._options.last) - begins + 1, 0)
        slots, ranks = expanded(kept, np.stack((begins, sizes)))
        return rows_with_numbers(self._rows.key_columns, slots, ranks, self._options)

    @property
    def state_rows(self) -> int:
        return self._rows.count

    @property
    def state_bytes(self) -> int:
        return self._rows.nbytes + self._parts.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return all rows with their counts and what was shown of them, in the order in which they came.

        Where they have a lifetime also when their partition was touched.
        """
        slots = self._rows.live_slots()
        slots = slots[np.argsort(self._rows.columns["arrived"][slots])]
        extra = [pa.array(self._rows.columns[name][slots]) for name in ("count", "rank", "shown")]
        names = [f"row{index}" for index in range(len(self._types))] + ["count", "rank", "shown"]
        if self._expiry is not None:
            extra.append(pa.array(self._parts.columns[TOUCHED][self._rows.columns["part"][slots]]))
            names.append(TOUCHED)
        rows = pa.RecordBatch.from_arrays([*self._rows.key_columns(slots), *extra], names)
        return {"rows": keyed(rows, self._options.partition)}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        width, rows = len(self._types), frozen["rows"]
        if not rows.num_rows:
            return
        columns, (counts, ranks, shown) = rows.columns[:width], rows.columns[width : width + 3]
        data = pa.RecordBatch.from_arrays(columns, schema=self._options.schema)
        self._take(data, np.asarray(counts))
        if self._expiry is not None and TOUCHED in rows.schema.names:
            self._parts.columns[TOUCHED][self._parts_of(data)] = np.asarray(rows.column(TOUCHED))
        slots = self._rows.lookup(columns)
        self._rows.columns["rank"][slots] = np.asarray(ranks)
        self._rows.columns["shown"][slots] = np.asarray(shown)

    def _take(self, data: pa.RecordBatch, weights: Int64s) -> tuple[Int64s, Int64s]:
        """Count rows in; return the partitions that they belong to, and their slots."""
        columns = self._rows.columns
        parts = self._parts_of(data)
        if self._expiry is not None:
            self._expiry.begin()
            over = self._expiry.over(parts)
            if over.any():
                self._forget(np.unique(parts[over]))
                parts = self._parts_of(data)
            self._forget(self._expiry.sweep(len(parts)))
            self._expiry.touch(parts)
        slots, fresh = self._rows.upsert_new(data.columns)
        if self._expiry is not None:
            known = known_rows(columns["count"], slots, weights)
            np.add.at(columns["count"], slots[known], weights[known])
        else:
            np.add.at(columns["count"], slots, weights)
        new = slots[fresh]
        columns["arrived"][new] = self._arrived + fresh
        self._arrived += data.num_rows
        heads = self._parts.columns["head"]
        chain_kernels.link(heads, columns["next"], columns["prev"], columns["part"], new, parts[fresh])
        return np.unique(parts), np.unique(slots)

    def _parts_of(self, data: pa.RecordBatch) -> Int64s:
        keys = [data.column(index) for index in self._options.partition] or [np.zeros(data.num_rows, np.int64)]
        return self._parts.upsert(keys)

    def _forget(self, parts: Int64s) -> None:
        """Forget partitions with all of their rows."""
        if len(parts):
            self._rows.delete(entries_of(self._parts.columns["head"], self._rows.columns["next"], parts)[1])
            self._parts.delete(parts)

    def _ranked(self, parts: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """Return the rows of partitions by rank, the rank of the first and the number of each (0 for those gone)."""
        columns = self._rows.columns
        places, slots = entries_of(self._parts.columns["head"], columns["next"], parts)
        data = self._rows.key_columns(slots)
        words = [word for key in self._options.order for word in order_words(data[key.column], key)]
        arrived = columns["arrived"][slots]
        order = stable_order([places, *words, -arrived if self._options.later_first else arrived], len(slots))
        slots, places = slots[order], places[order]
        counts = np.maximum(columns["count"][slots], 0)
        before = np.cumsum(counts) - counts
        opening = changes([places], np.arange(len(places)))
        starts = before - np.maximum.accumulate(np.where(opening, before, 0)) + 1
        return slots, starts, counts

    def _drop(self, kept: Int64s) -> None:
        """Forget rows that stand nowhere any more, and partitions without rows."""
        columns = self._rows.columns
        dead = kept[columns["count"][kept] == 0]
        if not len(dead):
            return
        empty = np.empty(len(dead), np.int64)
        links = columns["next"], columns["prev"], columns["part"]
        count = chain_kernels.unlink(self._parts.columns["head"], *links, dead, empty)
        self._rows.delete(dead)
        self._parts.delete(empty[:count])


def expanded(slots: Int64s, runs: Int64s) -> tuple[Int64s, Int64s]:
    """Return (slot, rank) for each rank of each row. In: ``runs`` the first rank and the number of ranks of each row."""
    first, sizes = runs
    owners = np.repeat(np.arange(len(slots)), sizes)
    ranks = np.arange(len(owners)) - (np.cumsum(sizes) - sizes)[owners] + first[owners]
    return slots[owners], ranks


def without(pairs: tuple[Int64s, Int64s], others: tuple[Int64s, Int64s]) -> tuple[Int64s, Int64s]:
    """Return the (slot, rank) pairs that are not among ``others``."""
    shift = 1 + max((int(ranks.max()) for _, ranks in (pairs, others) if len(ranks)), default=0)
    kept = ~np.isin(pairs[0] * shift + pairs[1], others[0] * shift + others[1])
    return pairs[0][kept], pairs[1][kept]
