"""The compiled search for retractions of rows that are not there."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def mark_known(counts, slots, weights, known):  # type: ignore[no-untyped-def]
    """Mark the rows that come, and those taken back from a slot that has some left; ``counts`` is as before afterwards."""
    for row in range(len(slots)):
        slot = slots[row]
        known[row] = weights[row] > 0 or counts[slot] > 0
        if known[row]:
            counts[slot] += weights[row]
    for row in range(len(slots)):
        if known[row]:
            counts[slots[row]] -= weights[row]
