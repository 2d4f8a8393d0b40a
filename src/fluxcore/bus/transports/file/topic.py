"""A topic in a folder: published into its log, read from it, by this process or beside another one that writes."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.bus.batch_event import BatchEvent
from fluxcore.bus.dead_letters import TOPIC as DEAD
from fluxcore.bus.log import Reader, ReadOptions
from fluxcore.bus.log.live import LiveReader
from fluxcore.bus.log.queue import Expect
from fluxcore.bus.progress import Progress
from fluxcore.bus.rows import PLAIN, columnar, envelope, plain_row, row_bytes, rows_of_batch
from fluxcore.bus.schemas import Rows
from fluxcore.bus.transports.file.feed import Feed, read_piece
from fluxcore.bus.transports.file.outbox import Outbox
from fluxcore.bus.transports.file.shared_outbox import SharedOutbox
from fluxcore.core.log import Log as Records
from fluxcore.errors import FluxError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Sequence

    from fluxcore.bus.event import Event
    from fluxcore.bus.group import Group
    from fluxcore.bus.log import Log, LogOptions, Lost
    from fluxcore.bus.options import Span, TopicOptions
    from fluxcore.bus.publishing import Pending
    from fluxcore.bus.transports.file.desk import Desk

_records = Records("bus")
_ROW_BYTES = 256


class FileTopic:
    """The events of one topic in a log.

    ``end`` is the durable end of a topic whose ``acks`` is "disk", else that of what is written. Publishers never wait for groups.
    ``needs_recovery`` says that a crash may have left events that readers can't see before :meth:`recover`. ``prepare`` is called on a thread for the disk before the log is opened, and gives its options; ``progress`` says where a group
    goes on.
    """

    any_thread = True
    slowest = sys.maxsize

    def __init__(
        self,
        options: TopicOptions,
        made_ms: int,
        desk: Desk,
        prepare: Callable[[], LogOptions],
        progress: Callable[[FileTopic, Group], Progress],
    ) -> None:
        self.options = options
        self.name = options.name
        self.groups: list[Group] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.watched = 0
        self.start = 0
        self.end = 0
        self.durable_end = 0
        self.needs_recovery = False
        self.made_ms = made_ms
        self._progress = progress
        self._desk = desk
        self._folder = desk.folder.topic(self.name)
        self._feed = Feed(self._folder, self.name, desk, self._arrived)
        kind = SharedOutbox if self.name == DEAD else Outbox
        self._outbox = kind(self._folder, prepare, desk, self)
        self._live = LiveReader(desk.folder.files, self._folder)
        self._rows = None if options.schema is None else Rows(options.schema, self.name)
        self.short = self._outbox.publish_plain if self._rows is None else None
        self._look_back()
        self._feed.reached = self.end

    # -- publishing -------------------------------------------------------------------------------------------------

    def publish(self, event: Event, acks: str | None = None, expect: int | None = -1) -> Pending:
        """Hand an event over to the log, on any thread.

        Raises: ``BusError`` FX-BUS-0202, 0204 to 0207 for what can't be written, FX-BUS-0306 where too much waits; what a log refuses with.
        """
        acks = acks or self.options.acks
        if isinstance(event, BatchEvent):
            payload = event.data if self._rows is None else self._rows.batch(event.data)
            return self._outbox.publish_batch(rows_of_batch(event, payload), acks, self._expected(event, expect))
        row: tuple[Any, ...] = (
            plain_row(event) if self._rows is None else (*envelope(event), *self._rows.row(event.data))
        )
        if expect == -1:
            return self._outbox.publish_row(row, row_bytes(row) if self._rows is None else _ROW_BYTES, acks)
        types = PLAIN if self._rows is None else columnar(self._rows.schema)
        arrays = [pa.array([value], type_) for value, type_ in zip(row, types.types, strict=True)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=types)
        return self._outbox.publish_batch(batch, acks, self._expected(event, expect))

    def _expected(self, event: Event, expect: int | None) -> Expect | None:
        return None if expect == -1 else Expect(event.key, expect)

    def is_quiet(self) -> bool:
        """Return whether all that was published is settled."""
        return self._outbox.is_quiet()

    # -- reading ----------------------------------------------------------------------------------------------------

    def fetch(self, offset: int, count: int) -> tuple[Sequence[Event], int]:
        """Return events from an offset on, and the offset to go on at; the same where they must be read from the disk first."""
        return self._feed.fetch(offset, count, self.end)

    async def replay(self, span: Span) -> AsyncIterator[Sequence[Event]]:
        """Yield the events of a span, in pieces."""
        lost: list[Lost] = []
        start = span.start
        reader = await self._desk.wait(self._feed.make_reader) if start < span.stop else None
        try:
            while start < span.stop:
                before, options = start, ReadOptions(start, span.stop, None, None, lost.append, True, span.bounds)
                piece = await self._desk.wait(read_piece, reader, options)
                while start < piece.end:
                    events, start = piece.events(start, 256, self.name)
                    yield events
                if start == before:
                    return
        finally:
            if reader is not None:
                reader.close()

    async def offset_at(self, time_ms: int) -> int:
        """Return an offset before which no event was published at a time or after it."""

        def found() -> int:
            with self._feed.make_reader() as reader:
                return reader.offset_at(time_ms * 1000)

        return int(await self._desk.wait(found)) if self.end else 0

    def attach(self, group: Group) -> None:
        """Let a group have the events, from where it was."""
        self.groups.append(group)
        self._feed.choose([each.bounds for each in self.groups])
        found = self._progress(self, group)
        group.resume(found)
        if found.position > self.end:
            self._outbox.open()

    def detach(self, group: Group) -> None:
        """Let a group have no more events."""
        self.groups.remove(group)
        self._feed.choose([each.bounds for each in self.groups])

    def look(self) -> None:
        """See how far another process has come; nobody waits for a group."""
        self.follow()

    def follow(self) -> None:
        """See how far another process has come that writes to the topic."""
        if self._outbox.log is None:
            end = self._live.get()
            if end > self.end:
                self.moved(end, end)

    async def compact(self) -> None:
        """Keep of each key only its last event. Raises ``JobError`` FX-LOG-0001 where another process writes to the topic."""
        async with self._outbox.its_log() as log:
            await self._desk.wait(partial(log.compact, whole=True))

    async def retain(self) -> int:
        """Remove what need not be kept, and return the first offset. Raises ``JobError`` FX-LOG-0001."""
        async with self._outbox.its_log() as log:
            self._arrived(await self._desk.wait(log.retain))
        return self.start

    def statistics(self) -> dict[str, Any]:
        """Return the first offset and the next ones, what failed, and where each group stands."""
        return {
            "start": self.start,
            "end": self.end,
            "durable_end": self.durable_end,
            "failed": self._outbox.failed,
            "lost": self._feed.lost,
            "frames_skipped": self._feed.skipped,
            "groups": {group.name: group.statistics() for group in self.groups},
        }

    def recover(self) -> None:
        """Let readers see what a crash has left; on a thread for the disk. Does nothing where someone writes to the topic."""
        self._outbox.recover()
        self._desk.mail.post(self.follow)

    def close(self) -> None:
        """Write and sync what was published, and give everything back; on a thread for the disk."""
        self.durable_end = max(self.durable_end, self._outbox.close())
        self._feed.close()
        self._live.close()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _look_back(self) -> None:
        """Find out what the log holds already."""
        try:
            with Reader.open(self._folder, self._desk.own_files) as reader:
                self.start, self.end = reader.start, reader.end
                self.needs_recovery = reader.is_behind()
        except FluxError:
            return  # there is no log yet
        self.durable_end = self.end

    def opened(self, log: Log, end: int) -> None:
        """Take the log that was opened for writing, where it ended then; it says itself when something is new."""
        durable = self.options.acks == "disk"
        self._feed.reopen(lambda: log.reader(durable=durable))
        log.watch(lambda durable_end, end: self._desk.mail.post(self.moved, durable_end, end))
        self.moved(log.durable_end, log.end)
        self._bring_back(end)

    def refused(self) -> None:
        """Take it that the log can't be opened for writing: who has it open says how far it goes."""
        self.follow()
        self._bring_back(self.end)

    def given_back(self) -> None:
        """Read as one who doesn't write, until the log is opened again."""
        self._feed.reopen(None)

    def _bring_back(self, end: int) -> None:
        """Let groups go on at the end that stand beyond it, as when the folder was put back from a copy."""
        for group in self.groups:
            position = group.progress().position
            if position > end:
                _records.warning("a group stood beyond the end of its topic, and goes on there", group=group.name,
                                 topic=self.name, position=position, end=end)  # fmt: skip
                group.resume(Progress(end))

    def moved(self, durable_end: int, end: int) -> None:
        """Take how far the log has come, and let groups that wait for more have it."""
        self.durable_end = max(self.durable_end, durable_end)
        visible = durable_end if self.options.acks == "disk" else end
        if visible > self.end:
            self.end = visible
            if any(group.waits for group in self.groups):
                self._feed.follow(visible)

    def _arrived(self, start: int) -> None:
        """Let groups go on that wait for events, which were read now."""
        if start > self.start:
            self.start = start
            for group in self.groups:
                missed = group.counts.missed
                group.skip_to(start)
                if group.counts.missed > missed:
                    _records.warning("a group was too late for events that are gone", group=group.name, topic=self.name,
                                     missed=group.counts.missed - missed, start=start)  # fmt: skip
        self._wake()

    def _wake(self) -> None:
        """Wake as many workers as there may be events for."""
        for group in self.groups:
            for _ in range(group.backlog()):
                if not group.waits:
                    break
                group.notify()
