"""Conversions between types with Flink's text forms and Java's rules for numbers."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    INT,
    VARCHAR_MAX,
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
    VariantType,
)
from fluxcore.errors import DataError
from fluxcore.expr.lists import map_array, maps_of
from fluxcore.expr.local_times import to_instants, to_local
from fluxcore.expr.made_text import MadeText, check_batch
from fluxcore.expr.rowwise import mapped
from fluxcore.expr.text_casts import from_text, rounded
from fluxcore.expr.texts import double_text, milliseconds_text, months_text, time_text, timestamp_text
from fluxcore.expr.variant_casts import from_variant

if TYPE_CHECKING:
    from fluxcore.core.settings import Settings

_NUMPY = {8: np.int8, 16: np.int16, 32: np.int32, 64: np.int64}

_WITH_LENGTH = (StringType, BytesType, TimestampType, TimeType, ArrayType, MapType, RowType)
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
    if isinstance(source, VariantType):
        found = from_variant(array, target, lenient=lenient)
        return _fit(found, target) if isinstance(target, StringType) else found
    if isinstance(target, StringType):
        return _fit(_to_text(array, source, settings), target)
    if isinstance(target, BytesType) and isinstance(source, StringType | BytesType):
        return _fit_bytes(array.cast(wanted), target)
    if isinstance(source, StringType):
        return from_text(array, target, lenient=lenient, settings=settings)
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
        return pc.not_equal(array, pa.scalar(Decimal(0) if isinstance(source, DecimalType) else 0, array.type))
    if isinstance(source, BooleanType):
        return _number(array.cast(pa.int8()).cast(pa.int32()), INT, target)
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
    return mapped(array, float, pa.float64())


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
    return mapped(array, lambda value: _decimal_of(value, target), wanted)


def _fit_decimal(array: pa.Array, target: DecimalType) -> pa.Array:
    """Round half up to the scale, and give NULL where the whole part doesn't fit."""
    return mapped(array, lambda value: rounded(value, target), target.arrow())


def _decimal_of(value: float, target: DecimalType) -> Decimal | None:
    exact = Decimal(repr(value))
    return rounded(exact, target) if exact.is_finite() else None


def _time(array: pa.Array, source: DataType, target: DataType, settings: Settings) -> pa.Array:
    wanted = target.arrow()
    if isinstance(source, TimestampType) and isinstance(target, TimestampType):
        if source.local != target.local:
            array = _shift_zone(array, source, settings)
        return _truncate(_as_stamps(array, wanted), target.precision)
    if isinstance(source, TimestampType):
        if source.local:
            array = _shift_zone(array, source, settings)
        if isinstance(target, DateType):
            return array.cast(pa.date32(), safe=False)
        assert isinstance(target, TimeType), target
        return _truncate(array, min(target.precision, 3)).cast(pa.timestamp("ms"), safe=False).cast(pa.time32("ms"))
    if isinstance(target, TimeType):
        step = 10 ** (3 - min(target.precision, 3))
        return pa.array(
            np.asarray(array.cast(pa.int32()).fill_null(0)) // step * step, pa.int32(), mask=_nulls(array)
        ).cast(wanted)
    if isinstance(target, TimestampType):  # a time of the day is one of 1970-01-01
        days = isinstance(source, DateType)
        moved = (
            array.cast(pa.timestamp("us"))
            if days
            else array.cast(pa.int32()).cast(pa.int64()).cast(pa.timestamp("ms")).cast(pa.timestamp("us"))
        )
        return (
            _as_stamps(_shift_zone(moved, TimestampType(precision=6), settings), wanted)
            if target.local
            else _as_stamps(moved, wanted)
        )
    return array.cast(wanted, safe=False)


def _as_stamps(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Return times in another unit. Raises ``DataError`` FX-RUN-0110 for what nanoseconds can't reach."""
    if array.type.unit == "ns" and wanted.unit == "us":  # down, where Arrow cuts towards 1970
        return pa.array(np.asarray(array.view(pa.int64()).fill_null(0)) // 1000, pa.int64(), mask=_nulls(array)).view(
            wanted
        )
    try:
        return array.cast(wanted, safe=wanted.unit == "ns")
    except pa.ArrowInvalid as error:
        hint = "a time with more than 6 digits of a second lies between 1677 and 2262"
        raise DataError("FX-RUN-0110", "a time lies too far away for nanoseconds", hint=hint) from error


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
            _check_filled(array, target.length)
            array = pc.utf8_rpad(array, target.length)
    return array


def _check_filled(array: pa.Array, length: int) -> None:
    """Refuse to fill values up beyond what a batch may hold. Raises ``DataError`` FX-RUN-0114."""
    values = len(array) - array.null_count
    MadeText("CAST").add(length if values else 0)
    check_batch("CAST", length * values)


def _fit_bytes(array: pa.Array, target: BytesType) -> pa.Array:
    """Cut bytes to the declared length, and fill BINARY up with zeros."""
    if target.length == VARCHAR_MAX:
        return array
    cut = pc.binary_slice(array, 0, target.length)
    if not target.fixed or pc.all(pc.equal(pc.binary_length(cut), target.length), min_count=0).as_py():
        return cut
    _check_filled(array, target.length)
    return mapped(cut, lambda value: value.ljust(target.length, b"\0"), pa.binary())


def _to_text(array: pa.Array, source: DataType, settings: Settings) -> pa.Array:
    if isinstance(source, StringType):
        return array
    if isinstance(source, BooleanType):
        return pc.if_else(array, "TRUE", "FALSE")
    if isinstance(source, IntegerType | DateType):
        return array.cast(pa.string())
    if isinstance(source, IntervalType):
        return mapped(array, months_text if source.months else milliseconds_text, pa.string())
    if isinstance(source, DecimalType):
        return mapped(array, lambda value: format(value, "f"), pa.string())
    if isinstance(source, FloatType):
        single = source.bits == 32
        return mapped(array, lambda value: double_text(value, single=single), pa.string())
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
        return mapped(array, str, pa.string())
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
        return mapped(array, lambda value: _SURROGATE.sub(mark, value).decode(errors="replace"), pa.string())


def _nulls(array: pa.Array) -> Any:
    return np.asarray(array.is_null()) if array.null_count else None
