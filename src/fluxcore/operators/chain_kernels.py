"""Compiled chains of rows: each key has a doubly linked list of the slots of its rows, newest first.

``heads`` (by key slot), ``nexts`` and ``prevs`` (by row slot) are int64 and hold slot + 1; 0 is the end of a chain.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def link(heads, nexts, prevs, owners, slots, keys):  # type: ignore[no-untyped-def]
    """Put new row ``slots`` at the front of the chains of ``keys``; ``owners`` (by row slot) remembers the key."""
    for i in range(len(slots)):
        slot, key = slots[i], keys[i]
        first = heads[key]
        nexts[slot] = first
        prevs[slot] = 0
        owners[slot] = key
        if first:
            prevs[first - 1] = slot + 1
        heads[key] = slot + 1


@njit(cache=True, nogil=True)
def unlink(heads, nexts, prevs, owners, slots, empty):  # type: ignore[no-untyped-def]
    """Take row ``slots`` out of their chains. Returns how many keys have no rows left; ``empty`` gets them."""
    count = 0
    for i in range(len(slots)):
        slot = slots[i]
        after, before = nexts[slot], prevs[slot]
        if after:
            prevs[after - 1] = before
        if before:
            nexts[before - 1] = after
        else:
            heads[owners[slot]] = after
            if after == 0:
                empty[count] = owners[slot]
                count += 1
    return count


@njit(cache=True, nogil=True)
def pairs(heads, nexts, keys, place, rows, slots):  # type: ignore[no-untyped-def]
    """Fill ``rows`` and ``slots`` with the pairs of each row of ``keys`` (key slot, -1: none) and its chain.

    ``place`` int64: [0] the row to go on with, [1] the entry of its chain to go on with, or -1 for its first. Returns how
    many pairs there are; fewer than there is room for means that all are done.
    """
    count, room = 0, len(rows)
    while place[0] < len(keys):
        row = place[0]
        key = keys[row]
        at = np.int64(0)
        if key >= 0:
            at = heads[key] if place[1] < 0 else place[1]
        while at:
            if count == room:
                place[1] = at
                return count
            rows[count] = row
            slots[count] = at - 1
            count += 1
            at = nexts[at - 1]
        place[0] = row + 1
        place[1] = -1
    return count
