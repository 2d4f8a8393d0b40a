"""A buffer of rows that wait for the watermark, and the rule for rows that come too late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import data_bytes
from fluxcore.core.frozen import keyed, shared
from fluxcore.errors import DataError
from fluxcore.limits import BATCH_ROWS
from fluxcore.operators.sort_words import raw_values, stable_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.batch import Batch, Int64s
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.zones import Zone

_SMALL_CHUNKS_MAX = 64
TAG = "__tag"


@dataclass(slots=True)
class _Chunk:
    """Rows with their tags; ``low`` and ``high`` bound the tags, ``risen`` says that they don't fall."""

    data: pa.RecordBatch
    tags: Int64s
    low: int
    high: int
    risen: bool

    @staticmethod
    def of(data: pa.RecordBatch, tags: Int64s) -> _Chunk:
        low, high = int(tags.min()), int(tags.max())
        return _Chunk(data, tags, low, high, low == high or bool((tags[1:] >= tags[:-1]).all()))

    def ordered(self) -> _Chunk:
        if self.risen:
            return self
        order = stable_order([self.tags], len(self.tags))
        return _Chunk(self.data.take(pa.array(order)), self.tags[order], self.low, self.high, True)


class RowBuffer:
    """Rows in arrival order, each with an int64 tag, mostly the event time (ms) that lets it go.

    Rows of equal tags keep their arrival order for ever; once :meth:`take_due` or a compaction has touched the buffer,
    rows of different tags may stand in the order of their tags.
    Cost: an append is O(1) but for its share of compactions, taking is proportional to what is taken.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.rows = 0
        self.nbytes = 0
        self._chunks: list[_Chunk] = []
        self._small = 0

    def append(self, data: pa.RecordBatch, tags: Int64s) -> None:
        """Add rows at the end. In: ``data`` of the buffer's types, ``tags`` int64, one a row."""
        if data.num_rows == 0:
            return
        if data.schema is not self.schema:
            data = pa.RecordBatch.from_arrays(data.columns, schema=self.schema)
        self._add(_Chunk.of(data, tags))
        if self._small > _SMALL_CHUNKS_MAX:
            self._compact()

    def due(self, bound: int) -> bool:
        """Return whether a row with a tag of at most ``bound`` waits."""
        return any(chunk.low <= bound for chunk in self._chunks)

    def take_due(self, bound: int) -> tuple[pa.RecordBatch, Int64s]:
        """Remove the rows with tags of at most ``bound``; return them and their tags, equal tags in arrival order."""
        taken: list[_Chunk] = []
        kept: list[_Chunk] = []
        for chunk in self._chunks:
            if chunk.high <= bound:
                taken.append(chunk)
            elif chunk.low > bound:
                kept.append(chunk)
            else:
                chunk = chunk.ordered()
                cut = int(np.searchsorted(chunk.tags, bound, side="right"))
                taken.append(_Chunk(chunk.data.slice(0, cut), chunk.tags[:cut], chunk.low, bound, True))
                kept.append(_Chunk(chunk.data.slice(cut), chunk.tags[cut:], int(chunk.tags[cut]), chunk.high, True))
        self._reset(kept)
        return self._joined(taken)

    def take_all(self) -> tuple[pa.RecordBatch, Int64s]:
        """Remove and return all rows with their tags."""
        chunks = self._chunks
        self._reset([])
        return self._joined(chunks)

    def freeze(self, keys: Sequence[int] = ()) -> pa.RecordBatch:
        """Return all rows as one batch with the tags as its last column, divided by ``keys``; the buffer keeps them."""
        data, tags = self._joined(self._chunks)
        schema = self.schema.append(pa.field(TAG, pa.int64(), False))
        return keyed(pa.RecordBatch.from_arrays([*data.columns, pa.array(tags)], schema=schema), keys)

    def restore(self, frozen: pa.RecordBatch) -> None:
        """Replace the rows by those of a batch that :meth:`freeze` gave."""
        self._reset([])
        columns = frozen.columns
        data = pa.RecordBatch.from_arrays(columns[:-1], schema=self.schema)
        self.append(data, raw_values(columns[-1], "i8").copy())

    def _add(self, chunk: _Chunk) -> None:
        self._chunks.append(chunk)
        self.rows += len(chunk.tags)
        self.nbytes += data_bytes(chunk.data) + chunk.tags.nbytes
        self._small += len(chunk.tags) < BATCH_ROWS

    def _reset(self, chunks: Sequence[_Chunk]) -> None:
        self._chunks = []
        self.rows = self.nbytes = self._small = 0
        for chunk in chunks:
            self._add(chunk)

    def _compact(self) -> None:
        """Join neighbouring small chunks; a joined one is put in the order of its tags when something is taken."""
        joined: list[_Chunk] = []
        run: list[_Chunk] = []
        for chunk in [*self._chunks, None]:
            if chunk is not None and len(chunk.tags) < BATCH_ROWS and sum(len(each.tags) for each in run) < BATCH_ROWS:
                run.append(chunk)
                continue
            if run:
                joined.append(_Chunk.of(*self._joined(run)))
            run = []
            if chunk is not None:
                (run if len(chunk.tags) < BATCH_ROWS else joined).append(chunk)
        self._reset(joined)

    def _joined(self, chunks: Sequence[_Chunk]) -> tuple[pa.RecordBatch, Int64s]:
        if not chunks:
            return empty_rows(self.schema), np.zeros(0, np.int64)
        if len(chunks) == 1:
            return chunks[0].data, chunks[0].tags
        return pa.concat_batches([chunk.data for chunk in chunks]), np.concatenate([chunk.tags for chunk in chunks])


