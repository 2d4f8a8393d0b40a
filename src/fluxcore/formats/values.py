"""Reads one value of text at a time: the plain, strict rules, in Java's spelling as Flink has them.

The kernels read what is common; this module decides about the rest and words the error.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fluxcore.core.types import (
    BooleanType,
    BytesType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    IntervalType,
    StringType,
    TimestampType,
    TimeType,
)
from fluxcore.formats.faults import RowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.types import DataType

_SPACES = "".join(map(chr, range(33)))
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"([+-]?)(?:(NaN|Infinity)|((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[dDfF]?)")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{0,9}))?)?")
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{0,9})?)?)(Z|[+-][0-9:]+)?"
)
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_EXACT = Context(prec=100, Emax=999_999, Emin=-999_999)


def parse_text(type_: DataType, text: str) -> Any:
    """Return the value that ``text`` spells, in the physical form that ``pyarrow.array`` takes for the type.

    Out: int for integers, intervals, DATE (days), TIME (ms) and timestamps (the Arrow unit); None for a DECIMAL that
    does not fit its precision. Raises: ``RowError`` for a text that is no such value.
    """
    for kind, parse in _PARSERS:
        if isinstance(type_, kind):
            return parse(type_, text)
    raise RowError(f"not a value of type {type_.name()}", value=text)


def to_decimal(type_: DecimalType, value: Decimal) -> Decimal | None:
    """Return the value rounded half up to the type's scale, or None when it needs more digits than the type has."""
    try:
        rounded = value.quantize(Decimal(1).scaleb(-type_.scale), ROUND_HALF_UP, _EXACT)
    except InvalidOperation:
        return None
    return rounded if len(rounded.as_tuple().digits) <= type_.precision or rounded.is_zero() else None


def nearest_float32(text: str) -> float:
    """Return the float32 nearest to a decimal number, rounded once (half to even)."""
    wide = float(text)
    if not np.isfinite(wide) or wide == 0.0 or abs(wide) > 3.5e38:
        return wide
    exact = Fraction(text)
    with np.errstate(over="ignore", under="ignore"):
        middle = np.float32(wide)
        around = (np.nextafter(middle, np.float32("-inf")), middle, np.nextafter(middle, np.float32("inf")))
    finite = [each for each in around if np.isfinite(each)]
    if len(finite) < 3:
        return float(middle)
    return float(min(finite, key=lambda each: (abs(Fraction(float(each)) - exact), int(each.view(np.uint32)) & 1)))


def _integer(type_: IntegerType, text: str) -> int:
    stripped = text.strip(_SPACES)
    if not _INTEGER.fullmatch(stripped):
        raise RowError(f"not a {type_.name()}", value=text)
    value = int(stripped) if len(stripped) < 100 else 2**64
    if not -(1 << (type_.bits - 1)) <= value < 1 << (type_.bits - 1):
        raise RowError(f"out of the range of {type_.name()}", value=text)
    return value


def _interval(type_: IntervalType, text: str) -> int:
    return _integer(IntegerType(bits=32 if type_.months else 64), text)


def _float(type_: FloatType, text: str) -> float:
    found = _FLOAT.fullmatch(text.strip(_SPACES))
    if not found:
        raise RowError(f"not a {type_.name()}", value=text)
    sign, name, digits = found.groups()
    if name:
        return float(sign + ("nan" if name == "NaN" else "inf"))
    return nearest_float32(sign + digits) if type_.bits == 32 else float(sign + digits)


def _boolean(type_: BooleanType, text: str) -> bool:  # noqa: ARG001
    return text.strip(_SPACES).lower() == "true"


def _decimal(type_: DecimalType, text: str) -> Decimal | None:
    if not _DECIMAL.fullmatch(text):
        raise RowError(f"not a {type_.name()}", value=text)
    return to_decimal(type_, Decimal(text))


def _string(type_: StringType, text: str) -> str:  # noqa: ARG001
    return text


def _bytes(type_: BytesType, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RowError(f"not the base64 text of a {type_.name()}", value=text) from error


def _date(type_: DateType, text: str) -> int:
    found = _DATE.fullmatch(text)
    try:
        if found:
            return datetime.date(*map(int, found.groups())).toordinal() - _EPOCH
    except ValueError as error:
        raise RowError(f"not a {type_.name()}: {error}", value=text) from error
    raise RowError("not a DATE such as 2024-01-31", value=text)


def _nanos_of_day(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if not found:
        return None
    hour, minute, second, fraction = found.groups()
    parts = (int(hour), int(minute), int(second or 0))
    if parts[0] > 23 or parts[1] > 59 or parts[2] > 59:
        return None
    return ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 10**9 + int((fraction or "").ljust(9, "0"))


def _time(type_: TimeType, text: str) -> int:
    nanos = _nanos_of_day(text)
    if nanos is None:
        raise RowError("not a TIME such as 12:30:00", value=text)
    step: int = 10 ** max(0, 3 - type_.precision)
    return nanos // 10**6 // step * step


def _timestamp(type_: TimestampType, text: str) -> int:
    found = _TIMESTAMP.fullmatch(text.strip(_SPACES))
    wanted = "2024-01-31 12:30:00.123" + ("Z" if type_.local else "")
    if not found:
        raise RowError(f"not a {type_.name()} such as {wanted}", value=text)
    day, time, zone = found.groups()
    if type_.local and zone != "Z":
        raise RowError(f"not a {type_.name()}: it must end with Z, the sign of UTC", value=text)
    if not type_.local and zone:
        raise RowError(f"not a {type_.name()}: a time with a zone needs TIMESTAMP_LTZ", value=text)
    nanos = _nanos_of_day(time)
    if nanos is None:
        raise RowError(f"not a {type_.name()} such as {wanted}", value=text)
    step: int = 10 ** (9 - type_.precision)
    total = _date(DateType(), day) * 86400 * 10**9 + nanos // step * step
    if type_.precision <= 6:
        return total // 1000
    if not -(2**63) <= total < 2**63:
        raise RowError(f"out of the range of {type_.name()}, 1677-09-21 to 2262-04-11", value=text)
    return total


_PARSERS: tuple[tuple[type[DataType], Callable[[Any, str], Any]], ...] = (
    (StringType, _string),
    (IntegerType, _integer),
    (TimestampType, _timestamp),
    (FloatType, _float),
    (DecimalType, _decimal),
    (BooleanType, _boolean),
    (DateType, _date),
    (TimeType, _time),
    (BytesType, _bytes),
    (IntervalType, _interval),
)
