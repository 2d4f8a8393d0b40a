"""Where the frames of OVER begin and end among rows sorted by partition and order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fluxcore.expr.aggregates import looks_ahead
from fluxcore.operators.order import over_kernels as kernels

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from fluxcore.expr.nodes import AggCall

    Int64s = NDArray[np.int64]
    Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class OverFunction:
    """One function and its frame.

    ``preceding`` and ``following``: how far the frame reaches before and behind the current row, in rows, or with a RANGE
    frame in what the order's key is counted in (ms of a time); None is the edge of the partition, and a negative number
    points the other way. A RANGE frame of 0 ends at the last peer of the current row.
    """

    call: AggCall
    rows: bool
    preceding: float | None
    following: float | None = 0

    @property
    def looks_ahead(self) -> bool:
        """Return whether a row's result depends on rows behind its peers."""
        return looks_ahead(self.call.function, self.preceding, self.following)

    @property
    def unbounded(self) -> bool:
        """Return whether the frame begins with the partition."""
        return self.preceding is None


@dataclass(frozen=True, slots=True)
class RangeKeys:
    """What RANGE frames count in: rising values by row, which rows have none, and how many of them make one unit."""

    values: Any
    nulls: Bools
    units: int = 1


class Sorted:
    """Rows sorted by partition and order; some may be kept from before, ahead of the fresh ones of their partition.

    In: ``slots`` the partition of each row, ``moments`` its place in the order, equal for peers, ``fresh`` which rows are
    new, ``numbers`` each row's number in its partition since the beginning. Each partition has a fresh row. Where
    ``peers_at_once`` is set, LAG counts from the last peer, as Flink's streams do, which see rows of one time together.
    """

    def __init__(
        self, data: pa.RecordBatch, slots: Int64s, moments: Int64s, fresh: Bools, numbers: Int64s | None = None
    ) -> None:
        count = len(slots)
        first = np.ones(count, np.bool_)
        first[1:] = slots[1:] != slots[:-1]
        self.data = data
        self.slots = slots
        self.moments = moments
        self.fresh = fresh
        self.count = count
        self.firsts = np.flatnonzero(first)
        sizes = np.diff(np.append(self.firsts, count))
        self.lasts = self.firsts + sizes - 1
        self.partitions = np.repeat(np.arange(len(sizes)), sizes)
        self.starts = np.repeat(self.firsts, sizes)
        self.ends = np.repeat(self.firsts + sizes, sizes)
        old = np.add.reduceat((~fresh).astype(np.int64), self.firsts) if count else sizes
        self.fresh_starts = np.repeat(self.firsts + old, sizes)
        self.numbers = np.arange(count) - self.starts if numbers is None else numbers
        first[1:] |= moments[1:] != moments[:-1]
        peers = np.flatnonzero(first)
        sizes = np.diff(np.append(peers, count))
        self.peer_starts = np.repeat(peers, sizes)
        self.peer_ends = np.repeat(peers + sizes, sizes)
        self.range_keys = RangeKeys(moments, np.zeros(count, np.bool_))
        self.peers_at_once = False

    def frame(self, function: OverFunction) -> tuple[Int64s, Int64s]:
        """Return where the frame of each row begins, and one past its end; neither ever falls.

        A frame that begins with its partition begins with the fresh rows here: what came before is in the totals.
        """
        starts = self._start(function)
        return starts, np.maximum(self._end(function), starts)

    def _start(self, function: OverFunction) -> Int64s:
        reach = function.preceding
        if reach is None:
            return self.fresh_starts
        if function.rows:
            return np.clip(np.arange(self.count) - int(reach), self.starts, self.ends)
        if reach == 0:
            return self.peer_starts
        out, keys = np.empty(self.count, np.int64), self.range_keys
        kernels.range_starts(self.starts, self.ends, keys.values, keys.nulls, reach * keys.units, self.peer_starts, out)
        return out

    def _end(self, function: OverFunction) -> Int64s:
        reach = function.following
        if reach is None:
            return self.ends
        if function.rows:
            return np.clip(np.arange(1, self.count + 1) + int(reach), self.starts, self.ends)
        if reach == 0:
            return self.peer_ends
        out, keys = np.empty(self.count, np.int64), self.range_keys
        kernels.range_ends(self.starts, self.ends, keys.values, keys.nulls, reach * keys.units, self.peer_ends, out)
        return out
