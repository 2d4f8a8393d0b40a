"""One side of a join whose rows are never taken back nor forgotten: they stay in the batches in which they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.batch import Batch
from fluxcore.core.frozen import keyed
from fluxcore.core.hashing import hash_columns
from fluxcore.core.nested_bytes import to_bytes
from fluxcore.core.words import canonical_words
from fluxcore.operators.joins.join_side import shared_keys
from fluxcore.operators.sort_words import all_valid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcore.core.batch import Bools, Int64s
    from fluxcore.core.ports import StateBackend
    from fluxcore.core.types import DataType
    from fluxcore.operators.joins.join_side import JoinInput


class LoggedSide:
    """Keeps the rows of one input in a log. Rows whose key is NULL never come here.

    A key of one number is its own 64 bits; other keys are hashed, and what is found by the hash is compared.
    """

    def __init__(
        self, options: JoinInput, key_types: Sequence[DataType], name: str, state: StateBackend, *, judged: bool
    ) -> None:
        self.options = options
        self._key_types = key_types
        self._log = state.log(f"{name} rows", options.schema, {"partners": "i8"} if judged else {})
        self.columns = self._log.columns
        self._judged = judged
        self._exact = not key_types or (len(key_types) == 1 and _is_number(key_types[0].arrow()))

    @property
    def count(self) -> int:
        """Return the number of rows kept."""
        return self._log.count

    @property
    def nbytes(self) -> int:
        """Return the bytes kept."""
        return self._log.nbytes

    def key_arrays(self, batch: Batch) -> list[pa.Array]:
        """Return the key columns of a batch of this input, in the types that both sides share."""
        return shared_keys(batch, self.options.keys, self._key_types)

    def valid_keys(self, batch: Batch) -> Bools | None:
        """Return which rows have no NULL in their key; None when all do."""
        return all_valid([batch.column(index) for index in self.options.keys])

    def partners(self, keys: Sequence[pa.Array], rows: int) -> Iterator[tuple[Int64s, Int64s]]:
        """Return (row numbers, row slots here) of all pairs of ``rows`` keys with the rows kept, in portions."""
        for asked, slots in self._log.pairs(self._words(keys, rows)):
            if self._exact:
                yield asked, slots
                continue
            same = self._same(keys, asked, slots)
            yield asked[same], slots[same]

    def rows(self, slots: Int64s, columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the rows at these slots: all columns, or those at some positions."""
        return self._log.take(slots, columns)

    def counts(self, slots: Int64s) -> Int64s:
        """Return how often each of these rows stands here: once."""
        return np.ones(len(slots), np.int64)

    def add(self, batch: Batch, keys: Sequence[pa.Array], weights: Int64s, partners: Int64s | None) -> Int64s:  # noqa: ARG002
        """Add rows; return their slots. ``partners`` is how many each has on the other side."""
        data, chosen = batch.source()
        slots = self._log.add(data, self._words(keys, batch.rows), chosen)
        if self._judged and partners is not None:
            self.columns["partners"][slots] = partners
        return slots

    def forget_expired(self, rows: int) -> None:
        """Forget nothing: rows with a lifetime are kept otherwise."""

    def touch(self, slots: Int64s) -> None:
        """Do nothing: no row has a lifetime."""

    def clear(self) -> None:
        """Forget all rows."""
        self._log.clear()

    def freeze(self) -> pa.RecordBatch:
        """Return all rows with their counts and partners."""
        frozen = self._log.freeze()
        ones = pa.array(np.ones(self.count, np.int64))
        columns = frozen.columns if self._judged else [*frozen.columns, pa.array(np.zeros(self.count, np.int64))]
        names = [f"row{index}" for index in range(len(self.options.schema))] + ["count", "partners"]
        return keyed(pa.RecordBatch.from_arrays([*columns[:-1], ones, columns[-1]], names), self.options.keys)

    def restore(self, frozen: pa.RecordBatch) -> Int64s:
        """Add what :meth:`freeze` gave; return the slots of its rows."""
        width = len(self.options.schema)
        batch = Batch(pa.RecordBatch.from_arrays(frozen.columns[:width], schema=self.options.schema))
        counts, partners = (np.asarray(frozen.column(name)) for name in ("count", "partners"))
        return self.add(batch, self.key_arrays(batch), counts, partners)

    def _words(self, keys: Sequence[pa.Array], rows: int) -> Int64s:
        if not keys:
            return np.zeros(rows, np.int64)
        return canonical_words(keys[0]) if self._exact else hash_columns(keys).view(np.int64)

    def _same(self, keys: Sequence[pa.Array], asked: Int64s, slots: Int64s) -> Bools:
        """Return for which pairs the keys are equal, and not only their hashes."""
        same = np.ones(len(asked), np.bool_)
        wanted = [type_.arrow() for type_ in self._key_types]
        for mine, theirs, type_ in zip(keys, self._log.take(slots, self.options.keys), wanted, strict=True):
            left, right = mine.take(pa.array(asked)), theirs if theirs.type == type_ else theirs.cast(type_)
            if pa.types.is_floating(type_):  # NaN equals NaN as a key
                same &= canonical_words(left) == canonical_words(right)
            elif pa.types.is_nested(type_):
                same &= pc.equal(to_bytes(left), to_bytes(right)).to_numpy(zero_copy_only=False)
            else:
                same &= pc.equal(left, right).to_numpy(zero_copy_only=False)
        return same


def _is_number(type_: pa.DataType) -> bool:
    decimal = pa.types.is_decimal(type_)
    return pa.types.is_boolean(type_) or pa.types.is_temporal(type_) or (pa.types.is_primitive(type_) and not decimal)
