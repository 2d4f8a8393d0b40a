"""Finds the fields of CSV records: an index of separators, then the wanted fields of each record.

A quote opens a quoted field only at the field's start; elsewhere it is a plain character, as in Flink (Jackson).
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np
from numba import njit

from fluxcore.formats.cells import ESCAPED, NULL, PLAIN, STRING
from fluxcore.formats.convert_kernels import trimmed
from fluxcore.formats.simd_kernels import (
    below_mask,
    count_ones,
    equal_mask,
    escaped_mask,
    find_byte,
    low_bits,
    prefix_xor,
    same_bytes,
    trailing_zeros,
    without_lowest,
)

_NEWLINE = 10
_RETURN = 13
_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_TOP = np.uint64(63)


@njit(cache=True, nogil=True, inline="always")
def _quoted_mask(quotes, inside, separators, before, quote_before):
    """Return (quotes that count, bytes inside quotes): a quote that opens anywhere but at a field's start is dropped."""
    while True:
        quoted = prefix_xor(quotes) ^ inside
        starts = ((separators & ~quoted) << _ONE) | before
        stray = quotes & quoted & ~starts & ~((quotes << _ONE) | quote_before)
        if not stray:
            return quotes, quoted
        quotes ^= _ONE << np.uint64(trailing_zeros(stray))


@njit(cache=True, nogil=True)
def index_csv(buffer, size, delimiter, quote, escape, positions, row_ends):
    """Write the positions of all separators outside quotes, and which of them end a record.

    In: ``quote`` and ``escape`` are -1 when there is none; the content ends with a newline. Out: (positions, records,
    1 when any byte is not ASCII, index of the last record end's byte or -1).
    """
    count = 0
    rows = 0
    inside = _ZERO
    before = _ONE
    quote_before = _ZERO
    escape_carry = _ZERO
    high = _ZERO
    for base in range(0, size, 64):
        valid = low_bits(size - base)
        newlines = equal_mask(buffer, base, _NEWLINE) & valid
        separators = newlines | (equal_mask(buffer, base, delimiter) & valid)
        high |= ~below_mask(buffer, base, 128) & valid
        escaped = _ZERO
        if escape >= 0:
            escaped, escape_carry = escaped_mask(equal_mask(buffer, base, escape) & valid, escape_carry)
            separators &= ~escaped
        if quote >= 0:
            quotes = equal_mask(buffer, base, quote) & valid & ~escaped
            if quotes | inside:
                quotes, quoted = _quoted_mask(quotes, inside, separators, before, quote_before)
                inside = _ZERO - (quoted >> _TOP)
                separators &= ~quoted
            quote_before = quotes >> _TOP
        before = separators >> _TOP
        newlines &= separators
        while newlines:
            below = (newlines & (_ZERO - newlines)) - _ONE
            row_ends[rows] = count + count_ones(separators & below)
            rows += 1
            newlines = without_lowest(newlines)
        while separators:
            positions[count] = base + trailing_zeros(separators)
            count += 1
            separators = without_lowest(separators)
    last = positions[row_ends[rows - 1]] if rows else -1
    return count, rows, 1 if high else 0, last


@njit(cache=True, nogil=True)
def cut_csv(buffer, size, delimiter, quote, escape):
    """Return the byte behind the last record that is complete (0 when none is)."""
    end = 0
    inside = _ZERO
    before = _ONE
    quote_before = _ZERO
    escape_carry = _ZERO
    for base in range(0, size, 64):
        valid = low_bits(size - base)
        newlines = equal_mask(buffer, base, _NEWLINE) & valid
        separators = newlines | (equal_mask(buffer, base, delimiter) & valid)
        escaped = _ZERO
        if escape >= 0:
            escaped, escape_carry = escaped_mask(equal_mask(buffer, base, escape) & valid, escape_carry)
            separators &= ~escaped
        quotes = equal_mask(buffer, base, quote) & valid & ~escaped if quote >= 0 else _ZERO
        if quotes | inside:
            quotes, quoted = _quoted_mask(quotes, inside, separators, before, quote_before)
            inside = _ZERO - (quoted >> _TOP)
            separators &= ~quoted
        quote_before = quotes >> _TOP
        before = separators >> _TOP
        newlines &= separators
        if newlines:
            while newlines & (newlines - _ONE):
                newlines = without_lowest(newlines)
            end = base + trailing_zeros(newlines) + 1
    return end


