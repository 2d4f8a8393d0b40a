"""Functions of OVER that go by the places of rows: numbers and ranks, LAG and LEAD, the first, last and n-th value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.operators.order.over_call import Carried, OverCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.ports import StateBackend
    from fluxcore.core.types import DataType
    from fluxcore.operators.aggregates.base import Columns
    from fluxcore.operators.order.frames import OverFunction, Sorted
    from fluxcore.operators.order.over_call import Bools, Int64s


class RowNumber(OverCall):
    """ROW_NUMBER."""

    def columns(self) -> dict[str, str]:
        """Return how many rows there were."""
        return {"rows": "i8"}

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:
        """Return numbers from 1."""
        seen = self.at(columns, "rows")
        found = seen[rows.slots] + np.arange(1, rows.count + 1) - rows.fresh_starts
        seen[rows.slots[rows.lasts]] = found[rows.lasts]
        return pa.array(found)


class Rank(RowNumber):
    """RANK: one more than the rows before the peers; by the clock no row has a peer."""

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:
        """Return ranks from 1."""
        numbers = np.asarray(super().compute(rows, columns))
        return pa.array(numbers if self.function.rows else numbers[rows.peer_starts])


class DenseRank(OverCall):
    """DENSE_RANK: one more than the groups of peers before; by the clock no row has a peer."""

    def columns(self) -> dict[str, str]:
        """Return how many groups of peers there were."""
        return {"groups": "i8"}

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:
        """Return ranks from 1."""
        seen = self.at(columns, "groups")
        first = np.ones(rows.count, np.bool_) if self.function.rows else rows.peer_starts == np.arange(rows.count)
        numbers = np.cumsum(first)
        found = seen[rows.slots] + numbers - numbers[np.minimum(rows.fresh_starts, rows.count - 1)] + 1
        seen[rows.slots[rows.lasts]] = found[rows.lasts]
        return pa.array(found)


class Share(OverCall):
    """PERCENT_RANK and CUME_DIST, over whole partitions."""

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:  # noqa: ARG002
        """Return shares from 0 to 1."""
        sizes = rows.ends - rows.starts
        if self.call.function == "CUME_DIST":
            return pa.array((rows.peer_ends - rows.starts) / sizes)
        return pa.array((rows.peer_starts - rows.starts) / np.maximum(sizes - 1, 1))


class Tile(OverCall):
    """NTILE(n), over whole partitions: the first tiles are one row larger where rows are left over."""

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:  # noqa: ARG002
        """Return tiles from 1."""
        tiles = int(self.call.parameters[0])
        places, sizes = np.arange(rows.count) - rows.starts, rows.ends - rows.starts
        small, larger = sizes // tiles, sizes % tiles
        cut = larger * (small + 1)
        behind = larger + (places - cut) // np.maximum(small, 1)
        found = np.where(places < cut, places // (small + 1), behind) + 1
        return pa.array(found).cast(self.call.type.arrow())


class Shifted(OverCall):
    """LAG and LEAD: the value so many rows before or behind; a default where there is no such row."""

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:  # noqa: ARG002
        """Return the values."""
        column, parameters = self.argument(rows), self.call.parameters
        offset = int(parameters[0]) if parameters else 1
        current = rows.peer_ends - 1 if rows.peers_at_once and not self.function.rows else np.arange(rows.count)
        places = current + (offset if self.call.function == "LEAD" else -offset)
        missing = (places < rows.starts) | (places >= rows.ends)
        found = column.take(pa.array(np.where(missing, 0, places), mask=missing))
        if len(parameters) > 1 and parameters[1] is not None:
            default = pa.repeat(pa.scalar(parameters[1], column.type), rows.count)
            return pc.if_else(pa.array(missing), default, found)
        return found


class Picked(OverCall):
    """FIRST_VALUE and LAST_VALUE (of what is not NULL), and NTH_VALUE (NULLs count) of a frame."""

    def __init__(self, function: OverFunction, types: Sequence[DataType], prefix: str) -> None:
        super().__init__(function, types, prefix)
        assert self.arg_type is not None
        self._carried = Carried(self.arg_type)

    def columns(self) -> dict[str, str]:
        """Return where the value so far is, and how many rows counted."""
        return {"kept": "i8", "rows": "i8"} if self.function.unbounded else {}

    def open(self, state: StateBackend, name: str) -> None:
        """Make the table of values so far."""
        if self.function.unbounded:
            self._carried.open(state, name)

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:
        """Return the values."""
        column = self.argument(rows)
        valid = self.valid(rows, nulls=self.call.function == "NTH_VALUE")
        starts, ends = rows.frame(self.function)
        if not self.function.unbounded:
            places = self._places(valid, starts, ends, np.zeros(rows.count, np.int64))
            return column.take(pa.array(places, mask=places < 0))
        kept, seen = self.at(columns, "kept"), self.at(columns, "rows")
        partitions = rows.slots[rows.lasts]
        carried, known = self._carried.take(kept, partitions)
        places = self._places(valid, starts, ends, seen[rows.slots])
        own = known[rows.partitions]
        if self.call.function == "LAST_VALUE":
            own &= places < 0
        places = np.where(own, rows.count + rows.partitions, places)
        both = pa.concat_arrays([column, carried.cast(column.type)])
        last = places[rows.lasts]
        changed = (last >= 0) & (last < rows.count)
        self._carried.put(kept, partitions[changed], both.take(pa.array(last[changed])))
        seen[partitions] += np.add.reduceat((valid & rows.fresh).astype(np.int64), rows.firsts)
        return both.take(pa.array(places, mask=places < 0))

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:
        """Return the values so far."""
        return {"kept": self._carried.freeze(self.at(columns, "kept"), slots, owner)} if self.function.unbounded else {}

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take values back."""
        if self.function.unbounded:
            self._carried.thaw(self.at(columns, "kept"), slots, frozen["kept"])

    def _places(self, valid: Bools, starts: Int64s, ends: Int64s, seen: Int64s) -> Int64s:
        """Return the row of each frame's value, -1 where it has none; ``seen`` rows of the frame came before."""
        counting = np.flatnonzero(valid)
        first, behind = np.searchsorted(counting, starts), np.searchsorted(counting, ends)
        match self.call.function:
            case "FIRST_VALUE":
                wanted = first
            case "LAST_VALUE":
                wanted = behind - 1
            case _:
                wanted = first + int(self.call.parameters[0]) - 1 - seen
        inside = (wanted >= first) & (wanted < behind)
        found = np.full(len(starts), -1, np.int64)
        found[inside] = counting[wanted[inside]]
        return found
