"""Dates and times. TIMESTAMP_LTZ values are taken apart in the session's zone."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    BIGINT,
    DATE,
    INT,
    STRING,
    DataType,
    DateType,
    DecimalType,
    IntegerType,
    IntervalType,
    NullType,
    StringType,
    TimestampType,
    TimeType,
)
from fluxcore.errors import DataError
from fluxcore.expr.functions.arithmetic import add_months, with_room
from fluxcore.expr.functions.strings import each
from fluxcore.expr.local_times import moved_back, offsets_at, to_local
from fluxcore.expr.nodes import Literal
from fluxcore.expr.registry import Function, Inputs, register, spread
from fluxcore.expr.rules import any_null, to
from fluxcore.expr.texts import timestamp_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str

_TIMES = (TimestampType, DateType)
_PARTS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "YEAR": pc.year,
    "QUARTER": pc.quarter,
    "MONTH": pc.month,
    "WEEK": pc.iso_week,
    "DAY": pc.day,
    "DOY": pc.day_of_year,
    "DOW": lambda array: pc.add(pc.day_of_week(array, count_from_zero=True, week_start=7), 1),
    "HOUR": pc.hour,
    "MINUTE": pc.minute,
    "SECOND": pc.second,
    "EPOCH": lambda array: array.cast(pa.timestamp("s"), safe=False).cast(pa.int64()),
    "MILLISECOND": pc.millisecond,
    "MICROSECOND": lambda array: pc.add(pc.multiply(pc.millisecond(array), 1000), pc.microsecond(array)),
    "DECADE": lambda array: pc.divide(pc.year(array), 10),
    "CENTURY": lambda array: pc.divide(pc.add(pc.year(array), 99), 100),
    "MILLENNIUM": lambda array: pc.divide(pc.add(pc.year(array), 999), 1000),
    "ISOYEAR": pc.iso_year,
    "ISODOW": lambda array: pc.day_of_week(array, count_from_zero=False, week_start=1),
}
_UNIT_MS = {"SECOND": 1000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000, "WEEK": 604_800_000}
_UNIT_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}


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


def _extract_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 2 or _unit(args[0]) not in _PARTS or not isinstance(args[1].type, (*_TIMES, TimeType, NullType)):
        return f"one of {', '.join(_PARTS)}, and a time"
    return [args[0], to(args[1], DATE) if isinstance(args[1].type, NullType) else args[1]], BIGINT.with_nullable(
        any_null(args)
    )


def _extract(inputs: Inputs) -> pa.Array:
    return _PARTS[inputs.values[0].as_py().upper()](wall_clock(inputs, 1)).cast(pa.int64())


def _part(unit: str) -> Callable[[Inputs], pa.Array]:
    return lambda inputs: _PARTS[unit](wall_clock(inputs, 0)).cast(pa.int64())


def _time_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, (*_TIMES, TimeType)):
        return "one time"
    return args, BIGINT.with_nullable(args[0].type.nullable)


def _add_rule(args: Sequence[Expr]) -> Resolved:
    units = _UNIT_MS | _UNIT_MONTHS
    if len(args) != 3 or _unit(args[0]) not in units or not isinstance(args[2].type, _TIMES):
        return f"one of {', '.join(units)}, a number and a time"
    type_ = args[2].type
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
        found = np.trunc((last - first).astype(np.int64) / _UNIT_MS[unit])
    else:
        months = (last.astype("datetime64[M]") - first.astype("datetime64[M]")).astype(np.int64)
        rest_first, rest_last = first - first.astype("datetime64[M]"), last - last.astype("datetime64[M]")
        months = months - ((months > 0) & (rest_last < rest_first)) + ((months < 0) & (rest_last > rest_first))
        found = np.trunc(months / _UNIT_MONTHS[unit])
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
    units = _UNIT_MS | _UNIT_MONTHS
    if len(args) == 2 and isinstance(args[0].type, (*_TIMES, TimeType)) and _unit(args[1]) in units:
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
        unit = inputs.values[1].as_py().lower()
        extra = {"week_starts_monday": False} if unit == "week" else {}
        times = wall_clock(inputs, 0)
        done = compute(times, unit=unit, **extra)
        if compute is pc.ceil_temporal:  # Arrow's goes to the next year from the first moment of one
            whole = pc.floor_temporal(times, unit=unit, **extra)
            done = pc.if_else(pc.equal(whole, times), times, done)
        zone, type_ = inputs.settings.zone, inputs.types[0]
        if isinstance(type_, TimestampType) and type_.local and not zone.is_utc:  # with the offset of the time itself
            done = moved_back(done, offsets_at(inputs.array(0), zone))
        return done.cast(inputs.result.arrow())

    return kernel


_JAVA = [("yyyy", "%Y"), ("yy", "%y"), ("MMMM", "%B"), ("MMM", "%b"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("hh", "%I"),
         ("mm", "%M"), ("ss", "%S"), ("EEEE", "%A"), ("EEE", "%a"), ("a", "%p"), ("DDD", "%j")]  # fmt: skip


def java_pattern(pattern: str) -> tuple[str, int]:
    """Return strftime's form of a Java date pattern, and how many digits of a fraction stand behind it."""
    digits = len(pattern) - len(pattern.rstrip("S"))
    rest, done = pattern[: len(pattern) - digits], ""
    while rest:
        for java, posix in _JAVA:
            if rest.startswith(java):
                done, rest = done + posix, rest[len(java) :]
                break
        else:
            if rest[0] == "'":
                end = rest.find("'", 1)
                done, rest = done + (rest[1:end] or "'"), rest[end + 1 :]
            elif rest[0].isalpha():
                raise DataError("FX-RUN-0105", f"the date pattern '{pattern}' uses '{rest[0]}', which is not supported")
            else:
                done, rest = done + rest[0].replace("%", "%%"), rest[1:]
    return done, digits


