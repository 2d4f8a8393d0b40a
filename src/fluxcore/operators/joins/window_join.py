"""Joins rows of two inputs that belong to the same window, when the window fires."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.limits import BATCH_ROWS
from fluxcore.operators.joins.window_join_pairs import Codes, Matcher, key_codes
from fluxcore.operators.local_time import local_watermark, with_local_steps
from fluxcore.operators.rows import RowBuffer, drop_late, watermark_state, window_dues
from fluxcore.operators.sort_words import all_valid, equality_words, raw_values, stable_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fluxcore.core.batch import Int64s
    from fluxcore.core.zones import Zone


class JoinRows(Enum):
    """Which rows come out: pairs, pairs and rows without a partner, or left rows with or without one."""

    INNER = "INNER"
    LEFT = "LEFT"
    RIGHT = "RIGHT"
    FULL = "FULL"
    SEMI = "SEMI"
    ANTI = "ANTI"


@dataclass(frozen=True, slots=True)
class JoinSide:
    """One input: its schema, the positions of its window's start (None: the end tells windows apart) and end, its keys."""

    schema: pa.Schema
    window_end: int
    window_start: int | None = None
    keys: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class WindowJoinOptions:
    """What to join.

    ``output`` is the schema of the rows: left columns, then right ones (left only for SEMI and ANTI). ``residual`` judges
    a batch of candidate pairs that holds the columns ``residual_columns`` of left and right together (None: all of
    them, left's first); null counts as false. With a ``zone`` the windows lie in its local time.
    """

    kind: JoinRows
    left: JoinSide
    right: JoinSide
    output: pa.Schema
    residual: Callable[[pa.RecordBatch], pa.BooleanArray] | None = None
    residual_columns: tuple[int, ...] | None = None
    zone: Zone | None = None


class WindowJoinOperator(Operator):
    """Keeps the rows of open windows and joins them, all windows that fire together in one pass.

    Rows come out by window end, then left arrival, then right arrival; right rows without a partner end their window.
    NULL keys never match. Late rows are dropped and counted.
    """

    def __init__(self, options: WindowJoinOptions) -> None:
        self._options = options
        self._sides = (options.left, options.right)
        self._buffers = (RowBuffer(options.left.schema), RowBuffer(options.right.schema))
        self._watermark = MIN_TIME_MS
        assert len(options.left.keys) == len(options.right.keys)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:
        """Keep the rows of input ``port`` (0 left, 1 right) until their window fires."""
        assert batch.weights is None, "a window join takes rows that are never updated"
        side = self._sides[port]
        dues = window_dues(batch.column(side.window_end), side.schema.field(side.window_end).name)
        batch = with_local_steps(batch, self._options.zone)
        batch, dues = drop_late(batch, dues, self._watermark, self.context)
        self._buffers[port].append(batch.data, dues)
        return ()

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Fire the windows whose last millisecond the watermark has reached."""
        watermark = local_watermark(watermark, self._options.zone)
        self._watermark = max(self._watermark, watermark)
        if not any(buffer.due(watermark) for buffer in self._buffers):
            return ()
        left, right = (_Rows.of(*buffer.take_due(watermark)) for buffer in self._buffers)
        return self._join(left, right)

    @property
    def state_rows(self) -> int:
        return sum(buffer.rows for buffer in self._buffers)

    @property
    def state_bytes(self) -> int:
        return sum(buffer.nbytes for buffer in self._buffers)

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the rows of open windows and the watermark."""
        left, right = self._buffers
        return {
            "left": left.freeze(self._options.left.keys),
            "right": right.freeze(self._options.right.keys),
            "watermark": watermark_state(self._watermark),
        }

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._buffers[0].restore(frozen["left"])
        self._buffers[1].restore(frozen["right"])
        self._watermark = frozen["watermark"].column(0)[0].as_py()

    def _join(self, left: _Rows, right: _Rows) -> list[Batch]:
        options = self._options
        kind = options.kind
        matcher = Matcher(self._codes(left, right), left.count, all_valid(left.columns(options.left.keys)))
        if kind in (JoinRows.SEMI, JoinRows.ANTI):
            has = self._has_partner(matcher, left, right)
            chosen = np.flatnonzero(has if kind is JoinRows.SEMI else ~has)
            return self._emit(left, chosen, right, None)
        lefts, rights = self._pairs(matcher, left, right)
        if kind in (JoinRows.LEFT, JoinRows.FULL):
            lefts, rights = _with_single_lefts(lefts, rights, left.count)
        if kind in (JoinRows.RIGHT, JoinRows.FULL):
            lefts, rights = _with_single_rights(lefts, rights, left, right)
        return self._emit(left, lefts, right, rights)

    def _codes(self, left: _Rows, right: _Rows) -> Codes:
        sides = self._options.left, self._options.right
        words: list[Int64s] = []
        if not _one_window(left.dues, right.dues):
            words.append(np.concatenate((left.dues, right.dues)))
        starts = _start_words(sides, left, right)
        if starts is not None:
            words.append(starts)
        for left_key, right_key in zip(sides[0].keys, sides[1].keys, strict=True):
            pair = _alike(left.data.column(left_key), right.data.column(right_key))
            words += equality_words(pa.concat_arrays(pair))
        return key_codes(words, left.count, all_valid(right.columns(sides[1].keys)), right.count)

    def _pairs(self, matcher: Matcher, left: _Rows, right: _Rows) -> tuple[Int64s, Int64s]:
        found = [self._judged(lefts, rights, left, right) for lefts, rights in matcher.chunks()]
        if len(found) == 1:
            return found[0]
        none = np.zeros(0, np.int64)
        return (
            np.concatenate([lefts for lefts, _ in found] or [none]),
            np.concatenate([rights for _, rights in found] or [none]),
        )

    def _has_partner(self, matcher: Matcher, left: _Rows, right: _Rows) -> np.ndarray:
        if self._options.residual is None:
            return matcher.counts > 0
        has = np.zeros(left.count, np.bool_)
        for lefts, rights in matcher.chunks():
            has[self._judged(lefts, rights, left, right)[0]] = True
        return has

    def _judged(self, lefts: Int64s, rights: Int64s, left: _Rows, right: _Rows) -> tuple[Int64s, Int64s]:
        """Return the candidate pairs for which the residual predicate is true."""
        residual = self._options.residual
        if residual is None:
            return lefts, rights
        width = len(self._options.left.schema)
        columns = self._options.residual_columns
        if columns is None:
            columns = tuple(range(width + len(self._options.right.schema)))
        columns = columns or (0,)  # a batch without columns would have no rows
        left_at, right_at = pa.array(lefts), pa.array(rights)
        same = _is_identity(lefts, left.count)
        arrays = []
        for column in columns:
            if column >= width:
                arrays.append(right.data.column(column - width).take(right_at))
            else:
                array = left.data.column(column)
                arrays.append(array if same else array.take(left_at))
        names = [f"c{column}" for column in columns]
        mask = residual(pa.RecordBatch.from_arrays(arrays, names=names))
        chosen = (mask.fill_null(False) if mask.null_count else mask).to_numpy(zero_copy_only=False)
        return lefts[chosen], rights[chosen]

    def _emit(self, left: _Rows, lefts: Int64s, right: _Rows, rights: Int64s | None) -> list[Batch]:
        batches = []
        for start in range(0, len(lefts), BATCH_ROWS):
            part = slice(start, start + BATCH_ROWS)
            columns = _taken(left.data, lefts[part])
            if rights is not None:
                columns += _taken(right.data, rights[part])
            batches.append(Batch.of_arrays(columns, self._options.output))
        return batches


