"""Compiled updates of accumulator columns by slot. ``valid`` (bool) says which rows count; empty means all."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def count(counts, slots, valid, weight):  # type: ignore[no-untyped-def]
    """Add ``weight`` (int8 per row, empty means 1) for each row that counts."""
    if len(valid) == 0 and len(weight) == 0:
        for row in range(len(slots)):
            counts[slots[row]] += 1
        return
    for row in range(len(slots)):
        if len(valid) == 0 or valid[row]:
            counts[slots[row]] += weight[row] if len(weight) else 1


@njit(cache=True, nogil=True)
def add(sums, counts, slots, values, valid, weight):  # type: ignore[no-untyped-def]
    """Add each value that counts, and how many did."""
    for row in range(len(slots)):
        if len(valid) == 0 or valid[row]:
            slot = slots[row]
            if len(weight) and weight[row] < 0:
                sums[slot] -= values[row]
                counts[slot] -= 1
            else:
                sums[slot] += values[row]
                counts[slot] += 1


@njit(cache=True, nogil=True)
def least(best, counts, slots, values, valid):  # type: ignore[no-untyped-def]
    """Keep the smallest value by slot; NaN is larger than every number."""
    for row in range(len(slots)):
        if len(valid) == 0 or valid[row]:
            slot, value = slots[row], values[row]
            if counts[slot] == 0 or value < best[slot] or (best[slot] != best[slot] and value == value):  # noqa: PLR0124
                best[slot] = value
            counts[slot] += 1


@njit(cache=True, nogil=True)
def greatest(best, counts, slots, values, valid):  # type: ignore[no-untyped-def]
    """Keep the largest value by slot; NaN is larger than every number."""
    for row in range(len(slots)):
        if len(valid) == 0 or valid[row]:
            slot, value = slots[row], values[row]
            if counts[slot] == 0 or value > best[slot] or (value != value and best[slot] == best[slot]):  # noqa: PLR0124
                best[slot] = value
            counts[slot] += 1


@njit(cache=True, nogil=True)
def spread(means, squares, counts, slots, values, valid, weight):  # type: ignore[no-untyped-def]
    """Update mean and sum of squared distances (Welford), backwards for a value taken back."""
    for row in range(len(slots)):
        if len(valid) == 0 or valid[row]:
            slot, value = slots[row], values[row]
            delta = value - means[slot]
            if len(weight) and weight[row] < 0:
                counts[slot] -= 1
                if counts[slot] == 0:
                    means[slot] = 0.0
                    squares[slot] = 0.0
                else:
                    means[slot] -= delta / counts[slot]
                    squares[slot] = max(squares[slot] - delta * (value - means[slot]), 0.0)
            else:
                counts[slot] += 1
                means[slot] += delta / counts[slot]
                squares[slot] += delta * (value - means[slot])


@njit(cache=True, nogil=True)
def merge_spread(means, squares, counts, into, other_means, other_squares, other_counts, source):  # type: ignore[no-untyped-def]
    """Merge means and squared distances of slots ``source`` into slots ``into`` (Chan)."""
    for row in range(len(into)):
        a, b = into[row], source[row]
        n, m = counts[a], other_counts[b]
        if m == 0:
            continue
        total = n + m
        delta = other_means[b] - means[a]
        means[a] += delta * m / total
        squares[a] += other_squares[b] + delta * delta * n * m / total
        counts[a] = total


@njit(cache=True, nogil=True)
def by_order(best, orders, counts, slots, values, order, valid, latest):  # type: ignore[no-untyped-def]
    """Keep the value of the lowest (or ``latest``: highest) order number by slot."""
    for row in range(len(slots)):
        if len(valid) == 0 or valid[row]:
            slot = slots[row]
            if counts[slot] == 0 or (order[row] >= orders[slot] if latest else order[row] < orders[slot]):
                best[slot] = values[row]
                orders[slot] = order[row]
            counts[slot] += 1
