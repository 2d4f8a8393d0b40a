"""Rows of a batch in turns, so that each has its say alone and yet few calls are made: in a turn no key comes twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]


def turns_of(slots: Int64s) -> list[Int64s]:
    """Return the rows of each turn, rising: the n-th turn has the n-th row of each key. In: the key of each row as a number."""
    order = np.argsort(slots, kind="stable")
    in_order = slots[order]
    begins = np.flatnonzero(np.concatenate(([True], in_order[1:] != in_order[:-1])))
    counts = np.diff(np.append(begins, len(slots)))
    turns = np.empty(len(slots), np.int64)
    turns[order] = np.arange(len(slots)) - np.repeat(begins, counts)
    by_turn = np.argsort(turns, kind="stable")
    return np.split(by_turn, np.cumsum(np.bincount(turns))[:-1])
