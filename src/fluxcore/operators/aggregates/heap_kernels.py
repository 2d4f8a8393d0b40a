"""Compiled pairing heaps, one for each group; their nodes are the entries of a table of values.

``roots`` (by group), ``childs`` and ``siblings`` (by entry) are int64 and hold entry + 1; 0 is none. The least value stands at
the root. ``keys`` order entries: ``highs`` (int64) and ``lows`` (uint64) by entry, and for texts, of which those are the first
16 bytes, ``starts`` and ``lengths`` by entry (what follows those bytes stands in ``arena``), and whether the order is turned
round. Other values leave these empty: entries of a group differ in their words.
Source: Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap" (1986).
"""

from __future__ import annotations

import numpy as np
from numba import njit

PREFIX_BYTES = 16


@njit(cache=True, nogil=True)
def _longer_less(x, y, starts, lengths, arena, descending):  # type: ignore[no-untyped-def]
    """Return whether text ``x`` comes before ``y``, whose first bytes are equal."""
    a, b = lengths[x], lengths[y]
    rest_a, rest_b = max(a - PREFIX_BYTES, 0), max(b - PREFIX_BYTES, 0)
    for at in range(min(rest_a, rest_b)):
        p, q = arena[starts[x] + at], arena[starts[y] + at]
        if p != q:
            return (p < q) != descending
    return a != b and (a < b) != descending


@njit(cache=True, nogil=True, inline="always")
def _meld(a, b, childs, siblings, keys):  # type: ignore[no-untyped-def]
    """Join two heaps (entry + 1, not 0) and return the root."""
    highs, lows, starts, lengths, arena, descending = keys
    x, y = a - 1, b - 1
    after = highs[y] < highs[x]
    if highs[y] == highs[x]:
        after = lows[y] < lows[x]
        if lows[y] == lows[x] and len(lengths):
            after = _longer_less(y, x, starts, lengths, arena, descending)
    if after:
        a, b, x, y = b, a, y, x
    siblings[y] = childs[x]
    childs[x] = b
    return a


@njit(cache=True, nogil=True)
def push(roots, childs, siblings, keys, entries, groups):  # type: ignore[no-untyped-def]
    """Add new entries to the heaps of their groups."""
    for i in range(len(entries)):
        entry, group = entries[i], groups[i]
        childs[entry] = 0
        siblings[entry] = 0
        root = roots[group]
        roots[group] = entry + 1 if root == 0 else _meld(root, entry + 1, childs, siblings, keys)


@njit(cache=True, nogil=True)
def _pop(root, childs, siblings, keys):  # type: ignore[no-untyped-def]
    """Return the heap without its root: children are joined in pairs, then the pairs from the last to the first."""
    at = childs[root - 1]
    pairs = np.int64(0)
    while at:
        first = at
        second = siblings[first - 1]
        siblings[first - 1] = 0
        if second == 0:
            siblings[first - 1] = pairs
            pairs = first
            break
        at = siblings[second - 1]
        siblings[second - 1] = 0
        joined = _meld(first, second, childs, siblings, keys)
        siblings[joined - 1] = pairs
        pairs = joined
    found = np.int64(0)
    while pairs:
        after = siblings[pairs - 1]
        siblings[pairs - 1] = 0
        found = pairs if found == 0 else _meld(found, pairs, childs, siblings, keys)
        pairs = after
    return found


@njit(cache=True, nogil=True)
def settle(roots, childs, siblings, keys, counts, groups, dead):  # type: ignore[no-untyped-def]
    """Pop roots that count 0 from the heaps of ``groups``. Returns how many; ``dead`` gets the entries."""
    found = 0
    for i in range(len(groups)):
        group = groups[i]
        while roots[group] and counts[roots[group] - 1] <= 0:
            dead[found] = roots[group] - 1
            found += 1
            roots[group] = _pop(roots[group], childs, siblings, keys)
            if found == len(dead):
                return found
    return found


@njit(cache=True, nogil=True)
def members(roots, childs, siblings, groups, out):  # type: ignore[no-untyped-def]
    """Empty the heaps of ``groups``. Returns how many entries they had, and writes those that there is room for."""
    found = 0
    stack = np.empty(64, np.int64)
    for i in range(len(groups)):
        if roots[groups[i]] == 0:
            continue
        stack[0] = roots[groups[i]]
        roots[groups[i]] = 0
        depth = 1
        while depth:
            depth -= 1
            at = stack[depth]
            while at:
                entry = at - 1
                out[found] = entry
                found += 1
                if childs[entry]:
                    if depth == len(stack):
                        grown = np.empty(2 * depth, np.int64)
                        grown[:depth] = stack
                        stack = grown
                    stack[depth] = childs[entry]
                    depth += 1
                at = siblings[entry]
    return found


@njit(cache=True, nogil=True)
def prefixes(offsets, data, highs, lows):  # type: ignore[no-untyped-def]
    """Write the first 16 bytes of texts as two words that order as the bytes do (``highs`` as uint64 too)."""
    for row in range(len(highs)):
        first, size = offsets[row], offsets[row + 1] - offsets[row]
        for half in range(2):
            word = np.uint64(0)
            for at in range(8 * half, 8 * half + 8):
                byte = np.uint64(data[first + at]) if at < size else np.uint64(0)
                word = word << np.uint64(8) | byte
            if half == 0:
                highs[row] = word
            else:
                lows[row] = word


@njit(cache=True, nogil=True)
def keep_rests(offsets, data, arena, used, starts, lengths, entries):  # type: ignore[no-untyped-def]
    """Put what follows the first 16 bytes of texts into the arena, from ``used`` on; return how much is used then."""
    for row in range(len(entries)):
        first, size = offsets[row], offsets[row + 1] - offsets[row]
        entry = entries[row]
        starts[entry], lengths[entry] = used, size
        for at in range(PREFIX_BYTES, size):
            arena[used] = data[first + at]
            used += 1
    return used


@njit(cache=True, nogil=True)
def move_rests(arena, starts, lengths, entries, into):  # type: ignore[no-untyped-def]
    """Copy what entries keep in the arena into another one; return how much is used there."""
    used = 0
    for row in range(len(entries)):
        entry = entries[row]
        size = max(lengths[entry] - PREFIX_BYTES, 0)
        start = starts[entry]
        for at in range(size):
            into[used + at] = arena[start + at]
        starts[entry] = used
        used += size
    return used
