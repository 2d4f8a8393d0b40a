"""What a worker has in hand, noted where it outlives the process: so an event that kills the process is counted."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from fluxcore.bus.batch_event import end_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.bus.event import Event

Range = tuple[int, int, int]
"""Offsets from the first number up to, not including, the second, and how often the process died while they were in hand."""


class ProcessDied(Exception):
    """The process has died, each time that a handler had the event."""


class Hold:
    """Two numbers of one worker: the first offset that it has in hand at ``cells[at]``, and behind it how many; none is 0.

    ``cells`` is None where nothing outlives the process. A worker that has only single events in hand, one after the other, may set
    the first number by itself after :meth:`take`: that costs 30 ns.
    """

    __slots__ = ("at", "cells")

    def __init__(self, cells: memoryview[int] | None = None, at: int = 0) -> None:
        self.cells = cells
        self.at = at

    def take(self, event: Event) -> None:
        """Note that a handler is about to have an event; a request stands in no topic, and is not noted."""
        if self.cells is not None and event.offset >= 0:
            self._put(event.offset, end_of(event))

    def take_all(self, events: Sequence[Event]) -> None:
        """Note that a handler is about to have some events."""
        if self.cells is not None and events[0].offset >= 0:
            self._put(min(event.offset for event in events), max(map(end_of, events)))

    def _put(self, first: int, stop: int) -> None:
        assert self.cells is not None
        self.cells[self.at + 1] = 0  # so that nobody reads one number of these and one of those before
        self.cells[self.at] = first
        self.cells[self.at + 1] = stop - first

    def clear(self) -> None:
        """Note that there is nothing in hand."""
        if self.cells is not None:
            self.cells[self.at + 1] = 0


class Holds(Protocol):
    """The holds of the workers of a group in a topic."""

    def lend(self) -> Hold:
        """Return one for a worker."""

    def take_back(self, hold: Hold) -> None:
        """Take the hold of a worker that has ended."""


class NoHolds:
    """Holds that note nothing."""

    def lend(self) -> Hold:
        """Return one that notes nothing."""
        return Hold()

    def take_back(self, hold: Hold) -> None:
        """Do nothing."""


def counted(before: Sequence[Range], in_hand: Sequence[tuple[int, int]]) -> list[Range]:
    """Return the ranges that were in hand when the process died, counted once more each, and those from before, without overlaps."""
    borders = sorted({border for first, stop, *_ in (*before, *in_hand) for border in (first, stop)})
    found: list[Range] = []
    for first, stop in pairwise(borders):
        times = max((n for start, end, n in before if start <= first < end), default=0)
        times += any(start <= first < end for start, end in in_hand)
        if times:
            found.append((first, stop, times))
    return found
