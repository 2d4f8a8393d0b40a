"""The way into a log that the processes of a folder share: each has it open for as long as it has something to write."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from fluxcore.bus.transports.file import registry
from fluxcore.bus.transports.file.outbox import BROKEN, IN_USE, Letter, Outbox
from fluxcore.core.log import Log as Records
from fluxcore.errors import FluxError
from fluxcore.limits import BUS_SHARED_HOLD_S, BUS_SHARED_IDLE_S, BUS_SHARED_PAUSE_S, BUS_SHARED_WARN_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fluxcore.bus.log import Log, Settled

_records = Records("bus")


class SharedOutbox(Outbox):
    """Takes turns with other processes at a log.

    1. What is published waits here until this process has the log's lock; while another one has it, it is asked for again and
    again. 2. All that waits is handed over, until the log was open for ``BUS_SHARED_HOLD_S``. 3. When what was handed over is settled,
    the log is closed, which gives its lock back. 4. If more has come meanwhile, this process asks again after a pause that is
    longer than the others', so that each has its turn.

    A log whose sync has failed is kept until the bus is closed, so that nobody writes behind what may be lost.
    """

    _under_way = 0
    _since = _last = 0.0
    _broken = _closed = False
    _refused_since: float | None = None

    @contextlib.asynccontextmanager
    async def its_log(self) -> AsyncIterator[Log]:
        """Give the log, opened, to work with. Raises what keeps it from being opened, ``JobError`` FX-LOG-0001 for another process."""
        with self._lock:
            self._under_way += 1
        try:
            async with super().its_log() as log:
                yield log
        finally:
            with self._lock:
                self._under_way -= 1
            self._look()

    def close(self) -> int:
        """Write and sync all, give the log back, and return its durable end; on a thread for the disk."""
        with self._lock:
            self._closed = True
            log, self.log = self.log, None
        return 0 if log is None else self._end(log)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _use(self, log: Log) -> None:
        self._senders = {acks: log.producer(self._done, acks, wait=False) for acks in ("memory", "os", "disk")}
        self.log = log
        self._since = time.monotonic()
        self._refused_since = None
        self._desk.mail.post(self._look)

    def _is_for_later(self, error: Exception) -> bool:
        if not (isinstance(error, FluxError) and error.code == IN_USE and self._waiting):
            return False
        now = time.monotonic()
        if self._refused_since is None:
            self._refused_since = now
        elif now - self._refused_since > BUS_SHARED_WARN_S:
            self._refused_since = now
            _records.warning("events wait for another process that writes to their topic, and doesn't end that",
                             folder=self._folder, events=len(self._waiting), error=error.message)  # fmt: skip
        self._opening = None
        self._refusal = error
        self._desk.mail.post(self._open_later, BUS_SHARED_PAUSE_S / 2)
        return True

    def _open_later(self, pause_s: float) -> None:
        self._desk.loop.call_later(pause_s, self._open_again)

    def _open_again(self) -> None:
        if not self._closed:
            self.open()

    def _may_send(self) -> bool:
        return self.log is not None and time.monotonic() - self._since < BUS_SHARED_HOLD_S

    def _append(self, letter: Letter) -> None:
        super()._append(letter)
        self._under_way += 1
        self._last = time.monotonic()

    def _settle(self, outcomes: list[Settled]) -> None:
        super()._settle(outcomes)
        with self._lock:
            self._under_way -= sum(len(each.tokens) for each in outcomes)
            self._broken |= any(each.error is not None and each.error.code == BROKEN for each in outcomes)
        self._look()

    def _look(self) -> None:
        """Give the log back if all that was handed over is settled, and nothing has come for a while; on the event loop."""
        with self._lock:
            log = self.log
            if log is None or self._under_way or self._broken or (self._waiting and self._may_send()):
                return
            if self._may_send() and time.monotonic() - self._last < BUS_SHARED_IDLE_S:
                self._desk.loop.call_later(BUS_SHARED_IDLE_S, self._look)
                return
            self.log = None
            self._senders.clear()
            more = bool(self._waiting)
        self._topic.given_back()
        self._desk.run(registry.release, log)
        if more:
            self._open_later(BUS_SHARED_PAUSE_S)