def _format_rule(args: Sequence[Expr]) -> Resolved:
    if (
        len(args) != 2
        or not isinstance(args[1].type, StringType)
        or not isinstance(args[0].type, (*_TIMES, StringType))
    ):
        return "a time and a pattern such as 'yyyy-MM-dd'"
    value = to(args[0], TimestampType(precision=3)) if isinstance(args[0].type, StringType) else args[0]
    return [value, args[1]], STRING.with_nullable(any_null(args))


def _formatted_one(value: dt.datetime, pattern: str) -> str:
    form, digits = java_pattern(pattern)
    return value.strftime(form) + f"{value.microsecond:06}"[:digits]


def _format(inputs: Inputs) -> pa.Array:
    pattern = inputs.values[1]
    if not isinstance(pattern, pa.Scalar):
        inputs = replace(inputs, values=[wall_clock(inputs, 0), pattern])
        return each(inputs, _formatted_one, pa.string())
    form, digits = java_pattern(pattern.as_py())
    times = wall_clock(inputs, 0).cast(pa.timestamp("us"), safe=False)
    text = _formatted(times, form)
    if not digits:
        return text
    fraction = pc.utf8_slice_codeunits(timestamp_text(times, 6), 20, 20 + digits)
    return pc.binary_join_element_wise(text, fraction, "")


_FINEST_S = (("%S", 1), ("%M", 60), ("%H", 3600), ("%I", 3600), ("%p", 3600), ("", 86_400))
_FEW = 8
"""Times of which at least so many share a text have that text made once."""


def _formatted(times: pa.Array, form: str) -> pa.Array:
    """Return times as text; what the form does not tell apart is formatted once."""
    unit = next(seconds for mark, seconds in _FINEST_S if mark in form)
    steps = np.asarray(times.fill_null(0).view(pa.int64())) // (unit * 1_000_000)
    mask = times.is_null().to_numpy(zero_copy_only=False) if times.null_count else None
    first = np.ones(len(steps), np.bool_)
    np.not_equal(steps[1:], steps[:-1], out=first[1:])
    runs = np.cumsum(first) - 1
    starts = steps[first]
    if len(starts) * _FEW > len(steps):
        starts, places = np.unique(steps, return_inverse=True)
        runs = places.reshape(-1)
        if len(starts) * 2 > len(steps):
            return pc.strftime(pa.array(steps * unit, mask=mask).cast(pa.timestamp("s")), form)
    texts = pc.strftime(pa.array(starts * unit).cast(pa.timestamp("s")), form)
    return texts.take(pa.array(runs, mask=mask))


def _parse_rule(result: DataType) -> Callable[[Sequence[Expr]], Resolved]:
    def rule(args: Sequence[Expr]) -> Resolved:
        if not 1 <= len(args) <= 2 or not all(isinstance(arg.type, StringType | NullType) for arg in args):
            return "a STRING and, if wanted, a pattern"
        return [to(arg, STRING) if isinstance(arg.type, NullType) else arg for arg in args], result.with_nullable(True)

    return rule


_DAY_LETTERS = len("2024-01-02")


def _parse(inputs: Inputs) -> pa.Array:
    """Return text as times; text that does not fit gives NULL."""
    default = "yyyy-MM-dd" if isinstance(inputs.result, DateType) else "yyyy-MM-dd HH:mm:ss"

    def read(text: str, pattern: str = default) -> Any:
        form, digits = java_pattern(pattern)
        if digits:
            form += "%f"
        elif pattern == default and "." in text:
            form += ".%f"
        elif pattern == default and len(text) == _DAY_LETTERS:
            form = "%Y-%m-%d"
        try:
            found = dt.datetime.strptime(text, form)
        except ValueError:
            return None
        return found.date() if isinstance(inputs.result, DateType) else found

    return each(inputs, read, inputs.result.arrow())


def _instant_rule(args: Sequence[Expr]) -> Resolved:
    if not 1 <= len(args) <= 2 or not all(isinstance(arg.type, IntegerType) for arg in args):
        return "a number and its precision, 0 for seconds or 3 for milliseconds"
    return [to(arg, BIGINT) for arg in args], TimestampType(precision=3, local=True, nullable=any_null(args))


