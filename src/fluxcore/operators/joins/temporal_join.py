"""Joins each left row with the version of a right row that was valid at the left row's time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.frozen import keyed
from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.operators.joins.join_side import shared_keys
from fluxcore.operators.joins.residuals import Residual, padded
from fluxcore.operators.joins.versions import Versions
from fluxcore.operators.rows import RowBuffer, drop_late, times_ms, watermark_state, watermarks_before
from fluxcore.operators.sort_words import all_valid, stable_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Int64s
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType

_LEFT, _RIGHT = 0, 1


@dataclass(frozen=True, slots=True)
class TemporalSide:
    """One input: its schema, the positions of its keys and of its event time."""

    schema: pa.Schema
    keys: tuple[int, ...]
    time: int


@dataclass(frozen=True, slots=True)
class TemporalJoinOptions:
    """What to join: ``outer`` keeps left rows without a version; ``output`` left columns, then right ones.

    With ``updated`` the right side is a changelog that has one row for each key at a time.
    """

    outer: bool
    left: TemporalSide
    right: TemporalSide
    key_types: tuple[DataType, ...]
    output: pa.Schema
    residual: Residual | None = None
    updated: bool = False


class TemporalJoinOperator(Operator):
    """Takes append-only rows on the left; a right row is its key's version from its time on, until the next one's.

    Left rows come out by time when the watermark has passed them; those that come after that are dropped and counted. Right
    rows are never too late: what is settled stays. Only the versions that a later left row may need are kept. Of an updated
    right side, a row that is taken back holds until the time of the row that comes in its place; where none comes before the
    watermark rises, until that watermark.
    Cost: a watermark sorts what it releases; the kept versions are found by key.
    """

    def __init__(self, options: TemporalJoinOptions) -> None:
        self._options = options
        self._left = RowBuffer(options.left.schema)
        self._watermark = MIN_TIME_MS

    def open(self, context: OperatorContext) -> None:
        """Make the tables of versions."""
        super().open(context)
        options = self._options
        self._right = Versions(options.right.schema, options.key_types, context.state, updated=options.updated)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:
        """Keep rows until the watermark has passed them."""
        side = self._options.left if port == _LEFT else self._options.right
        times = times_ms(batch.column(side.time), side.schema.field(side.time).name)
        if port == _LEFT:
            assert batch.weights is None, "the left rows of a temporal join are never updated"
            batch, times = drop_late(batch, times, self._watermark, self.context)
            self._left.append(batch.data, times)
            return ()
        assert self._options.updated or batch.weights is None, "these versions are never taken back"
        seen = watermarks_before(batch, self._watermark) + 1
        valid = all_valid([batch.column(index) for index in side.keys])
        if valid is not None:
            batch, times, seen = batch.filter(valid), times[valid], seen[valid]
        if batch.rows:
            self._right.add(batch, self._keys(batch.data, side), times, seen)
        return ()

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Join the left rows whose time the watermark has passed."""
        self._watermark = max(self._watermark, watermark)
        self._right.arrive(self._watermark)
        result = self._join() if self._left.due(self._watermark) else None
        self._right.settle(self._watermark)
        return [result] if result is not None and result.rows else ()

    @property
    def state_rows(self) -> int:
        """Return the rows that wait, and the versions."""
        return self._left.rows + self._right.count

    @property
    def state_bytes(self) -> int:
        """Return their bytes."""
        return self._left.nbytes + self._right.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the rows that wait, the versions and the watermark."""
        return {
            "left": self._left.freeze(self._options.left.keys),
            "versions": keyed(self._right.freeze(), self._options.right.keys),
            "watermark": watermark_state(self._watermark),
        }

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._left.restore(frozen["left"])
        self._watermark = frozen["watermark"].column(0)[0].as_py()
        side = self._options.right
        data, extra = self._right.parts(frozen["versions"])
        if data.num_rows:
            self._right.restore(data, self._keys(data, side), extra, self._watermark)

    def _keys(self, data: pa.RecordBatch, side: TemporalSide) -> list[pa.Array]:
        return shared_keys(data, side.keys, self._options.key_types)

    def _join(self) -> Batch:
        """Return the joined rows of the left ones that are due, by time."""
        left, times = self._left.take_due(self._watermark)
        order = stable_order([times], len(times))
        left, times = left.take(pa.array(order)), times[order]
        keys = self._keys(left, self._options.left)
        return self._output(left, self._right.holding(keys, times, all_valid(keys)))

    def _output(self, left: pa.RecordBatch, found: Int64s) -> Batch:
        options = self._options
        rows = np.flatnonzero(found >= 0)
        if options.residual is not None and len(rows):
            mine, theirs = Batch(left).columns_at(rows), partial(self._right.take, found[rows])
            rows = rows[options.residual.holds(mine, theirs, len(rows))]
        if not options.outer:
            columns = [*left.take(pa.array(rows)).columns, *self._right.take(found[rows])]
            return Batch(pa.RecordBatch.from_arrays(columns, schema=options.output))
        places = np.full(left.num_rows, -1, np.int64)
        places[rows] = np.arange(len(rows))
        nulls = padded(options.right.schema, 1)
        taken = pa.array(np.where(places < 0, len(rows), places))
        theirs_all = [
            pa.concat_arrays([a, b]).take(taken) for a, b in zip(self._right.take(found[rows]), nulls, strict=True)
        ]
        return Batch(pa.RecordBatch.from_arrays([*left.columns, *theirs_all], schema=options.output))
