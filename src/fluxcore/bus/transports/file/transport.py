"""The transport of ``Bus("file:./data")``: topics and groups in a folder, shared with other processes."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fluxcore.bus.errors import BusError, NoResponders
from fluxcore.bus.options import TopicOptions
from fluxcore.bus.subjects import Pattern
from fluxcore.bus.transports.file.cursors import Cursors
from fluxcore.bus.transports.file.desk import Desk
from fluxcore.bus.transports.file.given_back import GivenBack
from fluxcore.bus.transports.file.layout import Declaration, Folder, damaged, schema_text
from fluxcore.bus.transports.file.requests import Requests
from fluxcore.bus.transports.file.topic import FileTopic
from fluxcore.core.log import Log as Records
from fluxcore.limits import BUS_CLOSE_S, BUS_DISCOVER_S, BUS_FOLLOW_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from concurrent.futures import Future

    from fluxcore.bus.event import Event
    from fluxcore.bus.log import LogOptions
    from fluxcore.bus.log.files import Files

_records = Records("bus")
_KEPT = ("acks", "priorities", "dedup_ms", "versions", "compact", "compression", "retain_ms", "retain_bytes", "retain_events",
         "segment_bytes")  # fmt: skip


class FileTransport:
    """Topics in a folder.

    In: the folder's path; for tests ``files`` other than this machine's, and the largest files that its logs may have.
    """

    def __init__(self, root: str, files: Files | None = None, segment_bytes: int = sys.maxsize) -> None:
        self._segment_bytes = segment_bytes
        self._folder = Folder(root, files)
        self._own_files = files
        self._by_name: dict[str, FileTopic] = {}
        self._tasks: list[Future[Any]] = []
        self._saving: dict[str, Future[Any]] = {}
        self._reviving: list[Future[Any]] = []
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}

    def start(
        self,
        loop: asyncio.AbstractEventLoop,
        found: Callable[[str], None],
        answer: Callable[[Event], Awaitable[Any]],
    ) -> None:
        """Begin; nothing is made in the folder yet."""
        self._desk = Desk(self._folder, loop, self._own_files)
        self._cursors = Cursors(self._desk)
        self._given_back = GivenBack(self._desk)
        self._requests = Requests(self._desk, answer) if self._own_files is None else None
        self._found = found
        self._cursors.begin()
        self._follow()
        self._again(self._discover, BUS_DISCOVER_S)

    # -- topics -----------------------------------------------------------------------------------------------------

    def topics(self) -> Sequence[str]:
        """Return the names of the topics in the folder."""
        return self._folder.topics()

    def declared(self, name: str) -> TopicOptions | None:
        """Return the options of a topic in the folder. Raises ``BusError`` FX-BUS-0401."""
        found = self._folder.declaration(name)
        try:
            return None if found is None else _options(found)
        except BusError as error:
            raise damaged(self._folder.declaration_path(name), error.message) from error

    def topic(self, options: TopicOptions, *, declared: bool) -> FileTopic:
        """Return a topic of the folder; its declaration is saved now where it is ``declared``, else with its first event.

        Raises: ``BusError`` FX-BUS-0117 where the topic has another schema.
        """
        options = replace(options, segment_bytes=min(options.segment_bytes, self._segment_bytes))
        known = self._folder.declaration(options.name)
        wanted = _declaration(options, known)
        if declared:
            self._declare(wanted, known)
        topic = FileTopic(
            options, wanted.made_ms, self._desk, partial(self._prepare, options.name), self._cursors.progress
        )
        self._by_name[options.name] = topic
        if topic.needs_recovery:
            self._tasks.append(self._desk.run(topic.recover))
        return topic

    def declare_again(self, options: TopicOptions) -> None:
        """Let a topic that was taken up from the folder have other options; those of its log hold when it is opened next.

        Raises: ``BusError`` FX-BUS-0117 for another schema.
        """
        known = self._folder.declaration(options.name)
        self._declare(_declaration(options, known), known)
        self._by_name[options.name].options = options

    def _declare(self, wanted: Declaration, known: Declaration | None) -> None:
        if known is not None and known.schema != wanted.schema:
            hint = "give the new schema to a new topic"
            raise BusError("FX-BUS-0117", f"the topic '{wanted.name}' has another schema already", hint=hint)
        if wanted != known:
            saving = self._saving[wanted.name] = self._desk.run(self._folder.declare, wanted)
            self._tasks.append(saving)

    def _prepare(self, name: str) -> LogOptions:
        """Return how the log of a topic is to be opened, which is declared before; on a thread for the disk."""
        saving = self._saving.get(name)
        if saving is not None:
            saving.result()
        found = self._folder.declaration(name)
        if found is None:
            found = _declaration(self._by_name[name].options, None)
            self._folder.declare(found)
        return found.log_options()

    # -- groups -----------------------------------------------------------------------------------------------------

    def join(self, group: str) -> None:
        """Take a named group for this process. Raises ``BusError`` FX-BUS-0402, 0401."""
        self._cursors.join(group)

    def pause(self, group: str, *, paused: bool) -> None:
        """Remember whether a group is paused."""
        self._cursors.pause(group, paused=paused)

    def is_paused(self, group: str) -> bool:
        """Return whether a group was paused."""
        return self._cursors.is_paused(group)

    @contextlib.asynccontextmanager
    async def giving_back(self) -> AsyncIterator[None]:
        """Hold off other processes that want to give dead letters back. Raises ``BusError`` FX-BUS-0401, 0404, 0405."""
        end = time.monotonic() + BUS_CLOSE_S
        while not await self._desk.wait(self._given_back.begin):
            if time.monotonic() > end:
                raise BusError(
                    "FX-BUS-0405", "another process gives dead letters back", hint="try again when it is done"
                )
            await asyncio.sleep(BUS_FOLLOW_S)
        try:
            yield
        finally:
            saving, self._reviving = self._reviving, []
            try:
                await asyncio.gather(*map(asyncio.wrap_future, saving))
            finally:
                await self._desk.wait(self._given_back.end)

    def revived(self, topic: str, offset: int) -> bool:
        """Return whether a dead letter was given back already."""
        return self._given_back.has(topic, offset)

    def revive(self, topic: str, offset: int) -> None:
        """Remember that a dead letter was given back."""
        saving = self._given_back.add(topic, offset)
        if saving is not None:
            self._reviving.append(saving)

    # -- requests ---------------------------------------------------------------------------------------------------

    def offer(self, subjects: Sequence[str]) -> None:
        """Let other processes ask the handlers of some subjects here."""
        if self._requests is not None:
            self._requests.offer(subjects)

    async def ask(self, event: Event, timeout_ms: int, wanted: Any) -> Any:
        """Return what a handler in another process answers. Raises ``NoResponders`` FX-BUS-0302, ``BusError`` FX-BUS-0303."""
        if self._requests is None:
            raise NoResponders("FX-BUS-0302", f"no handler takes '{event.subject}'")
        return await self._requests.ask(event, timeout_ms, wanted)

    def save(self) -> None:
        """Save what lasts of groups, now. Raises ``BusError`` FX-BUS-0404. Cost: two syncs a group."""
        self._cursors.save(self._cursors.snapshot())

    # -- life -------------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Return when what was declared is saved, and groups that are new. Raises ``BusError`` FX-BUS-0404."""
        states = self._cursors.snapshot() if self._cursors.has_new() else []
        if states:
            self._tasks.append(self._desk.run(self._cursors.save, states))
        if self._requests is not None:
            await self._requests.settle()
        while self._tasks:
            tasks, self._tasks = self._tasks, []
            await asyncio.gather(*(asyncio.wrap_future(each) for each in tasks))

    async def close(self) -> None:
        """End.

        1. What was published is settled. 2. The logs are synced and given back, so that all is durable. 3. The progress of groups is
        saved, up to there. 4. Their locks are given back.
        """
        for each in self._timers.values():
            each.cancel()
        self._cursors.stop()
        if self._requests is not None:
            await self._requests.close()
        topics = list(self._by_name.values())
        end = time.monotonic() + BUS_CLOSE_S
        while not all(topic.is_quiet() for topic in topics) and time.monotonic() < end:
            await asyncio.sleep(0.001)
        try:
            await asyncio.gather(*(self._desk.wait(topic.close) for topic in topics))
            await self._desk.wait(self._cursors.save, self._cursors.snapshot())
            await self.settle()
        except BusError as error:
            _records.warning("the progress of groups can't be saved", error=error.message)
        finally:
            self._cursors.close()
            self._desk.close()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _again(self, function: Callable[[], None], seconds: float) -> None:
        self._timers[function] = self._desk.loop.call_later(seconds, function)

    def _follow(self) -> None:
        """See how far other processes have come that write to topics which have groups or readers here."""
        self._again(self._follow, BUS_FOLLOW_S)
        for topic in self._by_name.values():
            if topic.groups or topic.watched:
                topic.follow()

    def _discover(self) -> None:
        """Look for topics that other processes have made."""
        self._desk.run(self._look_around, frozenset(self._by_name))

    def _look_around(self, known: frozenset[str]) -> None:
        try:
            names = self._folder.topics(known)
        except BusError as error:
            _records.warning("the folder of the bus can't be read", folder=self._folder.root, error=error.message)
            names = []
        self._desk.mail.post(self._take, names)

    def _take(self, names: list[str]) -> None:
        self._again(self._discover, BUS_DISCOVER_S)
        for name in names:
            if name not in self._by_name:
                try:
                    self._found(name)
                except BusError as error:
                    _records.warning("a topic can't be taken up", topic=name, error=error.message)


def _options(found: Declaration) -> TopicOptions:
    kept = {name: getattr(found, name) for name in _KEPT}
    return TopicOptions(found.name, tuple(map(Pattern, found.subjects)), schema=found.payload_schema(), **kept)


def _declaration(options: TopicOptions, known: Declaration | None) -> Declaration:
    made_ms = known.made_ms if known is not None else time.time_ns() // 1_000_000
    schema, columns = (None, {}) if options.schema is None else schema_text(options.schema)
    kept = {name: getattr(options, name) for name in _KEPT}
    subjects = tuple(each.text for each in options.subjects)
    return Declaration(options.name, subjects, schema=schema, columns=columns, made_ms=made_ms, **kept)
