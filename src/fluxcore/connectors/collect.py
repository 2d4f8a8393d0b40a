"""Sinks for the running program: rows in memory, or handed over batch by batch."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import TYPE_CHECKING, ClassVar

from fluxcore.core.ports import ChangeMode, Sink
from fluxcore.errors import Cancelled
from fluxcore.limits import CHANNEL_BYTES_MAX, CHANNEL_ROWS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.core.batch import Batch

_ALL = frozenset(ChangeMode)


class CollectSink(Sink):
    """Keeps all batches, weights included, in ``batches``."""

    modes: ClassVar[frozenset[ChangeMode]] = _ALL

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def write(self, batch: Batch) -> None:
        """Keep a batch."""
        self.batches.append(batch)

    def commit(self) -> None:
        """Nothing to do: the rows are in memory."""


class QueueSink(Sink):
    """Hands batches to another thread, which iterates over the sink; bounded in rows and bytes.

    The iterator ends when the job does, however it ends; the job itself tells about errors.
    """

    modes: ClassVar[frozenset[ChangeMode]] = _ALL

    def __init__(self, rows: int = CHANNEL_ROWS_MAX, nbytes: int = CHANNEL_BYTES_MAX) -> None:
        self._rows_max, self._bytes_max = rows, nbytes
        self._queue: deque[Batch] = deque()
        self._rows = 0
        self._bytes = 0
        self._ended = False
        self._cancelled = False
        self._changed = Condition()

    def write(self, batch: Batch) -> None:
        """Append a batch; wait while the reader is behind. Raises ``Cancelled``."""
        with self._changed:
            while self._queue and (self._rows >= self._rows_max or self._bytes >= self._bytes_max):
                if self._cancelled:
                    raise Cancelled
                self._changed.wait()
            if self._cancelled:
                raise Cancelled
            self._queue.append(batch)
            self._rows += batch.rows
            self._bytes += batch.nbytes
            self._changed.notify_all()

    def cancel(self) -> None:
        """Wake the writer with ``Cancelled``; the reader still gets what is there."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def commit(self) -> None:
        """Nothing to do: rows are handed over as they come."""

    def close(self) -> None:
        """End the iteration."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Batch]:
        while True:
            with self._changed:
                while not self._queue and not self._ended:
                    self._changed.wait(1.0)  # a bounded wait lets Ctrl-C through on every platform
                if not self._queue:
                    return
                batch = self._queue.popleft()
                self._rows -= batch.rows
                self._bytes -= batch.nbytes
                self._changed.notify_all()
            yield batch
