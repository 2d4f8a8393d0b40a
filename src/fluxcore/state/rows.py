"""Tables of whole rows by slot: rows are added, read by slot and removed; slots and the room of texts are used again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.arrays import whole
from fluxcore.core.words import text_buffers
from fluxcore.state import table_kernels as kernels
from fluxcore.state.memory import RESERVED_SLOTS, reserve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

_ARENA_BYTES = 2**36
_COMPACT_BYTES = 2**22


class RowTable:
    """Rows of an Arrow schema, each with a slot, and value columns by slot (see ``fluxcore.core.ports.RowTable``).

    Cost: adding copies each row once; reading copies it once more; removing is O(1) a row, but for a compaction of the
    texts when half of their bytes are dead.
    """

    def __init__(self, schema: pa.Schema, columns: Mapping[str, str]) -> None:
        self.schema = schema
        self.columns = {name: reserve(dtype, (RESERVED_SLOTS,)) for name, dtype in columns.items()}
        self._fields = [_column(field.type) for field in schema]
        self._free = reserve("i8", (RESERVED_SLOTS,))
        self._high = 0
        self._freed = 0

    @property
    def count(self) -> int:
        """Return the number of rows."""
        return self._high - self._freed

    @property
    def high(self) -> int:
        """Return how many slots, from 0 on, hold all live ones."""
        return self._high

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        extra = sum(column.itemsize for column in self.columns.values())
        return self._high * extra + sum(field.nbytes(self._high) for field in self._fields)

    def add(self, data: pa.RecordBatch) -> Int64s:
        """Add rows; return their slots. The value columns of a new slot are zero."""
        rows = data.num_rows
        reused = min(rows, self._freed)
        slots = np.empty(rows, np.int64)
        if reused:
            self._freed -= reused
            slots[:reused] = self._free[self._freed : self._freed + reused]
        slots[reused:] = np.arange(self._high, self._high + rows - reused)
        self._high += rows - reused
        place = slice(self._high - rows, self._high) if not reused else slots
        for field, column in zip(self._fields, data.columns, strict=True):
            field.put(place, slots, column)
        return slots

    def take(self, slots: Int64s, columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the rows at these slots as Arrow columns: all of them, or those at some positions."""
        fields = self._fields if columns is None else [self._fields[index] for index in columns]
        return [field.take(slots) for field in fields]

    def remove(self, slots: Int64s) -> None:
        """Remove the rows at these distinct slots."""
        if not len(slots):
            return
        for field in self._fields:
            field.drop(slots)
        for column in self.columns.values():
            column[slots] = 0
        self._free[self._freed : self._freed + len(slots)] = slots
        self._freed += len(slots)
        if self.count == 0:
            self._high = self._freed = 0

    def live_slots(self) -> Int64s:
        """Return the slots in use, in the order of the slots."""
        dead = np.zeros(self._high, np.bool_)
        dead[self._free[: self._freed]] = True
        return np.flatnonzero(~dead)

    def freeze(self) -> pa.RecordBatch:
        """Return all rows, with the value columns behind them."""
        slots = self.live_slots()
        arrays = self.take(slots) + [pa.array(column[slots]) for column in self.columns.values()]
        names = [f"row{index}" for index in range(len(self.schema))] + list(self.columns)
        return pa.RecordBatch.from_arrays(arrays, names)

    def restore(self, frozen: pa.RecordBatch) -> Int64s:
        """Add what :meth:`freeze` gave; return the slots of its rows."""
        width = len(self.schema)
        slots = self.add(pa.RecordBatch.from_arrays(frozen.columns[:width], schema=self.schema))
        for index, column in enumerate(self.columns.values()):
            column[slots] = np.asarray(frozen.column(width + index))
        return slots

    def close(self) -> None:
        """Give the memory back; the table can't be used any more."""
        self.columns.clear()
        vars(self).clear()


def _column(type_: pa.DataType) -> _Fixed | _Text | _Nested:
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        return _Text(type_)
    if pa.types.is_nested(type_) or pa.types.is_null(type_):
        return _Nested(type_)
    return _Fixed(type_)


class _Fixed:
    """Values of one width: booleans as bytes, decimals as two words."""

    def __init__(self, type_: pa.DataType) -> None:
        self._type = type_
        self._bool = pa.types.is_boolean(type_)
        self._width = 1 if self._bool else type_.bit_width // 8
        self._dtype = f"V{self._width}" if self._width > 8 else f"i{self._width}"
        self._values = reserve(self._dtype, (RESERVED_SLOTS,))
        self._nulls = _Nulls()

    def nbytes(self, high: int) -> int:
        return high * self._width + self._nulls.nbytes(high)

    def put(self, place: Any, slots: Int64s, array: pa.Array) -> None:
        if self._bool:
            array = array.cast(pa.int8())
        self._nulls.put(place, array)
        if len(slots):
            raw = np.frombuffer(array.buffers()[1], self._dtype, count=array.offset + len(array))
            self._values[place] = raw[array.offset :]

    def take(self, slots: Int64s) -> pa.Array:
        values, nulls = self._values[slots], self._nulls.take(slots)
        if self._bool:
            return pa.array(values != 0, mask=nulls)
        mask = None if nulls is None else pa.array(~nulls).buffers()[1]
        return pa.Array.from_buffers(self._type, len(slots), [mask, pa.py_buffer(values)])

    def drop(self, slots: Int64s) -> None:
        self._nulls.drop(slots)


