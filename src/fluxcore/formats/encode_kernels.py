"""Writes text: quoted and escaped strings, timestamps and times. All take Arrow's offsets and data as NumPy arrays."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np
from numba import njit

from fluxcore.formats.simd_kernels import below_mask, copy_bytes, equal_mask, low_bits

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


@njit(cache=True, nogil=True)
def _any_special(data, at, count, specials, controls):
    """Return whether a text holds one of ``specials`` (a sequence of bytes), or a control character where those count."""
    done = 0
    while done < count:
        found = np.uint64(0)
        for special in specials:
            found |= equal_mask(data, at + done, special)
        if controls:
            found |= below_mask(data, at + done, 32)
        if found & low_bits(count - done):
            return True
        done += 64
    return False


@njit(cache=True, nogil=True)
def quote_json(offsets, data, out_offsets, out):
    """Write each text in quotes with JSON's escapes; ``out`` holds 6 bytes a byte, 2 a row, and padding."""
    specials = np.array([34, 92], np.int64)
    to = 0
    out_offsets[0] = 0
    for row in range(len(offsets) - 1):
        at = offsets[row]
        count = offsets[row + 1] - at
        out[to] = 34
        to += 1
        if _any_special(data, at, count, specials, True):
            for index in range(at, at + count):
                to = _put_json(out, to, data[index])
        else:
            copy_bytes(out, to, data, at, count)
            to += count
        out[to] = 34
        to += 1
        out_offsets[row + 1] = to
    return to


@njit(cache=True, nogil=True, inline="always")
def _put_json(out, to, byte):
    if byte == 34 or byte == 92:
        out[to] = 92
        out[to + 1] = byte
        return to + 2
    if byte >= 32:
        out[to] = byte
        return to + 1
    short = 0
    if byte == 10:
        short = 110
    elif byte == 9:
        short = 116
    elif byte == 13:
        short = 114
    elif byte == 8:
        short = 98
    elif byte == 12:
        short = 102
    out[to] = 92
    if short:
        out[to + 1] = short
        return to + 2
    out[to + 1] = 117
    out[to + 2] = 48
    out[to + 3] = 48
    out[to + 4] = _HEX[byte >> 4]
    out[to + 5] = _HEX[byte & 15]
    return to + 6


@njit(cache=True, nogil=True)
def quote_csv(offsets, data, specials, quote, escape, out_offsets, out):
    """Write each text, in quotes where it holds one of ``specials``; ``out`` holds 2 bytes a byte, 2 a row, and padding.

    In: ``quote`` and ``escape`` are -1 for none. Out: the bytes written, or -1 when a text needs quotes and there are
    none.
    """
    to = 0
    out_offsets[0] = 0
    for row in range(len(offsets) - 1):
        at = offsets[row]
        count = offsets[row + 1] - at
        if _any_special(data, at, count, specials, False):
            if quote < 0 and escape < 0:
                return -1
            if quote >= 0:
                out[to] = quote
                to += 1
            for index in range(at, at + count):
                byte = data[index]
                if escape >= 0 and (byte == escape or (quote < 0 and byte != 10 and byte != 13)):
                    out[to] = escape
                    to += 1
                elif byte == quote:
                    out[to] = quote
                    to += 1
                elif escape >= 0 and quote < 0:
                    out[to] = escape
                    out[to + 1] = 110 if byte == 10 else 114
                    to += 2
                    continue
                out[to] = byte
                to += 1
            if quote >= 0:
                out[to] = quote
                to += 1
        else:
            copy_bytes(out, to, data, at, count)
            to += count
        out_offsets[row + 1] = to
    return to


@njit(cache=True, nogil=True, inline="always")
def _put_two(out, to, value):
    out[to] = 48 + value // 10
    out[to + 1] = 48 + value % 10
    return to + 2


@njit(cache=True, nogil=True, inline="always")
def _put_time(out, to, seconds, fraction, digits):
    """Write ``HH:mm:ss`` and as many digits of the fraction (in 10**-digits) as it needs."""
    to = _put_two(out, to, seconds // 3600)
    out[to] = 58
    to = _put_two(out, to + 1, seconds // 60 % 60)
    out[to] = 58
    to = _put_two(out, to + 1, seconds % 60)
    if fraction:
        while fraction % 10 == 0:
            fraction //= 10
            digits -= 1
        out[to] = 46
        for place in range(digits, 0, -1):
            out[to + place] = 48 + fraction % 10
            fraction //= 10
        to += digits + 1
    return to


@njit(cache=True, nogil=True)
def write_timestamps(values, shape, out_offsets, out):
    """Write timestamps of the years 0 to 9999 as text; ``out`` holds 40 bytes a row.

    In: ``shape`` (int64): units in a second, digits of the unit, the byte between date and time, 1 for a ``Z`` at the
    end, 1 for quotes around. Out: the bytes written, or -1 for a year outside.
    """
    unit, digits, between, zone, quotes = shape[0], shape[1], shape[2], shape[3], shape[4]
    to = 0
    out_offsets[0] = 0
    for row in range(len(values)):
        value = values[row]
        second = value // unit
        fraction = value - second * unit
        day = second // 86400
        second -= day * 86400
        shifted = day + 719468
        era = shifted // 146097
        of_era = shifted - era * 146097
        year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
        of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
        part = (5 * of_year + 2) // 153
        month = part + 3 if part < 10 else part - 9
        year = year_of_era + era * 400 + (1 if month <= 2 else 0)
        if year < 0 or year > 9999:
            return -1
        if quotes:
            out[to] = 34
            to += 1
        to = _put_two(out, to, year // 100)
        to = _put_two(out, to, year % 100)
        out[to] = 45
        to = _put_two(out, to + 1, month)
        out[to] = 45
        to = _put_two(out, to + 1, of_year - (153 * part + 2) // 5 + 1)
        out[to] = between
        to = _put_time(out, to + 1, second, fraction, digits)
        if zone:
            out[to] = 90
            to += 1
        if quotes:
            out[to] = 34
            to += 1
        out_offsets[row + 1] = to
    return to


@njit(cache=True, nogil=True)
def write_times(values, quotes, out_offsets, out):
    """Write milliseconds of the day as text; ``out`` holds 16 bytes a row."""
    to = 0
    out_offsets[0] = 0
    for row in range(len(values)):
        value = np.int64(values[row])
        if quotes:
            out[to] = 34
            to += 1
        to = _put_time(out, to, value // 1000, value % 1000, 3)
        if quotes:
            out[to] = 34
            to += 1
        out_offsets[row + 1] = to
    return to
