"""Events on their way to the log's thread: runs of rows and batches, in order, bounded in bytes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxcore.bus.log.errors import full
from fluxcore.core.log import Log as Records
from fluxcore.limits import LOG_FRAME_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from fluxcore.errors import FluxError

_records = Records("bus.log")


@dataclass(frozen=True, slots=True)
class Expect:
    """What must be the last event of a key for an append to happen: its offset, or None where there must be none."""

    key: Any
    offset: int | None


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of appends that belong together.

    ``tokens`` are those given with the rows (one a row), or the one of a batch; ``offsets`` those of the rows. ``survives`` is the
    acknowledgement that was reached. With ``error`` nothing of them was written. ``new`` says which rows were no duplicates,
    None where all were new.
    """

    tokens: Sequence[Any]
    offsets: Sequence[int]
    survives: str
    error: FluxError | None = None
    new: Sequence[bool] | None = None


class Run:
    """Appends of one producer that follow each other: rows with a token each, or a batch with one token.

    The rows stand one after the other in one list, ``width`` values each: a tuple for each would cost a hundred bytes.
    """

    __slots__ = ("batch", "expect", "new", "offsets", "producer", "size", "tokens", "values", "width")

    def __init__(
        self, producer: Producer, width: int = -1, batch: pa.RecordBatch | None = None, expect: Expect | None = None
    ) -> None:
        self.producer = producer
        self.width = width
        self.values: list[Any] = []
        self.tokens: list[Any] = []
        self.batch = batch
        self.expect = expect
        self.size = 0
        self.offsets: Sequence[int] | None = None
        self.new: list[bool] | None = None

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as tuples."""
        if self.width < 1:
            return [() for _ in self.tokens]
        return list(zip(*[iter(self.values)] * self.width, strict=True))

    def place(self, offsets: Sequence[int], new: list[bool] | None) -> None:
        """Note the offsets of the next rows; ``new`` where some of them are duplicates."""
        known = self.offsets
        if new is not None or self.new is not None:
            self.new = (self.new or [True] * len(known or ())) + (new or [True] * len(offsets))
        if known is None or not len(known):
            self.offsets = offsets
        elif isinstance(known, range) and isinstance(offsets, range) and known.stop == offsets.start:
            self.offsets = range(known.start, offsets.stop)
        else:
            self.offsets = [*known, *offsets]

    def settled(self, error: FluxError | None = None) -> Settled:
        """Return the outcome."""
        offsets = self.offsets if error is None and self.offsets is not None else ()
        return Settled(self.tokens, offsets, self.producer.acks, error, self.new)


class Queue:
    """What waits. Producers put runs in from any thread, the log's thread takes them out.

    ``refusal`` makes every further append fail.
    """

    def __init__(self, limit: int) -> None:
        self.lock = threading.Lock()
        self.limit = limit
        self.size = 0
        self.last: Run | None = None
        self.idle = False
        self.refusal: FluxError | None = None
        self.closing = False
        self._runs: list[Run] = []
        self._bell = threading.Lock()
        self._bell.acquire()
        self._room = threading.Condition(self.lock)
        self._when_room: list[Callable[[], None]] = []

    def begin(self, run: Run) -> Run:
        """Put a run at the end. The lock is held."""
        self._runs.append(run)
        self.last = run
        return run

    def wake(self) -> None:
        """Wake the log's thread that waits. The lock is held."""
        self.idle = False
        self._bell.release()

    def admit(self, size: int, *, wait: bool) -> None:
        """Return when there is room. The lock is held. Raises the refusal, or FX-LOG-0006 where the caller won't wait."""
        while self.refusal is None and self.size and self.size + size > self.limit:
            if not wait:
                raise full(self.size)
            self._room.wait()
        if self.refusal is not None:
            raise self.refusal

    def take(self, most: int, timeout_s: float | None) -> list[Run] | None:
        """Return what waits, up to so many bytes; nothing after a quiet time; None at the end."""
        while True:
            with self.lock:
                if self._runs:
                    return self._cut(most)
                if self.closing:
                    return None
                self.idle = True
            if not self._bell.acquire(timeout=-1 if timeout_s is None else timeout_s):
                with self.lock:
                    if self.idle:
                        self.idle = False
                        return []
                self._bell.acquire()

    def release(self, size: int) -> None:
        """Give room back for what was settled."""
        with self.lock:
            self.size -= size
            self._room.notify_all()
            ready, self._when_room = (self._when_room, []) if self.size <= self.limit // 2 else ([], self._when_room)
        for each in ready:
            call_back(each)

    def when_room(self, callback: Callable[[], None]) -> None:
        """Call back, from the log's thread, when at most half of the room is taken; at once where it is so now."""
        with self.lock:
            if self.size > self.limit // 2 and self.refusal is None:
                self._when_room.append(callback)
                return
        callback()

    def refuse(self, error: FluxError) -> list[Run]:
        """Let all further appends fail, and return what waited."""
        with self.lock:
            self.refusal = error
            waiting, self._runs, self.last = self._runs, [], None
            self._room.notify_all()
            ready, self._when_room = self._when_room, []
        for each in ready:
            call_back(each)
        return waiting

    def close(self, error: FluxError) -> None:
        """Let the log's thread end when all that waits is done; further appends fail."""
        with self.lock:
            self.refusal = self.refusal or error
            self.closing = True
            self._room.notify_all()
            if self.idle:
                self.wake()

    def reset_after_fork(self, error: FluxError) -> None:
        """Make the queue of a child process refuse; its locks may have been held by threads that the child has not."""
        self.lock = threading.Lock()
        self._room = threading.Condition(self.lock)
        self.refusal = error
        self._runs, self.last = [], None

    def _cut(self, most: int) -> list[Run]:
        total = 0
        for number, run in enumerate(self._runs):
            total += run.size
            if total >= most:
                taken, self._runs = self._runs[: number + 1], self._runs[number + 1 :]
                break
        else:
            taken, self._runs = self._runs, []
        if not self._runs:
            self.last = None
        return taken


