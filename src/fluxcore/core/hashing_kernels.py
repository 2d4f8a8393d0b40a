"""XXH64 (seed 0) of bytes and of 8-byte words, compiled.

Positions are unsigned, so that the compiler joins eight loads of a byte into one.
Source: the xxHash specification, "XXH64 algorithm description".
"""

from __future__ import annotations

import numpy as np
from numba import njit

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_0, _1, _2, _3, _4, _5, _6, _7, _8 = (np.uint64(number) for number in range(9))


@njit(cache=True, nogil=True, inline="always")
def _rotated(value, bits):  # type: ignore[no-untyped-def]
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@njit(cache=True, nogil=True, inline="always")
def _round(acc, lane):  # type: ignore[no-untyped-def]
    return _rotated(acc + lane * _P2, 31) * _P1


@njit(cache=True, nogil=True, inline="always")
def _avalanche(h):  # type: ignore[no-untyped-def]
    h ^= h >> np.uint64(33)
    h *= _P2
    h ^= h >> np.uint64(29)
    h *= _P3
    return h ^ (h >> np.uint64(32))


@njit(cache=True, nogil=True, inline="always")
def load4(data, at):  # type: ignore[no-untyped-def]
    """Return 4 bytes of ``data`` (uint8) from ``at`` (uint64) on as a little-endian number."""
    return (
        np.uint64(data[at])
        | np.uint64(data[at + _1]) << np.uint64(8)
        | np.uint64(data[at + _2]) << np.uint64(16)
        | np.uint64(data[at + _3]) << np.uint64(24)
    )


@njit(cache=True, nogil=True, inline="always")
def load8(data, at):  # type: ignore[no-untyped-def]
    """Return 8 bytes of ``data`` (uint8) from ``at`` (uint64) on as a little-endian number."""
    return (
        np.uint64(data[at])
        | np.uint64(data[at + _1]) << np.uint64(8)
        | np.uint64(data[at + _2]) << np.uint64(16)
        | np.uint64(data[at + _3]) << np.uint64(24)
        | np.uint64(data[at + _4]) << np.uint64(32)
        | np.uint64(data[at + _5]) << np.uint64(40)
        | np.uint64(data[at + _6]) << np.uint64(48)
        | np.uint64(data[at + _7]) << np.uint64(56)
    )


@njit(cache=True, nogil=True)
def xxh64(data, start, length):  # type: ignore[no-untyped-def]
    """Return XXH64 of ``length`` bytes of ``data`` (uint8) from ``start`` on."""
    at = np.uint64(start)
    end = at + np.uint64(length)
    if length >= 32:
        a, b = _P1 + _P2, _P2
        c, d = _0, _0 - _P1
        while at + np.uint64(32) <= end:
            a = _round(a, load8(data, at))
            b = _round(b, load8(data, at + _8))
            c = _round(c, load8(data, at + np.uint64(16)))
            d = _round(d, load8(data, at + np.uint64(24)))
            at += np.uint64(32)
        h = _rotated(a, 1) + _rotated(b, 7) + _rotated(c, 12) + _rotated(d, 18)
        for lane in (a, b, c, d):
            h = (h ^ _round(_0, lane)) * _P1 + _P4
    else:
        h = _P5
    h += np.uint64(length)
    while at + _8 <= end:
        h = _rotated(h ^ _round(_0, load8(data, at)), 27) * _P1 + _P4
        at += _8
    if at + _4 <= end:
        h = _rotated(h ^ (load4(data, at) * _P1), 23) * _P2 + _P3
        at += _4
    while at < end:
        h = _rotated(h ^ (np.uint64(data[at]) * _P5), 11) * _P1
        at += _1
    return _avalanche(h)


@njit(cache=True, nogil=True)
def hash_texts(offsets, data, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (uint64) with XXH64 of each text of Arrow's offsets (int32) and bytes (uint8)."""
    for row in range(len(offsets) - 1):
        out[row] = xxh64(data, offsets[row], offsets[row + 1] - offsets[row])


@njit(cache=True, nogil=True)
def hash_words(words, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (uint64) with XXH64 of each word (int64 or uint64) as 8 little-endian bytes."""
    for row in range(len(words)):
        out[row] = _avalanche(_rotated((_P5 + _8) ^ _round(_0, np.uint64(words[row])), 27) * _P1 + _P4)


@njit(cache=True, nogil=True)
def hash_rows(data, width, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (uint64) with XXH64 of each stretch of ``width`` bytes of ``data`` (uint8)."""
    for row in range(len(out)):
        out[row] = xxh64(data, row * width, width)


@njit(cache=True, nogil=True)
def split_rows(hashes, groups, tasks, rows, bounds):  # type: ignore[no-untyped-def]
    """Fill ``rows`` with the row numbers of each task, one task behind the other; ``bounds`` where each begins, and the end.

    The key group of a row is its hash modulo ``groups``; groups are spread evenly over the tasks.
    """
    bounds[:] = 0
    of = np.empty(len(hashes), np.int32)
    for row in range(len(hashes)):
        task = np.int32(np.int64(hashes[row] % np.uint64(groups)) * tasks // groups)
        of[row] = task
        bounds[task + 1] += 1
    for number in range(tasks):
        bounds[number + 1] += bounds[number]
    at = bounds[:-1].copy()
    for row in range(len(hashes)):
        rows[at[of[row]]] = row
        at[of[row]] += 1
