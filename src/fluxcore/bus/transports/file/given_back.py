"""The dead letters of a bus in a folder that were given back, so that each is but once."""

from __future__ import annotations

import threading
from bisect import bisect_right
from typing import TYPE_CHECKING

from fluxcore.bus.transports.file.layout import Revived

if TYPE_CHECKING:
    from concurrent.futures import Future

    from fluxcore.bus.transports.file.desk import Desk


class GivenBack:
    """Ranges of offsets by topic, as they are in the folder. On the event loop but the saving itself.

    Raises, where it first looks at the folder: ``BusError`` FX-BUS-0401.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ranges: dict[str, list[tuple[int, int]]] | None = None
        self._saving = threading.Lock()
        self._waits = False

    def has(self, topic: str, offset: int) -> bool:
        """Return whether a letter was given back."""
        ranges = self._known().get(topic, [])
        place = bisect_right(ranges, offset, key=_first) - 1
        return place >= 0 and offset < ranges[place][1]

    def add(self, topic: str, offset: int) -> Future[None] | None:
        """Remember a letter; return its saving, or None where one that has not begun yet saves it too."""
        ranges = self._known().setdefault(topic, [])
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

    def _known(self) -> dict[str, list[tuple[int, int]]]:
        if self._ranges is None:
            self._ranges = self._desk.folder.revived().topics
        return self._ranges

    def _save(self) -> None:
        """Save what is known by now; on a thread for the disk. One at a time, as all write to the same file."""
        with self._saving:
            self._waits = False  # before it looks: what is added from here on is saved once more
            self._desk.folder.save_revived(
                Revived({topic: list(ranges) for topic, ranges in list(self._known().items())})
            )


def _first(range_: tuple[int, int]) -> int:
    return range_[0]
