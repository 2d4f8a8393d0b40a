"""What ``publish`` gives back: something to await, or to ask for its result from a script."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from fluxcore.bus.errors import BusError
from fluxcore.bus.event import Receipt

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Awaitable, Generator, Iterable

    from fluxcore.bus.ports import Topic


class Publishing:
    """An event that was handed over. ``await`` gives its :class:`Receipt`; so does :meth:`result` outside the event loop.

    Awaiting it also holds the publisher back where the bus can't keep up. It need not be awaited.
    """

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Receipt]:
        raise NotImplementedError

    def result(self, timeout_s: float | None = None) -> Receipt:
        """Wait for the receipt. Raises ``TimeoutError``, or what kept the event from being published."""
        raise NotImplementedError

    def when_done(self, callback: Callable[[Exception | None], None]) -> None:
        """Call back on the bus's event loop, at once or later, with what kept the event from being published, or None."""
        raise NotImplementedError


class Placed(Publishing):
    """An event that stands in its topic already; ``hold`` is awaited first, where there is one."""

    __slots__ = ("_duplicate", "_hold", "_offset", "_topic")

    def __init__(
        self, topic: Topic, offset: int, hold: Callable[[], Awaitable[None]] | None, duplicate: bool = False
    ) -> None:
        self._topic = topic
        self._offset = offset
        self._hold = hold
        self._duplicate = duplicate

    def __await__(self) -> Generator[Any, None, Receipt]:
        if self._hold is not None:
            yield from self._hold().__await__()
        return Receipt(self._topic.name, self._offset, "memory", self._duplicate)

    def result(self, timeout_s: float | None = None) -> Receipt:  # noqa: ARG002  (as of all publishings)
        """Return the receipt."""
        return Receipt(self._topic.name, self._offset, "memory", self._duplicate)

    def when_done(self, callback: Callable[[Exception | None], None]) -> None:
        """Call back at once."""
        callback(None)


class Remote(Publishing):
    """The same for an event that was handed over from another thread than the event loop's."""

    __slots__ = ("_future",)

    def __init__(self, future: concurrent.futures.Future[Receipt]) -> None:
        self._future = future

    def __await__(self) -> Generator[Any, None, Receipt]:
        return asyncio.wrap_future(self._future).__await__()

    def result(self, timeout_s: float | None = None) -> Receipt:
        """Wait for the receipt. Raises ``TimeoutError``, or what kept the event from being published."""
        return self._future.result(timeout_s)


class Origin:
    """What the events share that are on their way into one topic with one acknowledgement; ``loop`` is the bus's, on ``thread``."""

    __slots__ = ("acks", "loop", "thread", "topic")

    def __init__(self, topic: str, acks: str, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        self.topic = topic
        self.acks = acks
        self.loop = loop
        self.thread = thread


class Pending(Publishing, msgspec.Struct, eq=False):
    """An event on its way into a log. It is settled on the bus's event loop, and may be waited for on any loop or thread.

    ``future`` is what nearly all wait for: the first who awaits on the bus's own loop. It needs no lock, as it is settled there.
    A Struct: it takes half the time of a class to make, and there is one for each event.
    """

    origin: Origin
    offset: int = -1
    error: Exception | None = None
    duplicate: bool = False
    future: asyncio.Future[Receipt] | None = None
    waiters: list[Callable[[], object]] | None = None

    def __await__(self) -> Generator[Any, None, Receipt]:
        if self.offset < 0 and self.error is None:
            loop = asyncio.get_running_loop()
            if loop is self.origin.loop and self.future is None:
                self.future = future = loop.create_future()
                return future.__await__()  # no frame of Python between the publisher and what wakes it
        return self._late()

    def _late(self) -> Generator[Any, None, Receipt]:
        """Wait where the outcome is known, someone waits already, or another loop runs."""
        if self.offset < 0 and self.error is None:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            self._listen(partial(loop.call_soon_threadsafe, _wake, future))
            yield from future
        return self._receipt()

    def result(self, timeout_s: float | None = None) -> Receipt:
        """Wait for the receipt. Raises ``TimeoutError``, what kept the event from being published, or FX-BUS-0305."""
        if self.offset < 0 and self.error is None:
            if threading.get_ident() == self.origin.thread:
                message = "result() on the event loop of the bus would wait for ever"
                raise BusError("FX-BUS-0305", message, hint="await the publishing instead")
            done = threading.Event()
            self._listen(done.set)
            if not done.wait(timeout_s):
                raise TimeoutError(f"'{self.origin.topic}' has not acknowledged the event within {timeout_s} s")
        return self._receipt()

    def when_done(self, callback: Callable[[Exception | None], None]) -> None:
        """Call back on the event loop when the outcome is known."""
        if self.offset >= 0 or self.error is not None:
            callback(self.error)
        else:
            self._listen(lambda: callback(self.error))

    def settle(self, offset: int, duplicate: bool = False) -> None:
        """Take the offset, and wake who waits; on the event loop."""
        self.duplicate = duplicate
        self.offset = offset
        future = self.future
        if future is not None and not future.done():
            origin = self.origin
            future.set_result(Receipt(origin.topic, offset, origin.acks, duplicate))
        if self.waiters is not None:
            self._tell()

    def fail(self, error: Exception) -> bool:
        """Take what kept the event from being published, and wake who waits; return whether anybody does."""
        self.error = error
        future = self.future
        if future is not None and not future.done():
            future.set_exception(error)
        if self.waiters is not None:
            self._tell()
            return True
        return future is not None

    def _receipt(self) -> Receipt:
        if self.error is not None:
            raise self.error
        return Receipt(self.origin.topic, self.offset, self.origin.acks, self.duplicate)

    def _listen(self, wake: Callable[[], object]) -> None:
        """Call ``wake`` once when the outcome is known. Who adds it looks again behind that, so no outcome is missed in between."""
        with _listening:
            if self.waiters is None:
                self.waiters = []
            self.waiters.append(wake)
        if self.offset >= 0 or self.error is not None:
            self._tell()

    def _tell(self) -> None:
        with _listening:
            waiters, self.waiters = self.waiters, None
        for wake in waiters or ():
            wake()


def settle_all(pendings: Iterable[Pending], offsets: Iterable[int]) -> None:
    """Settle events that were new, as :meth:`Pending.settle` does each: their number makes it worth not to call that."""
    for pending, offset in zip(pendings, offsets, strict=True):
        pending.offset = offset
        future = pending.future
        if future is not None and not future.done():
            origin = pending.origin
            future.set_result(Receipt(origin.topic, offset, origin.acks))
        if pending.waiters is not None:
            pending._tell()


_listening = threading.Lock()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
