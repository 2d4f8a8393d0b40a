"""Functions over each partition in event-time order: numbers, LAG, and aggregates over the rows before.

1. Rows wait until the watermark has passed their time; late ones are dropped and counted.
2. The rows that go out are sorted by partition, time and arrival, behind the last rows of their partitions that LAG and
   bounded frames may still look at.
3. Unbounded frames go on from what a keyed table holds for each partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.frozen import keyed
from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.core.types import BIGINT
from fluxcore.operators import chain_kernels
from fluxcore.operators.chains import entries_of
from fluxcore.operators.order.frames import Sorted
from fluxcore.operators.order.over_build import over_call
from fluxcore.operators.rows import RowBuffer, drop_late, times_ms, watermark_state
from fluxcore.operators.sort_words import stable_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from fluxcore.core.ports import KeyedTable, OperatorContext, StateBackend
    from fluxcore.core.types import DataType
    from fluxcore.operators.order.frames import OverFunction

    Int64s = NDArray[np.int64]

_CHAIN = {"next": "i8", "prev": "i8", "owner": "i8", "time": "i8", "number": "i8"}
_SWEEP_ROWS_MIN = 100_000


@dataclass(frozen=True, slots=True)
class OverOptions:
    """``types`` of the input's columns; ``output`` the input's columns, then one per function."""

    types: tuple[DataType, ...]
    schema: pa.Schema
    output: pa.Schema
    partition: tuple[int, ...]
    time: int
    functions: tuple[OverFunction, ...]


class OverFunctions:
    """The functions of one operator, over one table of partitions. Raises ``ScriptError`` FX-SQL-0900 when made."""

    def __init__(self, options: OverOptions, columns: Mapping[str, str]) -> None:
        self._options = options
        self._columns = columns
        self._calls = [over_call(each, options.types, f"f{index}.") for index, each in enumerate(options.functions)]

    table: KeyedTable

    def open(self, state: StateBackend) -> None:
        """Make the table of partitions."""
        keys = [self._options.types[index] for index in self._options.partition] or [BIGINT.with_nullable(False)]
        kept = {call.prefix + name: dtype for call in self._calls for name, dtype in call.columns().items()}
        self.lasting = bool(kept)
        self.table = state.table("partitions", keys, {**kept, **self._columns})
        for call in self._calls:
            call.open(state, f"{call.prefix}values")

    def slots(self, rows: pa.RecordBatch) -> Int64s:
        """Return the partition of each row."""
        keys = [rows.column(index) for index in self._options.partition] or [np.zeros(rows.num_rows, np.int64)]
        found: Int64s = self.table.upsert(keys)
        return found

    def results(self, rows: Sorted) -> list[pa.Array]:
        """Return each function's results."""
        return [call.compute(rows, self.table.columns) for call in self._calls]

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the table of partitions, and what the functions keep outside it."""
        slots = self.table.live_slots()
        kept = {
            call.prefix + name: batch
            for call in self._calls
            for name, batch in call.freeze(self.table.columns, slots, "partitions").items()
        }
        return {"partitions": keyed(self.table.freeze(), range(len(self._options.partition))), **kept}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> Int64s:
        """Go on from that; return the slots of the partitions."""
        slots = self.table.restore(frozen["partitions"])
        for call in self._calls:
            mine = {name[len(call.prefix) :]: each for name, each in frozen.items() if name.startswith(call.prefix)}
            call.thaw(self.table.columns, slots, mine)
        return slots


class OverOperator(Operator):
    """Gives each row, in the order of time, with the functions' results. Raises ``ScriptError`` FX-SQL-0900 when made."""

    def __init__(self, options: OverOptions) -> None:
        assert not any(function.looks_ahead for function in options.functions), "no row can wait for the rows behind it"
        self._options = options
        self._waiting = RowBuffer(options.schema)
        self._watermark = MIN_TIME_MS
        self._functions = OverFunctions(options, {"head": "i8", "seen": "i8"})
        self._keep_rows = max((_reach_rows(each) for each in options.functions), default=0)
        self._keep_ms = max((_reach_ms(each) for each in options.functions), default=0)
        self._sweep_at = _SWEEP_ROWS_MIN
        calls = [each.call for each in options.functions]
        read = {arg for call in calls for arg in call.args} | {call.where for call in calls if call.where is not None}
        self._read = sorted(read) or [options.time]  # a batch of no columns would have no rows
        self._kept = pa.schema([options.schema.field(index) for index in self._read])

    def open(self, context: OperatorContext) -> None:
        """Make the table of partitions and the table of rows kept for later frames."""
        super().open(context)
        self._functions.open(context.state)
        self._history = context.state.rows("history", self._kept, _CHAIN)

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
        result = self._compute(rows, times)
        self._sweep()
        return [Batch(result)]

    @property
    def state_rows(self) -> int:
        """Return the rows that wait or are kept for later frames, and the partitions."""
        return self._waiting.rows + self._history.count + self._functions.table.count

    @property
    def state_bytes(self) -> int:
        """Return their bytes."""
        return self._waiting.nbytes + self._history.nbytes + self._functions.table.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the rows that wait, those kept for later frames, what the functions keep, and the watermark."""
        slots, chain, partition = self._history.live_slots(), self._history.columns, self._options.partition
        keys = self._functions.table.key_columns(chain["owner"][slots]) if partition else []
        columns = [*keys, *self._history.take(slots), *(pa.array(chain[name][slots]) for name in ("time", "number"))]
        names = [f"row{index}" for index in range(len(columns))]
        return {
            "waiting": self._waiting.freeze(partition),
            "history": keyed(pa.RecordBatch.from_arrays(columns, names), range(len(partition))),
            "watermark": watermark_state(self._watermark),
            **self._functions.freeze(),
        }

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._waiting.restore(frozen["waiting"])
        self._watermark = frozen["watermark"].column(0)[0].as_py()
        slots = self._functions.restore(frozen)
        self._functions.table.columns["head"][slots] = 0
        history, width = frozen["history"], len(self._options.partition)
        if history.num_rows:
            *columns, times, numbers = history.columns
            owners = self._functions.table.upsert(columns[:width] or [np.zeros(history.num_rows, np.int64)])
            self._remember(columns[width:], owners, np.asarray(times), np.asarray(numbers))

    def _compute(self, rows: pa.RecordBatch, times: Int64s) -> pa.RecordBatch:
        table = self._functions.table
        slots = self._functions.slots(rows)
        touched = np.unique(slots)
        places, entries = entries_of(table.columns["head"], self._history.columns["next"], touched)
        order = stable_order([places, self._history.columns["number"][entries]], len(entries))
        places, entries = places[order], entries[order]
        old = len(entries)
        if old:
            slots = np.concatenate([touched[places], slots])
            times = np.concatenate([self._history.columns["time"][entries], times])
        order = stable_order([slots, times], len(slots))
        fresh = order >= old
        found = Sorted(self._inputs(rows, entries, order), slots[order], times[order], fresh)
        found.numbers += table.columns["seen"][found.slots] - (found.fresh_starts - found.starts)
        found.peers_at_once = True
        results = self._functions.results(found)
        table.columns["seen"][found.slots[found.lasts]] = found.numbers[found.lasts] + 1
        self._keep(found, entries[order[~fresh]] if old else entries)
        new = np.flatnonzero(fresh)
        new = new[stable_order([found.moments[new], order[new]], len(new))]
        data, taken = rows.take(pa.array(order[new] - old)), pa.array(new)
        columns = [*data.columns, *(column.take(taken) for column in results)]
        return pa.RecordBatch.from_arrays(columns, schema=self._options.output)

    def _inputs(self, rows: pa.RecordBatch, entries: Int64s, order: Int64s) -> pa.RecordBatch:
        """Return the columns that functions read of rows kept and new ones, sorted; the others are NULL."""
        columns = [pa.nulls(len(order))] * rows.num_columns
        kept = self._history.take(entries) if len(entries) else []
        for place, index in enumerate(self._read):
            column = rows.column(index)
            both = pa.concat_arrays([kept[place], column]) if kept else column
            columns[index] = both.take(pa.array(order))
        return pa.RecordBatch.from_arrays(columns, rows.schema.names)

    def _keep(self, rows: Sorted, entries: Int64s) -> None:
        """Keep the rows that later frames may look at; ``entries`` are those of the rows that were kept before."""
        kept = (rows.ends - 1 - np.arange(rows.count) < self._keep_rows) | (rows.moments > self._horizon())
        self._forget(entries[~kept[~rows.fresh]])
        new = np.flatnonzero(kept & rows.fresh)
        if len(new):
            taken = pa.array(new)
            columns = [rows.data.column(index).take(taken) for index in self._read]
            self._remember(columns, rows.slots[new], rows.moments[new], rows.numbers[new])
        if not self._functions.lasting:
            table, touched = self._functions.table, rows.slots[rows.lasts]
            table.delete(touched[table.columns["head"][touched] == 0])

    def _horizon(self) -> int:
        """Return the time up to which no frame of a later row reaches back."""
        return self._watermark - self._keep_ms if self._keep_ms else self._watermark

    def _remember(self, columns: list[pa.Array], slots: Int64s, times: Any, numbers: Any) -> None:
        entries = self._history.add(pa.RecordBatch.from_arrays(columns, schema=self._kept))
        chain = self._history.columns
        chain["time"][entries], chain["number"][entries] = times, numbers
        heads = self._functions.table.columns["head"]
        chain_kernels.link(heads, chain["next"], chain["prev"], chain["owner"], entries, slots)

    def _forget(self, entries: Int64s) -> Int64s:
        """Forget rows kept; return the partitions that have none left."""
        chain, empty = self._history.columns, np.empty(len(entries), np.int64)
        heads = self._functions.table.columns["head"]
        count = chain_kernels.unlink(heads, chain["next"], chain["prev"], chain["owner"], entries, empty)
        self._history.remove(entries)
        return empty[:count]

    def _sweep(self) -> None:
        """Forget rows of partitions to which no rows come any more, each time the rows kept have doubled."""
        if self._keep_rows or self._history.count < self._sweep_at:
            return
        live = self._history.live_slots()
        empty = self._forget(live[self._history.columns["time"][live] <= self._horizon()])
        if not self._functions.lasting:
            self._functions.table.delete(empty)
        self._sweep_at = max(_SWEEP_ROWS_MIN, 2 * self._history.count)


def _reach_rows(function: OverFunction) -> int:
    """Return how many rows before a new one a function may look at."""
    if function.call.function == "LAG":
        return int(function.call.parameters[0]) if function.call.parameters else 1
    return int(function.preceding or 0) if function.rows else 0


def _reach_ms(function: OverFunction) -> int:
    """Return how far back in time from a new row a function may look."""
    return 0 if function.rows or function.call.function == "LAG" else int(function.preceding or 0)
