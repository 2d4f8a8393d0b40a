"""Turns cells of text into dates, times and timestamps; the calling convention is that of ``convert_kernels``."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np
from numba import njit

from fluxcore.formats.cells import MISSING, NULL, STRING
from fluxcore.formats.simd_kernels import load8

_POWERS = np.array([10**power for power in range(10)], np.int64)
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
_TEXT = STRING  # forms up to this one are text


@njit(cache=True, nogil=True, inline="always")
def _two(buffer, at):
    """Return the number that two digits make, or a value of 1000 and more."""
    tens = np.uint8(buffer[at] - 48)
    ones = np.uint8(buffer[at + 1] - 48)
    return np.int64(tens) * 10 + np.int64(ones) if (tens < 10) & (ones < 10) else np.int64(1000)


@njit(cache=True, nogil=True)
def _days(buffer, at):
    """Return the days since 1970-01-01 of the ten characters ``yyyy-MM-dd``, or a value below -10**9."""
    century, rest = _two(buffer, at), _two(buffer, at + 2)
    month, day = _two(buffer, at + 5), _two(buffer, at + 8)
    year = century * 100 + rest
    if buffer[at + 4] != 45 or buffer[at + 7] != 45 or year > 9999 or year < 1 or month < 1 or month > 12:
        return np.int64(-(2**40))
    if century > 99 or rest > 99:
        return np.int64(-(2**40))
    longest = _DAYS[month]
    if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        longest = 29
    if day < 1 or day > longest:
        return np.int64(-(2**40))
    shifted = year - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


@njit(cache=True, nogil=True, inline="always")
def _fraction(buffer, at, end, digits):
    """Return the fraction from ``at`` (behind the point) to ``end`` in 10**-digits, cut off; -1 when it is none."""
    count = end - at
    if count < 1 or count > 9:
        return np.int64(-1)
    value = np.int64(0)
    for index in range(at, end):
        digit = np.uint8(buffer[index] - 48)
        if digit > 9:
            return np.int64(-1)
        if index - at < digits:
            value = value * 10 + digit
    return value * _POWERS[digits - count] if count < digits else value


@njit(cache=True, nogil=True)
def to_timestamps(buffer, start, length, form, shape, out, valid, bad):
    """Write timestamps of ``yyyy-MM-dd HH:mm:ss[.f]`` or with ``T``.

    In: ``shape`` (int64): digits of the unit (6 or 9), digits kept, 1 when a ``Z`` must stand at the end.
    """
    digits, precision, zoned = shape[0], shape[1], shape[2]
    unit = _POWERS[digits]
    cut = _POWERS[digits - precision]
    nulls = 0
    day_word = np.uint64(0)
    day_tail = np.int64(-1)
    days = np.int64(0)
    for row in range(len(start)):
        valid[row] = 0
        out[row] = 0
        if bad[row]:
            continue
        kind = form[row]
        if kind > _TEXT:
            if kind == NULL or kind == MISSING:
                nulls += 1
            else:
                bad[row] = 1
            continue
        at, count = start[row], length[row]
        if zoned and count > 0 and buffer[at + count - 1] == 90:
            count -= 1
        elif zoned:
            count = 0
        if count < 19:
            bad[row] = 1
            continue
        word = load8(buffer, at)
        tail = np.int64(buffer[at + 8]) * 256 + np.int64(buffer[at + 9])
        if word != day_word or tail != day_tail:
            days = _days(buffer, at)
            day_word, day_tail = word, tail
        hour, minute, second = _two(buffer, at + 11), _two(buffer, at + 14), _two(buffer, at + 17)
        parted = (buffer[at + 10] == 32 or buffer[at + 10] == 84) and buffer[at + 13] == 58 and buffer[at + 16] == 58
        fraction = np.int64(0)
        if count > 19:
            fraction = _fraction(buffer, at + 20, at + count, digits) if buffer[at + 19] == 46 else np.int64(-1)
        wrong = not parted or hour > 23 or minute > 59 or second > 59 or fraction < 0 or days < -(10**9)
        if wrong or (digits == 9 and (days < -106000 or days > 106000)):
            bad[row] = 1  # nanoseconds reach from 1677 to 2262
            continue
        fraction -= fraction % cut
        out[row] = (days * 86400 + hour * 3600 + minute * 60 + second) * unit + fraction
        valid[row] = 1
    return nulls


@njit(cache=True, nogil=True)
def to_dates(buffer, start, length, form, out, valid, bad):
    """Write days since 1970-01-01 (int32) of ``yyyy-MM-dd``."""
    nulls = 0
    for row in range(len(start)):
        valid[row] = 0
        out[row] = 0
        if bad[row]:
            continue
        kind = form[row]
        if kind == NULL or kind == MISSING:
            nulls += 1
            continue
        if kind > _TEXT or length[row] != 10:
            bad[row] = 1
            continue
        days = _days(buffer, start[row])
        if days < -(10**9):
            bad[row] = 1
            continue
        out[row] = days
        valid[row] = 1
    return nulls


@njit(cache=True, nogil=True)
def to_times(buffer, start, length, form, precision, out, valid, bad):
    """Write milliseconds of the day (int32) of ``HH:mm:ss[.f]``, cut to ``precision`` digits (0 to 3)."""
    nulls = 0
    cut = _POWERS[3 - precision]
    for row in range(len(start)):
        valid[row] = 0
        out[row] = 0
        if bad[row]:
            continue
        kind = form[row]
        if kind == NULL or kind == MISSING:
            nulls += 1
            continue
        at, count = start[row], length[row]
        if kind > _TEXT or count < 8:
            bad[row] = 1
            continue
        hour, minute, second = _two(buffer, at), _two(buffer, at + 3), _two(buffer, at + 6)
        fraction = np.int64(0)
        if count > 8:
            fraction = _fraction(buffer, at + 9, at + count, 3) if buffer[at + 8] == 46 else np.int64(-1)
        parted = buffer[at + 2] == 58 and buffer[at + 5] == 58
        if not parted or hour > 23 or minute > 59 or second > 59 or fraction < 0:
            bad[row] = 1
            continue
        out[row] = ((hour * 60 + minute) * 60 + second) * 1000 + fraction - fraction % cut
        valid[row] = 1
    return nulls
