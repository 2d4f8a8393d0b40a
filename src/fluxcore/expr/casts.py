"""Conversions between types with Flink's text forms and Java's rules for numbers."""

from __future__ import annotations

import datetime as dt
import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
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
)
from fluxcore.errors import DataError
from fluxcore.expr.lists import map_array, maps_of
from fluxcore.expr.local_times import to_instants, to_local
from fluxcore.expr.texts import double_text, milliseconds_text, months_text, time_text, timestamp_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.settings import Settings

_NUMPY = {8: np.int8, 16: np.int16, 32: np.int32, 64: np.int64}

_WITH_LENGTH = (StringType, TimestampType, ArrayType, MapType, RowType)
"""Types whose values may need a change though their Arrow form is the same."""


def cast_values(array: pa.Array, source: DataType, target: DataType, *, lenient: bool, settings: Settings) -> pa.Array:
    """Return the values as another type.

    Text that is no value of the target raises ``DataError`` FX-RUN-0102, or gives NULL when ``lenient``. Decimals that
    don't fit give NULL. Integers that don't fit wrap, floats become the nearest integer that fits, as in Java.
    """
    wanted = target.arrow()
    if isinstance(source, NullType):
        return pa.nulls(len(array), wanted)
    if array.type == wanted and type(source) is type(target) and not isinstance(target, _WITH_LENGTH):
        return array
    if isinstance(target, StringType):
        return _fit(_to_text(array, source, settings), target)
    if isinstance(source, StringType):
        return _from_text(array, target, lenient=lenient, settings=settings)
    if isinstance(source, IntegerType | FloatType | DecimalType | BooleanType):
        return _number(array, source, target)
    if isinstance(source, TimestampType | DateType | TimeType):
        return _time(array, source, target, settings)
    if isinstance(source, ArrayType | RowType | MapType):
        return _nested(array, source, target, lenient=lenient, settings=settings)
    return array.cast(wanted)


def _number(array: pa.Array, source: DataType, target: DataType) -> pa.Array:
    wanted = target.arrow()
    if isinstance(target, BooleanType):
        return pc.not_equal(array, pa.scalar(0, pa.int64()).cast(array.type))
    if isinstance(source, BooleanType):
        return array.cast(pa.int8()).cast(pa.int32()).cast(wanted)
    if isinstance(target, DecimalType):
        return _to_decimal(array, source, target)
    if isinstance(target, IntegerType | IntervalType):
        if isinstance(source, FloatType):
            return _float_to_integer(array, wanted)
        if isinstance(source, DecimalType):
            array = pc.trunc(array).cast(pa.decimal128(38, source.scale)).cast(pa.decimal128(38, 0), safe=False)
            return array.cast(pa.int64(), safe=False).cast(wanted, safe=False)
        return array.cast(wanted, safe=False)
    if isinstance(source, DecimalType) and isinstance(target, FloatType):
        return _decimal_to_float(array, source.scale).cast(wanted, safe=False)
    return array.cast(wanted, safe=False)


_EXACT_DOUBLE = 2**53
_EXACT_POWER = 22
"""Whole numbers and powers of ten up to these are DOUBLEs, so that one division of the two is rounded once."""


def _decimal_to_float(array: pa.Array, scale: int) -> pa.Array:
    """Return the DOUBLE nearest to each decimal, which Arrow's own cast misses by a digit now and then."""
    words = np.frombuffer(array.buffers()[1], np.int64)[2 * array.offset : 2 * (array.offset + len(array))].reshape(
        -1, 2
    )
    low, high = words[:, 0], words[:, 1]
    small = (high == low >> 63) & (np.abs(low) <= _EXACT_DOUBLE)
    nulls = _nulls(array)
    if scale <= _EXACT_POWER and (small.all() if nulls is None else small[~nulls].all()):
        return pa.array(low / 10.0**scale, mask=nulls)
    return _row_by_row(array, pa.float64(), float)


