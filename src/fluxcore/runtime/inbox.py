"""The bounded queue in front of a task."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import TYPE_CHECKING

from fluxcore.core.batch import Batch
from fluxcore.core.partial import Partial
from fluxcore.core.time import SystemClock
from fluxcore.errors import Cancelled
from fluxcore.limits import CHANNEL_BYTES_MAX, CHANNEL_ROWS_MAX

if TYPE_CHECKING:
    from fluxcore.core.control import Control
    from fluxcore.core.time import Clock


class Inbox:
    """A queue of (input, element), bounded in rows and bytes, with many writers and one reader.

    A writer waits while the queue is over either bound; one batch always fits an empty queue, however large it is.
    """

    def __init__(
        self, rows: int = CHANNEL_ROWS_MAX, nbytes: int = CHANNEL_BYTES_MAX, clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._rows_max = rows
        self._bytes_max = nbytes
        self._queue: deque[tuple[int, Batch | Partial | Control, int]] = deque()
        self._rows = 0
        self._bytes = 0
        self._cancelled = False
        self._changed = Condition()
        self.blocked = 0

    def put(self, source: int, element: Batch | Partial | Control) -> None:
        """Append an element from input ``source``; wait while the queue is full. Raises ``Cancelled``."""
        rows, nbytes = (element.rows, element.nbytes) if isinstance(element, Batch | Partial) else (0, 0)
        with self._changed:
            if self._queue and rows and self._full():
                self.blocked += 1
                while self._queue and self._full() and not self._cancelled:
                    self._changed.wait()
            if self._cancelled:
                raise Cancelled
            self._queue.append((source, element, nbytes))
            self._rows += rows
            self._bytes += nbytes
            self._changed.notify_all()

    def get(self, until_ms: int | None = None) -> tuple[int, Batch | Partial | Control] | None:
        """Return the next element; wait for one until the clock reaches a time, then return None. Raises ``Cancelled``."""
        with self._changed:
            while not self._queue and not self._cancelled:
                if until_ms is not None and self._clock.now_ms() >= until_ms:
                    return None
                self._clock.wait(self._changed, until_ms)
            if self._cancelled:
                raise Cancelled
            source, element, nbytes = self._queue.popleft()
            if isinstance(element, Batch | Partial):
                self._rows -= element.rows
                self._bytes -= nbytes
                self._changed.notify_all()
            return source, element

    def cancel(self) -> None:
        """Wake all writers and the reader with ``Cancelled``."""
        with self._changed:
            self._cancelled = True
            self._queue.clear()
            self._changed.notify_all()

    def statistics(self) -> dict[str, int]:
        """Return rows and bytes waiting, and how often a writer had to wait."""
        with self._changed:
            return {"rows": self._rows, "bytes": self._bytes, "blocked": self.blocked}

    def _full(self) -> bool:
        return self._rows >= self._rows_max or self._bytes >= self._bytes_max
