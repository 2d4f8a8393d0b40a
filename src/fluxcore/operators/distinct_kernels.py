"""The compiled search for the different values of a column that has few."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def few_distinct(values, few, out):  # type: ignore[no-untyped-def]
    """Write the different values to ``few`` and each value's place among them to ``out``.

    Returns how many there are, or -1 when they are more than ``few`` holds.
    """
    count = 0
    last = -1
    for row in range(len(values)):
        value = values[row]
        if last < 0 or few[last] != value:
            last = -1
            for place in range(count):
                if few[place] == value:
                    last = place
                    break
            if last < 0:
                if count == len(few):
                    return -1
                few[count] = value
                last = count
                count += 1
        out[row] = last
    return count
