"""Constants as Flink SQL writes them, each with exactly its type: where a plain constant has another one, a CAST is around it."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fluxcore.core.quotes import text
from fluxcore.core.types import (
    BytesType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    IntervalType,
    NullType,
    StringType,
    TimestampType,
    TimeType,
    VariantType,
)
from fluxcore.expr import utf16
from fluxcore.targets.flink.sql.type_names import type_name

if TYPE_CHECKING:
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import Literal

_DAY_MS = 86_400_000
_UNITS = (("DAY", _DAY_MS), ("HOUR", 3_600_000), ("MINUTE", 60_000))
_PLAIN_MAX = 100
"""A number of a unit below it needs no precision."""
DAYS_MAX = 999
"""The most days that one interval constant of Flink can have."""
_DIGITS_MAX = 18
"""Digits of a decimal constant that Flink reads whatever they are."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def literal(constant: Literal, zone: dt.tzinfo = dt.UTC) -> str:
    """Return a constant as SQL. In: ``zone`` of the session, in which Flink reads a TIMESTAMP as an instant.

    A NaN or an infinite number is printed as a CAST of its name, which Flink refuses: see :func:`is_finite`.
    """
    value, type_ = constant.value, constant.type
    if value is None:
        return "NULL" if isinstance(type_, NullType) else _cast("NULL", type_)
    match type_:
        case IntegerType():
            return _integer(value, type_)
        case DecimalType():
            return _decimal(Decimal(value), type_)
        case FloatType():
            return _float(float(value), type_)
        case VariantType():
            return f"PARSE_JSON({text(value)})"
        case StringType():
            plain = type_.fixed and (utf16.length(value) == type_.length or not value)
            return text(value) if plain else _cast(text(value), type_)
        case BytesType():
            shown = f"X'{value.hex().upper()}'"
            return shown if type_.fixed and (len(value) == type_.length or not value) else _cast(shown, type_)
        case DateType():
            return f"DATE '{value.isoformat()}'"
        case TimeType():
            return _time(value, type_)
        case TimestampType():
            return _instant(value, type_, zone) if type_.local else _timestamp(value, type_)
        case IntervalType():
            return months(value) if type_.months else milliseconds(value)
    return "TRUE" if value else "FALSE"


def is_finite(constant: Literal) -> bool:
    """Return whether Flink can read a constant: it knows no NaN and no infinite ones."""
    return not isinstance(constant.value, float) or math.isfinite(constant.value)


def milliseconds(value: int) -> str:
    """Return a day-time interval: in one unit where it is short, else as days, hours, minutes and seconds."""
    sign, size = "-" if value < 0 else "", abs(value)
    for unit, length in _UNITS:
        if size and size % length == 0 and size < _PLAIN_MAX * length:
            return f"INTERVAL '{sign}{size // length}' {unit}"
    if size < _PLAIN_MAX * 1000:
        fraction = f".{size % 1000:03d}" if size % 1000 else ""
        return f"INTERVAL '{sign}{size // 1000}{fraction}' SECOND"
    days, rest = divmod(size, _DAY_MS)
    if days > DAYS_MAX:
        whole = f"INTERVAL '{sign}1' DAY * {days}"
        return f"({whole} + {milliseconds(-rest if sign else rest)})" if rest else f"({whole})"
    seconds = rest // 1000
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest % 1000:03d}"
    precision = "(3)" if days >= _PLAIN_MAX else ""
    return f"INTERVAL '{sign}{days} {clock}' DAY{precision} TO SECOND(3)"


def months(value: int) -> str:
    """Return a year-month interval."""
    sign, size = "-" if value < 0 else "", abs(value)
    if size < _PLAIN_MAX:
        return f"INTERVAL '{sign}{size}' MONTH"
    return f"INTERVAL '{sign}{size // 12}-{size % 12}' YEAR(4) TO MONTH"


def _cast(shown: str, type_: DataType) -> str:
    return f"CAST({shown} AS {type_name(type_)})"


def _integer(value: Any, type_: IntegerType) -> str:
    natural = 32 if -(2**31) <= value < 2**31 else 64
    if abs(value) < 2**63 and natural == type_.bits:
        return str(value)
    return _cast(str(value) if value > -(2**63) else text(str(value)), type_)


def _decimal(value: Decimal, type_: DecimalType) -> str:
    """Return a decimal; Flink counts all of a constant's digits, also a zero before the point."""
    shown = format(value, "f")
    if type_.scale:  # a whole number is an INT
        whole, _, fraction = shown.lstrip("-").partition(".")
        fraction = fraction.ljust(type_.scale, "0")
        whole = "" if whole == "0" and type_.precision == type_.scale else whole
        if len(fraction) == type_.scale and len(whole) + len(fraction) == type_.precision <= _DIGITS_MAX:
            return f"{'-' if value.is_signed() else ''}{whole}.{fraction}"
    plain = len(value.as_tuple().digits) <= _DIGITS_MAX and len(shown) <= _DIGITS_MAX
    return _cast(shown if plain else text(shown), type_)


def _float(value: float, type_: FloatType) -> str:
    if not math.isfinite(value):
        name = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return _cast(text(name), type_)
    shown = repr(value)
    if value == 0 and math.copysign(1, value) < 0:
        return _cast(text("-0.0"), type_)
    mantissa, _, exponent = shown.partition("e")
    shown = f"{mantissa}E{int(exponent or 0)}"
    return shown if type_.bits == 64 else _cast(shown, type_)


def _time(value: dt.time, type_: TimeType) -> str:
    digits = max(type_.precision, 3 if value.microsecond else 0)
    fraction = f".{value.microsecond:06d}"[: 1 + digits] if digits else ""
    shown = f"TIME '{value:%H:%M:%S}{fraction}'"
    return shown if digits == type_.precision else _cast(shown, type_)


def _timestamp(value: dt.datetime, type_: TimestampType) -> str:
    """Return a TIMESTAMP constant with as many digits as its type has."""
    used = len(f"{value.microsecond:06d}".rstrip("0"))
    digits = max(type_.precision, used)
    fraction = f".{value.microsecond:06d}000"[: 1 + digits] if digits else ""
    shown = f"TIMESTAMP '{value.date().isoformat()} {value:%H:%M:%S}{fraction}'"
    return shown if digits == type_.precision else _cast(shown, type_)


def _instant(value: dt.datetime, type_: TimestampType, zone: dt.tzinfo) -> str:
    """Return an instant: by its number of milliseconds, or where it is finer by the session's clock."""
    moment = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
    micros = (moment - _EPOCH) // dt.timedelta(microseconds=1)
    if micros % 1000:
        wall = moment.astimezone(zone).replace(tzinfo=None)
        return _cast(_timestamp(wall, TimestampType(precision=6)), type_)
    shown = f"TO_TIMESTAMP_LTZ({micros // 1000}, 3)"
    return shown if type_.precision == 3 else _cast(shown, type_)
