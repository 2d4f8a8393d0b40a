"""Turns cells of text into floating-point numbers, exactly; the calling convention is that of ``convert_kernels``.

Source: W. D. Clinger, "How to read floating point numbers accurately" (short numbers); D. Lemire, "Number parsing at a
gigabyte per second", 2021 (all others of up to 19 digits, with 128-bit powers of five).
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np
from numba import njit

from fluxcore.formats.cells import MISSING, NULL, NUMBER
from fluxcore.formats.convert_kernels import trimmed
from fluxcore.formats.simd_kernels import bits_of_double, double_of_bits, high_product, leading_zeros

_SMALLEST = -342
_LARGEST = 308


def _powers_of_five() -> np.ndarray:
    """Return 5**q for q from -342 to 308 as 128-bit words, upper word first, the top bit set."""
    words: list[int] = []
    for power in range(_SMALLEST, 0):
        five = 5**-power
        bits = (five - 1).bit_length()
        if power >= -27:
            value = 2 ** (bits + 127) // five + 1
        else:
            value = 2 ** (2 * bits + 128) // five + 1
            value >>= max(value.bit_length() - 128, 0)
        words += divmod(value, 2**64)
    for power in range(_LARGEST + 1):
        five = 5**power
        shift = 128 - five.bit_length()
        words += divmod(five << shift if shift >= 0 else five >> -shift, 2**64)
    return np.array(words, np.uint64)


_FIVES = _powers_of_five()
_TENS = np.array([10.0**power for power in range(23)])
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE = np.uint64(1)
_HIDDEN = np.uint64(1 << 52)


@njit(cache=True, nogil=True)
def _assemble(digits, power):
    """Return the bits of ``digits * 10**power`` correctly rounded (positive)."""
    if digits == 0 or power < _SMALLEST:
        return np.uint64(0)
    if power > _LARGEST:
        return np.uint64(0x7FF0000000000000)
    zeros = leading_zeros(digits)
    digits <<= np.uint64(zeros)
    place = 2 * (power - _SMALLEST)
    upper = high_product(digits, _FIVES[place])
    lower = digits * _FIVES[place]
    mask = _ALL >> np.uint64(55)
    if (upper & mask) == mask:
        more = high_product(digits, _FIVES[place + 1])
        lower += more
        if more > lower:
            upper += _ONE
    top = np.int64(upper >> np.uint64(63))
    shift = np.uint64(top + 9)
    mantissa = upper >> shift
    exponent = ((217706 * power) >> 16) + 63 + top - zeros + 1023
    if exponent <= 0:
        if 1 - exponent >= 64:
            return np.uint64(0)
        mantissa >>= np.uint64(1 - exponent)
        mantissa += mantissa & _ONE
        return mantissa >> _ONE  # a carry into bit 52 is the exponent 1, as it should be
    if lower <= _ONE and -4 <= power <= 23 and (mantissa & np.uint64(3)) == _ONE and (mantissa << shift) == upper:
        mantissa &= ~_ONE
    mantissa += mantissa & _ONE
    mantissa >>= _ONE
    if mantissa >= _HIDDEN << _ONE:
        mantissa = _HIDDEN
        exponent += 1
    if exponent >= 0x7FF:
        return np.uint64(0x7FF0000000000000)
    return (mantissa & ~_HIDDEN) | (np.uint64(exponent) << np.uint64(52))


@njit(cache=True, nogil=True)
def _exponent(buffer, at, end):
    """Return (exponent behind the ``e`` at ``at``, whether it is one)."""
    at += 1
    negative = at < end and buffer[at] == 45
    if at < end and (buffer[at] == 45 or buffer[at] == 43):
        at += 1
    if at == end or end - at > 5:
        return np.int64(0), False
    value = np.int64(0)
    while at < end:
        digit = np.uint8(buffer[at] - 48)
        if digit > 9:
            return np.int64(0), False
        value = value * 10 + digit
        at += 1
    return -value if negative else value, True


@njit(cache=True, nogil=True)
def to_floats(buffer, start, length, form, single, out, valid, bad):
    """Write float64 values; ``single`` is 1 when they will be rounded again to float32, which must not round twice."""
    nulls = 0
    for row in range(len(start)):
        valid[row] = 0
        out[row] = 0.0
        if bad[row]:
            continue
        kind = form[row]
        if kind > NUMBER:
            if kind == NULL or kind == MISSING:
                nulls += 1
            else:
                bad[row] = 1
            continue
        at, count = trimmed(buffer, start[row], length[row])
        end = at + count
        negative = count > 0 and buffer[at] == 45
        if count > 0 and (buffer[at] == 45 or buffer[at] == 43):
            at += 1
        digits = np.uint64(0)
        seen = 0
        significant = 0
        point = -1
        while at < end:
            digit = np.uint8(buffer[at] - 48)
            if digit <= 9:
                digits = digits * np.uint64(10) + np.uint64(digit)
                seen += 1
                if digits > 0:
                    significant += 1
            elif buffer[at] == 46 and point < 0:
                point = seen
            else:
                break
            at += 1
        power = np.int64(point - seen) if point >= 0 else np.int64(0)
        fine = seen > 0 and significant <= 19
        if at < end:
            if (buffer[at] | 32) == 101:
                exponent, sound = _exponent(buffer, at, end)
                power += exponent
                fine = fine and sound
            else:
                fine = False
        if not fine:
            bad[row] = 1  # names, hexadecimal ones, more digits than a word holds
            continue
        if digits <= np.uint64(1 << 53) and -22 <= power <= 22:
            value = np.float64(np.int64(digits))
            value = value / _TENS[-power] if power < 0 else value * _TENS[power]
        else:
            value = double_of_bits(_assemble(digits, power))
        if single and value != 0.0:
            half = (bits_of_double(value) & np.uint64(0x1FFFFFFF)) == np.uint64(0x10000000)
            if half or value < 1.2e-38:
                bad[row] = 1  # stands between two float32 values, or below the normal ones
                continue
        out[row] = -value if negative else value
        valid[row] = 1
    return nulls
