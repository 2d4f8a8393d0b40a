"""Parts of times and intervals: EXTRACT and YEAR, MONTH and their kin.

Before 1970 Flink counts days and the clock from 1970 backwards, towards zero: 1965-03-10 10:20 has day 11 and hour -13. So does
this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    BIGINT,
    DATE,
    DataType,
    DateType,
    IntervalType,
    NullType,
    TimestampType,
    TimeType,
)
from fluxcore.expr.local_times import to_local
from fluxcore.expr.nodes import Literal
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rules import any_null, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from fluxcore.expr.nodes import Expr

    Int64s = NDArray[np.int64]
    Resolved = tuple[Sequence[Expr], DataType] | str

DAY_MS = 86_400_000
_CLOCK = {
    "HOUR": (DAY_MS, 3_600_000),
    "MINUTE": (3_600_000, 60_000),
    "SECOND": (60_000, 1000),
    "MILLISECOND": (1000, 1),
}
"""Units of the clock: what is taken of the time, and how long one is (ms)."""
_FINE = {"MICROSECOND": 1_000, "NANOSECOND": 1_000_000}
"""Units finer than a millisecond, and how many there are in one."""
_CALENDAR: dict[str, Callable[[pa.Array], pa.Array]] = {
    "YEAR": pc.year, "QUARTER": pc.quarter, "MONTH": pc.month, "WEEK": pc.iso_week, "DAY": pc.day, "DOY": pc.day_of_year,
    "DOW": lambda days: pc.add(pc.day_of_week(days, count_from_zero=True, week_start=7), 1),
    "ISODOW": lambda days: pc.day_of_week(days, count_from_zero=False, week_start=1), "ISOYEAR": pc.iso_year,
    "DECADE": lambda days: pc.divide(pc.year(days), 10),
    "CENTURY": lambda days: pc.divide(pc.add(pc.year(days), 99), 100),
    "MILLENNIUM": lambda days: pc.divide(pc.add(pc.year(days), 999), 1000),
}  # fmt: skip
_PARTS = (*_CALENDAR, *_CLOCK, *_FINE, "EPOCH")
_OF_INTERVAL = {False: ("DAY", *_CLOCK), True: ("YEAR", "QUARTER", "MONTH")}


@dataclass(frozen=True, slots=True)
class Moments:
    """Times as whole milliseconds since 1970 on the wall, what is left of each in nanoseconds, and which are NULL."""

    milliseconds: Int64s
    rest: Int64s
    nulls: NDArray[np.bool_]

    @property
    def days(self) -> Int64s:
        """Return the days, counted towards zero."""
        return towards_zero(self.milliseconds, DAY_MS)


def towards_zero(values: Int64s, by: int) -> Int64s:
    """Return quotients without their rests, as Java divides."""
    return np.where(values < 0, -(-values // by), values // by)


def moments(array: pa.Array, type_: DataType, inputs: Inputs) -> Moments:
    """Return times taken apart; instants as what the clocks of the session's zone show."""
    nulls = np.asarray(array.is_null())
    if isinstance(type_, TimestampType):
        local = to_local(array, inputs.settings.zone) if type_.local else array
        values = np.asarray(local.view(pa.int64()).fill_null(0))
        per_ms = type_.units_per_ms
        ms = values // per_ms
        return Moments(ms, (values - ms * per_ms) * (1_000_000 // per_ms), nulls)
    whole = np.asarray(array.cast(pa.int32()).fill_null(0)).astype(np.int64)
    ms = whole * DAY_MS if isinstance(type_, DateType) else whole
    return Moments(ms, np.zeros(len(ms), np.int64), nulls)


def _extract_rule(args: Sequence[Expr]) -> Resolved:
    unit = str(args[0].value).upper() if args and isinstance(args[0], Literal) else ""
    if len(args) != 2 or unit not in _units(args[1].type):
        return f"one of {', '.join(_PARTS)}, and a time or an interval that has it"
    value = to(args[1], DATE) if isinstance(args[1].type, NullType) else args[1]
    return [args[0], value], BIGINT.with_nullable(any_null(args))


def _units(type_: DataType) -> Sequence[str]:
    if isinstance(type_, IntervalType):
        return _OF_INTERVAL[type_.months]
    if isinstance(type_, TimeType):
        return (*_CLOCK, *_FINE)
    return _PARTS if isinstance(type_, TimestampType | DateType | NullType) else ()


def _extract(inputs: Inputs) -> pa.Array:
    return _part(inputs, 1, inputs.values[0].as_py().upper())


def _part(inputs: Inputs, index: int, unit: str) -> pa.Array:
    array, type_ = inputs.array(index), inputs.types[index]
    if isinstance(type_, IntervalType):
        values = np.asarray(array.cast(pa.int64()).fill_null(0))
        nulls = np.asarray(array.is_null())
        return _array(_months(values, unit) if type_.months else _clock(values, unit), nulls)
    time = moments(array, type_, inputs)
    if unit in _CALENDAR:
        days = pa.array(time.days.astype(np.int32), mask=time.nulls if time.nulls.any() else None).cast(pa.date32())
        return _CALENDAR[unit](days).cast(pa.int64())
    if unit == "EPOCH":
        return _array(towards_zero(time.milliseconds, 1000), time.nulls)
    if unit in _FINE:
        per_ms = _FINE[unit]
        return _array(
            _clock(time.milliseconds, "MILLISECOND") * per_ms + time.rest // (1_000_000 // per_ms), time.nulls
        )
    return _array(_clock(time.milliseconds, unit), time.nulls)


def _clock(milliseconds: Int64s, unit: str) -> Int64s:
    if unit == "DAY":
        return towards_zero(milliseconds, DAY_MS)
    whole, one = _CLOCK[unit]
    return towards_zero(milliseconds - towards_zero(milliseconds, whole) * whole, one)


def _months(months: Int64s, unit: str) -> Int64s:
    years = towards_zero(months, 12)
    rest = months - years * 12
    return years if unit == "YEAR" else rest if unit == "MONTH" else towards_zero(rest, 3) + 1


def _array(values: Int64s, nulls: NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, pa.int64(), mask=nulls if nulls.any() else None)


def _of(unit: str) -> Callable[[Inputs], pa.Array]:
    return lambda inputs: _part(inputs, 0, unit)


def _one_rule(unit: str) -> Callable[[Sequence[Expr]], Resolved]:
    def rule(args: Sequence[Expr]) -> Resolved:
        if len(args) != 1 or isinstance(args[0].type, NullType | IntervalType) or unit not in _units(args[0].type):
            return "one time"
        return args, BIGINT.with_nullable(args[0].type.nullable)

    return rule


_C = "Time"
register(Function("EXTRACT", _C, _extract_rule, _extract, "A part of a time or an interval: `EXTRACT(HOUR FROM ts)`.",
                  ("EXTRACT(MONTH FROM DATE '2024-03-05')", "3")))  # fmt: skip
for _name, _key in (("YEAR", "YEAR"), ("QUARTER", "QUARTER"), ("MONTH", "MONTH"), ("WEEK", "WEEK"), ("DAYOFYEAR", "DOY"),
                    ("DAYOFMONTH", "DAY"), ("DAYOFWEEK", "DOW"), ("HOUR", "HOUR"), ("MINUTE", "MINUTE"),
                    ("SECOND", "SECOND")):  # fmt: skip
    register(Function(_name, _C, _one_rule(_key), _of(_key), f"The {_name.lower()} of a time."))
