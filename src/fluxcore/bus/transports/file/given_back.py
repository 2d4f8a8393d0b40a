"""The dead letters of a bus in a folder that were given back, so that each is but once."""

from __future__ import annotations

import threading
from bisect import bisect_right
from typing import TYPE_CHECKING

from fluxcore.bus.transports.file.layout import Revived, disk_calls

if TYPE_CHECKING:
    from concurrent.futures import Future

    from fluxcore.bus.transports.file.desk import Desk


class GivenBack:
    """Ranges of offsets by topic, as they are in the folder. On the event loop but where said.

    One process of a folder gives letters back at a time: between ``begin`` and ``end`` it holds the lock of ``revived.lock``.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ranges: dict[str, list[tuple[int, int]]] = {}
        self._saving = threading.Lock()
        self._waits = False
        self._lock: int | None = None

    def begin(self) -> bool:
        """Read what was given back so far; return False where another process gives letters back now. On a thread for the disk.

        Raises: ``BusError`` FX-BUS-0401, 0404.
        """
        folder = self._desk.folder
        path = folder.revived_lock()
        try:
            with disk_calls(path):
                self._lock = folder.files.lock(path)
        except BlockingIOError:
            return False
        try:
            self._ranges = folder.revived().topics
        except BaseException:
            self.end()
            raise
        return True

    def end(self) -> None:
        """Let others give letters back; on a thread for the disk."""
        if self._lock is not None:
            self._desk.folder.files.close(self._lock)
            self._lock = None

    def has(self, topic: str, offset: int) -> bool:
        """Return whether a letter was given back."""
        ranges = self._ranges.get(topic, [])
        place = bisect_right(ranges, offset, key=_first) - 1
        return place >= 0 and offset < ranges[place][1]

    def add(self, topic: str, offset: int) -> Future[None] | None:
        """Remember a letter; return its saving, or None where one that has not begun yet saves it too."""
        ranges = self._ranges.setdefault(topic, [])
        place = bisect_right(ranges, offset, key=_first)
        if place and ranges[place - 1][1] >= offset:
            first, end = ranges[place - 1]
            ranges[place - 1] = (first, max(end, offset + 1))
        else:
            ranges.insert(place, (offset, offset + 1))
        if self._waits:
            return None
        self._waits = True
        return self._desk.run(self._save)

    def _save(self) -> None:
        """Save what is known by now; on a thread for the disk. One at a time, as all write to the same file."""
        with self._saving:
            self._waits = False  # before it looks: what is added from here on is saved once more
            self._desk.folder.save_revived(
                Revived({topic: list(ranges) for topic, ranges in list(self._ranges.items())})
            )


def _first(range_: tuple[int, int]) -> int:
    return range_[0]
