"""The compiled running maximum of watermark candidates."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def rising(candidates, units, lowest, rows, values):  # type: ignore[no-untyped-def]
    """Write the steps of the running maximum of ``candidates // units`` above ``lowest``; return how many there are.

    Out: ``values`` the maximum from row ``rows`` on: the row behind the one that causes it.
    """
    count = 0
    bound = lowest * units + (units - 1)  # the largest candidate that does not rise above ``lowest``
    for row in range(len(candidates)):
        if candidates[row] > bound:
            value = candidates[row] // units
            bound = value * units + (units - 1)
            rows[count] = row + 1
            values[count] = value
            count += 1
    return count
