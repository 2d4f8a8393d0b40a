"""Compiled triggers: what they decide for each row of a batch, in the order of the rows, by window slot.

A decision is 0 to continue; bit 1 is to fire, bit 2 to purge.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def count_rows(slots, counts, most, decisions):  # type: ignore[no-untyped-def]
    """Fire with every ``most``-th row of a window. ``counts`` (int64, by slot) are the rows since the last time."""
    for row in range(len(slots)):
        slot = slots[row]
        counts[slot] += 1
        if counts[slot] >= most:
            counts[slot] = 0
            decisions[row] = 1


@njit(cache=True, nogil=True)
def measure_deltas(slots, values, valid, known, last, threshold, decisions):  # type: ignore[no-untyped-def]
    """Fire when a value is more than ``threshold`` away from that of the last time; NULLs (not ``valid``) are passed over.

    ``known`` (uint8) and ``last`` (float64) by slot: that value, if there is one.
    """
    for row in range(len(slots)):
        if len(valid) and not valid[row]:
            continue
        slot, value = slots[row], values[row]
        if known[slot] == 0:
            known[slot] = 1
            last[slot] = value
        elif abs(value - last[slot]) > threshold:
            last[slot] = value
            decisions[row] = 1


@njit(cache=True, nogil=True)
def arm_first(slots, chosen, times, armed, due):  # type: ignore[no-untyped-def]
    """Set ``due`` of each window that is not ``armed`` (uint8, by slot) to the time of its first ``chosen`` row."""
    for row in range(len(slots)):
        slot = slots[row]
        if chosen[row] and armed[slot] == 0:
            armed[slot] = 1
            due[slot] = times[row]


@njit(cache=True, nogil=True)
def divide(slots, decisions, purges, marks, segments, early, last, open_):  # type: ignore[no-untyped-def]
    """Divide each window's rows at its purges, and each part at the last time that it fires.

    Out, by row: ``segments`` how many purges of the window came before; ``early`` whether the row is not behind the last
    firing of its segment; ``last`` whether it is that firing; ``open_`` whether no purge ends the segment.
    ``purges`` and ``marks`` (int64, by slot) are zero before and afterwards. Returns the greatest segment.
    """
    most = np.int64(0)
    for row in range(len(slots)):
        slot = slots[row]
        segments[row] = purges[slot]
        if decisions[row] & 2:
            purges[slot] += 1
            most = max(most, purges[slot])
    for row in range(len(slots) - 1, -1, -1):
        slot, segment = slots[row], segments[row] + 1
        last[row] = (decisions[row] & 1) != 0 and marks[slot] != segment
        if last[row]:
            marks[slot] = segment
        early[row] = marks[slot] == segment
        open_[row] = segments[row] == purges[slot]
    for row in range(len(slots)):
        purges[slots[row]] = 0
        marks[slots[row]] = 0
    return most


@njit(cache=True, nogil=True)
def rounds(slots, decisions, counts, found):  # type: ignore[no-untyped-def]
    """Number rows by how many decisions of their window came before (``found``); ``counts`` by slot as in :func:`divide`.

    Returns the greatest number.
    """
    most = np.int64(0)
    for row in range(len(slots)):
        slot = slots[row]
        found[row] = counts[slot]
        most = max(most, counts[slot])
        if decisions[row]:
            counts[slot] += 1
    for row in range(len(slots)):
        counts[slots[row]] = 0
    return most
