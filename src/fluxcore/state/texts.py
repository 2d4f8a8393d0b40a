"""Ids for texts that stand in keys: each distinct text once, freed when no key holds it any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.words import text_buffers
from fluxcore.state import table_kernels as kernels
from fluxcore.state.memory import RESERVED_SLOTS, reserve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

_ARENA_BYTES = 2**35
_COMPACT_BYTES = 2**22


class Texts:
    """Maps texts to ids (int64) and back. An id lives while somebody has retained it more often than released it."""

    def __init__(self) -> None:
        self._index = np.zeros(1024, np.uint64)
        self._arena = reserve("u1", (_ARENA_BYTES,))
        self._starts = reserve("i8", (RESERVED_SLOTS,))
        self._lengths = reserve("i8", (RESERVED_SLOTS,))
        self._counts = reserve("i8", (RESERVED_SLOTS,))
        self._free = reserve("i8", (RESERVED_SLOTS,))
        self._state = np.zeros(4, np.int64)
        self._live_bytes = 0

    @property
    def count(self) -> int:
        """Return the number of ids in use."""
        return int(self._state[0] - self._state[1])

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        return int(self._state[3]) + int(self._state[0]) * 24 + self._index.nbytes

    def ids(self, array: pa.Array, *, insert: bool) -> Int64s:
        """Return the id of each text; NULL gives 0, an unknown text -1 unless ``insert`` makes an id for it."""
        encoded = array.dictionary_encode() if len(array) > 64 else None
        values = encoded.dictionary if encoded is not None else array
        found = self._unique(values, insert=insert)
        if encoded is None:
            return np.where(np.asarray(array.is_null()), 0, found) if array.null_count else found
        indices = encoded.indices
        if indices.null_count:
            places = np.asarray(indices.fill_null(0))
            return np.where(np.asarray(indices.is_null()), 0, found[places] if len(found) else 0)
        return found[np.asarray(indices)]

    def retain(self, ids: Int64s) -> None:
        """Count one more holder of each id."""
        np.add.at(self._counts, ids, 1)

    def release(self, ids: Int64s) -> None:
        """Count one holder less of each id; free the ids that nobody holds."""
        np.subtract.at(self._counts, ids, 1)
        dead = np.unique(ids[self._counts[ids] == 0])
        if not len(dead):
            return
        first = int(self._state[1])
        self._free[first : first + len(dead)] = dead
        self._state[1] += len(dead)
        self._live_bytes -= int(self._lengths[dead].sum())
        kernels.remove_texts(self._index, self._arena, self._starts, self._lengths, dead)
        self._lengths[dead] = -1
        used = int(self._state[3])
        if used > _COMPACT_BYTES and self._live_bytes * 2 < used:
            self._compact()

    def texts(self, ids: Int64s, nulls: NDArray[np.bool_] | None, type_: pa.DataType) -> pa.Array:
        """Return the texts of ids as Arrow text or bytes; NULL where ``nulls`` says so."""
        shown = ids if nulls is None else np.where(nulls, -1, ids)
        lengths = np.where(shown < 0, 0, self._lengths[np.maximum(shown, 0)])
        offsets = np.zeros(len(ids) + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        data = np.empty(int(offsets[-1]), np.uint8)
        kernels.gather_texts(self._arena, self._starts, self._lengths, shown, offsets, data)
        mask = None
        if nulls is not None and nulls.any():
            mask = pa.array(~nulls).buffers()[1]
        return pa.Array.from_buffers(type_, len(ids), [mask, pa.py_buffer(offsets), pa.py_buffer(data)])

    def _unique(self, values: pa.Array, *, insert: bool) -> Int64s:
        offsets, data = text_buffers(values)
        rows = len(values)
        if insert:
            wanted = int(self._state[2]) + rows
            if wanted * 2 > len(self._index):
                self._reindex(1 << ((self.count + rows) * 4).bit_length())
        ids = np.empty(rows, np.int64)
        fresh = np.empty(rows, np.int64)
        made = kernels.intern(
            self._index,
            self._arena,
            self._starts,
            self._lengths,
            offsets,
            data,
            self._free,
            self._state,
            ids,
            fresh,
            insert,
        )
        self._counts[fresh[:made]] = 0
        self._live_bytes += int(self._lengths[fresh[:made]].sum())
        return ids

    def _live(self) -> Int64s:
        high = int(self._state[0])
        dead = np.zeros(high, np.bool_)
        dead[self._free[: int(self._state[1])]] = True
        return np.flatnonzero(~dead)

    def _reindex(self, size: int) -> None:
        self._index = np.zeros(size, np.uint64)
        live = self._live()
        kernels.reindex_texts(self._index, self._arena, self._starts, self._lengths, live)
        self._state[2] = len(live)

    def _compact(self) -> None:
        live = self._live()
        offsets = np.zeros(len(live) + 1, np.int64)
        np.cumsum(self._lengths[live], out=offsets[1:])
        moved: Any = np.empty(int(offsets[-1]), np.uint8)
        kernels.gather_texts(self._arena, self._starts, self._lengths, live, offsets, moved)
        self._arena[: len(moved)] = moved
        self._starts[live] = offsets[:-1]
        self._state[3] = len(moved)
