"""The open windows of all keys: fixed ones, which a row's time names, and sessions, which rows make."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import keyed
from fluxcore.core.time import MAX_TIME_MS
from fluxcore.core.types import BIGINT
from fluxcore.operators.windows.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Bools, Int64s
    from fluxcore.core.ports import StateBackend
    from fluxcore.core.types import DataType

GLOBAL_LAST = MAX_TIME_MS
"""The last millisecond of a global window: it is over when there is nothing more."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rows for windows, one for each row and window: ``times``, and the window's ``starts`` and ``lasts`` (ms, inclusive).

    A session's candidate is the session that the row would be alone.
    """

    times: Int64s
    starts: Int64s
    lasts: Int64s


@dataclass(frozen=True, slots=True)
class Opened:
    """Where candidates went: of the first ``rows`` of them, those that are not ``late``, to ``slots``.

    ``starts`` and ``lasts`` are those of the windows as they were with each row. Windows ``gone`` have become those at ``into``; they are
    free once :meth:`OpenWindows.drop` was called.
    """

    rows: int
    late: Bools
    slots: Int64s
    starts: Int64s
    lasts: Int64s
    into: Int64s
    gone: Int64s


class OpenWindows(ABC):
    """A table with a row for each key and open window."""

    columns: Mapping[str, Any]
    """The value columns by slot."""

    @abstractmethod
    def place(self, keys: Sequence[pa.Array], rows: Candidates, closed: int) -> Opened:
        """Put rows into windows, making those that are new; one that ends up to ``closed`` (ms, inclusive) takes none."""

    @abstractmethod
    def next_ends(self, keys: Sequence[pa.Array], rows: Candidates, now: int, lateness: int) -> Int64s:
        """Return when the windows that each row may belong to first end after ``now`` (ms), or are over by ``lateness``."""

    @abstractmethod
    def starts(self, slots: Int64s) -> Int64s:
        """Return the first milliseconds of windows."""

    @abstractmethod
    def lasts(self, slots: Int64s) -> Int64s:
        """Return the last milliseconds of windows."""

    @abstractmethod
    def keys_of(self, slots: Int64s) -> list[pa.Array]:
        """Return the keys of windows."""

    @abstractmethod
    def live_slots(self) -> Int64s:
        """Return the slots of all windows."""

    @abstractmethod
    def close(self, slots: Int64s) -> None:
        """Forget windows."""

    @abstractmethod
    def drop(self, slots: Int64s) -> None:
        """Forget windows that have become others."""

    @abstractmethod
    def freeze(self) -> pa.RecordBatch:
        """Return the windows in the order of :meth:`live_slots`."""

    @abstractmethod
    def restore(self, frozen: pa.RecordBatch) -> Int64s:
        """Add what :meth:`freeze` gave; return the slots of its windows."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Return the number of windows."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Return the bytes in use."""


class FixedWindows(OpenWindows):
    """Windows that a row's time names, or one for all times. A window is known by its last millisecond and its key."""

    def __init__(self, state: StateBackend, keys: Sequence[DataType], columns: Mapping[str, str]) -> None:
        number = BIGINT.with_nullable(False)
        self._table = state.table("windows", [*keys, number], {**columns, "start": "i8", "last": "i8"})
        self._width = len(keys)
        self.columns = self._table.columns

    def place(self, keys: Sequence[pa.Array], rows: Candidates, closed: int) -> Opened:
        """Find or make each row's window."""
        late = rows.lasts <= closed
        none = np.zeros(0, np.int64)
        starts, lasts = rows.starts, rows.lasts
        if late.any():
            chosen = np.flatnonzero(~late)
            keys = [key.take(pa.array(chosen)) for key in keys]
            starts, lasts = starts[chosen], lasts[chosen]
        slots = self._table.upsert([*keys, lasts]) if len(lasts) else none
        self.columns["start"][slots] = starts
        self.columns["last"][slots] = lasts
        return Opened(len(late), late, slots, starts, lasts, none, none)

    def next_ends(self, keys: Sequence[pa.Array], rows: Candidates, now: int, lateness: int) -> Int64s:  # noqa: ARG002
        """Return the ends of the rows' own windows."""
        return _next_ends(rows.lasts, now, lateness)

    def starts(self, slots: Int64s) -> Int64s:
        """Return the first milliseconds of windows."""
        found: Int64s = self.columns["start"][slots]
        return found

    def lasts(self, slots: Int64s) -> Int64s:
        """Return the last milliseconds of windows."""
        found: Int64s = self.columns["last"][slots]
        return found

    def keys_of(self, slots: Int64s) -> list[pa.Array]:
        """Return the keys of windows."""
        return self._table.key_columns(slots, range(self._width))

    def live_slots(self) -> Int64s:
        """Return the slots of all windows."""
        return self._table.live_slots()

    def close(self, slots: Int64s) -> None:
        """Forget windows."""
        self._table.delete(slots)

    def drop(self, slots: Int64s) -> None:
        """Forget windows that have become others: there are none."""
        assert not len(slots)

    def freeze(self) -> pa.RecordBatch:
        """Return the windows: their keys, their last milliseconds, and the value columns."""
        return keyed(self._table.freeze(), range(self._width))

    def restore(self, frozen: pa.RecordBatch) -> Int64s:
        """Add what :meth:`freeze` gave."""
        return self._table.restore(frozen)

    @property
    def count(self) -> int:
        """Return the number of windows."""
        return self._table.count

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        return self._table.nbytes


