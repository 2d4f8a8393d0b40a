"""Keeps the first rows of each partition of a window in an order, when the window fires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.limits import BATCH_ROWS
from fluxcore.operators.local_time import local_watermark, with_local_steps
from fluxcore.operators.rows import RowBuffer, drop_late, watermark_state, window_dues
from fluxcore.operators.sort_words import OrderKey, changes, equality_words, order_words, stable_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fluxcore.core.batch import Int64s
    from fluxcore.core.zones import Zone


@dataclass(frozen=True, slots=True)
class RankOptions:
    """Which rows to keep.

    ``schema`` of the input; ``output`` the same columns, and one more BIGINT when the row number is wanted; ranks
    ``first..last`` (from 1) per ``partition`` in ``order``. Of rows that tie the earlier arrival ranks first, or the later
    when ``later_first`` (keep-last deduplication). ``window_end`` is the position of the window's end, for windows, which with
    a ``zone`` lie in its local time. Without windows ``ttl_ms`` is how long by the clock a partition is kept in which nothing changes.
    """

    schema: pa.Schema
    output: pa.Schema
    partition: tuple[int, ...]
    order: tuple[OrderKey, ...]
    last: int
    first: int = 1
    later_first: bool = False
    window_end: int = -1
    ttl_ms: int | None = None
    zone: Zone | None = None

    @property
    def numbered(self) -> bool:
        """Return whether the row number is appended."""
        return len(self.output) > len(self.schema)


class WindowRankOperator(Operator):
    """Ranks rows within each partition of a window; rows come out by window end, partition, rank.

    Rows that can't be among the first ``last`` any more are given up from time to time, so that the state stays near
    ``last`` rows for each partition and open window. Late rows are dropped and counted.
    """

    def __init__(self, options: RankOptions) -> None:
        assert options.window_end >= 0 and 1 <= options.first <= options.last
        self._options = options
        self._buffer = RowBuffer(options.schema)
        self._prune_at = 2 * BATCH_ROWS
        self._watermark = MIN_TIME_MS

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Keep the rows until their window fires."""
        assert batch.weights is None, "a window ranking takes rows that are never updated"
        end = self._options.window_end
        dues = window_dues(batch.column(end), self._options.schema.field(end).name)
        batch = with_local_steps(batch, self._options.zone)
        batch, dues = drop_late(batch, dues, self._watermark, self.context)
        self._buffer.append(batch.data, dues)
        if self._buffer.rows > self._prune_at:
            self._prune()
        return ()

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Fire the windows whose last millisecond the watermark has reached."""
        watermark = local_watermark(watermark, self._options.zone)
        self._watermark = max(self._watermark, watermark)
        if not self._buffer.due(watermark):
            return ()
        data, dues = self._buffer.take_due(watermark)
        rows, ranks = ranked_rows(data, [dues], self._options)
        kept = (ranks >= self._options.first) & (ranks <= self._options.last)
        return rows_with_numbers(lambda each: data.take(pa.array(each)).columns, rows[kept], ranks[kept], self._options)

    @property
    def state_rows(self) -> int:
        return self._buffer.rows

    @property
    def state_bytes(self) -> int:
        return self._buffer.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the rows of open windows and the watermark."""
        rows = self._buffer.freeze(self._options.partition)
        return {"rows": rows, "watermark": watermark_state(self._watermark)}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._buffer.restore(frozen["rows"])
        self._watermark = frozen["watermark"].column(0)[0].as_py()

    def _prune(self) -> None:
        data, dues = self._buffer.take_all()
        rows, ranks = ranked_rows(data, [dues], self._options)
        # In arrival order again, so that later ties are broken as before.
        kept = np.sort(rows[ranks <= self._options.last])
        self._buffer.append(data.take(pa.array(kept)), dues[kept])
        self._prune_at = max(2 * BATCH_ROWS, 2 * len(kept))


def ranked_rows(data: pa.RecordBatch, groups: Sequence[Int64s], options: RankOptions) -> tuple[Int64s, Int64s]:
    """Return the row numbers sorted by group, partition and order, and the rank (from 1) of each in its partition.

    In: ``groups`` words that split the rows before the partition does, such as their windows.
    """
    count = data.num_rows
    parted = [*groups, *(word for column in options.partition for word in equality_words(data.column(column)))]
    words = parted + [word for key in options.order for word in order_words(data.column(key.column), key)]
    if options.later_first:
        words = [*words, -np.arange(count, dtype=np.int64)]
    rows = stable_order(words, count)
    places = np.arange(count, dtype=np.int64)
    starts = np.maximum.accumulate(np.where(changes(parted, rows), places, 0))
    return rows, places - starts + 1


def rows_with_numbers(
    take: Callable[[Int64s], Sequence[pa.Array]], rows: Int64s, ranks: Int64s, options: RankOptions
) -> list[Batch]:
    """Return the rows that ``take`` finds as batches of bounded size, with their ranks appended where wanted."""
    batches = []
    for start in range(0, len(rows), BATCH_ROWS):
        part = slice(start, start + BATCH_ROWS)
        columns = list(take(rows[part]))
        if options.numbered:
            columns.append(pa.array(ranks[part]))
        batches.append(Batch.of_arrays(columns, options.output))
    return batches


def changed_rows(
    take: Callable[[Int64s], Sequence[pa.Array]],
    gone: tuple[Int64s, Int64s],
    come: tuple[Int64s, Int64s],
    options: RankOptions,
) -> list[Batch]:
    """Return the changelog of rows that go and rows that come: (what ``take`` finds them by, ranks) of each."""
    sizes = [len(gone[0]), len(come[0])]
    if not any(sizes):
        return []
    columns = list(take(np.concatenate((gone[0], come[0]))))
    if options.numbered:
        columns.append(pa.array(np.concatenate((gone[1], come[1]))))
    weights = np.repeat(np.array([-1, 1], np.int8), sizes) if sizes[0] else None
    return [Batch(pa.RecordBatch.from_arrays(columns, schema=options.output), weights)]
