"""The bus: publish to subjects, handle what comes, ask and be answered."""

from __future__ import annotations

import asyncio
import threading
import time
from threading import get_ident
from time import time_ns
from typing import TYPE_CHECKING, Any, Self

from fluxcore.bus import dead_letters
from fluxcore.bus.batch_event import ARROW, BatchEvent, record_batch, rows_of
from fluxcore.bus.current import CURRENT
from fluxcore.bus.errors import BusError, NoResponders, RequestTimeout
from fluxcore.bus.event import NO_HEADERS, TRACE_HEADERS, Event
from fluxcore.bus.handlers import handler_of
from fluxcore.bus.late import Late
from fluxcore.bus.options import HandlerOptions, Selection, TopicOptions, check_acks, milliseconds
from fluxcore.bus.payloads import convert
from fluxcore.bus.publishing import Publishing, Remote
from fluxcore.bus.replay import Replay
from fluxcore.bus.routes import Route
from fluxcore.bus.rows import check_columns
from fluxcore.bus.subjects import Pattern
from fluxcore.bus.topics import Registration, Topics
from fluxcore.bus.transports import transport_of
from fluxcore.bus.watch import Watch
from fluxcore.core.interpreter import quiet_interpreter
from fluxcore.core.log import Log
from fluxcore.limits import BUS_BATCH_EVENTS, BUS_CLOSE_S

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
    from types import TracebackType

    import pyarrow as pa

    from fluxcore.bus.group import Group
    from fluxcore.bus.options import Condition, Duration
    from fluxcore.bus.ports import Topic, Transport

_log = Log("bus")
ANY = -1
"""Said of the event that is expected to be the last of a key: any, or none."""


