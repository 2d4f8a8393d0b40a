"""Pairs of rows that a kernel finds, a bounded number at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fluxcore.limits import PAIRS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fluxcore.core.batch import Int64s


def portions(fill: Callable[[Int64s, Int64s, Int64s], int], first: int = 0) -> Iterator[tuple[Int64s, Int64s]]:
    """Yield pairs, at most ``PAIRS_MAX`` at once, as ``fill(place, rows, slots)`` finds them.

    ``place`` (int64) tells the kernel where to go on: [0] ``first`` at first, [1] -1. It returns how many pairs it found; fewer
    than there is room for means that all are done.
    """
    place = np.array([first, -1], np.int64)
    while True:
        rows, slots = np.empty(PAIRS_MAX, np.int64), np.empty(PAIRS_MAX, np.int64)
        count = fill(place, rows, slots)
        if count:
            yield rows[:count], slots[:count]
        if count < PAIRS_MAX:
            return
