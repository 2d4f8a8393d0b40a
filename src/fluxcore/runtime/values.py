"""Constant rows as a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.ports import Signal, Source, Split, SplitReader
from fluxcore.expr.compile import compile_projection

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Values


class ValuesSource(Source):
    """Gives the rows of a VALUES list once."""

    def __init__(self, node: Values, settings: Settings) -> None:
        self._node = node
        self._settings = settings

    def splits(self) -> list[Split]:
        """Return the one split."""
        return [_ValuesSplit(self._rows())]

    def _rows(self) -> Batch:
        one = pa.RecordBatch.from_arrays([pa.array([0])], ["none"])
        schema = pa.schema([pa.field(column.name, column.type.arrow()) for column in self._node.columns])
        rows = [compile_projection(row, schema, self._settings)(one) for row in self._node.rows]
        table = pa.Table.from_batches(rows, schema=schema).combine_chunks()
        columns = [column.chunk(0) if column.num_chunks else pa.array([], column.type) for column in table.columns]
        return Batch(pa.RecordBatch.from_arrays(columns, schema=schema))


class _ValuesSplit(Split):
    def __init__(self, rows: Batch) -> None:
        self._rows = rows

    @property
    def name(self) -> str:
        """Return a name for messages."""
        return "VALUES"

    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader."""
        return _ValuesReader(self._rows, done=bool(position and position["done"]))


class _ValuesReader(SplitReader):
    def __init__(self, rows: Batch, *, done: bool) -> None:
        self._rows = rows
        self._done = done

    def take(self) -> Batch | Signal:
        """Return all rows, once."""
        if self._done:
            return Signal.END
        self._done = True
        return self._rows

    def decode(self, unit: Batch) -> Batch:
        """Return the rows."""
        return unit

    def position(self) -> Mapping[str, Any]:
        """Return whether the rows were given."""
        return {"done": self._done}
