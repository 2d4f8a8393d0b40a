"""Compiled frames and running aggregates over rows sorted by partition and order.

``starts`` and ``ends`` (one past the last row) of frames never fall from row to row, across partitions too.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK_ROWS = 64
"""Rows whose sum is shared by the frames that hold all of them."""


@njit(cache=True, nogil=True)
def range_starts(starts, ends, keys, nulls, reach, peers, out):  # type: ignore[no-untyped-def]
    """Find the first row of each partition whose key is at least the row's own - ``reach``; a NULL meets its peers."""
    at = 0
    for row in range(len(keys)):
        at = max(at, starts[row])
        if nulls[row]:
            out[row] = peers[row]
            continue
        low = keys[row] - reach
        while at < ends[row] and ((nulls[at] and at < row) or (not nulls[at] and keys[at] < low)):
            at += 1
        out[row] = at


@njit(cache=True, nogil=True)
def range_ends(starts, ends, keys, nulls, reach, peers, out):  # type: ignore[no-untyped-def]
    """Find one past the last row of each partition whose key is at most the row's own + ``reach``."""
    at = 0
    for row in range(len(keys)):
        at = max(at, starts[row])
        if nulls[row]:
            out[row] = peers[row]
            continue
        high = keys[row] + reach
        while at < ends[row] and ((nulls[at] and at < row) or (not nulls[at] and keys[at] <= high)):
            at += 1
        out[row] = at


@njit(cache=True, nogil=True)
def running_sum(sums, slots, values, valid, out):  # type: ignore[no-untyped-def]
    """Add row by row to the sum of the row's slot; ``out`` gets it after each row."""
    for row in range(len(slots)):
        slot = slots[row]
        if valid[row]:
            sums[slot] += values[row]
        out[row] = sums[slot]


@njit(cache=True, nogil=True)
def sum_frames(starts, ends, numbers, values, valid, out):  # type: ignore[no-untyped-def]
    """Add the values of each frame, from the first to the last.

    Nothing is subtracted, so that NaN and rounding never stay. Long frames take whole blocks of rows at once; where blocks
    begin depends on the rows' ``numbers`` in their partition alone, so that batches don't change how a sum is rounded.
    """
    rows = len(values)
    blocks = np.zeros(rows, np.float64)
    for row in range(rows):
        value = values[row] if valid[row] else 0.0
        blocks[row] = value if row == 0 or numbers[row] % BLOCK_ROWS == 0 else blocks[row - 1] + value
    for row in range(rows):
        if row and starts[row] == starts[row - 1] and ends[row] == ends[row - 1]:
            out[row] = out[row - 1]
            continue
        total, at, end = 0.0, starts[row], ends[row]
        while at < end:
            if numbers[at] % BLOCK_ROWS == 0 and at + BLOCK_ROWS <= end:
                total += blocks[at + BLOCK_ROWS - 1]
                at += BLOCK_ROWS
            else:
                if valid[at]:
                    total += values[at]
                at += 1
        out[row] = total


@njit(cache=True, nogil=True)
def distinct_frames(starts, ends, codes, values, valid, out, counts):  # type: ignore[no-untyped-def]
    """Count and add (wrapping) the values of each frame once each; ``codes`` tell values of a partition apart."""
    most = 0
    for row in range(len(codes)):
        most = max(most, codes[row] + 1)
    held = np.zeros(most, np.int64)
    low, high, count, total = 0, 0, 0, np.int64(0)
    for row in range(len(starts)):
        while high < ends[row]:
            if valid[high]:
                held[codes[high]] += 1
                if held[codes[high]] == 1:
                    count += 1
                    total += values[high]
            high += 1
        while low < starts[row]:
            if valid[low]:
                held[codes[low]] -= 1
                if held[codes[low]] == 0:
                    count -= 1
                    total -= values[low]
            low += 1
        out[row] = total
        counts[row] = count


@njit(cache=True, nogil=True)
def best_frames(starts, ends, codes, valid, out):  # type: ignore[no-untyped-def]
    """Find the row of the least code of each frame, of equal ones the first; -1 where no row counts."""
    queue = np.empty(len(codes), np.int64)
    first, last, at = 0, 0, 0
    for row in range(len(starts)):
        at = max(at, starts[row])
        while at < ends[row]:
            if valid[at]:
                while last > first and codes[queue[last - 1]] > codes[at]:
                    last -= 1
                queue[last] = at
                last += 1
            at += 1
        while first < last and queue[first] < starts[row]:
            first += 1
        if first == last:
            first, last = 0, 0
            out[row] = -1
        else:
            out[row] = queue[first]


@njit(cache=True, nogil=True)
def running_spread(means, squares, counts, slots, values, valid, out_squares, out_counts):  # type: ignore[no-untyped-def]
    """Update mean and sum of squared distances (Welford) of the row's slot; the outputs get them after each row."""
    for row in range(len(slots)):
        slot = slots[row]
        if valid[row]:
            counts[slot] += 1
            delta = values[row] - means[slot]
            means[slot] += delta / counts[slot]
            squares[slot] += delta * (values[row] - means[slot])
        out_squares[row] = squares[slot]
        out_counts[row] = counts[slot]