@njit(cache=True, nogil=True)
def hide_comments(buffer, size, delimiter, quote, escape):
    """Overwrite separators and quotes in lines that begin with ``#`` and are not inside quotes with ``#``."""
    at_start = True
    field_start = True
    quoted = False
    index = 0
    while index < size:
        byte = buffer[index]
        if at_start and byte == 35:
            while index < size and buffer[index] != _NEWLINE:
                buffer[index] = 35
                index += 1
            at_start = field_start = True
            index += 1
            continue
        if byte == escape:
            index += 2
            at_start = field_start = False
            continue
        if quoted:
            quoted = byte != quote
            at_start = field_start = False
        elif byte == quote:
            quoted = field_start or (index > 0 and buffer[index - 1] == quote and not at_start)
            at_start = field_start = False
        else:
            at_start = byte == _NEWLINE
            field_start = at_start or byte == delimiter
        index += 1


@njit(cache=True, nogil=True, inline="always")
def _field(buffer, begin, end, quote, escape):
    """Return (start, length, form) of a field, or a start of -1 for one whose quotes are wrong."""
    if quote >= 0 and end > begin and buffer[begin] == quote:
        if end - begin < 2 or buffer[end - 1] != quote:
            return -1, 0, PLAIN
        begin += 1
        end -= 1
        if find_byte(buffer, begin, end - begin, quote) >= 0:
            return begin, end - begin, ESCAPED
        if escape >= 0 and find_byte(buffer, begin, end - begin, escape) >= 0:
            return begin, end - begin, ESCAPED
        return begin, end - begin, STRING
    if escape >= 0 and find_byte(buffer, begin, end - begin, escape) >= 0:
        return begin, end - begin, ESCAPED
    return begin, end - begin, PLAIN


@njit(cache=True, nogil=True)
def split_csv(buffer, positions, row_ends, rows, layout, fields, null_text, cells, record):
    """Write start, length and form of the wanted fields of each record; return the number of records kept.

    In: ``layout`` (int64): fields per record, quote, escape, whether ``#`` lines are comments, whether an empty line is
    a record, length of the null literal or -1, whether a delimiter may end a record, whether more fields may follow,
    whether plain fields lose spaces around them. ``fields``: the wanted fields' numbers. ``cells`` int32
    [start|length|form, wanted, row]. ``record`` int32 [start|end|bad, row].
    """
    width, quote, escape = layout[0], layout[1], layout[2]
    comments, keep_empty, null_length = layout[3], layout[4], layout[5]
    trim = layout[8]
    kept = 0
    first = 0
    begin = 0
    for row in range(rows):
        last = row_ends[row]
        end = positions[last]
        tail = end - 1 if end > begin and buffer[end - 1] == _RETURN else end
        found = last - first + 1
        skip = (found == 1 and tail == begin and not keep_empty) or (comments and end > begin and buffer[begin] == 35)
        if not skip:
            record[0, kept] = begin
            record[1, kept] = tail
            wrong = found != width
            if wrong and found > width:
                # a delimiter at the end of a record makes no field
                trailing = layout[6] and found == width + 1 and positions[last - 1] + 1 == tail
                wrong = not (trailing or layout[7])
            record[2, kept] = wrong
            for slot in range(len(fields)):
                if wrong:
                    cells[2, slot, kept] = NULL
                    continue
                number = first + fields[slot]
                start = begin if fields[slot] == 0 else positions[number - 1] + 1
                stop = tail if number == last else positions[number]
                start, length, form = _field(buffer, start, stop, quote, escape)
                if trim and form == PLAIN:
                    start, length = trimmed(buffer, start, length)
                    if length > 0 and buffer[start] == quote:
                        start = -1
                if start < 0:
                    record[2, kept] = 1
                    form = NULL
                elif length == null_length and form != ESCAPED and same_bytes(buffer, start, null_text, 0, length):
                    form = NULL
                cells[0, slot, kept] = start
                cells[1, slot, kept] = length
                cells[2, slot, kept] = form
            kept += 1
        first = last + 1
        begin = end + 1
    return kept
