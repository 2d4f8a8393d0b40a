"""Dates and times. TIMESTAMP_LTZ values are taken apart in the session's zone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    INT,
    DataType,
    DateType,
    DecimalType,
    IntegerType,
    IntervalType,
    StringType,
    TimestampType,
    TimeType,
)
from fluxcore.expr.coercion import common_type
from fluxcore.expr.functions.arithmetic import add_months, with_room
from fluxcore.expr.functions.time_parts import DAY_MS, moments, towards_zero
from fluxcore.expr.local_times import moved_back, offsets_at, to_local
from fluxcore.expr.nodes import Call, Literal
from fluxcore.expr.registry import REGISTRY, Function, Inputs, register, spread
from fluxcore.expr.rules import any_null, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str

_TIMES = (TimestampType, DateType)
_UNIT_MS = {"SECOND": 1000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000, "WEEK": 604_800_000}
_UNIT_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_YEARS = {"DECADE": (10, 0), "CENTURY": (100, 1), "MILLENNIUM": (1000, 1)}
"""Units of several years: how many, and the year from which they count."""
_BY_CALENDAR = frozenset(_UNIT_MONTHS) | frozenset(_YEARS)
_OF_CLOCK = frozenset({"MILLISECOND", "SECOND", "MINUTE", "HOUR"})
_ROUNDED = frozenset(_UNIT_MS) | _BY_CALENDAR | _OF_CLOCK


def wall_clock(inputs: Inputs, index: int) -> pa.Array:
    """Return a time argument as timestamps without a zone: in the session's zone for instants."""
    array, type_ = inputs.array(index), inputs.types[index]
    if isinstance(type_, TimestampType) and type_.local:
        return to_local(array, inputs.settings.zone)
    if isinstance(type_, DateType):
        return array.cast(pa.timestamp("ms"))
    if isinstance(type_, TimeType):
        return array.cast(pa.int32()).cast(pa.int64()).cast(pa.timestamp("ms"))
    return array


def _unit(expr: Expr) -> str:
    return str(expr.value).upper() if isinstance(expr, Literal) else ""


def _add_rule(args: Sequence[Expr]) -> Resolved:
    units = _UNIT_MS | _UNIT_MONTHS
    if len(args) != 3 or _unit(args[0]) not in units or not isinstance(args[2].type, (*_TIMES, TimeType)):
        return f"one of {', '.join(units)}, a number and a time"
    type_ = args[2].type
    if isinstance(type_, TimeType) and _unit(args[0]) not in ("SECOND", "MINUTE", "HOUR"):
        return "a unit of the clock for a TIME"
    if isinstance(type_, DateType) and _unit(args[0]) in ("SECOND", "MINUTE", "HOUR"):
        type_ = TimestampType(precision=6)
    return [args[0], to(args[1], BIGINT), to(args[2], type_)], type_.with_nullable(any_null(args))


