"""The unit that travels from source to sink: an Arrow record batch with weights and watermark steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.time import MIN_TIME_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]
    Int8s = NDArray[np.int8]
    Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Steps:
    """How the watermark rises inside one batch.

    ``values[i]`` (ms, strictly rising) is the watermark from row ``rows[i]`` on (not falling, 0..n; n is after the last
    row). A row is judged against the watermark of the rows *before* it, so the step that row ``r`` causes stands at
    ``r + 1``.
    """

    rows: Int64s
    values: Int64s

    @staticmethod
    def at(row: int, value: int) -> Steps:
        """Return the single step to ``value`` from row ``row`` on."""
        return Steps(np.array([row], np.int64), np.array([value], np.int64))

    @staticmethod
    def rising(candidates: Int64s, units: int = 1) -> Steps | None:
        """Return the steps of the running maximum of a watermark candidate per row, or None when there are none.

        In: ``units`` of the candidates in a millisecond; steps are whole milliseconds, rounded down.
        """
        from fluxcore.core.step_kernels import rising  # compiled code is loaded only to run

        rows, values = np.empty(len(candidates), np.int64), np.empty(len(candidates), np.int64)
        count = rising(candidates, units, -(-MIN_TIME_MS // units) if units > 1 else MIN_TIME_MS, rows, values)
        return Steps(rows[:count].copy(), values[:count].copy()) if count else None

    def after(self, watermark: int) -> Steps | None:
        """Return the steps that rise above ``watermark``, or None when there are none."""
        first = int(np.searchsorted(self.values, watermark, side="right"))
        if first == 0:
            return self
        return Steps(self.rows[first:], self.values[first:]) if first < len(self.values) else None

    def below(self, bound: int) -> Steps | None:
        """Return the steps with no value above ``bound`` (the minimum of the other inputs), or None."""
        if self.values[-1] <= bound:
            return self
        keep = int(np.searchsorted(self.values, bound, side="left"))
        rows, values = self.rows[: keep + 1], self.values[: keep + 1].copy()
        values[keep] = bound
        return Steps(rows, values)

    def moved(self, rows: Int64s) -> Steps:
        """Return the same values at other rows, the last step of each row kept."""
        last = np.empty(len(rows), np.bool_)
        last[-1] = True
        np.not_equal(rows[1:], rows[:-1], out=last[:-1])
        return Steps(rows[last], self.values[last])

    @property
    def last(self) -> int:
        """Return the watermark after the batch (ms)."""
        return int(self.values[-1])

    def before_each(self, count: int, start: int) -> Int64s:
        """Return for each of ``count`` rows the watermark (ms) that stood before it; ``start`` before the batch."""
        found = np.searchsorted(self.rows, np.arange(count), side="right")
        return np.concatenate((np.array([start], np.int64), self.values))[found]


def data_bytes(data: pa.RecordBatch) -> int:
    """Return the bytes that the rows of a batch take, without counting bit by bit what only costs a bit."""
    return sum(_array_bytes(column) for column in data.columns)


def _array_bytes(array: pa.Array) -> int:
    type_ = array.type
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        offsets = array.buffers()[1]
        if offsets is None or not len(array):
            return 0
        ends = memoryview(offsets).cast("i")
        return 4 * len(array) + ends[array.offset + len(array)] - ends[array.offset]
    if pa.types.is_primitive(type_) or pa.types.is_decimal(type_):
        return len(array) * type_.bit_width // 8
    size: int = array.nbytes
    return size


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as Arrow columns.

    ``data`` one Arrow array per column. ``weights`` int8, +1 insert or -1 retract per row; None means all +1.
    ``steps`` the watermark inside the batch; None means that it does not move.
    """

    data: pa.RecordBatch
    weights: Int8s | None = None
    steps: Steps | None = None

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return self.data.num_rows

    @property
    def nbytes(self) -> int:
        """Return the bytes that the batch's rows take."""
        return data_bytes(self.data) + (0 if self.weights is None else self.weights.nbytes)

    def column(self, index: int) -> pa.Array:
        """Return the column at a position."""
        return self.data.column(index)

    def columns_at(self, rows: Int64s) -> Callable[[Sequence[int]], list[pa.Array]]:
        """Return the function that fetches columns, by their positions, of these rows."""
        taken = pa.array(rows)
        return lambda columns: [self.data.column(index).take(taken) for index in columns]

    @property
    def counts(self) -> Int64s:
        """Return the weights as int64: ones where all rows are inserts."""
        return np.ones(self.rows, np.int64) if self.weights is None else self.weights.astype(np.int64)

    def with_data(self, data: pa.RecordBatch) -> Batch:
        """Return other columns for the same rows."""
        return Batch(data, self.weights, self.steps)

    def with_steps(self, steps: Steps | None) -> Batch:
        """Return the same rows with other watermark steps."""
        return Batch(self.data, self.weights, steps)

    def filter(self, mask: pa.BooleanArray | Bools) -> Batch:
        """Return the rows where ``mask`` is true (null counts as false), in order; watermark steps are kept."""
        if isinstance(mask, np.ndarray):
            chosen = mask
        else:
            filled = pc.fill_null(mask, False) if mask.null_count else mask
            chosen = filled.to_numpy(zero_copy_only=False)
        if chosen.all():
            return self
        return self.take(np.flatnonzero(chosen))

    def take(self, rows: Int64s) -> Batch:
        """Return the rows at rising positions ``rows``; watermark steps move to the row that follows them."""
        data = self.data.take(pa.array(rows)) if len(rows) else self.data.slice(0, 0)
        weights = None if self.weights is None else self.weights[rows]
        return Batch(data, weights, self.steps_for(rows))

    def chosen(self, rows: Int64s) -> Batch:
        """Return the rows at rising positions ``rows`` as :meth:`take` does, but copy columns only when they are asked for."""
        if len(rows) == self.rows:
            return self
        return SelectedBatch(
            self.data, rows, None if self.weights is None else self.weights[rows], self.steps_for(rows)
        )

    def source(self) -> tuple[pa.RecordBatch, Int64s | None]:
        """Return a batch that holds the rows, and which of its rows they are (None: all), without copying."""
        return self.data, None

    def steps_for(self, source_rows: Int64s) -> Steps | None:
        """Return this batch's steps for output rows that come from ``source_rows`` of it (not falling)."""
        if self.steps is None:
            return None
        return self.steps.moved(np.searchsorted(source_rows, self.steps.rows, side="left").astype(np.int64))

    def slice(self, start: int, count: int) -> Batch:
        """Return ``count`` rows from ``start`` on, without copying columns; steps after the last row stay with the end."""
        end = min(start + count, self.rows)
        weights = None if self.weights is None else self.weights[start:end]
        steps = self.steps
        if steps is not None:
            first = 0 if start == 0 else int(np.searchsorted(steps.rows, start, side="right"))
            last = int(np.searchsorted(steps.rows, end, side="right"))
            steps = Steps(steps.rows[first:last] - start, steps.values[first:last]) if first < last else None
        return Batch(self.data.slice(start, end - start), weights, steps)

    @classmethod
    def of_arrays(cls, arrays: Sequence[pa.Array], schema: pa.Schema) -> Self:
        """Return an append-only batch without watermark steps."""
        return cls(pa.RecordBatch.from_arrays(list(arrays), schema=schema))


