"""What a frame says of its rows without being decoded: least and greatest values, nulls, Bloom filters of keys.

It is the frame's *meta*, as MessagePack. Numbers and times stand as integers or doubles, decimals as text, texts by their first
32 characters. A frame with few rows has none: to make them costs more than to decode it.
"""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.bus.log import bloom
from fluxcore.bus.log.frame import HEADER_BYTES, Header, crc32c

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from fluxcore.bus.log.segment import SegmentView
    from fluxcore.core.ports import Bound

    _Take: TypeAlias = Callable[[pa.Scalar, pa.Scalar], tuple[Any, Any]]

ROWS_MIN = 256
_TEXT_MAX = 32
_LAST = "\U0010ffff"


class Range(msgspec.Struct, array_like=True, frozen=True):
    """The least and the greatest value of a column in a frame, and its number of nulls; None where all are null."""

    low: Any
    high: Any
    nulls: int


class Statistics(msgspec.Struct, frozen=True, rename={"ranges": "r", "blooms": "b"}):
    """What is known of a frame's columns, by their number."""

    ranges: dict[int, Range] = {}
    blooms: dict[int, bytes] = {}


_decoder = msgspec.msgpack.Decoder(Statistics)


def collect(batch: pa.RecordBatch, keys: tuple[str, ...] = ()) -> bytes:
    """Return the meta of a frame with these rows; ``keys`` name the columns that get a Bloom filter."""
    if batch.num_rows < ROWS_MIN:
        return b""
    ranged, filtered = _wanted(batch.schema, keys)
    ranges = {}
    for number, take in ranged:
        found = _range(batch.column(number), take)
        if found is not None:
            ranges[number] = found
    blooms = {number: bloom.make(batch.column(number)) for number in filtered}
    return msgspec.msgpack.encode(Statistics(ranges, blooms))


def read(meta: bytes | pa.Buffer) -> Statistics | None:
    """Return the statistics in a meta; None where it has none, or has some of another making."""
    try:
        return _decoder.decode(meta) if len(meta) else None
    except msgspec.DecodeError:
        return None


def known(view: SegmentView, header: Header) -> Statistics | None:
    """Return what a frame's meta says; None where it says nothing, or is damaged."""
    if not header.meta_length:
        return None
    start = header.position + HEADER_BYTES
    meta = view.content.slice(start, header.body_position - start)
    return read(meta.slice(0, header.meta_length)) if crc32c(meta) == header.meta_crc else None


def excluded(statistics: Statistics, bounds: Sequence[Bound], schema: pa.Schema) -> bool:
    """Return whether no row of a frame can meet all bounds."""
    for bound in bounds:
        type_ = schema.field(bound.column).type
        found = statistics.ranges.get(bound.column)
        if found is not None and _outside(found, bound.op, comparable(bound.value, type_)):
            return True
        content = statistics.blooms.get(bound.column)
        if content is not None and bound.op == "=" and not bloom.may_hold(content, bound.value, type_):
            return True
    return False


def comparable(value: Any, type_: pa.DataType) -> Any:
    """Return a constant as it compares with the ranges of a column; None where it does not."""
    if pa.types.is_decimal(type_):
        try:
            return Decimal(value) if isinstance(value, int | Decimal) else None
        except InvalidOperation:
            return None
    if pa.types.is_boolean(type_) or pa.types.is_integer(type_) or pa.types.is_floating(type_):
        number = isinstance(value, int | float | Decimal) and not (isinstance(value, float) and math.isnan(value))
        return value if number else None
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return value if isinstance(value, str) else None
    if pa.types.is_temporal(type_):
        try:
            return pa.scalar(value, type_).value
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, ValueError):
            return None
    return None


def _outside(found: Range, op: str, value: Any) -> bool:
    if found.low is None:
        return True  # all are null, and a comparison with null is never true
    if value is None:
        return False
    low, high = found.low, found.high
    if isinstance(value, Decimal) and isinstance(low, str):
        low, high = Decimal(low), Decimal(high)
    if isinstance(value, str) is not isinstance(low, str):
        return False
    if op == "=":
        return bool(value < low or value > high)
    if op in {"<", "<="}:
        return bool(low > value or (op == "<" and low == value))
    return bool(high < value or (op == ">" and high == value))


@lru_cache(maxsize=64)
def _wanted(schema: pa.Schema, keys: tuple[str, ...]) -> tuple[list[tuple[int, _Take]], list[int]]:
    """Return the columns that get a range, with what makes its ends, and those that get a filter."""
    takes = [(number, _take(type_)) for number, type_ in enumerate(schema.types)]
    ranged = [(number, take) for number, take in takes if take is not None]
    filtered = [n for n, field in enumerate(schema) if field.name in keys and bloom.can_hash(field.type)]
    return ranged, filtered


def _range(array: pa.Array, take: _Take) -> Range | None:
    if take is _float and pc.any(pc.is_nan(array)).as_py():
        return None
    found = pc.min_max(array)
    low, high = found["min"], found["max"]
    if not low.is_valid:
        return Range(None, None, array.null_count)
    return Range(*take(low, high), array.null_count)


def _take(type_: pa.DataType) -> _Take | None:
    """Return what turns the ends of a range into what stands in the meta; None for types without ranges."""
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return _text
    if pa.types.is_duration(type_) or pa.types.is_interval(type_) or pa.types.is_float16(type_):
        return None
    if pa.types.is_floating(type_):
        return _float
    if pa.types.is_temporal(type_):
        return _time
    if pa.types.is_decimal(type_):
        return _decimal
    return _number if pa.types.is_boolean(type_) or pa.types.is_integer(type_) else None


def _number(low: pa.Scalar, high: pa.Scalar) -> tuple[Any, Any]:
    return low.as_py(), high.as_py()


def _float(low: pa.Scalar, high: pa.Scalar) -> tuple[Any, Any]:
    return low.as_py(), high.as_py()


def _time(low: pa.Scalar, high: pa.Scalar) -> tuple[Any, Any]:
    return low.value, high.value


def _decimal(low: pa.Scalar, high: pa.Scalar) -> tuple[Any, Any]:
    return str(low.as_py()), str(high.as_py())


def _text(low: pa.Scalar, high: pa.Scalar) -> tuple[Any, Any]:
    """Cut texts, the greatest one upwards."""
    most = high.as_py()
    return low.as_py()[:_TEXT_MAX], most if len(most) <= _TEXT_MAX else most[:_TEXT_MAX] + _LAST