class _Text:
    """Texts and bytes in an arena; a slot knows where its text starts and how long it is."""

    def __init__(self, type_: pa.DataType) -> None:
        self._type = type_
        self._arena = reserve("u1", (_ARENA_BYTES,))
        self._starts = reserve("i8", (RESERVED_SLOTS,))
        self._lengths = reserve("i4", (RESERVED_SLOTS,))
        self._nulls = _Nulls()
        self._used = 0
        self._live = 0
        self._high = 0

    def nbytes(self, high: int) -> int:
        return self._used + high * 12 + self._nulls.nbytes(high)

    def put(self, place: Any, slots: Int64s, array: pa.Array) -> None:
        if not len(slots):
            return
        self._nulls.put(place, array)
        offsets, data = text_buffers(array)
        first, size = int(offsets[0]), int(offsets[-1] - offsets[0])
        self._arena[self._used : self._used + size] = data[first : first + size]
        self._starts[place] = offsets[:-1].astype(np.int64) + (self._used - first)
        self._lengths[place] = np.diff(offsets)
        self._used += size
        self._live += size
        self._high = max(self._high, int(slots[-1]) + 1, int(slots[0]) + 1)

    def take(self, slots: Int64s) -> pa.Array:
        offsets = np.zeros(len(slots) + 1, np.int32)
        np.cumsum(self._lengths[slots], out=offsets[1:])
        out = np.empty(int(offsets[-1]), np.uint8)
        kernels.gather_texts(self._arena, self._starts, self._lengths, slots, offsets, out)
        nulls = self._nulls.take(slots)
        mask = None if nulls is None else pa.array(~nulls).buffers()[1]
        return pa.Array.from_buffers(self._type, len(slots), [mask, pa.py_buffer(offsets), pa.py_buffer(out)])

    def drop(self, slots: Int64s) -> None:
        self._nulls.drop(slots)
        self._high = max(self._high, int(slots.max()) + 1)
        self._live -= int(self._lengths[slots].sum())
        self._lengths[slots] = 0
        if self._used > _COMPACT_BYTES and self._live * 2 < self._used:
            self._compact()

    def _compact(self) -> None:
        slots = np.flatnonzero(self._lengths[: self._high])
        lengths = self._lengths[slots].astype(np.int64)
        offsets = np.zeros(len(slots) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        moved = np.empty(int(offsets[-1]), np.uint8)
        kernels.gather_texts(self._arena, self._starts, self._lengths, slots, offsets, moved)
        self._arena[: len(moved)] = moved
        self._starts[slots] = offsets[:-1]
        self._used = len(moved)


class _Nested:
    """Values of nested types in Arrow arrays that are joined as they double; dead ones go when they are the most."""

    def __init__(self, type_: pa.DataType) -> None:
        self._type = type_
        self._chunks: list[pa.Array] = []
        self._places = reserve("i8", (RESERVED_SLOTS,))
        self._used = 0
        self._dead = 0
        self._high = 0

    def nbytes(self, high: int) -> int:
        return sum(int(chunk.nbytes) for chunk in self._chunks) + 8 * high

    def put(self, place: Any, slots: Int64s, array: pa.Array) -> None:
        if not len(slots):
            return
        self._places[place] = np.arange(self._used, self._used + len(array))
        self._used += len(array)
        self._high = max(self._high, int(slots.max()) + 1)
        self._chunks.append(array)
        while len(self._chunks) > 1 and len(self._chunks[-2]) <= 2 * len(self._chunks[-1]):
            last = self._chunks.pop()
            self._chunks[-1] = pa.concat_arrays([self._chunks[-1], last])

    def take(self, slots: Int64s) -> pa.Array:
        found = pa.chunked_array(self._chunks, self._type).take(pa.array(self._places[slots]))
        return whole(found)

    def drop(self, slots: Int64s) -> None:
        self._places[slots] = -1
        self._dead += len(slots)
        if self._dead * 2 > self._used and self._used > 1024:
            live = np.flatnonzero(self._places[: self._high] >= 0)
            kept = self.take(live)
            self._places[live] = np.arange(len(live))
            self._chunks, self._used, self._dead = [kept], len(live), 0


class _Nulls:
    """Which slots are NULL; takes no memory before the first one is."""

    def __init__(self) -> None:
        self._flags: Any = None

    def nbytes(self, high: int) -> int:
        return 0 if self._flags is None else high

    def put(self, place: Any, array: pa.Array) -> None:
        if array.null_count:
            if self._flags is None:
                self._flags = reserve("b1", (RESERVED_SLOTS,))
            self._flags[place] = np.asarray(array.is_null())

    def take(self, slots: Int64s) -> NDArray[np.bool_] | None:
        if self._flags is None:
            return None
        found = self._flags[slots]
        return found if found.any() else None

    def drop(self, slots: Int64s) -> None:
        if self._flags is not None:
            self._flags[slots] = False
