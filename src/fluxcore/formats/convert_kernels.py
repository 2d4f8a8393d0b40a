"""Turns cells of text into column values: integers, booleans, decimals and strings.

Each kernel takes ``buffer``, the cells' ``start``, ``length`` and ``form``, and marks in ``bad`` (int32 per row) the rows
that it leaves to the row reader: wrong ones, and right ones in a rare spelling. ``valid`` (uint8 per row) is 0 for nulls.
Each returns the number of nulls; rows that are bad already are left alone.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np
from numba import njit

from fluxcore.formats.cells import ESCAPED, FALSE, MISSING, NULL, NUMBER, PLAIN, STRING, TRUE
from fluxcore.formats.simd_kernels import copy64, copy_bytes, find_byte, high_product

_ZERO = np.uint64(0)
_TEN = np.uint64(10)
_POWERS = np.array([10**power for power in range(19)], np.int64)


@njit(cache=True, nogil=True, inline="always")
def trimmed(buffer, start, length):
    """Return start and length without white space around, as Java's ``trim`` takes it."""
    while length > 0 and buffer[start] <= 32:
        start += 1
        length -= 1
    while length > 0 and buffer[start + length - 1] <= 32:
        length -= 1
    return start, length


@njit(cache=True, nogil=True)
def to_integers(buffer, start, length, form, low, high, out, valid, bad):
    """Write int64 values between ``low`` and ``high``."""
    nulls = 0
    highest = np.uint64(high)
    lowest = _ZERO - np.uint64(low)
    for row in range(len(start)):
        valid[row] = 0
        out[row] = 0
        if bad[row]:
            continue
        kind = form[row]
        if kind > NUMBER:
            if kind == NULL or kind == MISSING:
                nulls += 1
            else:
                bad[row] = 1
            continue
        at, count = start[row], length[row]
        if kind != NUMBER and count > 0 and (buffer[at] <= 32 or buffer[at + count - 1] <= 32):
            at, count = trimmed(buffer, at, count)
        end = at + count
        negative = False
        if count > 1:
            sign = buffer[at]
            if sign == 45 or sign == 43:
                negative = sign == 45
                at += 1
                count -= 1
        if count == 0 or count > 19:
            bad[row] = 1  # too large, or zeros in front: the row reader knows
            continue
        value = np.uint64(0)
        wrong = np.uint8(0)
        while at < end:
            digit = np.uint8(buffer[at] - 48)
            wrong |= np.uint8(digit > 9)
            value = value * _TEN + np.uint64(digit)
            at += 1
        if wrong or value > (lowest if negative else highest):
            bad[row] = 1
            continue
        out[row] = np.int64(_ZERO - value) if negative else np.int64(value)
        valid[row] = 1
    return nulls


@njit(cache=True, nogil=True)
def to_booleans(buffer, start, length, form, out, valid, bad):
    """Write 1 for true; a text is true when it spells ``true`` in any case, as in Java, and false otherwise."""
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
        valid[row] = 1
        if kind == TRUE:
            out[row] = 1
        elif kind == PLAIN or kind == STRING:
            at, count = trimmed(buffer, start[row], length[row])
            out[row] = (
                count == 4
                and (buffer[at] | 32) == 116
                and (buffer[at + 1] | 32) == 114
                and (buffer[at + 2] | 32) == 117
                and (buffer[at + 3] | 32) == 101
            )
        elif kind != FALSE and kind != NUMBER:
            bad[row] = 1
            valid[row] = 0
    return nulls


@njit(cache=True, nogil=True)
def to_decimals(buffer, start, length, form, precision, scale, out, valid, bad):
    """Write decimal128 values (two int64 words each), rounded half up to ``scale``; too large ones become null."""
    nulls = 0
    for row in range(len(start)):
        valid[row] = 0
        out[2 * row] = 0
        out[2 * row + 1] = 0
        if bad[row]:
            continue
        kind = form[row]
        if kind == NULL or kind == MISSING:
            nulls += 1
            continue
        if kind > NUMBER:
            bad[row] = 1
            continue
        at, count = start[row], length[row]
        end = at + count
        negative = count > 0 and buffer[at] == 45
        if count > 0 and (buffer[at] == 45 or buffer[at] == 43):
            at += 1
        value = np.int64(0)
        digits = 0
        fraction = -1
        while at < end:
            digit = np.uint8(buffer[at] - 48)
            if digit <= 9:
                value = value * 10 + digit
                digits += 1
                if fraction >= 0:
                    fraction += 1
            elif buffer[at] == 46 and fraction < 0:
                fraction = 0
            else:
                break
            if digits > 18:
                break
            at += 1
        fraction = max(fraction, 0)
        shift = scale - fraction
        if at < end or digits == 0 or digits > 18 or shift > 18:
            bad[row] = 1
            continue
        room = precision
        factor = np.int64(1)
        if shift >= 0:
            factor = _POWERS[shift]
            room -= shift
        else:
            divisor = _POWERS[-shift]
            rest = value % divisor
            value = value // divisor + (1 if rest * 2 >= divisor else 0)
        if value != 0 and (room <= 0 or (room <= 18 and value >= _POWERS[room])):
            nulls += 1
            continue
        lower = np.uint64(value) * np.uint64(factor)
        upper = high_product(np.uint64(value), np.uint64(factor))
        if negative:
            lower = _ZERO - lower
            upper = ~upper if lower else _ZERO - upper
        out[2 * row] = np.int64(lower)
        out[2 * row + 1] = np.int64(upper)
        valid[row] = 1
    return nulls


