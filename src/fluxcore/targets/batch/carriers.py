"""How values travel through DuckDB: as types of its own that hold them exactly, or not at all.

Times are whole numbers there (a TIMESTAMP the units since 1970 of its Arrow form, a DATE its days, a TIME its milliseconds):
DuckDB only compares and groups them, so nothing of its zones, units and ranges matters. ARRAY, MAP and ROW stay with FluxCore.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.core.types import (
    BooleanType,
    BytesType,
    DataType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    IntervalType,
    StringType,
    TimestampType,
    TimeType,
    VariantType,
)

if TYPE_CHECKING:
    from fluxcore.core.schema import Schema

_INTEGERS = {8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}
_AS_THEY_ARE = (BooleanType, IntegerType, FloatType, DecimalType, StringType, BytesType, IntervalType, VariantType)


def carried(schema: Schema) -> bool:
    """Return whether DuckDB can carry all columns of a schema."""
    return all(duckdb_type(each) is not None for each in schema.types)


def duckdb_type(type_: DataType) -> str | None:
    """Return DuckDB's type for values of a type; None where it has none that holds them exactly."""
    match type_:
        case BooleanType():
            return "BOOLEAN"
        case IntegerType():
            return _INTEGERS[type_.bits]
        case FloatType():
            return "FLOAT" if type_.bits == 32 else "DOUBLE"
        case DecimalType():
            return f"DECIMAL({type_.precision}, {type_.scale})"
        case StringType() | VariantType():
            return "VARCHAR"
        case BytesType():
            return "BLOB"
        case TimestampType():
            return "BIGINT"
        case IntervalType():
            return "INTEGER" if type_.months else "BIGINT"
        case DateType() | TimeType():
            return "INTEGER"
    return None


def carrier_schema(schema: Schema) -> pa.Schema:
    """Return the Arrow schema of the columns as DuckDB sees them, named c0, c1, …"""
    return pa.schema([(f"c{index}", _carrier(type_)) for index, type_ in enumerate(schema.types)])


def encode(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows as DuckDB sees them; nothing is copied. In: ``schema`` what :func:`carrier_schema` gave."""
    columns = [
        column if column.type == field.type else column.view(field.type)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def decode(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows that DuckDB gave in the types of ``schema``."""
    columns = [_decoded(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _decoded(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    if column.type == wanted:
        return column
    return column.view(wanted) if pa.types.is_temporal(wanted) else column.cast(wanted)


def _carrier(type_: DataType) -> pa.DataType:
    if isinstance(type_, _AS_THEY_ARE):
        return type_.arrow()
    return pa.int64() if isinstance(type_, TimestampType) else pa.int32()
