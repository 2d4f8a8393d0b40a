"""What ``publish`` gives back: something to await, or to ask for its result from a script."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from fluxcore.bus.errors import BusError
from fluxcore.bus.event import Receipt

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Awaitable, Callable, Generator

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


class Pending(Publishing):
    """An event on its way into a log. It is settled on the bus's event loop, and may be waited for on any loop or thread.

    In: the topic's name, the acknowledgement that is waited for, and the thread of the bus's event loop.
    """

    __slots__ = ("_acks", "_awaits", "_duplicate", "_error", "_loop_thread", "_offset", "_topic", "_waiters")

    def __init__(self, topic: str, acks: str, loop_thread: int) -> None:
        self._topic = topic
        self._acks = acks
        self._loop_thread = loop_thread
        self._offset = -1
        self._error: Exception | None = None
        self._duplicate = False
        self._awaits: asyncio.Future[None] | None = None
        self._waiters: list[Callable[[], object]] | None = None

    def __await__(self) -> Generator[Any, None, Receipt]:
        if self._offset < 0 and self._error is None:
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            if threading.get_ident() != self._loop_thread:
                self._listen(partial(loop.call_soon_threadsafe, _wake, future))
            elif self._awaits is None:
                self._awaits = future  # nearly all wait here, once: it needs no lock, as it is settled on this thread
            else:
                self._listen(partial(_wake, future))
            yield from future
        return self._receipt()

    def result(self, timeout_s: float | None = None) -> Receipt:
        """Wait for the receipt. Raises ``TimeoutError``, what kept the event from being published, or FX-BUS-0305."""
        if self._offset < 0 and self._error is None:
            if threading.get_ident() == self._loop_thread:
                message = "result() on the event loop of the bus would wait for ever"
                raise BusError("FX-BUS-0305", message, hint="await the publishing instead")
            done = threading.Event()
            self._listen(done.set)
            if not done.wait(timeout_s):
                raise TimeoutError(f"'{self._topic}' has not acknowledged the event within {timeout_s} s")
        return self._receipt()

    def when_done(self, callback: Callable[[Exception | None], None]) -> None:
        """Call back on the event loop when the outcome is known."""
        if self._offset >= 0 or self._error is not None:
            callback(self._error)
        else:
            self._listen(lambda: callback(self._error))

    def settle(self, offset: int, duplicate: bool = False) -> None:
        """Take the offset, and wake who waits; on the event loop."""
        self._duplicate = duplicate
        self._offset = offset
        if self._awaits is not None:
            _wake(self._awaits)
        if self._waiters is not None:
            self._tell()

    def fail(self, error: Exception) -> bool:
        """Take what kept the event from being published, and wake who waits; return whether anybody does."""
        self._error = error
        if self._awaits is not None:
            _wake(self._awaits)
        if self._waiters is not None:
            self._tell()
            return True
        return self._awaits is not None

    def _receipt(self) -> Receipt:
        if self._error is not None:
            raise self._error
        return Receipt(self._topic, self._offset, self._acks, self._duplicate)

    def _listen(self, wake: Callable[[], object]) -> None:
        """Call ``wake`` once when the outcome is known. Who adds it looks again behind that, so no outcome is missed in between."""
        with _listening:
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(wake)
        if self._offset >= 0 or self._error is not None:
            self._tell()

    def _tell(self) -> None:
        with _listening:
            waiters, self._waiters = self._waiters, None
        for wake in waiters or ():
            wake()


_listening = threading.Lock()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