@dataclass(frozen=True, slots=True)
class _Rows:
    """The fired rows of one side, ordered by the end of their window, then by arrival."""

    data: pa.RecordBatch
    dues: Int64s

    @staticmethod
    def of(data: pa.RecordBatch, dues: Int64s) -> _Rows:
        if len(dues) and not (dues[1:] >= dues[:-1]).all():
            order = stable_order([dues], len(dues))
            data, dues = data.take(pa.array(order)), dues[order]
        return _Rows(data, dues)

    @property
    def count(self) -> int:
        return len(self.dues)

    def columns(self, positions: tuple[int, ...]) -> list[pa.Array]:
        return [self.data.column(position) for position in positions]


def _one_window(left: Int64s, right: Int64s) -> bool:
    ends = [due for dues in (left, right) if len(dues) for due in (dues[0], dues[-1])]
    return len(set(ends)) <= 1


def _start_words(sides: tuple[JoinSide, JoinSide], left: _Rows, right: _Rows) -> Int64s | None:
    """Return the windows' starts, or None where windows of one end have one start (all have the same length)."""
    if sides[0].window_start is None or sides[1].window_start is None:
        return None
    words = []
    lengths = []
    for side, rows in zip(sides, (left, right), strict=True):
        starts = raw_values(rows.data.column(side.window_start), "i8")
        words.append(starts)
        lengths.append(raw_values(rows.data.column(side.window_end), "i8") - starts)
    length = np.concatenate(lengths)
    return None if len(length) == 0 or bool((length == length[0]).all()) else np.concatenate(words)


def _alike(left: pa.Array, right: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return two key columns in one type: numbers of different widths meet in the widest form of their kind."""
    if left.type == right.type:
        return left, right
    types = (left.type, right.type)
    if all(map(pa.types.is_integer, types)):
        common = pa.int64()
    elif all(map(pa.types.is_floating, types)):
        common = pa.float64()
    else:
        assert all(map(pa.types.is_decimal, types)), f"keys of types {left.type} and {right.type}"
        common = pa.decimal128(38, max(type_.scale for type_ in types))
    return left.cast(common), right.cast(common)


def _with_single_lefts(lefts: Int64s, rights: Int64s, count: int) -> tuple[Int64s, Int64s]:
    single = np.ones(count, np.bool_)
    single[lefts] = False
    alone = np.flatnonzero(single)
    if len(alone) == 0:
        return lefts, rights
    lefts = np.concatenate((lefts, alone))
    rights = np.concatenate((rights, np.full(len(alone), -1, np.int64)))
    order = stable_order([lefts], len(lefts))
    return lefts[order], rights[order]


def _with_single_rights(lefts: Int64s, rights: Int64s, left: _Rows, right: _Rows) -> tuple[Int64s, Int64s]:
    single = np.ones(right.count, np.bool_)
    single[rights[rights >= 0]] = False
    alone = np.flatnonzero(single)
    if len(alone) == 0:
        return lefts, rights
    dues = np.concatenate((left.dues[lefts], right.dues[alone]))
    lefts = np.concatenate((lefts, np.full(len(alone), -1, np.int64)))
    rights = np.concatenate((rights, alone))
    order = stable_order([dues], len(dues))
    return lefts[order], rights[order]


def _is_identity(rows: Int64s, count: int) -> bool:
    return len(rows) == count and (count == 0 or bool((rows == np.arange(count)).all()))


def _taken(data: pa.RecordBatch, rows: Int64s) -> list[pa.Array]:
    """Return the columns at these rows, NULLs at row -1."""
    if _is_identity(rows, data.num_rows):
        return list(data.columns)
    missing = rows < 0
    at = pa.array(rows, mask=missing) if missing.any() else pa.array(rows)
    return list(data.take(at).columns)
