"""The result of a job as a table: one thread writes it, others read it as of now or follow its changes."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from fluxcore.core.feed import Feed
from fluxcore.core.ports import ChangeMode, Signal, Sink
from fluxcore.errors import Cancelled
from fluxcore.limits import CHANNEL_BYTES_MAX, CHANNEL_ROWS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fluxcore.api.materialized.rows import Rows
    from fluxcore.core.batch import Batch

_WAIT_S = 0.1
_CODES = pa.array(["-D", "+I"])


class KeptTable(Sink):
    """Takes a job's changes. A reader sees whole batches only, and each change of a batch or none.

    ``stays``: the rows are kept although the job is cancelled. Of a job that fails they are forgotten.
    """

    modes: ClassVar[frozenset[ChangeMode]] = frozenset(ChangeMode)

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._lock = threading.Lock()
        self._followers: list[Changes] = []
        self._shown: list[pa.RecordBatch] | None = None
        self._closed = False
        self.ended = False
        self.stays = False

    def write(self, batch: Batch) -> None:
        """Take changes, and hand them to those who follow; wait while one of them is behind. Raises ``Cancelled``."""
        if not batch.rows:
            return
        with self._lock:
            if self._closed:
                return
            changed = self._rows.add(batch)
            self._shown = None
            followers = list(self._followers)
        for each in followers:
            each.put(changed)

    def commit(self) -> None:
        """Do nothing: the rows are here already."""

    def abort(self) -> None:
        """Forget the rows of a job that failed."""
        if not self.stays:
            self.forget()

    def close(self) -> None:
        """Tell those who follow that no more comes."""
        with self._lock:
            self.ended = True
            followers = list(self._followers)
        for each in followers:
            each.end()

    def cancel(self) -> None:
        """Wake the writer with ``Cancelled`` where it waits."""
        with self._lock:
            followers = list(self._followers)
        for each in followers:
            each.cancel()

    def read(self) -> list[pa.RecordBatch]:
        """Return the rows as of now."""
        with self._lock:
            return list(self._read())

    def follow(self, changes: Changes) -> list[pa.RecordBatch]:
        """Give all changes from now on to ``changes``; return the rows as of now."""
        with self._lock:
            if not self.ended:
                self._followers.append(changes)
            return list(self._read())

    def leave(self, changes: Changes) -> None:
        """Give no more changes to ``changes``."""
        with self._lock:
            if changes in self._followers:
                self._followers.remove(changes)

    def forget(self) -> None:
        """Give the memory of the rows back; there are none then."""
        with self._lock:
            if not self._closed:
                self._closed, self._shown = True, []
                self._rows.close()

    @property
    def forgotten(self) -> bool:
        """Return whether the rows are gone."""
        return self._closed

    @property
    def follows(self) -> bool:
        """Return whether changes can be followed."""
        return self._rows.follows

    @property
    def updates(self) -> bool:
        """Return whether a change may take a row away."""
        return self._rows.updates

    @property
    def count(self) -> int:
        """Return the number of rows."""
        with self._lock:
            return 0 if self._closed else self._rows.count

    @property
    def state_bytes(self) -> int:
        """Return the bytes of the rows."""
        return 0 if self._closed else self._rows.nbytes

    def _read(self) -> list[pa.RecordBatch]:
        if self._shown is None:
            self._shown = self._rows.batches()
        return self._shown


class Changes(Feed):
    """Gives the rows of a kept table as of its opening, and then every change; where it updates, the last column is +I or -D.

    ``check`` raises when there is no more, and that is no proper end. It counts as endless, though it may end: a job that reads
    one source before another could wait for a table that waits for the job.
    """

    bounded = False

    def __init__(self, table: KeptTable, check: Callable[[], None]) -> None:
        self._table = table
        self._check = check
        self._updated = table.updates

    def open(self, position: Mapping[str, Any] | None) -> None:  # noqa: ARG002
        """Begin to follow."""
        self._queue: deque[pa.RecordBatch] = deque()
        self._rows = self._bytes = 0
        self._closed = self._cancelled = False
        self._changed = threading.Condition()
        self._first = deque(self._table.follow(self))

    def take(self) -> pa.RecordBatch | Signal:
        """Return the next changes, once they are there. Raises what ended the table."""
        if self._first:
            return self._coded(self._first.popleft(), None)
        with self._changed:
            ended = self._table.ended  # looked at before the queue: nothing is put behind the end
            if not self._queue and not ended:
                self._changed.wait(_WAIT_S)
            if self._queue:
                waiting = list(self._queue)
                self._queue.clear()
                self._rows = self._bytes = 0
                self._changed.notify_all()
                return pa.concat_batches(waiting)
        if not ended:
            return Signal.NOTHING_NOW
        self._check()
        return Signal.END

    def put(self, batch: Batch) -> None:
        """Append changes; wait while the reader is behind. Raises ``Cancelled`` when the table's job is."""
        coded = self._coded(batch.data, batch)
        with self._changed:
            while self._queue and (self._rows >= CHANNEL_ROWS_MAX or self._bytes >= CHANNEL_BYTES_MAX):
                if self._closed:
                    return
                if self._cancelled:
                    raise Cancelled
                self._changed.wait(_WAIT_S)
            if not self._closed:
                self._queue.append(coded)
                self._rows += coded.num_rows
                self._bytes += coded.nbytes
                self._changed.notify_all()

    def cancel(self) -> None:
        """Wake the writer with ``Cancelled``; the reader still gets what is there."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def end(self) -> None:
        """Wake the reader: no more comes."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Follow no more."""
        self._table.leave(self)
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify_all()

    def _coded(self, data: pa.RecordBatch, batch: Batch | None) -> pa.RecordBatch:
        if not self._updated:
            return data
        added = np.ones(data.num_rows, np.bool_) if batch is None else batch.counts > 0
        codes = _CODES.take(pa.array(added.astype(np.int8)))
        return pa.RecordBatch.from_arrays([*data.columns, codes], [*data.schema.names, "op"])
