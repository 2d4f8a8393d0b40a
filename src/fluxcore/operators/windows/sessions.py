"""The open sessions of all keys: rows less than a gap apart belong together, and a row may join two sessions into one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import keyed
from fluxcore.core.time import MAX_TIME_MS
from fluxcore.core.types import BIGINT
from fluxcore.operators.windows import session_kernels as kernels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Bools, Int64s
    from fluxcore.core.ports import StateBackend
    from fluxcore.core.types import DataType

_SESSION = {"start": "i8", "end": "i8", "next": "i8", "part": "i8", "into": "i8"}


@dataclass(frozen=True, slots=True)
class Placed:
    """Where rows went: ``slots`` of the sessions of those not ``late`` (None: none is), and sessions that became one.

    ``gone`` are the slots whose sessions went into those at ``into``; they are free once :meth:`Sessions.drop` was called.
    ``starts`` and ``ends`` are those of the sessions as they were with each row; ``rows`` were placed, maybe not all given.
    """

    slots: Int64s
    late: Bools | None
    into: Int64s
    gone: Int64s
    starts: Int64s
    ends: Int64s
    rows: int


class Sessions:
    """A table of open sessions with value columns, and a table of the keys that have any.

    Cost: a row is compared with the open sessions of its key; firing looks at all open sessions.
    """

    def __init__(self, state: StateBackend, keys: Sequence[DataType], columns: Mapping[str, str]) -> None:
        number = BIGINT.with_nullable(False)
        self._keys = state.table("keys", list(keys) or [number], {"head": "i8"})
        self._keyed = bool(keys)
        self._table = state.table("sessions", [number], {**columns, **_SESSION})
        self._next_number = 0
        self._earliest = MAX_TIME_MS
        self._lows = np.full(0, MAX_TIME_MS)

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the value columns by session slot."""
        return self._table.columns

    @property
    def count(self) -> int:
        """Return the number of open sessions."""
        return self._table.count

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        return self._table.nbytes + self._keys.nbytes

    def place(
        self, keys: Sequence[pa.Array], times: Int64s, before: Int64s, gap: int, *, alone: bool = False
    ) -> Placed:
        """Put rows into sessions, one after the other; sessions that ``before`` (watermark, ms) has closed take none.

        With ``alone`` it stops before a row that would join sessions, unless that is the first.
        """
        rows, columns = len(times), self.columns
        parts = self._keys.upsert(list(keys) or [np.zeros(rows, np.int64)])
        heads = self._keys.columns["head"]
        state = tuple(columns[name] for name in ("start", "end", "next", "into"))
        fresh = tuple(np.zeros(rows, np.int64) for _ in range(4))
        found, joined = np.empty(rows, np.int64), np.empty(self.count, np.int64)
        reached = np.empty(rows, np.int64), np.empty(rows, np.int64)
        places = found, joined, reached
        merged, late, done = kernels.place(parts, times, before, gap, heads, state, fresh, *places, alone)
        found, parts = found[:done], parts[:done]
        gone = joined[:merged].copy()
        began = np.flatnonzero((found == kernels.FRESH + np.arange(done)) & (fresh[3][:done] == 0))
        slots = np.full(rows, -1, np.int64)
        slots[began] = self._new(parts[began], fresh[0][began], fresh[1][began])
        kernels.resolve(found, columns["into"], fresh[3])
        into = gone.copy()
        kernels.resolve(into, columns["into"], fresh[3])
        touched = np.unique(parts)
        kernels.settle(touched, heads, columns["next"], fresh[2], slots)
        if late:
            self._keys.delete(touched[heads[touched] == 0])
        placed = found >= 0
        starts, ends = (each[:done][placed] for each in reached)
        lost = found < 0 if late else None
        result = Placed(_slots_of(found[placed], slots), lost, _slots_of(into, slots), gone, starts, ends, done)
        if len(result.slots):
            self._earliest = min(self._earliest, int(columns["end"][result.slots].min()))
        return result

    def lower_to_ends(self, keys: Sequence[pa.Array], lowest: Int64s, now: int, lateness: int) -> None:
        """Lower each row's ``lowest`` (ms) to when the first of its key's sessions ends after ``now``, or is late enough.

        The rows must be placed next: their keys are made.
        """
        parts = self._keys.upsert(list(keys) or [np.zeros(len(lowest), np.int64)])
        most = int(parts.max()) + 1
        if len(self._lows) < most:
            self._lows = np.full(2 * most, MAX_TIME_MS)
        state = self._keys.columns["head"], self.columns["end"], self.columns["next"]
        kernels.next_ends(parts, *state, now, lateness, lowest, self._lows)

    def due(self, watermark: int) -> Int64s:
        """Return the slots of the sessions that end up to the watermark + 1 ms, by end, then by beginning."""
        if self._earliest - 1 > watermark:
            return np.zeros(0, np.int64)
        live = self._table.live_slots()
        ends = self.columns["end"][live]
        closed = ends - 1 <= watermark
        rest = ends[~closed]
        self._earliest = int(rest.min()) if len(rest) else MAX_TIME_MS
        slots = live[closed]
        return slots[np.lexsort((self.columns["start"][slots], ends[closed]))]

    def keys_of(self, slots: Int64s) -> list[pa.Array]:
        """Return the keys of sessions."""
        return self._keys.key_columns(self.columns["part"][slots]) if self._keyed else []

    def close(self, slots: Int64s) -> None:
        """Forget sessions that fired, and keys that have none left."""
        if not len(slots):
            return
        empty = np.empty(len(slots), np.int64)
        parts = self.columns["part"][slots]
        count = kernels.unlink(parts, slots, self._keys.columns["head"], self.columns["next"], empty)
        self._table.delete(slots)
        self._keys.delete(empty[:count])

    def drop(self, slots: Int64s) -> None:
        """Forget sessions that went into others."""
        self._table.delete(slots)

    def live_slots(self) -> Int64s:
        """Return the slots of all open sessions."""
        return self._table.live_slots()

    def freeze(self) -> pa.RecordBatch:
        """Return the sessions in the order of the slots: their keys, then their value columns."""
        slots = self.live_slots()
        keys, names = self.keys_of(slots), self._kept_names()
        columns = [*keys, *(pa.array(self.columns[name][slots]) for name in names)]
        names = [*(f"key{index}" for index in range(len(keys))), *names]
        return keyed(pa.RecordBatch.from_arrays(columns, names), range(len(keys)))

    def restore(self, frozen: pa.RecordBatch) -> Int64s:
        """Add what :meth:`freeze` gave; return the slots of its sessions."""
        rows, names = frozen.num_rows, self._kept_names()
        if not rows:
            return np.zeros(0, np.int64)
        keys = frozen.columns[: frozen.num_columns - len(names)]
        parts = self._keys.upsert(keys or [np.zeros(rows, np.int64)])
        slots = self._new(parts, np.asarray(frozen.column("start")), np.asarray(frozen.column("end")))
        for name in names:
            self.columns[name][slots] = np.asarray(frozen.column(name))
        kernels.link(parts, slots, self._keys.columns["head"], self.columns["next"])
        self._earliest = int(self.columns["end"][slots].min())
        return slots

    def _kept_names(self) -> list[str]:
        """Return the value columns that mean something outside this table."""
        return [name for name in self.columns if name not in _SESSION or name in ("start", "end")]

    def _new(self, parts: Int64s, starts: Int64s, ends: Int64s) -> Int64s:
        numbers = np.arange(self._next_number, self._next_number + len(parts))
        self._next_number += len(parts)
        slots = self._table.upsert([numbers])
        for name, values in (("part", parts), ("start", starts), ("end", ends)):
            self.columns[name][slots] = values
        return slots


def _slots_of(entries: Int64s, slots: Int64s) -> Int64s:
    """Return entries as slots; ``slots`` by row are those of fresh sessions."""
    fresh = entries >= kernels.FRESH
    found = entries.copy()
    found[fresh] = slots[entries[fresh] - kernels.FRESH]
    return found
