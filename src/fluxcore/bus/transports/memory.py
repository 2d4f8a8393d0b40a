"""Topics that live in the memory of the process."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import OrderedDict
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from fluxcore.bus.batch_event import BatchEvent, end_of, rows_of
from fluxcore.bus.current import CURRENT
from fluxcore.bus.dead_letters import TOPIC as DEAD
from fluxcore.bus.errors import NoResponders
from fluxcore.bus.event import check_rest
from fluxcore.bus.log.errors import conflict
from fluxcore.bus.publishing import Placed
from fluxcore.core.log import Log
from fluxcore.limits import BUS_DEDUP_IDS_MAX, BUS_FETCH_EVENTS, BUS_HANDLER_HOLD_S, BUS_YIELD_EVENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from fluxcore.bus.event import Event
    from fluxcore.bus.group import Group
    from fluxcore.bus.options import Span, TopicOptions
    from fluxcore.bus.publishing import Publishing


_log = Log("bus")
_SLACK = 4096
"""Events that a topic has beyond those that it is to keep, before it forgets any."""


class MemoryTopic:
    """The events of one topic: those that a group has not passed yet, and some older ones for replay.

    All is done on the bus's event loop. ``slowest`` is the position of the group that is furthest behind, ``end`` the offset that
    the next event gets, ``waiting`` the publishers that wait for the slowest. A batch takes as many offsets as it has rows, and stands
    there as one. Cost: one append for each event, whatever the number of groups.
    """

    any_thread = False
    short: None = None

    def __init__(self, options: TopicOptions) -> None:
        self.options = options
        self.name = options.name
        self.start = 0
        self.end = 0
        self.slowest = 0
        self.groups: list[Group] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.watched = 0
        self._events: list[Event] = []
        self._single_from = 0
        self._trim_at = options.keep + _SLACK
        self._ids: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._versions: dict[str | None, int] | None = {} if options.versions else None

    def publish(self, event: Event, acks: str | None = None, expect: int | None = -1) -> Publishing:  # noqa: ARG002
        """Give the event its offset, and wake the groups that wait for one.

        Raises: ``JobError`` FX-LOG-0009 where ``expect`` is not the offset of the key's last event, ``BusError`` FX-BUS-0204.
        """
        if event.headers or event.rare is not None:
            check_rest(event)
        if event._id is not None:
            first = self._duplicate_of(event)
            if first is not None:
                return Placed(self, first, None, duplicate=True)
        end = self.end
        if self._versions is not None:
            if expect != -1 and self._versions.get(event.key) != expect:
                raise conflict(event.key, expect, self._versions.get(event.key))
            self._versions[event.key] = end + rows_of(event) - 1
        if event._id is not None:
            self._ids[event._id] = (end, event.time_ms)
        if event.__class__ is BatchEvent:
            event.stand_at(self.name, end)
            if event.end == end:  # no rows
                return Placed(self, end, None)
            self.end = self._single_from = event.end
        else:
            event.topic = self.name
            event.offset = end
            self.end = end + 1
        self._events.append(event)
        for group in self.groups:
            if group.waits:
                group.notify()
        if self.end >= self._trim_at:
            self.trim()
        if self.end - self.slowest < BUS_YIELD_EVENTS or not self.groups:
            return Placed(self, end, None)
        return Placed(self, end, self.room)

    def _duplicate_of(self, event: Event) -> int | None:
        """Return the offset of an event of the same id that was published not long ago."""
        ids, now = self._ids, event.time_ms
        while ids:
            oldest = next(iter(ids))
            if ids[oldest][1] > now - self.options.dedup_ms and len(ids) < BUS_DEDUP_IDS_MAX:
                break
            del ids[oldest]
        found = ids.get(event.id)
        return None if found is None else found[0]

    def fetch(self, offset: int, count: int) -> tuple[Sequence[Event], int]:
        """Return events from an offset on, and the offset to go on at; those that are gone are passed over.

        In: ``count`` single events at most. Of batches there are fewer, but one if there is any; of one that begins before ``offset``
        there are the rows from there on.
        """
        events = self._events
        first = offset - self.end + len(events)  # its place, where single events alone follow
        if offset < self._single_from:
            first = bisect_right(events, offset, key=_offset) - 1
        found = events[max(first, 0) : max(first, 0) + count]
        if not found:
            return found, max(offset, self.end)
        if found[0].offset < self._single_from:
            found = _few(found, offset, count)
        return found, end_of(found[-1])

    async def replay(self, span: Span) -> AsyncIterator[Sequence[Event]]:
        """Yield the kept events of a span, in pieces; of a batch that goes beyond there is all."""
        start = span.start
        while start < span.stop:
            events, start = self.fetch(start, BUS_FETCH_EVENTS)
            yield [event for event in events if event.offset < span.stop]

    async def offset_at(self, time_ms: int) -> int:
        """Return an offset before which no event was published at a time or after it."""
        return next((event.offset for event in self._events if event.time_ms >= time_ms), self.end)

    def attach(self, group: Group) -> None:
        """Let a group have the events."""
        self.groups.append(group)
        self.look()

    def detach(self, group: Group) -> None:
        """Let a group have no more events."""
        self.groups.remove(group)
        self.look()

    def look(self) -> None:
        """Find out where the slowest group stands, and let publishers go on that waited for it."""
        self.slowest = min((group.position() for group in self.groups), default=self.end)
        if self.waiting and not self._is_full():
            waiting, self.waiting = self.waiting, []
            for each in waiting:
                if not each.done():
                    each.set_result(None)

    async def room(self) -> None:
        """Give handlers their turn, and wait while a group is too far behind, unless the topic drops.

        A handler is held back for a while only, because the group may be waiting for it, and not at all by the topic of its event.
        """
        await asyncio.sleep(0)
        self.look()
        handled = CURRENT.get()
        if handled is not None and handled.topic == self.name:
            return
        while self.options.when_full == "wait" and self._is_full():
            future = asyncio.get_running_loop().create_future()
            self.waiting.append(future)
            if handled is None:
                await future
            elif not (await asyncio.wait((future,), timeout=BUS_HANDLER_HOLD_S))[0]:
                _log.warning("a handler publishes although a group is far behind: perhaps that waits for it",
                             topic=self.name, events=self.end - self.slowest, handled=handled.subject)  # fmt: skip
                return

    def _is_full(self) -> bool:
        return self.end - self.slowest > self.options.max_lag

    def trim(self) -> None:
        """Forget events that all groups have passed, and, where the topic drops, those that are too many; batches only as a whole."""
        self.look()
        gone = min(self.slowest, self.end - self.options.keep)
        if self.options.when_full == "drop":
            gone = max(gone, self.end - self.options.max_lag)
        events = self._events
        count = bisect_right(events, gone, key=end_of)
        if count:
            if self.name == DEAD:
                _log.warning(
                    "dead letters are forgotten, there are too many", letters=events[count - 1].offset + 1 - self.start
                )
            del events[:count]
            self.start = events[0].offset if events else self.end
            for group in self.groups:
                group.skip_to(self.start)
        self._trim_at = max(self.start + self.options.keep + _SLACK, self.end + _SLACK // 4)

    async def compact(self) -> None:
        """Do nothing: what all groups have passed is forgotten anyway, but for ``keep`` events."""

    async def retain(self) -> int:
        """Forget what need not be kept, and return the first offset."""
        self.trim()
        return self.start

    def is_quiet(self) -> bool:
        """Return True: an event stands in the topic as soon as it is published."""
        return True

    def statistics(self) -> dict[str, Any]:
        """Return the first and the next offset, and where each group stands."""
        return {
            "start": self.start,
            "end": self.end,
            "groups": {group.name: group.statistics() for group in self.groups},
        }


class MemoryTransport:
    """Topics in the memory of the process, which forgets them and its groups at its end."""

    def __init__(self) -> None:
        self._revived: set[tuple[str, int]] = set()

    def start(
        self,
        loop: asyncio.AbstractEventLoop,
        found: Callable[[str], None],
        answer: Callable[[Event], Awaitable[Any]],
    ) -> None:
        """Do nothing: all is there."""

    def declared(self, name: str) -> TopicOptions | None:  # noqa: ARG002
        """Return None."""
        return None

    def topics(self) -> Sequence[str]:
        """Return none."""
        return ()

    def topic(self, options: TopicOptions, *, declared: bool) -> MemoryTopic:  # noqa: ARG002
        """Return a new topic."""
        return MemoryTopic(options)

    def declare_again(self, options: TopicOptions) -> None:
        """Do nothing: there are no topics from before."""

    def join(self, group: str) -> None:
        """Do nothing: no other process can have the group."""

    def pause(self, group: str, *, paused: bool) -> None:
        """Do nothing: the group itself knows."""

    def is_paused(self, group: str) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def giving_back(self) -> AbstractAsyncContextManager[None]:
        """Hold off nobody: there is no other process."""
        return nullcontext()

    def revived(self, topic: str, offset: int) -> bool:
        """Return whether a dead letter was given back already."""
        return (topic, offset) in self._revived

    def revive(self, topic: str, offset: int) -> None:
        """Remember that a dead letter was given back."""
        self._revived.add((topic, offset))

    def offer(self, subjects: Sequence[str]) -> None:
        """Do nothing: no other process can ask."""

    async def ask(self, event: Event, timeout_ms: int, wanted: Any) -> Any:  # noqa: ARG002
        """Raise ``NoResponders`` FX-BUS-0302: there is no other process."""
        raise NoResponders("FX-BUS-0302", f"no handler takes '{event.subject}'")

    async def settle(self) -> None:
        """Do nothing: all is done at once."""

    async def close(self) -> None:
        """Do nothing."""


def _few(events: list[Event], offset: int, count: int) -> list[Event]:
    """Return events from an offset on, with so many rows, or one batch if that has more."""
    found: list[Event] = []
    for event in events:
        left = event.since(offset) if isinstance(event, BatchEvent) else event if event.offset >= offset else None
        if left is None:
            continue
        count -= rows_of(left)
        if count < 0 and found:
            break
        found.append(left)
        if count <= 0:
            break
    return found


def _offset(event: Event) -> int:
    return event.offset