def _add(inputs: Inputs) -> pa.Array:
    unit, amount, times = inputs.values[0].as_py().upper(), inputs.array(1), inputs.array(2)
    if unit in _UNIT_MONTHS:
        return add_months(times, pc.multiply(amount, _UNIT_MONTHS[unit]), 1)
    if pa.types.is_date(times.type):
        return (
            pc.add(times.cast(pa.int32()).cast(pa.int64()), pc.multiply(amount, _UNIT_MS[unit] // 86_400_000))
            .cast(pa.int32())
            .cast(pa.date32())
        )
    type_ = inputs.types[2]
    if isinstance(type_, TimeType):
        moved = pc.add(times.cast(pa.int32()).cast(pa.int64()), pc.multiply(amount, _UNIT_MS[unit]))
        clock = (np.asarray(moved.fill_null(0)) % DAY_MS).astype(np.int32)
        return pa.array(clock, mask=np.asarray(moved.is_null())).cast(pa.time32("ms"))
    assert isinstance(type_, TimestampType)
    return pc.add(times.cast(pa.int64()), pc.multiply(amount, _UNIT_MS[unit] * type_.units_per_ms)).cast(times.type)


def _diff_rule(args: Sequence[Expr]) -> Resolved:
    units = _UNIT_MS | _UNIT_MONTHS
    if len(args) != 3 or _unit(args[0]) not in units or not all(isinstance(arg.type, _TIMES) for arg in args[1:]):
        return f"one of {', '.join(units)}, and two times"
    return args, INT.with_nullable(any_null(args))


def _diff(inputs: Inputs) -> pa.Array:
    unit = inputs.values[0].as_py().upper()
    first, last = (np.asarray(each.fill_null(0)).astype("datetime64[ms]") for each in _times_apart(inputs))
    if unit in _UNIT_MS:
        found = towards_zero((last - first).astype(np.int64), _UNIT_MS[unit])
    else:
        months = (last.astype("datetime64[M]") - first.astype("datetime64[M]")).astype(np.int64)
        rest_first, rest_last = first - first.astype("datetime64[M]"), last - last.astype("datetime64[M]")
        months = months - ((months > 0) & (rest_last < rest_first)) + ((months < 0) & (rest_last > rest_first))
        found = towards_zero(months, _UNIT_MONTHS[unit])
    nulls = np.asarray(pc.or_(inputs.array(1).is_null(), inputs.array(2).is_null()))
    return pa.array(found.astype(np.int32), mask=nulls if nulls.any() else None)


def _times_apart(inputs: Inputs) -> list[pa.Array]:
    """Return the two times of a difference in ms: two instants as they are, else what the clock shows."""
    if all(isinstance(type_, TimestampType) and type_.local for type_ in inputs.types[1:]):
        found = [inputs.array(index).view(pa.timestamp(inputs.array(index).type.unit)) for index in (1, 2)]
    else:
        found = [wall_clock(inputs, 1), wall_clock(inputs, 2)]
    return [each.cast(pa.timestamp("ms"), safe=False) for each in found]


def _round_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) == 2 and isinstance(args[0].type, (*_TIMES, TimeType)) and _unit(args[1]) in _ROUNDED:
        return args, args[0].type
    if len(args) == 1 and not isinstance(args[0].type, (StringType, *_TIMES, TimeType)):
        type_ = args[0].type
        if isinstance(type_, DecimalType):
            type_ = DecimalType(precision=type_.precision, scale=0, nullable=type_.nullable)
        return args, type_
    return "a number, or a time TO a unit"


def _rounded(compute: Callable[..., pa.Array], plain: Callable[[pa.Array], pa.Array]) -> Callable[[Inputs], pa.Array]:
    def kernel(inputs: Inputs) -> pa.Array:
        if len(inputs.values) == 1:
            array, type_ = inputs.array(0), inputs.types[0]
            if isinstance(type_, DecimalType):
                return plain(with_room(array, type_)).cast(inputs.result.arrow())
            whole = isinstance(inputs.types[0], IntegerType | IntervalType)
            return array if whole else plain(array).cast(inputs.result.arrow(), safe=False)
        unit, upwards = inputs.values[1].as_py().lower(), compute is pc.ceil_temporal
        times = wall_clock(inputs, 0)
        if isinstance(inputs.types[0], TimeType) and unit.upper() not in _OF_CLOCK:
            return inputs.array(0)
        done = (
            _by_calendar(inputs, unit.upper(), upwards=upwards, wanted=times.type)
            if unit.upper() in _BY_CALENDAR
            else _by_length(times, compute, unit, upwards=upwards)
        )
        zone, type_ = inputs.settings.zone, inputs.types[0]
        if isinstance(type_, TimestampType) and type_.local and not zone.is_utc:  # with the offset of the time itself
            done = moved_back(done, offsets_at(inputs.array(0), zone))
        return done.cast(inputs.result.arrow())

    return kernel


def _by_length(times: pa.Array, compute: Callable[..., pa.Array], unit: str, *, upwards: bool) -> pa.Array:
    """Return times rounded to a unit of a fixed length."""
    extra = {"week_starts_monday": False} if unit == "week" else {}
    done = compute(times, unit=unit, **extra)
    if upwards:  # Arrow's goes to the next one from the first moment of one
        whole = pc.floor_temporal(times, unit=unit, **extra)
        done = pc.if_else(pc.equal(whole, times), times, done)
    return done


def _by_calendar(inputs: Inputs, unit: str, *, upwards: bool, wanted: pa.DataType) -> pa.Array:
    """Return days, whatever their clock shows, rounded to a unit of months or years; decades and longer ones go on for ever."""
    time = moments(inputs.array(0), inputs.types[0], inputs)
    days = time.days.astype("datetime64[D]")
    months = days.astype("datetime64[M]").astype(np.int64)
    years = months // 12 + 1970
    if unit in _UNIT_MONTHS:
        size = _UNIT_MONTHS[unit]
        first = months // size * size
        if upwards:
            first = np.where(first.astype("datetime64[M]").astype("datetime64[D]") == days, first, first + size)
    else:
        size, offset = _YEARS[unit]
        year = (years - offset) // size * size + offset
        if upwards:
            year = year + size if not offset else (years + size - 1) // size * size + 1
        first = (year - 1970) * 12
    moved = first.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) * DAY_MS
    return pa.array(moved, mask=time.nulls if time.nulls.any() else None).cast(pa.timestamp("ms")).cast(wanted)


