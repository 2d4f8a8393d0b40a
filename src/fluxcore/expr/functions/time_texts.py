"""Times as text and text as times: DATE_FORMAT, TO_TIMESTAMP, FROM_UNIXTIME, UNIX_TIMESTAMP, CONVERT_TZ and their kin."""

from __future__ import annotations

import datetime as dt
import re
from calendar import monthrange
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    BIGINT,
    DATE,
    STRING,
    DataType,
    DateType,
    FloatType,
    IntegerType,
    NullType,
    StringType,
    TimestampType,
    is_numeric,
)
from fluxcore.core.zones import zone_of
from fluxcore.errors import DataError, FluxError
from fluxcore.expr.functions.strings import each
from fluxcore.expr.functions.temporal import wall_clock
from fluxcore.expr.java_dates import formatter, parser, pieces_of
from fluxcore.expr.local_times import to_local
from fluxcore.expr.nodes import Cast, Expr, Literal
from fluxcore.expr.registry import Function, Inputs, register, spread
from fluxcore.expr.rules import any_null, to
from fluxcore.expr.texts import timestamp_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.zones import Zone

    Resolved = tuple[Sequence[Expr], DataType] | str

_USUAL = "yyyy-MM-dd HH:mm:ss"
_QUICK = {("y", 4): "%Y", ("M", 2): "%m", ("d", 2): "%d", ("H", 2): "%H", ("m", 2): "%M", ("s", 2): "%S"}
"""Fields that Arrow's strftime writes as Java does."""


def _text_args(args: Sequence[Expr], least: int, most: int) -> list[Expr] | None:
    """Return arguments that are texts, as STRING where they are NULL; None where they are none."""
    if not least <= len(args) <= most or not all(isinstance(arg.type, StringType | NullType) for arg in args):
        return None
    return [to(arg, STRING) if isinstance(arg.type, NullType) else arg for arg in args]


def _format_rule(args: Sequence[Expr]) -> Resolved:
    texts = _text_args(args[1:], 1, 1)
    if texts is None or not isinstance(args[0].type, TimestampType | DateType | StringType):
        return "a time and a pattern such as 'yyyy-MM-dd'"
    if isinstance(args[0].type, StringType):
        wanted = TimestampType(precision=3)
        return [Cast(arg=args[0], type=wanted, lenient=True, span=args[0].span), *texts], STRING
    return [args[0], *texts], STRING.with_nullable(any_null(args))


def _format(inputs: Inputs) -> pa.Array:
    times = wall_clock(inputs, 0).cast(pa.timestamp("us"), safe=False)
    pattern = inputs.values[1]
    if isinstance(pattern, pa.Scalar) and pattern.is_valid:
        return formatted(times, pattern.as_py())
    texts = inputs.array(1).to_pylist()
    pairs = zip(times.to_pylist(), texts, strict=True)
    done = [None if time is None or text is None else formatter(text)(time) for time, text in pairs]
    return pa.array(done, pa.string())


