"""Compiled ranking: each partition has a doubly linked list of its best rows, the best first.

An entry is a slot of the state, or ``FRESH`` + i for row i of the batch that is being ranked; lists hold entry + 1, and 0 is
an end. ``words`` and ``fresh_words`` are tuples of int64 columns that order state slots and fresh rows, smaller ranks first.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FRESH = 1 << 48


@njit(cache=True, nogil=True)
def _goes_before(row, entry, words, fresh_words, later_first):  # type: ignore[no-untyped-def]
    """Return whether fresh ``row`` ranks before ``entry``. Of equal rows the earlier does, or the later."""
    if entry < FRESH:
        for k in range(len(words)):
            mine, other = fresh_words[k][row], words[k][entry]
            if mine != other:
                return mine < other
        return later_first
    entry -= FRESH
    for k in range(len(words)):
        mine, other = fresh_words[k][row], fresh_words[k][entry]
        if mine != other:
            return mine < other
    return (row > entry) == later_first


@njit(cache=True, nogil=True)
def insert(  # type: ignore[no-untyped-def]
    order, parts, lists, links, fresh_links, words, fresh_words, limits, alive, evicted, touched
):
    """Put the fresh rows among the best ``limits[0]`` of their partitions.

    In: ``order`` the rows to take, as they come or, where ``limits[2]``, by partition and from the worst to the best;
    ``parts`` each row's partition; ``lists`` (heads, tails, counts, marks) by partition; ``links`` and ``fresh_links``
    (next, prev) by slot and by row; ``limits`` (most rows, whether the later of equals goes first, whether sorted,
    serial number of the batch). Out: ``alive`` marks the rows that stay, ``evicted`` gets the slots that don't, and
    ``touched`` the partitions that changed; returns how many of both.
    """
    heads, tails, counts, marks = lists
    nexts, prevs = links
    fresh_nexts, fresh_prevs = fresh_links
    most, later_first, ordered, serial = limits[0], limits[1] != 0, limits[2] != 0, limits[3]
    gone, changed = 0, 0
    previous, hint = np.int64(-1), np.int64(0)
    for row in order:
        part = parts[row]
        tail = tails[part]
        if counts[part] >= most and not _goes_before(row, tail - 1, words, fresh_words, later_first):
            continue
        if marks[part] != serial:
            marks[part] = serial
            touched[changed] = part
            changed += 1
        at = hint if ordered and part == previous and hint else tail
        while at and _goes_before(row, at - 1, words, fresh_words, later_first):
            at = fresh_prevs[at - 1 - FRESH] if at > FRESH else prevs[at - 1]
        mine = FRESH + row + 1
        if at == 0:
            after = heads[part]
            heads[part] = mine
        elif at > FRESH:
            after = fresh_nexts[at - 1 - FRESH]
            fresh_nexts[at - 1 - FRESH] = mine
        else:
            after = nexts[at - 1]
            nexts[at - 1] = mine
        fresh_prevs[row] = at
        fresh_nexts[row] = after
        if after == 0:
            tails[part] = mine
        elif after > FRESH:
            fresh_prevs[after - 1 - FRESH] = mine
        else:
            prevs[after - 1] = mine
        alive[row] = True
        counts[part] += 1
        if counts[part] > most:
            tail = tails[part]
            if tail > FRESH:
                alive[tail - 1 - FRESH] = False
                last = fresh_prevs[tail - 1 - FRESH]
            else:
                evicted[gone] = tail - 1
                gone += 1
                last = prevs[tail - 1]
            tails[part] = last
            counts[part] -= 1
            if last > FRESH:
                fresh_nexts[last - 1 - FRESH] = 0
            elif last:
                nexts[last - 1] = 0
            else:
                heads[part] = 0
        previous, hint = part, mine
    return gone, changed


@njit(cache=True, nogil=True)
def settle(touched, lists, links, fresh_links, slots, ranks, entries, before):  # type: ignore[no-untyped-def]
    """Replace fresh rows in the lists of ``touched`` partitions by their ``slots``, and number each list from 1.

    Fills ``entries`` with the slots of these lists, best first, and ``before`` with the rank that each had; returns how many.
    """
    heads, tails, _, _ = lists
    nexts, prevs = links
    fresh_nexts, _ = fresh_links
    count = 0
    for part in touched:
        at, last, rank = heads[part], np.int64(0), 0
        while at:
            if at > FRESH:
                row = at - 1 - FRESH
                slot, after = slots[row], fresh_nexts[row]
            else:
                slot = at - 1
                after = nexts[slot]
            if last:
                nexts[last - 1] = slot + 1
            else:
                heads[part] = slot + 1
            prevs[slot] = last
            nexts[slot] = 0
            rank += 1
            entries[count] = slot
            before[count] = ranks[slot]
            ranks[slot] = rank
            count += 1
            last = slot + 1
            at = after
        tails[part] = last
    return count


@njit(cache=True, nogil=True)
def append(lists, links, parts, slots, ranks):  # type: ignore[no-untyped-def]
    """Put ``slots`` at the ends of the lists of their ``parts`` and number them."""
    heads, tails, counts, _ = lists
    nexts, prevs = links
    for i in range(len(slots)):
        part, slot = parts[i], slots[i]
        tail = tails[part]
        prevs[slot], nexts[slot] = tail, 0
        if tail:
            nexts[tail - 1] = slot + 1
        else:
            heads[part] = slot + 1
        tails[part] = slot + 1
        counts[part] += 1
        ranks[slot] = counts[part]
