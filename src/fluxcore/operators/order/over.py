"""Functions over each partition in event-time order: LAG, and aggregates over the rows before.

1. Rows wait until the watermark has passed their time; late ones are dropped and counted.
2. The rows that go out are sorted by partition, time and arrival, behind the last rows of each partition that LAG and
   bounded frames may still look at.
3. Unbounded frames go on from totals that a keyed table holds for each partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.batch import Batch
from fluxcore.core.frozen import keyed
from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.core.types import FloatType, IntegerType
from fluxcore.errors import not_supported
from fluxcore.operators.aggregates.base import NO_MASK, from_numbers, numbers
from fluxcore.operators.order import over_kernels as kernels
from fluxcore.operators.rows import RowBuffer, drop_late, empty_rows, times_ms, watermark_state
from fluxcore.operators.sort_words import changes, equality_words, stable_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall

    Int64s = NDArray[np.int64]

_FUNCTIONS = {"LAG", "COUNT", "SUM", "AVG", "MIN", "MAX"}


@dataclass(frozen=True, slots=True)
class OverFunction:
    """One function and its frame: the rows from ``preceding`` rows before to the current one; None is all before.

    Without ``rows`` it is a RANGE frame, which ends at the last row of the current row's time.
    """

    call: AggCall
    rows: bool
    preceding: int | None


@dataclass(frozen=True, slots=True)
class OverOptions:
    """``types`` of the input's columns; ``output`` the input's columns, then one per function."""

    types: tuple[DataType, ...]
    schema: pa.Schema
    output: pa.Schema
    partition: tuple[int, ...]
    time: int
    functions: tuple[OverFunction, ...]


class OverOperator(Operator):
    """Gives each row, in the order of time, with the functions' results. Raises ``ScriptError`` FX-SQL-0900 when made."""

    def __init__(self, options: OverOptions) -> None:
        self._options = options
        self._waiting = RowBuffer(options.schema)
        self._history = empty_rows(options.schema)
        self._moments = np.zeros(0, np.int64)
        self._watermark = MIN_TIME_MS
        for function in options.functions:
            _check(function, options.types)
        self._keep = max(_reach(function) for function in options.functions)

    def open(self, context: OperatorContext) -> None:
        """Make the table of totals."""
        super().open(context)
        columns: dict[str, str] = {}
        for index, function in enumerate(self._options.functions):
            kind = "i8" if not function.call.args else _kind(self._options.types[function.call.args[0]])
            columns |= {f"f{index}.v": kind, f"f{index}.n": "i8"}
        keys = [self._options.types[index] for index in self._options.partition]
        self._partitions = len(keys) > 0
        self._totals = context.state.table("totals", keys or [IntegerType(bits=64, nullable=False)], columns)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Keep rows until the watermark has passed them."""
        assert batch.weights is None, "OVER takes rows that are never updated"
        times = times_ms(batch.column(self._options.time), self._options.schema.field(self._options.time).name)
        batch, times = drop_late(batch, times, self._watermark, self.context)
        self._waiting.append(batch.data, times)
        return ()

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Give the rows whose time the watermark has passed."""
        self._watermark = max(self._watermark, watermark)
        if not self._waiting.due(self._watermark):
            return ()
        rows, times = self._waiting.take_due(self._watermark)
        return [Batch(self._compute(rows, times))]

    @property
    def state_rows(self) -> int:
        """Return the rows that wait or are kept for later frames."""
        return self._waiting.rows + self._history.num_rows + self._totals.count

    @property
    def state_bytes(self) -> int:
        """Return their bytes."""
        return self._waiting.nbytes + self._history.nbytes + self._totals.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the rows that wait, those kept for later frames, the totals and the watermark."""
        partition = self._options.partition
        return {
            "waiting": self._waiting.freeze(partition),
            "history": keyed(self._history, partition),
            "totals": keyed(self._totals.freeze(), range(len(partition))),
            "watermark": watermark_state(self._watermark),
        }

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._waiting.restore(frozen["waiting"])
        self._history = pa.RecordBatch.from_arrays(frozen["history"].columns, schema=self._options.schema)
        if self._history.num_rows:
            self._moments = times_ms(self._history.column(self._options.time), "time")
        self._totals.restore(frozen["totals"])
        self._watermark = frozen["watermark"].column(0)[0].as_py()

    def _compute(self, rows: pa.RecordBatch, moments: Int64s) -> pa.RecordBatch:
        """Return rows with their results; ``moments`` are their places in the order, equal ones for peers."""
        options = self._options
        old = self._history.num_rows
        joined = pa.Table.from_batches([self._history, rows]).combine_chunks().to_batches()[0] if old else rows
        count = joined.num_rows
        words = [word for index in options.partition for word in equality_words(joined.column(index))]
        times = np.concatenate((self._moments, moments))
        order = stable_order([*words, times], count)
        fresh = order >= old
        sorted_rows = joined.take(pa.array(order))
        frame = _Frame(changes(words, order), times[order], fresh)
        slots = self._slots(sorted_rows)
        results = [
            self._result(index, function, sorted_rows, frame, slots) for index, function in enumerate(options.functions)
        ]
        kept = frame.from_end < self._keep
        self._history, self._moments = sorted_rows.filter(pa.array(kept)), frame.times[kept]
        new = np.flatnonzero(fresh)
        new = new[stable_order([frame.times[new], order[new]], len(new))]
        taken = pa.array(new)
        columns = [column.take(taken) for column in (*sorted_rows.columns, *results)]
        return pa.RecordBatch.from_arrays(columns, schema=options.output)

    def _slots(self, rows: pa.RecordBatch) -> Int64s:
        keys = [rows.column(index) for index in self._options.partition] or [np.zeros(rows.num_rows, np.int64)]
        found: Int64s = self._totals.upsert(keys)
        return found

    def _result(
        self, index: int, function: OverFunction, rows: pa.RecordBatch, frame: _Frame, slots: Int64s
    ) -> pa.Array:
        call = function.call
        if call.function == "LAG":
            return _lag(call, rows.column(call.args[0]), frame)
        values, valid = _inputs(call, rows)
        out, counts = np.empty(len(slots), values.dtype), np.empty(len(slots), np.int64)
        extreme = call.function in ("MIN", "MAX")
        largest = call.function == "MAX"
        if function.preceding is None:
            known = frame.fresh if not len(valid) else valid & frame.fresh
            totals = self._totals.columns[f"f{index}.v"], self._totals.columns[f"f{index}.n"]
            if extreme:
                kernels.running_extreme(*totals, slots, values, known, largest, out, counts)
            else:
                kernels.running_sum(*totals, slots, values, known, out, counts)
        else:
            starts = np.maximum(np.arange(len(slots)) - function.preceding, frame.starts)
            if extreme:
                kernels.sliding_extreme(starts, values, valid, largest, out, counts)
            else:
                kernels.sliding_sum(starts, values, valid, out, counts)
        if not function.rows:
            out, counts = out[frame.last_peers], counts[frame.last_peers]
        return _finished(call, out, counts)


class _Frame:
    """Where partitions begin and end among sorted rows."""

    def __init__(self, first: NDArray[np.bool_], times: Int64s, fresh: NDArray[np.bool_]) -> None:
        places = np.flatnonzero(first)
        lengths = np.diff(np.append(places, len(first)))
        self.times = times
        self.fresh = fresh
        self.starts = np.repeat(places, lengths)
        ends = np.repeat(places + lengths, lengths)
        self.from_end = ends - 1 - np.arange(len(first))
        new_peer = first.copy()
        new_peer[1:] |= times[1:] != times[:-1]
        peers = np.flatnonzero(new_peer)
        sizes = np.diff(np.append(peers, len(first)))
        self.last_peers = np.repeat(peers + sizes - 1, sizes)


def _check(function: OverFunction, types: Sequence[DataType]) -> None:
    call = function.call
    if call.function not in _FUNCTIONS:
        raise not_supported(f"{call.function} with OVER", span=call.span)
    if call.function == "LAG":
        return
    if call.args and call.function != "COUNT" and not isinstance(types[call.args[0]], IntegerType | FloatType):
        raise not_supported(f"{call.function} of {types[call.args[0]].name()} with OVER", span=call.span)
    if not function.rows and function.preceding is not None:
        raise not_supported(
            "a RANGE frame with a bound", span=call.span, hint="use ROWS BETWEEN n PRECEDING AND CURRENT ROW"
        )


def _reach(function: OverFunction) -> int:
    """Return how many rows before a new one a function may look at."""
    if function.call.function == "LAG":
        return int(function.call.parameters[0]) if function.call.parameters else 1
    return function.preceding or 0


def _kind(type_: DataType) -> str:
    return "f8" if isinstance(type_, FloatType) else "i8"


def _inputs(call: AggCall, rows: pa.RecordBatch) -> tuple[Any, NDArray[np.bool_]]:
    """Return the values, and which are not NULL; COUNT counts ones."""
    if not call.args:
        return np.ones(rows.num_rows, np.int64), NO_MASK
    column = rows.column(call.args[0])
    valid = ~np.asarray(column.is_null()) if column.null_count else NO_MASK
    if call.function == "COUNT":
        return np.ones(rows.num_rows, np.int64), valid
    return np.ascontiguousarray(numbers(column)), valid


def _lag(call: AggCall, column: pa.Array, frame: _Frame) -> pa.Array:
    offset = int(call.parameters[0]) if call.parameters else 1
    places = np.arange(len(column)) - offset
    missing = places < frame.starts
    found = column.take(pa.array(np.where(missing, 0, places), mask=missing))
    if len(call.parameters) > 1 and call.parameters[1] is not None:
        default = pa.repeat(pa.scalar(call.parameters[1], column.type), len(column))
        return pc.if_else(pa.array(missing), default, found)
    return found


def _finished(call: AggCall, values: Any, counts: Int64s) -> pa.Array:
    wanted = call.type.arrow()
    if call.function == "COUNT":
        return pa.array(counts)
    nulls = counts == 0
    if call.function == "AVG":
        safe = np.where(nulls, 1, counts)
        if values.dtype.kind == "f":
            values = values / safe
        else:
            quotient = np.abs(values) // safe
            values = np.where(values < 0, -quotient, quotient)
    return from_numbers(values, wanted, nulls)
