"""Turns columns of any type into int64 words, so that rows are grouped and ordered with NumPy's vectorised sort.

A column becomes one or more words; two rows are equal in the column exactly when all of its words are equal. NULL equals
NULL, NaN equals NaN and is greater than every number, and -0.0 equals 0.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fluxcore.core.batch import Bools, Int64s

_WORD_BITS = 63
_LOWEST = np.int64(-(2**63))
_FEW = 64
_HIGHEST = np.int64(2**63 - 1)


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key of an order: the column's position, the direction, and where NULLs go (Flink: first when ascending)."""

    column: int
    descending: bool = False
    nulls_first: bool = True


def equality_words(array: pa.Array) -> list[Int64s]:
    """Return words that are equal for two rows exactly when the rows are (any Arrow type, nested ones too)."""
    return _with_nulls(array, _values(array, ordered=False), nulls_first=True)


def order_words(array: pa.Array, key: OrderKey) -> list[Int64s]:
    """Return words that order rows as ``key`` says, the first word counting most.

    In: a column of a plain type; text and bytes order by their bytes. Nested types have no order (``TypeError``).
    """
    if pa.types.is_nested(array.type):
        raise TypeError(f"values of type {array.type} have no order")
    words = _values(array, ordered=True)
    if key.descending:
        words = [~word for word in words]
    return _with_nulls(array, words, nulls_first=key.nulls_first)


def lasting_words(array: pa.Array, key: OrderKey) -> list[Int64s]:
    """Return :func:`order_words` of which there are as many for every column of the type: :func:`word_count`.

    Words of different columns of a type compare as their values do, but for text and bytes (:func:`is_lasting`).
    """
    words = [word if word.flags.c_contiguous else np.ascontiguousarray(word) for word in order_words(array, key)]
    if len(words) < word_count(array.type):
        words.insert(0, np.full(len(array), key.nulls_first, np.int64))
    return words


def word_count(type_: pa.DataType) -> int:
    """Return how many words :func:`lasting_words` gives: one says whether the value is NULL."""
    if pa.types.is_null(type_):
        return 0
    return 3 if pa.types.is_decimal128(type_) else 2


def is_lasting(type_: pa.DataType) -> bool:
    """Return whether order words of different columns of a type compare as their values do."""
    return bool(pa.types.is_primitive(type_) or pa.types.is_decimal128(type_) or pa.types.is_null(type_))


def stable_order(words: Sequence[Int64s], rows: int) -> Int64s:
    """Return the row numbers sorted by ``words`` (the first counts most), equal rows in their given order."""
    index_bits = max(rows - 1, 0).bit_length()
    packs = _packed(words, _WORD_BITS - index_bits)
    if not packs:
        return np.arange(rows, dtype=np.int64)
    if len(packs) == 1 and packs[0].bits + index_bits <= _WORD_BITS:
        keyed = packs[0].word << index_bits
        keyed |= np.arange(rows, dtype=np.int64)
        keyed.sort()
        keyed &= (1 << index_bits) - 1
        return keyed
    return np.lexsort([pack.word for pack in reversed(packs)]).astype(np.int64, copy=False)


def changes(words: Sequence[Int64s], order: Int64s) -> Bools:
    """Return for each place of ``order`` whether its row differs from the one before in any word; the first does."""
    changed = np.zeros(len(order), np.bool_)
    if len(order):
        changed[0] = True
    for word in words:
        if not _constant(word):
            sorted_word = word[order]
            changed[1:] |= sorted_word[1:] != sorted_word[:-1]
    return changed


def dense_codes(words: Sequence[Int64s], rows: int) -> tuple[Int64s, int]:
    """Return a group number (0, 1, …, in the order of the words) for each row, and the number of groups."""
    if rows == 0:
        return np.zeros(0, np.int64), 0
    if len(words) == 1:
        unique, codes = distinct(words[0])
        return codes, len(unique)
    order = stable_order(words, rows)
    codes = np.empty(rows, np.int64)
    numbers = np.cumsum(changes(words, order))
    codes[order] = numbers - 1
    return codes, int(numbers[-1])


def distinct(values: Int64s) -> tuple[Int64s, Int64s]:
    """Return the different values (rising), and for each value its place among them; quick where they are few."""
    from fluxcore.operators.distinct_kernels import few_distinct  # compiled code is loaded only to run

    places, few = np.empty(len(values), np.int64), np.empty(_FEW, np.int64)
    count = few_distinct(np.ascontiguousarray(values), few, places)
    if count < 0:
        unique, inverse = np.unique(values, return_inverse=True)
        return unique, inverse.reshape(-1)
    order = np.argsort(few[:count])
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    return few[:count][order], rank[places]


def all_valid(columns: Sequence[pa.Array]) -> Bools | None:
    """Return for each row whether none of the columns is NULL in it, or None when that holds for all rows."""
    valid: Bools | None = None
    for column in columns:
        if column.null_count:
            mine = column.is_valid().to_numpy(zero_copy_only=False)
            valid = mine if valid is None else valid & mine
    return valid