class Bus:
    """A bus by its address: ``memory:`` forgets all with the process, ``file:./data`` keeps it in a folder.

    It belongs to one event loop: that of ``async with bus``, or of the first ``await bus.publish(…)``; a plain ``with bus`` runs one
    on a thread of its own. ``transport`` stands for the address where it is given; ``schemas`` turns what a program calls a schema into one; ``conditions`` turns a SQL condition and the type of payloads into a function of events.
    """

    def __init__(
        self,
        url: str = "memory:",
        *,
        transport: Transport | None = None,
        conditions: Callable[[str, Any], Condition] | None = None,
        schemas: Callable[[Any], pa.Schema] | None = None,
    ) -> None:
        self.url = url
        self._conditions = conditions
        self._schemas = schemas
        self._transport = transport or transport_of(url)
        self._topics = Topics(self._transport, self._bury)
        self._of_subject = self._topics.of_subject
        self._codes: set[object] = set()
        self._names = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._own_thread: threading.Thread | None = None
        self._watch: Watch | None = None
        self._late = Late(self._topics.workers)
        self._closed = False

    # -- what a program declares ------------------------------------------------------------------------------------

    def topic(self, name: str, subjects: str | Sequence[str] | None = None, **options: Any) -> TopicOptions:
        """Declare a topic; ``options`` are those of :class:`TopicOptions`. Without ``subjects`` it has ``name`` and ``name.>``.

        In: ``retention`` as a duration, ``"7 days"``, stands for ``retain_ms``, and ``dedup`` for ``dedup_ms``; ``schema`` may be a
        class, a SQL list of columns, or Arrow's.

        Raises: ``BusError`` FX-BUS-0102, 0103, 0104, 0106, 0117 and 0118.
        """
        for said, unit in (("retention", "retain_ms"), ("dedup", "dedup_ms")):
            if said in options:
                options[unit] = milliseconds(options.pop(said), said)
        if options.get("schema") is not None and self._schemas is not None:
            options["schema"] = self._schemas(options["schema"])
        found = TopicOptions(name, _patterns(subjects or (name, f"{name}.>")), **options)
        self._on_loop(lambda: self._topics.declare(found))
        return found

    def on(
        self, subjects: str | Sequence[str], *, where: str | None = None, **options: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return the decorator that lets a function handle the events of some subjects.

        In: ``subjects`` patterns; ``where`` a SQL condition on the payload's fields; ``options`` those of :class:`HandlerOptions`,
        with ``timeout`` and ``linger`` as durations. The function takes the payload, as the type that it is annotated with, and the
        event if it has a second parameter; a parameter annotated ``list[…]`` or ``pa.RecordBatch`` takes many at once.
        An event is acknowledged when the function returns, and comes again when it raises.

        Raises: ``BusError`` FX-BUS-0102 to 0107.
        """
        patterns = _patterns(subjects)
        for name in ("timeout", "linger"):
            if name in options:
                options[f"{name}_ms"] = milliseconds(options.pop(name), name)
        chosen = HandlerOptions(**options)

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            handler = handler_of(function)
            condition = None if where is None else self._condition(where, handler.payload)
            self._names += 1
            group = chosen.group or f"{handler.name}#{self._names}"
            self._codes.add(getattr(function, "__code__", None))
            registration = Registration(handler, group, Selection(patterns, condition), chosen)
            self._on_loop(lambda: self._topics.register(registration))
            return function

        return register

    async def compact(self, topic: str) -> None:
        """Keep of each key of a topic only its last event, in all of its files that are full; the one that is written is ended first.

        In memory nothing is done: there a topic keeps few events that all groups have passed, and those it has in full.

        Raises: ``BusError`` FX-BUS-0119 for a topic that isn't there, or isn't declared with ``compact=True``.
        """
        found = self._topics.by_name.get(topic)
        if found is None or not found.options.compact:
            hint = f"declare it: bus.topic('{topic}', compact=True)"
            raise BusError("FX-BUS-0119", f"there is no topic '{topic}' that may be compacted", hint=hint)
        await found.compact()

    async def retain(self, topic: str) -> int:
        """Remove what a topic need not keep any more, and return its first offset. It happens by itself when a file is full.

        Raises: ``BusError`` FX-BUS-0119 for a topic that isn't there.
        """
        found = self._topics.by_name.get(topic)
        if found is None:
            raise BusError("FX-BUS-0119", f"there is no topic '{topic}'")
        return await found.retain()

    def route(self, subjects: str | Sequence[str], *, to: str, where: str | None = None) -> None:
        """Publish the events of some subjects again under another, in which ``{1}``, ``{name}`` or ``{field}`` stand for parts.

        Raises: ``BusError`` FX-BUS-0102, 0108.
        """
        route = Route(_patterns(subjects), to)

        def forward(event: Event | BatchEvent) -> None:
            for each in route.targets(event):
                self._publish(each)

        self.on(subjects, where=where, group=f"route to {to}", inline=True)(forward)

    # -- publishing -------------------------------------------------------------------------------------------------

    def publish(  # noqa: PLR0913, PLR0917  (what an event may have)
        self,
        subject: str,
        data: Any,
        key: str | None = None,  # a star before it would cost each event 20 ns for each parameter that is left out
        headers: Mapping[str, str] = NO_HEADERS,
        id: str | None = None,
        delay: Duration | None = None,
        at: dt.datetime | None = None,
        expires: Duration | None = None,
        priority: int = 0,
        acks: str | None = None,
        expect: int | None = ANY,
    ) -> Publishing:
        """Publish an event at once; ``await`` what comes back for the receipt, or call ``result()`` in a script.

        In: ``data`` the payload: an object with fields, any plain value, bytes, or an Arrow batch or table, each row of which is an
        event, and has an offset; ``key`` what events that must stay in order share; ``id`` a second event of the same id within the topic's ``dedup_ms`` is
        a duplicate and is left out; ``delay`` or ``at`` when handlers get it at the earliest; ``expires`` after which nobody gets it;
        ``priority`` higher ones overtake lower ones in topics that have priorities; ``acks`` what the receipt shall survive, where not
        the topic's; ``expect`` the offset of the key's last event, None where there must be none, in topics with ``versions``.

        Raises: ``BusError`` FX-BUS-0101 for no subject, FX-BUS-0301 for a bus that is closed or runs nowhere yet, FX-BUS-0306 where
        too much waits for the disk; awaiting it: FX-LOG-0009 where the last event is another one, FX-LOG-0004 and 0005 for the disk.
        """
        here = get_ident() == self._loop_thread
        topic = self._of_subject.get(subject) if here else None
        if (
            topic is not None and topic.short is not None and acks is None and expect == ANY and headers is NO_HEADERS
            and not priority and delay is None and at is None and expires is None and data.__class__ not in ARROW
            and CURRENT.get() is None
        ):  # fmt: skip
            return topic.short(subject, data, key, id)
        if data.__class__ in ARROW:
            event: Event = _batch(subject, data, key, headers, id)
        else:
            event = Event(subject, data, key, headers, id, time_ns() // 1_000_000)
        if priority:
            event.priority = priority
        if delay is not None or at is not None or expires is not None:
            _timed(event, delay, at, expires)
        if acks is not None or expect != ANY:
            self._check(subject, acks, key, expect)
        if here:
            return self._publish(event, acks, expect)
        return self._publish_elsewhere(event, acks, expect)

    def _publish(self, event: Event, acks: str | None = None, expect: int | None = ANY) -> Publishing:
        parent = CURRENT.get()
        if parent is not None and parent.headers:
            _trace_on(parent, event)
        topic = self._of_subject.get(event.subject) or self._topics.of(event.subject)
        return topic.publish(event, acks, expect)

    def _publish_elsewhere(self, event: Event, acks: str | None, expect: int | None) -> Publishing:
        """Publish from a thread that is not the event loop's, or start the bus on this thread's event loop."""
        if self._loop is None and not self._closed:
            self._start_here()
            return self._publish(event, acks, expect)
        loop = self._running()
        topic = self._of_subject.get(event.subject)
        if topic is not None and topic.any_thread:
            return self._publish(event, acks, expect)
        return Remote(asyncio.run_coroutine_threadsafe(_awaited(lambda: self._publish(event, acks, expect)), loop))

    def _check(self, subject: str, acks: str | None, key: str | None, expect: int | None) -> None:
        if acks is not None:
            check_acks(acks)
        if expect != ANY:
            topic = self._on_loop(lambda: self._topics.of(subject)) if self._loop is not None else None
            if key is None or (topic is not None and not topic.options.versions):
                hint = "declare the topic with versions=True, and give the event a key"
                raise BusError(
                    "FX-BUS-0114", "only an event of a key in a topic with versions has one before it", hint=hint
                )

    async def request(
        self,
        subject: str,
        data: Any,
        *,
        timeout: Duration = "5 s",
        key: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        wanted: Any = None,
    ) -> Any:
        """Ask, and return what the first handler that answers returned; ``wanted`` is the type to return it as.

        The handlers of this process are asked; where none takes the subject, those of another process of the folder, the processes
        in turns. Requests and answers are not kept, and are not tried again.

        Raises: ``NoResponders`` FX-BUS-0302 when no handler takes the subject, ``RequestTimeout`` FX-BUS-0304 when none answered in
        time, ``BusError`` FX-BUS-0303 when the handler raised or its process ended, 0308 for more than 64 MB to another process.
        """
        if self._loop is None:
            self._start_here()
        if data.__class__ in ARROW:
            event: Event = _batch(subject, data, key, headers, None)
        else:
            event = Event(subject, data, key, headers, None, time_ns() // 1_000_000)
        timeout_ms = milliseconds(timeout, "timeout")
        answer = self._ask_here(event)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                if answer is None:
                    return await self._transport.ask(event, timeout_ms, wanted)
                return convert(await answer, wanted)
        except TimeoutError:
            raise RequestTimeout("FX-BUS-0304", f"nobody answered '{subject}' within {timeout}") from None

    def _ask_here(self, event: Event) -> asyncio.Future[Any] | None:
        """Hand a request to the handlers of this process, and return what takes the answer; None where none takes the subject."""
        topic = self._topics.wanted(event.subject)
        groups = [] if topic is None else [group for group in topic.groups if group.wants(event)]
        if topic is None or not groups:
            return None
        event.topic = topic.name
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        event.reply_to = answer
        for group in groups:
            group.inject(event.copy())
        return answer

    async def _answer(self, event: Event) -> Any:
        """Return what the handlers here answer to a request of another process. Raises ``NoResponders`` FX-BUS-0302."""
        answer = self._ask_here(event)
        if answer is None:
            raise NoResponders("FX-BUS-0302", f"no handler takes '{event.subject}'")
        return await answer

    # -- reading again ----------------------------------------------------------------------------------------------

    def read(  # noqa: PLR0913  (what can be chosen)
        self,
        subjects: str | Sequence[str],
        *,
        start: int | str | dt.datetime | Mapping[str, int] = "earliest",
        stop: int | dt.datetime | None = None,
        where: str | None = None,
        speed: float = 0.0,
        batches: bool = False,
        follow: bool = False,
    ) -> AsyncIterator[Event]:
        """Yield the events that are kept of some subjects, topic by topic in order of offsets, up to those there now.

        In: ``start`` "earliest", an offset, offsets by topic (others from the earliest), the time of publishing, or "new" with
        ``follow``, which goes on with what comes until the bus is closed, in the order of each topic; ``stop`` the offset or time of
        what is left out, without ``follow``; ``where`` a SQL condition, by which frames of columns are passed over unread where
        their statistics allow; ``speed`` 1 to yield events as far apart as they were published, 2 twice as fast, 0 at once; ``batches``
        to have Arrow batches as they are, as :class:`BatchEvent`, and not the events of their rows.

        Raises: ``BusError`` FX-BUS-0102, 0104; ``ScriptError`` for what is no condition.
        """
        patterns = _patterns(subjects)
        selection = Selection(patterns, None if where is None else self._condition(where, None))
        replay = Replay(selection, start, speed, batches, stop)
        if follow:
            return replay.following(lambda: self._topics.matching(patterns), lambda: self._closed)
        return replay.once(lambda: self._there_now(patterns))

    def _there_now(self, patterns: tuple[Pattern, ...]) -> list[Topic]:
        """Return the topics that may have events of some patterns, those among them that another process has just made."""
        if self._loop is not None and not self._closed:
            for name in self._transport.topics():
                self._topics.find(name)
        return self._topics.matching(patterns)

    async def revive(self, subjects: str | Sequence[str] = ">", *, where: str | None = None) -> int:
        """Give dead letters back to the groups that gave them up, each once; return how many.

        They are published again, to the topics that they came from. Raises what keeps them from that: ``JobError`` FX-LOG-0001 where
        another process writes to such a topic; ``BusError`` FX-BUS-0405 where another one gives letters back for long.
        """
        patterns = _patterns(subjects)
        async with self._transport.giving_back():
            return await self._revive(patterns, where)

    async def _revive(self, patterns: tuple[Pattern, ...], where: str | None) -> int:
        count = 0
        given: list[tuple[Event, Publishing]] = []
        try:
            async for event in self.read("dead.>", where=where, batches=True):
                subject, headers = dead_letters.revived(event) if dead_letters.is_letter(event) else ("", {})
                if not any(pattern.matches(subject) for pattern in patterns):
                    continue
                left = dead_letters.left(event, self._transport.revived)
                if left is not None:
                    given.append((left, self._publish(left.again(subject, headers))))
                    count += rows_of(left)
                    if len(given) >= BUS_BATCH_EVENTS:
                        await dead_letters.note(given, self._transport.revive)
        finally:
            await dead_letters.note(given, self._transport.revive)
        return count

    # -- life -------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        try:
            if self._loop is None or self._closed:
                self._start_here()
            await self._transport.settle()
        except BaseException:
            await self.close(drain=False)  # else the groups would stay taken
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(drain=kind is None)

    def __enter__(self) -> Self:
        started: threading.Event = threading.Event()
        loop = asyncio.new_event_loop()

        def run() -> None:
            asyncio.set_event_loop(loop)
            loop.call_soon(started.set)
            loop.run_forever()

        self._own_thread = threading.Thread(target=run, name="fluxcore bus", daemon=True)
        self._own_thread.start()
        started.wait()
        try:
            asyncio.run_coroutine_threadsafe(self.__aenter__(), loop).result()
        except BaseException:
            self._end_thread(loop)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = self._loop
        assert loop is not None
        try:
            asyncio.run_coroutine_threadsafe(self.close(drain=kind is None), loop).result()
        finally:
            self._end_thread(loop)

    def _end_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._own_thread is not None
        loop.call_soon_threadsafe(loop.stop)
        self._own_thread.join()
        loop.close()

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the bus's event loop from a script, and return its result: ``bus.wait(bus.request(…))``."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._running()).result()

    async def drain(self, timeout_s: float | None = None) -> bool:
        """Wait until all groups have handled all there is, delayed events excepted; return whether they have."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            await self._transport.settle()
            topics = list(self._topics.by_name.values())
            groups = [group for topic in topics for group in topic.groups]
            if all(topic.is_quiet() for topic in topics) and all(group.is_done() or group.paused for group in groups):
                return True
            if end is not None and time.monotonic() > end:
                return False
            await asyncio.sleep(0.001)

    async def close(self, *, drain: bool = True) -> None:
        """Let handlers end what they have begun (with ``drain``, all that waits), and stop. A second call does nothing."""
        if self._closed or self._loop is None:
            self._closed = True
            return
        try:
            if drain and not await self.drain(BUS_CLOSE_S):
                lag = sum(each.lag() for each in self._topics.groups())
                _log.warning("the bus closed before all was handled", lag=lag)
        except BusError as error:
            _log.warning("the bus closes although not all is saved", error=error.message)
        self._closed = True
        for group in self._topics.groups():
            group.paused = True
        for workers in self._topics.workers:
            if not await workers.stop(BUS_CLOSE_S):
                _log.warning("a handler did not end", handler=workers.handler.name)
        self._late.stop()
        if self._watch is not None:
            self._watch.stop()
        await self._transport.close()
        self._loop_thread = 0

    def pause(self, group: str) -> None:
        """Let a group have no more events until :meth:`resume`. Raises ``BusError`` FX-BUS-0110 for an unknown one."""
        self._on_loop(lambda: self._pause(group, paused=True))

    def resume(self, group: str) -> None:
        """Let a paused group go on. Raises ``BusError`` FX-BUS-0110."""
        self._on_loop(lambda: self._pause(group, paused=False))

    def statistics(self) -> dict[str, Any]:
        """Return for each topic its first and next offset, and for each of its groups where it stands and what it did."""
        return {name: topic.statistics() for name, topic in self._topics.by_name.items()}

    def blocked(self) -> dict[str, int]:
        """Return what kept the event loop from its other work for too long, by the place in the source, and how often."""
        return dict(self._watch.blocked) if self._watch is not None else {}

    def hanging(self) -> dict[str, float]:
        """Return the handlers that have had the same event for more than ten seconds, by place in the source, and for how long."""
        return dict(self._late.hanging)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _condition(self, text: str, payload: Any) -> Condition:
        if self._conditions is None:
            raise BusError("FX-BUS-0111", "this bus takes no conditions", hint="make it with fx.Bus")
        return self._conditions(text, payload)

    def _start_here(self) -> None:
        if self._closed:
            raise BusError("FX-BUS-0301", "the bus is closed")
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            hint = "use it within 'async with bus:', or 'with bus:' in a script"
            raise BusError("FX-BUS-0301", "the bus runs nowhere yet", hint=hint) from None
        self._loop_thread = get_ident()
        quiet_interpreter()
        self._transport.start(self._loop, self._found, self._answer)
        self._topics.start()
        self._watch = Watch(self._loop, self._loop_thread, self._codes)
        self._late.start(self._loop)

    def _found(self, name: str) -> None:
        """Let handlers have the events of a topic that another process has made."""
        self._topics.find(name)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._closed:
            raise BusError("FX-BUS-0301", "the bus is closed" if self._closed else "the bus runs nowhere yet")
        return self._loop

    def _on_loop(self, function: Callable[[], Any]) -> Any:
        """Call a function where the bus's events are handled, and return its result."""
        if self._loop is None or self._loop_thread == get_ident():
            return function()
        return asyncio.run_coroutine_threadsafe(_awaited(function), self._running()).result()

    def _pause(self, name: str, *, paused: bool) -> None:
        found = [group for group in self._topics.groups() if group.name == name]
        if not found:
            raise BusError("FX-BUS-0110", f"there is no group '{name}'")
        self._transport.pause(name, paused=paused)
        for group in found:
            group.paused = paused
            if not paused:
                group.notify()

    def _bury(self, event: Event, group: Group, error: BaseException, done: Callable[[Exception | None], None]) -> None:
        if dead_letters.is_letter(event):
            _log.warning(
                "a dead letter's handler failed too", group=group.name, subject=event.subject, error=str(error)
            )
            done(None)
            return
        subject, headers = dead_letters.letter(event, group, error)
        self._publish(event.again(subject, headers)).when_done(done)


def _batch(
    subject: str, data: pa.RecordBatch | pa.Table, key: str | None, headers: Mapping[str, str], id_: str | None
) -> BatchEvent:
    """Return rows to be published. Raises ``BusError`` FX-BUS-0205 for columns whose names can't be."""
    batch = record_batch(data)
    check_columns(batch.schema)
    return BatchEvent(subject, batch, key, headers, id_, time_ns() // 1_000_000)


def _patterns(subjects: str | Sequence[str]) -> tuple[Pattern, ...]:
    return tuple(Pattern(each) for each in ([subjects] if isinstance(subjects, str) else subjects))


def _timed(event: Event, delay: Duration | None, at: dt.datetime | None, expires: Duration | None) -> None:
    if at is not None:
        event.not_before_ms = round(at.timestamp() * 1000)
    elif delay is not None:
        event.not_before_ms = event.time_ms + milliseconds(delay, "delay")
    if expires is not None:
        event.expires_ms = event.time_ms + milliseconds(expires, "expires")


def _trace_on(parent: Event, event: Event) -> None:
    """Let an event that is published while another is handled belong to the same trace."""
    passed = {name: parent.headers[name] for name in TRACE_HEADERS if name in parent.headers}
    if passed:
        event.headers = {**passed, **event.headers}


async def _awaited(function: Callable[[], Any]) -> Any:
    found = function()
    return await found if isinstance(found, Publishing) else found
