"""What computes one function of OVER, and what it keeps of each partition from one set of rows to the next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.frozen import beside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from fluxcore.core.ports import RowTable, StateBackend
    from fluxcore.core.types import DataType
    from fluxcore.operators.aggregates.base import Columns
    from fluxcore.operators.order.frames import OverFunction, Sorted

    Int64s = NDArray[np.int64]
    Bools = NDArray[np.bool_]


class OverCall(ABC):
    """One function. What it keeps of a partition stands in columns named ``prefix`` + name of the table of partitions.

    Only frames that begin with the partition keep anything; the others look at rows that are kept.
    """

    def __init__(self, function: OverFunction, types: Sequence[DataType], prefix: str) -> None:
        self.function = function
        self.call = function.call
        self.arg_type = types[self.call.args[0]] if self.call.args else None
        self.prefix = prefix

    def columns(self) -> dict[str, str]:
        """Return the columns that the function keeps: name without prefix -> NumPy dtype."""
        return {}

    @abstractmethod
    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:
        """Return the result of each row; what stands at rows that are not fresh is undefined."""

    def open(self, state: StateBackend, name: str) -> None:  # noqa: B027
        """Make what is kept outside the columns; ``name`` tells this function's tables from others."""

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:  # noqa: ARG002
        """Return what is kept outside the columns for these slots, which it names by their places among them."""
        return {}

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:  # noqa: B027
        """Take what :meth:`freeze` gave for slots that are now ``slots``; their columns are back already."""

    def at(self, columns: Columns, name: str) -> Any:
        """Return a column that the function keeps."""
        return columns[self.prefix + name]

    def argument(self, rows: Sorted) -> pa.Array:
        """Return the first argument."""
        return rows.data.column(self.call.args[0])

    def valid(self, rows: Sorted, *, nulls: bool = False) -> Bools:
        """Return which rows count: FILTER holds, and the argument is not NULL unless ``nulls`` count."""
        found = np.ones(rows.count, np.bool_)
        if self.call.where is not None:
            found &= np.asarray(pc.fill_null(rows.data.column(self.call.where), False))
        if self.call.args and not nulls:
            column = self.argument(rows)
            if column.null_count:
                found &= np.asarray(column.is_valid())
        return found


class Carried:
    """One value of each partition, of any type: the best, the first or the last one so far."""

    _table: RowTable

    def __init__(self, type_: DataType) -> None:
        self._schema = pa.schema([("value", type_.arrow())])

    def open(self, state: StateBackend, name: str) -> None:
        """Make the table of values."""
        self._table = state.rows(name, self._schema, {})

    def take(self, heads: Int64s, slots: Int64s) -> tuple[pa.Array, Bools]:
        """Return the values of slots, and which slots have one; ``heads`` by slot is the value's place + 1."""
        places = heads[slots]
        known = places > 0
        found = self._table.take(places[known] - 1)[0]
        if len(found) == len(slots):
            return found, known
        at = np.cumsum(known) - 1
        return found.take(pa.array(at, mask=~known)), known

    def put(self, heads: Int64s, slots: Int64s, values: pa.Array) -> None:
        """Keep other values for these distinct slots."""
        if not len(slots):
            return
        old = heads[slots]
        self._table.remove(old[old > 0] - 1)
        heads[slots] = self._table.add(pa.RecordBatch.from_arrays([values], schema=self._schema)) + 1

    def freeze(self, heads: Int64s, slots: Int64s, owner: str) -> pa.RecordBatch:
        """Return the values with the places of their slots among these."""
        places = np.flatnonzero(heads[slots] > 0)
        values = self._table.take(heads[slots[places]] - 1)[0]
        return beside(pa.RecordBatch.from_arrays([pa.array(places, pa.int64()), values], ["place", "value"]), 0, owner)

    def thaw(self, heads: Int64s, slots: Int64s, frozen: pa.RecordBatch) -> None:
        """Take values back."""
        heads[slots] = 0
        self.put(heads, slots[np.asarray(frozen.column(0))], frozen.column(1))
