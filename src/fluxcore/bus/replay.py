"""Reads again what topics keep, from an offset or a time on, up to their ends or on and on."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.bus.batch_event import BatchEvent
from fluxcore.bus.errors import BusError
from fluxcore.bus.options import Span
from fluxcore.limits import BUS_FOLLOW_S, BUS_PART_ROWS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from fluxcore.bus.event import Event
    from fluxcore.bus.options import Selection
    from fluxcore.bus.ports import Topic

    Start = int | str | dt.datetime | Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Replay:
    """What is read and how: see :meth:`Bus.read`. Raises ``BusError`` FX-BUS-0104 for a start that is none."""

    selection: Selection
    start: Start
    speed: float = 0.0
    batches: bool = False
    stop: int | dt.datetime | None = None

    def __post_init__(self) -> None:
        if isinstance(self.start, str) and self.start not in ("earliest", "new"):
            raise BusError("FX-BUS-0104", f"start is 'earliest', 'new', an offset or a time, not '{self.start}'")

    async def once(self, topics: Callable[[], Sequence[Topic]]) -> AsyncIterator[Event]:
        """Yield what is there now, topic by topic."""
        for topic in topics():
            topic.look()
            before = None
            stop = min(topic.end, self.stop) if isinstance(self.stop, int) else topic.end
            span = Span(await self._first(topic), stop, self.selection.bounds)
            async for event in self._events(topic, span):
                if self.speed and before is not None and event.time_ms > before:
                    await asyncio.sleep((event.time_ms - before) / 1000 / self.speed)
                before = event.time_ms
                yield event

    async def following(
        self, topics: Callable[[], Sequence[Topic]], is_over: Callable[[], bool]
    ) -> AsyncIterator[Event]:
        """Yield what is there and what comes, of topics that come too, in the order of each topic, until it is over."""
        places: dict[str, int] = {}
        watched: list[Topic] = []
        try:
            began = False
            while not is_over():
                quiet = True
                for topic in topics():
                    if topic.name not in places:
                        places[topic.name] = 0 if began and self.start == "new" else await self._first(topic)
                        topic.watched += 1
                        watched.append(topic)
                    stop = topic.end
                    if places[topic.name] < stop:
                        quiet = False
                        async for event in self._events(topic, Span(places[topic.name], stop, self.selection.bounds)):
                            yield event
                        places[topic.name] = stop
                began = True
                if quiet:
                    await asyncio.sleep(BUS_FOLLOW_S)
        finally:
            for topic in watched:
                topic.watched -= 1

    async def _first(self, topic: Topic) -> int:
        """Return the offset at which to begin."""
        if isinstance(self.start, dt.datetime):
            return await topic.offset_at(_milliseconds(self.start))
        if isinstance(self.start, int):
            return self.start
        if isinstance(self.start, Mapping):
            return self.start.get(topic.name, topic.start)
        return topic.start if self.start == "earliest" else topic.end

    async def _events(self, topic: Topic, span: Span) -> AsyncIterator[Event]:
        since_ms = _milliseconds(self.start) if isinstance(self.start, dt.datetime) else -math.inf
        until_ms = _milliseconds(self.stop) if isinstance(self.stop, dt.datetime) else math.inf
        async for piece in topic.replay(span):
            for event in self._chosen(piece, span.stop):
                if since_ms <= event.time_ms < until_ms:
                    yield event

    def _chosen(self, events: Sequence[Event], stop: int) -> Iterator[Event]:
        """Yield those of the events before ``stop`` that are selected, with batches as they are or row by row."""
        selection = self.selection
        before = (each.until(stop) if isinstance(each, BatchEvent) else each for each in events if each.offset < stop)
        for event in selection.held([each for each in before if each is not None and selection.wants(each.subject)])[0]:
            if self.batches or not isinstance(event, BatchEvent):
                yield event
            else:
                for start in range(0, event.data.num_rows, BUS_PART_ROWS):
                    yield from event.slice(start, start + BUS_PART_ROWS).events()


def _milliseconds(time: dt.datetime) -> int:
    return math.floor(time.timestamp() * 1000)
