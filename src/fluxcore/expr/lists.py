"""Columns of lists and maps as offsets and values, and numbers that are equal for equal values of any type."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]
    Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists of a column: their elements end to end, ``offsets`` (one more than rows), and which lists are NULL (empty)."""

    offsets: Int64s
    values: pa.Array
    nulls: Bools

    @property
    def counts(self) -> Int64s:
        """Return how many elements each list has."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Int64s:
        """Return the row of each element."""
        return np.repeat(np.arange(len(self.nulls)), self.counts)

    @property
    def places(self) -> Int64s:
        """Return the place of each element in its list, from 0."""
        return np.arange(len(self.values)) - np.repeat(self.offsets[:-1], self.counts)

    def take(self, elements: Int64s, counts: Int64s, nulls: Bools | None = None) -> pa.ListArray:
        """Return lists of chosen elements: ``counts`` of them for each row."""
        return list_array(self.values.take(pa.array(elements)), counts, self.nulls if nulls is None else nulls)

    def keep(self, chosen: Bools) -> pa.ListArray:
        """Return the lists with only the chosen elements."""
        rows = self.rows[chosen]
        return self.take(np.flatnonzero(chosen), np.bincount(rows, minlength=len(self.nulls)))


def lists_of(array: pa.Array) -> Lists:
    """Return a column of lists taken apart."""
    counts = np.asarray(pc.list_value_length(array).fill_null(0)).astype(np.int64)
    return Lists(offsets_of(counts), array.flatten(), nulls_of(array))


def maps_of(array: pa.MapArray) -> tuple[Lists, pa.Array]:
    """Return the keys of a column of maps taken apart, and beside each key its value."""
    nulls = nulls_of(array)
    if not len(array):
        return Lists(np.zeros(1, np.int64), array.keys.slice(0, 0), nulls), array.items.slice(0, 0)
    bounds = np.asarray(array.offsets).astype(np.int64)
    counts = np.where(nulls, 0, np.diff(bounds))
    offsets = offsets_of(counts)
    chosen = pa.array(np.arange(offsets[-1]) + np.repeat(bounds[:-1] - offsets[:-1], counts))
    return Lists(offsets, array.keys.take(chosen), nulls), array.items.take(chosen)


def offsets_of(counts: Int64s) -> Int64s:
    """Return where lists of so many elements begin, and where the last one ends."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)))


def nulls_of(*arrays: pa.Array) -> Bools:
    """Return for each row whether it is NULL in any of the columns."""
    found: Bools = np.logical_or.reduce([np.asarray(array.is_null()) for array in arrays])
    return found


def list_array(values: pa.Array, counts: Int64s, nulls: Bools) -> pa.ListArray:
    """Return a column of lists of so many values each; NULL lists have none."""
    mask = pa.array(nulls) if nulls.any() else None
    return pa.ListArray.from_arrays(pa.array(offsets_of(counts).astype(np.int32)), values, mask=mask)


def map_array(keys: pa.Array, items: pa.Array, counts: Int64s, nulls: Bools) -> pa.MapArray:
    """Return a column of maps of so many pairs each; NULL maps have none."""
    offsets = pa.array(offsets_of(counts).astype(np.int32))
    mask = pa.array(nulls) if nulls.any() else None
    return pa.MapArray.from_arrays(offsets, keys, items, mask=mask)


def interleaved(arrays: Sequence[pa.Array], rows: int) -> pa.Array:
    """Return the values of columns row by row: all of the first row, then all of the second."""
    order = np.arange(len(arrays) * rows).reshape(len(arrays), rows).T.reshape(-1)
    return pa.concat_arrays(list(arrays)).take(pa.array(order))


def joined(lists: Sequence[Lists]) -> Lists:
    """Return the lists of several columns one behind the other, row by row; NULL where any is."""
    nulls = np.logical_or.reduce([each.nulls for each in lists])
    counts = [np.where(nulls, 0, each.counts) for each in lists]
    total = np.sum(counts, axis=0)
    offsets = offsets_of(total)
    order = np.empty(offsets[-1], np.int64)
    at, before = offsets[:-1].copy(), 0
    for each, count in zip(lists, counts, strict=True):
        within = np.arange(count.sum()) - np.repeat(offsets_of(count)[:-1], count)
        order[np.repeat(at, count) + within] = before + np.repeat(each.offsets[:-1], count) + within
        at += count
        before += len(each.values)
    return Lists(offsets, pa.concat_arrays([each.values for each in lists]).take(pa.array(order)), nulls)


