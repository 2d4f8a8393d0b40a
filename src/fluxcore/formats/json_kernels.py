"""Finds the wanted fields of JSON lines: an index of quotes and brackets, then a walk over each line's tokens.

The walk expects the keys in the order of the line before and compares bytes; only a key that differs is looked up. What
it does not understand it marks as bad; the row reader decides then.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np
from numba import njit

from fluxcore.formats.cells import ARRAY, FALSE, MISSING, NULL, NUMBER, OBJECT, STRING, TRUE
from fluxcore.formats.simd_kernels import (
    below_mask,
    bracket_mask,
    count_ones,
    equal_mask,
    escaped_mask,
    find_byte,
    load8,
    low_bits,
    prefix_xor,
    same_bytes,
    trailing_zeros,
    without_lowest,
)

_NEWLINE = 10
_QUOTE = 34
_COMMA = 44
_COLON = 58
_BACKSLASH = 92
_OPEN = 123
_CLOSE = 125
_OPEN_LIST = 91
_CLOSE_LIST = 93
_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_TOP = np.uint64(63)
_KEYS_LEARNED = 256
_DEPTH_MAX = 60
_VALUE = 0
_VALUE_OR_END = 1
_KEY = 2
_KEY_OR_END = 3
_AFTER = 4
_TRUE_WORD = np.uint64(0x65757274)
_NULL_WORD = np.uint64(0x6C6C756E)
_FALSE_WORD = np.uint64(0x65736C6166)


@njit(cache=True, nogil=True)
def index_json(buffer, size, positions, row_ends, odd_at):
    """Write the positions of quotes, of brackets, colons and commas outside strings, and of all line ends.

    The content ends with a newline; a string never crosses one. Out: (positions, lines, 1 when any byte is not ASCII,
    1 when there is any backslash, number of control characters inside strings). The first of those stand in ``odd_at``.
    """
    count = 0
    rows = 0
    inside = _ZERO
    escape_carry = _ZERO
    high = _ZERO
    escapes_seen = _ZERO
    odd = 0
    base = 0
    while base < size:
        valid = low_bits(size - base)
        newlines = equal_mask(buffer, base, _NEWLINE) & valid
        escapes = equal_mask(buffer, base, _BACKSLASH) & valid
        quotes = equal_mask(buffer, base, _QUOTE) & valid
        brackets = bracket_mask(buffer, base) & valid
        controls = below_mask(buffer, base, 32) & valid
        high |= ~below_mask(buffer, base, 128) & valid
        if escapes | escape_carry:
            escapes_seen |= escapes
            escaped, escape_carry = escaped_mask(escapes, escape_carry)
            quotes &= ~escaped
        quoted = prefix_xor(quotes) ^ inside
        broken = newlines & quoted
        step = 64
        if broken:
            # a string without an end: the line is bad, and the next one starts outside of strings
            step = trailing_zeros(broken) + 1
            valid = low_bits(step)
            newlines &= valid
            quotes &= valid
            brackets &= valid
            controls &= valid
            inside = _ZERO
            escape_carry = _ZERO
        else:
            inside = _ZERO - (quoted >> _TOP)
        controls &= quoted & ~newlines
        while controls:
            if odd < len(odd_at):
                odd_at[odd] = base + trailing_zeros(controls)
            odd += 1
            controls = without_lowest(controls)
        marks = (brackets & ~quoted) | quotes | newlines
        while newlines:
            below = (newlines & (_ZERO - newlines)) - _ONE
            row_ends[rows] = count + count_ones(marks & below)
            rows += 1
            newlines = without_lowest(newlines)
        while marks:
            positions[count] = base + trailing_zeros(marks)
            count += 1
            marks = without_lowest(marks)
        base += step
    for spare in range(8):
        positions[count + spare] = size - 1  # a walk that runs off meets newlines
    return count, rows, 1 if high else 0, 1 if escapes_seen else 0, odd


@njit(cache=True, nogil=True, inline="always")
def _blank(buffer, start, end):
    """Return whether there is nothing but white space in ``buffer[start:end]``."""
    while start < end:
        byte = buffer[start]
        if byte != 32 and byte != 9 and byte != 13:
            return False
        start += 1
    return True


@njit(cache=True, nogil=True, inline="always")
def _scalar(buffer, start, end):
    """Return (start, length, form) of a value that is no string; the form is -1 for what JSON doesn't know."""
    while start < end and buffer[start] <= 32:
        start += 1
    while start < end and buffer[end - 1] <= 32:
        end -= 1
    length = end - start
    if length == 0:
        return start, length, -1
    byte = buffer[start]
    if byte == 45 or (48 <= byte <= 57):
        return start, length, NUMBER if _number(buffer, start, end) else -1
    word = load8(buffer, start)
    if length == 4:
        word &= np.uint64(0xFFFFFFFF)
        if word == _TRUE_WORD:
            return start, length, TRUE
        if word == _NULL_WORD:
            return start, length, NULL
    elif length == 5 and (word & np.uint64(0xFFFFFFFFFF)) == _FALSE_WORD:
        return start, length, FALSE
    return start, length, -1


