"""The compiled parts of a log of rows: its index by 64-bit keys, scans of what is not in it yet, and reads by slot.

The index is open addressing with linear probing: ``heads`` (int32) holds the newest slot + 1 of a key and 0 where an entry is
free, ``found`` (int64) the keys. ``nexts`` (int32 by slot) holds the slot + 1 of the next older row of the same key.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from fluxcore.core.peek_kernels import copy_from, peek_i32, peek_u8

_C1 = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True, inline="always")
def _place(key, mask):  # type: ignore[no-untyped-def]
    h = np.uint64(key) * _C1
    return (h ^ (h >> np.uint64(32))) & mask


@njit(cache=True, nogil=True)
def enter(found, heads, nexts, keys, first, stop):  # type: ignore[no-untyped-def]
    """Enter the rows ``first`` to ``stop`` into the index; return how many keys were new. There must be room."""
    mask = np.uint64(len(heads) - 1)
    made = 0
    for slot in range(first, stop):
        key = keys[slot]
        at = _place(key, mask)
        while heads[at] != 0 and found[at] != key:
            at = (at + np.uint64(1)) & mask
        if heads[at] == 0:
            found[at] = key
            made += 1
        nexts[slot] = heads[at]
        heads[at] = slot + 1
    return made


@njit(cache=True, nogil=True)
def move(found, heads, wider, taller):  # type: ignore[no-untyped-def]
    """Enter all keys of an index into a larger, empty one."""
    mask = np.uint64(len(taller) - 1)
    for old in range(len(heads)):
        if heads[old]:
            at = _place(found[old], mask)
            while taller[at] != 0:
                at = (at + np.uint64(1)) & mask
            wider[at] = found[old]
            taller[at] = heads[old]


@njit(cache=True, nogil=True)
def look_up(found, heads, keys, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (int32) with the newest slot + 1 of each key, 0 where there is none; return how many there are."""
    mask = np.uint64(len(heads) - 1)
    hits = 0
    for row in range(len(keys)):
        key = keys[row]
        at = _place(key, mask)
        while heads[at] != 0 and found[at] != key:
            at = (at + np.uint64(1)) & mask
        out[row] = heads[at]
        hits += heads[at] != 0
    return hits


@njit(cache=True, nogil=True)
def follow(starts, nexts, place, rows, slots):  # type: ignore[no-untyped-def]
    """Fill ``rows`` and ``slots`` with the pairs of each row and the slots of its chain, from ``starts`` (slot + 1) on.

    ``place`` int64: [0] the row to go on with, [1] the slot + 1 to go on with, or -1 for the row's first. Returns how many
    pairs there are; fewer than there is room for means that all are done.
    """
    count, room = 0, len(rows)
    while place[0] < len(starts):
        row = place[0]
        at = np.int64(starts[row]) if place[1] < 0 else place[1]
        while at:
            if count == room:
                place[1] = at
                return count
            rows[count] = row
            slots[count] = at - 1
            count += 1
            at = np.int64(nexts[at - 1])
        place[0] = row + 1
        place[1] = -1
    return count


@njit(cache=True, nogil=True)
def scan(found, heads, chain, keys, place, stop, rows, slots):  # type: ignore[no-untyped-def]
    """Fill ``rows`` and ``slots`` with the pairs of asked keys and the rows of ``keys`` that have them.

    ``found``, ``heads`` and ``chain`` index the asked keys. ``place`` int64: [0] the slot to go on with, [1] the asked row + 1
    to go on with, or -1 for the slot's first. Returns as :func:`follow` does.
    """
    mask = np.uint64(len(heads) - 1)
    count, room = 0, len(rows)
    slot = place[0]
    resumed = place[1]
    while slot < stop:
        if resumed >= 0:
            at = resumed
            resumed = np.int64(-1)
        else:
            key = keys[slot]
            entry = _place(key, mask)
            while heads[entry] != 0 and found[entry] != key:
                entry = (entry + np.uint64(1)) & mask
            at = np.int64(heads[entry])
        while at:
            if count == room:
                place[0], place[1] = slot, at
                return count
            rows[count] = at - 1
            slots[count] = slot
            count += 1
            at = np.int64(chain[at - 1])
        slot += 1
    place[0], place[1] = slot, -1
    return count


