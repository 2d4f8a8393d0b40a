"""Compiled running aggregates over rows sorted by partition and time."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def running_sum(sums, counts, slots, values, valid, out, out_counts):  # type: ignore[no-untyped-def]
    """Add row by row to the totals of the row's slot; ``out`` and ``out_counts`` get them after each row."""
    for row in range(len(slots)):
        slot = slots[row]
        if len(valid) == 0 or valid[row]:
            sums[slot] += values[row]
            counts[slot] += 1
        out[row] = sums[slot]
        out_counts[row] = counts[slot]


@njit(cache=True, nogil=True)
def running_extreme(best, counts, slots, values, valid, largest, out, out_counts):  # type: ignore[no-untyped-def]
    """Keep the smallest, or ``largest``, value of the row's slot; NaN is larger than every number."""
    for row in range(len(slots)):
        slot, value = slots[row], values[row]
        if len(valid) == 0 or valid[row]:
            if counts[slot] == 0:
                best[slot] = value
            elif largest:
                if value > best[slot] or value != value:  # noqa: PLR0124  (NaN)
                    best[slot] = value
            elif value < best[slot] or best[slot] != best[slot]:
                best[slot] = value
            counts[slot] += 1
        out[row] = best[slot]
        out_counts[row] = counts[slot]


@njit(cache=True, nogil=True)
def sliding_sum(starts, values, valid, out, out_counts):  # type: ignore[no-untyped-def]
    """Add the values from ``starts[row]`` to each row; nothing is subtracted, so that NaN and rounding never stay."""
    for row in range(len(starts)):
        total = values[row] * 0
        count = 0
        for at in range(starts[row], row + 1):
            if len(valid) == 0 or valid[at]:
                total = total + values[at] if count else values[at]
                count += 1
        out[row] = total
        out_counts[row] = count


@njit(cache=True, nogil=True)
def sliding_extreme(starts, values, valid, largest, out, out_counts):  # type: ignore[no-untyped-def]
    """Take the smallest, or ``largest``, value from ``starts[row]`` to each row."""
    for row in range(len(starts)):
        best = values[row]
        count = 0
        for at in range(starts[row], row + 1):
            if len(valid) == 0 or valid[at]:
                value = values[at]
                better = value > best or value != value if largest else value < best or best != best  # noqa: PLR0124
                if count == 0 or better:
                    best = value
                count += 1
        out[row] = best
        out_counts[row] = count
