"""Threads on which plain functions handle events. One that hangs is left behind and named; the others go on."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from fluxcore.bus.current import CURRENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.bus.event import Event
    from fluxcore.bus.hold import Hold


class Raised:
    """An error that a handler raised on a thread."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Call:
    """A function that is called on a thread for one item after the other: an event, or a list of them.

    ``results`` what it returned for each, or :class:`Raised`; ``at`` the number of the item that it is called for, and ``since`` when
    that began (monotonic seconds). Once ``stop`` is set no other item begins. ``done`` is a future of the event loop.
    """

    __slots__ = ("_function", "_hold", "at", "done", "items", "results", "since", "stop", "thread")

    def __init__(
        self, function: Callable[[Any], Any], items: Sequence[Any], done: asyncio.Future[None], hold: Hold | None
    ) -> None:
        self._function = function
        self._hold = hold
        self.items = items
        self.results: list[Any] = []
        self.at = 0
        self.since = time.monotonic()
        self.stop = False
        self.done = done
        self.thread = 0

    def run(self) -> None:
        """Call the function for each item; to be called on the thread."""
        self.thread = threading.get_ident()
        function, results = self._function, self.results
        for at, item in enumerate(self.items):
            self.since = time.monotonic()
            self.at = at  # before it looks at stop: who sets stop and then reads this knows which item is the last
            if self.stop:
                break
            CURRENT.set(_last(item))
            if self._hold is not None:
                self._hold.take(item)
            try:
                results.append(function(item))
            except BaseException as error:  # noqa: BLE001  (whatever a handler raises, sys.exit() too, concerns its event)
                results.append(Raised(error))

    def left_s(self, timeout_s: float) -> float:
        """Return how many seconds the current item has left; all of them while no thread has begun."""
        return self.since + timeout_s - time.monotonic() if self.thread else timeout_s

    def finish(self) -> None:
        """Say that it is over; to be called on the event loop."""
        if not self.done.done():
            self.done.set_result(None)


class HandlerThreads:
    """As many threads as calls run at once. They are daemons, so that one that hangs doesn't keep the process from ending."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._idle: list[queue.SimpleQueue[Call | None]] = []
        self._closed = False
        self.hung: set[Call] = set()
        self._came_back: list[asyncio.Future[None]] = []

    def call(self, function: Callable[[Any], Any], items: Sequence[Any], hold: Hold | None = None) -> Call:
        """Begin a call; to be called on the event loop. ``hold`` notes each item, which is then an event, before the function has it."""
        loop = asyncio.get_running_loop()
        call = Call(function, items, loop.create_future(), hold)
        if self._idle:
            waiting = self._idle.pop()
        else:
            waiting = queue.SimpleQueue()
            threading.Thread(target=self._run, args=(waiting, loop), name=f"fluxcore {self._name}", daemon=True).start()
        waiting.put(call)
        return call

    def leave(self, call: Call) -> None:
        """Wait no more for a call that hangs; its thread counts as hung until it comes back."""
        self.hung.add(call)

    async def one_back(self) -> None:
        """Wait until a thread that hung has come back."""
        future = asyncio.get_running_loop().create_future()
        self._came_back.append(future)
        await future

    def close(self) -> None:
        """Let the threads end when they have nothing to do."""
        self._closed = True
        for each in self._idle:
            each.put(None)
        self._idle.clear()

    def _run(self, waiting: queue.SimpleQueue[Call | None], loop: asyncio.AbstractEventLoop) -> None:
        while (call := waiting.get()) is not None:
            call.run()
            try:
                loop.call_soon_threadsafe(self._back, call, waiting)
            except RuntimeError:  # the loop has ended
                return
            del call

    def _back(self, call: Call, waiting: queue.SimpleQueue[Call | None]) -> None:
        if self._closed:
            waiting.put(None)
        else:
            self._idle.append(waiting)
        if call in self.hung:
            self.hung.discard(call)
            for each in self._came_back:
                if not each.done():
                    each.set_result(None)
            self._came_back.clear()
        call.finish()


def _last(item: Event | Sequence[Event]) -> Event:
    return item[-1] if isinstance(item, list) else item  # type: ignore[return-value]