def _float_to_integer(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    values = np.asarray(array.fill_null(0.0), np.float64)
    narrow = np.int64 if wanted == pa.int64() else np.int32
    limits = np.iinfo(narrow)
    clean = np.nan_to_num(np.trunc(values), nan=0.0, posinf=float(limits.max), neginf=float(limits.min))
    with np.errstate(invalid="ignore"):
        whole = np.clip(clean, float(limits.min), float(limits.max)).astype(np.int64)
    whole[clean >= float(limits.max)] = limits.max
    found = pa.array(whole, mask=_nulls(array))
    return found.cast(wanted, safe=False)


def _to_decimal(array: pa.Array, source: DataType, target: DecimalType) -> pa.Array:
    wanted = target.arrow()
    if isinstance(source, IntegerType):
        if target.precision - target.scale >= 19:
            return array.cast(pa.decimal128(19 + 0, 0)).cast(wanted) if target.scale else array.cast(wanted)
        exact = array.cast(pa.decimal128(19, 0))
        return _fit_decimal(exact, target)
    if isinstance(source, DecimalType):
        if target.scale >= source.scale and target.precision - target.scale >= source.precision - source.scale:
            return array.cast(wanted)
        return _fit_decimal(array, target)
    return _row_by_row(array, wanted, lambda value: _decimal_of(repr(value), target))


def _fit_decimal(array: pa.Array, target: DecimalType) -> pa.Array:
    """Round half up to the scale, and give NULL where the whole part doesn't fit."""
    return _row_by_row(array, target.arrow(), lambda value: _round(value, target))


def _round(value: Decimal, target: DecimalType) -> Decimal | None:
    with localcontext() as context:
        context.prec = 80
        rounded = value.quantize(Decimal(1).scaleb(-target.scale), ROUND_HALF_UP)
    return rounded if len(rounded.as_tuple().digits) - target.scale <= target.precision - target.scale else None


def _decimal_of(text: str, target: DecimalType) -> Decimal | None:
    value = Decimal(text)
    return _round(value, target) if value.is_finite() else None


def _time(array: pa.Array, source: DataType, target: DataType, settings: Settings) -> pa.Array:
    wanted = target.arrow()
    if isinstance(source, TimestampType) and isinstance(target, TimestampType):
        if source.local != target.local:
            array = _shift_zone(array, source, settings)
        return _truncate(array.cast(wanted, safe=False), target.precision)
    if isinstance(source, TimestampType):
        if source.local:
            array = _shift_zone(array, source, settings)
        if isinstance(target, DateType):
            return array.cast(pa.date32(), safe=False)
        assert isinstance(target, TimeType), target
        return _truncate(array, min(target.precision, 3)).cast(pa.timestamp("ms"), safe=False).cast(pa.time32("ms"))
    if isinstance(target, TimestampType):  # a time of the day is one of 1970-01-01
        days = isinstance(source, DateType)
        moved = (
            array.cast(pa.timestamp("us"))
            if days
            else array.cast(pa.int32()).cast(pa.int64()).cast(pa.timestamp("ms")).cast(pa.timestamp("us"))
        )
        return (
            _shift_zone(moved, TimestampType(precision=6), settings).cast(wanted)
            if target.local
            else moved.cast(wanted)
        )
    return array.cast(wanted, safe=False)


def _truncate(array: pa.Array, precision: int) -> pa.Array:
    """Drop the digits of a fraction of a second beyond ``precision``."""
    finest = 9 if array.type.unit == "ns" else 6
    if precision >= finest:
        return array
    step = 10 ** (finest - precision)
    values = np.asarray(array.view(pa.int64()).fill_null(0)) // step * step
    return pa.array(values, mask=_nulls(array)).view(array.type)


def _shift_zone(array: pa.Array, source: TimestampType, settings: Settings) -> pa.Array:
    """Turn instants into wall-clock times of the session zone, or back."""
    return to_local(array, settings.zone) if source.local else to_instants(array, settings.zone)


def _nested(array: pa.Array, source: DataType, target: DataType, *, lenient: bool, settings: Settings) -> pa.Array:
    if isinstance(source, ArrayType) and isinstance(target, ArrayType):
        values = cast_values(array.flatten(), source.element, target.element, lenient=lenient, settings=settings)
        lengths = pc.list_value_length(array).fill_null(0)
        offsets = pa.array(np.concatenate(([0], np.cumsum(np.asarray(lengths)))).astype(np.int32))
        return pa.ListArray.from_arrays(offsets, values, mask=array.is_null())
    if isinstance(source, RowType) and isinstance(target, RowType):
        fields = [
            cast_values(pc.struct_field(array, index), a, b, lenient=lenient, settings=settings)
            for index, ((_, a), (_, b)) in enumerate(zip(source.fields, target.fields, strict=True))
        ]
        return pa.StructArray.from_arrays(fields, fields=list(target.arrow()), mask=array.is_null())
    if isinstance(source, MapType) and isinstance(target, MapType):
        keys, items = maps_of(array)
        held = cast_values(keys.values, source.key, target.key, lenient=lenient, settings=settings)
        given = cast_values(items, source.value, target.value, lenient=lenient, settings=settings)
        return map_array(held, given, keys.counts, keys.nulls)
    return array.cast(target.arrow())


def _fit(array: pa.Array, target: StringType) -> pa.Array:
    """Cut text to the declared length, and pad CHAR with blanks."""
    if target.length < 2_147_483_647:
        array = pc.utf8_slice_codeunits(array, 0, target.length)
        if target.fixed:
            array = pc.utf8_rpad(array, target.length)
    return array


def _to_text(array: pa.Array, source: DataType, settings: Settings) -> pa.Array:
    if isinstance(source, StringType):
        return array
    if isinstance(source, BooleanType):
        return pc.if_else(array, "TRUE", "FALSE")
    if isinstance(source, IntegerType | DateType):
        return array.cast(pa.string())
    if isinstance(source, IntervalType):
        return _row_by_row(array, pa.string(), months_text if source.months else milliseconds_text)
    if isinstance(source, DecimalType):
        return _row_by_row(array, pa.string(), lambda value: format(value, "f"))
    if isinstance(source, FloatType):
        single = source.bits == 32
        return _row_by_row(array, pa.string(), lambda value: double_text(value, single=single))
    if isinstance(source, TimestampType):
        if source.local:
            array = _shift_zone(array, source, settings)
        return timestamp_text(array, source.precision)
    if isinstance(source, TimeType):
        return time_text(array, source.precision)
    if isinstance(source, BytesType):
        return _decoded(array)
    return _nested_text(array, source, settings)


def _nested_text(array: pa.Array, source: DataType, settings: Settings) -> pa.Array:
    """Return ``[a, b]`` for an array, ``{a=1}`` for a map and ``(a, 1)`` for a row; what is NULL inside is told so."""

    def texts(values: pa.Array, type_: DataType) -> list[str]:
        return _to_text(values, type_, settings).fill_null("NULL").to_pylist()

    if isinstance(source, RowType):
        fields = [texts(pc.struct_field(array, index), type_) for index, (_, type_) in enumerate(source.fields)]
        whole = [f"({', '.join(row)})" for row in zip(*fields, strict=True)]
        return pa.array(whole, pa.string(), mask=np.asarray(array.is_null()))
    if isinstance(source, ArrayType):
        parts, (start, end) = texts(array.flatten(), source.element), "[]"
    elif isinstance(source, MapType):
        items = array.cast(
            pa.list_(pa.struct([("key", source.key.arrow()), ("value", source.value.arrow())]))
        ).flatten()
        pairs = zip(texts(items.field(0), source.key), texts(items.field(1), source.value), strict=True)
        parts, (start, end) = [f"{key}={value}" for key, value in pairs], "{}"
    else:
        return _row_by_row(array, pa.string(), str)
    lengths = pc.list_value_length(array).fill_null(0) if isinstance(source, ArrayType) else pa.array(
        [len(each) if each is not None else 0 for each in array.to_pylist()])  # fmt: skip
    ends = np.concatenate(([0], np.cumsum(np.asarray(lengths)))).tolist()
    whole = [start + ", ".join(parts[a:b]) + end for a, b in pairwise(ends)]
    return pa.array(whole, pa.string(), mask=np.asarray(array.is_null()))


_SURROGATE = re.compile(b"\xed[\xa0-\xbf][\x80-\xbf]")


def _decoded(array: pa.Array) -> pa.Array:
    """Return bytes as UTF-8 text; what is none becomes U+FFFD, an encoded surrogate one of them, as in Java."""
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        mark = "\ufffd".encode()
        return _row_by_row(array, pa.string(), lambda value: _SURROGATE.sub(mark, value).decode(errors="replace"))


_TRUE = {"true", "t", "yes", "y", "1"}
_FALSE = {"false", "f", "no", "n", "0"}


def _from_text(array: pa.Array, target: DataType, *, lenient: bool, settings: Settings) -> pa.Array:
    wanted = target.arrow()
    if isinstance(target, BytesType):
        return array.cast(wanted)
    if isinstance(target, IntegerType) and not lenient:
        try:
            return pc.utf8_trim_whitespace(array).cast(wanted)
        except pa.ArrowInvalid:
            pass_row = _parser(target)
            return _row_by_row(array, wanted, lambda text: _checked(text, pass_row, target, lenient=False))
    parse = _parser(target)
    if isinstance(target, TimestampType) and target.local:
        plain = pa.timestamp(wanted.unit)
        local = _row_by_row(array, plain, lambda text: _checked(text, parse, target, lenient=lenient))
        return to_instants(local, settings.zone)
    return _row_by_row(array, wanted, lambda text: _checked(text, parse, target, lenient=lenient))


def _checked(text: str, parse: Callable[[str], Any], target: DataType, *, lenient: bool) -> Any:
    try:
        return parse(text.strip())
    except (ValueError, InvalidOperation, OverflowError) as error:
        if lenient:
            return None
        message = f"'{text}' is no {target.name()}"
        raise DataError("FX-RUN-0102", message, hint="TRY_CAST gives NULL instead") from error


def _parser(target: DataType) -> Callable[[str], Any]:
    if isinstance(target, IntegerType):
        low, high = -(2 ** (target.bits - 1)), 2 ** (target.bits - 1) - 1
        return lambda text: _integer(text, low, high)
    if isinstance(target, FloatType):
        return _float
    if isinstance(target, DecimalType):
        return lambda text: _decimal_of(text, target)
    if isinstance(target, BooleanType):
        return _boolean
    if isinstance(target, DateType):
        return lambda text: _datetime(text).date()
    if isinstance(target, TimeType):
        return _clock
    assert isinstance(target, TimestampType), target
    return lambda text: _timestamp(text, target.precision)


def _integer(text: str, low: int, high: int) -> int:
    found = re.fullmatch(r"([+-]?\d+)(\.\d*)?", text, re.ASCII)
    if not found or not low <= int(found[1]) <= high:
        raise ValueError(text)
    return int(found[1])


def _float(text: str) -> float:
    if not re.fullmatch(r"[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)[dDfF]?", text, re.ASCII):
        raise ValueError(text)
    return float(text.rstrip("dDfF") if text[-1] in "dDfF" and text[-1:].isalpha() else text)


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return word in _TRUE


_STAMP = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?)?", re.ASCII)


