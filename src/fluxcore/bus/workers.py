"""Runs the handlers: coroutines that take one event after the other from their group, as many as are needed and allowed."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from fluxcore.bus.errors import BusError
from fluxcore.core.log import Log
from fluxcore.limits import BUS_SLICE_EVENTS

if TYPE_CHECKING:
    from fluxcore.bus.event import Event
    from fluxcore.bus.group import Group
    from fluxcore.bus.handlers import Handler
    from fluxcore.bus.options import HandlerOptions

CURRENT: ContextVar[Event | None] = ContextVar("fluxcore_event", default=None)
"""The event that is being handled: what is published meanwhile belongs to its trace."""

_log = Log("bus")


class Workers:
    """The workers of one handler in one group.

    One worker is enough for a handler that never waits. While one waits in a handler and more events are there, another is
    started, up to ``max_in_flight``. A plain function runs on a thread of its own for each worker, many events at a time.
    """

    def __init__(self, group: Group, handler: Handler, options: HandlerOptions) -> None:
        self.handler = handler
        self._group = group
        self._options = options
        self._call = handler.call
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads: ThreadPoolExecutor | None = None
        if not handler.is_async and not options.inline:
            self._threads = ThreadPoolExecutor(options.max_in_flight, thread_name_prefix=f"fluxcore {handler.name}")
        one_by_one = options.max_in_flight == 1 and not handler.takes_many and self._threads is None
        group.add_workers(self.start_one, one_by_one=one_by_one)

    def start_one(self) -> bool:
        """Start another worker unless there are enough."""
        if len(self._tasks) >= self._options.max_in_flight:
            return False
        if self.handler.takes_many:
            work = self._work_in_batches()
        elif self._threads is not None:
            work = self._work_on_threads(self._threads)
        else:
            work = self._work()
        task = asyncio.get_running_loop().create_task(work, name=f"fluxcore {self.handler.name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return True

    async def stop(self, grace_s: float) -> bool:
        """End all workers, with ``grace_s`` seconds for handlers that are busy; return whether they ended by themselves."""
        for task in self._tasks:
            task.cancel()
        _, late = await asyncio.wait(self._tasks, timeout=grace_s) if self._tasks else (set(), set())
        if self._threads is not None:
            self._threads.shutdown(wait=not late, cancel_futures=True)
        return not late

    async def _work(self) -> None:
        group, call, timeout = self._group, self._call, self._options.timeout_ms
        is_async, handled = self.handler.is_async, 0
        while True:
            event = group.take()
            if event is None:
                await group.wait()
                continue
            group.look_for_more()
            CURRENT.set(event)
            try:
                if timeout is None:
                    result = await call(event) if is_async else call(event)
                else:
                    async with asyncio.timeout(timeout / 1000):
                        result = await call(event) if is_async else call(event)
            except asyncio.CancelledError:
                group.put_back(event)
                raise
            except Exception as error:  # noqa: BLE001  (whatever a handler raises concerns its event)
                self._failed(event, error)
            else:
                if event.reply_to is not None:
                    _reply(event, result)
                group.acknowledge(event)
            handled += 1
            if not handled % BUS_SLICE_EVENTS:
                await asyncio.sleep(0)

    async def _work_on_threads(self, threads: ThreadPoolExecutor) -> None:
        """Handle events by a plain function: as many as there are at a time, so that a hand-over costs little."""
        group, loop = self._group, asyncio.get_running_loop()
        while True:
            share = group.backlog() // self._options.max_in_flight  # the rest is for the other threads
            events = self._several(max(1, min(share, self._options.batch)))
            if not events:
                await group.wait()
                continue
            group.look_for_more()
            done = loop.run_in_executor(threads, self._run_all, events)
            try:
                results = await asyncio.shield(done)
            except asyncio.CancelledError:
                results = await done  # a thread can't be stopped; what it did counts
                self._settle(events, results)
                raise
            self._settle(events, results)

    def _run_all(self, events: list[Event]) -> list[Any]:
        """Call the handler for each event on this thread; return each result, or the error it raised in :class:`_Raised`."""
        results = []
        for event in events:
            CURRENT.set(event)
            try:
                results.append(self._call(event))
            except Exception as error:  # noqa: BLE001
                results.append(_Raised(error))
        return results

    def _settle(self, events: list[Event], results: list[Any]) -> None:
        for event, result in zip(events, results, strict=True):
            if isinstance(result, _Raised):
                self._failed(event, result.error)
            else:
                if event.reply_to is not None:
                    _reply(event, result)
                self._group.acknowledge(event)

    async def _work_in_batches(self) -> None:
        """Handle lists of events: those that are there, or that come within ``linger_ms``. A list fails or succeeds as a whole."""
        group, loop, options = self._group, asyncio.get_running_loop(), self._options
        while True:
            events = self._several(options.batch)
            if not events:
                await group.wait()
                continue
            if options.linger_ms and len(events) < options.batch:
                await asyncio.sleep(options.linger_ms / 1000)
                events += self._several(options.batch - len(events))
            group.look_for_more()
            CURRENT.set(events[-1])
            try:
                async with asyncio.timeout(None if options.timeout_ms is None else options.timeout_ms / 1000):
                    if self.handler.is_async:
                        await self._call(events)
                    elif self._threads is None:
                        self._call(events)
                    else:
                        await loop.run_in_executor(self._threads, self._call, events)
            except asyncio.CancelledError:
                for event in reversed(events):
                    group.put_back(event)
                raise
            except Exception as error:  # noqa: BLE001
                for event in events:
                    self._failed(event, error)
            else:
                for event in events:
                    group.acknowledge(event)

    def _several(self, most: int) -> list[Event]:
        events: list[Event] = []
        while len(events) < most:
            event = self._group.take()
            if event is None:
                break
            events.append(event)
        return events

    def _failed(self, event: Event, error: Exception) -> None:
        if event.reply_to is not None:
            if not event.reply_to.done():
                message = f"the handler {self.handler.name} failed: {type(error).__name__}: {error}"
                failure = BusError("FX-BUS-0303", message)
                failure.__cause__ = error
                event.reply_to.set_exception(failure)
            self._group.acknowledge(event)
            return
        _log.warning("a handler failed", handler=self.handler.name, group=self._group.name, subject=event.subject,
                     offset=event.offset, attempt=event.attempt, error=f"{type(error).__name__}: {error}")  # fmt: skip
        self._group.failed(event, error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.warning("a worker ended", handler=self.handler.name, error=repr(task.exception()))
            self._group.notify()


class _Raised:
    """An error that a handler raised on a thread."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def _reply(event: Event, result: Any) -> None:
    if result is not None and not event.reply_to.done():
        event.reply_to.set_result(result)
