"""Compiled pairing heaps, one for each group; their nodes are the entries of a table of values.

``roots`` (by group), ``childs`` and ``siblings`` (by entry) are int64 and hold entry + 1; 0 is none. An entry's value is the
pair of words ``highs`` (int64) and ``lows`` (uint64); the least stands at the root.
Source: Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap" (1986).
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, inline="always")
def _meld(a, b, childs, siblings, highs, lows):  # type: ignore[no-untyped-def]
    """Join two heaps (entry + 1, not 0) and return the root."""
    x, y = a - 1, b - 1
    if highs[y] < highs[x] or (highs[y] == highs[x] and lows[y] < lows[x]):
        a, b, x, y = b, a, y, x
    siblings[y] = childs[x]
    childs[x] = b
    return a


@njit(cache=True, nogil=True)
def push(roots, childs, siblings, highs, lows, entries, groups):  # type: ignore[no-untyped-def]
    """Add new entries to the heaps of their groups."""
    for i in range(len(entries)):
        entry, group = entries[i], groups[i]
        childs[entry] = 0
        siblings[entry] = 0
        root = roots[group]
        roots[group] = entry + 1 if root == 0 else _meld(root, entry + 1, childs, siblings, highs, lows)


@njit(cache=True, nogil=True)
def _pop(root, childs, siblings, highs, lows):  # type: ignore[no-untyped-def]
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
        joined = _meld(first, second, childs, siblings, highs, lows)
        siblings[joined - 1] = pairs
        pairs = joined
    found = np.int64(0)
    while pairs:
        after = siblings[pairs - 1]
        siblings[pairs - 1] = 0
        found = pairs if found == 0 else _meld(found, pairs, childs, siblings, highs, lows)
        pairs = after
    return found


@njit(cache=True, nogil=True)
def settle(roots, childs, siblings, highs, lows, counts, groups, dead):  # type: ignore[no-untyped-def]
    """Pop roots that count 0 from the heaps of ``groups``. Returns how many; ``dead`` gets the entries."""
    found = 0
    for i in range(len(groups)):
        group = groups[i]
        while roots[group] and counts[roots[group] - 1] <= 0:
            dead[found] = roots[group] - 1
            found += 1
            roots[group] = _pop(roots[group], childs, siblings, highs, lows)
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