@njit(cache=True, nogil=True)
def text_bytes(start, length, form, valid, bad):
    """Set ``valid`` for text cells; return (nulls, bytes that the text takes at most)."""
    nulls = 0
    total = 0
    for row in range(len(start)):
        kind = form[row]
        valid[row] = 0
        if bad[row]:
            continue
        if kind == NULL or kind == MISSING:
            nulls += 1
        elif kind <= ESCAPED or kind == TRUE or kind == FALSE:
            valid[row] = 1
            total += length[row]
        else:
            bad[row] = 1
    return nulls, total


@njit(cache=True, nogil=True)
def to_strings(buffer, start, length, form, marks, data, offsets, valid, bad):
    """Gather the text of valid cells into ``data`` (with 64 bytes to spare) and ``offsets``, escapes resolved.

    In: ``marks`` (int64): 1 for JSON, then for CSV the quote and the escape character (-1 for none), last whether JSON
    strings may hold a backslash at all.
    """
    json = marks[0]
    look = marks[3]
    at = 0
    offsets[0] = 0
    for row in range(len(start)):
        if valid[row]:
            count = length[row]
            kind = form[row]
            source = start[row]
            plain = True
            if json:
                plain = not (look and kind == STRING and find_byte(buffer, source, count, 92) >= 0)
            elif kind == ESCAPED:
                plain = False
            if plain:
                copy64(data, at, buffer, source)
                if count > 64:
                    copy_bytes(data, at + 64, buffer, source + 64, count - 64)
                at += count
            else:
                if json:
                    behind = _unescape_json(buffer, source, count, data, at)
                else:
                    behind = _unescape_csv(buffer, source, count, data, at, marks[1], marks[2])
                if behind < 0:
                    bad[row] = 1
                    valid[row] = 0
                else:
                    at = behind
        offsets[row + 1] = at
    return at


@njit(cache=True, nogil=True)
def _unescape_csv(buffer, at, count, data, out, quote, escape):
    end = at + count
    while at < end:
        byte = buffer[at]
        if byte == escape:
            at += 1
            if at == end:
                return -1
            byte = buffer[at]
            if byte == 110:
                byte = 10
            elif byte == 116:
                byte = 9
            elif byte == 114:
                byte = 13
            elif byte == 48:
                byte = 0
        elif byte == quote:
            at += 1
            if at == end or buffer[at] != quote:
                return -1
        data[out] = byte
        out += 1
        at += 1
    return out


@njit(cache=True, nogil=True, inline="always")
def _hex4(buffer, at):
    value = 0
    for index in range(at, at + 4):
        byte = buffer[index]
        if 48 <= byte <= 57:
            digit = byte - 48
        elif 97 <= (byte | 32) <= 102:
            digit = (byte | 32) - 87
        else:
            return -1
        value = value * 16 + digit
    return value


@njit(cache=True, nogil=True)
def _unescape_json(buffer, at, count, data, out):
    end = at + count
    while at < end:
        byte = buffer[at]
        if byte != 92:
            data[out] = byte
            out += 1
            at += 1
            continue
        if at + 1 >= end:
            return -1
        byte = buffer[at + 1]
        at += 2
        if byte == 117:
            if at + 4 > end:
                return -1
            code = _hex4(buffer, at)
            at += 4
            if 0xD800 <= code < 0xDC00 and at + 6 <= end and buffer[at] == 92 and buffer[at + 1] == 117:
                low = _hex4(buffer, at + 2)
                if 0xDC00 <= low < 0xE000:
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
                    at += 6
            if code < 0 or 0xD800 <= code < 0xE000:
                return -1
            out = _put_utf8(data, out, code)
            continue
        if byte == 110:
            byte = 10
        elif byte == 116:
            byte = 9
        elif byte == 114:
            byte = 13
        elif byte == 98:
            byte = 8
        elif byte == 102:
            byte = 12
        elif byte != 34 and byte != 92 and byte != 47:
            return -1
        data[out] = byte
        out += 1
    return out


@njit(cache=True, nogil=True, inline="always")
def _put_utf8(data, out, code):
    if code < 0x80:
        data[out] = code
        return out + 1
    if code < 0x800:
        data[out] = 0xC0 | (code >> 6)
        data[out + 1] = 0x80 | (code & 63)
        return out + 2
    if code < 0x10000:
        data[out] = 0xE0 | (code >> 12)
        data[out + 1] = 0x80 | ((code >> 6) & 63)
        data[out + 2] = 0x80 | (code & 63)
        return out + 3
    data[out] = 0xF0 | (code >> 18)
    data[out + 1] = 0x80 | ((code >> 12) & 63)
    data[out + 2] = 0x80 | ((code >> 6) & 63)
    data[out + 3] = 0x80 | (code & 63)
    return out + 4
