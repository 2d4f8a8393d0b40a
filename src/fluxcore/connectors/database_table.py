"""What the connectors of embedded databases share: their options, and reading a query in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.lookups import LOOKUP_OPTIONS
from fluxcore.core.ports import Connector, LookupSource, Option, Signal, Source, Split, SplitReader
from fluxcore.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fluxcore.core.ports import LookupRequest, ScanRequest, TableDescription

READ_ROWS = 65_536
"""Rows that are read at once."""


class DatabaseTable(ABC):
    """A table in a database file. Several threads may read it, each with a connection of its own."""

    quote: ClassVar[str] = '"'

    def __init__(self, table: TableDescription) -> None:
        self.description = table
        self.path = table.options["path"]
        self.table = table.options["table-name"]
        if not Path(self.path).is_file():
            hint = "paths are relative to the working folder"
            raise JobError("FX-CON-0130", f"there is no database file '{self.path}'", hint=hint)

    def names(self, columns: Sequence[int]) -> str:
        """Return columns as a quoted list."""
        return ", ".join(self.quoted(self.description.schema[index].name) for index in columns)

    def quoted(self, name: str) -> str:
        """Return a name as the database writes it, so that it is never taken for anything else."""
        return f"{self.quote}{name.replace(self.quote, 2 * self.quote)}{self.quote}"

    def schema(self, columns: Sequence[int]) -> pa.Schema:
        """Return the Arrow schema of columns, as they were declared."""
        chosen = [self.description.schema[index] for index in columns]
        return pa.schema([pa.field(column.name, column.type.arrow()) for column in chosen])

    @abstractmethod
    def read(self, columns: Sequence[int], first: int) -> Iterator[pa.RecordBatch]:
        """Yield these columns of all rows from row number ``first`` on."""

    @abstractmethod
    def lookup(self, request: LookupRequest) -> LookupSource:
        """Return what finds rows by key."""

    def failed(self, error: Exception) -> JobError:
        """Return the error that a user sees when the database refuses."""
        return JobError("FX-CON-0131", f"table '{self.table}' in '{self.path}': {error}")


class DatabaseConnector(Connector):
    """A connector of tables in a database file: it reads them to their end, and finds rows by key."""

    options = (
        Option("path", required=True, help="The database file."),
        Option("table-name", required=True, help="The table or view in the database."),
        *LOOKUP_OPTIONS,
    )

    @abstractmethod
    def table(self, description: TableDescription) -> DatabaseTable:
        """Return a declared table. Raises ``JobError`` FX-CON-0130 where there is no file."""

    def source(self, request: ScanRequest) -> Source:
        """Return the source of the rows as they are when the job reads them."""
        return _TableSource(self.table(request.table), request)

    def lookup(self, request: LookupRequest) -> LookupSource:
        """Return what finds rows by key."""
        return self.table(request.table).lookup(request)


class _TableSource(Source):
    def __init__(self, table: DatabaseTable, request: ScanRequest) -> None:
        self._table = table
        self._request = request

    def splits(self) -> list[Split]:
        """Return the one split: a table has no parts that are known from outside."""
        return [_TableSplit(self._table, self._request)]


class _TableSplit(Split):
    def __init__(self, table: DatabaseTable, request: ScanRequest) -> None:
        self._table = table
        self._request = request

    @property
    def name(self) -> str:
        """Return file and table."""
        return f"{self._table.path}:{self._table.table}"

    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader from a row number on."""
        return _TableReader(self._table, self._request, int(position["row"]) if position else 0)


class _TableReader(SplitReader):
    def __init__(self, table: DatabaseTable, request: ScanRequest, first: int) -> None:
        self._request = request
        self._row = first
        self._batches = table.read(request.columns, first)

    def take(self) -> pa.RecordBatch | Signal:
        """Return the next rows."""
        found = next(self._batches, None)
        if found is None:
            return Signal.END
        self._row += found.num_rows
        return found

    def decode(self, unit: pa.RecordBatch) -> Batch:
        """Return those rows that are wanted."""
        pushdown = self._request.pushdown
        batch = Batch(unit)
        return batch if pushdown is None else batch.filter(pushdown.mask(unit))

    def position(self) -> Mapping[str, Any]:
        """Return the number of the next row."""
        return {"row": self._row}
