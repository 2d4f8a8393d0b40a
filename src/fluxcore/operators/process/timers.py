"""Timers of keys: times that come up in order."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import beside

if TYPE_CHECKING:
    from fluxcore.core.batch import Int64s


class Timers:
    """Times (ms) that slots asked for, each once; they come up by time and, within one, in the order of asking."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int]] = []
        self._asked: dict[tuple[int, int], int] = {}
        self._of_slot: Counter[int] = Counter()
        self._next_number = 0

    def __len__(self) -> int:
        return len(self._asked)

    def has(self, slot: int) -> bool:
        """Return whether a slot has a timer."""
        return slot in self._of_slot

    def add(self, slot: int, time: int) -> None:
        """Add a timer, unless it is there."""
        if (slot, time) in self._asked:
            return
        self._asked[slot, time] = self._next_number
        self._of_slot[slot] += 1
        heapq.heappush(self._heap, (time, self._next_number, slot))
        self._next_number += 1

    def delete(self, slot: int, time: int) -> bool:
        """Take a timer back and return whether it was there; its entry in the heap is passed over when it comes up."""
        if self._asked.pop((slot, time), None) is None:
            return False
        self._of_slot[slot] -= 1
        if not self._of_slot[slot]:
            del self._of_slot[slot]
        return True

    @property
    def next(self) -> int | None:
        """Return the time of the next timer."""
        while self._heap:
            time, number, slot = self._heap[0]
            if self._asked.get((slot, time)) == number:
                return time
            heapq.heappop(self._heap)
        return None

    def pop(self, until: int) -> tuple[int, int] | None:
        """Remove the next timer up to a time; return its slot and time."""
        time = self.next
        if time is None or time > until:
            return None
        _, _, slot = heapq.heappop(self._heap)
        self.delete(slot, time)
        return slot, time

    def due(self, until: int) -> list[tuple[int, int]]:
        """Return slot and time of all timers up to a time, in order; they stay."""
        found = sorted((time, number, slot) for (slot, time), number in self._asked.items() if time <= until)
        return [(slot, time) for time, _, slot in found]

    def freeze(self, slots: Int64s) -> pa.RecordBatch:
        """Return the timers in the order of asking; a key is named by its place in ``slots`` (rising, the batch ``keys``)."""
        timers = sorted((number, slot, time) for (slot, time), number in self._asked.items())
        places = np.searchsorted(slots, [slot for _, slot, _ in timers])
        times = pa.array([time for *_, time in timers], pa.int64())
        batch = pa.RecordBatch.from_arrays([pa.array(places, pa.int64()), times], ["place", "time"])
        return beside(batch, 0, "keys")

    def restore(self, frozen: pa.RecordBatch, slots: Int64s) -> None:
        """Add what :meth:`freeze` gave. In: ``slots`` of the keys by their places."""
        for place, time in zip(*(column.to_pylist() for column in frozen.columns), strict=True):
            self.add(int(slots[place]), time)
