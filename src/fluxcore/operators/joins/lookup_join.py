"""Joins each left row with the right rows of its key that are there when it passes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.frozen import keyed
from fluxcore.core.ports import Operator
from fluxcore.operators.joins.join_side import JoinInput, JoinSide, shared_keys
from fluxcore.operators.joins.residuals import Residual, padded
from fluxcore.operators.rows import empty_rows, number_state
from fluxcore.operators.sort_words import all_valid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Int64s
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType

_LEFT, _RIGHT = 0, 1


@dataclass(frozen=True, slots=True)
class LookupJoinOptions:
    """What to join.

    ``outer`` keeps left rows without a partner; ``right_ends`` says that the right side ends, so that left rows wait until
    it is complete; ``right_key`` are the positions of the right side's primary key, of which a later row replaces an
    earlier one; ``output`` left columns, then right ones.
    """

    outer: bool
    left: JoinInput
    right: JoinInput
    key_types: tuple[DataType, ...]
    output: pa.Schema
    right_ends: bool
    right_key: tuple[int, ...] = ()
    residual: Residual | None = None


class LookupJoinOperator(Operator):
    """Takes append-only rows on the left and a changelog on the right; left rows come out with their watermark steps.

    NULL keys never match. Cost: a left row costs its partners; the right side is kept as a whole.
    """

    def __init__(self, options: LookupJoinOptions) -> None:
        self._options = options
        self._complete = not options.right_ends
        self._waiting: list[Batch] = []

    def open(self, context: OperatorContext) -> None:
        """Make the table of the right side."""
        super().open(context)
        options = self._options
        self._right = JoinSide(options.right, options.key_types, "right", context.state)
        self._latest = None
        if options.right_key:
            types = [options.right.types[index] for index in options.right_key]
            self._latest = context.state.table("right latest", types, {"row": "i8"})

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:
        """Join left rows, or take right ones."""
        if port == _RIGHT:
            self._take(batch.with_steps(None))
            return ()
        if not self._complete:
            self._waiting.append(batch)
            return ()
        return self._join(batch)

    def port_ended(self, port: int) -> Sequence[Batch]:
        """Join the left rows that have waited for the right side."""
        if port == _LEFT or self._complete:
            return ()
        self._complete = True
        waiting, self._waiting = self._waiting, []
        return [each for batch in waiting for each in self._join(batch.with_steps(None))]

    @property
    def state_rows(self) -> int:
        """Return the number of rows kept."""
        return self._right.count + sum(batch.rows for batch in self._waiting)

    @property
    def state_bytes(self) -> int:
        """Return the bytes kept."""
        return self._right.nbytes + sum(batch.nbytes for batch in self._waiting)

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the right side, the left rows that wait for it, and whether it is complete."""
        options = self._options
        waiting = [
            pa.RecordBatch.from_arrays(batch.data.columns, schema=options.left.schema) for batch in self._waiting
        ]
        left = pa.Table.from_batches(waiting, options.left.schema).combine_chunks().to_batches()
        right = self._right.freeze()
        return {
            "right": right,
            "left": keyed(left[0] if left else empty_rows(options.left.schema), options.left.keys),
            "complete": number_state(int(self._complete), "min"),
        }

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._complete = bool(frozen["complete"].column(0)[0].as_py())
        *columns, counts, _ = frozen["right"].columns
        batch = Batch(pa.RecordBatch.from_arrays(columns, schema=self._options.right.schema))
        if batch.rows:
            slots = self._right.add(batch, self._right.key_arrays(batch), np.asarray(counts), None)
            if self._latest is not None:
                keys = [batch.column(index) for index in self._options.right_key]
                self._latest.columns["row"][self._latest.upsert(keys)] = slots + 1
        if frozen["left"].num_rows:
            self._waiting = [Batch(frozen["left"])]

    def _take(self, batch: Batch) -> None:
        side = self._right
        valid = side.valid_keys(batch)
        if valid is not None:
            batch = batch.filter(valid)
        if not batch.rows:
            return
        weights = batch.counts
        if self._latest is None:
            side.add(batch, side.key_arrays(batch), weights, None)
            return
        keys = [batch.column(index) for index in self._options.right_key]
        slots = self._latest.upsert(keys)
        last = np.sort(len(slots) - 1 - np.unique(slots[::-1], return_index=True)[1])
        batch, slots = batch.take(last), slots[last]
        rows = self._latest.columns["row"]
        side.remove(rows[slots][rows[slots] > 0] - 1)
        rows[slots] = side.add(batch, side.key_arrays(batch), weights[last], None) + 1

    def _join(self, batch: Batch) -> list[Batch]:
        options, side = self._options, self._right
        plain = batch.with_steps(None)
        keys = shared_keys(batch.data, options.left.keys, options.key_types)
        found = side.find(keys, batch.rows)
        valid = all_valid(keys)
        if valid is not None:
            found[~valid] = -1
        results: list[Batch] = []
        partners = np.zeros(batch.rows, np.int64)
        for rows, slots in side.pairs(found):
            if options.residual is not None:
                kept = options.residual.holds(plain.columns_at(rows), partial(side.rows, slots), len(rows))
                rows, slots = rows[kept], slots[kept]
            counts = side.columns["count"][slots]
            if (counts != 1).any():
                rows, slots = np.repeat(rows, counts), np.repeat(slots, counts)
            np.add.at(partners, rows, 1)
            results.append(self._output(batch, rows, side.rows(slots)))
        if options.outer:
            alone = np.flatnonzero(partners == 0)
            results.append(self._output(batch, alone, padded(options.right.schema, len(alone))))
        return [each for each in results if each.rows]

    def _output(self, batch: Batch, rows: Int64s, right: Sequence[pa.Array]) -> Batch:
        columns = [*batch.data.take(pa.array(rows)).columns, *right]
        return Batch(pa.RecordBatch.from_arrays(columns, schema=self._options.output))