@njit(cache=True, nogil=True)
def locate(firsts, chunks, chosen, slots, chunk_of, row_of):  # type: ignore[no-untyped-def]
    """Fill the chunk of each slot and its row there. ``firsts`` (rising) the first slots of the ``chunks`` chunks.

    ``chosen``: by chunk the address of its rows' numbers (int32) in the batch, 0 where all rows of the batch are there.
    """
    last = 0
    for i in range(len(slots)):
        slot = slots[i]
        if not (firsts[last] <= slot and (last + 1 == chunks or slot < firsts[last + 1])):
            low, high = 0, chunks
            while high - low > 1:
                middle = (low + high) >> 1
                if firsts[middle] <= slot:
                    low = middle
                else:
                    high = middle
            last = low
        row = slot - firsts[last]
        chunk_of[i] = last
        row_of[i] = np.int64(peek_i32(chosen[last] + 4 * row)) if chosen[last] else row


@njit(cache=True, nogil=True)
def gather_valid(valid, offsets, chunk_of, row_of, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (bool) with whether each value is there; ``valid`` addresses of bitmaps (0: none is NULL). Returns NULLs."""
    nulls = 0
    for i in range(len(out)):
        chunk = chunk_of[i]
        there = True
        if valid[chunk]:
            at = offsets[chunk] + row_of[i]
            there = (peek_u8(valid[chunk] + (at >> 3)) >> (at & 7)) & 1 == 1
        out[i] = there
        nulls += not there
    return nulls


@njit(cache=True, nogil=True)
def gather_bits(values, offsets, chunk_of, row_of, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (uint8) with booleans."""
    for i in range(len(out)):
        at = offsets[chunk_of[i]] + row_of[i]
        out[i] = (peek_u8(values[chunk_of[i]] + (at >> 3)) >> (at & 7)) & 1


@njit(cache=True, nogil=True)
def gather_fixed(values, offsets, width, chunk_of, row_of, out):  # type: ignore[no-untyped-def]
    """Copy values of ``width`` bytes (1, 2, 4, 8 or 16) to ``out`` (uint8); ``values`` addresses, ``offsets`` of the arrays."""
    rows = len(row_of)
    if width == 8:
        for i in range(rows):
            copy_from(out, i * 8, values[chunk_of[i]] + 8 * (offsets[chunk_of[i]] + row_of[i]), 8)
    elif width == 4:
        for i in range(rows):
            copy_from(out, i * 4, values[chunk_of[i]] + 4 * (offsets[chunk_of[i]] + row_of[i]), 4)
    elif width == 16:
        for i in range(rows):
            copy_from(out, i * 16, values[chunk_of[i]] + 16 * (offsets[chunk_of[i]] + row_of[i]), 16)
    elif width == 2:
        for i in range(rows):
            copy_from(out, i * 2, values[chunk_of[i]] + 2 * (offsets[chunk_of[i]] + row_of[i]), 2)
    else:
        for i in range(rows):
            out[i] = peek_u8(values[chunk_of[i]] + offsets[chunk_of[i]] + row_of[i])


@njit(cache=True, nogil=True)
def text_starts(starts, offsets, chunk_of, row_of, begins, ends):  # type: ignore[no-untyped-def]
    """Fill where each text begins in its chunk's bytes, and ``ends`` (int32, one more, from 0) where it ends in the result.

    Returns the bytes of the result, which may be more than int32 holds.
    """
    total = np.int64(0)
    ends[0] = 0
    for i in range(len(row_of)):
        at = starts[chunk_of[i]] + 4 * (offsets[chunk_of[i]] + row_of[i])
        begin = np.int64(peek_i32(at))
        begins[i] = begin
        total += np.int64(peek_i32(at + 4)) - begin
        ends[i + 1] = total
    return total


@njit(cache=True, nogil=True)
def gather_texts(data, chunk_of, begins, ends, out):  # type: ignore[no-untyped-def]
    """Copy texts one behind the other; ``data`` addresses of the bytes by chunk."""
    for i in range(len(begins)):
        at = np.int64(ends[i])
        copy_from(out, at, data[chunk_of[i]] + begins[i], np.int64(ends[i + 1]) - at)