def _overlaps_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 4:
        return "two pairs of times, or of a time and an interval"
    times: list[Expr] = []
    for start, end in (args[:2], args[2:]):
        if isinstance(end.type, IntervalType):
            found = REGISTRY["+"].rule([start, end])
            if isinstance(found, str):
                return found
            if isinstance(found, tuple):
                end = Call(function="+", args=tuple(found[0]), type=found[1], span=end.span)
            else:
                end = found
        times += [start, end]
    common = common_type([time.type for time in times])
    if not isinstance(common, (*_TIMES, TimeType)):
        return "times that can be compared"
    return [to(time, common) for time in times], BOOLEAN.with_nullable(any_null(times))


def _overlaps(inputs: Inputs) -> pa.Array:
    first, last, other_first, other_last = (inputs.array(index) for index in range(4))
    starts = [pc.min_element_wise(*pair, skip_nulls=False) for pair in ((first, last), (other_first, other_last))]
    ends = [pc.max_element_wise(*pair, skip_nulls=False) for pair in ((first, last), (other_first, other_last))]
    return pc.and_(pc.greater_equal(ends[0], starts[1]), pc.greater_equal(ends[1], starts[0]))


def _nothing(result: DataType) -> Callable[[Sequence[Expr]], Resolved]:
    return lambda args: (args, result) if not args else "no arguments"


def _now(inputs: Inputs) -> pa.Array:
    now = dt.datetime.now(dt.UTC)
    moment = now.replace(microsecond=now.microsecond // 1000 * 1000)
    if isinstance(inputs.result, TimestampType) and inputs.result.local:
        value: Any = moment
    else:
        local = to_local(pa.array([moment], pa.timestamp("us", "UTC")), inputs.settings.zone)[0].as_py()
        value = local.date() if isinstance(inputs.result, DateType) else local
        value = local.time().replace(microsecond=0) if isinstance(inputs.result, TimeType) else value
    return spread(pa.scalar(value, inputs.result.arrow()), inputs.rows)


def _watermark_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, TimestampType):
        return "an event-time column"
    return args, TimestampType(precision=3, local=args[0].type.local)


def _watermark(inputs: Inputs) -> pa.Array:  # noqa: ARG001
    raise AssertionError("the plan reads the watermark from a column")


_C = "Time"
register(Function("CURRENT_WATERMARK", _C, _watermark_rule, _watermark,
                  "The watermark that the row meets, of an event-time column; NULL before the first one.", pure=False))  # fmt: skip
register(
    Function("OVERLAPS", _C, _overlaps_rule, _overlaps, "Whether two spans of time overlap: `(a, b) OVERLAPS (c, d)`.")
)
register(Function("TIMESTAMPADD", _C, _add_rule, _add, "A time moved by so many units."))
register(Function("TIMESTAMPDIFF", _C, _diff_rule, _diff, "Whole units from one time to another."))
register(Function("FLOOR", _C, _round_rule, _rounded(pc.floor_temporal, pc.floor),
                  "The number, or the time TO a unit, rounded down.", ("FLOOR(1.7)", "1")))  # fmt: skip
register(Function("CEIL", _C, _round_rule, _rounded(pc.ceil_temporal, pc.ceil),
                  "The number, or the time TO a unit, rounded up.", ("CEIL(1.2)", "2")), "CEILING")  # fmt: skip
for _name, _type in (("CURRENT_TIMESTAMP", TimestampType(precision=3, local=True, nullable=False)),
                     ("LOCALTIMESTAMP", TimestampType(precision=3, nullable=False)),
                     ("CURRENT_TIME", TimeType(precision=0, nullable=False)),
                     ("CURRENT_DATE", DATE.with_nullable(False))):  # fmt: skip
    _also = {"CURRENT_TIMESTAMP": ("NOW", "CURRENT_ROW_TIMESTAMP"), "CURRENT_TIME": ("LOCALTIME",)}.get(_name, ())
    register(Function(_name, _C, _nothing(_type), _now, "The time of the clock.", pure=False), *_also)
register(Function("PROCTIME", _C, _nothing(TimestampType(precision=3, local=True, nullable=False)), _now,
                  "The processing time: a time attribute.", pure=False))  # fmt: skip
