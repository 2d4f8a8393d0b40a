"""Events on their way into the log of a topic, which is opened for writing with the first of them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from time import time_ns
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pyarrow as pa

from fluxcore.bus.errors import BusError
from fluxcore.bus.log.options import ACKS
from fluxcore.bus.log.queue import Expect
from fluxcore.bus.payloads import RAW, encode
from fluxcore.bus.publishing import Origin, Pending, settle_all
from fluxcore.bus.rows import BYTES, JSON, PLAIN_BYTES
from fluxcore.bus.transports.file import registry
from fluxcore.core.log import Log as Records
from fluxcore.errors import FluxError
from fluxcore.limits import BUS_PENDING_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from concurrent.futures import Future

    from fluxcore.bus.log import Log, LogOptions, Producer, Settled
    from fluxcore.bus.options import TopicOptions
    from fluxcore.bus.transports.file.desk import Desk

_records = Records("bus")
_FULL, IN_USE, BROKEN = "FX-LOG-0006", "FX-LOG-0001", "FX-LOG-0004"
_AT_ONCE = 256


class Opener(Protocol):
    """The topic; it is told, on the event loop, what became of the log that was to be opened."""

    name: str
    options: TopicOptions

    def opened(self, log: Log, end: int) -> None:
        """Take the log, and where it ended when it was opened."""

    def moved(self, durable_end: int, end: int) -> None:
        """Take how far the log has come."""

    def refused(self) -> None:
        """Take it that the log can't be opened now."""

    def given_back(self) -> None:
        """Take it that the log was closed, and others may open it."""


class Letter(NamedTuple):
    """An event that waits for room, or for the log to be opened."""

    content: tuple[Any, ...] | pa.RecordBatch
    pending: Pending
    acks: str
    size: int
    expect: Expect | None


