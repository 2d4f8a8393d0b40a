"""Values that text tells: what Flink's CAST from text takes and what it does not."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    TimestampType,
    TimeType,
)
from fluxcore.errors import DataError
from fluxcore.expr.local_times import to_instants
from fluxcore.expr.rowwise import mapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.settings import Settings

_TRUE = {"true", "t", "yes", "y", "1"}
_FALSE = {"false", "f", "no", "n", "0"}
_WHOLE = re.compile(r"([+-]?)(?:(\d+)(?:\.\d*)?|\.\d+)", re.ASCII)
_REAL = re.compile(r"[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[dDfF]?)", re.ASCII)
_EXACT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DAY = re.compile(r"(\d{1,4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?: .*)?", re.ASCII | re.DOTALL)
_MOMENT = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?: (\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{0,9}))?)?", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?)?", re.ASCII)
_BLANKS = "".join(map(chr, range(33)))
"""What Java's ``trim`` takes off the ends of text."""
_EPOCH = dt.datetime(1970, 1, 1)


def from_text(array: pa.Array, target: DataType, *, lenient: bool, settings: Settings) -> pa.Array:
    """Return the values that text tells. Raises ``DataError`` FX-RUN-0102, where it is not ``lenient``, for what is none."""
    wanted = target.arrow()
    if isinstance(target, IntegerType) and not lenient:
        try:
            return pc.utf8_trim(array, characters=" ").cast(wanted) if not _hexadecimal(array) else _each(array, target)
        except pa.ArrowInvalid:
            return _each(array, target)
    found = _each(array, target, lenient=lenient)
    return to_instants(found, settings.zone) if isinstance(target, TimestampType) and target.local else found


def _hexadecimal(array: pa.Array) -> bool:
    """Return whether some text may be a number only to Arrow."""
    return bool(pc.any(pc.match_substring(array, "x", ignore_case=True), min_count=0).as_py())


def _each(array: pa.Array, target: DataType, *, lenient: bool = False) -> pa.Array:
    parse = _parser(target)

    def one(text: str) -> Any:
        try:
            return parse(text)
        except (ValueError, InvalidOperation, OverflowError) as error:
            if lenient:
                return None
            message = f"'{text}' is no {target.name()}"
            raise DataError("FX-RUN-0102", message, hint="TRY_CAST gives NULL instead") from error

    if isinstance(target, TimestampType):
        unit = target.arrow().unit
        return mapped(array, one, pa.int64()).cast(pa.timestamp(unit))
    return mapped(array, one, target.arrow())


def _parser(target: DataType) -> Callable[[str], Any]:
    match target:
        case IntegerType(bits=bits):
            return lambda text: _integer(text.strip(" "), bits)
        case FloatType():
            return lambda text: _float(text.strip(_BLANKS))
        case DecimalType():
            return lambda text: _decimal(text.strip(_BLANKS), target)
        case BooleanType():
            return _boolean
        case DateType():
            return lambda text: _date(text.strip(_BLANKS))
        case TimeType(precision=precision):
            return lambda text: _time_of_day(text.strip(_BLANKS), precision)
    assert isinstance(target, TimestampType), target
    return lambda text: _timestamp(text, target)


def _integer(text: str, bits: int) -> int:
    found = _WHOLE.fullmatch(text)
    number = int(f"{found[1]}{found[2] or 0}") if found else 1 << bits
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise ValueError(text)
    return number


def _float(text: str) -> float:
    if not _REAL.fullmatch(text):
        raise ValueError(text)
    return float(text.rstrip("dDfF") if not text.endswith("Infinity") else text)


def _decimal(text: str, target: DecimalType) -> Decimal | None:
    if not _EXACT.fullmatch(text):
        raise ValueError(text)
    return rounded(Decimal(text), target)


def rounded(value: Decimal, target: DecimalType) -> Decimal | None:
    """Return a number rounded half up to a decimal type, NULL where its whole part doesn't fit."""
    if value and value.adjusted() >= target.precision - target.scale:
        return None
    with localcontext() as context:
        context.prec = 100
        done = value.quantize(Decimal(1).scaleb(-target.scale), ROUND_HALF_UP)
    return done if len(done.as_tuple().digits) <= target.precision else None


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return word in _TRUE


def _date(text: str) -> dt.date:
    """Return a date; month and day may be left out, and whatever stands behind a blank does not count."""
    found = _DAY.fullmatch(text)
    if not found:
        raise ValueError(text)
    return dt.date(int(found[1]), int(found[2] or 1), int(found[3] or 1))


def _time_of_day(text: str, precision: int) -> dt.time:
    found = _CLOCK.fullmatch(text)
    if not found:
        raise ValueError(text)
    hour, minute, second, fraction = found.groups()
    milliseconds = (int((fraction or "0").ljust(4, "0")[:4]) + 5) // 10 if precision else 0
    moment = dt.datetime(1970, 1, 1, int(hour), int(minute or 0), int(second or 0))
    return (moment + dt.timedelta(milliseconds=milliseconds)).time()


def _timestamp(text: str, target: TimestampType) -> int:
    """Return a moment in the unit of the type, its fraction cut; a day that its month lacks is the month's last."""
    found = _MOMENT.fullmatch(text)
    if not found:
        raise ValueError(text)
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    if not 1 <= day <= 31 or not year:
        raise ValueError(text)
    hour, minute, second = (int(part or 0) for part in found.groups()[3:6])
    next_day = (hour, minute, second) == (24, 0, 0) and not (found[7] or "").strip("0")
    day = min(day, calendar.monthrange(year, month)[1])
    moment = dt.datetime(year, month, day, 0 if next_day else hour, minute, second) + dt.timedelta(days=next_day)
    seconds = (moment - _EPOCH) // dt.timedelta(seconds=1)
    digits = 9 if target.precision > 6 else 6
    fraction = int((found[7] or "").ljust(9, "0")[: target.precision].ljust(digits, "0"))
    value = seconds * 10**digits + fraction
    if not -(2**63) <= value < 2**63:
        raise ValueError(text)
    return value
