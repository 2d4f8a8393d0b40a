"""State that is forgotten when it was not touched for long enough, by the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fluxcore.core.ports import Operator
from fluxcore.limits import EXPIRY_SLOTS_MIN, EXPIRY_TICK_MS_MIN, EXPIRY_TICK_SLOTS
from fluxcore.operators.expiry_kernels import mark_known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.batch import Batch, Bools, Int64s
    from fluxcore.core.ports import KeyedTable, RowTable
    from fluxcore.core.time import Clock

TOUCHED = "touched"
"""The column (ms, 0: never) of a table whose slots have a lifetime: when each was touched last."""


class Expiry:
    """Knows which slots of one table are out of their lifetime of ``ttl_ms``; the table has the column ``TOUCHED``.

    A batch happens at one moment: :meth:`begin` looks at the clock, and the time never falls.
    Cost: asking and touching are O(1) a slot; a sweep looks at a bounded number of slots.
    """

    def __init__(self, ttl_ms: int, clock: Clock, table: KeyedTable | RowTable) -> None:
        self._ttl = ttl_ms
        self._clock = clock
        self._table = table
        self._touched = table.columns[TOUCHED]
        self._now = 1
        self._next = 0

    def begin(self) -> None:
        """Look at the clock."""
        self._now = max(self._now, self._clock.now_ms())

    def touch(self, slots: Int64s) -> None:
        """Let the lives of slots begin anew."""
        self._touched[slots] = self._now

    def adopt(self, slots: Int64s) -> None:
        """Let the lives of restored slots begin now, where it is not known when they were touched."""
        self.begin()
        self.touch(slots[self._touched[slots] == 0])

    def over(self, slots: Int64s) -> Bools:
        """Return which slots are out of their lifetime."""
        touched = self._touched[slots]
        over: Bools = (touched > 0) & (touched <= self._now - self._ttl)
        return over

    @property
    def next_sweep(self) -> int | None:
        """Return when (ms) to look for what is over, though no rows come; None while there is nothing."""
        return self._now + max(self._ttl // 8, EXPIRY_TICK_MS_MIN) if self._table.count else None

    def sweep(self, rows: int) -> Int64s:
        """Return those out of their lifetime among the next slots: some, and twice as many as a batch has ``rows``."""
        high = self._table.high
        if not high:
            return np.zeros(0, np.int64)
        first = self._next if self._next < high else 0
        self._next = min(high, first + EXPIRY_SLOTS_MIN + 2 * rows)
        slots = np.arange(first, self._next)
        return slots[self.over(slots)]


class AgingOperator(Operator):
    """An operator whose state may have a lifetime: it looks for what is over also while no rows come."""

    def aging(self) -> Sequence[tuple[Expiry, Callable[[Int64s], None]]]:
        """Return what has a lifetime, and how slots of it are forgotten."""
        return ()

    @property
    def ticks(self) -> bool:
        """Return whether anything has a lifetime."""
        return bool(self.aging())

    @property
    def next_tick(self) -> int | None:
        """Return when to look for what is over."""
        return min((at for each, _ in self.aging() if (at := each.next_sweep) is not None), default=None)

    def tick(self, now: int) -> Sequence[Batch]:  # noqa: ARG002
        """Forget what is over, without a word."""
        for expiry, forget in self.aging():
            expiry.begin()
            forget(expiry.sweep(EXPIRY_TICK_SLOTS // 2))
        return ()


def known_rows(counts: Int64s, slots: Int64s, weights: Int64s) -> Bools:
    """Return which rows count: a row taken back from a slot where none is left was forgotten before.

    In: ``counts`` how many rows stand at each slot before these; ``weights`` +1 or -1 of each row.
    """
    known = np.empty(len(slots), np.bool_)
    mark_known(counts, slots, weights, known)
    return known
