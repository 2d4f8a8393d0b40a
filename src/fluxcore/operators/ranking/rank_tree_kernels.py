"""Compiled ranking of rows that come and go: a balanced search tree (a treap) for each partition, with numbers of rows.

A node is the slot of a row that stands ``weight`` times. ``nodes`` are (lefts, rights, ups, weights, sizes, there, marks) by
slot: links hold slot + 1, and 0 is none; the size is the sum of the weights below and at a node. Rows are ordered by
``words``, a tuple of int64 columns, then by arrival; ``order`` is (words, arrivals, whether the later arrival goes first).
"""

from __future__ import annotations

import numpy as np
from numba import njit

_FAR = np.int64(1) << 62


@njit(cache=True, nogil=True)
def _before(a, b, order):  # type: ignore[no-untyped-def]
    words, arrivals, later_first = order
    for k in range(len(words)):
        if words[k][a] != words[k][b]:
            return words[k][a] < words[k][b]
    return (arrivals[a] > arrivals[b]) if later_first else (arrivals[a] < arrivals[b])


@njit(cache=True, nogil=True)
def _priority(slot):  # type: ignore[no-untyped-def]
    mixed = np.uint64(slot + 1) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return mixed ^ (mixed >> np.uint64(32))


@njit(cache=True, nogil=True)
def _size(link, sizes):  # type: ignore[no-untyped-def]
    return sizes[link - 1] if link else 0


@njit(cache=True, nogil=True)
def _position(root, slot, nodes, order):  # type: ignore[no-untyped-def]
    """Return the rank (from 1) that a row would have which is not in the tree."""
    lefts, rights, _, weights, sizes, _, _ = nodes
    rank, at = 1, root
    while at:
        node = at - 1
        if _before(slot, node, order):
            at = lefts[node]
        else:
            rank += _size(lefts[node], sizes) + weights[node]
            at = rights[node]
    return rank


@njit(cache=True, nogil=True)
def _rank(slot, nodes):  # type: ignore[no-untyped-def]
    """Return the rank of the first one of a row in the tree."""
    lefts, rights, ups, weights, sizes, _, _ = nodes
    rank = 1 + _size(lefts[slot], sizes)
    node, up = slot, ups[slot]
    while up:
        parent = up - 1
        if rights[parent] == node + 1:
            rank += _size(lefts[parent], sizes) + weights[parent]
        node, up = parent, ups[parent]
    return rank


@njit(cache=True, nogil=True)
def _lift(node, part, roots, nodes):  # type: ignore[no-untyped-def]
    """Turn a node and the one above it, so that the node is above."""
    lefts, rights, ups, weights, sizes, _, _ = nodes
    parent = ups[node] - 1
    above = ups[parent]
    if lefts[parent] == node + 1:
        inner = rights[node]
        lefts[parent] = inner
        rights[node] = parent + 1
    else:
        inner = lefts[node]
        rights[parent] = inner
        lefts[node] = parent + 1
    if inner:
        ups[inner - 1] = parent + 1
    ups[parent] = node + 1
    ups[node] = above
    if above == 0:
        roots[part] = node + 1
    elif lefts[above - 1] == parent + 1:
        lefts[above - 1] = node + 1
    else:
        rights[above - 1] = node + 1
    sizes[node] = sizes[parent]
    sizes[parent] = _size(lefts[parent], sizes) + _size(rights[parent], sizes) + weights[parent]


@njit(cache=True, nogil=True)
def _insert(slot, part, roots, nodes, order):  # type: ignore[no-untyped-def]
    """Put a row that stands there 0 times into its partition's tree."""
    lefts, rights, ups, weights, sizes, there, _ = nodes
    lefts[slot] = rights[slot] = weights[slot] = sizes[slot] = 0
    there[slot] = 1
    at, up, left = roots[part], np.int64(0), False
    while at:
        up = at
        left = _before(slot, at - 1, order)
        at = lefts[at - 1] if left else rights[at - 1]
    ups[slot] = up
    if up == 0:
        roots[part] = slot + 1
    elif left:
        lefts[up - 1] = slot + 1
    else:
        rights[up - 1] = slot + 1
    while ups[slot] and _priority(slot) > _priority(ups[slot] - 1):
        _lift(slot, part, roots, nodes)


