"""Keyed columnar tables: one slot per key, value columns as NumPy views by slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.nested_bytes import from_bytes, to_bytes
from fluxcore.core.types import ArrayType, BytesType, DecimalType, MapType, RowType, StringType, VariantType
from fluxcore.core.words import canonical_words
from fluxcore.state import table_kernels as kernels
from fluxcore.state.memory import RESERVED_SLOTS, reserve
from fluxcore.state.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from fluxcore.core.types import DataType

    Int64s = NDArray[np.int64]

_BY_ID = StringType | BytesType | VariantType | ArrayType | MapType | RowType


class KeyedTable:
    """A table of keys and value columns (see ``fluxcore.core.ports.KeyedTable``).

    A key is packed into int64 words: one for a fixed-width column, two for a decimal, an id for text and for the bytes of
    a nested value, and a last one with a bit per column that is NULL where any column may be.
    """

    def __init__(self, keys: Sequence[DataType], columns: Mapping[str, str]) -> None:
        self._types = list(keys)
        self._arrow = [type_.arrow() for type_ in keys]
        self._widths = [2 if isinstance(type_, DecimalType) else 1 for type_ in keys]
        self._nullable = any(type_.nullable for type_ in keys)
        self._words = max(1, sum(self._widths) + self._nullable)
        self._texts = {i: Texts() for i, type_ in enumerate(keys) if isinstance(type_, _BY_ID)}
        self._keys = reserve("i8", (RESERVED_SLOTS, self._words))
        self.columns = {name: reserve(dtype, (RESERVED_SLOTS,)) for name, dtype in columns.items()}
        self._free = reserve("i8", (RESERVED_SLOTS,))
        self._index = np.zeros(1024, np.uint64)
        self._state = np.zeros(4, np.int64)

    @property
    def count(self) -> int:
        """Return the number of live keys."""
        return int(self._state[0] - self._state[1])

    @property
    def high(self) -> int:
        """Return how many slots, from 0 on, hold all live ones."""
        return int(self._state[0])

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        row = 8 * self._words + sum(column.itemsize for column in self.columns.values())
        return int(self._state[0]) * row + self._index.nbytes + sum(each.nbytes for each in self._texts.values())

    def upsert(self, keys: Sequence[Any]) -> Int64s:
        """Return the slot (int64) of each key row, making slots of zeros for new keys."""
        return self.upsert_new(keys)[0]

    def upsert_new(self, keys: Sequence[Any]) -> tuple[Int64s, Int64s]:
        """Return the slot of each key row, and the rows (rising) whose keys are new: the first row of each."""
        words = self._pack(keys, insert=True)
        rows = len(words)
        slots, made = np.empty(rows, np.int64), np.empty(rows, np.int64)
        self._state[3] = 0
        at = kernels.upsert(self._index, self._keys, words, 0, self._free, self._state, slots, made)
        while at < rows:
            self._reindex()
            at = kernels.upsert(self._index, self._keys, words, at, self._free, self._state, slots, made)
        fresh = made[: int(self._state[3])]
        if len(fresh) and self._texts:
            new = words[fresh]
            for place, texts in self._text_places():
                texts.retain(new[:, place][self._present(new, place)])
        return slots, fresh

    def lookup(self, keys: Sequence[Any]) -> Int64s:
        """Return the slot of each key row, -1 where there is none."""
        words = self._pack(keys, insert=False)
        slots = np.empty(len(words), np.int64)
        kernels.lookup(self._index, self._keys, words, slots)
        return slots

    def delete(self, slots: Int64s) -> None:
        """Remove the keys at these distinct slots, zero their values and give the slots back."""
        if not len(slots):
            return
        kernels.remove(self._index, self._keys, slots)
        for place, texts in self._text_places():
            rows = self._keys[slots]
            texts.release(rows[:, place][self._present(rows, place)])
        for column in self.columns.values():
            column[slots] = 0
        first = int(self._state[1])
        self._free[first : first + len(slots)] = slots
        self._state[1] += len(slots)
        if self.count == 0:
            self.clear()

    def clear(self) -> None:
        """Remove all keys, keeping the memory."""
        live = self.live_slots()
        for place, texts in self._text_places():
            if len(live):
                rows = self._keys[live]
                texts.release(rows[:, place][self._present(rows, place)])
        for column in self.columns.values():
            column[: int(self._state[0])] = 0
        self._index[:] = 0
        self._state[:] = 0

    def live_slots(self) -> Int64s:
        """Return the slots in use, in the order of the slots."""
        high, free = int(self._state[0]), int(self._state[1])
        if not free:
            return np.arange(high)
        dead = np.zeros(high, np.bool_)
        dead[self._free[:free]] = True
        return np.flatnonzero(~dead)

    def key_columns(self, slots: Int64s, columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the keys at these slots as Arrow columns: all of them, or those at some positions."""
        found = []
        for number in range(len(self._arrow)) if columns is None else columns:
            type_, width, place = self._arrow[number], self._widths[number], sum(self._widths[:number])
            words = np.empty((width, len(slots)), np.int64)
            flags = np.empty(len(slots) if self._nullable else 0, np.bool_)
            count = 0
            for index in range(width):
                flag = number if self._nullable else -1
                count = kernels.key_words(self._keys, slots, place + index, flag, words[index], flags)
            flat = words[0] if width == 1 else np.ascontiguousarray(words.T).reshape(-1)
            found.append(self._unpack(number, flat, flags if count else None, type_))
        return found

    def freeze(self) -> pa.RecordBatch:
        """Return all keys and values, a column each: keys first, named ``key0``…, then the value columns."""
        slots = self.live_slots()
        arrays = self.key_columns(slots) + [pa.array(column[slots]) for column in self.columns.values()]
        return pa.RecordBatch.from_arrays(arrays, [f"key{i}" for i in range(len(self._types))] + list(self.columns))

    def restore(self, frozen: pa.RecordBatch) -> Int64s:
        """Add what :meth:`freeze` gave; return the slots of its rows. A column that was not there then holds zeros."""
        width = len(self._types)
        slots = self.upsert([frozen.column(index) for index in range(width)])
        for name in set(self.columns) & set(frozen.schema.names):
            self.columns[name][slots] = np.asarray(frozen.column(name))
        return slots

    def close(self) -> None:
        """Give the memory back; the table can't be used any more."""
        self.columns.clear()
        vars(self).clear()

    def _text_places(self) -> list[tuple[int, Texts]]:
        return [(sum(self._widths[:number]), texts) for number, texts in self._texts.items()]

    def _present(self, rows: Int64s, place: int) -> Any:
        """Return which of these key rows hold a text at a place, rather than NULL."""
        if not self._nullable:
            return np.ones(len(rows), np.bool_)
        number = next(n for n in self._texts if sum(self._widths[:n]) == place)
        return (rows[:, -1] >> number & 1) == 0

    def _pack(self, keys: Sequence[Any], *, insert: bool) -> Int64s:
        rows = len(keys[0]) if keys else 0
        words = np.zeros((rows, self._words), np.int64)
        place = 0
        for number, (key, width) in enumerate(zip(keys, self._widths, strict=True)):
            if isinstance(key, np.ndarray):
                words[:, place] = key
            else:
                self._pack_column(number, key, words[:, place : place + width], insert=insert)
                if self._nullable and key.null_count:
                    words[:, -1] |= np.asarray(key.is_null()).astype(np.int64) << number
            place += width
        return words

    def _pack_column(self, number: int, key: pa.Array, out: Any, *, insert: bool) -> None:
        if number in self._texts:
            texts = to_bytes(key) if pa.types.is_nested(key.type) else key
            out[:, 0] = self._texts[number].ids(texts, insert=insert)
        elif self._widths[number] == 2:
            raw = np.frombuffer(key.buffers()[1], np.int64).reshape(-1, 2)[key.offset : key.offset + len(key)]
            out[:] = np.where(np.asarray(key.is_null())[:, None], 0, raw) if key.null_count else raw
        else:
            out[:, 0] = canonical_words(key)

    def _unpack(self, number: int, words: Int64s, nulls: Any, type_: pa.DataType) -> pa.Array:
        if number in self._texts:
            if pa.types.is_nested(type_):
                return from_bytes(self._texts[number].texts(words, nulls, pa.binary()), type_)
            return self._texts[number].texts(words, nulls, type_)
        mask = None if nulls is None else pa.array(~nulls).buffers()[1]
        if self._widths[number] == 2:
            return pa.Array.from_buffers(type_, len(words) // 2, [mask, pa.py_buffer(words)])
        if pa.types.is_boolean(type_):
            return pa.array(words != 0, mask=nulls)
        if pa.types.is_floating(type_):
            return pa.array(words.view(np.float64), mask=nulls).cast(type_)
        narrow = words.astype(f"i{type_.bit_width // 8}", copy=False)
        return pa.Array.from_buffers(type_, len(narrow), [mask, pa.py_buffer(narrow)])

    def _reindex(self) -> None:
        """Make the index anew, at most a quarter full, without the entries of deleted keys."""
        live = self.live_slots()
        size = 1 << max(10, (4 * len(live) - 1).bit_length())
        self._index = np.zeros(size, np.uint64)
        kernels.rebuild(self._index, self._keys, live)
        self._state[2] = len(live)
