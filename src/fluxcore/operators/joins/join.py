"""Joins two changelogs on keys and a condition, for as long as they go on.

A row that comes meets the rows of the other side that are there, and stays for those that come later. With weights v and w
two rows make v * w joined ones, so that a row taken back takes its joined rows back. A row without a partner comes out with
NULLs where the kind of join says so, and is taken back when its first partner comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS
from fluxcore.operators.expiry import AgingOperator
from fluxcore.operators.joins.join_side import JoinInput, JoinSide
from fluxcore.operators.joins.logged_side import LoggedSide
from fluxcore.operators.joins.residuals import Residual, padded
from fluxcore.operators.joins.window_join import JoinRows
from fluxcore.operators.rows import ended_of, ended_state, watermark_state, watermarks_before

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fluxcore.core.batch import Int64s
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType
    from fluxcore.operators.expiry import Expiry

_ONE_SIDED = (JoinRows.SEMI, JoinRows.ANTI)


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """What to join.

    ``key_types`` are those that both sides' keys are compared in; ``output`` left columns, then right ones (left only for
    SEMI and ANTI). With an ``interval`` (lowest, highest right time - left time, ms) of append-only inputs that have a time,
    rows are forgotten when the watermark says that no partner can come, and come out without one only then. Rows of a side with
    a lifetime are forgotten without a word; when one is taken back later, so are its rows with the partners that are left.
    """

    kind: JoinRows
    left: JoinInput
    right: JoinInput
    key_types: tuple[DataType, ...]
    output: pa.Schema
    residual: Residual | None = None
    interval: tuple[int, int] | None = None


class JoinOperator(AgingOperator):
    """Takes changelogs on both ports. NULL keys never match.

    Cost: a row costs its partners; taking one back is O(1) besides.
    """

    def __init__(self, options: JoinOptions) -> None:
        self._options = options
        kind = options.kind
        self._shows_alone = (
            kind in (JoinRows.LEFT, JoinRows.FULL, JoinRows.ANTI),
            kind in (JoinRows.RIGHT, JoinRows.FULL),
        )
        self._judges = (self._shows_alone[0] or kind is JoinRows.SEMI, self._shows_alone[1])
        self._append_only = options.left.append_only and options.right.append_only and not any(self._shows_alone)
        if options.interval is not None:
            # how long (ms) a left row waits for right ones, and a right row for left ones
            self._reaches = (options.interval[1], -options.interval[0])
            self._append_only = True
        self._watermark = MIN_TIME_MS
        self._ended = [False, False]

    def open(self, context: OperatorContext) -> None:
        """Make the tables of both sides."""
        super().open(context)
        options = self._options
        sides = enumerate(((options.left, "left"), (options.right, "right")))
        self._sides = tuple(self._side(side, name, judged=self._judges[port]) for port, (side, name) in sides)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:
        """Join the rows of input ``port`` (0 left, 1 right) with the other side, and keep them."""
        if not batch.rows:
            return ()
        side, other = self._sides[port], self._sides[1 - port]
        for each in self._sides:
            each.forget_expired(batch.rows)
        out = _Changes(self._options.output, append_only=self._append_only)
        valid = side.valid_keys(batch)
        if valid is not None:
            self._alone(out, port, batch.filter(~valid).with_steps(None))
            batch = batch.filter(valid)
        data = batch.with_steps(None)
        weights = batch.counts
        keys = side.key_arrays(data)
        partners = np.zeros(batch.rows, np.int64)
        shifts: list[tuple[Int64s, Int64s]] = []
        before = watermarks_before(batch, self._watermark) if self._options.interval else None
        for rows, slots in other.partners(keys, batch.rows):
            if before is not None:  # what is past may still be there until the batch is over
                there = other.columns["time"][slots] + self._reaches[1 - port] > before[rows]
                rows, slots = rows[there], slots[there]
            rows, slots = self._judged(port, data, rows, slots)
            counts = other.counts(slots)
            if self._judges[port]:
                np.add.at(partners, rows, counts)
            if self._judges[1 - port]:
                shifts.append((slots, weights[rows]))
            if self._options.kind not in _ONE_SIDED:
                out.add(self._joined(port, data, rows, slots), weights[rows] * counts)
        self._turn(out, 1 - port, shifts)
        self._own(out, port, data, weights, partners)
        if not self._ended[1 - port]:  # nobody will ask for them
            side.add(data, keys, weights, partners if self._judges[port] else None)
        return out.batches()

    def port_ended(self, port: int) -> Sequence[Batch]:
        """Forget the other side: nobody asks for its rows any more. Within an interval they may still come out alone."""
        if self._options.interval is None:
            self._ended[port] = True
            self._sides[1 - port].clear()
        return ()

    def aging(self) -> Sequence[tuple[Expiry, Callable[[Int64s], None]]]:
        """Return what has a lifetime of both sides."""
        return [each for side in self._sides if isinstance(side, JoinSide) for each in side.aging()]

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Forget rows whose interval is over, and give those of them that found no partner."""
        if self._options.interval is None or watermark <= self._watermark:
            return ()
        self._watermark = watermark
        out = _Changes(self._options.output, append_only=True)
        for port, side in enumerate(self._sides):
            assert isinstance(side, JoinSide), "a log forgets no rows"
            slots = side.past(watermark - self._reaches[port]) if watermark < MAX_TIME_MS else side.live_slots()
            if self._shows_alone[port]:
                alone = slots[side.columns["partners"][slots] == 0]
                out.add(self._padded(port, side.rows(alone)), np.ones(len(alone), np.int64))
            side.remove(slots)
        return out.batches()

    def output_watermark(self, watermark: int) -> int:
        """Return the watermark behind rows that are joined late: a row may come out as long as its interval lasts."""
        if self._options.interval is None or watermark in (MIN_TIME_MS, MAX_TIME_MS):
            return watermark
        return watermark - max(0, *self._reaches) - 1

    @property
    def state_rows(self) -> int:
        """Return the number of rows kept."""
        return sum(side.count for side in self._sides)

    @property
    def state_bytes(self) -> int:
        """Return the bytes kept."""
        return sum(side.nbytes for side in self._sides)

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the rows of both sides, and which side has ended."""
        sides = {"left": self._sides[0].freeze(), "right": self._sides[1].freeze()}
        return {**sides, "ended": ended_state(self._ended), "watermark": watermark_state(self._watermark)}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._watermark = frozen["watermark"].column(0)[0].as_py()
        self._ended = ended_of(frozen["ended"])
        for side, name in zip(self._sides, ("left", "right"), strict=True):
            side.restore(frozen[name])

    def _side(self, options: JoinInput, name: str, *, judged: bool) -> JoinSide | LoggedSide:
        types, state = self._options.key_types, self.context.state
        if options.append_only and self._options.interval is None and not options.ttl_ms:
            return LoggedSide(options, types, name, state, judged=judged)
        return JoinSide(options, types, name, state, self.context.clock)

    def _judged(self, port: int, batch: Batch, rows: Int64s, slots: Int64s) -> tuple[Int64s, Int64s]:
        """Return the candidate pairs for which the residual condition is true."""
        residual = self._options.residual
        if residual is None:
            return rows, slots
        mine, theirs = batch.columns_at(rows), partial(self._sides[1 - port].rows, slots)
        left, right = (mine, theirs) if port == 0 else (theirs, mine)
        kept = residual.holds(left, right, len(rows))
        return rows[kept], slots[kept]

    def _joined(self, port: int, batch: Batch, rows: Int64s, slots: Int64s) -> list[pa.Array]:
        mine = batch.columns_at(rows)(range(len(self._sides[port].options.schema)))
        others = self._sides[1 - port].rows(slots)
        return [*mine, *others] if port == 0 else [*others, *mine]

    def _own(self, out: _Changes, port: int, batch: Batch, weights: Int64s, partners: Int64s) -> None:
        """Give the arrived rows that come out by themselves: without a partner, or for SEMI with one."""
        if self._options.kind is JoinRows.SEMI:
            if port == 0:
                rows = np.flatnonzero(partners > 0)
                out.add(batch.data.take(pa.array(rows)).columns, weights[rows])
        elif self._shows_alone[port] and self._options.interval is None:
            rows = np.flatnonzero(partners <= 0)
            out.add(self._padded(port, batch.data.take(pa.array(rows)).columns), weights[rows])

    def _alone(self, out: _Changes, port: int, batch: Batch) -> None:
        """Give rows whose key is NULL: they never have a partner and need not be kept."""
        if self._shows_alone[port]:
            weights = batch.counts
            out.add(self._padded(port, batch.data.columns), weights)

    def _turn(self, out: _Changes, port: int, shifts: list[tuple[Int64s, Int64s]]) -> None:
        """Count new and lost partners of kept rows of ``port``; rows that gained their first or lost their last change."""
        if not shifts:
            return
        side = self._sides[port]
        slots, inverse = np.unique(np.concatenate([each for each, _ in shifts]), return_inverse=True)
        change = np.zeros(len(slots), np.int64)
        np.add.at(change, inverse.reshape(-1), np.concatenate([weights for _, weights in shifts]))
        before = side.columns["partners"][slots]
        after = before + change
        side.columns["partners"][slots] = after
        side.touch(slots)
        if self._options.interval is not None:
            return
        gained = np.flatnonzero((before <= 0) & (after > 0))
        lost = np.flatnonzero((before > 0) & (after <= 0))
        sign = 1 if self._options.kind is JoinRows.SEMI else -1
        for places, weight in ((gained, sign), (lost, -sign)):
            found = slots[places]
            out.add(self._padded(port, side.rows(found)), weight * side.counts(found), first=weight < 0)

    def _padded(self, port: int, columns: Sequence[pa.Array]) -> list[pa.Array]:
        if self._options.kind in _ONE_SIDED:
            return list(columns)
        other = self._options.right if port == 0 else self._options.left
        nulls = padded(other.schema, len(columns[0]) if columns else 0)
        return [*columns, *nulls] if port == 0 else [*nulls, *columns]


class _Changes:
    """Gathers the rows that a batch causes, with weights of any size."""

    def __init__(self, schema: pa.Schema, *, append_only: bool) -> None:
        self._schema = schema
        self._append_only = append_only
        self._before: list[Batch] = []
        self._after: list[Batch] = []

    def add(self, columns: Sequence[pa.Array], weights: Int64s, *, first: bool = False) -> None:
        """Add rows, each as often as its weight says; ``first`` puts them before those that are not."""
        if not len(weights):
            return
        data = pa.RecordBatch.from_arrays(list(columns), schema=self._schema)
        if self._append_only:
            self._after.append(Batch(data))
            return
        size = np.abs(weights)
        if (size != 1).any():
            data = data.take(pa.array(np.repeat(np.arange(len(weights)), size)))
            weights = np.repeat(weights, size)
        (self._before if first else self._after).append(Batch(data, np.sign(weights).astype(np.int8)))

    def batches(self) -> list[Batch]:
        """Return the rows: those that go first, then the others."""
        return self._before + self._after