@njit(cache=True, nogil=True)
def _weigh(slot, weight, nodes):  # type: ignore[no-untyped-def]
    """Say how often a row stands there."""
    ups, weights, sizes = nodes[2], nodes[3], nodes[4]
    more = weight - weights[slot]
    weights[slot] = weight
    at = slot + 1
    while more and at:
        sizes[at - 1] += more
        at = ups[at - 1]


@njit(cache=True, nogil=True)
def _remove(slot, part, roots, nodes):  # type: ignore[no-untyped-def]
    """Take a row out of the tree that stands there 0 times."""
    lefts, rights, ups, _, _, there, _ = nodes
    while lefts[slot] or rights[slot]:
        left, right = lefts[slot], rights[slot]
        if right == 0 or (left and _priority(left - 1) > _priority(right - 1)):
            _lift(left - 1, part, roots, nodes)
        else:
            _lift(right - 1, part, roots, nodes)
    up = ups[slot]
    if up == 0:
        roots[part] = 0
    elif lefts[up - 1] == slot + 1:
        lefts[up - 1] = 0
    else:
        rights[up - 1] = 0
    there[slot] = 0


@njit(cache=True, nogil=True)
def _select(root, rank, nodes):  # type: ignore[no-untyped-def]
    """Return the node (+ 1) that stands at a rank and its first rank; 0 where there are not so many rows."""
    lefts, rights, _, weights, sizes, _, _ = nodes
    before, at = np.int64(0), root
    while at:
        node = at - 1
        first = before + _size(lefts[node], sizes)
        if rank <= first:
            at = lefts[node]
        elif rank <= first + weights[node]:
            return at, first + 1
        else:
            before = first + weights[node]
            at = rights[node]
    return np.int64(0), np.int64(0)


@njit(cache=True, nogil=True)
def _next(link, nodes):  # type: ignore[no-untyped-def]
    """Return the node (+ 1) that follows in the order, 0 behind the last."""
    lefts, rights, ups = nodes[0], nodes[1], nodes[2]
    at = rights[link - 1]
    if at:
        while lefts[at - 1]:
            at = lefts[at - 1]
        return at
    up = ups[link - 1]
    while up and rights[up - 1] == link:
        link, up = up, ups[up - 1]
    return up


@njit(cache=True, nogil=True)
def _put(out, count, slot, rank, number):  # type: ignore[no-untyped-def]
    """Add an entry of three numbers to a list; return the list, which is another one when it has grown."""
    if 3 * count == len(out):
        grown = np.empty(2 * len(out), np.int64)
        grown[: len(out)] = out
        out = grown
    out[3 * count], out[3 * count + 1], out[3 * count + 2] = slot, rank, number
    return out


@njit(cache=True, nogil=True)
def _shown(start, weight, first, last):  # type: ignore[no-untyped-def]
    """Return how many of the ranks ``start .. start + weight - 1`` are among ``first .. last``."""
    return max(min(start + weight - 1, last) - max(start, first) + 1, 0)


@njit(cache=True, nogil=True)
def listed(root, low, high, nodes, out, count):  # type: ignore[no-untyped-def]
    """Add (slot, first rank, number of ranks) of the ranks ``low .. high`` of a tree to a list."""
    weights = nodes[3]
    at, start = _select(root, low, nodes)
    while at and start <= high:
        shown = _shown(start, weights[at - 1], low, high)
        if shown:
            out = _put(out, count, at - 1, max(start, low), shown)
            count += 1
        start += weights[at - 1]
        at = _next(at, nodes)
    return out, count


