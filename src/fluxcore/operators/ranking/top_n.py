"""Keeps the first rows of each partition in an order for ever, and says how they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import keyed
from fluxcore.core.types import BIGINT
from fluxcore.operators.chains import entries_of
from fluxcore.operators.expiry import TOUCHED, AgingOperator, Expiry
from fluxcore.operators.ranking import top_n_kernels as kernels
from fluxcore.operators.ranking.window_rank import changed_rows, rows_with_numbers
from fluxcore.operators.sort_words import is_lasting, lasting_words, stable_order, word_count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fluxcore.core.batch import Batch, Int64s
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType
    from fluxcore.operators.ranking.window_rank import RankOptions

_SORTED_FROM = 32
"""From so many rows per partition on, a batch is sorted first, so that each list is walked once."""


class TopNOperator(AgingOperator):
    """Ranks append-only rows per partition and gives a changelog of ranks ``first..last`` after each batch.

    A row that falls out, or whose appended number changes, is retracted; all retractions of a batch come before its new
    rows. The rows carry no watermark steps. With ``at_end`` only the final rows come, at the end of the input.
    With a lifetime a partition is forgotten without a word when no row got into it for so long, and starts afresh.
    Cost: a row is compared with the rows of its partition from the worst on until it is not better; one that is no better
    than the worst of ``last`` rows is dropped at once. Orders by text compare again all rows of the partitions touched.
    """

    def __init__(self, options: RankOptions, types: Sequence[DataType], *, at_end: bool = False) -> None:
        assert 1 <= options.first <= options.last
        self._options = options
        self._types = types
        self._at_end = at_end
        self._lasting = all(is_lasting(options.schema.field(key.column).type) for key in options.order)
        count = sum(word_count(options.schema.field(key.column).type) for key in options.order)
        self._word_names = tuple(f"word{index}" for index in range(max(count, 1)))
        self._serial = 0

    def open(self, context: OperatorContext) -> None:
        """Make the table of partitions and the table of rows."""
        super().open(context)
        keys = [self._types[index] for index in self._options.partition] or [BIGINT.with_nullable(False)]
        names = ("head", "tail", "count", "mark", *([TOUCHED] if self._options.ttl_ms else []))
        self._parts = context.state.table("partitions", keys, dict.fromkeys(names, "i8"))
        self._expiry = Expiry(self._options.ttl_ms, context.clock, self._parts) if self._options.ttl_ms else None
        columns = ("next", "prev", "rank", *self._word_names)
        self._rows = context.state.rows("rows", self._options.schema, dict.fromkeys(columns, "i8"))

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Rank the batch's rows among the kept ones; return what changed."""
        assert batch.weights is None or bool((batch.weights > 0).all()), "the ranking takes rows that are never updated"
        if batch.rows == 0:
            return ()
        options, rows = self._options, batch.rows
        parts = self._part_of(batch.data)
        if self._expiry is not None:
            parts = self._without_expired(self._expiry, batch.data, parts)
        fresh_words = self._fresh_words(batch.data, parts)
        order = np.arange(rows)
        ordered = options.last >= _SORTED_FROM
        if ordered:
            arrival = -order if options.later_first else order
            order = stable_order([parts, *fresh_words, arrival], rows)[::-1].copy()
        self._serial += 1
        limits = np.array([options.last, options.later_first, ordered, self._serial], np.int64)
        links, fresh_links = self._links(), (np.zeros(rows, np.int64), np.zeros(rows, np.int64))
        alive, gone, touched = np.zeros(rows, np.bool_), np.empty(rows, np.int64), np.empty(rows, np.int64)
        words = tuple(self._rows.columns[name] for name in self._word_names)
        evicted, changed = kernels.insert(
            order, parts, self._lists(), links, fresh_links, words, fresh_words, limits, alive, gone, touched
        )
        if not changed:
            return ()
        gone, touched = gone[:evicted], touched[:changed]
        if self._expiry is not None:
            self._expiry.touch(touched)
        slots = np.empty(rows, np.int64)
        stay = np.flatnonzero(alive)
        slots[stay] = self._rows.add(batch.data if len(stay) == rows else batch.data.take(pa.array(stay)))
        for column, values in zip(words, fresh_words, strict=True):
            column[slots[stay]] = values[stay]
        ranks = self._rows.columns["rank"]
        size = int(self._parts.columns["count"][touched].sum())
        kept, before = np.empty(size, np.int64), np.empty(size, np.int64)
        kernels.settle(touched, self._lists(), links, fresh_links, slots, ranks, kept, before)
        result = [] if self._at_end else self._changes(gone, kept, before)
        self._rows.remove(gone)
        return result

    def aging(self) -> Sequence[tuple[Expiry, Callable[[Int64s], None]]]:
        """Return the partitions, if they have a lifetime."""
        return () if self._expiry is None else ((self._expiry, self._forget),)

    def finish(self) -> Sequence[Batch]:
        """Return the final rows by partition and rank, where only those were asked for."""
        if not self._at_end:
            return ()
        kept = self._in_order(self._parts.live_slots())
        ranks = self._rows.columns["rank"][kept]
        shown = ranks >= self._options.first
        kept, ranks = kept[shown], ranks[shown]
        return rows_with_numbers(self._rows.take, kept, ranks, self._options)

    @property
    def state_rows(self) -> int:
        return self._rows.count

    @property
    def state_bytes(self) -> int:
        return self._rows.nbytes + self._parts.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the kept rows by partition and rank, and where they have a lifetime when their partition was touched."""
        parts = self._parts.live_slots()
        data, schema = self._rows.take(self._in_order(parts)), self._options.schema
        if self._expiry is not None:
            touched = np.repeat(self._parts.columns[TOUCHED][parts], self._parts.columns["count"][parts])
            data, schema = [*data, pa.array(touched)], schema.append(pa.field(TOUCHED, pa.int64()))
        return {"rows": keyed(pa.RecordBatch.from_arrays(data, schema=schema), self._options.partition)}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        columns, schema = frozen["rows"].columns, self._options.schema
        if not frozen["rows"].num_rows:
            return
        data = pa.RecordBatch.from_arrays(columns[: len(schema)], schema=schema)
        parts, slots = self._part_of(data), self._rows.add(data)
        kernels.append(self._lists(), self._links(), parts, slots, self._rows.columns["rank"])
        for name, values in zip(self._word_names, self._words_of(data.columns), strict=True):
            self._rows.columns[name][slots] = values
        if self._expiry is not None:
            if len(columns) > len(schema):
                self._parts.columns[TOUCHED][parts] = np.asarray(columns[-1])
            self._expiry.adopt(parts)

    def _without_expired(self, expiry: Expiry, data: pa.RecordBatch, parts: Int64s) -> Int64s:
        """Forget partitions that are out of their lifetime, those of these rows first; return the rows' partitions."""
        expiry.begin()
        over = expiry.over(parts)
        if over.any():
            self._forget(np.unique(parts[over]))
            parts = self._part_of(data)
        self._forget(expiry.sweep(len(parts)))
        return parts

    def _forget(self, parts: Int64s) -> None:
        self._rows.remove(self._in_order(parts))
        self._parts.delete(parts)

    def _part_of(self, data: pa.RecordBatch) -> Int64s:
        keys = [data.column(index) for index in self._options.partition] or [np.zeros(data.num_rows, np.int64)]
        return self._parts.upsert(keys)

    def _lists(self) -> tuple[Int64s, ...]:
        return tuple(self._parts.columns[name] for name in ("head", "tail", "count", "mark"))

    def _links(self) -> tuple[Int64s, Int64s]:
        return self._rows.columns["next"], self._rows.columns["prev"]

    def _in_order(self, parts: Int64s) -> Int64s:
        return entries_of(self._parts.columns["head"], self._rows.columns["next"], parts)[1]

    def _fresh_words(self, data: pa.RecordBatch, parts: Int64s) -> tuple[Int64s, ...]:
        """Return the order words of fresh rows; words that don't last are made again for the rows that these meet."""
        if self._lasting:
            return self._words_of(data.columns)
        kept = self._in_order(np.unique(parts))
        old = self._rows.take(kept)
        both = [pa.concat_arrays([a, b]) for a, b in zip(old, data.columns, strict=True)]
        words = self._words_of(both)
        for name, word in zip(self._word_names, words, strict=True):
            self._rows.columns[name][kept] = word[: len(kept)]
        return tuple(np.ascontiguousarray(word[len(kept) :]) for word in words)

    def _words_of(self, columns: Sequence[pa.Array]) -> tuple[Int64s, ...]:
        found = [word for key in self._options.order for word in lasting_words(columns[key.column], key)]
        return tuple(found) or (np.zeros(len(columns[0]), np.int64),)

    def _changes(self, gone: Int64s, kept: Int64s, before: Int64s) -> list[Batch]:
        """Return the changelog of the rows that fell out, and of those kept, whose ranks were ``before`` (0: none)."""
        first, last = self._options.first, self._options.last
        ranks = self._rows.columns["rank"]
        old, new = np.concatenate((ranks[gone], before)), np.concatenate((np.zeros(len(gone), np.int64), ranks[kept]))
        slots = np.concatenate((gone, kept))
        was, now = (old >= first) & (old <= last), (new >= first) & (new <= last)
        moved = old != new if self._options.numbered else was != now
        leave, come = was & moved, now & moved
        return changed_rows(self._rows.take, (slots[leave], old[leave]), (slots[come], new[come]), self._options)