def raw_values(array: pa.Array, dtype: str) -> NDArray[Any]:
    """Return the values of a fixed-width array as a view; what stands at NULLs is undefined."""
    item = np.dtype(dtype)
    buffer = array.buffers()[1] if len(array) else None
    if buffer is None:
        return np.zeros(len(array), item)
    return np.frombuffer(buffer, item, count=array.offset + len(array))[array.offset :]


@dataclass(frozen=True, slots=True)
class _Pack:
    word: Int64s
    bits: int


def _constant(word: Int64s) -> bool:
    return word.strides == (0,) or len(word) <= 1


def _packed(words: Sequence[Int64s], room: int) -> list[_Pack]:
    """Return the words shifted to start at zero and joined into as few as fit, constant ones left out."""
    narrow = [pack for pack in map(_narrowed, words) if pack.bits]
    if sum(pack.bits for pack in narrow) > room:
        narrow = [_ranked(pack) if pack.bits > len(pack.word).bit_length() else pack for pack in narrow]
    packs: list[_Pack] = []
    for pack in narrow:
        if packs and packs[-1].bits + pack.bits <= room:
            last = packs.pop()
            packs.append(_Pack(last.word << pack.bits | pack.word, last.bits + pack.bits))
        else:
            packs.append(pack)
    if len(packs) > 1:
        packs = [_ranked(pack) for pack in packs]
        if sum(pack.bits for pack in packs) <= room:
            return _packed([pack.word for pack in packs], room)
    return packs


def _narrowed(word: Int64s) -> _Pack:
    if _constant(word):
        return _Pack(word, 0)
    low, high = int(word.min()), int(word.max())
    bits = (high - low).bit_length()
    if bits > _WORD_BITS:
        return _Pack(word, bits)
    return _Pack(word - low, bits)


def _ranked(pack: _Pack) -> _Pack:
    order = np.argsort(pack.word)
    sorted_word = pack.word[order]
    ranks = np.empty(len(order), np.int64)
    steps = np.zeros(len(order), np.int64)
    np.cumsum(sorted_word[1:] != sorted_word[:-1], out=steps[1:])
    ranks[order] = steps
    return _Pack(ranks, int(steps[-1]).bit_length())


def _with_nulls(array: pa.Array, words: list[Int64s], *, nulls_first: bool) -> list[Int64s]:
    if array.null_count == 0 or pa.types.is_null(array.type):
        return words
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    flag = valid.astype(np.int64) if nulls_first else (~valid).astype(np.int64)
    return [flag, *(np.where(valid, word, 0) for word in words)]


def _values(array: pa.Array, *, ordered: bool) -> list[Int64s]:
    type_ = array.type
    if pa.types.is_null(type_):
        return []
    if pa.types.is_boolean(type_):
        return [pc.cast(array, pa.uint8()).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)]
    if pa.types.is_floating(type_):
        return [_float_word(raw_values(array, f"f{type_.bit_width // 8}"))]
    if pa.types.is_decimal128(type_):
        halves = raw_values(array, "V16").view(np.int64).reshape(-1, 2)
        return [halves[:, 1].copy(), halves[:, 0] ^ _LOWEST]
    if pa.types.is_primitive(type_):
        return [raw_values(array, f"i{type_.bit_width // 8}").astype(np.int64, copy=False)]
    if pa.types.is_nested(type_):
        return _nested_words(array)
    return [_dictionary_word(array, ordered=ordered)]


def _float_word(values: NDArray[Any]) -> Int64s:
    numbers = values.astype(np.float64) + 0.0
    numbers[np.isnan(numbers)] = np.nan
    bits = numbers.view(np.int64)
    return bits ^ (bits >> 63 & _HIGHEST)


def _dictionary_word(array: pa.Array, *, ordered: bool) -> Int64s:
    encoded = array.dictionary_encode()
    codes = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    if not ordered or len(encoded.dictionary) == 0:
        return codes
    ranks = np.empty(len(encoded.dictionary), np.int64)
    ranks[pc.array_sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(ranks))
    return ranks[codes]


def _nested_words(array: pa.Array) -> list[Int64s]:
    if pa.types.is_struct(array.type):
        return [word for field in array.flatten() for word in equality_words(field)]
    return [_list_word(array)]


def _list_word(array: pa.Array) -> Int64s:
    """Return the code of each list: its elements' codes are packed into bytes, which Arrow tells apart.

    The entries of a map are put in one order first, as a map has none.
    """
    is_map = pa.types.is_map(array.type)
    lists = array.cast(pa.list_(pa.struct([array.type.key_field, array.type.item_field]))) if is_map else array
    lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    items = lists.flatten()
    codes, _ = dense_codes(equality_words(items), len(items))
    if is_map:
        owners = np.repeat(np.arange(len(lengths)), lengths)
        codes = codes[stable_order([owners, codes], len(codes))]
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths * 8, out=offsets[1:])
    packed = pa.Array.from_buffers(
        pa.large_binary(), len(lengths), [None, pa.py_buffer(offsets), pa.py_buffer(codes.tobytes())]
    )
    return _dictionary_word(packed, ordered=False)
