"""Tables of DuckDB files: read to their end, or asked by key."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from fluxcore.connectors.database_table import DatabaseConnector, DatabaseTable
from fluxcore.core.ports import LookupSource
from fluxcore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcore.core.ports import LookupRequest, TableDescription


class DuckDbConnector(DatabaseConnector):
    """Reads a table of a DuckDB file, and finds its rows by key."""

    name = "duckdb"

    def table(self, description: TableDescription) -> DatabaseTable:
        """Return a declared table."""
        return _DuckDbTable(description)


class _DuckDbTable(DatabaseTable):
    def connect(self) -> duckdb.DuckDBPyConnection:
        """Return a connection that only reads; one that writes too where this process has the file open for writing."""
        try:
            return duckdb.connect(self.path, read_only=True)
        except duckdb.ConnectionException:
            return duckdb.connect(self.path)

    def read(self, columns: Sequence[int], first: int) -> Iterator[pa.RecordBatch]:
        """Yield these columns of all rows from row number ``first`` on, in the order of the table."""
        schema = self.schema(columns)
        text = f"SELECT {self.names(columns)} FROM {self.quoted(self.table)} OFFSET {first}"  # noqa: S608
        try:
            with closing(self.connect()) as connection:
                for batch in pa.RecordBatchReader.from_stream(connection.sql(text)):
                    yield typed(batch, schema)
        except duckdb.Error as error:
            raise self.failed(error) from error

    def lookup(self, request: LookupRequest) -> LookupSource:
        """Return what finds rows by key."""
        return _DuckDbLookup(self, request)


class _DuckDbLookup(LookupSource):
    """One question joins all keys with the table; DuckDB itself works on it with several threads."""

    def __init__(self, table: _DuckDbTable, request: LookupRequest) -> None:
        self._table = table
        columns = (*request.keys, *request.columns)
        self._schema = pa.schema([field.with_name(f"c{i}") for i, field in enumerate(table.schema(columns))])
        names = [table.quoted(table.description.schema[index].name) for index in columns]
        equal = " AND ".join(f"t.{name} = asked.k{index}" for index, name in enumerate(names[: len(request.keys)]))
        chosen = ", ".join(f"t.{name} AS c{index}" for index, name in enumerate(names))
        self._question = f"SELECT {chosen} FROM {table.quoted(table.table)} AS t JOIN asked ON {equal}"  # noqa: S608
        self._connection: Any = None

    def open(self) -> None:
        """Connect."""
        try:
            self._connection = self._table.connect()
        except duckdb.Error as error:
            raise self._table.failed(error) from error

    def find(self, keys: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of these keys."""
        names = [f"k{index}" for index in range(keys.num_columns)]
        self._connection.register("asked", pa.Table.from_arrays(keys.columns, names))
        try:
            answer = pa.RecordBatchReader.from_stream(self._connection.sql(self._question))
            found = answer.read_all().combine_chunks().to_batches()
        except duckdb.IOException as error:
            raise OSError(str(error)) from error
        except duckdb.Error as error:
            raise self._table.failed(error) from error
        finally:
            self._connection.unregister("asked")
        none = pa.RecordBatch.from_arrays([pa.array([], field.type) for field in self._schema], schema=self._schema)
        return typed(found[0], self._schema) if found else none

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()


def typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows in the types of a schema. Raises ``DataError`` FX-CON-0132."""
    arrays = []
    for column, field in zip(batch.columns, schema, strict=True):
        try:
            arrays.append(column if column.type == field.type else column.cast(field.type))
        except pa.ArrowException as error:
            message = f"column '{field.name}' holds what is no {field.type}: {error}"
            raise DataError(
                "FX-CON-0132", message, hint="declare the column with the type that the table has"
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