def _instant(inputs: Inputs) -> pa.Array:
    precision = inputs.values[1].as_py() if len(inputs.values) == 2 else 3
    factor = 1_000_000 if precision == 0 else 1000
    return pc.multiply(inputs.array(0), factor).cast(pa.timestamp("us", "UTC"))


def _from_unix_rule(args: Sequence[Expr]) -> Resolved:
    if not 1 <= len(args) <= 2 or not isinstance(args[0].type, IntegerType):
        return "seconds since 1970 and, if wanted, a pattern"
    return [to(args[0], BIGINT), *args[1:]], STRING.with_nullable(any_null(args))


def _from_unix(inputs: Inputs) -> pa.Array:
    instants = inputs.array(0).cast(pa.timestamp("s", "UTC")).cast(pa.timestamp("ms", "UTC"), safe=False)
    times = to_local(instants, inputs.settings.zone).cast(pa.timestamp("s"))
    pattern = inputs.values[1].as_py() if len(inputs.values) == 2 else "yyyy-MM-dd HH:mm:ss"
    form, digits = java_pattern(pattern)
    return pc.strftime(times, form + "0" * digits)


def _nothing(result: DataType) -> Callable[[Sequence[Expr]], Resolved]:
    return lambda args: (args, result) if not args else "no arguments"


def _now(inputs: Inputs) -> pa.Array:
    moment = dt.datetime.now(dt.UTC)
    if isinstance(inputs.result, TimestampType) and inputs.result.local:
        value: Any = moment
    else:
        local = to_local(pa.array([moment], pa.timestamp("us", "UTC")), inputs.settings.zone)[0].as_py()
        value = local.date() if isinstance(inputs.result, DateType) else local
    return spread(pa.scalar(value, inputs.result.arrow()), inputs.rows)


_C = "Time"
register(Function("EXTRACT", _C, _extract_rule, _extract, "A part of a time: `EXTRACT(HOUR FROM ts)`.",
                  ("EXTRACT(MONTH FROM DATE '2024-03-05')", "3")))  # fmt: skip
for _name, _key in (("YEAR", "YEAR"), ("QUARTER", "QUARTER"), ("MONTH", "MONTH"), ("WEEK", "WEEK"), ("DAYOFYEAR", "DOY"),
                    ("DAYOFMONTH", "DAY"), ("DAYOFWEEK", "DOW"), ("HOUR", "HOUR"), ("MINUTE", "MINUTE"),
                    ("SECOND", "SECOND")):  # fmt: skip
    register(Function(_name, _C, _time_rule, _part(_key), f"The {_name.lower()} of a time."))
register(Function("TIMESTAMPADD", _C, _add_rule, _add, "A time moved by so many units."))
register(Function("TIMESTAMPDIFF", _C, _diff_rule, _diff, "Whole units from one time to another."))
register(Function("FLOOR", _C, _round_rule, _rounded(pc.floor_temporal, pc.floor),
                  "The number, or the time TO a unit, rounded down.", ("FLOOR(1.7)", "1")))  # fmt: skip
register(Function("CEIL", _C, _round_rule, _rounded(pc.ceil_temporal, pc.ceil),
                  "The number, or the time TO a unit, rounded up.", ("CEIL(1.2)", "2")), "CEILING")  # fmt: skip
register(Function("DATE_FORMAT", _C, _format_rule, _format, "A time as text by a Java pattern.",
                  ("DATE_FORMAT(TIMESTAMP '2024-03-05 06:07:08', 'yyyy/MM/dd HH')", "2024/03/05 06"), total=False))  # fmt: skip
register(
    Function(
        "TO_TIMESTAMP", _C, _parse_rule(TimestampType(precision=3)), _parse, "Text as a TIMESTAMP, NULL if it is none."
    )
)
register(Function("TO_DATE", _C, _parse_rule(DATE), _parse, "Text as a DATE, NULL if it is none."))
register(
    Function(
        "TO_TIMESTAMP_LTZ", _C, _instant_rule, _instant, "Seconds (precision 0) or milliseconds (3) as an instant."
    )
)
register(
    Function("FROM_UNIXTIME", _C, _from_unix_rule, _from_unix, "Seconds since 1970 as text in the session's zone.")
)
for _name, _type in (("CURRENT_TIMESTAMP", TimestampType(precision=3, local=True, nullable=False)),
                     ("LOCALTIMESTAMP", TimestampType(precision=3, nullable=False)),
                     ("CURRENT_DATE", DATE.with_nullable(False))):  # fmt: skip
    _also = ("NOW", "CURRENT_ROW_TIMESTAMP") if _name == "CURRENT_TIMESTAMP" else ()
    register(Function(_name, _C, _nothing(_type), _now, "The time of the clock.", pure=False), *_also)
register(Function("PROCTIME", _C, _nothing(TimestampType(precision=3, local=True, nullable=False)), _now,
                  "The processing time: a time attribute.", pure=False))  # fmt: skip
