"""Finds the pairs of rows with equal keys of two sides, in bounded portions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fluxcore.limits import PAIRS_MAX
from fluxcore.operators.sort_words import dense_codes, stable_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcore.core.batch import Bools, Int64s

Codes = tuple["Int64s | None", "Int64s", "Int64s"]


def key_codes(words: Sequence[Int64s], left: int, right_valid: Bools | None, right: int) -> Codes:
    """Return the left rows' key codes (None: one key), the right rows in the order of their keys, where keys start.

    In: ``words`` over the left rows followed by the right rows; ``right_valid`` false where a right key is NULL.
    Out: of the last array, the key with code c has the places c .. c + 1 of the second.
    """
    rows = np.arange(right, dtype=np.int64) if right_valid is None else np.flatnonzero(right_valid)
    if not words:
        return None, rows, np.array([0, len(rows)], np.int64)
    codes, count = dense_codes(words, left + right)
    right_codes = codes[left:][rows]
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(right_codes, minlength=count), out=starts[1:])
    return codes[:left], rows[stable_order([right_codes], len(rows))], starts


class Matcher:
    """The candidate pairs of two sides: left rows in order, and for each its right rows in order.

    In: ``codes`` from :func:`key_codes`; ``left_rows`` their number; ``left_valid`` false where a left key is NULL.
    """

    def __init__(self, codes: Codes, left_rows: int, left_valid: Bools | None) -> None:
        left_codes, self._order, starts = codes
        if left_codes is None:
            self._firsts = np.zeros(left_rows, np.int64)
            self.counts = np.full(left_rows, len(self._order), np.int64)
        else:
            self._firsts = starts[left_codes]
            self.counts = starts[left_codes + 1] - self._firsts
        if left_valid is not None:
            self.counts[~left_valid] = 0

    def chunks(self) -> Iterator[tuple[Int64s, Int64s]]:
        """Yield the row numbers of the pairs, left and right, at most ``PAIRS_MAX`` at once."""
        if len(self.counts) and len(self.counts) <= PAIRS_MAX and bool((self.counts == 1).all()):
            yield np.arange(len(self.counts), dtype=np.int64), self._order[self._firsts]
            return
        ends = np.cumsum(self.counts)
        total = int(ends[-1]) if len(ends) else 0
        for start in range(0, total, PAIRS_MAX):
            stop = min(start + PAIRS_MAX, total)
            first = int(np.searchsorted(ends, start, side="right"))
            last = int(np.searchsorted(ends, stop - 1, side="right")) + 1
            mine = ends[first:last]
            before = mine - self.counts[first:last]
            lengths = np.minimum(mine, stop) - np.maximum(before, start)
            lefts = np.repeat(np.arange(first, last, dtype=np.int64), lengths)
            # The place of pair p within its left row's group is p minus the pairs before that row.
            shift = np.repeat(self._firsts[first:last] - before, lengths)
            yield lefts, self._order[np.arange(start, stop) + shift]
