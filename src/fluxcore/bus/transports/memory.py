"""Topics that live in the memory of the process."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from fluxcore.limits import BUS_DEDUP_IDS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.bus.event import Event
    from fluxcore.bus.group import Group
    from fluxcore.bus.options import TopicOptions


class MemoryTopic:
    """The events of one topic: those that a group has not passed yet, and some older ones for replay.

    All is done on the bus's event loop. ``slowest`` is the position of the group that is furthest behind, ``end`` the offset that
    the next event gets, ``waiting`` the publishers that wait for the slowest. Cost: one append for each event, whatever the number of groups.
    """

    survives = "memory"

    def __init__(self, options: TopicOptions) -> None:
        self.options = options
        self.name = options.name
        self.start = 0
        self.end = 0
        self.slowest = 0
        self.groups: list[Group] = []
        self._events: list[Event] = []
        self.waiting: list[asyncio.Future[None]] = []
        self._ids: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def append(self, event: Event) -> None:
        """Give the event its offset, and wake the groups that wait for one."""
        event.topic = self.name
        event.offset = self.end
        self._events.append(event)
        self.end += 1
        for group in self.groups:
            if group.waits:
                group.notify()
        if len(self._events) > self.options.keep + 4096 and not self.end & 1023:
            self.trim()

    def duplicate_of(self, event: Event) -> int | None:
        """Return the offset of an event of the same id that was published not long ago, and remember this one's."""
        id_ = event.given_id
        if id_ is None:
            return None
        ids, now = self._ids, event.time_ms
        while ids:
            oldest = next(iter(ids))
            if ids[oldest][1] > now - self.options.dedup_ms and len(ids) < BUS_DEDUP_IDS_MAX:
                break
            del ids[oldest]
        found = ids.get(id_)
        if found is not None:
            return found[0]
        ids[id_] = (self.end, now)
        return None

    def fetch(self, offset: int, count: int) -> Sequence[Event]:
        """Return events from an offset on, fewer where there are no more; those that are gone are passed over."""
        first = max(offset - self.start, 0)
        return self._events[first : first + count]

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
        """Wait while a group is too far behind, unless the topic drops."""
        self.look()
        while self.options.when_full == "wait" and self._is_full():
            self.waiting.append(asyncio.get_running_loop().create_future())
            await self.waiting[-1]

    def _is_full(self) -> bool:
        return self.end - self.slowest > self.options.max_lag

    def trim(self) -> None:
        """Forget events that all groups have passed, and, where the topic drops, those that are too many."""
        self.look()
        gone = min(self.slowest, self.end - self.options.keep)
        if self.options.when_full == "drop":
            gone = max(gone, self.end - self.options.max_lag)
        if gone > self.start:
            del self._events[: gone - self.start]
            self.start = gone
            for group in self.groups:
                group.skip_to(gone)

    def statistics(self) -> dict[str, Any]:
        """Return the first and the next offset, and where each group stands."""
        return {
            "start": self.start,
            "end": self.end,
            "groups": {group.name: group.statistics() for group in self.groups},
        }