class Outbox:
    """Publishes to a log. ``publish`` may be called on any thread; on the event loop it never waits.

    What finds no room in the log's queue waits here, in order, up to ``BUS_PENDING_BYTES``. ``topic`` is told on the event loop when
    the log was opened, or could not be.
    """

    def __init__(self, folder: str, options: Callable[[], LogOptions], desk: Desk, topic: Opener) -> None:
        self.log: Log | None = None
        self.failed = 0
        self._published = 0
        self._published_elsewhere = 0
        self._settled = 0
        self._folder = folder
        self._options = options
        self._desk = desk
        self._topic = topic
        self._origins = {each: Origin(topic.name, each, desk.loop, desk.loop_thread) for each in ACKS}
        self._own_origin = self._origins[topic.options.acks]
        self._own: Producer | None = None
        self._direct: dict[str, Producer] = {}
        self._senders: dict[str, Producer] = {}
        self._patient: dict[str, Producer] = {}
        self._waiting: deque[Letter] = deque()
        self._waiting_bytes = 0
        self._opening: Future[None] | None = None
        self._refusal: Exception | None = None
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)

    def publish_plain(self, subject: str, data: Any, key: str | None, id_: str | None) -> Pending:
        """Hand over an event of nothing but these, with the topic's own acknowledgement, on the event loop; as ``publish_row``.

        This is what nearly every event takes: it does without what only few need. Raises ``BusError`` FX-BUS-0202 too.
        """
        if data.__class__ is bytes:
            form, content = BYTES, data
        else:
            form, content = BYTES if isinstance(data, RAW) else JSON, encode(data)
        row = (subject, key, id_, time_ns() // 1_000_000, None, form, content)
        size = PLAIN_BYTES + len(subject) + len(content)
        producer = self._own
        if producer is None or self._waiting:
            return self.publish_row(row, size, self._own_origin.acks)
        pending = Pending(self._own_origin)
        try:
            producer.append_row(row, pending, size)
        except FluxError as error:
            if error.code != _FULL:
                raise
            self._keep(Letter(row, pending, self._own_origin.acks, size, None), here=True)
        self._published += 1
        return pending

    def publish_row(self, row: tuple[Any, ...], size: int, acks: str) -> Pending:
        """Hand over a row of the log's schema. Raises what the log refuses with, or ``BusError`` FX-BUS-0306."""
        here, pending = self._begin(acks)
        producer = (self._direct if here else self._patient).get(acks)
        if producer is not None and not self._waiting:
            try:
                producer.append_row(row, pending, size)
            except FluxError as error:
                if error.code != _FULL:
                    self._unbegin(here)
                    raise
            else:
                return pending
        self._keep(Letter(row, pending, acks, size, None), here)
        return pending

    def publish_batch(self, rows: pa.RecordBatch, acks: str, expect: Expect | None = None) -> Pending:
        """Hand over rows in columns. Raises as ``publish_row`` does."""
        here, pending = self._begin(acks)
        self._keep(Letter(rows, pending, acks, rows.nbytes, expect), here)
        return pending

    # -- opening and closing ----------------------------------------------------------------------------------------

    def is_quiet(self) -> bool:
        """Return whether all that was published is settled, well or not; on the event loop."""
        return self._settled == self._published + self._published_elsewhere

    def open(self) -> None:
        """Open the log if it isn't."""
        with self._lock:
            self._begin_to_open()

    def recover(self) -> None:
        """Open the log and give it back, so that readers see all that is in it; on a thread for the disk."""
        try:
            registry.release(registry.acquire(self._folder, self._options(), self._desk.own_files))
        except FluxError as error:
            if error.code != IN_USE:
                _records.warning("a topic can't be recovered", folder=self._folder, error=error.message)

    @contextlib.asynccontextmanager
    async def its_log(self) -> AsyncIterator[Log]:
        """Give the log, opened, to work with. Raises what keeps it from being opened."""
        if self.log is None:
            with self._lock:
                self._begin_to_open()
                opening = self._opening
            if opening is not None:
                await asyncio.wrap_future(opening)
            if self._refusal is not None:
                raise self._refusal
        assert self.log is not None
        yield self.log

    def close(self) -> int:
        """Write and sync all, give the log back, and return its durable end; on a thread for the disk."""
        return 0 if self.log is None else self._end(self.log)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _end(self, log: Log) -> int:
        with contextlib.suppress(FluxError):  # whoever waits has been told of a broken disk
            log.sync()
        registry.release(log)
        return log.durable_end

    def _begin(self, acks: str) -> tuple[bool, Pending]:
        """Count an event, and return whether this is the event loop's thread."""
        here = threading.get_ident() == self._desk.loop_thread
        if here:
            self._published += 1
        else:
            with self._lock:
                self._published_elsewhere += 1
        return here, Pending(self._origins[acks])

    def _unbegin(self, here: bool) -> None:
        if here:
            self._published -= 1
        else:
            with self._lock:
                self._published_elsewhere -= 1

    def _keep(self, letter: Letter, here: bool) -> None:
        """Put a letter behind those that wait, and see to it that they are sent."""
        with self._lock:
            while self._waiting_bytes and self._waiting_bytes + letter.size > BUS_PENDING_BYTES:
                if here:
                    self._published -= 1
                    message = f"{self._waiting_bytes} bytes of events wait for '{self._folder}'"
                    raise BusError("FX-BUS-0306", message, hint="await what publish gives back, now and then")
                self._room.wait()
            self._waiting.append(letter)
            self._waiting_bytes += letter.size
            first = len(self._waiting) == 1
            if self.log is None:
                self._begin_to_open()
                return
        if first:
            self._send()

    def _begin_to_open(self) -> None:
        if self.log is None and self._opening is None:
            self._refusal = None
            self._opening = self._desk.run(self._open)

    def _open(self) -> None:
        """Open the log, and send what waits for it; on a thread for the disk."""
        try:
            log = registry.acquire(self._folder, self._options(), self._desk.own_files)
            end = log.end
        except Exception as error:  # noqa: BLE001  (whatever it is, the publishers must know)
            with self._lock:
                if self._is_for_later(error):
                    return
                refused, self._waiting = self._waiting, deque()
                self._waiting_bytes = 0
                self._opening = None
                self._refusal = error
                self._room.notify_all()
            self._desk.mail.post(self._fail, [each.pending for each in refused], error)
            self._desk.mail.post(self._topic.refused)
            return
        with self._lock:
            self._use(log)
            self._opening = None
            self._room.notify_all()
        self._desk.mail.post(self._topic.opened, log, end)
        self._send()

    def _use(self, log: Log) -> None:
        """Take the log that was opened; the lock is held."""
        for acks in ACKS:
            self._direct[acks] = self._senders[acks] = log.producer(self._done, acks, wait=False)
            self._patient[acks] = log.producer(self._done, acks)
        self._own = self._direct[self._own_origin.acks]
        self.log = log

    def _is_for_later(self, error: Exception) -> bool:  # noqa: ARG002  (as those need it that share a log)
        """Return whether the log is to be opened again later, so that letters go on waiting; the lock is held."""
        return False

    def _may_send(self) -> bool:
        return self.log is not None

    def _send(self) -> None:
        """Hand over what waits, as far as there is room, and come back when there is more."""
        while self._waiting and (log := self.log) is not None and self._may_send():
            refused: list[tuple[Pending, FluxError]] = []
            with self._lock:
                more = self._send_some(refused)
                self._room.notify_all()
            for pending, error in refused:
                self._desk.mail.post(self._fail, [pending], error)
            if not more:
                log.when_room(self._send_later)
                return

    def _send_some(self, refused: list[tuple[Pending, FluxError]]) -> bool:
        """Hand over some of what waits; return False where there is no room. The lock is held, and given back now and then."""
        if not self._may_send():
            return True
        for _ in range(min(len(self._waiting), _AT_ONCE)):
            letter = self._waiting[0]
            try:
                self._append(letter)
            except FluxError as error:
                if error.code == _FULL:
                    return False
                refused.append((letter.pending, error))
            self._waiting.popleft()
            self._waiting_bytes -= letter.size
        return True

    def _send_later(self) -> None:
        self._desk.run(self._send)

    def _append(self, letter: Letter) -> None:
        producer = self._senders[letter.acks]
        if letter.expect is not None and self.log is not None and self.log.options.key_column is None:
            hint = "close what has opened it before it was declared with versions"
            raise BusError("FX-BUS-0114", f"the log in '{self._folder}' keeps no versions of keys yet", hint=hint)
        if isinstance(letter.content, pa.RecordBatch):
            producer.append(letter.content, letter.pending, letter.expect)
        else:
            producer.append_row(letter.content, letter.pending, letter.size)

    def _done(self, outcomes: list[Settled]) -> None:
        """Take what became of events; in the log's thread."""
        self._desk.mail.post(self._settle, outcomes)

    def _settle(self, outcomes: list[Settled]) -> None:
        assert self.log is not None
        self._topic.moved(self.log.durable_end, self.log.end)  # first, so that who has a receipt can read the event
        for each in outcomes:
            if each.error is not None:
                self._fail(each.tokens, each.error)
                continue
            self._settled += len(each.tokens)
            if len(each.tokens) != len(each.offsets):  # a batch: it stands where its first row does
                first = each.offsets[0] if each.offsets else self.log.end
                each.tokens[0].settle(first, each.new is not None and not any(each.new))
            elif each.new is None:
                settle_all(each.tokens, each.offsets)
            else:
                for pending, offset, new in zip(each.tokens, each.offsets, each.new, strict=True):
                    pending.settle(offset, not new)

    def _fail(self, pendings: Any, error: Exception) -> None:
        unheard = [each for each in pendings if not each.fail(error)]
        self.failed += len(pendings)
        self._settled += len(pendings)
        if unheard:
            _records.warning("events were not published, and nobody waits to know", count=len(unheard),
                             folder=self._folder, error=getattr(error, "message", str(error)))  # fmt: skip