@njit(cache=True, nogil=True, inline="always")
def _number(buffer, index, end):
    """Return whether ``buffer[index:end]`` is a number as JSON spells them."""
    if buffer[index] == 45:
        index += 1
    start = index
    while index < end and np.uint8(buffer[index] - 48) < 10:
        index += 1
    if index == start or (buffer[start] == 48 and index > start + 1):
        return False
    if index < end and buffer[index] == 46:
        index += 1
        start = index
        while index < end and np.uint8(buffer[index] - 48) < 10:
            index += 1
        if index == start:
            return False
    if index < end and (buffer[index] | 32) == 101:
        index += 1
        if index < end and (buffer[index] == 43 or buffer[index] == 45):
            index += 1
        start = index
        while index < end and np.uint8(buffer[index] - 48) < 10:
            index += 1
        if index == start:
            return False
    return index == end


@njit(cache=True, nogil=True)
def _skip_nested(buffer, positions, token):
    """Return the token that closes the bracket at ``token``, or -1 when what stands between is not JSON."""
    kinds = _ZERO  # one bit a level, 1 for an object
    depth = 0
    state = _VALUE
    behind = positions[token]  # the byte behind the last token
    while True:
        at = positions[token]
        byte = buffer[at]
        if state == _VALUE or state == _VALUE_OR_END:
            plain = byte == _COMMA or byte == _CLOSE or byte == _CLOSE_LIST
            if plain and not (state == _VALUE_OR_END and byte == _CLOSE_LIST and _blank(buffer, behind, at)):
                _, _, form = _scalar(buffer, behind, at)
                if form < 0:
                    return -1
                behind = at
                state = _AFTER
                continue
        if not _blank(buffer, behind, at):
            return -1
        behind = at + 1
        if byte == _QUOTE and state != _AFTER:
            end = positions[token + 1]
            if buffer[end] != _QUOTE:
                return -1
            behind = end + 1
            token += 2
            if state == _KEY or state == _KEY_OR_END:
                colon = positions[token]
                if buffer[colon] != _COLON or not _blank(buffer, behind, colon):
                    return -1
                behind = colon + 1
                token += 1
                state = _VALUE
            else:
                state = _AFTER
        elif (byte == _OPEN or byte == _OPEN_LIST) and (state == _VALUE or state == _VALUE_OR_END):
            if depth == _DEPTH_MAX:
                return -1
            kinds = (kinds << _ONE) | (_ONE if byte == _OPEN else _ZERO)
            depth += 1
            token += 1
            state = _KEY_OR_END if byte == _OPEN else _VALUE_OR_END
        elif byte == _COMMA and state == _AFTER:
            token += 1
            state = _KEY if kinds & _ONE else _VALUE
        elif (byte == _CLOSE or byte == _CLOSE_LIST) and state != _KEY and state != _VALUE:
            if (kinds & _ONE) != (_ONE if byte == _CLOSE else _ZERO):
                return -1
            kinds >>= _ONE
            depth -= 1
            if depth == 0:
                return token
            token += 1
            state = _AFTER
        else:
            return -1