def _datetime(text: str) -> dt.datetime:
    found = _STAMP.fullmatch(text)
    if not found:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction = found.groups()
    micros = int((fraction or "0").ljust(9, "0")[:6])
    return dt.datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micros)


def _timestamp(text: str, precision: int) -> dt.datetime:
    """Return text as a time of day and date, a blank between them, cut to ``precision`` digits of a second."""
    if "T" in text:
        raise ValueError(text)
    found = _datetime(text)
    step = 10 ** max(0, 6 - precision)
    return found.replace(microsecond=found.microsecond // step * step)


def _clock(text: str) -> dt.time:
    found = re.fullmatch(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?", text, re.ASCII)
    if not found:
        return _datetime(text).time()
    hour, minute, second, fraction = found.groups()
    micros = int((fraction or "0").ljust(9, "0")[:3]) * 1000
    return dt.time(int(hour), int(minute), int(second or 0), micros)


def _row_by_row(array: pa.Array, wanted: pa.DataType, convert: Callable[[Any], Any]) -> pa.Array:
    """Convert value by value, each distinct value once: for forms that no kernel knows."""
    if len(array) > 1000:
        encoded = array.dictionary_encode()
        if len(encoded.dictionary) * 2 < len(array):
            return _row_by_row(encoded.dictionary, wanted, convert).take(encoded.indices)
    return pa.array([None if value is None else convert(value) for value in array.to_pylist()], wanted)


def _nulls(array: pa.Array) -> Any:
    return np.asarray(array.is_null()) if array.null_count else None
