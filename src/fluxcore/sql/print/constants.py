"""Constants as SQL text."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

from fluxcore.core.quotes import text
from fluxcore.core.types import BooleanType, DecimalType, IntervalType, TimestampType, TimeType

if TYPE_CHECKING:
    from fluxcore.sql.ast import Constant

_UNITS = (("DAY", 86_400_000), ("HOUR", 3_600_000), ("MINUTE", 60_000), ("SECOND", 1000))
_INFINITE = "1E999"


def constant(tree: Constant) -> str:
    """Return a constant."""
    value = tree.value
    if value is None:
        return "UNKNOWN" if isinstance(tree.type, BooleanType) else "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(tree.type, IntervalType):
        return interval(value, months=tree.type.months)
    match value:
        case int():
            return str(value)
        case float():
            return _float(value)
        case Decimal():
            return _decimal(value, tree.type)
        case str():
            return text(value)
        case bytes():
            return f"X'{value.hex().upper()}'"
        case dt.datetime():
            precision = tree.type.precision if isinstance(tree.type, TimestampType) else 6
            return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S}{_fraction(value.microsecond, precision)}'"
        case dt.date():
            return f"DATE '{value.isoformat()}'"
        case dt.time():
            precision = tree.type.precision if isinstance(tree.type, TimeType) else 6
            return f"TIME '{value:%H:%M:%S}{_fraction(value.microsecond, precision)}'"
    raise TypeError(f"no constant of {type(value).__name__}")


def interval(value: int, *, months: bool) -> str:
    """Return an interval of whole months, or of whole milliseconds, in the largest unit that gives a whole number."""
    if months:
        whole = value % 12 == 0 and value != 0
        return f"INTERVAL '{value // 12 if whole else value}' {_unit('YEAR' if whole else 'MONTH', value // 12 if whole else value)}"
    for unit, size in _UNITS:
        if value % size == 0 and (value != 0 or unit == "SECOND"):
            return f"INTERVAL '{value // size}' {_unit(unit, value // size)}"
    sign = "-" if value < 0 else ""
    seconds, rest = divmod(abs(value), 1000)
    return f"INTERVAL '{sign}{seconds}.{rest:03}' {_unit('SECOND', seconds)}"


def _unit(unit: str, count: int) -> str:
    """Return a unit with its number of digits where there are more than the two that Flink takes without being told."""
    digits = len(str(abs(count)))
    return unit if digits <= 2 else f"{unit}({digits})"


def _float(value: float) -> str:
    shown = repr(value)
    if "inf" in shown:
        return shown.replace("inf", _INFINITE)
    return shown.upper() if "e" in shown else f"{shown}E0"


def _decimal(value: Decimal, type_: object) -> str:
    shown = format(abs(value), "f")
    before, _, after = shown.partition(".")
    if isinstance(type_, DecimalType):
        after = after.ljust(type_.scale, "0")
        width = type_.precision - type_.scale
        before = before.lstrip("0").rjust(width, "0") if len(before.lstrip("0")) <= width else before
    return f"{'-' if value < 0 else ''}{before}.{after}"


def _fraction(microsecond: int, precision: int) -> str:
    digits = f"{microsecond:06}"
    kept = max(precision, len(digits.rstrip("0")))
    return f".{digits[:kept].ljust(kept, '0')}" if kept else ""
