"""Rows that only ever come, found by a 64-bit key; an index is made only as far as asking for them makes it worth its price."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.portions import portions
from fluxcore.state import row_log_kernels as kernels
from fluxcore.state.chunks import Chunks
from fluxcore.state.memory import RESERVED_SLOTS, reserve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

_INDEXED_AT_ONCE = 131_072
"""Rows that are put into the index at once, so that nobody waits long for it."""


class RowLog:
    """Rows of an Arrow schema in the order of arrival, with a key each (see ``fluxcore.core.ports.RowLog``).

    The newest rows stand outside the index. Who asks for keys looks them up in the index and reads through the rows outside;
    when reading through them has cost as much as the index would have, they are entered. So a side that is seldom asked costs
    almost nothing a row, and one that is asked often at most twice the cost of its index.
    """

    def __init__(self, schema: pa.Schema, columns: Mapping[str, str]) -> None:
        self.schema = schema
        self.columns = {name: reserve(dtype, (RESERVED_SLOTS,)) for name, dtype in columns.items()}
        self._indexed = 0
        self._spent = 0
        self._make()

    @property
    def count(self) -> int:
        """Return the number of rows."""
        return self._chunks.rows

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        extra = sum(column.itemsize for column in self.columns.values())
        index = self._found.nbytes + self._heads.nbytes + 4 * self._indexed
        return self._chunks.nbytes + self.count * (8 + extra) + index

    def add(self, data: pa.RecordBatch, keys: Int64s, rows: Int64s | None = None) -> Int64s:
        """Keep the rows of a batch, or those at ``rows`` (rising), with their keys; return their slots."""
        first = self.count
        self._chunks.add(data, rows)
        self._keys[first : self.count] = keys
        return np.arange(first, self.count)

    def take(self, slots: Int64s, columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the rows at these slots as Arrow columns: all of them, or those at some positions."""
        return self._chunks.take(slots, columns)

    def pairs(self, keys: Int64s) -> Iterator[tuple[Int64s, Int64s]]:
        """Yield (places within ``keys``, slots) of all pairs of an asked key and a row that has it, in portions."""
        if not len(keys) or not self.count:
            return
        outside = self.count - self._indexed
        if outside:
            self._spent += outside * _scan_cost(len(keys))
            worth = outside * _index_cost(self.count)
            if self._spent > worth:
                self._enter(min(outside, _INDEXED_AT_ONCE))
                self._spent = worth if self._indexed < self.count else 0
        if self._indexed:
            starts = np.empty(len(keys), np.int32)
            if kernels.look_up(self._found, self._heads, keys, starts):
                yield from portions(lambda *out: kernels.follow(starts, self._nexts, *out))
        if self._indexed < self.count:
            asked = _AskedKeys(keys)
            first, stop = self._indexed, self.count
            yield from portions(lambda *out: asked.scan(self._keys, stop, *out), first)

    def clear(self) -> None:
        """Forget all rows and give their memory back."""
        for name, column in self.columns.items():
            self.columns[name] = reserve(column.dtype.str, column.shape)
        self._make()

    def close(self) -> None:
        """Give the memory back; the log can't be used any more."""
        self.columns.clear()
        vars(self).clear()

    def _make(self) -> None:
        self._chunks = Chunks(self.schema)
        self._keys = reserve("i8", (RESERVED_SLOTS,))
        self._nexts = reserve("i4", (RESERVED_SLOTS,))
        self._found = np.zeros(1024, np.int64)
        self._heads = np.zeros(1024, np.int32)
        self._distinct = 0
        self._indexed = 0
        self._spent = 0

    def freeze(self) -> pa.RecordBatch:
        """Return all rows, with the value columns behind them; keys and index are made again."""
        data = self._chunks.all()
        extra = [pa.array(column[: self.count]) for column in self.columns.values()]
        names = [f"row{index}" for index in range(len(self.schema))] + list(self.columns)
        return pa.RecordBatch.from_arrays([*data.columns, *extra], names)

    def _enter(self, rows: int) -> None:
        """Put the next rows into the index, which stays at most half full."""
        stop = self._indexed + rows
        size = len(self._heads)
        while size < 2 * (self._distinct + rows):
            size *= 2
        if size > len(self._heads):
            found, heads = np.zeros(size, np.int64), np.zeros(size, np.int32)
            kernels.move(self._found, self._heads, found, heads)
            self._found, self._heads = found, heads
        self._distinct += kernels.enter(self._found, self._heads, self._nexts, self._keys, self._indexed, stop)
        self._indexed = stop


class _AskedKeys:
    """A small index of the keys that are asked for."""

    def __init__(self, keys: Int64s) -> None:
        size = 1 << max(6, (4 * len(keys) - 1).bit_length())
        self._found, self._heads = np.zeros(size, np.int64), np.zeros(size, np.int32)
        self._chain = np.empty(len(keys), np.int32)
        kernels.enter(self._found, self._heads, self._chain, keys, 0, len(keys))

    def scan(self, keys: Int64s, stop: int, place: Int64s, rows: Int64s, slots: Int64s) -> int:
        """Fill ``rows`` and ``slots`` with pairs from ``place`` on; return how many there are."""
        return int(kernels.scan(self._found, self._heads, self._chain, keys, place, stop, rows, slots))


def _scan_cost(asked: int) -> int:
    """Return what it costs to read past a row that is outside the index, in nanoseconds or so."""
    return 1 if asked <= 256 else 3 if asked <= 16_384 else 8


def _index_cost(rows: int) -> int:
    """Return what it costs to put a row into the index: a miss of every cache once it is large."""
    return 10 if rows <= 2**16 else 30 if rows <= 2**20 else 100