def formatted(times: pa.Array, pattern: str, *, simple: bool = False) -> pa.Array:
    """Return times (us, without a zone) by a pattern: plain ones with Arrow, others each distinct time once."""
    pieces = pieces_of(pattern)
    digits = 0
    if pieces and pieces[-1][0] == "S" and pieces[-1][1] <= 6 and len(pieces) > 1:
        digits = pieces[-1][1]
        pieces = pieces[:-1]
    if pieces and all(piece in _QUICK or (piece[0][0] == "'" and "%" not in piece[0]) for piece in pieces):
        text = _formatted(times, "".join(_QUICK.get(piece) or piece[0][1:] for piece in pieces))
        if not digits:
            return text
        fraction = pc.utf8_slice_codeunits(timestamp_text(times, 6), 20, 20 + digits)
        return pc.binary_join_element_wise(text, fraction, "")
    write = formatter(pattern, simple=simple)
    encoded = times.dictionary_encode()
    known = pa.array([write(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return known.take(encoded.indices)


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


_DAY = r"\s*(\d{4})-(\d{1,2})-(\d{1,2})"
_CLOCK = r"(?: (\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?)?\s*"
_PLAIN = re.compile(_DAY + _CLOCK, re.ASCII)


def _plain_time(text: str, day: str) -> dt.datetime | None:
    """Return text such as 2024-01-02 03:04:05.678, the clock if wanted; ``day`` says what one beyond its month's last is.

    It is the month's ``last``, one of the ``next`` month, or ``none``.
    """
    found = _PLAIN.fullmatch(text)
    if not found:
        return None
    year, month, number, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    micros = int((found[7] or "0").ljust(9, "0")[:6])
    try:
        last = monthrange(year, month)[1]
        over = max(number - last, 0) if number <= 31 else 0
        if over and day == "none":
            return None
        moment = dt.datetime(year, month, number - over, hour, minute, second, micros)
    except (ValueError, IndexError, OverflowError):
        return None
    return moment + dt.timedelta(days=over) if day == "next" else moment


def _parse_rule(result: DataType) -> Callable[[Sequence[Expr]], Resolved]:
    def rule(args: Sequence[Expr]) -> Resolved:
        texts = _text_args(args, 1, 2)
        return "a STRING and, if wanted, a pattern" if texts is None else (texts, result.with_nullable(True))

    return rule


def _to_timestamp(text: str, pattern: str | None = None) -> dt.datetime | None:
    if pattern is None:
        found = _plain_time(text, "last")
    else:
        parsed = parser(pattern)(text)
        found = parsed[0] if parsed else _plain_time(text, "next")
    return found and found.replace(microsecond=found.microsecond // 1000 * 1000)


def _to_date(text: str, pattern: str | None = None) -> dt.date | None:
    if pattern is None:
        found = _plain_time(text, "none")
        return found.date() if found else None
    parsed = parser(pattern, simple=True)(text)
    return parsed[0].date() if parsed else None


_FINEST = 9


def _instant_rule(args: Sequence[Expr]) -> Resolved:
    texts = _text_args(args, 1, 3)
    if texts is not None:
        return texts, TimestampType(precision=3, local=True)
    if not 1 <= len(args) <= 2 or not all(is_numeric(arg.type) or isinstance(arg.type, NullType) for arg in args):
        return "a number and its precision, 0 for seconds or 3 for milliseconds; or a text, its pattern and its zone"
    precision = 3
    if len(args) == 2 and isinstance(args[1], Literal) and isinstance(args[1].value, int):
        precision = args[1].value
        if not 0 <= precision <= _FINEST:
            return "a precision from 0 to 9"
    value = args[0] if isinstance(args[0].type, FloatType) else to(args[0], BIGINT)
    type_ = TimestampType(precision=max(3, precision), local=True)
    return [value, *(to(arg, BIGINT) for arg in args[1:])], type_


def _instant(inputs: Inputs) -> pa.Array:
    if isinstance(inputs.types[0], StringType):
        return _instant_of_text(inputs)
    result = inputs.result
    assert isinstance(result, TimestampType)
    finest = 9 if result.precision > 6 else 6
    precision = inputs.array(1) if len(inputs.values) == 2 else pa.repeat(pa.scalar(3, pa.int64()), inputs.rows)
    digits = np.asarray(precision.fill_null(0))
    if ((digits < 0) | (digits > _FINEST)).any():
        raise DataError("FX-RUN-0105", "the precision of TO_TIMESTAMP_LTZ is from 0 to 9")
    values = inputs.array(0)
    numbers = np.asarray(values.fill_null(0))
    with np.errstate(all="ignore"):
        if numbers.dtype.kind == "f":
            milliseconds = np.nan_to_num(np.trunc(numbers * 10.0 ** (3 - digits)))
            units = np.clip(milliseconds, -9223372036854.0, 9223372036854.0).astype(np.int64) * 10 ** (finest - 3)
        else:
            power = finest - digits
            units = np.where(power >= 0, numbers * 10 ** np.maximum(power, 0), numbers // 10 ** np.maximum(-power, 0))
            if result.precision == 3:
                units = units // 10 ** (finest - 3) * 10 ** (finest - 3)
    nulls = np.asarray(pc.or_(values.is_null(), precision.is_null()))
    return pa.array(units, mask=nulls if nulls.any() else None).cast(result.arrow())


def _instant_of_text(inputs: Inputs) -> pa.Array:
    def read(text: str, pattern: str | None = None, zone: str = "UTC") -> dt.datetime | None:
        found = _to_timestamp(text, pattern)
        if found is None and pattern is None:
            raise DataError("FX-RUN-0102", f"'{text}' is no TIMESTAMP_LTZ", hint="with a pattern NULL is given instead")
        return None if found is None else _at(found, _zone(zone, _utc()), later=False)

    return each(inputs, read, inputs.result.arrow())


def _utc() -> Zone:
    return zone_of("UTC")


_NAMES = {
    "PST": "America/Los_Angeles", "CST": "America/Chicago", "AST": "America/Anchorage", "JST": "Asia/Tokyo",
    "IST": "Asia/Kolkata", "ECT": "Europe/Paris", "CTT": "Asia/Shanghai", "AET": "Australia/Sydney",
    "BST": "Asia/Dhaka", "EST": "GMT-05:00", "MST": "GMT-07:00", "HST": "GMT-10:00",
}  # fmt: skip
"""Short names of zones that Java knows."""


def _zone(name: str, otherwise: Zone) -> Zone:
    """Return the zone of a name, ``otherwise`` where there is none of that name; an offset needs GMT in front."""
    if name[:1] in ("+", "-"):
        return otherwise
    try:
        return zone_of(_NAMES.get(name, name))
    except (FluxError, ValueError, KeyError, OSError):
        return otherwise


_EPOCH = dt.datetime(1970, 1, 1)
_AHEAD_MS = 4 * 3_600_000
"""Longer than clocks ever go back."""


def _milliseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(milliseconds=1)


def _instant_ms(local: int, zone: Zone, *, later: bool) -> int:
    """Return the instant (ms) at which a zone's clocks show a time; of two the earlier, or the ``later``."""
    first = int(zone.instants(np.array([local]))[0])
    if later:
        second = local - int(zone.offsets(np.array([first + _AHEAD_MS]))[0])
        if second > first and second + int(zone.offsets(np.array([second]))[0]) == local:
            return second
    return first


def _at(moment: dt.datetime, zone: Zone, *, later: bool) -> dt.datetime:
    ms = _instant_ms(_milliseconds(moment), zone, later=later)
    return (_EPOCH + dt.timedelta(milliseconds=ms)).replace(tzinfo=dt.UTC)


def _from_unix_rule(args: Sequence[Expr]) -> Resolved:
    if not 1 <= len(args) <= 2 or not isinstance(args[0].type, IntegerType) or _text_args(args[1:], 0, 1) is None:
        return "seconds since 1970 and, if wanted, a pattern"
    return [to(args[0], BIGINT), *(to(arg, STRING) for arg in args[1:])], STRING


_LAST_SECOND = 253_402_300_799
_FIRST_SECOND = -62_135_596_800


def _from_unix(inputs: Inputs) -> pa.Array:
    seconds = inputs.array(0)
    outside = pc.or_(pc.greater(seconds, _LAST_SECOND), pc.less(seconds, _FIRST_SECOND))
    if pc.any(outside).as_py():
        raise DataError("FX-RUN-0105", "FROM_UNIXTIME writes the years 1 to 9999")
    instants = seconds.cast(pa.timestamp("s", "UTC")).cast(pa.timestamp("ms", "UTC"), safe=False)
    times = to_local(instants, inputs.settings.zone).cast(pa.timestamp("us"))
    pattern = inputs.values[1] if len(inputs.values) == 2 else pa.scalar(_USUAL)
    if isinstance(pattern, pa.Scalar):
        return formatted(times, pattern.as_py(), simple=True) if pattern.is_valid else pa.nulls(len(times), pa.string())
    pairs = zip(times.to_pylist(), pattern.to_pylist(), strict=True)
    done = [None if None in (time, text) else formatter(text, simple=True)(time) for time, text in pairs]
    return pa.array(done, pa.string())


def _unix_rule(args: Sequence[Expr]) -> Resolved:
    texts = _text_args(args, 0, 2)
    return "a STRING and, if wanted, a pattern" if texts is None else (texts, BIGINT.with_nullable(any_null(args)))


_NO_SECOND = -(2**63)
"""What UNIX_TIMESTAMP gives of a text that is no time."""


def _unix(inputs: Inputs) -> Any:
    if not inputs.values:
        return spread(pa.scalar(int(dt.datetime.now(dt.UTC).timestamp()), pa.int64()), inputs.rows)
    zone = inputs.settings.zone

    def seconds(text: str, pattern: str = _USUAL) -> int:
        parsed = parser(pattern, simple=True)(text) if text else None
        if parsed is None:
            return _NO_SECOND
        moment, offset = parsed
        local = _milliseconds(moment)
        ms = _instant_ms(local, zone, later=True) if offset is None else local - offset * 1000
        return ms // 1000 if ms >= 0 else -(-ms // 1000)

    return each(inputs, seconds, pa.int64())


def _convert_rule(args: Sequence[Expr]) -> Resolved:
    texts = _text_args(args, 3, 3)
    return "a time as text and two zones" if texts is None else (texts, STRING)


def _convert(inputs: Inputs) -> pa.Array:
    def convert(text: str, source: str, target: str) -> str | None:
        parsed = parser(_USUAL, simple=True)(text)
        if parsed is None:
            return None
        instant = _instant_ms(_milliseconds(parsed[0]), _zone(source, _utc()), later=True)
        shown = int(_zone(target, _utc()).local(np.array([instant]))[0])
        return formatter(_USUAL)(_EPOCH + dt.timedelta(milliseconds=shown))

    return each(inputs, convert, pa.string())


_C = "Time"
register(Function("DATE_FORMAT", _C, _format_rule, _format, "A time as text by a Java pattern.",
                  ("DATE_FORMAT(TIMESTAMP '2024-03-05 06:07:08', 'yyyy/MM/dd HH')", "2024/03/05 06"), total=False))  # fmt: skip
register(Function("TO_TIMESTAMP", _C, _parse_rule(TimestampType(precision=3)),
                  lambda inputs: each(inputs, _to_timestamp, inputs.result.arrow()),
                  "Text as a TIMESTAMP, NULL if it is none.", total=False))  # fmt: skip
register(Function("TO_DATE", _C, _parse_rule(DATE), lambda inputs: each(inputs, _to_date, inputs.result.arrow()),
                  "Text as a DATE, NULL if it is none.", ("TO_DATE('3/5/24', 'M/d/yy')", "2024-03-05"), total=False))  # fmt: skip
register(Function("TO_TIMESTAMP_LTZ", _C, _instant_rule, _instant,
                  "Seconds (precision 0), milliseconds (3) and so on as an instant; or text, in UTC or a zone.",
                  total=False))  # fmt: skip
register(Function("FROM_UNIXTIME", _C, _from_unix_rule, _from_unix,
                  "Seconds since 1970 as text in the session's zone.", total=False))  # fmt: skip
register(Function("UNIX_TIMESTAMP", _C, _unix_rule, _unix,
                  "Seconds since 1970: of now, or of a text in the session's zone.", pure=False, total=False))  # fmt: skip
register(Function("CONVERT_TZ", _C, _convert_rule, _convert, "A time as text in another zone.",
                  ("CONVERT_TZ('1970-01-01 00:00:00', 'UTC', 'America/Los_Angeles')", "1969-12-31 16:00:00"), total=False))  # fmt: skip
