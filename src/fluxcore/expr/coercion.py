"""Which types meet where: common types, implicit casts, and the result types of decimal arithmetic.

Source: Flink's ``LogicalTypeMerging`` and ``LogicalTypeCasts``, documented in "Data Types".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.types import (
    BIGINT,
    DOUBLE,
    FLOAT,
    ArrayType,
    BooleanType,
    BytesType,
    DataType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    IntervalType,
    MapType,
    NullType,
    RowType,
    StringType,
    TimestampType,
    TimeType,
    VariantType,
    same,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}
_MAX = 38


def as_decimal(type_: DataType) -> DecimalType:
    """Return the decimal that holds every value of an integer or decimal type."""
    if isinstance(type_, DecimalType):
        return type_
    assert isinstance(type_, IntegerType)
    return DecimalType(precision=_DIGITS[type_.bits], scale=0)


def common_type(types: Iterable[DataType]) -> DataType | None:
    """Return the type to which all of ``types`` can be brought without loss of meaning, or None. Nullable if any is."""
    given = list(types)
    known = [each for each in given if not isinstance(each, NullType)]
    nullable = any(each.nullable for each in given)
    if not known:
        return NullType() if given else None
    found: DataType = known[0]
    for each in known[1:]:
        merged = _common(found, each)
        if merged is None:
            return None
        found = merged
    return found.with_nullable(nullable)


def _common(left: DataType, right: DataType) -> DataType | None:
    if same(left, right):
        return left
    numbers = (IntegerType, DecimalType, FloatType)
    if isinstance(left, numbers) and isinstance(right, numbers):
        return _common_number(left, right)
    if isinstance(left, StringType) and isinstance(right, StringType):
        both_fixed = left.fixed and right.fixed
        return StringType(length=max(left.length, right.length), fixed=both_fixed and left.length == right.length)
    if isinstance(left, BytesType) and isinstance(right, BytesType):
        return BytesType(length=max(left.length, right.length))
    if isinstance(left, TimestampType) and isinstance(right, TimestampType):
        return TimestampType(precision=max(left.precision, right.precision), local=left.local and right.local)
    if {type(left), type(right)} == {DateType, TimestampType}:
        return left if isinstance(left, TimestampType) else right
    if isinstance(left, TimeType) and isinstance(right, TimeType):
        return TimeType(precision=max(left.precision, right.precision))
    if isinstance(left, ArrayType) and isinstance(right, ArrayType):
        element = common_type([left.element, right.element])
        return None if element is None else ArrayType(element=element)
    if isinstance(left, RowType) and isinstance(right, RowType) and len(left.fields) == len(right.fields):
        fields = [common_type([a, b]) for (_, a), (_, b) in zip(left.fields, right.fields, strict=True)]
        names = [name for name, _ in left.fields]
        known = [each for each in fields if each is not None]
        return RowType(fields=tuple(zip(names, known, strict=True))) if len(known) == len(fields) else None
    if isinstance(left, MapType) and isinstance(right, MapType):
        key, value = common_type([left.key, right.key]), common_type([left.value, right.value])
        return None if key is None or value is None else MapType(key=key, value=value)
    if isinstance(left, RowType) and isinstance(right, RowType):
        return _common_row(left, right)
    return None


def _common_row(left: RowType, right: RowType) -> RowType | None:
    """Return the row of common types of the fields, which are named as in the first."""
    if len(left.fields) != len(right.fields):
        return None
    types = [common_type([a, b]) for (_, a), (_, b) in zip(left.fields, right.fields, strict=True)]
    names = [name for name, _ in left.fields]
    if any(type_ is None for type_ in types):
        return None
    return RowType(fields=tuple((name, type_) for name, type_ in zip(names, types, strict=True) if type_ is not None))


def _common_number(left: DataType, right: DataType) -> DataType:
    if isinstance(left, FloatType) or isinstance(right, FloatType):
        single = all(isinstance(each, IntegerType) or same(each, FLOAT) for each in (left, right))
        return FLOAT if single else DOUBLE
    if isinstance(left, IntegerType) and isinstance(right, IntegerType):
        return IntegerType(bits=max(left.bits, right.bits))
    a, b = as_decimal(left), as_decimal(right)
    scale = max(a.scale, b.scale)
    return DecimalType(precision=min(_MAX, max(a.precision - a.scale, b.precision - b.scale) + scale), scale=scale)


def decimal_result(operator: str, left: DecimalType, right: DecimalType) -> DecimalType:
    """Return the type of ``left operator right`` for decimals (+ - * / %)."""
    p1, s1, p2, s2 = left.precision, left.scale, right.precision, right.scale
    if operator in "+-":
        scale = max(s1, s2)
        return adjusted(max(p1 - s1, p2 - s2) + scale + 1, scale)
    if operator == "*":
        return adjusted(p1 + p2 + 1, s1 + s2)
    if operator == "/":
        scale = max(6, s1 + p2 + 1)
        return adjusted(p1 - s1 + s2 + scale, scale)
    scale = max(s1, s2)
    return adjusted(min(p1 - s1, p2 - s2) + scale, scale)


def rounded_decimal(type_: DecimalType, digits: int) -> DecimalType:
    """Return the type of a decimal rounded to so many digits behind the point; rounding up may need one more before it."""
    if digits >= type_.scale:
        return type_
    whole = 1 + type_.precision - type_.scale
    return DecimalType(precision=min(_MAX, whole + max(digits, 0)), scale=max(digits, 0))


def adjusted(precision: int, scale: int) -> DecimalType:
    """Return the decimal of at most 38 digits: the fraction gives way, but for 6 digits of it."""
    if precision <= _MAX:
        return DecimalType(precision=precision, scale=scale)
    digits = precision - scale
    return DecimalType(precision=_MAX, scale=max(_MAX - digits, min(scale, 6)))


def can_cast(source: DataType, target: DataType) -> bool:
    """Return whether ``CAST(source AS target)`` exists."""
    if isinstance(source, NullType) or same(source, target):
        return True
    numbers = (IntegerType, DecimalType, FloatType)
    times = (DateType, TimeType, TimestampType)
    if isinstance(source, VariantType):
        return isinstance(target, (*numbers, BooleanType, StringType))
    if isinstance(target, StringType):
        return True
    if isinstance(source, StringType):
        return isinstance(target, (*numbers, *times, BooleanType, BytesType))
    if isinstance(source, numbers):
        return isinstance(target, (*numbers, BooleanType)) or (
            isinstance(source, IntegerType) and isinstance(target, IntervalType)
        )
    if isinstance(source, BooleanType):
        return isinstance(target, numbers)
    if isinstance(source, DateType | TimeType):
        return isinstance(target, TimestampType) or type(source) is type(target)
    if isinstance(source, TimestampType):
        return isinstance(target, times)
    if isinstance(source, IntervalType):
        return isinstance(target, IntegerType) or same(source, target)
    if isinstance(source, BytesType):
        return isinstance(target, BytesType)
    if isinstance(source, ArrayType) and isinstance(target, ArrayType):
        return can_cast(source.element, target.element)
    if isinstance(source, MapType) and isinstance(target, MapType):
        return can_cast(source.key, target.key) and can_cast(source.value, target.value)
    if isinstance(source, RowType) and isinstance(target, RowType):
        return len(source.fields) == len(target.fields) and all(
            can_cast(a, b) for (_, a), (_, b) in zip(source.fields, target.fields, strict=True)
        )
    return False


def can_coerce(source: DataType, target: DataType) -> bool:
    """Return whether a value may become ``target`` without being asked for, as in INSERT (Flink's implicit casts)."""
    if isinstance(source, NullType):
        return target.nullable
    if same(source, target):
        return True
    numbers = (IntegerType, DecimalType, FloatType)
    if isinstance(source, numbers) and isinstance(target, numbers):
        if isinstance(source, FloatType):
            return isinstance(target, FloatType) and target.bits >= source.bits
        if isinstance(source, IntegerType) and isinstance(target, IntegerType):
            return target.bits >= source.bits
        return not isinstance(target, IntegerType) or same(target, BIGINT)
    if isinstance(source, StringType) and isinstance(target, StringType):
        return True
    if isinstance(source, BytesType) and isinstance(target, BytesType):
        return True
    if isinstance(source, TimestampType) and isinstance(target, TimestampType):
        return True
    if isinstance(source, TimeType) and isinstance(target, TimeType):
        return True
    if isinstance(source, DateType) and isinstance(target, TimestampType):
        return True
    if isinstance(source, ArrayType) and isinstance(target, ArrayType):
        return can_coerce(source.element, target.element)
    if isinstance(source, MapType) and isinstance(target, MapType):
        return can_coerce(source.key, target.key) and can_coerce(source.value, target.value)
    if isinstance(source, RowType) and isinstance(target, RowType):
        return len(source.fields) == len(target.fields) and all(
            can_coerce(a, b) for (_, a), (_, b) in zip(source.fields, target.fields, strict=True)
        )
    return False
