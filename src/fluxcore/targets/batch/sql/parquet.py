"""Prints scans of Parquet files that DuckDB may read itself: those whose columns are held as the table declares them."""

from __future__ import annotations

from glob import has_magic
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from fluxcore.connectors.filesystem.paths import files_of, local_path
from fluxcore.core.types import DateType, IntegerType, TimestampType
from fluxcore.errors import FluxError
from fluxcore.targets.batch.carriers import carried, duckdb_type
from fluxcore.targets.batch.sql.expressions import print_expr, printable, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.schema import Column
    from fluxcore.plan.nodes import Scan

_DIGITS = {"ms": 3, "us": 6, "ns": 9}


def print_scan(node: Scan) -> str | None:
    """Return a scan as a query; None where FluxCore reads the files.

    It does where a value must be converted or checked, where a column says where its row comes from, where files differ, and
    where they stand in partitions.
    """
    table = node.table
    options = table.options
    if options.get("connector") != "filesystem" or options.get("format") != "parquet" or not carried(node.schema):
        return None
    if (
        table.partitioned_by
        or set(node.columns) & table.metadata.keys()
        or (node.predicate is not None and not printable(node.predicate))
    ):
        return None
    files = _files(options["path"])
    if not files:
        return None
    held = _held(files)
    if held is None or (table.time_column in node.columns and _has_nulls(files, table.schema[table.time_column])):
        return None
    columns = []
    for place, column in enumerate(node.schema):
        text = _column(column, held)
        if text is None or (not column.type.nullable and _has_nulls(files, column)):
            return None
        columns.append(f"{text} AS c{place}")
    paths = ", ".join(quoted(path) for path in files)
    query = f"SELECT {', '.join(columns)} FROM read_parquet([{paths}], hive_partitioning = false)"
    if node.predicate is None:
        return query
    return f"SELECT * FROM ({query}) WHERE {print_expr(node.predicate, lambda index: f'c{index}')}"


def _files(path: str) -> Sequence[str]:
    place = local_path(path)
    try:
        files = [] if place is None else files_of(place)
    except FluxError:
        return ()  # who reads them says what is wrong
    return () if any(has_magic(each) for each in files) else files


def _held(files: Sequence[str]) -> pa.Schema | None:
    """Return the columns that all files hold; None where they differ, or one is no Parquet."""
    try:
        schemas = [pq.read_schema(path).remove_metadata() for path in files]
        physical = [pq.read_metadata(path).schema.to_arrow_schema().remove_metadata() for path in files]
    except (pa.ArrowException, OSError):
        return None
    same = all(each.equals(schemas[0]) for each in (*schemas, *physical))
    return schemas[0] if same and len(set(schemas[0].names)) == len(schemas[0]) else None


def _has_nulls(files: Sequence[str], column: Column) -> bool:
    """Return whether a column may hold NULL: its statistics don't say that it holds none."""
    for path in files:
        metadata = pq.read_metadata(path)
        leaves = [leaf for leaf in range(metadata.num_columns) if metadata.schema.column(leaf).path == column.name]
        for group in range(metadata.num_row_groups):
            statistics = metadata.row_group(group).column(leaves[0]).statistics if leaves else None
            if statistics is None or not statistics.has_null_count or statistics.null_count:
                return True
    return False


def _column(column: Column, held: pa.Schema) -> str | None:
    """Return a column in the form in which its type travels; None where it isn't held in that type."""
    place = held.get_field_index(column.name)
    if place < 0:
        return None
    found, type_ = held.field(place).type, column.type
    name = '"' + column.name.replace('"', '""') + '"'
    if isinstance(type_, TimestampType):
        return _timestamp(name, type_, found)
    if isinstance(type_, DateType):
        return f"CAST({name} - DATE '1970-01-01' AS INTEGER)" if pa.types.is_date32(found) else None
    if isinstance(type_, IntegerType) and pa.types.is_signed_integer(found) and found.bit_width <= type_.bits:
        return name if found.bit_width == type_.bits else f"CAST({name} AS {duckdb_type(type_)})"
    return name if found == type_.arrow() and not pa.types.is_time(found) else None


def _timestamp(name: str, type_: TimestampType, held: pa.DataType) -> str | None:
    """Return a time as whole numbers of the table's unit, cut to its precision."""
    if not pa.types.is_timestamp(held) or (held.tz is not None) != type_.local or held.unit not in _DIGITS:
        return None
    fine = type_.precision > 6
    if fine and held.tz is not None:
        return None  # DuckDB has instants of microseconds only
    if not fine and held.unit == "ns":
        return None
    value = f"epoch_{'ns' if fine else 'us'}({name})"
    if _DIGITS[held.unit] <= type_.precision:
        return value
    step = 10 ** ((9 if fine else 6) - type_.precision)
    return f"({value} - ((({value} % {step}) + {step}) % {step}))"
