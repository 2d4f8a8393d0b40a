"""The compiled index of keyed tables: open addressing with linear probing.

An entry of ``index`` (uint64) is 0 when free, 1 when deleted, else a tag (upper 32 bits of the hash) and slot + 2.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from fluxcore.core.copy_kernels import copy_bytes
from fluxcore.core.hashing_kernels import xxh64

_MASK32 = np.uint64(0xFFFFFFFF)
_C1 = np.uint64(0x9E3779B97F4A7C15)
_C2 = np.uint64(0xBF58476D1CE4E5B9)


@njit(cache=True, nogil=True, inline="always")
def _mix(words, row):  # type: ignore[no-untyped-def]
    h = np.uint64(0)
    for index in range(words.shape[1]):
        h = (h ^ np.uint64(words[row, index])) * _C1
        h ^= h >> np.uint64(32)
    h *= _C2
    return h ^ (h >> np.uint64(29))


@njit(cache=True, nogil=True, inline="always")
def _equal(keys, slot, words, row):  # type: ignore[no-untyped-def]
    for index in range(words.shape[1]):
        if keys[slot, index] != words[row, index]:
            return False
    return True


@njit(cache=True, nogil=True)
def upsert(index, keys, words, first, free, state, slots, fresh):  # type: ignore[no-untyped-def]
    """Find or make the slot of each row of ``words`` (int64, rows x k) from row ``first`` on.

    ``state`` int64: [0] high-water slot, [1] free slots on the stack ``free``, [2] used index entries, [3] rows in
    ``fresh``. ``fresh`` gets the rows that made a slot. Returns the row at which the index has become too full, or the
    number of rows.
    """
    mask = np.uint64(len(index) - 1)
    most = len(index) * 6 // 10
    for row in range(first, words.shape[0]):
        if row > first and _equal(words, row - 1, words, row):
            slots[row] = slots[row - 1]
            continue
        if state[2] >= most:
            return row
        h = _mix(words, row)
        tag = h & ~_MASK32
        at = h & mask
        while True:
            entry = index[at]
            if entry == 0:
                if state[1] > 0:
                    state[1] -= 1
                    slot = free[state[1]]
                else:
                    slot = state[0]
                    state[0] += 1
                for i in range(words.shape[1]):
                    keys[slot, i] = words[row, i]
                index[at] = tag | np.uint64(slot + 2)
                state[2] += 1
                slots[row] = slot
                fresh[state[3]] = row
                state[3] += 1
                break
            if entry > 1 and (entry & ~_MASK32) == tag:
                slot = np.int64(entry & _MASK32) - 2
                if slot >= 0 and _equal(keys, slot, words, row):
                    slots[row] = slot
                    break
            at = (at + np.uint64(1)) & mask
    return words.shape[0]


@njit(cache=True, nogil=True)
def key_words(keys, slots, place, flag, out, nulls):  # type: ignore[no-untyped-def]
    """Copy word ``place`` of the keys at ``slots`` to ``out``; ``nulls`` (bool) gets bit ``flag`` of the last word.

    A ``flag`` of -1 says that no key is NULL. Returns how many are.
    """
    last = keys.shape[1] - 1
    count = 0
    for row in range(len(slots)):
        slot = slots[row]
        out[row] = keys[slot, place]
        if flag >= 0:
            null = (keys[slot, last] >> flag) & 1
            nulls[row] = null
            count += null
    return count


@njit(cache=True, nogil=True)
def lookup(index, keys, words, slots):  # type: ignore[no-untyped-def]
    """Find the slot of each row of ``words``; -1 where there is none."""
    mask = np.uint64(len(index) - 1)
    for row in range(words.shape[0]):
        h = _mix(words, row)
        tag = h & ~_MASK32
        at = h & mask
        slots[row] = -1
        while index[at] != 0:
            entry = index[at]
            if entry > 1 and (entry & ~_MASK32) == tag:
                slot = np.int64(entry & _MASK32) - 2
                if slot >= 0 and _equal(keys, slot, words, row):
                    slots[row] = slot
                    break
            at = (at + np.uint64(1)) & mask


@njit(cache=True, nogil=True)
def remove(index, keys, slots):  # type: ignore[no-untyped-def]
    """Mark the index entries of these slots as deleted."""
    mask = np.uint64(len(index) - 1)
    for number in range(len(slots)):
        slot = slots[number]
        wanted = np.uint64(slot + 2)
        at = _mix(keys, slot) & mask
        while index[at] != 0:
            if index[at] > 1 and (index[at] & _MASK32) == wanted:
                index[at] = 1
                break
            at = (at + np.uint64(1)) & mask


@njit(cache=True, nogil=True)
def rebuild(index, keys, slots):  # type: ignore[no-untyped-def]
    """Enter live slots into an empty index."""
    mask = np.uint64(len(index) - 1)
    for number in range(len(slots)):
        slot = slots[number]
        h = _mix(keys, slot)
        at = h & mask
        while index[at] != 0:
            at = (at + np.uint64(1)) & mask
        index[at] = (h & ~_MASK32) | np.uint64(slot + 2)


@njit(cache=True, nogil=True)
def intern(index, arena, starts, lengths, offsets, data, free, state, ids, fresh, insert):  # type: ignore[no-untyped-def]
    """Find, or make where ``insert``, the id of each text; texts are compared byte by byte.

    ``state`` int64: [0] high-water id, [1] free ids, [2] used entries, [3] bytes of the arena in use. Returns how many ids
    were made; ``fresh`` gets them.
    """
    mask = np.uint64(len(index) - 1)
    made = 0
    for row in range(len(offsets) - 1):
        start, length = offsets[row], offsets[row + 1] - offsets[row]
        h = xxh64(data, start, length)
        tag = h & ~_MASK32
        at = h & mask
        ids[row] = -1
        while True:
            entry = index[at]
            if entry == 0:
                if not insert:
                    break
                if state[1] > 0:
                    state[1] -= 1
                    new = free[state[1]]
                else:
                    new = state[0]
                    state[0] += 1
                for i in range(length):
                    arena[state[3] + i] = data[start + i]
                starts[new] = state[3]
                lengths[new] = length
                state[3] += length
                index[at] = tag | np.uint64(new + 2)
                state[2] += 1
                ids[row] = new
                fresh[made] = new
                made += 1
                break
            if entry > 1 and (entry & ~_MASK32) == tag:
                found = np.int64(entry & _MASK32) - 2
                if found >= 0 and lengths[found] == length:
                    same = True
                    for i in range(length):
                        if arena[starts[found] + i] != data[start + i]:
                            same = False
                            break
                    if same:
                        ids[row] = found
                        break
            at = (at + np.uint64(1)) & mask
    return made


@njit(cache=True, nogil=True)
def reindex_texts(index, arena, starts, lengths, ids):  # type: ignore[no-untyped-def]
    """Enter live texts into an empty index."""
    mask = np.uint64(len(index) - 1)
    for number in range(len(ids)):
        each = ids[number]
        h = xxh64(arena, starts[each], lengths[each])
        at = h & mask
        while index[at] != 0:
            at = (at + np.uint64(1)) & mask
        index[at] = (h & ~_MASK32) | np.uint64(each + 2)


@njit(cache=True, nogil=True)
def remove_texts(index, arena, starts, lengths, ids):  # type: ignore[no-untyped-def]
    """Mark the index entries of these texts as deleted."""
    mask = np.uint64(len(index) - 1)
    for number in range(len(ids)):
        each = ids[number]
        wanted = np.uint64(each + 2)
        at = xxh64(arena, starts[each], lengths[each]) & mask
        while index[at] != 0:
            if index[at] > 1 and (index[at] & _MASK32) == wanted:
                index[at] = 1
                break
            at = (at + np.uint64(1)) & mask


@njit(cache=True, nogil=True)
def gather_texts(arena, starts, lengths, ids, offsets, out):  # type: ignore[no-untyped-def]
    """Copy the texts of ``ids`` one behind the other; ``offsets`` are already filled."""
    for row in range(len(ids)):
        each = ids[row]
        if each >= 0:
            copy_bytes(out, np.int64(offsets[row]), arena, starts[each], np.int64(lengths[each]))
