"""The bounded queue in front of a task."""

from __future__ import annotations

import time
from collections import deque
from threading import Condition
from typing import TYPE_CHECKING

from fluxcore.core.batch import Batch
from fluxcore.core.partial import Partial
from fluxcore.core.time import SystemClock
from fluxcore.errors import Cancelled
from fluxcore.limits import CHANNEL_BYTES_MAX, CHANNEL_ROWS_MAX
from fluxcore.runtime.waits import WAITS

if TYPE_CHECKING:
    from fluxcore.core.control import Control
    from fluxcore.core.time import Clock


class Inbox:
    """A queue of (input, element), bounded in rows and bytes, with many writers and one reader.

    A writer waits while the queue is over either bound; one batch always fits an empty queue, however large it is.
    """

    def __init__(self, rows: int | None = None, nbytes: int | None = None, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._rows_max = CHANNEL_ROWS_MAX if rows is None else rows
        self._bytes_max = CHANNEL_BYTES_MAX if nbytes is None else nbytes
        self._queue: deque[tuple[int, Batch | Partial | Control, int]] = deque()
        self._rows = 0
        self._bytes = 0
        self._cancelled = False
        self._woken = False
        self._changed = Condition()
        self.blocked = 0
        self._blocked_s = self._idle_s = 0.0
        self._waiting_since: float | None = None
        self._peak_bytes = 0

    def put(self, source: int, element: Batch | Partial | Control) -> None:
        """Append an element from input ``source``; wait while the queue is full. Raises ``Cancelled``."""
        rows, nbytes = (element.rows, element.nbytes) if isinstance(element, Batch | Partial) else (0, 0)
        with self._changed:
            if self._queue and rows and self._full():
                self.blocked += 1
                start = time.perf_counter()
                while self._queue and self._full() and not self._cancelled:
                    self._changed.wait()
                seconds = time.perf_counter() - start
                self._blocked_s += seconds
                WAITS.seconds += seconds
            if self._cancelled:
                raise Cancelled
            self._queue.append((source, element, nbytes))
            self._rows += rows
            self._bytes += nbytes
            self._peak_bytes = max(self._peak_bytes, self._bytes)
            self._changed.notify_all()

    def get(self, until_ms: int | None = None) -> tuple[int, Batch | Partial | Control] | None:
        """Return the next element; wait for one until the clock reaches a time, or :meth:`wake`, then return None.

        Raises ``Cancelled``.
        """
        with self._changed:
            if not self._queue:
                self._wait(until_ms)
            if self._cancelled:
                raise Cancelled
            if not self._queue:
                return None
            source, element, nbytes = self._queue.popleft()
            if isinstance(element, Batch | Partial):
                self._rows -= element.rows
                self._bytes -= nbytes
                self._changed.notify_all()
            return source, element

    def wake(self) -> None:
        """Have the reader wait no longer, though there is nothing to read."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Wake all writers and the reader with ``Cancelled``."""
        with self._changed:
            self._cancelled = True
            self._queue.clear()
            self._changed.notify_all()

    def statistics(self) -> dict[str, float]:
        """Return rows and bytes waiting, the share of the bounds that they use, the most bytes that ever waited.

        Further how often writers had to wait and for how many seconds, and how many seconds the reader had nothing.
        """
        with self._changed:
            since = self._waiting_since
            return {
                "rows": self._rows,
                "bytes": self._bytes,
                "fill": max(self._rows / self._rows_max, self._bytes / self._bytes_max),
                "peak_bytes": self._peak_bytes,
                "blocked": self.blocked,
                "blocked_s": self._blocked_s,
                "idle_s": self._idle_s + (time.perf_counter() - since if since is not None else 0.0),
            }

    def _wait(self, until_ms: int | None) -> None:
        """Wait for an element, the end of the job, a time of the clock, or :meth:`wake`."""
        self._waiting_since = time.perf_counter()
        while not self._queue and not self._cancelled and not self._woken:
            if until_ms is not None and self._clock.now_ms() >= until_ms:
                break
            self._clock.wait(self._changed, until_ms)
        self._woken = False
        self._idle_s += time.perf_counter() - self._waiting_since
        self._waiting_since = None

    def _full(self) -> bool:
        return self._rows >= self._rows_max or self._bytes >= self._bytes_max
