"""Reads chains of rows (see ``chain_kernels``): all entries of some keys, at once or in portions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fluxcore.core import portions as pairs_in
from fluxcore.operators import chain_kernels as kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.core.batch import Int64s


def portions(heads: Int64s, nexts: Int64s, keys: Int64s) -> Iterator[tuple[Int64s, Int64s]]:
    """Yield (places within ``keys``, rising; entries) of the chains of key slots ``keys`` (-1: none), in portions."""
    return pairs_in.portions(lambda *out: kernels.pairs(heads, nexts, keys, *out))


def entries_of(heads: Int64s, nexts: Int64s, keys: Int64s) -> tuple[Int64s, Int64s]:
    """Return what :func:`portions` yields in one piece."""
    found = list(portions(heads, nexts, np.asarray(keys, np.int64)))
    if len(found) == 1:
        return found[0]
    none = np.zeros(0, np.int64)
    return np.concatenate([a for a, _ in found] or [none]), np.concatenate([b for _, b in found] or [none])
