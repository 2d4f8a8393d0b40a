"""Reads chains of rows (see ``chain_kernels``): all entries of some keys, at once or in portions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fluxcore.operators import chain_kernels as kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.core.batch import Int64s

PAIRS_MAX = 262_144
"""Candidate pairs that exist at once, so that a cross product never takes more memory than its result."""


def portions(heads: Int64s, nexts: Int64s, keys: Int64s) -> Iterator[tuple[Int64s, Int64s]]:
    """Yield (places within ``keys``, rising; entries) of the chains of key slots ``keys`` (-1: none), in portions."""
    place = np.array([0, -1], np.int64)
    while True:
        rows, entries = np.empty(PAIRS_MAX, np.int64), np.empty(PAIRS_MAX, np.int64)
        count = kernels.pairs(heads, nexts, keys, place, rows, entries)
        if count:
            yield rows[:count], entries[:count]
        if count < PAIRS_MAX:
            return


def entries_of(heads: Int64s, nexts: Int64s, keys: Int64s) -> tuple[Int64s, Int64s]:
    """Return what :func:`portions` yields in one piece."""
    found = list(portions(heads, nexts, np.asarray(keys, np.int64)))
    if len(found) == 1:
        return found[0]
    none = np.zeros(0, np.int64)
    return np.concatenate([a for a, _ in found] or [none]), np.concatenate([b for _, b in found] or [none])
