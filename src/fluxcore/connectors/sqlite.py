"""Tables of SQLite files: read to their end, or asked by key."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from contextlib import closing
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.connectors.database_table import READ_ROWS, DatabaseConnector, DatabaseTable
from fluxcore.core.ports import LookupSource
from fluxcore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcore.core.ports import LookupRequest, TableDescription

_VALUES_AT_ONCE = 900
"""Values in one question; old builds of SQLite take no more than 999."""


class SqliteConnector(DatabaseConnector):
    """Reads a table of a SQLite file, and finds its rows by key."""

    name = "sqlite"

    def table(self, description: TableDescription) -> DatabaseTable:
        """Return a declared table."""
        return _SqliteTable(description)


class _SqliteTable(DatabaseTable):
    quote = "`"  # a name in double quotes that is none is a text to SQLite

    def connect(self) -> sqlite3.Connection:
        """Return a connection that only reads."""
        return sqlite3.connect(f"{Path(self.path).absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)

    def read(self, columns: Sequence[int], first: int) -> Iterator[pa.RecordBatch]:
        """Yield these columns of all rows from row number ``first`` on."""
        schema = self.schema(columns)
        text = f"SELECT {self.names(columns)} FROM {self.quoted(self.table)} LIMIT -1 OFFSET {first}"  # noqa: S608
        try:
            with closing(self.connect()) as connection:
                cursor = connection.execute(text)
                while rows := cursor.fetchmany(READ_ROWS):
                    yield batch_of(rows, schema)
        except sqlite3.Error as error:
            raise self.failed(error) from error

    def lookup(self, request: LookupRequest) -> LookupSource:
        """Return what finds rows by key."""
        return _SqliteLookup(self, request)


class _SqliteLookup(LookupSource):
    concurrent = True

    def __init__(self, table: _SqliteTable, request: LookupRequest) -> None:
        self._table = table
        self._width = len(request.keys)
        columns = (*request.keys, *request.columns)
        self._schema = pa.schema([field.with_name(f"c{i}") for i, field in enumerate(table.schema(columns))])
        self._select = (
            f"SELECT {table.names(columns)} FROM {table.quoted(table.table)} WHERE ({table.names(request.keys)}) IN "  # noqa: S608
        )
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []

    def find(self, keys: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of these keys."""
        if not hasattr(self._local, "connection"):
            self._local.connection = self._table.connect()
            self._all.append(self._local.connection)
        values = list(zip(*(map(_stored, column.to_pylist()) for column in keys.columns), strict=True))
        at_once = _VALUES_AT_ONCE // self._width
        rows: list[tuple[Any, ...]] = []
        try:
            for start in range(0, len(values), at_once):
                part = values[start : start + at_once]
                one = f"({', '.join('?' * self._width)})"
                question = f"{self._select}(VALUES {', '.join([one] * len(part))})"
                rows += self._local.connection.execute(question, [value for key in part for value in key]).fetchall()
        except sqlite3.OperationalError as error:
            raise OSError(str(error)) from error
        except sqlite3.Error as error:
            raise self._table.failed(error) from error
        return batch_of(rows, self._schema)

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._all:
            connection.close()


def batch_of(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Return rows as SQLite gives them in the types of a schema. Raises ``DataError`` FX-CON-0132."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [_array(values, field) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: Sequence[Any], field: pa.Field) -> pa.Array:
    """Return a column. SQLite has no type for times, booleans and decimals: they are texts and numbers there."""
    type_ = field.type
    try:
        if pa.types.is_boolean(type_):
            return pa.array([None if value is None else bool(value) for value in values], type_)
        if pa.types.is_decimal(type_):
            return pa.array([None if value is None else Decimal(str(value)) for value in values], type_)
        if pa.types.is_temporal(type_) and any(isinstance(value, str) for value in values):
            return pa.array(values, pa.string()).cast(type_)
        return pa.array(values, type_)
    except (pa.ArrowException, InvalidOperation, TypeError, ValueError, OverflowError) as error:
        message = f"column '{field.name}' holds what is no {type_}: {error}"
        raise DataError(
            "FX-CON-0132", message, hint="declare the column as the table has it, such as STRING"
        ) from error


def _stored(value: Any) -> Any:
    """Return a key as SQLite stores it."""
    if isinstance(value, Decimal):
        return str(value)
    return value if value is None or isinstance(value, int | float | str | bytes) else _text(value)


def _text(value: dt.date | dt.time) -> str:
    return value.isoformat(" ") if isinstance(value, dt.datetime) else value.isoformat()
