"""Compiled versions in event time: which row of a key holds at which time.

A version holds from its own time on, until the next one; ``until`` (ms) is the first time at which it holds no more because it
was taken back. Versions that were not taken back form a stack by key, the latest on top. Links hold slot + 1; 0 is none.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def take(owners, slots, weights, times, since, hashes, keys, rows):  # type: ignore[no-untyped-def]
    """Take changes in the order in which they came: a row replaces the one that its key had, and may be taken back.

    In: for each change the key slot, the row slot (-1 where a row is taken back), the weight, the time, the first time (ms)
    that it can still be seen at, and the row's hash; ``keys`` (tops, gone, gone_at) by key slot; ``rows`` (times, untils,
    belows, hashes) by row slot. Out: a key whose row is taken back is gone from ``since`` on; a row that comes at that same
    moment makes it an update: what was taken back holds until the new row's time.
    """
    tops, gone, gone_at = keys
    row_times, untils, belows, row_hashes = rows
    for i in range(len(owners)):
        key = owners[i]
        top = tops[key]
        if weights[i] < 0:
            if top and not gone[key] and row_hashes[top - 1] == hashes[i] and row_times[top - 1] == times[i]:
                gone[key] = 1
                gone_at[key] = since[i]
            continue
        if gone[key]:
            if gone_at[key] < since[i]:
                end(key, tops, gone, gone_at, untils, belows)
                top = 0
            gone[key] = 0
        while top and row_times[top - 1] > times[i]:
            untils[top - 1] = since[i]
            top = belows[top - 1]
        belows[slots[i]] = top
        tops[key] = slots[i] + 1


@njit(cache=True, nogil=True)
def end(key, tops, gone, gone_at, untils, belows):  # type: ignore[no-untyped-def]
    """End all versions of a key that is gone."""
    at = tops[key]
    while at:
        untils[at - 1] = min(untils[at - 1], gone_at[key])
        at = belows[at - 1]
    tops[key] = 0
    gone[key] = 0


@njit(cache=True, nogil=True)
def find(places, since, untils, ranks, asked, times, found):  # type: ignore[no-untyped-def]
    """Find for each question the version that holds.

    In: versions by (place of the key, ``since``), each with the end of its time and its rank among all by time and arrival;
    questions by (place of the key in ``asked``, time). Out: ``found`` the number of the version, -1 for none.
    """
    heap = np.empty(len(places), np.int64)
    size, at = 0, 0
    for i in range(len(asked)):
        if i == 0 or asked[i] != asked[i - 1]:
            size = 0
            while at < len(places) and places[at] < asked[i]:
                at += 1
        while at < len(places) and places[at] == asked[i] and since[at] <= times[i]:
            _push(heap, size, at, ranks)
            size += 1
            at += 1
        while size and untils[heap[0]] <= times[i]:
            size -= 1
            heap[0] = heap[size]
            _sink(heap, size, ranks)
        found[i] = heap[0] if size else -1


@njit(cache=True, nogil=True)
def _push(heap, size, version, ranks):  # type: ignore[no-untyped-def]
    at = size
    heap[at] = version
    while at:
        above = (at - 1) // 2
        if ranks[heap[above]] >= ranks[heap[at]]:
            return
        heap[above], heap[at] = heap[at], heap[above]
        at = above


@njit(cache=True, nogil=True)
def _sink(heap, size, ranks):  # type: ignore[no-untyped-def]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        if child + 1 < size and ranks[heap[child + 1]] > ranks[heap[child]]:
            child += 1
        if ranks[heap[at]] >= ranks[heap[child]]:
            return
        heap[child], heap[at] = heap[at], heap[child]
        at = child


@njit(cache=True, nogil=True)
def settle(touched, next_ms, keys, rows, removed):  # type: ignore[no-untyped-def]
    """Keep of each touched key the version that holds at ``next_ms``, and those whose time has not come.

    In: ``keys`` (heads, tops, gone, gone_at, counts) by key slot, ``rows`` (nexts, prevs, belows, untils, times, serials) by
    row slot; the chain of a key holds the versions whose time has come. Out: ``removed`` gets the row slots that are no
    longer needed; returns how many.
    """
    heads, tops, gone, gone_at, counts = keys
    nexts, prevs, belows, untils, times, serials = rows
    count = 0
    for key in touched:
        if gone[key]:
            if gone_at[key] >= next_ms:
                continue
            end(key, tops, gone, gone_at, untils, belows)
        best, at = np.int64(0), heads[key]
        while at:
            slot = at - 1
            if untils[slot] > next_ms:
                if best == 0:
                    best = at
                else:
                    other = best - 1
                    later = times[slot] > times[other]
                    if later or (times[slot] == times[other] and serials[slot] > serials[other]):
                        best = at
            at = nexts[slot]
        at = heads[key]
        while at:
            after = nexts[at - 1]
            if at != best:
                removed[count] = at - 1
                count += 1
                counts[key] -= 1
            at = after
        heads[key] = best
        if best:
            nexts[best - 1] = 0
            prevs[best - 1] = 0
            belows[best - 1] = 0
    return count


@njit(cache=True, nogil=True)
def stack(owners, slots, tops, belows):  # type: ignore[no-untyped-def]
    """Put row ``slots`` on the stacks of their keys, in the order given."""
    for i in range(len(slots)):
        belows[slots[i]] = tops[owners[i]]
        tops[owners[i]] = slots[i] + 1
