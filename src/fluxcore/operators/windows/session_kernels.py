"""Compiled sessions: each key has a linked list of its open sessions, in no order.

An entry is a slot of the state, or ``FRESH`` + i for the session that row i of the batch began; lists hold entry + 1, and 0
is an end. A session is [start, end): from its first row to the gap behind its last one (ms).
"""

from __future__ import annotations

import numpy as np
from numba import njit

FRESH = 1 << 48


@njit(cache=True, nogil=True)
def place(parts, times, before, gap, heads, state, fresh, found, joined, reached, alone):  # type: ignore[no-untyped-def]
    """Find each row's session, in the order of the rows: sessions that meet become one, late rows have none.

    In: ``parts`` each row's key slot; ``before`` the watermark before each row (ms); ``heads`` by key slot; ``state`` and
    ``fresh`` (starts, ends, nexts, into): by slot and by row, where ``into`` is the entry + 1 that a session went into.
    Out: ``found`` each row's entry, which may have gone into another since, -1 for late rows; ``joined`` the slots that went
    into other sessions; ``reached`` the start and the end of each row's session with that row. Returns how many went into others, how many rows
    are late, and how many rows are done: with ``alone`` a row that would join sessions is done only if it is the first.
    """
    starts, ends, nexts, into = state
    fresh_starts, fresh_ends, fresh_nexts, fresh_into = fresh
    merged, late = 0, 0
    for row in range(len(parts)):
        part, begin, watermark = parts[row], times[row], before[row]
        end = begin + gap
        target, last, at = np.int64(0), np.int64(0), heads[part]
        low, high = begin, end
        while at:
            if at > FRESH:
                its_start, its_end, after = (
                    fresh_starts[at - 1 - FRESH],
                    fresh_ends[at - 1 - FRESH],
                    fresh_nexts[at - 1 - FRESH],
                )
            else:
                its_start, its_end, after = starts[at - 1], ends[at - 1], nexts[at - 1]
            if its_end - 1 > watermark and its_start <= end and its_end >= begin:
                low, high = min(low, its_start), max(high, its_end)
                if target == 0:
                    target = at
                else:
                    if alone and row:
                        return merged, late, row
                    if at > FRESH:
                        fresh_into[at - 1 - FRESH] = target
                    else:
                        into[at - 1] = target
                        joined[merged] = at - 1
                        merged += 1
                    if last > FRESH:
                        fresh_nexts[last - 1 - FRESH] = after
                    else:
                        nexts[last - 1] = after
                    at = after
                    continue
            last = at
            at = after
        if target == 0:
            if end - 1 <= watermark:
                found[row] = -1
                late += 1
                continue
            target = np.int64(FRESH + row + 1)
            fresh_nexts[row] = heads[part]
            heads[part] = target
        if target > FRESH:
            fresh_starts[target - 1 - FRESH], fresh_ends[target - 1 - FRESH] = low, high
        else:
            starts[target - 1], ends[target - 1] = low, high
        found[row] = target - 1
        reached[0][row], reached[1][row] = low, high
    return merged, late, len(parts)


@njit(cache=True, nogil=True)
def resolve(found, into, fresh_into):  # type: ignore[no-untyped-def]
    """Replace each entry of ``found`` (-1: none) by the one that it has gone into in the end."""
    for i in range(len(found)):
        entry = found[i]
        while entry >= 0:
            target = fresh_into[entry - FRESH] if entry >= FRESH else into[entry]
            if target == 0:
                break
            entry = target - 1
        found[i] = entry


@njit(cache=True, nogil=True)
def settle(parts, heads, nexts, fresh_nexts, slots):  # type: ignore[no-untyped-def]
    """Replace fresh sessions in the lists of ``parts`` by their ``slots`` (by row)."""
    for part in parts:
        at, last = heads[part], np.int64(0)
        while at:
            if at > FRESH:
                slot, after = slots[at - 1 - FRESH], fresh_nexts[at - 1 - FRESH]
            else:
                slot, after = at - 1, nexts[at - 1]
            if last:
                nexts[last - 1] = slot + 1
            else:
                heads[part] = slot + 1
            nexts[slot] = 0
            last = slot + 1
            at = after


@njit(cache=True, nogil=True)
def link(parts, slots, heads, nexts):  # type: ignore[no-untyped-def]
    """Put sessions at ``slots`` into the lists of their ``parts``."""
    for i in range(len(slots)):
        nexts[slots[i]] = heads[parts[i]]
        heads[parts[i]] = slots[i] + 1


@njit(cache=True, nogil=True)
def unlink(parts, slots, heads, nexts, empty):  # type: ignore[no-untyped-def]
    """Take sessions at ``slots`` out of the lists of their ``parts``. Returns how many keys have none left, in ``empty``."""
    count = 0
    for i in range(len(slots)):
        part, wanted = parts[i], slots[i] + 1
        after = nexts[slots[i]]
        if heads[part] == wanted:
            heads[part] = after
        else:
            at = heads[part]
            while nexts[at - 1] != wanted:
                at = nexts[at - 1]
            nexts[at - 1] = after
        if heads[part] == 0:
            empty[count] = part
            count += 1
    return count


@njit(cache=True, nogil=True)
def next_ends(parts, heads, ends, nexts, now, lateness, lowest, lows):  # type: ignore[no-untyped-def]
    """Lower each row's ``lowest`` to when the first of its key's sessions ends after ``now`` (ms): open ones, and those of rows.

    A session ends with its last millisecond, and once more ``lateness`` (ms) later. ``lows`` (by key slot ``parts``) are the
    greatest time before and afterwards.
    """
    none = np.int64(2**63 - 1)
    for row in range(len(parts)):
        part = parts[row]
        if lows[part] == none:
            at = heads[part]
            while at:
                last = ends[at - 1] - 1
                if last > now:
                    lows[part] = min(lows[part], last)
                elif last + lateness > now:
                    lows[part] = min(lows[part], last + lateness)
                at = nexts[at - 1]
        lows[part] = min(lows[part], lowest[row])
        lowest[row] = lows[part]
    for row in range(len(parts)):
        lows[parts[row]] = none
