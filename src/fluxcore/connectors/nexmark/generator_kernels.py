"""Random numbers by event: each is a function of seed, event number and field, so any range can be made anywhere."""

from __future__ import annotations

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)


@njit(cache=True, nogil=True, inline="always")
def _mixed(value):  # type: ignore[no-untyped-def]
    value = (value ^ (value >> np.uint64(30))) * _M1
    value = (value ^ (value >> np.uint64(27))) * _M2
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def uniform(seed, events, field, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (float64) with numbers in [0, 1) for each event number (SplitMix64, Steele et al. 2014)."""
    start = _mixed(np.uint64(seed) + np.uint64(field + 1) * _GOLDEN)
    for row in range(len(events)):
        value = _mixed(start + np.uint64(events[row] + 1) * _GOLDEN)
        out[row] = np.float64(value >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def letters(seed, events, field, offsets, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (uint8) with small letters, from ``offsets[row]`` to ``offsets[row + 1]`` for each event."""
    start = _mixed(np.uint64(seed) + np.uint64(field + 1) * _GOLDEN)
    for row in range(len(events)):
        state = _mixed(start + np.uint64(events[row] + 1) * _GOLDEN)
        at, end = offsets[row], offsets[row + 1]
        while at < end:
            state += _GOLDEN
            bits = _mixed(state)
            for _ in range(8):
                if at == end:
                    break
                out[at] = np.uint8(97) + np.uint8(((bits & np.uint64(0xFF)) * np.uint64(26)) >> np.uint64(8))
                bits >>= np.uint64(8)
                at += 1
