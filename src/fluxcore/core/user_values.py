"""How values go between Arrow and functions in Python: Arrow has no dict, no timedelta and no dataclass."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import typing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.type_hints import fields_of
from fluxcore.core.types import (
    ArrayType,
    BytesType,
    DataType,
    DecimalType,
    FloatType,
    IntegerType,
    IntervalType,
    MapType,
    RowType,
    StringType,
    TimestampType,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.user_functions import Convert

_MILLISECOND = dt.timedelta(milliseconds=1)
_WIDE = decimal.Context(prec=80, rounding=decimal.ROUND_HALF_UP)


def python_values(array: pa.Array) -> list[Any]:
    """Return an array's values as Python has them, NULL as None; nanoseconds are cut to microseconds."""
    type_ = array.type
    if not array.null_count and (pa.types.is_integer(type_) or pa.types.is_floating(type_)):
        return np.asarray(array).tolist()
    if pa.types.is_timestamp(type_) and type_.unit == "ns":
        array = array.cast(pa.timestamp("us", type_.tz), safe=False)
    found: list[Any] = array.to_pylist()
    return found


def decoder(type_: DataType | None, hint: Any = None) -> Convert:
    """Return what makes a value for a function of Arrow's Python value; None where they are the same."""
    if isinstance(type_, IntervalType) and not type_.months:
        return _unless_none(lambda value: value * _MILLISECOND)
    if isinstance(type_, ArrayType):
        (element,) = _inner(hint, 1)
        each = decoder(type_.element, element)
        return None if each is None else _unless_none(lambda values: [each(value) for value in values])
    if isinstance(type_, MapType):
        return _map_decoder(type_, hint)
    if isinstance(type_, RowType):
        return _row_decoder(type_, hint)
    return None


def _map_decoder(type_: MapType, hint: Any) -> Convert:
    hints = _inner(hint, 2)
    key, value = decoder(type_.key, hints[0]) or _same, decoder(type_.value, hints[1]) or _same
    return _unless_none(lambda pairs: {key(k): value(v) for k, v in pairs})


def _row_decoder(type_: RowType, hint: Any) -> Convert:
    fields = fields_of(hint) or {}
    hints = list(fields.values()) or [None] * len(type_.fields)
    parts = [decoder(each, own) for (_, each), own in zip(type_.fields, hints, strict=False)]
    plain = all(each is None for each in parts)
    converts = [each or _same for each in parts]
    make: Callable[..., Any] | None = None
    if fields and not typing.is_typeddict(hint):
        make = hint
    elif typing.get_origin(hint) is tuple:
        make = _tuple
    if make is None and plain:
        return None

    def decode(row: dict[str, Any]) -> Any:
        values = [convert(value) for convert, value in zip(converts, row.values(), strict=True)]
        return dict(zip(row, values, strict=True)) if make is None else make(*values)

    return _unless_none(decode)


def encoder(type_: DataType, hint: Any = None) -> Convert:
    """Return what makes a value for Arrow of what a function gave; None where they are the same."""
    if isinstance(type_, IntervalType) and not type_.months:
        return _unless_none(lambda value: value // _MILLISECOND if isinstance(value, dt.timedelta) else value)
    if isinstance(type_, DecimalType):
        return _decimal_encoder(type_)
    if isinstance(type_, ArrayType):
        (element,) = _inner(hint, 1)
        each = encoder(type_.element, element) or _same
        return _unless_none(lambda values: [each(value) for value in values])
    if isinstance(type_, MapType):
        hints = _inner(hint, 2)
        key, value = encoder(type_.key, hints[0]) or _same, encoder(type_.value, hints[1]) or _same
        return _unless_none(lambda pairs: [(key(k), value(v)) for k, v in dict(pairs).items()])
    if isinstance(type_, RowType):
        return _row_encoder(type_, hint)
    return None


def _decimal_encoder(type_: DecimalType) -> Convert:
    """Return what brings numbers to a decimal's scale, half up; one that doesn't fit is NULL, as in Flink."""
    unit, bound = Decimal(1).scaleb(-type_.scale), Decimal(10) ** (type_.precision - type_.scale)

    def encode(value: Decimal | int) -> Decimal | None:
        found = Decimal(value).quantize(unit, context=_WIDE)
        return found if _WIDE.abs(found) < bound else None

    return _unless_none(encode)


def _row_encoder(type_: RowType, hint: Any) -> Convert:
    fields = fields_of(hint) or {}
    hints = list(fields.values()) or [None] * len(type_.fields)
    names = [name for name, _ in type_.fields]
    converts = [encoder(each, own) or _same for (_, each), own in zip(type_.fields, hints, strict=False)]

    def encode(row: Any) -> dict[str, Any]:
        values = row_values(row, names)
        return {name: convert(value) for name, convert, value in zip(names, converts, values, strict=True)}

    return _unless_none(encode)


def row_values(row: Any, names: Sequence[str]) -> Sequence[Any]:
    """Return the values of a row as a function may give it: a tuple, a list, a dataclass or a dict."""
    if isinstance(row, tuple | list):
        return row
    if isinstance(row, dict):
        return [row[name] for name in names]
    if dataclasses.is_dataclass(row):
        return [getattr(row, each.name) for each in dataclasses.fields(row)]
    raise TypeError(f"{row!r} is no row: give a tuple, a dataclass or a dict")


def results(values: list[Any], type_: DataType) -> pa.Array:
    """Return what a function gave as an array of its result's type.

    Raises: ``TypeError``, ``ValueError`` or ``OverflowError`` for what is no value of that type.
    """
    kinds = set(map(type, values))
    refused = _WRONG.get(type(type_))
    wrong = next((kind for kind in kinds if kind is not type(None) and refused(kind)), None) if refused else None
    if wrong:
        raise TypeError(f"{wrong.__name__} is no {type_.name()}")
    if isinstance(type_, FloatType) and int in kinds:
        values = [float(value) if type(value) is int else value for value in values]
    if isinstance(type_, TimestampType) and type_.precision > 6:
        return pa.array(values, pa.timestamp("us", "UTC" if type_.local else None)).cast(type_.arrow())
    return pa.array(values, type_.arrow())


_WRONG: dict[type[DataType], Callable[[type], bool]] = {  # classes that Arrow would take, but not as what they are
    IntegerType: lambda kind: kind is bool or not issubclass(kind, int | np.integer),
    FloatType: lambda kind: kind is bool or issubclass(kind, Decimal),
    StringType: lambda kind: not issubclass(kind, str),
    BytesType: lambda kind: not issubclass(kind, bytes | bytearray),
}


def _inner(hint: Any, count: int) -> tuple[Any, ...]:
    """Return the hints of what a collection holds."""
    if typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    args = typing.get_args(hint)
    return args[:count] if len(args) >= count else (None,) * count


def _unless_none(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def _same(value: Any) -> Any:
    return value


def _tuple(*values: Any) -> tuple[Any, ...]:
    return values
