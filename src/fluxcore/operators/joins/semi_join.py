"""Keeps the left rows whose key has a row on the right, or has none, as both sides go on changing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.frozen import keyed
from fluxcore.core.ports import Operator
from fluxcore.core.types import BIGINT
from fluxcore.operators.joins.join_side import JoinSide, shared_keys
from fluxcore.operators.joins.window_join import JoinRows
from fluxcore.operators.rows import ended_of, ended_state
from fluxcore.operators.sort_words import all_valid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Int64s
    from fluxcore.core.ports import OperatorContext
    from fluxcore.operators.joins.join import JoinOptions

_LEFT = 0


class SemiJoinOperator(Operator):
    """Takes changelogs on both ports, joined by keys alone. NULL keys never match.

    Of the right side only the number of rows of each key is kept. Where it never takes a row back, left rows whose answer
    can't change any more are not kept either.
    Cost: a left row is O(1); a right row costs the left rows of its key when the key's first row comes or its last one goes.
    """

    def __init__(self, options: JoinOptions) -> None:
        assert options.kind in (JoinRows.SEMI, JoinRows.ANTI)
        assert options.residual is None
        assert options.interval is None
        self._options = options
        self._semi = options.kind is JoinRows.SEMI
        self._for_good = options.right.append_only
        self._appends = self._semi and options.left.append_only and options.right.append_only
        self._ended = [False, False]

    def open(self, context: OperatorContext) -> None:
        """Make the table of left rows, and that of the keys on the right."""
        super().open(context)
        options = self._options
        self._left = JoinSide(options.left, options.key_types, "left", context.state)
        types = options.key_types or (BIGINT.with_nullable(False),)
        self._right = context.state.table("right keys", types, {"count": "i8"})

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:
        """Take left rows (port 0) or right ones (port 1); return the left rows that come or go."""
        batch = batch.with_steps(None)
        return self._take_left(batch) if port == _LEFT else self._take_right(batch)

    def port_ended(self, port: int) -> Sequence[Batch]:
        """Forget, when no right row can come any more, all left rows; when no left one can, only keys of those count."""
        self._ended[port] = True
        if port != _LEFT:
            self._left.remove(self._left.live_slots())
        return ()

    @property
    def state_rows(self) -> int:
        """Return the number of left rows and of right keys kept."""
        return self._left.count + self._right.count

    @property
    def state_bytes(self) -> int:
        """Return the bytes kept."""
        return self._left.nbytes + self._right.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the left rows, the keys of the right side with their counts, and which side has ended."""
        right = keyed(self._right.freeze(), range(len(self._options.key_types)))
        return {"left": self._left.freeze(), "right": right, "ended": ended_state(self._ended)}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._ended = ended_of(frozen["ended"])
        self._right.restore(frozen["right"])
        *columns, counts, _ = frozen["left"].columns
        batch = Batch(pa.RecordBatch.from_arrays(columns, schema=self._options.left.schema))
        if batch.rows:
            self._left.add(batch, self._left.key_arrays(batch), np.asarray(counts), None)

    def _take_left(self, batch: Batch) -> list[Batch]:
        keys = shared_keys(batch.data, self._options.left.keys, self._options.key_types)
        slots = self._right.lookup(self._key_columns(keys, batch.rows))
        valid = all_valid(keys)
        if valid is not None:
            slots[~valid] = -1
        there = np.zeros(batch.rows, np.bool_)
        there[slots >= 0] = self._right.columns["count"][slots[slots >= 0]] > 0
        kept = np.ones(batch.rows, np.bool_) if valid is None else valid
        kept = kept & ~there if self._for_good else kept
        if kept.any() and not self._ended[1]:
            stay = batch.filter(kept)
            self._left.add(stay, self._left.key_arrays(stay), stay.counts, None)
        shown = batch.filter(there if self._semi else ~there)
        return [shown] if shown.rows else []

    def _take_right(self, batch: Batch) -> list[Batch]:
        keys = shared_keys(batch.data, self._options.right.keys, self._options.key_types)
        valid = all_valid(keys)
        if valid is not None:
            batch = batch.filter(valid)
            keys = [key.filter(pa.array(valid)) for key in keys]
        if self._ended[_LEFT] and batch.rows:
            asked = np.flatnonzero(self._left.find(keys, batch.rows) >= 0)
            batch, keys = batch.take(asked), [key.take(pa.array(asked)) for key in keys]
        if not batch.rows:
            return []
        slots = self._right.upsert(self._key_columns(keys, batch.rows))
        touched, firsts, inverse = np.unique(slots, return_index=True, return_inverse=True)
        change = np.zeros(len(touched), np.int64)
        np.add.at(change, inverse.reshape(-1), batch.counts)
        counts = self._right.columns["count"]
        before = counts[touched]
        after = before + change
        counts[touched] = after
        turned = np.flatnonzero((before > 0) != (after > 0))
        result = self._turn(keys, firsts[turned], after[turned] > 0)
        self._right.delete(touched[after == 0])
        return result

    def _turn(self, keys: Sequence[pa.Array], rows: Int64s, come: np.ndarray) -> list[Batch]:
        """Give the left rows of the keys at ``rows``, whose first right row has come or whose last one is gone."""
        if not len(rows):
            return []
        at = pa.array(rows)
        results = []
        forgotten = []
        for places, slots in self._left.pairs(self._left.find([key.take(at) for key in keys], len(rows))):
            weights = np.where(come[places] == self._semi, 1, -1) * self._left.columns["count"][slots]
            results += self._rows(slots, weights)
            forgotten.append(slots)
        if self._for_good and forgotten:
            self._left.remove(np.concatenate(forgotten))
        return results

    def _rows(self, slots: Int64s, weights: Int64s) -> list[Batch]:
        """Return rows as often as their weights say, those that go first."""
        order = np.argsort(weights > 0, kind="stable")
        slots, weights = slots[order], weights[order]
        size = np.abs(weights)
        slots, signs = np.repeat(slots, size), np.repeat(np.sign(weights), size).astype(np.int8)
        if not len(slots):
            return []
        data = pa.RecordBatch.from_arrays(self._left.rows(slots), schema=self._options.output)
        return [Batch(data, None if self._appends else signs)]

    def _key_columns(self, keys: Sequence[pa.Array], rows: int) -> list[pa.Array | np.ndarray]:
        return list(keys) or [np.zeros(rows, np.int64)]