@njit(cache=True, nogil=True)
def _slot_of(buffer, start, length, names, name_ends):
    """Return the number of the wanted field of this name, -1 for none, -2 for a name with escapes."""
    begin = 0
    for slot in range(len(name_ends)):
        size = name_ends[slot] - begin
        if size == length and same_bytes(buffer, start, names, begin, length):
            return slot
        begin = name_ends[slot]
    return -2 if find_byte(buffer, start, length, _BACKSLASH) >= 0 else -1


@njit(cache=True, nogil=True)
def walk_json(buffer, positions, row_ends, rows, names, name_ends, cells, record):
    """Write start, length and form of the wanted fields of each line; return the number of lines that are not empty.

    In: ``names`` the wanted names' bytes (padded), ``name_ends`` where each ends. ``cells`` int32 [start|length|form,
    wanted, row]; ``record`` int32 [start|end|bad, row]. A repeated key counts with its last value.
    """
    wanted = len(name_ends)
    learned = np.empty((3, _KEYS_LEARNED), np.int64)  # start, length and slot of the keys of the line before
    known = 0
    kept = 0
    begin = 0
    first = 0
    for row in range(rows):
        last = row_ends[row]
        end = positions[last]
        if last == first and _blank(buffer, begin, end):
            first = last + 1
            begin = end + 1
            continue
        record[0, kept] = begin
        record[1, kept] = end
        for slot in range(wanted):
            cells[2, slot, kept] = MISSING
        token = first
        at = positions[token]
        bad = buffer[at] != _OPEN or not (at == begin or _blank(buffer, begin, at))
        done = False
        if not bad and buffer[positions[token + 1]] == _CLOSE and _blank(buffer, at + 1, positions[token + 1]):
            token += 1
            done = True
        key = 0
        while not bad and not done:
            start = positions[token + 1]
            stop = positions[token + 2]
            colon = positions[token + 3]
            if token + 4 > last or buffer[start] != _QUOTE or buffer[colon] != _COLON:
                bad = True
                break
            if not (start == at + 1 or _blank(buffer, at + 1, start)):
                bad = True
                break
            if not (colon == stop + 1 or _blank(buffer, stop + 1, colon)):
                bad = True
                break
            start += 1
            length = stop - start
            if key < known and learned[1, key] == length and same_bytes(buffer, start, buffer, learned[0, key], length):
                slot = learned[2, key]
            else:
                slot = _slot_of(buffer, start, length, names, name_ends)
                if key < _KEYS_LEARNED:
                    learned[1, key] = length
                    learned[2, key] = slot
                    known = max(known, key + 1)
            if key < _KEYS_LEARNED:
                learned[0, key] = start
            key += 1
            if slot == -2:
                bad = True
                break
            value = positions[token + 4]
            byte = buffer[value]
            if byte == _QUOTE:
                begins = value + 1
                size = positions[token + 5] - begins
                form = STRING
                token += 6
                bad = token > last or not (value == colon + 1 or _blank(buffer, colon + 1, value))
                behind = begins + size + 1
            elif byte in (_OPEN, _OPEN_LIST):
                closing = _skip_nested(buffer, positions, token + 4)
                if closing < 0 or not _blank(buffer, colon + 1, value):
                    bad = True
                    break
                begins = value
                size = positions[closing] + 1 - begins
                form = OBJECT if byte == _OPEN else ARRAY
                token = closing + 1
                behind = begins + size
            else:
                begins, size, form = _scalar(buffer, colon + 1, value)
                token += 4
                bad = form < 0
                behind = value
            if bad:
                break
            at = positions[token]
            if not (at == behind or _blank(buffer, behind, at)):
                bad = True
                break
            if slot >= 0:
                cells[0, slot, kept] = begins
                cells[1, slot, kept] = size
                cells[2, slot, kept] = form
            byte = buffer[at]
            if byte == _CLOSE:
                done = True
            elif byte != _COMMA:
                bad = True
        if not bad and (token + 1 != last or not _blank(buffer, positions[token] + 1, end)):
            bad = True
        record[2, kept] = bad
        kept += 1
        first = last + 1
        begin = end + 1
    return kept