def firsts(rows: Int64s, codes: Int64s) -> Bools:
    """Return which elements are the first of their row with their code."""
    chosen = np.zeros(len(rows), np.bool_)
    if len(rows):
        order = np.lexsort((codes, rows))
        new = np.ones(len(rows), np.bool_)
        new[1:] = (rows[order][1:] != rows[order][:-1]) | (codes[order][1:] != codes[order][:-1])
        chosen[order[new]] = True
    return chosen


def unique_pairs(keys: Lists, items: pa.Array) -> pa.MapArray:
    """Return maps of pairs; of equal keys the last one's value counts, in the place of the first.

    Raises: ``DataError`` FX-RUN-0106 for a NULL key.
    """
    if keys.values.null_count:
        raise DataError("FX-RUN-0106", "NULL can't be a key of a MAP")
    rows, codes = keys.rows, codes_of(keys.values)[0]
    first, last = (np.flatnonzero(each) for each in (firsts(rows, codes), firsts(rows[::-1], codes[::-1])[::-1]))
    by_code = [each[np.lexsort((codes[each], rows[each]))] for each in (first, last)]
    back = np.argsort(by_code[0])
    counts = np.bincount(rows[first], minlength=len(keys.nulls))
    held, given = (pa.array(each[back]) for each in by_code)
    return map_array(keys.values.take(held), items.take(given), counts, keys.nulls)


def codes_of(*arrays: pa.Array) -> list[Int64s]:
    """Return numbers that are equal for equal values, also of different columns (of one type); NULL is -1."""
    whole = pa.concat_arrays(list(arrays)) if len(arrays) > 1 else arrays[0]
    ends = np.cumsum([len(each) for each in arrays])[:-1]
    return np.split(_codes(whole), ends)


def _codes(array: pa.Array) -> Int64s:
    type_ = array.type
    if pa.types.is_null(type_):
        return np.full(len(array), -1, np.int64)
    nulls = nulls_of(array)
    if pa.types.is_struct(type_):
        fields = [_codes(pc.struct_field(array, index)) for index in range(type_.num_fields)]
        found = _numbered(np.stack(fields, axis=1) if fields else np.zeros((len(array), 0), np.int64))
    elif pa.types.is_map(type_):
        keys, items = maps_of(array)
        key_codes, item_codes = _codes(keys.values), _codes(items)
        order = np.lexsort((key_codes, keys.rows))
        found = _of_runs(np.stack((key_codes[order], item_codes[order]), axis=1), keys.offsets)
    elif pa.types.is_list(type_):
        lists = lists_of(array)
        found = _of_runs(_codes(lists.values), lists.offsets)
    elif pa.types.is_floating(type_):
        numbers = np.asarray(array.fill_null(0.0)).astype(np.float64) + 0.0
        numbers[np.isnan(numbers)] = np.nan
        found = np.unique(numbers.view(np.int64), return_inverse=True)[1].astype(np.int64)
    else:
        plain = array.cast(pa.int8()) if pa.types.is_boolean(type_) else array
        found = np.asarray(plain.dictionary_encode().indices.fill_null(-1)).astype(np.int64)
    return np.where(nulls, -1, found)


def _numbered(table: NDArray[np.int64]) -> Int64s:
    if not table.shape[1]:
        return np.zeros(len(table), np.int64)
    return np.unique(table, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _of_runs(codes: NDArray[np.int64], offsets: Int64s) -> Int64s:
    """Return a number for each run of codes, equal for equal runs."""
    known: dict[Any, int] = {}
    runs = pairwise(offsets.tolist())
    found = [known.setdefault(codes[start:end].tobytes(), len(known)) for start, end in runs]
    return np.array(found, np.int64)


def ranks_of(values: pa.Array) -> Int64s:
    """Return numbers that order values of a plain type, equal for equal ones; NULL is -1."""
    plain = values.cast(pa.int8()) if pa.types.is_boolean(values.type) else values
    encoded = plain.dictionary_encode()
    order = np.asarray(pc.array_sort_indices(encoded.dictionary))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    places = np.asarray(encoded.indices.fill_null(0)).astype(np.int64)
    return np.where(nulls_of(values), -1, rank[places] if len(rank) else places)