def call_back(function: Callable[..., None], *args: Any) -> None:
    """Call what a program gave the log, in the log's thread. Its mistake is logged and must not stop the log for all others."""
    try:
        function(*args)
    except Exception as error:  # noqa: BLE001
        _records.warning("a callback of the log failed", error=repr(error))


class Producer:
    """Appends with one acknowledgement and one place that is told of the outcomes; for any number of threads.

    ``when_done`` is called in the log's thread, once for all that a commit settled, and must be quick: an event loop's is
    ``loop.call_soon_threadsafe``. Order: what one thread appends stands in the log in this order.
    """

    __slots__ = ("_queue", "_wait", "acks", "when_done")

    def __init__(
        self, queue: Queue, acks: str, when_done: Callable[[list[Settled]], None], *, wait: bool = True
    ) -> None:
        self.acks = acks
        self.when_done = when_done
        self._queue = queue
        self._wait = wait

    def append_row(self, row: tuple[Any, ...], token: Any = None, size: int = 256) -> None:
        """Append a row of the log's ``row_schema``; ``size`` is about what it takes in bytes.

        Raises: FX-LOG-0002 closed, FX-LOG-0003 forked, FX-LOG-0004 broken, FX-LOG-0006 no room and ``wait`` is False.
        Cost: under a microsecond.
        """
        queue = self._queue
        with queue.lock:
            if queue.refusal is not None or queue.size + size > queue.limit:
                queue.admit(size, wait=self._wait)
            run = queue.last
            if run is None or run.producer is not self or run.width != len(row) or run.size > LOG_FRAME_BYTES:
                run = queue.begin(Run(self, len(row)))
            run.values.extend(row)
            run.tokens.append(token)
            run.size += size
            queue.size += size
            if queue.idle:
                queue.wake()

    def append(self, batch: pa.RecordBatch, token: Any = None, expect: Expect | None = None) -> None:
        """Append the rows of a batch. Raises as ``append_row`` does."""
        run = Run(self, -1, batch, expect)
        run.tokens.append(token)
        run.size = batch.nbytes + 256
        queue = self._queue
        with queue.lock:
            queue.admit(run.size, wait=self._wait)
            queue.begin(run)
            queue.size += run.size
            if queue.idle:
                queue.wake()
