"""Rows kept as the batches in which they came: nothing is copied until somebody reads some of them by slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import data_bytes
from fluxcore.errors import JobError
from fluxcore.limits import STRING_COLUMN_BYTES_MAX
from fluxcore.state import row_log_kernels as kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

_MERGED_ROWS = 65_536
"""Batches are copied together until they hold so many rows, so that many small ones do not stay many."""


class Chunks:
    """Rows by slot, in the order of arrival from 0. A chunk is a batch, and which of its rows are here, if not all.

    Cost: keeping a batch costs next to nothing, small ones are copied a few times; reading a row costs a copy of it.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.rows = 0
        self.nbytes = 0
        self._chunks: list[_Chunk] = []
        self._firsts = np.zeros(64, np.int64)
        self._chosen = np.zeros(64, np.int64)
        self._columns = [_readable(field.type) for field in schema]

    def add(self, data: pa.RecordBatch, rows: Int64s | None) -> None:
        """Keep the rows of a batch, or those at ``rows`` (rising)."""
        count = data.num_rows if rows is None else len(rows)
        if not count:
            return
        if rows is not None and (count < _MERGED_ROWS or count * 8 < data.num_rows):
            data, rows = data.take(pa.array(rows)), None  # a few rows must not hold a large batch
        chunk = _Chunk(data, None if rows is None else rows.astype(np.int32), count)
        first = self.rows
        self.rows += count
        self.nbytes += chunk.nbytes
        while self._chunks and self._chunks[-1].joins(chunk):
            before = self._chunks.pop()
            first -= before.count
            self.nbytes -= before.nbytes + chunk.nbytes
            chunk = _Chunk(pa.concat_batches([before.data, chunk.data]), None, before.count + chunk.count)
            self.nbytes += chunk.nbytes
        self._append(chunk, first)

    def take(self, slots: Int64s, columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the rows at these slots as Arrow columns: all of them, or those at some positions."""
        chunk_of, row_of = np.empty(len(slots), np.int32), np.empty(len(slots), np.int64)
        if len(slots):
            kernels.locate(self._firsts, len(self._chunks), self._chosen, slots, chunk_of, row_of)
        wanted = range(len(self._columns)) if columns is None else columns
        return [self._columns[index].take(chunk_of, row_of) for index in wanted]

    def all(self) -> pa.RecordBatch:
        """Return all rows in the order of the slots."""
        return pa.RecordBatch.from_arrays(self.take(np.arange(self.rows)), schema=self.schema)

    def _append(self, chunk: _Chunk, first: int) -> None:
        number = len(self._chunks)
        if number == len(self._firsts):
            self._firsts, self._chosen = _doubled(self._firsts), _doubled(self._chosen)
        self._chunks.append(chunk)
        self._firsts[number] = first
        self._chosen[number] = 0 if chunk.rows is None else chunk.rows.ctypes.data
        for column, array in zip(self._columns, chunk.data.columns, strict=True):
            column.put(number, array)


class _Chunk:
    """A batch, the numbers (int32) of its rows that count if not all do, and how many those are."""

    __slots__ = ("count", "data", "nbytes", "rows")

    def __init__(self, data: pa.RecordBatch, rows: Any, count: int) -> None:
        self.data, self.rows, self.count = data, rows, count
        self.nbytes = data_bytes(data) * count // max(data.num_rows, 1) + (0 if rows is None else rows.nbytes)

    def joins(self, after: _Chunk) -> bool:
        """Return whether this chunk and the one after it are copied together."""
        whole = self.rows is None and after.rows is None
        return whole and self.count <= 2 * after.count and self.count + after.count <= _MERGED_ROWS


class _Fixed:
    """Where the values of one width are in memory, by chunk."""

    def __init__(self, type_: pa.DataType) -> None:
        self._type = type_
        self._bits = pa.types.is_boolean(type_)
        self._width = 1 if self._bits else type_.bit_width // 8
        self._valid = np.zeros(64, np.int64)
        self._offsets = np.zeros(64, np.int64)
        self._values = np.zeros(64, np.int64)

    def put(self, number: int, array: pa.Array) -> None:
        """Note the buffers of a chunk's array, which the chunk holds."""
        if number == len(self._valid):
            self._valid, self._offsets, self._values = map(_doubled, (self._valid, self._offsets, self._values))
        validity, values = array.buffers()[:2]
        self._valid[number] = validity.address if validity is not None and array.null_count else 0
        self._offsets[number] = array.offset
        self._values[number] = values.address if values is not None else 0

    def take(self, chunk_of: Any, row_of: Int64s) -> pa.Array:
        """Return values as an Arrow array."""
        mask = self._mask(chunk_of, row_of)
        out = np.empty(len(row_of) * self._width, np.uint8)
        if self._bits:
            kernels.gather_bits(self._values, self._offsets, chunk_of, row_of, out)
            return pa.array(out != 0) if mask is None else pa.array(out != 0, mask=~mask)
        kernels.gather_fixed(self._values, self._offsets, self._width, chunk_of, row_of, out)
        return pa.Array.from_buffers(self._type, len(row_of), [_bitmap(mask), pa.py_buffer(out)])

    def _mask(self, chunk_of: Any, row_of: Int64s) -> Any:
        """Return which values are not NULL; None when all are."""
        if not self._valid.any():
            return None
        there = np.empty(len(row_of), np.bool_)
        nulls = kernels.gather_valid(self._valid, self._offsets, chunk_of, row_of, there)
        return there if nulls else None


class _Text(_Fixed):
    """Where the offsets and bytes of texts are in memory, by chunk."""

    def __init__(self, type_: pa.DataType) -> None:
        super().__init__(pa.int32())
        self._texts = type_
        self._data = np.zeros(64, np.int64)

    def put(self, number: int, array: pa.Array) -> None:
        """Note the buffers of a chunk's array."""
        super().put(number, array)
        if number == len(self._data):
            self._data = _doubled(self._data)
        data = array.buffers()[2]
        self._data[number] = data.address if data is not None else 0

    def take(self, chunk_of: Any, row_of: Int64s) -> pa.Array:
        """Return texts as an Arrow array. Raises ``JobError`` FX-RUN-0902 when they are more than it can hold."""
        mask = self._mask(chunk_of, row_of)
        begins, ends = np.empty(len(row_of), np.int64), np.empty(len(row_of) + 1, np.int32)
        total = kernels.text_starts(self._values, self._offsets, chunk_of, row_of, begins, ends)
        if total > STRING_COLUMN_BYTES_MAX:
            raise JobError("FX-RUN-0902", f"{total} bytes of text in one column of one batch are too many")
        out = np.empty(total, np.uint8)
        kernels.gather_texts(self._data, chunk_of, begins, ends, out)
        return pa.Array.from_buffers(self._texts, len(row_of), [_bitmap(mask), pa.py_buffer(ends), pa.py_buffer(out)])


class _Nested:
    """Values of nested types, which Arrow itself takes."""

    def __init__(self, type_: pa.DataType) -> None:
        self._type = type_
        self._arrays: dict[int, pa.Array] = {}

    def put(self, number: int, array: pa.Array) -> None:
        """Note a chunk's array."""
        self._arrays[number] = array

    def take(self, chunk_of: Any, row_of: Int64s) -> pa.Array:
        """Return values as an Arrow array."""
        if not len(row_of):
            return pa.array([], self._type)
        order = np.argsort(chunk_of, kind="stable")
        bounds = np.flatnonzero(np.diff(chunk_of[order])) + 1
        parts = np.split(order, bounds)
        taken = pa.concat_arrays([self._arrays[int(chunk_of[part[0]])].take(pa.array(row_of[part])) for part in parts])
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return taken.take(pa.array(back))


def _readable(type_: pa.DataType) -> _Fixed | _Text | _Nested:
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        return _Text(type_)
    if pa.types.is_nested(type_) or pa.types.is_null(type_):
        return _Nested(type_)
    return _Fixed(type_)


def _bitmap(there: Any) -> pa.Buffer | None:
    return None if there is None else pa.array(there).buffers()[1]


def _doubled(array: Any) -> Any:
    return np.concatenate([array, np.zeros_like(array)])
