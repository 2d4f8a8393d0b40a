"""Aligns the watermarks of splits: one that is too far ahead of its group waits for the others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from fluxcore.core.time import MAX_TIME_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class AlignmentGroup:
    """The watermarks (ms) of all members that are read, over all sources of a job that name the same group.

    A member that has said nothing yet holds the others; an idle one and one that was read to its end don't. All methods may
    be called from any thread; :meth:`wake` with no lock that those who wait need.
    """

    def __init__(self) -> None:
        self._marks: dict[Hashable, int] = {}
        self._wakers: list[Callable[[], None]] = []
        self._risen = False
        self._lock = threading.Lock()

    def add_waker(self, wake: Callable[[], None]) -> None:
        """Call a function whenever somebody who waits may go on."""
        self._wakers.append(wake)

    def set(self, member: Hashable, mark: int) -> None:
        """Take a member's watermark."""
        self._change(member, mark)

    def leave(self, member: Hashable) -> None:
        """Hold nobody for this member until it says something again."""
        self._change(member, None)

    def wake(self) -> None:
        """Wake those who wait, if the smallest watermark has risen."""
        with self._lock:
            risen, self._risen = self._risen, False
        if risen:
            for wake in self._wakers:
                wake()

    def is_ahead(self, mark: int, drift_ms: int) -> bool:
        """Return whether a watermark is more than ``drift_ms`` ahead of the group's smallest."""
        return mark > self.smallest + drift_ms

    @property
    def smallest(self) -> int:
        """Return the smallest watermark of the members."""
        with self._lock:
            return self._smallest()

    def _smallest(self) -> int:
        return min(self._marks.values(), default=MAX_TIME_MS)

    def _change(self, member: Hashable, mark: int | None) -> None:
        with self._lock:
            before = self._smallest()
            if mark is None:
                self._marks.pop(member, None)
            else:
                self._marks[member] = mark
            self._risen = self._risen or self._smallest() > before


class Alignment:
    """How the splits of one source take part in a group: none is more than ``drift_ms`` ahead of its smallest watermark."""

    def __init__(self, group: AlignmentGroup, drift_ms: int) -> None:
        self.group = group
        self.drift_ms = drift_ms
