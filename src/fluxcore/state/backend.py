"""The state backend that keeps everything in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.state.row_log import RowLog
from fluxcore.state.rows import RowTable
from fluxcore.state.table import KeyedTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from fluxcore.core.types import DataType


class MemoryStateBackend:
    """Makes tables in memory and knows them by name."""

    def __init__(self) -> None:
        self.tables: dict[str, KeyedTable] = {}
        self.row_tables: dict[str, RowTable] = {}
        self.logs: dict[str, RowLog] = {}

    def table(self, name: str, keys: Sequence[DataType], columns: Mapping[str, str]) -> KeyedTable:
        """Return a new keyed table with these key types and value columns (name -> NumPy dtype)."""
        assert name not in self.tables, name
        self.tables[name] = KeyedTable(keys, columns)
        return self.tables[name]

    def rows(self, name: str, schema: pa.Schema, columns: Mapping[str, str]) -> RowTable:
        """Return a new table of whole rows of this schema, with value columns (name -> NumPy dtype)."""
        assert name not in self.row_tables, name
        self.row_tables[name] = RowTable(schema, columns)
        return self.row_tables[name]

    def log(self, name: str, schema: pa.Schema, columns: Mapping[str, str]) -> RowLog:
        """Return a new log of rows of this schema, with value columns (name -> NumPy dtype)."""
        assert name not in self.logs, name
        self.logs[name] = RowLog(schema, columns)
        return self.logs[name]

    @property
    def nbytes(self) -> int:
        """Return the bytes in use of all tables: those that functions within an operator keep count as well."""
        return sum(table.nbytes for kind in (self.tables, self.row_tables, self.logs) for table in kind.values())

    def close(self) -> None:
        """Give the memory of all tables back: a job's pieces refer to each other, and may be collected much later."""
        tables: list[KeyedTable | RowTable | RowLog] = [*self.tables.values(), *self.row_tables.values()]
        for table in (*tables, *self.logs.values()):
            table.close()
        self.tables.clear()
        self.row_tables.clear()
        self.logs.clear()
