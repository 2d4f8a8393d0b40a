"""Arithmetic as Python has it: whatever 64 bits can't hold, and whatever would raise, is told and left to Python.

``t`` is a float64 array: ``t[0]`` becomes 1.0 when Python has to compute the row, ``t[1]`` is 1.0 (unknown to the compiler, so
that it doesn't rewrite powers). A *num* is a float64 that is a whole number in Python: it stays below 2**53, where both agree.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_LOWEST = np.int64(-(2**63))
_EXACT = 2.0**53
_EXACT_INT = np.int64(2**53)
_PRODUCT = 9.2e18
_WHOLE = 2.0**63


@njit(cache=True, nogil=True)
def absent(bits, at):  # type: ignore[no-untyped-def]
    """Return whether a value is NULL; no bits at all say that none is."""
    return len(bits) != 0 and ((bits[at >> 3] >> (at & 7)) & 1) == 0


@njit(cache=True, nogil=True)
def some(value, null, t):  # type: ignore[no-untyped-def]
    """Return a value that may not be None here."""
    if null:
        t[0] = 1.0
    return value


@njit(cache=True, nogil=True)
def lesser(a, b):  # type: ignore[no-untyped-def]
    """Return what ``min`` does: the first one, unless the other is less."""
    return b if b < a else a


@njit(cache=True, nogil=True)
def greater(a, b):  # type: ignore[no-untyped-def]
    """Return what ``max`` does: the first one, unless the other is greater."""
    return b if b > a else a


@njit(cache=True, nogil=True)
def add_int(a, b, t):  # type: ignore[no-untyped-def]
    """Return a sum of 64 bits."""
    found = a + b
    if ((a ^ found) & (b ^ found)) < 0:
        t[0] = 1.0
    return found


@njit(cache=True, nogil=True)
def sub_int(a, b, t):  # type: ignore[no-untyped-def]
    """Return a difference of 64 bits."""
    found = a - b
    if ((a ^ b) & (a ^ found)) < 0:
        t[0] = 1.0
    return found


@njit(cache=True, nogil=True)
def mul_int(a, b, t):  # type: ignore[no-untyped-def]
    """Return a product of 64 bits; one close to the bounds is left to Python."""
    if not abs(np.float64(a) * np.float64(b)) < _PRODUCT:
        t[0] = 1.0
    return a * b


@njit(cache=True, nogil=True)
def neg_int(a, t):  # type: ignore[no-untyped-def]
    """Return a number with the other sign."""
    if a == _LOWEST:
        t[0] = 1.0
    return -a


@njit(cache=True, nogil=True)
def abs_int(a, t):  # type: ignore[no-untyped-def]
    """Return a number without its sign."""
    if a == _LOWEST:
        t[0] = 1.0
    return -a if a < 0 else a


@njit(cache=True, nogil=True)
def floordiv_int(a, b, t):  # type: ignore[no-untyped-def]
    """Return a quotient rounded down."""
    if b == 0:
        t[0] = 1.0
        return np.int64(0)
    if b == -1:
        return neg_int(a, t)
    return a // b


@njit(cache=True, nogil=True)
def mod_int(a, b, t):  # type: ignore[no-untyped-def]
    """Return the rest of a quotient rounded down."""
    if b == 0:
        t[0] = 1.0
        return np.int64(0)
    if b == -1:
        return np.int64(0)
    return a % b


@njit(cache=True, nogil=True)
def div_int(a, b, t):  # type: ignore[no-untyped-def]
    """Return a quotient as Python rounds it; beyond 2**53 it rounds but once, which Python has to do."""
    if b == 0 or a > _EXACT_INT or a < -_EXACT_INT or b > _EXACT_INT or b < -_EXACT_INT:
        t[0] = 1.0
        return 0.0
    return np.float64(a) / np.float64(b)


@njit(cache=True, nogil=True)
def pow_int(a, b, t):  # type: ignore[no-untyped-def]
    """Return a whole power; one of a negative exponent is no whole number in Python."""
    if b < 0:
        t[0] = 1.0
        return np.int64(0)
    found, base, rest = np.int64(1), np.int64(a), np.int64(b)
    while rest > 0:
        if rest & 1:
            found = mul_int(found, base, t)
        rest >>= 1
        if rest > 0:
            base = mul_int(base, base, t)
        if t[0] != 0.0:
            return found
    return found


@njit(cache=True, nogil=True)
def shift_left(a, b, t):  # type: ignore[no-untyped-def]
    """Return ``a << b`` of 64 bits."""
    if b < 0 or b > 62:
        t[0] = 1.0
        return np.int64(0)
    found = a << b
    if (found >> b) != a:
        t[0] = 1.0
    return found


@njit(cache=True, nogil=True)
def shift_right(a, b, t):  # type: ignore[no-untyped-def]
    """Return ``a >> b``."""
    if b < 0:
        t[0] = 1.0
        return np.int64(0)
    return a >> (63 if b > 63 else b)


@njit(cache=True, nogil=True)
def div_float(a, b, t):  # type: ignore[no-untyped-def]
    """Return a quotient."""
    if b == 0.0:
        t[0] = 1.0
        return 0.0
    return a / b


@njit(cache=True, nogil=True)
def mod_float(a, b, t):  # type: ignore[no-untyped-def]
    """Return the rest of a quotient rounded down, with the sign of the divisor."""
    if b == 0.0:
        t[0] = 1.0
        return 0.0
    rest = np.fmod(a, b)
    if rest == 0.0:
        return math.copysign(0.0, b)
    if (b < 0.0) != (rest < 0.0):
        rest += b
    return rest


@njit(cache=True, nogil=True)
def floordiv_float(a, b, t):  # type: ignore[no-untyped-def]
    """Return a quotient rounded down; of infinities and NaN Python computes it."""
    if b == 0.0 or not (math.isfinite(a) and math.isfinite(b)):
        t[0] = 1.0
        return 0.0
    rest = np.fmod(a, b)
    whole = (a - rest) / b
    if rest != 0.0 and (b < 0.0) != (rest < 0.0):
        whole -= 1.0
    if whole == 0.0:
        return math.copysign(0.0, a / b)
    low = np.floor(whole)
    return low + 1.0 if whole - low > 0.5 else low


@njit(cache=True, nogil=True)
def pow_float(a, b, t):  # type: ignore[no-untyped-def]
    """Return a power; what is no finite number, Python computes."""
    found = math.pow(a * t[1], b * t[1])
    if not math.isfinite(found):
        t[0] = 1.0
    return found


@njit(cache=True, nogil=True)
def to_num(a, t):  # type: ignore[no-untyped-def]
    """Return a whole number as a float that is exactly it."""
    if a > _EXACT_INT or a < -_EXACT_INT:
        t[0] = 1.0
    return np.float64(a)


@njit(cache=True, nogil=True)
def as_num(found, t):  # type: ignore[no-untyped-def]
    """Return the result of arithmetic of nums; none that is no longer exact, and no zero, whose sign may be another."""
    if not 0.0 < abs(found) <= _EXACT:
        t[0] = 1.0
    return found


@njit(cache=True, nogil=True)
def finite(found, t):  # type: ignore[no-untyped-def]
    """Return a number; where it is infinite or NaN, Python raises or knows why."""
    if not math.isfinite(found):
        t[0] = 1.0
    return found


@njit(cache=True, nogil=True)
def whole(a, t):  # type: ignore[no-untyped-def]
    """Return a float without its fraction, as a number of 64 bits."""
    if not abs(a) < _WHOLE:
        t[0] = 1.0
        return np.int64(0)
    return np.int64(a)


@njit(cache=True, nogil=True)
def floor_float(a, t):  # type: ignore[no-untyped-def]
    """Return a float rounded down."""
    found = whole(a, t)
    return found - 1 if np.float64(found) > a else found


@njit(cache=True, nogil=True)
def ceil_float(a, t):  # type: ignore[no-untyped-def]
    """Return a float rounded up."""
    found = whole(a, t)
    return found + 1 if np.float64(found) < a else found


@njit(cache=True, nogil=True)
def round_float(a, t):  # type: ignore[no-untyped-def]
    """Return the nearest whole number; of two the even one."""
    low = floor_float(a, t)
    if t[0] != 0.0:
        return low
    over = a - np.float64(low)
    if over > 0.5 or (over == 0.5 and low & 1):
        return low + 1
    return low


@njit(cache=True, nogil=True)
def atan2_float(a, b, t):  # type: ignore[no-untyped-def]
    """Return the angle of a point."""
    if not (math.isfinite(a) and math.isfinite(b)):
        t[0] = 1.0
        return 0.0
    return math.atan2(a, b)


@njit(cache=True, nogil=True)
def fmod_float(a, b, t):  # type: ignore[no-untyped-def]
    """Return the rest of a quotient, as C has it."""
    if b == 0.0 or not (math.isfinite(a) and math.isfinite(b)):
        t[0] = 1.0
        return 0.0
    return np.fmod(a, b)


@njit(cache=True, nogil=True)
def range_int(start, stop, step, t):  # type: ignore[no-untyped-def]
    """Return the bounds of a range whose numbers can be counted; an empty one where Python has to count."""
    far = np.int64(2**62)
    if step == 0 or not (-far < start < far and -far < stop < far and -far < step < far):
        t[0] = 1.0
        return range(0, 0, 1)
    return range(start, stop, step)
