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
from fluxcore.operators.rows import RowBuffer, drop_late, times_ms, watermark_state
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
    """What to join: ``outer`` keeps left rows without a version; ``output`` left columns, then right ones."""

    outer: bool
    left: TemporalSide
    right: TemporalSide
    key_types: tuple[DataType, ...]
    output: pa.Schema
    residual: Residual | None = None


class TemporalJoinOperator(Operator):
    """Takes append-only rows; a right row is its key's version from its time on, until the next one's.

    Left rows come out by time when the watermark has passed them; those that come after that are dropped and counted. Right
    rows are never too late: what is settled stays. Only the versions that a later left row may need are kept.
    Cost: a watermark sorts what it releases; the kept versions are found by key.
    """

    def __init__(self, options: TemporalJoinOptions) -> None:
        self._options = options
        self._left = RowBuffer(options.left.schema)
        self._right = RowBuffer(options.right.schema)
        self._watermark = MIN_TIME_MS

    def open(self, context: OperatorContext) -> None:
        """Make the tables of versions."""
        super().open(context)
        self._versions = context.state.table("versions", self._options.key_types, {"row": "i8", "time": "i8"})
        self._rows = context.state.rows("rows", self._options.right.schema, {"time": "i8"})

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:
        """Keep rows until the watermark has passed them."""
        assert batch.weights is None, "a temporal join takes rows that are never updated"
        side = self._options.left if port == _LEFT else self._options.right
        times = times_ms(batch.column(side.time), side.schema.field(side.time).name)
        if port == _LEFT:
            batch, times = drop_late(batch, times, self._watermark, self.context)
            self._left.append(batch.data, times)
        else:
            valid = all_valid([batch.column(index) for index in side.keys])
            if valid is not None:
                batch, times = batch.filter(valid), times[valid]
            self._right.append(batch.data, times)
        return ()

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Join the left rows whose time the watermark has passed."""
        self._watermark = max(self._watermark, watermark)
        if not self._left.due(self._watermark) and not self._right.due(self._watermark):
            return ()
        left, left_times = self._left.take_due(self._watermark)
        right, right_times = self._right.take_due(self._watermark)
        order = stable_order([left_times], len(left_times))
        left, left_times = left.take(pa.array(order)), left_times[order]
        slots = self._rows.add(right)
        self._rows.columns["time"][slots] = right_times
        owners = self._versions.upsert(self._keys(right, self._options.right)) if len(slots) else slots
        found = self._valid_rows(left, left_times, (owners, slots, right_times))
        result = self._output(left, found)
        self._keep_last(owners, slots, right_times)
        return [result] if result.rows else ()

    @property
    def state_rows(self) -> int:
        """Return the rows that wait, and the versions."""
        return self._left.rows + self._right.rows + self._rows.count

    @property
    def state_bytes(self) -> int:
        """Return their bytes."""
        return self._left.nbytes + self._right.nbytes + self._rows.nbytes + self._versions.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the rows that wait, the versions and the watermark."""
        left, right = self._options.left, self._options.right
        versions = pa.RecordBatch.from_arrays(self._rows.take(self._rows.live_slots()), schema=right.schema)
        return {
            "left": self._left.freeze(left.keys),
            "right": self._right.freeze(right.keys),
            "versions": keyed(versions, right.keys),
            "watermark": watermark_state(self._watermark),
        }

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._left.restore(frozen["left"])
        self._right.restore(frozen["right"])
        self._watermark = frozen["watermark"].column(0)[0].as_py()
        data, side = frozen["versions"], self._options.right
        if data.num_rows:
            times = times_ms(data.column(side.time), "time")
            slots = self._rows.add(data)
            self._rows.columns["time"][slots] = times
            self._keep_last(self._versions.upsert(self._keys(data, side)), slots, times)

    def _keys(self, data: pa.RecordBatch, side: TemporalSide) -> list[pa.Array]:
        return shared_keys(data, side.keys, self._options.key_types)

    def _valid_rows(self, left: pa.RecordBatch, times: Int64s, fresh: tuple[Int64s, Int64s, Int64s]) -> Int64s:
        """Return for each left row the slot of its version, -1 for none; ``fresh`` versions: (key slot, row slot, time)."""
        owners, slots, right_times = fresh
        keys = self._keys(left, self._options.left)
        mine = self._versions.lookup(keys) if left.num_rows else np.zeros(0, np.int64)
        valid = all_valid(keys)
        if valid is not None:
            mine = np.where(valid, mine, -1)
        count, width = len(owners), len(owners) + len(mine)
        both = np.concatenate((owners, mine))
        order = stable_order([both, np.concatenate((right_times, times))], width)
        places = np.arange(width)
        last = np.maximum.accumulate(np.where(order < count, places, -1))
        candidate = np.where(last >= 0, order[last], 0)
        same = (last >= 0) & (both[candidate] == both[order])
        found = np.empty(width, np.int64)
        found[order] = np.where(same, candidate, -1)
        found = found[count:]
        kept = self._versions.columns["row"][mine] - 1
        kept[mine < 0] = -1
        newest = np.where(found >= 0, slots[found] if count else -1, -1)
        # a version that came late must not hide a later one that was kept
        stamps = self._rows.columns["time"]
        hidden = (kept >= 0) & ((newest < 0) | (stamps[kept] > stamps[newest]))
        return np.where(hidden, kept, newest)

    def _output(self, left: pa.RecordBatch, found: Int64s) -> Batch:
        options = self._options
        rows = np.flatnonzero(found >= 0)
        if options.residual is not None and len(rows):
            mine, theirs = Batch(left).columns_at(rows), partial(self._rows.take, found[rows])
            rows = rows[options.residual.holds(mine, theirs, len(rows))]
        if not options.outer:
            columns = [*left.take(pa.array(rows)).columns, *self._rows.take(found[rows])]
            return Batch(pa.RecordBatch.from_arrays(columns, schema=options.output))
        places = np.full(left.num_rows, -1, np.int64)
        places[rows] = np.arange(len(rows))
        nulls = padded(options.right.schema, 1)
        taken = pa.array(np.where(places < 0, len(rows), places))
        theirs_all = [
            pa.concat_arrays([a, b]).take(taken) for a, b in zip(self._rows.take(found[rows]), nulls, strict=True)
        ]
        return Batch(pa.RecordBatch.from_arrays([*left.columns, *theirs_all], schema=options.output))

    def _keep_last(self, owners: Int64s, slots: Int64s, times: Int64s) -> None:
        """Keep the last version of each key, and forget those before it."""
        if not len(slots):
            return
        versions, stamps = self._versions.columns, self._rows.columns["time"]
        order = stable_order([owners, times], len(slots))
        last = np.append(owners[order][1:] != owners[order][:-1], True)
        keys, newest = owners[order][last], slots[order][last]
        old = versions["row"][keys] - 1
        stays = (old >= 0) & (stamps[old] > stamps[newest])
        gone = np.concatenate((slots[order][~last], newest[stays], old[(old >= 0) & ~stays]))
        versions["row"][keys[~stays]] = newest[~stays] + 1
        self._rows.remove(gone)
