"""Joins each row with the rows that a table outside, or a function, has for its key as it passes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.ports import Operator
from fluxcore.errors import JobError
from fluxcore.operators.joins.found_rows import FoundRows
from fluxcore.operators.joins.join_side import shared_keys
from fluxcore.operators.joins.residuals import Residual, padded
from fluxcore.operators.sort_words import all_valid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fluxcore.core.batch import Int64s
    from fluxcore.core.lookups import LookupOptions
    from fluxcore.core.ports import LookupSource, OperatorContext
    from fluxcore.core.types import DataType

_THREADS_MAX = 32
_KEYS_AT_ONCE = 4096
"""Keys that one call asks for, so that lookups that run at once share them, and a retry repeats little."""


@dataclass(frozen=True, slots=True)
class OutsideJoinOptions:
    """What to join: ``outer`` keeps rows for which nothing is found; ``keys`` positions of the input, of ``key_types``.

    ``found`` is the schema of the rows that ``source`` finds, ``output`` that of the input's columns followed by them.
    """

    outer: bool
    keys: tuple[int, ...]
    key_types: tuple[DataType, ...]
    found: pa.Schema
    output: pa.Schema
    source: Callable[[], LookupSource]
    lookup: LookupOptions
    name: str
    residual: Residual | None = None


class OutsideJoinOperator(Operator):
    """Takes append-only rows; they come out in their order, with their watermark steps, when all of a batch are answered.

    Each different key of a batch that is not kept is asked for once; NULL keys never match. What is kept is not part of the
    frozen state: it is asked for again.
    """

    def __init__(self, options: OutsideJoinOptions) -> None:
        self._options = options
        self._source: LookupSource | None = None
        self._pool: ThreadPoolExecutor | None = None

    def open(self, context: OperatorContext) -> None:
        """Open what is asked."""
        super().open(context)
        options = self._options
        self._found = FoundRows(options.found, options.key_types, options.lookup, context.state)
        self._source = options.source()
        self._source.open()
        if options.lookup.capacity > 1 and self._source.concurrent:
            threads = min(options.lookup.capacity, _THREADS_MAX)
            self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"lookup {options.name}")

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Join the rows with what is found for their keys."""
        assert batch.weights is None, "a lookup join takes rows that are never updated"
        if not batch.rows:
            return ()
        keys = shared_keys(batch.data, self._options.keys, self._options.key_types)
        slots = self._slots(keys, batch.rows)
        result = self._joined(batch, slots)
        self._found.tidy(slots)
        return [result] if result.rows or result.steps is not None else ()

    @property
    def state_rows(self) -> int:
        """Return the number of keys and rows kept."""
        return self._found.count

    @property
    def state_bytes(self) -> int:
        """Return the bytes kept."""
        return self._found.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return nothing: what is kept can be asked for again."""
        return {}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on with nothing kept."""

    def close(self) -> None:
        """Close what is asked."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        if self._source is not None:
            self._source.close()

    def _slots(self, keys: Sequence[pa.Array], rows: int) -> Int64s:
        """Return the slot of each row's key, asking for those that are not known; -1 where a key is NULL."""
        valid = all_valid(keys)
        places = np.arange(rows) if valid is None else np.flatnonzero(valid)
        slots = np.full(rows, -1, np.int64)
        if not len(places):
            return slots
        if valid is not None:
            keys = [key.take(pa.array(places)) for key in keys]
        now = self.context.clock.now_ms()
        known = self._found.known(keys, now)
        missing = np.flatnonzero(known < 0)
        self.context.count("lookup_hits", len(places) - len(missing))
        if len(missing):
            asked = [key.take(pa.array(missing)) for key in keys]
            known[missing], different, firsts = self._found.asked(asked)
            self.context.count("lookups", len(different))
            table = pa.RecordBatch.from_arrays(asked, [f"k{index}" for index in range(len(asked))])
            self._found.put(different, self._ask(table.take(pa.array(firsts))), now)
        slots[places] = known
        return slots

    def _ask(self, keys: pa.RecordBatch) -> pa.RecordBatch:
        if self._pool is None:
            size = _KEYS_AT_ONCE
        else:
            size = min(_KEYS_AT_ONCE, -(-keys.num_rows // self._options.lookup.capacity))
        parts = [keys.slice(start, size) for start in range(0, keys.num_rows, size)]
        found = list(map(self._tried, parts) if self._pool is None else self._pool.map(self._tried, parts))
        return pa.Table.from_batches(found).combine_chunks().to_batches()[0] if sum(map(len, found)) else found[0]

    def _tried(self, keys: pa.RecordBatch) -> pa.RecordBatch:
        assert self._source is not None
        for left in range(self._options.lookup.retries, -1, -1):
            try:
                return self._source.find(keys)
            except OSError as error:
                if left == 0:
                    message = f"a lookup in {self._options.name} failed: {error}"
                    raise JobError("FX-RUN-0242", message, hint="raise 'lookup.max-retries'") from error
        raise AssertionError("the last try returns or raises")

    def _joined(self, batch: Batch, slots: Int64s) -> Batch:
        options, plain = self._options, batch.with_steps(None)
        lefts: list[Int64s] = []
        rights: list[Int64s] = []
        for rows, found in self._found.pairs(slots):
            if options.residual is not None:
                kept = options.residual.holds(plain.columns_at(rows), partial(self._found.rows, found), len(rows))
                rows, found = rows[kept], found[kept]
            lefts.append(rows)
            rights.append(found)
        none = np.zeros(0, np.int64)
        left, right = np.concatenate([none, *lefts]), np.concatenate([none, *rights])
        columns = self._found.rows(right)
        if options.outer:
            alone = np.setdiff1d(np.arange(batch.rows), left)
            nulls = padded(options.found, len(alone))
            columns = [pa.concat_arrays(both) for both in zip(columns, nulls, strict=True)]
            left = np.concatenate((left, alone))
            order = np.argsort(left, kind="stable")
            left, columns = left[order], [column.take(pa.array(order)) for column in columns]
        mine = batch.data.take(pa.array(left)).columns
        data = pa.RecordBatch.from_arrays([*mine, *columns], schema=options.output)
        return Batch(data, None, batch.steps_for(left))
