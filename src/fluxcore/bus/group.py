"""A group's place in a topic: which event comes next, which ones are being handled, and which ones must come again."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from fluxcore.bus.progress import Progress
from fluxcore.limits import (
    BUS_DELAYED_EVENTS_MAX,
    BUS_FETCH_EVENTS,
    BUS_OPEN_EVENTS_MAX,
    BUS_SUBJECTS_MAX,
    BUS_WINDOW_EVENTS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.bus.event import Event
    from fluxcore.bus.options import HandlerOptions, Selection
    from fluxcore.bus.ports import Topic

    Bury = Callable[[Event, "Group", BaseException, Callable[[Exception | None], None]], None]

ONLY_GROUP = "frys-only-group"
"""The header of an event that comes again for one group alone."""


@dataclass(slots=True)
class Counts:
    """What became of a group's events."""

    delivered: int = 0
    acknowledged: int = 0
    failed: int = 0
    dead: int = 0
    expired: int = 0
    filtered: int = 0
    missed: int = 0


class Group:
    """Hands out the events of a topic to the workers of one group, each until it is acknowledged.

    Events of one key are handed out one after the other where the group is ordered, however many workers there are: one that
    failed keeps those behind it back until it went well or was given up, which is when ``bury`` gets it; it is done with when that
    has found a place for it. A paused group hands out none.
    """

    def __init__(self, topic: Topic, name: str, selection: Selection, options: HandlerOptions, bury: Bury) -> None:
        self.topic = topic
        self.name = name
        self.options = options
        self.counts = Counts()
        self.waits = False
        self.paused = False
        self._bury = bury
        self._selection = selection
        self._ordered = options.ordered
        self._overtakes = topic.options.priorities
        self._wanted: dict[str, bool] = {}
        self._cursor = _first_offset(topic, options.start)
        self._chunk: list[Event] = []
        self._at = 0
        self._open: dict[int, Event] = {}
        self._busy: dict[str, deque[Event] | None] = {}
        self._ready: deque[Event] = deque()
        self._delayed = 0
        self._asked = -1
        self._idle: deque[asyncio.Future[None]] = deque()
        self._spawn: list[Callable[[], bool]] = []
        self._looking = False
        self._done: list[tuple[int, int]] = []
        self._attempts: dict[int, int] = {}

    # -- what workers call ------------------------------------------------------------------------------------------

    def take(self) -> Event | None:
        """Return the next event, or None when there is none that may be handled now."""
        if self.paused:
            return None
        while True:
            if self._ready:
                event = self._ready.popleft()
            else:
                if (self._at == len(self._chunk) or self._overtakes) and not self._fill():
                    return None
                if len(self._open) - self._delayed >= BUS_OPEN_EVENTS_MAX:
                    return None
                event = self._chunk[self._at]
                self._at += 1
                self._open[event.offset] = event
                if event.not_before_ms is not None and self._waits_for_its_time(event):
                    continue
                if event.key is not None and (self._ordered or event.key in self._busy) and self._keeps_back(event):
                    continue
            if event.expires_ms is not None and event.expires_ms <= _now_ms():
                self.counts.expired += 1
                self._close(event)
                continue
            self.counts.delivered += 1
            return event

    def acknowledge(self, event: Event) -> None:
        """Take note that an event was handled."""
        self.counts.acknowledged += 1
        del self._open[event.offset]
        if event.key is not None and self._busy:
            self._free(event)

    def failed(self, event: Event, error: BaseException) -> None:
        """Let an event come again after a pause, or give it up: it becomes a dead letter."""
        self.counts.failed += 1
        retry = self.options.retry
        if event.attempt >= retry.attempts:
            self._bury(event, self, error, partial(self._buried, event))
            return
        if self.options.ordered and event.key is not None:
            self._busy.setdefault(event.key, None)
        asyncio.get_running_loop().call_later(retry.pause_s(event.attempt), self._again, event)
        event.attempt += 1

    def put_back(self, event: Event) -> None:
        """Let an event come again at once, as if it had not been handed out."""
        self.counts.delivered -= 1
        self._ready.appendleft(event)

    async def wait(self) -> None:
        """Wait until there may be something to take."""
        future = asyncio.get_running_loop().create_future()
        self._idle.append(future)
        self.waits = True
        await future

    def look_for_more(self) -> None:
        """Start another worker soon if this one is held up while events wait. Cost: one call for each turn of the loop."""
        if not self._looking and self._spawn and (self._at < len(self._chunk) or self._ready):
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look)

    # -- what the bus calls -----------------------------------------------------------------------------------------

    def add_workers(self, spawn: Callable[[], bool], *, one_by_one: bool) -> None:
        """Take a function that starts another worker and says whether it did.

        Where all is handled one by one, keys need no order of their own but behind an event that failed.
        """
        self._spawn.append(spawn)
        self._ordered = self.options.ordered and not (one_by_one and len(self._spawn) == 1)
        self.notify()

    def notify(self) -> None:
        """Wake a worker that waits, or start one."""
        while self._idle:
            future = self._idle.popleft()
            if not future.done():
                self.waits = bool(self._idle)
                future.set_result(None)
                return
        self.waits = False
        self._look()

    def inject(self, event: Event) -> None:
        """Hand out an event that stands in no topic, such as a request, before all others."""
        event.offset = self._asked = self._asked - 1
        self._open[event.offset] = event
        self._ready.append(event)
        self.notify()

    def wants(self, event: Event) -> bool:
        """Return whether the group takes an event of this subject, and not only another group."""
        found = self._wanted.get(event.subject)
        if found is None:
            if len(self._wanted) >= BUS_SUBJECTS_MAX:
                self._wanted.clear()
            found = self._wanted[event.subject] = self._selection.wants(event.subject)
        return found and (not event.headers or event.headers.get(ONLY_GROUP, self.name) == self.name)

    def position(self) -> int:
        """Return the offset of the first event that is not done with."""
        oldest = min((offset for offset in self._open if offset >= 0), default=self._cursor)
        if self._at == len(self._chunk):
            return oldest
        if self._overtakes:
            return min(oldest, *(event.offset for event in self._chunk[self._at :]))
        return min(oldest, self._chunk[self._at].offset)

    def skip_to(self, offset: int) -> None:
        """Go on behind events that are gone, which the group has missed."""
        self.counts.missed += max(offset - self._cursor, 0)
        self._cursor = max(self._cursor, offset)

    def resume(self, progress: Progress) -> None:
        """Go on where an earlier process left off; to be called before anything is handed out."""
        self._cursor, self._attempts = progress.position, dict(progress.attempts)
        self._done = [(first, end) for first, end in progress.done if end > self._cursor]

    def progress(self) -> Progress:
        """Return how far the group has come. Cost: that of sorting what was handed out and is not done."""
        waiting = sorted(
            [offset for offset in self._open if offset >= 0] + [each.offset for each in self._chunk[self._at :]]
        )
        place, done = waiting[0] if waiting else self._cursor, []
        attempts = {
            offset: event.attempt - 1 for offset, event in self._open.items() if offset >= 0 and event.attempt > 1
        }
        for offset, following in pairwise([*waiting, self._cursor]):
            if following > offset + 1:
                done.append((offset + 1, following))
        for first, end in self._done:  # those of an earlier process that were not reached yet
            if end > self._cursor:
                done.append((max(first, self._cursor), end))
        attempts |= {offset: count for offset, count in self._attempts.items() if offset >= self._cursor}
        return Progress(place, done, attempts)

    def lag(self) -> int:
        """Return how many events of the topic have not been done with."""
        return self.topic.end - self.position()

    def backlog(self) -> int:
        """Return how many events may be handed out, of those that have no other way to come."""
        return self.topic.end - self._cursor + len(self._chunk) - self._at + len(self._ready)

    def in_flight(self) -> int:
        """Return how many events were handed out and are not acknowledged, those that come again later included."""
        return len(self._open)

    def statistics(self) -> dict[str, int]:
        """Return where the group stands, and what became of its events."""
        counts = asdict(self.counts)
        return {"position": self.position(), "lag": self.lag(), "in_flight": self.in_flight(), **counts}

    def is_done(self) -> bool:
        """Return whether the group has handled all there is but events that wait for their time."""
        return len(self._open) == self._delayed and self._at == len(self._chunk) and self._cursor >= self.topic.end

    # -- inside -----------------------------------------------------------------------------------------------------

    def _buried(self, event: Event, refusal: Exception | None) -> None:
        """Be done with an event that lies with the dead letters; else let it come again."""
        if refusal is None:
            self.counts.dead += 1
            self._close(event)
            return
        if self.options.ordered and event.key is not None:
            self._busy.setdefault(event.key, None)
        asyncio.get_running_loop().call_later(self.options.retry.pause_s(event.attempt), self._again, event)

    def _fill(self) -> bool:
        """Fetch events; return whether there are any. Where some overtake others, those that wait are put in order with them."""
        topic = self.topic
        if topic.waiting:
            topic.look()
        left = self._chunk[self._at :] if self._overtakes else []
        while self._cursor < topic.end and len(left) < BUS_WINDOW_EVENTS:
            if self._done or self._attempts:
                self._pass_over_done()
            before = self._cursor
            events, self._cursor = topic.fetch(before, BUS_FETCH_EVENTS)
            if self._cursor == before:
                return bool(left)
            chosen = [event for event in events if self.wants(event)]
            if self._done or self._attempts:
                chosen = self._not_done(chosen)
            if chosen and self._selection.condition is not None:
                chosen = self._held(chosen, self._selection.condition(chosen))
            self.counts.filtered += len(events) - len(chosen)
            if self._overtakes:
                chosen = left = sorted(left + chosen, key=lambda event: -event.priority)
            self._chunk, self._at = chosen, 0
            if topic.slowest <= before:
                topic.look()
            if chosen and not self._overtakes:
                return True
        return bool(left)

    def _held(self, events: Sequence[Event], verdicts: Sequence[bool | Exception]) -> list[Event]:
        """Return the events for which the condition holds; those for which it can't be told become dead letters."""
        for event, verdict in zip(events, verdicts, strict=True):
            if isinstance(verdict, Exception):
                self._give_up(event, verdict)
        return [event for event, verdict in zip(events, verdicts, strict=True) if verdict is True]

    def _give_up(self, event: Event, cause: Exception) -> None:
        """Make a dead letter of an event that was never handed out."""

        def buried(refusal: Exception | None) -> None:
            if refusal is not None:
                asyncio.get_running_loop().call_later(self.options.retry.pause_s(1), self._give_up, event, cause)
                return
            self.counts.dead += 1
            del self._open[event.offset]

        self._open[event.offset] = event
        self._bury(event, self, cause, buried)

    def _pass_over_done(self) -> None:
        """Go on behind events that an earlier process was done with."""
        while self._done and self._done[0][0] <= self._cursor:
            self._cursor = max(self._cursor, self._done.pop(0)[1])

    def _not_done(self, events: list[Event]) -> list[Event]:
        """Return those events that an earlier process was not done with, with the attempts that it made."""
        left = []
        for event in events:
            while self._done and self._done[0][1] <= event.offset:
                self._done.pop(0)
            if not (self._done and self._done[0][0] <= event.offset):
                event.attempt += self._attempts.pop(event.offset, 0)
                left.append(event)
        return left

    def _keeps_back(self, event: Event) -> bool:
        """Return whether an event of the same key is being handled; if so, this one waits behind it."""
        key = event.key
        assert key is not None
        if key not in self._busy:
            self._busy[key] = None
            return False
        waiting = self._busy[key]
        if waiting is None:
            waiting = self._busy[key] = deque()
        waiting.append(event)
        return True

    def _close(self, event: Event) -> None:
        del self._open[event.offset]
        if event.key is not None:
            self._free(event)

    def _free(self, event: Event) -> None:
        """Let the next event of the same key be handled."""
        if event.offset < 0:
            return
        assert event.key is not None
        waiting = self._busy.get(event.key)
        if waiting:
            self._ready.append(waiting.popleft())
            if self.waits:
                self.notify()
        else:
            self._busy.pop(event.key, None)

    def _again(self, event: Event) -> None:
        self._ready.append(event)
        self.notify()

    def _waits_for_its_time(self, event: Event) -> bool:
        assert event.not_before_ms is not None
        left = event.not_before_ms - _now_ms()
        if left <= 0 or self._delayed >= BUS_DELAYED_EVENTS_MAX:
            return False
        self._delayed += 1
        asyncio.get_running_loop().call_later(left / 1000, self._due, event)
        return True

    def _due(self, event: Event) -> None:
        self._delayed -= 1
        if event.key is None or not (self._ordered or event.key in self._busy) or not self._keeps_back(event):
            self._again(event)

    def _look(self) -> None:
        self._looking = False
        if self.paused or self._idle:
            return
        for spawn in self._spawn:
            if spawn():
                break


def _first_offset(topic: Topic, start: str | int) -> int:
    if isinstance(start, int):
        return max(start, topic.start)
    return topic.start if start == "earliest" else topic.end


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
