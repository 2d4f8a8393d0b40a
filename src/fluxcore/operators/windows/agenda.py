"""When there is something to do for which window: a queue by time that takes and gives slots a batch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from fluxcore.core.batch import Int64s


class Agenda:
    """The next time (ms) of each slot. An earlier time takes the place of a later one; a later one waits until it comes up.

    So a slot may come up before its time: who takes it looks, and lists it again. Entries stand in sorted runs, each at least
    twice as long as the next. Cost: amortised a sort of each entry for every doubling of what is listed.
    """

    def __init__(self, columns: Mapping[str, Any], name: str) -> None:
        self._listed, self._at = columns[f"{name}_listed"], columns[f"{name}_at"]
        self._runs: list[tuple[Int64s, Int64s]] = []

    @staticmethod
    def columns(name: str) -> dict[str, str]:
        """Return the columns of the table of slots: whether a slot is listed, and for when."""
        return {f"{name}_listed": "u1", f"{name}_at": "i8"}

    @property
    def next(self) -> int | None:
        """Return the earliest time."""
        return min((int(times[0]) for times, _ in self._runs), default=None)

    def add(self, slots: Int64s, times: Int64s) -> None:
        """List distinct slots, but for those that are listed for as early a time."""
        new = (self._listed[slots] == 0) | (times < self._at[slots])
        if not new.any():
            return
        slots, times = slots[new], times[new]
        self._listed[slots] = 1
        self._at[slots] = times
        order = np.argsort(times, kind="stable")
        self._runs.append((times[order], slots[order]))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            self._join()

    def pop(self, until: int) -> Int64s:
        """Take out the slots whose time is at most ``until``; return them, distinct and rising."""
        found: list[Int64s] = []
        runs, self._runs = self._runs, []
        for times, slots in runs:
            cut = int(np.searchsorted(times, until, side="right"))
            if cut:
                valid = (self._listed[slots[:cut]] > 0) & (self._at[slots[:cut]] == times[:cut])
                found.append(slots[:cut][valid])
            if cut < len(times):
                self._runs.append((times[cut:], slots[cut:]))
        gone: Int64s = np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)
        self._listed[gone] = 0
        return gone

    def forget(self, slots: Int64s) -> None:
        """Take slots off the list; what still stands in the runs is passed over."""
        self._listed[slots] = 0

    def _join(self) -> None:
        (times, slots), (more_times, more_slots) = self._runs.pop(), self._runs.pop()
        times, slots = np.concatenate([more_times, times]), np.concatenate([more_slots, slots])
        order = np.argsort(times, kind="stable")
        self._runs.append((times[order], slots[order]))
