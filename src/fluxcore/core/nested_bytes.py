"""Nested values (lists, maps, structs) as bytes and back, so that they can be keys: equal values give equal bytes.

A value of fixed width is a flag (1 where it is not NULL) and 8 bytes, a decimal 16, zeros for NULL; text is a flag, its length
and its bytes; a struct a flag and its fields; a list a flag, the number of its elements, their lengths, and the elements. Lengths
and numbers take 4 bytes, little-endian. A map is the list of its entries in the order of their keys' bytes. NaN is one
value, and -0.0 is 0.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.words import canonical_words, text_buffers
from fluxcore.errors import JobError
from fluxcore.limits import STRING_COLUMN_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]
    Bytes = NDArray[np.uint8]
    Ragged = tuple[Int64s, Bytes]
    """The length of each row's bytes, and the bytes of all rows."""


def to_bytes(array: pa.Array) -> pa.Array:
    """Return the bytes (Arrow binary) of each value of a nested array; NULL stays NULL.

    Raises: ``JobError`` FX-RUN-0902 when they are more than an array can hold.
    """
    lengths, data = _encoded(array)
    if len(data) > STRING_COLUMN_BYTES_MAX:
        message = f"{len(data)} bytes of ARRAY, MAP or ROW as a key in one column of one batch are too many"
        raise JobError("FX-RUN-0902", message)
    offsets = _offsets(lengths).astype(np.int32)
    valid = _bitmap(_valid(array)) if array.null_count else None
    return pa.Array.from_buffers(pa.binary(), len(array), [valid, pa.py_buffer(offsets), pa.py_buffer(data)])