@njit(cache=True, nogil=True)
def change(slots, parts, counts, roots, nodes, order, limits):  # type: ignore[no-untyped-def]
    """Bring the trees to the new ``counts`` (by slot) of rows; return the entries that go and those that come.

    In: ``slots`` the rows that may have changed, all different, by their ``parts``; ``limits`` (first rank shown, last
    one, whether ranks are shown). Out: two lists of (slot, first rank, number of ranks); where ranks are shown they may hold
    the same rank of the same row. Rows that stand nowhere leave their tree.
    Cost: O(log n) a row; where ranks are shown, also the ranks between the first row that changed and the last that moves.
    """
    weights, there, marks = nodes[3], nodes[5], nodes[6]
    first, last, numbered = limits[0], limits[1], limits[2] != 0
    gone, come, near = np.empty(192, np.int64), np.empty(192, np.int64), np.empty(192, np.int64)
    gone_count, come_count = 0, 0
    begin = 0
    while begin < len(slots):
        end, part = begin + 1, parts[begin]
        while end < len(slots) and parts[end] == part:
            end += 1
        # 1. where the tree changes: ranks before `low` and behind `high` stay as they are
        low, high, more, moved = _FAR, np.int64(0), np.int64(0), np.int64(0)
        for i in range(begin, end):
            slot = slots[i]
            start = _rank(slot, nodes) if there[slot] else _position(roots[part], slot, nodes, order)
            weight = weights[slot] if there[slot] else 0
            low, high = min(low, start), max(high, start + weight - 1)
            more += max(counts[slot], 0) - weight
            moved += abs(max(counts[slot], 0) - weight)
        if more:
            high = _FAR
        # 2. what was shown there
        near_count = 0
        if numbered:
            gone, gone_count = listed(roots[part], max(low, first), min(high, last), nodes, gone, gone_count)
        else:
            near, near_count = _near(slots[begin:end], part, (low, high, moved), limits, roots, nodes, near)
        # 3. the change
        for i in range(begin, end):
            if not there[slots[i]]:
                _insert(slots[i], part, roots, nodes, order)
            _weigh(slots[i], max(counts[slots[i]], 0), nodes)
        # 4. what is shown there now
        if numbered:
            come, come_count = listed(roots[part], max(low, first), min(high, last), nodes, come, come_count)
        for i in range(near_count):
            slot = near[3 * i]
            marks[slot] = 0
            shown = _shown(_rank(slot, nodes), weights[slot], first, last) - near[3 * i + 2]
            if shown > 0:
                come = _put(come, come_count, slot, 0, shown)
                come_count += 1
            elif shown < 0:
                gone = _put(gone, gone_count, slot, 0, -shown)
                gone_count += 1
        # 5. rows that stand nowhere leave
        for i in range(begin, end):
            if counts[slots[i]] == 0:
                _remove(slots[i], part, roots, nodes)
        begin = end
    return gone[: 3 * gone_count], come[: 3 * come_count]


@njit(cache=True, nogil=True)
def _near(slots, part, span, limits, roots, nodes, near):  # type: ignore[no-untyped-def]
    """List the rows that may be shown more or less often after a change: the changed ones, and those near the limits.

    In: ``span`` (lowest and highest rank that the change touches, by how many ranks a row may move).
    """
    weights, there, marks = nodes[3], nodes[5], nodes[6]
    low, high, moved = span
    first, last = limits[0], limits[1]
    count = 0
    for slot in slots:
        shown = _shown(_rank(slot, nodes), weights[slot], first, last) if there[slot] else 0
        near = _put(near, count, slot, 0, shown)
        marks[slot] = 1
        count += 1
    for limit in (first, last):
        if moved == 0 or (limit == 1 and limit == first and first != last):
            continue
        at, start = _select(roots[part], max(low, limit - moved, 1), nodes)
        while at and start <= min(high, limit + moved):
            slot = at - 1
            if weights[slot] and not marks[slot]:
                near = _put(near, count, slot, 0, _shown(start, weights[slot], first, last))
                marks[slot] = 1
                count += 1
            start += weights[slot]
            at = _next(at, nodes)
    return near, count
