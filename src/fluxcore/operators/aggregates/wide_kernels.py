"""Compiled sums of decimals: whole numbers of 192 bits in three words (uint64, low one first, two's complement).

No sum of fewer than 2**63 decimals of 38 digits leaves 192 bits, so that an overflow of the result is always seen.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_HALF = np.uint64(0xFFFFFFFF)
_HALF_BITS = np.uint64(32)
_SIGN_BIT = np.uint64(63)
_BOUND_LOW = np.uint64(0x098A224000000000)
_BOUND_HIGH = np.uint64(0x4B3B4CA85A86C47A)  # 10**38


@njit(cache=True, nogil=True, inline="always")
def _sum(a, b, c, x, y, z):  # type: ignore[no-untyped-def]
    """Return (a, b, c) + (x, y, z)."""
    low = a + x
    carry = _ONE if low < x else _ZERO
    high = b + y
    more = _ONE if high < y else _ZERO
    high += carry
    if high < carry:
        more += _ONE
    return low, high, c + z + more


@njit(cache=True, nogil=True, inline="always")
def _negative(a, b, c):  # type: ignore[no-untyped-def]
    return _sum(~a, ~b, ~c, _ONE, _ZERO, _ZERO)


@njit(cache=True, nogil=True)
def add(low, high, top, counts, slots, values, valid, weight):  # type: ignore[no-untyped-def]
    """Add decimals to the sums of their slots: ``values`` uint64 (rows x 2), low word first."""
    for row in range(len(slots)):
        if len(valid) == 0 or valid[row]:
            slot = slots[row]
            a, b = values[row, 0], values[row, 1]
            c = _ALL if b >> _SIGN_BIT else _ZERO
            if len(weight) and weight[row] < 0:
                a, b, c = _negative(a, b, c)
                counts[slot] -= 1
            else:
                counts[slot] += 1
            low[slot], high[slot], top[slot] = _sum(low[slot], high[slot], top[slot], a, b, c)


@njit(cache=True, nogil=True)
def merge(low, high, top, slots, other_low, other_high, other_top, source):  # type: ignore[no-untyped-def]
    """Add the sums of slots ``source`` to those of ``slots``."""
    for row in range(len(slots)):
        a, b = slots[row], source[row]
        low[a], high[a], top[a] = _sum(low[a], high[a], top[a], other_low[b], other_high[b], other_top[b])


@njit(cache=True, nogil=True)
def sum_frames(starts, ends, values, valid, low, high, top):  # type: ignore[no-untyped-def]
    """Add the decimals of each frame to the sums that stand in ``low``, ``high`` and ``top`` by row."""
    rows = len(valid)
    before = np.zeros((rows + 1, 3), np.uint64)
    for row in range(rows):
        a, b, c = before[row, 0], before[row, 1], before[row, 2]
        if valid[row]:
            sign = _ALL if values[row, 1] >> _SIGN_BIT else _ZERO
            a, b, c = _sum(a, b, c, values[row, 0], values[row, 1], sign)
        before[row + 1, 0], before[row + 1, 1], before[row + 1, 2] = a, b, c
    for row in range(rows):
        start, end = starts[row], ends[row]
        a, b, c = _negative(before[start, 0], before[start, 1], before[start, 2])
        a, b, c = _sum(a, b, c, before[end, 0], before[end, 1], before[end, 2])
        low[row], high[row], top[row] = _sum(low[row], high[row], top[row], a, b, c)


@njit(cache=True, nogil=True)
def decimals(low, high, top, out, nulls):  # type: ignore[no-untyped-def]
    """Write sums as decimals (uint64, rows x 2); what has more than 38 digits is marked in ``nulls``."""
    for row in range(len(low)):
        a, b, c = low[row], high[row], top[row]
        out[row, 0], out[row, 1] = a, b
        if c >> _SIGN_BIT:
            a, b, c = _negative(a, b, c)
        if c or b > _BOUND_HIGH or (b == _BOUND_HIGH and a >= _BOUND_LOW):
            nulls[row] = True


@njit(cache=True, nogil=True)
def averages(low, high, top, counts, factor, out, nulls):  # type: ignore[no-untyped-def]
    """Write sums * ``factor`` / counts, rounded half up, as decimals; ``factor`` and counts are below 2**31."""
    limbs = np.zeros(7, np.uint64)
    for row in range(len(low)):
        if nulls[row]:
            continue
        a, b, c = low[row], high[row], top[row]
        below = c >> _SIGN_BIT
        if below:
            a, b, c = _negative(a, b, c)
        limbs[0], limbs[1] = a & _HALF, a >> _HALF_BITS
        limbs[2], limbs[3] = b & _HALF, b >> _HALF_BITS
        limbs[4], limbs[5] = c & _HALF, c >> _HALF_BITS
        limbs[6] = _ZERO
        carry = _ZERO
        for place in range(7):
            product = limbs[place] * factor + carry
            limbs[place] = product & _HALF
            carry = product >> _HALF_BITS
        count, rest = np.uint64(counts[row]), _ZERO
        for place in range(6, -1, -1):
            part = rest << _HALF_BITS | limbs[place]
            limbs[place] = part // count
            rest = part % count
        a, b = limbs[0] | limbs[1] << _HALF_BITS, limbs[2] | limbs[3] << _HALF_BITS
        c = limbs[4] | limbs[5] | limbs[6]
        if rest + rest >= count:
            a, b, c = _sum(a, b, c, _ONE, _ZERO, _ZERO)
        if c or b > _BOUND_HIGH or (b == _BOUND_HIGH and a >= _BOUND_LOW):
            nulls[row] = True
        if below:
            a, b, c = _negative(a, b, c)
        out[row, 0], out[row, 1] = a, b
