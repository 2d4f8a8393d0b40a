"""XXH64 (seed 0) of bytes and of 8-byte words, compiled.

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
def _word(data, at):  # type: ignore[no-untyped-def]
    value = np.uint64(0)
    for index in range(8):
        value |= np.uint64(data[at + index]) << np.uint64(8 * index)
    return value


@njit(cache=True, nogil=True)
def xxh64(data, start, length):  # type: ignore[no-untyped-def]
    """Return XXH64 of ``length`` bytes of ``data`` (uint8) from ``start`` on."""
    at, end = start, start + length
    if length >= 32:
        a, b = _P1 + _P2, _P2
        c, d = np.uint64(0), np.uint64(0) - _P1
        while at + 32 <= end:
            a = _round(a, _word(data, at))
            b = _round(b, _word(data, at + 8))
            c = _round(c, _word(data, at + 16))
            d = _round(d, _word(data, at + 24))
            at += 32
        h = _rotated(a, 1) + _rotated(b, 7) + _rotated(c, 12) + _rotated(d, 18)
        for lane in (a, b, c, d):
            h = (h ^ _round(np.uint64(0), lane)) * _P1 + _P4
    else:
        h = _P5
    h += np.uint64(length)
    while at + 8 <= end:
        h = _rotated(h ^ _round(np.uint64(0), _word(data, at)), 27) * _P1 + _P4
        at += 8
    if at + 4 <= end:
        four = np.uint64(0)
        for index in range(4):
            four |= np.uint64(data[at + index]) << np.uint64(8 * index)
        h = _rotated(h ^ (four * _P1), 23) * _P2 + _P3
        at += 4
    while at < end:
        h = _rotated(h ^ (np.uint64(data[at]) * _P5), 11) * _P1
        at += 1
    return _avalanche(h)


@njit(cache=True, nogil=True)
def hash_texts(offsets, data, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (uint64) with XXH64 of each text of Arrow's offsets (int32) and bytes (uint8)."""
    for row in range(len(offsets) - 1):
        out[row] = xxh64(data, offsets[row], offsets[row + 1] - offsets[row])


@njit(cache=True, nogil=True)
def hash_words(words, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (uint64) with XXH64 of each row of 8-byte words (uint64, shape rows x k), little-endian."""
    rows, width = words.shape
    for row in range(rows):
        h = _P5 + np.uint64(8 * width)
        for index in range(width):
            h = _rotated(h ^ _round(np.uint64(0), words[row, index]), 27) * _P1 + _P4
        out[row] = _avalanche(h)
