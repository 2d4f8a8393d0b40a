"""Compiled functions of text: UTF-8 bytes behind int32 offsets, as Arrow keeps them."""

from __future__ import annotations

import numpy as np
from numba import njit

from fluxcore.core.copy_kernels import copy_bytes


@njit(cache=True, nogil=True)
def find_part(offsets, data, separator, index, starts, lengths):  # type: ignore[no-untyped-def]
    """Find part number ``index`` (from 0) of each text between separators; a text without a byte has no parts.

    In: ``offsets`` int32, rows + 1; ``data`` and ``separator`` uint8, at least one byte of the latter. Out: ``starts`` int64
    and ``lengths`` int32, -1 where there are fewer parts. Returns the bytes of all parts found.
    """
    size, total = len(separator), np.int64(0)
    head = separator[0]
    for row in range(len(starts)):
        at, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
        begin, part = at, 0
        found = -1 if at == end else 0
        while found == 0:
            hit = end
            last = end - size
            place = begin
            while place <= last:
                if data[place] == head:
                    same = True
                    for k in range(1, size):
                        if data[place + k] != separator[k]:
                            same = False
                            break
                    if same:
                        hit = place
                        break
                place += 1
            if part == index:
                found = 1
                end = hit
            elif hit == end:
                found = -1
            else:
                begin = hit + size
                part += 1
        starts[row] = begin
        lengths[row] = end - begin if found > 0 else -1
        if found > 0:
            total += end - begin
    return total


@njit(cache=True, nogil=True)
def copy_parts(data, starts, lengths, offsets, out):  # type: ignore[no-untyped-def]
    """Copy parts one behind the other and fill ``offsets`` (int32, rows + 1); a length of -1 takes no bytes."""
    at = np.int64(0)
    for row in range(len(starts)):
        offsets[row] = at
        if lengths[row] > 0:
            copy_bytes(out, at, data, starts[row], np.int64(lengths[row]))
            at += lengths[row]
    offsets[len(starts)] = at