def from_bytes(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """Return the nested values of a type that :func:`to_bytes` made into ``array``."""
    offsets, data = text_buffers(array)
    places = offsets[:-1].astype(np.int64)
    if array.null_count:
        valid = _valid(array)
        some = _decoded(type_, data, places[valid])[0]
        numbers = np.cumsum(valid) - 1
        return some.take(pa.array(numbers, mask=~valid)) if len(some) else pa.nulls(len(array), type_)
    return _decoded(type_, data, places)[0]


def _encoded(array: pa.Array) -> Ragged:
    type_, flags = array.type, _valid(array).astype(np.uint8)
    ones = np.ones(len(array), np.int64)
    if pa.types.is_null(type_):
        return ones, flags
    if pa.types.is_struct(type_):
        return _joined([(ones, flags), *(_encoded(field) for field in array.flatten())])
    if pa.types.is_list(type_) or pa.types.is_map(type_):
        return _encoded_list(array, flags)
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        return _encoded_text(array, flags)
    if pa.types.is_decimal128(type_):
        raw = np.frombuffer(array.buffers()[1], np.uint8).reshape(-1, 16)[array.offset : array.offset + len(array)]
        words = np.where(flags[:, None] == 1, raw, np.uint8(0))
    else:
        words = canonical_words(array).astype("<i8").view(np.uint8).reshape(-1, 8)
    rows = np.concatenate([flags[:, None], words], axis=1)
    return ones * rows.shape[1], rows.reshape(-1)


def _encoded_text(array: pa.Array, flags: Bytes) -> Ragged:
    offsets, data = text_buffers(array)
    lengths = np.where(flags == 1, np.diff(offsets), 0).astype(np.int64)
    content = data[_spans(offsets[:-1].astype(np.int64), lengths)]
    return _joined([(np.ones(len(array), np.int64), flags), _numbers(lengths, 1), (lengths, content)])


def _encoded_list(array: pa.Array, flags: Bytes) -> Ragged:
    offsets = np.asarray(array.offsets).astype(np.int64)
    counts = np.where(flags == 1, np.diff(offsets), 0)
    places = _spans(offsets[:-1], counts)
    if pa.types.is_map(array.type):
        keys, items = array.keys.take(pa.array(places)), array.items.take(pa.array(places))
        order = np.lexsort((_ranks(keys), np.repeat(np.arange(len(counts)), counts)))
        elements = pa.StructArray.from_arrays([keys, items], ["key", "value"]).take(pa.array(order))
    else:
        elements = array.values.take(pa.array(places))
    lengths, data = _encoded(elements)
    ends = _offsets(lengths)
    bounds = ends[_offsets(counts)]
    flag = (np.ones(len(array), np.int64), flags)
    return _joined([flag, _numbers(counts, 1), _numbers(lengths, counts), (np.diff(bounds), data)])


def _ranks(keys: pa.Array) -> Int64s:
    """Return numbers that order keys as their bytes do."""
    lengths, data = _encoded(keys)
    offsets = pa.py_buffer(_offsets(lengths).astype(np.int32))
    texts = pa.Array.from_buffers(pa.binary(), len(keys), [None, offsets, pa.py_buffer(data)]).dictionary_encode()
    ranks = np.empty(len(texts.dictionary), np.int64)
    ranks[np.asarray(pc.array_sort_indices(texts.dictionary))] = np.arange(len(ranks))
    return ranks[np.asarray(texts.indices)]


def _decoded(type_: pa.DataType, data: Bytes, places: Int64s) -> tuple[pa.Array, Int64s]:
    """Return the values that begin at these places, and the places behind them."""
    valid = data[places] == 1
    rows, mask, after = len(places), _bitmap(valid), places + 1
    if pa.types.is_null(type_):
        return pa.nulls(rows), after
    if pa.types.is_struct(type_):
        fields = []
        for number in range(type_.num_fields):
            field, after = _decoded(type_.field(number).type, data, after)
            fields.append(field)
        return pa.Array.from_buffers(type_, rows, [mask], children=fields), after
    if pa.types.is_list(type_) or pa.types.is_map(type_):
        counts = _read(data, after)
        lengths = _read(data, _spans(after + 4, counts, 4))
        base = after + 4 + 4 * counts
        ends, bounds = _offsets(lengths), _offsets(counts)
        starts = np.repeat(base - ends[bounds[:-1]], counts) + ends[:-1]
        child = type_.value_type if pa.types.is_list(type_) else pa.struct([type_.key_field, type_.item_field])
        elements, _ = _decoded(child, data, starts)
        offsets = pa.py_buffer(bounds.astype(np.int32))
        made = pa.Array.from_buffers(type_, rows, [mask, offsets], children=[elements])
        return made, base + ends[bounds[1:]] - ends[bounds[:-1]]
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        lengths = _read(data, after)
        content = data[_spans(after + 4, lengths)]
        offsets = pa.py_buffer(_offsets(lengths).astype(np.int32))
        made = pa.Array.from_buffers(type_, rows, [mask, offsets, pa.py_buffer(content)])
        return made, after + 4 + lengths
    width = 16 if pa.types.is_decimal128(type_) else 8
    words = data[after[:, None] + np.arange(width)]
    return _fixed(type_, words, valid), after + width


def _fixed(type_: pa.DataType, words: Bytes, valid: NDArray[np.bool_]) -> pa.Array:
    if pa.types.is_decimal128(type_):
        return pa.Array.from_buffers(type_, len(valid), [_bitmap(valid), pa.py_buffer(words)])
    values: Any = words.view("<i8").reshape(-1)
    if pa.types.is_boolean(type_):
        return pa.array(values != 0, mask=~valid)
    if pa.types.is_floating(type_):
        return pa.array(values.view(np.float64), mask=~valid).cast(type_)
    narrow = values.astype(f"i{type_.bit_width // 8}")
    return pa.Array.from_buffers(type_, len(valid), [_bitmap(valid), pa.py_buffer(narrow)])


def _joined(parts: Sequence[Ragged]) -> Ragged:
    """Return the rows whose bytes are those of the parts, one behind the other."""
    total: Int64s = np.stack([lengths for lengths, _ in parts]).sum(axis=0)
    places, out = _offsets(total)[:-1], np.empty(int(total.sum()), np.uint8)
    for lengths, data in parts:
        out[_spans(places, lengths)] = data
        places = places + lengths
    return total, out


def _numbers(values: Int64s, each: Int64s | int) -> Ragged:
    """Return rows of ``each`` numbers of 4 bytes."""
    counts = np.ones(len(values), np.int64) if isinstance(each, int) else each
    return 4 * counts, values.astype("<u4").view(np.uint8)


def _read(data: Bytes, places: Int64s) -> Int64s:
    """Return the numbers of 4 bytes that begin at these places."""
    return data[places[:, None] + np.arange(4)].view("<u4").reshape(-1).astype(np.int64)


def _spans(starts: Int64s, lengths: Int64s, step: int = 1) -> Int64s:
    """Return the places of all rows: ``lengths`` of them a row, from its start on, ``step`` apart."""
    ends = _offsets(lengths)
    return np.repeat(starts - step * ends[:-1], lengths) + step * np.arange(ends[-1])


def _offsets(lengths: Int64s) -> Int64s:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _valid(array: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(array.is_valid()) if array.null_count else np.ones(len(array), np.bool_)


def _bitmap(valid: NDArray[np.bool_]) -> pa.Buffer | None:
    return pa.array(valid).buffers()[1] if not valid.all() else None
