"""Runs the handlers: coroutines that take one event after the other from their group, as many as are needed and allowed."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fluxcore.bus.batch_event import BatchEvent
from fluxcore.bus.current import CURRENT
from fluxcore.bus.errors import BusError, text_of
from fluxcore.bus.handlers import code_of
from fluxcore.bus.late import place_in_task, place_on_thread
from fluxcore.bus.threads import Call, HandlerThreads, Raised
from fluxcore.core.log import Log
from fluxcore.limits import BUS_HUNG_THREADS_MAX, BUS_SLICE_EVENTS, BUS_WARNING_PAUSE_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fluxcore.bus.event import Event
    from fluxcore.bus.group import Group
    from fluxcore.bus.handlers import Handler
    from fluxcore.bus.hold import Hold
    from fluxcore.bus.options import HandlerOptions

_log = Log("bus")


class Workers:
    """The workers of one handler in one group.

    One worker is enough for a handler that never waits. While one waits in a handler and more events are there, another is
    started, up to ``max_in_flight``. A plain function runs on a thread of its own for each worker, many events at a time.
    """

    def __init__(self, group: Group, handler: Handler, options: HandlerOptions) -> None:
        self.handler = handler
        self.group = group
        self._options = options
        self._call = handler.call
        self._timeout_s = None if options.timeout_ms is None else options.timeout_ms / 1000
        self._tasks: set[asyncio.Task[None]] = set()
        self._hands: dict[asyncio.Task[None], Sequence[Event] | Call] = {}
        self._holds: dict[asyncio.Task[None], Hold] = {}
        self._code = code_of(handler.function)
        self._stopped = False
        self._quiet_until = 0.0
        self._untold = 0
        self._threads = None if handler.is_async or options.inline else HandlerThreads(handler.name)
        one_by_one = options.max_in_flight == 1 and not handler.takes_many and self._threads is None
        self._may_be_alone = options.max_in_flight == 1 and not handler.takes_many and not handler.takes_batches
        group.add_workers(self.start_one, one_by_one=one_by_one)

    def start_one(self) -> bool:
        """Start another worker unless there are enough."""
        if len(self._tasks) >= self._options.max_in_flight or self._stopped:
            return False
        if self.handler.takes_many:
            work = self._work_in_batches()
        elif self._threads is not None:
            work = self._work_on_threads(self._threads)
        else:
            work = self._work()
        task = asyncio.get_running_loop().create_task(work, name=f"fluxcore {self.handler.name}")
        self._tasks.add(task)
        self._holds[task] = self.group.holds.lend()
        task.add_done_callback(self._ended)
        return True

    async def stop(self, grace_s: float) -> bool:
        """End all workers, with ``grace_s`` seconds for handlers that are busy; return whether they ended by themselves."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        _, late = await asyncio.wait(self._tasks, timeout=grace_s) if self._tasks else (set(), set())
        if self._threads is not None:
            self._threads.close()
        return not late

    def in_hand(self) -> Iterator[tuple[Event, asyncio.Task[None] | Call]]:
        """Yield each event that is being handled, or the last of several, and the task or the call on a thread that does it."""
        for task, hand in list(self._hands.items()):
            if isinstance(hand, Call):
                item = hand.items[hand.at]
                yield item[-1] if isinstance(item, list) else item, hand
            else:
                yield hand[-1], task
        hand_of_run = self.group.hand
        if hand_of_run is not None and not self._hands and self.group.is_alone():
            for task in self._tasks:
                yield hand_of_run, task

    def place(self, holder: asyncio.Task[None] | Call) -> str:
        """Return the handler's name, and where it is: file and line."""
        frame = (
            place_on_thread(holder.thread, self._code)
            if isinstance(holder, Call)
            else place_in_task(holder, self._code)
        )
        return (
            self.handler.name if frame is None else f"{self.handler.name} ({frame.f_code.co_filename}:{frame.f_lineno})"
        )

    # -- one by one -------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        group, whole, handled = self.group, self.handler.takes_batches, 0
        while True:
            if self._may_be_alone and group.is_alone():
                count = await self._work_off(group.take_run(BUS_SLICE_EVENTS))
            elif (event := group.take(whole=whole)) is not None:
                group.look_for_more()
                await self._handle(event)
                count = 1
            else:
                count = 0
            handled += count
            if not count:
                await self._wait()
                handled = 0
            elif handled >= BUS_SLICE_EVENTS:
                handled = 0
                await asyncio.sleep(0)

    async def _work_off(self, run: list[Event]) -> int:
        """Handle a run of events, and return how many there were. This is the shortest way for an event that has nothing rare."""
        if not run:
            return 0
        group, call, is_async, is_timed = self.group, self._call, self.handler.is_async, self._timeout_s is not None
        busy, at = group.order.busy, 0
        hold = self._holds[_task()]
        cells, cell = hold.cells, hold.at
        hold.take(run[0])
        try:
            for event in run:
                at += 1
                if cells is not None:
                    cells[cell] = event.offset
                if event.rare is not None or is_timed or (busy and event.key in busy):
                    if group.admit(event):
                        group.hand = event
                        await self._handle(event)
                        if cells is not None:
                            cells[cell + 1] = 1
                else:
                    group.hand = event
                    CURRENT.set(event)
                    try:
                        if is_async:
                            await call(event)
                        else:
                            call(event)
                    except BaseException as error:
                        if _ends_worker(error):
                            at -= 1
                            raise
                        self._failed((event,), error)
                if group.paused:
                    break
        finally:
            hold.clear()
            group.end_run(run[at:])
        return at

    async def _handle(self, event: Event) -> None:
        """Handle an event that was admitted."""
        self._hands[_task()] = (event,)
        hold = self._holds[_task()]
        hold.take(event)
        CURRENT.set(event)
        try:
            if self._timeout_s is None:
                result = await self._call(event) if self.handler.is_async else self._call(event)
            else:
                async with asyncio.timeout(self._timeout_s):
                    result = await self._call(event) if self.handler.is_async else self._call(event)
        except BaseException as error:
            if _ends_worker(error):
                self.group.put_back(event)
                raise
            self._failed((event,), error)
        else:
            self._well((event,), result)
        finally:
            hold.clear()

    # -- on threads -------------------------------------------------------------------------------------------------

    async def _work_on_threads(self, threads: HandlerThreads) -> None:
        """Handle events by a plain function: as many as there are at a time, so that a hand-over costs little."""
        group, options = self.group, self._options
        plain_keys = not options.ordered
        while True:
            await self._while_too_many_hang(threads)
            is_run = self._may_be_alone and group.is_alone()
            if is_run:
                run = group.take_run(options.events)
                events = [
                    event
                    for event in run
                    if (event.rare is None and (plain_keys or event.key is None)) or group.admit(event)
                ]
            else:
                share = group.backlog() // options.max_in_flight  # the rest is for the other threads
                run = events = group.take_many(max(1, min(share, options.events)), whole=False)
            if events:
                group.look_for_more()
                await self._call_on_thread(threads, events, is_run=is_run)
            elif run:
                group.end_run()
            else:
                await self._wait()

    async def _call_on_thread(self, threads: HandlerThreads, events: list[Event], *, is_run: bool) -> None:
        """Call the handler for each event on a thread; what it has not come to when the worker is to end is put back."""
        group = self.group
        hold = self._holds[_task()]
        call = self._hands[_task()] = threads.call(self._call, events, None if hold.cells is None else hold)
        hangs = False
        try:
            hangs = await self._hangs(call)
        finally:  # also when the worker is to end: a thread can't be stopped, and what it did counts
            hold.clear()
            results = list(call.results)
            for event, result in zip(events, results, strict=False):
                if type(result) is Raised:
                    self._failed((event,), result.error)
                elif event.offset in group.open:
                    self._well((event,), result)
            left = events[len(results) :]
            if hangs and len(results) == call.at:
                threads.leave(call)
                self._failed((left.pop(0),), self._too_long(call))
            for event in reversed(left):
                if event.offset in group.open:
                    group.put_back(event)
            if is_run:
                group.end_run([event for event in left if event.offset not in group.open])

    async def _hangs(self, call: Call) -> bool:
        """Wait for a call on a thread; return whether one of its items takes longer than it may."""
        while not call.done.done():
            left_s = None if self._timeout_s is None else call.left_s(self._timeout_s)
            if left_s is not None and left_s <= 0:
                call.stop = True
                if call.left_s(self._timeout_s or 0) <= 0:
                    return True
                continue  # the next item has begun meanwhile
            try:
                await asyncio.wait((call.done,), timeout=left_s)
            except asyncio.CancelledError:
                call.stop = True
                await asyncio.wait((call.done,))
                raise
        return False

    def _too_long(self, call: Call) -> TimeoutError:
        """Return the error of a call that hangs, whose traceback is where it does."""
        error = TimeoutError(f"not done after {self._timeout_s:g} s")
        frame = place_on_thread(call.thread, self._code)
        if frame is not None:
            error.__traceback__ = TracebackType(None, frame, frame.f_lasti, frame.f_lineno)
        return error

    async def _while_too_many_hang(self, threads: HandlerThreads) -> None:
        while len(threads.hung) >= BUS_HUNG_THREADS_MAX:
            _log.warning("no more events until a handler comes back: too many hang", handler=self.handler.name,
                         hanging=len(threads.hung))  # fmt: skip
            await threads.one_back()

    # -- in batches -------------------------------------------------------------------------------------------------

    async def _work_in_batches(self) -> None:
        """Handle lists of events: those that are there, or that come within ``linger_ms``. A list fails or succeeds as a whole."""
        while True:
            if self._threads is not None:
                await self._while_too_many_hang(self._threads)
            options = self._options
            events = self.group.take_many(options.events, whole=self.handler.takes_batches, most=options.batch)
            if events:
                await self._handle_all(events)
                if _task().cancelling():
                    return  # a thread ended its call although the worker was to end
            else:
                await self._wait()

    async def _handle_all(self, events: list[Event]) -> None:
        group, options, hold = self.group, self._options, self._holds[_task()]
        try:
            if options.linger_ms and len(events) < options.events and not isinstance(events[0], BatchEvent):
                await asyncio.sleep(options.linger_ms / 1000)
                group.take_many(options.events, whole=self.handler.takes_batches, most=options.batch, to=events)
            group.look_for_more()
            self._hands[_task()] = events
            hold.take_all(events)
            CURRENT.set(events[-1])
            if self._threads is not None:
                result = await self._result_on_thread(self._threads, events)
            elif not self.handler.is_async:
                result = self._call(events)
            else:
                async with asyncio.timeout(self._timeout_s):
                    result = await self._call(events)
        except BaseException as error:
            if _ends_worker(error):
                for event in reversed(events):
                    group.put_back(event)
                raise
            result = Raised(error)
        finally:
            hold.clear()
        if type(result) is Raised:
            self._failed(events, result.error)
        else:
            self._well(events, result)

    async def _result_on_thread(self, threads: HandlerThreads, events: list[Event]) -> Any:
        call = self._hands[_task()] = threads.call(self._call, [events])
        try:
            await self._hangs(call)
        except asyncio.CancelledError:
            if not call.results:
                raise
        if not call.results:
            threads.leave(call)
            return Raised(self._too_long(call))
        return call.results[0]

    # -- inside -----------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        self._hands.pop(_task(), None)
        await self.group.wait()

    def _well(self, events: Iterable[Event], result: Any) -> None:
        for event in events:
            reply_to = event.reply_to
            if reply_to is not None and result is not None and not reply_to.done():
                reply_to.set_result(result)
            self.group.acknowledge(event)

    def _failed(self, events: Sequence[Event], error: BaseException) -> None:
        self._tell(events, error)  # before the group counts the attempt
        for event in events:
            reply_to = event.reply_to
            if reply_to is None:
                self.group.failed(event, error)
                continue
            if not reply_to.done():
                failure = BusError("FX-BUS-0303", f"the handler {self.handler.name} failed: {text_of(error)}")
                failure.__cause__ = error
                reply_to.set_exception(failure)
            self.group.acknowledge(event)

    def _tell(self, events: Sequence[Event], error: BaseException) -> None:
        """Warn of a failure, but not of thousands a second."""
        now = time.monotonic()
        if now < self._quiet_until:
            self._untold += 1
            return
        first = events[0]
        _log.warning("a handler failed", handler=self.handler.name, group=self.group.name, subject=first.subject,
                     offset=first.offset, attempt=first.attempt, error=text_of(error),
                     **({"events": len(events)} if len(events) > 1 else {}),
                     **({"failures_since_the_last_warning": self._untold} if self._untold else {}))  # fmt: skip
        self._quiet_until, self._untold = now + BUS_WARNING_PAUSE_S, 0

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._hands.pop(task, None)
        self.group.holds.take_back(self._holds.pop(task))
        if self._stopped:
            return
        if not task.cancelled() and task.exception() is not None:
            _log.warning("a worker ended", handler=self.handler.name, error=repr(task.exception()))
        # another one takes its place, but not at once: it may be that all tasks are being cancelled, because the loop ends
        task.get_loop().call_later(BUS_WARNING_PAUSE_S, self.group.notify)


def _task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _ends_worker(error: BaseException) -> bool:
    """Return whether an error is none of the handler's own: the worker is to end, or the process."""
    if isinstance(error, asyncio.CancelledError):
        return _task().cancelling() > 0
    return not isinstance(error, Exception)