def times_ms(column: pa.Array, name: str) -> Int64s:
    """Return a timestamp column as whole milliseconds, rounded down.

    Raises: ``DataError`` FX-RUN-0201 when a value is NULL; ``name`` names the column in the message.
    """
    if column.null_count:
        raise DataError(
            "FX-RUN-0201",
            f"the time attribute '{name}' is NULL in a row",
            hint=f"filter such rows out before: WHERE {name} IS NOT NULL",
        )
    per_ms = {"s": None, "ms": 1, "us": 1_000, "ns": 1_000_000}[column.type.unit]
    values = raw_values(column, "i8")
    return values * 1_000 if per_ms is None else values // per_ms


def drop_late(batch: Batch, due: Int64s, watermark: int, context: OperatorContext) -> tuple[Batch, Int64s]:
    """Return the rows that are on time; the others are counted as ``late_rows`` and handed to ``context.late``.

    A row is late when the watermark before it has reached ``due`` (ms), the time at which the row goes out.
    In: ``watermark`` (ms) before the batch. Out: the rows kept with their ``due``.
    """
    if batch.rows == 0:
        return batch, due
    low = int(due.min())
    if batch.steps is None:
        if low > watermark:
            return batch, due
        late = due <= watermark
    else:
        if low > max(watermark, batch.steps.last):
            return batch, due
        late = due <= batch.steps.before_each(batch.rows, watermark)
    count = int(np.count_nonzero(late))
    if count == 0:
        return batch, due
    context.count("late_rows", count)
    context.late(batch.filter(late))
    return batch.filter(~late), due[~late]


def watermarks_before(batch: Batch, watermark: int) -> Int64s:
    """Return the watermark (ms) before each row of a batch, given the one before the batch."""
    before = np.full(batch.rows, watermark, np.int64)
    if batch.steps is not None:
        before = np.maximum(batch.steps.before_each(batch.rows, watermark), watermark)
    return before


def empty_rows(schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch of no rows."""
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


def window_dues(column: pa.Array, name: str) -> Int64s:
    """Return when the windows that end at ``column`` fire: the last millisecond of each (ms)."""
    return times_ms(column, name) - 1


def window_arrays(starts: Int64s, ends: Int64s, schema: pa.Schema, zone: Zone | None = None) -> list[pa.Array]:
    """Return window_start, window_end and window_time of windows (ms) in the types of a schema's last three columns.

    Windows in local time are those of a ``zone``; window_time is an instant then.
    """
    arrays = []
    lasts = ends - 1 if zone is None else zone.instants(ends - 1)
    for index, times in zip(range(-3, 0), (starts, ends, lasts), strict=True):
        type_ = schema.field(len(schema) + index).type
        arrays.append(pa.array(times * (1_000_000 if type_.unit == "ns" else 1_000)).view(type_))
    return arrays


def number_state(number: int, combine: str = "max") -> pa.RecordBatch:
    """Return a number as a batch of one row, for an operator's frozen state; ``combine`` is how tasks agree on one."""
    return shared(pa.RecordBatch.from_arrays([pa.array([number], pa.int64())], names=["number"]), combine)


def ended_state(ended: Sequence[bool]) -> pa.RecordBatch:
    """Return which ports have ended as a batch of one row, for an operator's frozen state: one has when it has in all tasks."""
    columns = [pa.array([int(each)], pa.int64()) for each in ended]
    return shared(pa.RecordBatch.from_arrays(columns, [f"port{index}" for index in range(len(ended))]), "min")


def ended_of(frozen: pa.RecordBatch) -> list[bool]:
    """Return what :func:`ended_state` froze."""
    return [bool(column[0].as_py()) for column in frozen.columns]


def watermark_state(watermark: int) -> pa.RecordBatch:
    """Return an operator's watermark (ms) as a batch of one row, for its frozen state."""
    return shared(pa.RecordBatch.from_arrays([pa.array([watermark], pa.int64())], names=["watermark"]), "min")
