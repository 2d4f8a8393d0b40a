"""Random numbers by event: each is a function of seed, event number and field, so any range can be made anywhere."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np
from numba import njit

from fluxcore.formats.simd_kernels import copy64

TEXT_PADDING = 64
"""Bytes that :func:`letters` may write behind the last text."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_EVEN = np.uint64(0x00FF00FF00FF00FF)
_ALPHABET = np.uint64(26)
_A = np.uint64(0x6161616161616161)


@njit(cache=True, nogil=True, inline="always")
def _mixed(value):
    """Return the finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * _M1
    value = (value ^ (value >> np.uint64(27))) * _M2
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def uniform(seed, field, events, out):
    """Fill ``out`` (float64) with numbers in [0, 1), one for each event number (int64)."""
    start = _mixed(np.uint64(seed) + np.uint64(field + 1) * _GOLDEN)
    for row in range(len(events)):
        value = _mixed(start + np.uint64(events[row] + 1) * _GOLDEN)
        out[row] = np.float64(value >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def letters(seed, field, events, offsets, out):
    """Fill ``out`` (uint8) with small letters, from ``offsets[row]`` to ``offsets[row + 1]`` for each event.

    ``out`` needs :data:`TEXT_PADDING`: 64 letters are made at once, and what is too much is written over.
    """
    words = np.empty(8, np.uint64)
    block = words.view(np.uint8)
    start = _mixed(np.uint64(seed) + np.uint64(field + 1) * _GOLDEN)
    for row in range(len(events)):
        state = _mixed(start + np.uint64(events[row] + 1) * _GOLDEN)
        at, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
        while at < end:
            for index in range(8):
                bits = _mixed(state + np.uint64(index + 1) * _GOLDEN)
                low = ((bits & _EVEN) * _ALPHABET) >> np.uint64(8)
                high = ((bits >> np.uint64(8)) & _EVEN) * _ALPHABET
                words[index] = ((low & _EVEN) | (high & ~_EVEN)) + _A
            copy64(out, at, block, 0)
            state += np.uint64(8) * _GOLDEN
            at += 64


@njit(cache=True, nogil=True)
def put_between(seed, field, events, offsets, byte, out):
    """Put ``byte`` over one in 13 of the letters that are neither the first nor the last of their text."""
    start = _mixed(np.uint64(seed) + np.uint64(field + 1) * _GOLDEN)
    for row in range(len(events)):
        state = _mixed(start + np.uint64(events[row] + 1) * _GOLDEN)
        for at in range(offsets[row] + 1, offsets[row + 1] - 1):
            state += _GOLDEN
            if (_mixed(state) >> np.uint64(32)) * np.uint64(13) < np.uint64(1 << 32):
                out[at] = byte
