"""The compiled cut of a batch's rows into window slices, and the merging of slices into windows."""

from __future__ import annotations

import numpy as np
from numba import njit

ATTACHED, OTHER, HOP = 0, 1, 2
ON_TIME, APART, OUTSIDE = 0, 1, 2


@njit(cache=True, nogil=True)
def cut(times, per_ms, shape, step_rows, step_values, slices, kinds):  # type: ignore[no-untyped-def]
    """Write each row's slice (start, ms) and whether it is on time as far as the steps of its own batch tell.

    In: ``times`` int64, ``per_ms`` of their units a millisecond; ``shape`` int64: kind, pane, size, slide, offset (ms);
    ``step_rows``, ``step_values`` the watermark steps. Out: ``slices`` int64; ``kinds`` uint8: ON_TIME, APART for rows that
    are late for a window, OUTSIDE for rows in no window. Returns how many rows are not on time.
    """
    kind, pane, size, slide, offset = shape[0], shape[1], shape[2], shape[3], shape[4]
    low, high = np.int64(1), np.int64(0)
    slice_, first = np.int64(0), np.int64(0)
    outside = False
    watermark = np.int64(-(2**63))
    step, steps = 0, len(step_rows)
    other = 0
    for row in range(len(times)):
        while step < steps and step_rows[step] <= row:
            watermark = step_values[step]
            step += 1
        time = times[row]
        if time < low or time >= high:
            slice_ = (time // per_ms - offset) // pane * pane + offset
            low, high = slice_ * per_ms, (slice_ + pane) * per_ms
            if kind == HOP:
                first = -((size - pane + offset - slice_) // slide) * slide + offset + size
                outside = (slice_ - offset) // slide * slide + offset + size < first
            else:
                first = slice_ + pane if kind == OTHER else slice_
        slices[row] = slice_
        if outside:
            kinds[row] = OUTSIDE
            other += 1
        elif first - 1 <= watermark:
            kinds[row] = APART
            other += 1
        else:
            kinds[row] = ON_TIME
    return other


@njit(cache=True, nogil=True)
def merge_places(ends, keys, row_of_key, into, firsts):  # type: ignore[no-untyped-def]
    """Give each pair of window end and key an output row.

    In: ``ends`` not falling; ``keys`` small numbers; ``row_of_key`` int64 by key, all -1 before and after. Out: ``into`` each
    entry's row, ``firsts`` each row's first entry. Returns the number of rows.
    """
    rows = 0
    start = 0
    for entry in range(len(keys)):
        if entry and ends[entry] != ends[entry - 1]:
            start = rows
        row = row_of_key[keys[entry]]
        if row < start or keys[firsts[row]] != keys[entry]:
            row = rows
            row_of_key[keys[entry]] = row
            firsts[row] = entry
            rows += 1
        into[entry] = row
    for row in range(rows):
        row_of_key[keys[firsts[row]]] = -1
    return rows