class SessionWindows(OpenWindows):
    """Sessions: rows less than ``gap`` (ms) apart."""

    def __init__(self, state: StateBackend, keys: Sequence[DataType], columns: Mapping[str, str], gap: int) -> None:
        self._sessions = Sessions(state, keys, columns)
        self._gap = gap
        self.columns = self._sessions.columns

    def place(self, keys: Sequence[pa.Array], rows: Candidates, closed: int) -> Opened:
        """Put rows into sessions, up to one that joins several; only as the first row such a one is placed."""
        before = np.full(len(rows.times), closed, np.int64)
        placed = self._sessions.place(keys, rows.times, before, self._gap, alone=True)
        late = np.zeros(placed.rows, np.bool_) if placed.late is None else placed.late
        bounds = placed.starts, placed.ends - 1
        return Opened(placed.rows, late, placed.slots, *bounds, placed.into, placed.gone)

    def next_ends(self, keys: Sequence[pa.Array], rows: Candidates, now: int, lateness: int) -> Int64s:
        """Return the ends of the sessions of the rows' keys, and of those that the rows would be alone."""
        lowest = _next_ends(rows.lasts, now, lateness)
        self._sessions.lower_to_ends(keys, lowest, now, lateness)
        return lowest

    def starts(self, slots: Int64s) -> Int64s:
        """Return the first milliseconds of sessions."""
        found: Int64s = self.columns["start"][slots]
        return found

    def lasts(self, slots: Int64s) -> Int64s:
        """Return the last milliseconds of sessions."""
        found: Int64s = self.columns["end"][slots] - 1
        return found

    def keys_of(self, slots: Int64s) -> list[pa.Array]:
        """Return the keys of sessions."""
        return self._sessions.keys_of(slots)

    def live_slots(self) -> Int64s:
        """Return the slots of all sessions."""
        return self._sessions.live_slots()

    def close(self, slots: Int64s) -> None:
        """Forget sessions."""
        self._sessions.close(slots)

    def drop(self, slots: Int64s) -> None:
        """Forget sessions that have become a part of others."""
        self._sessions.drop(slots)

    def freeze(self) -> pa.RecordBatch:
        """Return the sessions."""
        return self._sessions.freeze()

    def restore(self, frozen: pa.RecordBatch) -> Int64s:
        """Add what :meth:`freeze` gave."""
        return self._sessions.restore(frozen)

    @property
    def count(self) -> int:
        """Return the number of sessions."""
        return self._sessions.count

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        return self._sessions.nbytes


def _next_ends(lasts: Int64s, now: int, lateness: int) -> Int64s:
    late = np.where(lasts == GLOBAL_LAST, lasts, lasts + lateness)
    return np.where(lasts > now, lasts, np.where(late > now, late, MAX_TIME_MS))


def visible(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows without the columns that were computed for the aggregates: what a user's code is shown."""
    names = [name for name in rows.schema.names if not name.startswith("$")]
    return rows if len(names) == rows.num_columns else rows.select(names)
