"""Flink's logical types and their Arrow forms.

A type is an immutable value. ``nullable`` is part of it, as in Flink (``INT`` and ``INT NOT NULL`` differ), but most
questions ignore it: compare with :func:`same` and build variants with :meth:`DataType.with_nullable`.

Arrow forms: TIMESTAMP(p) ``timestamp[us]`` (``ns`` for p > 6), TIMESTAMP_LTZ(p) the same in UTC, TIME ``time32[ms]``,
DATE ``date32``, DECIMAL ``decimal128``, day-time intervals ``int64`` milliseconds, year-month intervals ``int32`` months,
strings ``string``, bytes ``binary``, VARIANT ``string``: JSON text in one form, see ``fluxcore.expr.variants``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import pyarrow as pa

VARCHAR_MAX = 2_147_483_647


@dataclass(frozen=True, slots=True, kw_only=True)
class DataType:
    """The root of all types. In: ``nullable`` whether a value may be NULL."""

    nullable: bool = True

    def arrow(self) -> pa.DataType:
        """Return the Arrow type that carries values of this type."""
        raise NotImplementedError

    def name(self) -> str:
        """Return the SQL name without nullability, such as ``DECIMAL(10, 2)``."""
        raise NotImplementedError

    def sql(self) -> str:
        """Return the SQL name with ``NOT NULL`` where the type is not nullable."""
        return self.name() if self.nullable else f"{self.name()} NOT NULL"

    def with_nullable(self, nullable: bool) -> Self:
        """Return this type with another nullability."""
        return self if self.nullable == nullable else replace(self, nullable=nullable)

    def __str__(self) -> str:
        return self.sql()


@dataclass(frozen=True, slots=True)
class BooleanType(DataType):
    """BOOLEAN."""

    def arrow(self) -> pa.DataType:
        return pa.bool_()

    def name(self) -> str:
        return "BOOLEAN"


_INTEGER_NAMES = {8: "TINYINT", 16: "SMALLINT", 32: "INT", 64: "BIGINT"}
_INTEGER_ARROW = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}


@dataclass(frozen=True, slots=True)
class IntegerType(DataType):
    """TINYINT, SMALLINT, INT or BIGINT, by ``bits`` 8, 16, 32 or 64. Arithmetic wraps, as in Java."""

    bits: int = 32

    def arrow(self) -> pa.DataType:
        return _INTEGER_ARROW[self.bits]

    def name(self) -> str:
        return _INTEGER_NAMES[self.bits]


@dataclass(frozen=True, slots=True)
class FloatType(DataType):
    """FLOAT (32 bits) or DOUBLE (64 bits)."""

    bits: int = 64

    def arrow(self) -> pa.DataType:
        return pa.float32() if self.bits == 32 else pa.float64()

    def name(self) -> str:
        return "FLOAT" if self.bits == 32 else "DOUBLE"


@dataclass(frozen=True, slots=True)
class DecimalType(DataType):
    """DECIMAL(precision, scale), exact, precision at most 38; overflow gives NULL."""

    precision: int = 10
    scale: int = 0

    def arrow(self) -> pa.DataType:
        return pa.decimal128(self.precision, self.scale)

    def name(self) -> str:
        return f"DECIMAL({self.precision}, {self.scale})"


@dataclass(frozen=True, slots=True)
class StringType(DataType):
    """CHAR(length) when ``fixed``, else VARCHAR(length); STRING is VARCHAR(2147483647)."""

    length: int = VARCHAR_MAX
    fixed: bool = False

    def arrow(self) -> pa.DataType:
        return pa.string()

    def name(self) -> str:
        if self.fixed:
            return f"CHAR({self.length})"
        return "STRING" if self.length == VARCHAR_MAX else f"VARCHAR({self.length})"


@dataclass(frozen=True, slots=True)
class BytesType(DataType):
    """BINARY(length) when ``fixed``, else VARBINARY(length); BYTES is VARBINARY(2147483647)."""

    length: int = VARCHAR_MAX
    fixed: bool = False

    def arrow(self) -> pa.DataType:
        return pa.binary()

    def name(self) -> str:
        if self.fixed:
            return f"BINARY({self.length})"
        return "BYTES" if self.length == VARCHAR_MAX else f"VARBINARY({self.length})"


@dataclass(frozen=True, slots=True)
class DateType(DataType):
    """DATE."""

    def arrow(self) -> pa.DataType:
        return pa.date32()

    def name(self) -> str:
        return "DATE"


@dataclass(frozen=True, slots=True)
class TimeType(DataType):
    """TIME(precision); kept in milliseconds."""

    precision: int = 0

    def arrow(self) -> pa.DataType:
        return pa.time32("ms")

    def name(self) -> str:
        return f"TIME({self.precision})"


@dataclass(frozen=True, slots=True)
class TimestampType(DataType):
    """TIMESTAMP(precision), or TIMESTAMP_LTZ(precision) when ``local`` (an instant, shown in the session zone)."""

    precision: int = 6
    local: bool = False

    def arrow(self) -> pa.DataType:
        return pa.timestamp("ns" if self.precision > 6 else "us", tz="UTC" if self.local else None)

    def name(self) -> str:
        return f"TIMESTAMP{'_LTZ' if self.local else ''}({self.precision})"

    @property
    def units_per_ms(self) -> int:
        """Return how many units of the Arrow form make a millisecond."""
        return 1_000_000 if self.precision > 6 else 1_000


@dataclass(frozen=True, slots=True)
class IntervalType(DataType):
    """A year-month interval in whole months when ``months``, else a day-time interval in whole milliseconds."""

    months: bool = False

    def arrow(self) -> pa.DataType:
        return pa.int32() if self.months else pa.int64()

    def name(self) -> str:
        return "INTERVAL YEAR TO MONTH" if self.months else "INTERVAL DAY TO SECOND(3)"


@dataclass(frozen=True, slots=True)
class ArrayType(DataType):
    """ARRAY<element>."""

    element: DataType

    def arrow(self) -> pa.DataType:
        return pa.list_(self.element.arrow())

    def name(self) -> str:
        return f"ARRAY<{self.element.sql()}>"


@dataclass(frozen=True, slots=True)
class MapType(DataType):
    """MAP<key, value>; a MULTISET<t> is ``MapType(t, INT NOT NULL, multiset=True)``."""

    key: DataType
    value: DataType
    multiset: bool = False

    def arrow(self) -> pa.DataType:
        return pa.map_(self.key.arrow(), self.value.arrow())

    def name(self) -> str:
        if self.multiset:
            return f"MULTISET<{self.key.sql()}>"
        return f"MAP<{self.key.sql()}, {self.value.sql()}>"


@dataclass(frozen=True, slots=True)
class RowType(DataType):
    """ROW<name type, …>."""

    fields: tuple[tuple[str, DataType], ...]

    def arrow(self) -> pa.DataType:
        return pa.struct([pa.field(name, type_.arrow(), type_.nullable) for name, type_ in self.fields])

    def name(self) -> str:
        inside = ", ".join(f"`{name}` {type_.sql()}" for name, type_ in self.fields)
        return f"ROW<{inside}>"


@dataclass(frozen=True, slots=True)
class VariantType(DataType):
    """VARIANT: a value whose type each row tells, such as parsed JSON."""

    def arrow(self) -> pa.DataType:
        return pa.string()

    def name(self) -> str:
        return "VARIANT"


@dataclass(frozen=True, slots=True)
class NullType(DataType):
    """The type of a bare NULL, which takes any other type where one is wanted."""

    def arrow(self) -> pa.DataType:
        return pa.null()

    def name(self) -> str:
        return "NULL"


BOOLEAN = BooleanType()
TINYINT = IntegerType(bits=8)
SMALLINT = IntegerType(bits=16)
INT = IntegerType(bits=32)
BIGINT = IntegerType(bits=64)
FLOAT = FloatType(bits=32)
DOUBLE = FloatType(bits=64)
STRING = StringType()
BYTES = BytesType()
DATE = DateType()
TIME = TimeType()
TIMESTAMP = TimestampType(precision=3)
VARIANT = VariantType()
TIMESTAMP_LTZ = TimestampType(precision=3, local=True)


def same(left: DataType, right: DataType) -> bool:
    """Return whether two types are equal but for nullability at the top."""
    return left.with_nullable(True) == right.with_nullable(True)


def holds_variant(type_: DataType) -> bool:
    """Return whether a type is VARIANT or holds one."""
    match type_:
        case ArrayType(element=element):
            return holds_variant(element)
        case MapType(key=key, value=value):
            return holds_variant(key) or holds_variant(value)
        case RowType(fields=fields):
            return any(holds_variant(field) for _, field in fields)
    return isinstance(type_, VariantType)


def is_numeric(type_: DataType) -> bool:
    """Return whether values of the type are numbers."""
    return isinstance(type_, IntegerType | FloatType | DecimalType)


def from_arrow(type_: pa.DataType, *, nullable: bool = True) -> DataType:
    """Return the logical type for an Arrow type, as read from Parquet or handed in by a program.

    Raises: ``TypeError`` for an Arrow type that has no Flink counterpart.
    """
    found = _plain_from_arrow(type_)
    if found is None:
        if pa.types.is_timestamp(type_):
            precision = {"s": 0, "ms": 3, "us": 6, "ns": 9}[type_.unit]
            found = TimestampType(precision=precision, local=type_.tz is not None)
        elif pa.types.is_decimal(type_) and type_.precision <= 38:
            found = DecimalType(precision=type_.precision, scale=type_.scale)
        elif pa.types.is_dictionary(type_):
            found = from_arrow(type_.value_type)
        elif pa.types.is_map(type_):
            found = MapType(key=from_arrow(type_.key_type), value=from_arrow(type_.item_type))
        elif pa.types.is_list(type_) or pa.types.is_large_list(type_):
            found = ArrayType(element=from_arrow(type_.value_type))
        elif pa.types.is_struct(type_):
            fields = tuple((field.name, from_arrow(field.type, nullable=field.nullable)) for field in type_)
            found = RowType(fields=fields)
        else:
            raise TypeError(f"no SQL type for Arrow type {type_}")
    return found.with_nullable(nullable)


def _plain_from_arrow(type_: pa.DataType) -> DataType | None:
    tests = (
        (pa.types.is_boolean, BOOLEAN),
        (pa.types.is_int8, TINYINT),
        (lambda t: pa.types.is_int16(t) or pa.types.is_uint8(t), SMALLINT),
        (lambda t: pa.types.is_int32(t) or pa.types.is_uint16(t), INT),
        (lambda t: pa.types.is_int64(t) or pa.types.is_uint32(t), BIGINT),
        (pa.types.is_uint64, DecimalType(precision=20, scale=0)),
        (lambda t: pa.types.is_float32(t) or pa.types.is_float16(t), FLOAT),
        (pa.types.is_float64, DOUBLE),
        (lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t), STRING),
        (lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_binary_view(t), BYTES),
        (pa.types.is_fixed_size_binary, BYTES),
        (pa.types.is_date, DATE),
        (pa.types.is_time, TIME),
        (pa.types.is_null, NullType()),
    )
    return next((found for test, found in tests if test(type_)), None)