class SelectedBatch(Batch):
    """Some rows of a batch, which is shared and not copied: a column is taken when somebody asks for it."""

    __slots__ = ("_numbers", "_own", "_taken", "_whole")

    _whole: pa.RecordBatch
    _numbers: Int64s
    _taken: dict[int, pa.Array]
    _own: pa.RecordBatch | None

    def __init__(
        self, whole: pa.RecordBatch, rows: Int64s, weights: Int8s | None = None, steps: Steps | None = None
    ) -> None:
        put = object.__setattr__
        put(self, "_whole", whole)
        put(self, "_numbers", rows)
        put(self, "weights", weights)
        put(self, "steps", steps)
        put(self, "_taken", {})
        put(self, "_own", None)

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(self._numbers)

    @property
    def data(self) -> pa.RecordBatch:
        """Return the rows as a batch of their own: all columns are taken, once."""
        if self._own is None:
            columns = [self.column(index) for index in range(self._whole.num_columns)]
            found = pa.RecordBatch.from_arrays(columns, schema=self._whole.schema)
            object.__setattr__(self, "_own", found)
        return self._own

    @property
    def nbytes(self) -> int:
        """Return the bytes that the rows take, as a part of the whole batch."""
        extra = 0 if self.weights is None else self.weights.nbytes
        return data_bytes(self._whole) * self.rows // max(self._whole.num_rows, 1) + extra

    def column(self, index: int) -> pa.Array:
        """Return the column at a position."""
        found = self._taken.get(index)
        if found is None:
            found = self._taken[index] = self._whole.column(index).take(pa.array(self._numbers))
        return found

    def columns_at(self, rows: Int64s) -> Callable[[Sequence[int]], list[pa.Array]]:
        """Return the function that fetches columns, by their positions, of these rows."""
        taken = pa.array(self._numbers[rows])
        return lambda columns: [self._whole.column(index).take(taken) for index in columns]

    def with_steps(self, steps: Steps | None) -> Batch:
        """Return the same rows with other watermark steps."""
        return SelectedBatch(self._whole, self._numbers, self.weights, steps)

    def take(self, rows: Int64s) -> Batch:
        """Return the rows at rising positions ``rows``; watermark steps move to the row that follows them."""
        return self.chosen(rows)

    def chosen(self, rows: Int64s) -> Batch:
        """Return the rows at rising positions ``rows``."""
        weights = None if self.weights is None else self.weights[rows]
        return SelectedBatch(self._whole, self._numbers[rows], weights, self.steps_for(rows))

    def source(self) -> tuple[pa.RecordBatch, Int64s | None]:
        """Return the whole batch, and which of its rows these are."""
        return self._whole, self._numbers

    def slice(self, start: int, count: int) -> Batch:
        """Return ``count`` rows from ``start`` on."""
        return self.chosen(np.arange(start, min(start + count, self.rows)))
