"""Flink's types as the SQL gateway's JSON tells them, and its values as Arrow columns."""

from __future__ import annotations

import base64
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core import types
from fluxcore.core.schema import Column, Schema
from fluxcore.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.types import DataType

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}


def schema_of(columns: Sequence[Mapping[str, Any]]) -> Schema:
    """Return the schema of a result. Raises ``JobError`` FX-FLK-0110 for a type that no Arrow column can carry."""
    return Schema.of(Column(column["name"], type_of(column["logicalType"])) for column in columns)


def type_of(told: Mapping[str, Any]) -> DataType:
    """Return the type that ``logicalType`` of the gateway's JSON names. Raises as :func:`schema_of`."""
    return _plain_type(told).with_nullable(bool(told.get("nullable", True)))


def _plain_type(told: Mapping[str, Any]) -> DataType:
    match told["type"]:
        case "BOOLEAN":
            return types.BooleanType()
        case "TINYINT" | "SMALLINT" | "INTEGER" | "BIGINT" as name:
            return types.IntegerType(bits=_BITS[name])
        case "FLOAT":
            return types.FloatType(bits=32)
        case "DOUBLE":
            return types.FloatType(bits=64)
        case "DECIMAL":
            return types.DecimalType(told["precision"], told["scale"])
        case "CHAR" | "VARCHAR" as name:
            return types.StringType(told.get("length", types.VARCHAR_MAX), fixed=name == "CHAR")
        case "BINARY" | "VARBINARY" as name:
            return types.BytesType(told.get("length", types.VARCHAR_MAX), fixed=name == "BINARY")
        case "DATE":
            return types.DateType()
        case "TIME_WITHOUT_TIME_ZONE":
            return types.TimeType(told.get("precision", 0))
        case "TIMESTAMP_WITHOUT_TIME_ZONE":
            return types.TimestampType(precision=told.get("precision", 6))
        case "TIMESTAMP_WITH_LOCAL_TIME_ZONE":
            return types.TimestampType(precision=told.get("precision", 6), local=True)
        case "INTERVAL_DAY_TIME":
            return types.IntervalType(months=False)
        case "INTERVAL_YEAR_MONTH":
            return types.IntervalType(months=True)
        case _:
            return _nested_type(told)


def _nested_type(told: Mapping[str, Any]) -> DataType:
    match told["type"]:
        case "ARRAY":
            return types.ArrayType(type_of(told["elementType"]))
        case "MULTISET":
            return types.MapType(type_of(told["elementType"]), types.IntegerType(nullable=False), multiset=True)
        case "MAP":
            return types.MapType(type_of(told["keyType"]), type_of(told["valueType"]))
        case "ROW":
            return types.RowType(tuple((each["name"], type_of(each["fieldType"])) for each in told["fields"]))
        case "NULL":
            return types.NullType()
        case name:
            hint = "CAST the column to STRING in the query"
            raise JobError("FX-FLK-0110", f"a column of Flink's type {name} can't be read", hint=hint)


def rows_of(data: Sequence[Sequence[Any]], schema: Schema, zone: str = "UTC") -> pa.RecordBatch:
    """Return rows as the gateway's JSON gives them as a record batch.

    In: ``zone`` of the session: the JSON tells instants by its clock, with a ``Z`` that means nothing. What the clock shows
    twice is taken for the earlier instant.
    """
    columns = list(zip(*data, strict=True)) if data else [()] * len(schema)
    arrays = [column_of(values, column.type, zone) for values, column in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema.names)


def has_instants(type_: DataType) -> bool:
    """Return whether values of a type hold instants."""
    match type_:
        case types.TimestampType(local=local):
            return local
        case types.ArrayType(element=element):
            return has_instants(element)
        case types.MapType(key=key, value=value):
            return has_instants(key) or has_instants(value)
        case types.RowType(fields=fields):
            return any(has_instants(field) for _, field in fields)
        case _:
            return False


def column_of(values: Sequence[Any], type_: DataType, zone: str = "UTC") -> pa.Array:
    """Return JSON values of one type as an Arrow array; None is NULL; ``zone`` as in :func:`rows_of`."""
    match type_:
        case types.ArrayType() | types.MapType() | types.RowType():
            return _nested_column(values, type_, zone)
        case types.BytesType():
            return pa.array([None if each is None else base64.b64decode(each) for each in values], type_.arrow())
        case types.FloatType():
            return pa.array([None if each is None else float(each) for each in values], type_.arrow())
        case types.DecimalType(scale=scale):
            texts = [None if each is None else f"{Decimal(each):.{scale}f}" for each in values]
            return pa.array(texts, pa.string()).cast(type_.arrow())
        case types.TimestampType(local=True):
            local = pa.array([None if each is None else each.removesuffix("Z") for each in values], pa.string())
            clock = local.cast(pa.timestamp(type_.arrow().unit))
            return pc.assume_timezone(clock, zone, ambiguous="earliest", nonexistent="latest").cast(type_.arrow())
        case types.TimestampType() | types.DateType():
            return pa.array(values, pa.string()).cast(type_.arrow())
        case types.TimeType():
            return pa.array([None if each is None else _time_ms(each) for each in values], pa.int32()).cast(
                type_.arrow()
            )
        case _:
            return pa.array(values, type_.arrow())


def _nested_column(values: Sequence[Any], type_: DataType, zone: str) -> pa.Array:
    present = np.array([each is not None for each in values], np.bool_)
    if isinstance(type_, types.RowType):
        fields = [
            column_of([None if each is None else each[name] for each in values], field, zone)
            for name, field in type_.fields
        ]
        arrow = type_.arrow()
        return pa.StructArray.from_arrays(fields, fields=list(arrow), mask=pa.array(~present))
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(each) if each is not None else 0 for each in values], out=offsets[1:])
    ends = pa.array(offsets, mask=np.append(~present, False)) if len(values) else pa.array(offsets)
    if isinstance(type_, types.ArrayType):
        items = column_of([item for each in values if each is not None for item in each], type_.element, zone)
        return pa.ListArray.from_arrays(ends, items, type=type_.arrow())
    assert isinstance(type_, types.MapType)
    pairs = [pair for each in values if each is not None for pair in each.items()]
    keys = column_of([key for key, _ in pairs], type_.key, zone)
    return pa.MapArray.from_arrays(
        ends, keys, column_of([value for _, value in pairs], type_.value, zone), type=type_.arrow()
    )


def _time_ms(text: str) -> int:
    hours, minutes, *rest = text.split(":")
    seconds = float(rest[0]) if rest else 0.0
    return (int(hours) * 60 + int(minutes)) * 60_000 + math.floor(seconds * 1000 + 0.5)
